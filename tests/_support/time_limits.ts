/**
 * Tests that take place within a time limit of the package. Where the machine stands still, the time may be up before the task
 * has come to the point that its test is about. Such a test begins anew, with twice the time.
 */

import { TimeoutError } from "../../executors/mod.ts";

const POLL_MS = 2;

/** How often a test begins. What fails each time is no matter of time. */
const ATTEMPTS = 10;

/** The time was up before the test had come to its point. */
class TooSoon extends Error {
  override readonly name = "TooSoon";
}

/** Runs a test whose tasks have so many milliseconds; again with twice as many, as long as that was not enough. */
export async function withTimeLimit(
  limitMs: number,
  test: (limitMs: number) => Promise<void>,
): Promise<void> {
  for (let attempt = 1;; attempt++, limitMs *= 2) {
    try {
      return await test(limitMs);
    } catch (error) {
      if (!(error instanceof TooSoon) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Runs a test in which one thing has to follow soon upon another; anew as long as it was late. */
export function inGoodTime(test: () => Promise<void>): Promise<void> {
  return withTimeLimit(0, test);
}

/** A task that is over. */
export const OVER = { done: () => true };

/** Resolves once it is so. For {@linkcode withTimeLimit}: fails if the task is over and it is not. */
export async function comesAbout(task: { done(): boolean }, isSo: () => boolean): Promise<void> {
  for (;;) {
    // In this order: it may come about and be over in between.
    const isOver = task.done();
    if (isSo()) return;
    if (isOver) throw new TooSoon("The task was over before");
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What is there before the time is up. For {@linkcode withTimeLimit}: fails if it is not. */
export async function inTime<T>(value: PromiseLike<T>): Promise<T> {
  try {
    return await value;
  } catch (error) {
    throw TimeoutError.is(error) ? new TooSoon("It came too late", { cause: error }) : error;
  }
}
