/**
 * Promises with what settles them, and waits that end in time.
 *
 * @module
 */

import { callAt, nowMs } from "../../_platform/clock.ts";

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes one. `Promise.withResolvers` does this where there is one: Node 20 has none. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** Resolves after so long. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void callAt(nowMs() + ms, resolve));
}

/** Waits for a promise, so long at most: true once it is fulfilled, false when the time is up. Rejects as it does. */
export async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = deferred<boolean>();
  const stopTimer = callAt(nowMs() + ms, () => resolve(false));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stopTimer();
  }
}
