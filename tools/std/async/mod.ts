/**
 * A stand-in for `@std/async` with the functions this project uses, over `node:timers/promises`.
 *
 * Differs from the real one: delays of more than 24.8 days are not split, and `persistent: false`
 * works on every runtime.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";

/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the delay early: its promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Whether the timer keeps the process running. Default `true`. */
  persistent?: boolean;
}

/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early: its promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Resolves after `ms` milliseconds. */
export async function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  signal?.throwIfAborted();
  try {
    await sleep(Math.trunc(Math.max(ms, 0) || 0), undefined, { signal, ref: persistent });
  } catch (error) {
    // Node wraps the reason in an AbortError of its own; the caller's reason is the one promised.
    throw signal?.aborted ? signal.reason : error;
  }
}

/** The promise's outcome, or a rejection with a `TimeoutError` `DOMException` after `ms` milliseconds. */
export async function deadline<T>(
  promise: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  options.signal?.throwIfAborted();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(options.signal?.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => reject(new DOMException("Signal timed out.", "TimeoutError")), ms);
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}
