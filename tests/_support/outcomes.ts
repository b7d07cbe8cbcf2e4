/** What tests ask about an outcome: its error, and whether it came in time. */

import { assert, assertInstanceOf } from "@std/assert";
import type { Future } from "@concurrent/futures";

/**
 * Time from an event until the last future that it concerns is settled: 100 ms on a quiet machine,
 * 3 s where ten other programs compute. Anything later counts as never.
 */
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

/** Asserts that not much time has passed since `sinceMs`. */
export function assertPrompt(sinceMs: number): void {
  const elapsedMs = performance.now() - sinceMs;
  assert(elapsedMs < PROMPT_MS, `It took ${Math.round(elapsedMs)} ms`);
}
