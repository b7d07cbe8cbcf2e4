/**
 * Sleeping on a shared word: blocking, or as a promise.
 *
 * Both forms return at once when the word no longer holds what the caller last saw, so a wake-up
 * between the caller's check and its sleep is not lost. Both may return early; callers loop.
 *
 * @module
 */

import { wait, waitAsync } from "./atomics.ts";
import { NEVER, nowMs } from "./clock.ts";

/**
 * Blocks this thread while `words[index]` holds `expected`, until the deadline at the latest.
 * The event loop does not turn meanwhile.
 */
export function parkSync(
  words: Int32Array,
  index: number,
  expected: number,
  deadlineMs: number,
): void {
  const remaining = deadlineMs === NEVER ? Infinity : Math.max(0, deadlineMs - nowMs());
  wait(words, index, expected, remaining);
}

/**
 * A promise that settles once `words[index]` is notified, or after `timeout` milliseconds; `undefined`
 * when the word already differs. It does not keep the event loop open: hold it open where somebody
 * waits for the outcome.
 */
export function park(
  words: Int32Array,
  index: number,
  expected: number,
  timeout?: number,
): Promise<"ok" | "timed-out"> | undefined {
  const waiting = waitAsync(words, index, expected, timeout);
  return waiting.async ? waiting.value : undefined;
}
