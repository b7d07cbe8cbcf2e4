/**
 * What the models of one folder have in common.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { add } from "../../../_platform/atomics.ts";

/** Words of memory that threads share, all 0. */
export function newWords(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

/** The words of an object of `sync/`, from its handle; `_memory/layout.ts` has their names. */
export function wordsOf({ data }: Handle): Int32Array {
  return new Int32Array((data as { buffer: SharedArrayBuffer }).buffer);
}

/** Throws unless all words but the named ones are 0. */
export function assertZero(words: Int32Array, ...others: readonly number[]): void {
  const left = [...words.entries()].filter(([at, word]) => word !== 0 && !others.includes(at));
  if (left.length === 0) return;
  const list = left.map(([at, word]) => `word ${at} is ${word}`).join(", ");
  throw new Error(`the object is not left as it was: ${list}`);
}

/** Enters and leaves a place where at most `room` threads may be at once. Two steps. */
export function visit(inside: Int32Array, room = 1): void {
  const others = add(inside, 0, 1);
  if (others >= room) throw new Error(`${others} other threads are inside`);
  add(inside, 0, -1);
}

/** The sum of numbers. */
export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** A class of errors that recognizes those of other copies of the package. */
interface ErrorClass {
  readonly name: string;
  is(error: unknown): boolean;
}

/** Does something that may fail in one way; returns whether it succeeded. */
export function succeeds(act: () => unknown, failure: ErrorClass): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (failure.is(error)) return false;
    throw error;
  }
}

/** Throws unless the act fails in the given way. */
export function assertFails(act: () => unknown, failure: ErrorClass): void {
  if (succeeds(act, failure)) throw new Error(`no ${failure.name}`);
}

/** Throws unless `actual`, which is passed on as JSON, is one of the expected values. */
export function assertOneOf(actual: unknown, ...expected: readonly unknown[]): void {
  const text = JSON.stringify(actual);
  const texts = expected.map((value) => JSON.stringify(value));
  if (!texts.includes(text)) throw new Error(`came to ${text}, not to ${texts.join(" or ")}`);
}
