/**
 * Promises with the functions that settle them, and waits with a time limit.
 *
 * @module
 */

import { callAt, nowMs } from "../../_platform/clock.ts";

/** A promise and the functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes a promise and its functions, as `Promise.withResolvers` does, which Node 20 lacks. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Resolves after `ms`. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void callAt(nowMs() + ms, resolve));
}

/**
 * Waits for a promise, at most `ms`: resolves to true once it is fulfilled, and to false when the
 * time is up. Rejects if the promise does.
 */
export async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = deferred<boolean>();
  const stopTimer = callAt(nowMs() + ms, () => resolve(false));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stopTimer();
  }
}
