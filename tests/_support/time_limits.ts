/**
 * Tests that happen within a time limit of the package. Where the machine stalls, the time may be
 * up before the task has reached the point that its test is about. Such a test begins anew, with
 * twice the time.
 */

import { TimeoutError } from "../../executors/mod.ts";
import { Empty } from "../../queue/mod.ts";

const POLL_MS = 2;

/** How often a test is tried. A failure of every attempt is not a matter of time. */
const ATTEMPTS = 10;

/** The time was up before the test had reached its point. */
class TooSoon extends Error {
  override readonly name = "TooSoon";
}

/**
 * Runs a test with a time limit for its tasks, in milliseconds; runs it again with twice the limit
 * as long as that was not enough.
 */
export async function withTimeLimit<T>(
  limitMs: number,
  test: (limitMs: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1;; attempt++, limitMs *= 2) {
    try {
      return await test(limitMs);
    } catch (error) {
      if (!(error instanceof TooSoon) || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * Runs a test in which one event must soon follow another; runs it again as long as the second was
 * late.
 */
export function inGoodTime<T>(test: () => Promise<T>): Promise<T> {
  return withTimeLimit(0, test);
}

/** For {@linkcode withTimeLimit}: makes the test begin anew if `isInTime` is false. */
export function assertInTime(isInTime: boolean): void {
  if (!isInTime) throw new TooSoon("The time was up before");
}

/**
 * Resolves once `isSo()` holds. For {@linkcode withTimeLimit}: makes the test begin anew if the
 * task is over before that.
 */
export async function comesAbout(task: { done(): boolean }, isSo: () => boolean): Promise<void> {
  for (;;) {
    // In this order: the condition may come to hold, and the task may then end, between the two
    // lines.
    const isOver = task.done();
    if (isSo()) return;
    assertInTime(!isOver);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * The value of the promise. For {@linkcode withTimeLimit}: makes the test begin anew if the promise
 * rejects because time is up.
 */
export async function inTime<T>(value: PromiseLike<T>): Promise<T> {
  try {
    return await value;
  } catch (error) {
    assertInTime(!(TimeoutError.is(error) || Empty.is(error)));
    throw error;
  }
}
