/**
 * Monotonic time and deadlines, in milliseconds.
 *
 * @module
 */

import { describe } from "./describe.ts";
import { clock, soon, timers } from "./timers.ts";

/** A deadline that never comes. */
export const NEVER = Infinity;

/** Milliseconds on a clock that never goes back. */
export function nowMs(): number {
  return clock.now();
}

/**
 * Milliseconds since 1970 on the same clock. Threads agree to a microsecond, processes to a few
 * milliseconds. Processes started before and after the computer slept, or had its time set,
 * disagree by the time slept or set.
 */
export function epochMs(): number {
  return clock.originMs + nowMs();
}

/**
 * Checks a `timeout` argument and turns it into a point in time.
 *
 * @param timeout Milliseconds; `undefined` and `null` mean to wait for ever.
 * @throws {RangeError} When it is negative or NaN.
 * @throws {TypeError} When it is not a number, `undefined` or `null`.
 */
export function deadlineAfter(timeout: number | null | undefined): number {
  checkTimeout(timeout);
  if (timeout === undefined || timeout === null || timeout === Infinity) return NEVER;
  return nowMs() + timeout;
}

/**
 * Throws unless `timeout` is `undefined`, `null` or a number of milliseconds from 0 up.
 *
 * @param act What is attempted, for the error text.
 * @param name The option's name, for the error text.
 */
export function checkTimeout(
  timeout: number | null | undefined,
  act = "wait",
  name = "timeout",
): void {
  if (timeout === undefined || timeout === null) return;
  if (typeof timeout !== "number") {
    throw new TypeError(
      `Cannot ${act}: ${name} must be a number of milliseconds, got ${describe(timeout)}`,
    );
  }
  if (!(timeout >= 0)) {
    throw new RangeError(`Cannot ${act}: ${name} must be 0 or more milliseconds, got ${timeout}`);
  }
}

/** The largest delay that `setTimeout` takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

let areTimersLoaded = false;

/**
 * Calls back once the deadline has passed, however far off it is; the returned function cancels.
 */
export function callAt(deadlineMs: number, callback: () => void): () => void {
  if (deadlineMs === NEVER) return () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isCancelled = false;
  const arm = (): void => {
    if (isCancelled) return;
    const { setTimeout } = timers;
    areTimersLoaded = true;
    const remaining = Math.ceil(deadlineMs - nowMs());
    timer = setTimeout(fire, Math.min(LONGEST_TIMER_MS, Math.max(0, remaining)));
  };
  // A timer may fire early, by a millisecond: it goes by another clock.
  const fire = (): void => nowMs() < deadlineMs ? arm() : callback();
  // Deno loads its timers when they are first looked at, and runs microtasks meanwhile: they would
  // run inside the caller of this function.
  if (areTimersLoaded) arm();
  else soon(arm);
  return () => {
    isCancelled = true;
    if (timer === undefined) return;
    const { clearTimeout } = timers;
    clearTimeout(timer);
  };
}
