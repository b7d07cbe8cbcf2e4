/** How much the stress tests do. */

/**
 * Multiplies their sizes; 0.5 keeps each test within a few seconds on two cores. The environment variable STRESS says
 * otherwise: STRESS=10 makes everything twenty times as long.
 */
export const SCALE = Number(Deno.env.get("STRESS") ?? 0.5);

/** The time that a test has, if it has so much where {@linkcode SCALE} is 1. A slow machine may need all of it for less. */
export function limitMs(ms: number): number {
  return ms * Math.max(1, SCALE);
}
