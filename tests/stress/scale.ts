/** How much the stress tests do. */

/**
 * Multiplies their sizes; 1 keeps each test within a few seconds on two cores. The environment variable STRESS says
 * otherwise: STRESS=10 makes everything ten times as long.
 */
export const SCALE = Number(Deno.env.get("STRESS") ?? 1);
