/**
 * The tasks, and the errors among their arguments, of the tests of threads that are given up before
 * they have their arguments.
 */

import { registerError, task } from "@concurrent/futures";
import { set } from "./_account_tasks.ts";

/** Words by which a test follows a thread that reads an error. */
export const READS = 0;
export const GO_ON = 1;
export const CALLED = 2;
export const FLAGS = 3;

/** Longer than a test may take. */
const LONGEST_MS = 120_000;

let flags: Int32Array | undefined;

/**
 * An error that a thread reads for as long as the test wants, once {@linkcode beSlow} was called
 * there.
 */
export class SlowError extends Error {
  override get name(): string {
    if (flags !== undefined) {
      set(flags, READS);
      Atomics.wait(flags, GO_ON, 0, LONGEST_MS);
    }
    return "SlowError";
  }
}

registerError(SlowError);

/** Makes this thread read slowly from now on. */
export const beSlow = task(import.meta, function beSlow(words: Int32Array): void {
  flags = words;
});

/** Reports that it was called. */
export const take = task(
  import.meta,
  function take(words: Int32Array, _error: SlowError, _bytes: Uint8Array): void {
    set(words, CALLED);
  },
);

export const goOn = task(import.meta, function goOn(words: Int32Array): void {
  set(words, GO_ON);
});

export const same = task(import.meta, function same(n: number): number {
  return n;
});

export const sizeOf = task(import.meta, function sizeOf(bytes: Uint8Array): number {
  return bytes.length;
});
