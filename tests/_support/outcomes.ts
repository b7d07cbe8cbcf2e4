/** What tests ask of an outcome: the error, and that it came in time. */

import { assert, assertInstanceOf } from "@std/assert";
import type { Future } from "@concurrent/futures";

/** Time from an event to the last future that it concerns: 100 ms on a quiet machine, 3 s where ten others compute. What is told late is told never. */
export const PROMPT_MS = 6000;

/** The error of a future; fails when it has none. */
export async function errorOf(future: Future<unknown>): Promise<Error> {
  const error = await future.exception();
  assertInstanceOf(error, Error, `the task has no error but returned ${await valueOf(future)}`);
  return error;
}

async function valueOf(future: Future<unknown>): Promise<string> {
  return await future.exception() === null ? Deno.inspect(await future) : "nothing";
}

/** Asserts that it is not long after `sinceMs`. */
export function assertPrompt(sinceMs: number): void {
  const elapsedMs = performance.now() - sinceMs;
  assert(elapsedMs < PROMPT_MS, `It took ${Math.round(elapsedMs)} ms`);
}
