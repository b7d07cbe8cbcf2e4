/**
 * Calls back when a signal aborts.
 *
 * @module
 */

import { soon } from "./timers.ts";

/**
 * All that is called back when one signal aborts, by a single listener: a runtime compares each new
 * listener with those that are there, so that one listener each would take the square of their
 * number in time. The listener is there while a callback is.
 */
class Aborts {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<() => void>();
  readonly #listener = (): void => {
    // As with listeners, those that are added meanwhile are not called.
    for (const callback of [...this.#callbacks]) {
      if (!this.remove(callback)) continue; // An earlier one has removed it.
      try {
        callback();
      } catch (error) {
        // A rejection that nobody handles: none of the others is kept from running.
        soon(() => {
          throw error;
        });
      }
    }
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(callback: () => void): void {
    if (this.#callbacks.size === 0) this.#signal.addEventListener("abort", this.#listener);
    this.#callbacks.add(callback);
  }

  /** Returns whether it was there. */
  remove(callback: () => void): boolean {
    if (!this.#callbacks.delete(callback)) return false;
    if (this.#callbacks.size === 0) this.#signal.removeEventListener("abort", this.#listener);
    return true;
  }
}

const abortsOf = new WeakMap<AbortSignal, Aborts>();

/**
 * Calls back once the signal aborts, in the order of the calls of this function; never if it has
 * aborted before. The returned function cancels.
 */
export function whenAborted(
  signal: AbortSignal | null | undefined,
  callback: () => void,
): () => void {
  if (signal === undefined || signal === null) return () => {};
  let aborts = abortsOf.get(signal);
  if (aborts === undefined) abortsOf.set(signal, aborts = new Aborts(signal));
  aborts.add(callback);
  return () => void aborts.remove(callback);
}
