/**
 * The tasks that the benchmarks run in workers. Workers import this module, so nothing else is in
 * it.
 *
 * @module
 */

import { task } from "@concurrent/futures/task";

/** Adds two numbers. */
export const add = task(import.meta, function add(a: number, b: number): number {
  return a + b;
});

/** Returns its argument. */
export const echo = task(import.meta, function echo(value: unknown): unknown {
  return value;
});

/** Returns the length of an array. */
export const lengthOf = task(import.meta, function lengthOf(array: Float64Array): number {
  return array.length;
});

/** Adds one. */
export const increment = task(import.meta, function increment(x: number): number {
  return x + 1;
});

/** Waits without computing. Returns for how many milliseconds. */
export const sleep = task(import.meta, async function sleep(ms: number): Promise<number> {
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return performance.now() - startMs;
});

/** Computes for `ms` milliseconds. */
export const compute = task(import.meta, function compute(ms: number): number {
  const endMs = performance.now() + ms;
  let steps = 0;
  while (performance.now() < endMs) steps++;
  return steps;
});
