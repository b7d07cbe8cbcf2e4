/** The size of the stress tests. */

/**
 * Multiplies the sizes of the tests; 1 keeps each test within a few seconds on two cores. The
 * environment variable STRESS sets it: with STRESS=10 everything is ten times as long.
 */
export const SCALE = Number(Deno.env.get("STRESS") ?? 1);
