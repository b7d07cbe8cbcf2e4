/**
 * Tests that take place within a time limit of the package. Where the machine stands still, the time may be up before the task
 * has come to the point that its test is about. Such a test begins anew, with twice the time.
 */

import { TimeoutError } from "../../executors/mod.ts";
import { Empty } from "../../queue/mod.ts";

const POLL_MS = 2;

/** How often a test begins. What fails each time is no matter of time. */
const ATTEMPTS = 10;

/** The time was up before the test had come to its point. */
class TooSoon extends Error {
  override readonly name = "TooSoon";
}

/** Runs a test whose tasks have so many milliseconds; again with twice as many, as long as that was not enough. */
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

/** Runs a test in which one thing has to follow soon upon another; anew as long as it was late. */
export function inGoodTime<T>(test: () => Promise<T>): Promise<T> {
  return withTimeLimit(0, test);
}

/** For {@linkcode withTimeLimit}: fails unless it was in time. */
export function assertInTime(isInTime: boolean): void {
  if (!isInTime) throw new TooSoon("The time was up before");
}

/** Resolves once it is so. For {@linkcode withTimeLimit}: fails if the task is over and it is not. */
export async function comesAbout(task: { done(): boolean }, isSo: () => boolean): Promise<void> {
  for (;;) {
    // In this order: it may come about and be over in between.
    const isOver = task.done();
    if (isSo()) return;
    assertInTime(!isOver);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What is there before the time is up. For {@linkcode withTimeLimit}: fails if it is not. */
export async function inTime<T>(value: PromiseLike<T>): Promise<T> {
  try {
    return await value;
  } catch (error) {
    assertInTime(!(TimeoutError.is(error) || Empty.is(error)));
    throw error;
  }
}
