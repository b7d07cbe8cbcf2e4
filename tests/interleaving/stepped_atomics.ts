/**
 * Replaces `_platform/atomics.ts` in the explorer's process: it has the same operations. Each is a
 * step of the schedule while this thread is under control, and the real operation at all other
 * times.
 *
 * Operations on memory that only this thread can see are no steps: no other thread could see a
 * difference.
 *
 * @module
 */

import * as real from "../../_platform/atomics.ts";
import { LOG, OP } from "./control_layout.ts";
import { numberOf, PRIVATE } from "./shared_buffers.ts";
import type { ThreadControl } from "./thread_control.ts";

export type { AsyncWait } from "../../_platform/atomics.ts";

let control: ThreadControl | undefined;

/** Puts this thread under control, or, without an argument, takes it out again. */
export function setControl(by?: ThreadControl): void {
  control = by;
}

/** A step that does nothing: another thread may run here. For models; `tag` shows in the trace. */
export function point(tag = 0): void {
  control?.step(OP.POINT, PRIVATE, 0, tag, 0);
}

/** Words of 32 bits, or of 64, which are identified by their first half. */
type Words = Int32Array | BigInt64Array;

/**
 * The position of a word in its memory, in words of 32 bits: views may begin anywhere in the
 * memory.
 */
function place(words: Words, index: number): number {
  return (words.byteOffset + index * words.BYTES_PER_ELEMENT) / Int32Array.BYTES_PER_ELEMENT;
}

/**
 * The number of the words' memory if each access to it is a step; otherwise {@linkcode PRIVATE}.
 */
function steppedBuffer(words: Words): number {
  return control === undefined ? PRIVATE : numberOf(words.buffer);
}

/** Writes the result of the operation whose record is `at`, and returns it. */
function result(at: number, value: number): number {
  control!.log[at + LOG.RESULT] = value;
  return value;
}

/** A step. `_platform/atomics.ts` documents this operation and all that follow. */
export function load(words: Int32Array, index: number): number {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.load(words, index);
  const at = control!.step(OP.LOAD, buffer, place(words, index), 0, 0);
  return result(at, real.load(words, index));
}

/** A step. */
export function store(words: Int32Array, index: number, value: number): void {
  const buffer = steppedBuffer(words);
  if (buffer !== PRIVATE) control!.step(OP.STORE, buffer, place(words, index), value, 0);
  real.store(words, index, value);
}

/** A step. */
export function add(words: Int32Array, index: number, value: number): number {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.add(words, index, value);
  const at = control!.step(OP.ADD, buffer, place(words, index), value, 0);
  return result(at, real.add(words, index, value));
}

/** A step. */
export function exchange(words: Int32Array, index: number, value: number): number {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.exchange(words, index, value);
  const at = control!.step(OP.EXCHANGE, buffer, place(words, index), value, 0);
  return result(at, real.exchange(words, index, value));
}

/** A step. */
export function replace(
  words: Int32Array,
  index: number,
  expected: number,
  value: number,
): boolean {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.replace(words, index, expected, value);
  const at = control!.step(OP.REPLACE, buffer, place(words, index), expected, value);
  return result(at, real.replace(words, index, expected, value) ? 1 : 0) === 1;
}

/** The part of a 64-bit value that the trace shows. */
function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** A step. */
export function load64(words: BigInt64Array, index: number): bigint {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.load64(words, index);
  const at = control!.step(OP.LOAD, buffer, place(words, index), 0, 0);
  const value = real.load64(words, index);
  result(at, lowHalf(value));
  return value;
}

/** A step. */
export function store64(words: BigInt64Array, index: number, value: bigint): void {
  const buffer = steppedBuffer(words);
  if (buffer !== PRIVATE) {
    control!.step(OP.STORE, buffer, place(words, index), lowHalf(value), 0);
  }
  real.store64(words, index, value);
}

/** A step. */
export function add64(words: BigInt64Array, index: number, value: bigint): bigint {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.add64(words, index, value);
  const at = control!.step(OP.ADD, buffer, place(words, index), lowHalf(value), 0);
  const before = real.add64(words, index, value);
  result(at, lowHalf(before));
  return before;
}

/** A step. */
export function replace64(
  words: BigInt64Array,
  index: number,
  expected: bigint,
  value: bigint,
): boolean {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.replace64(words, index, expected, value);
  const from = lowHalf(expected);
  const at = control!.step(OP.REPLACE, buffer, place(words, index), from, lowHalf(value));
  return result(at, real.replace64(words, index, expected, value) ? 1 : 0) === 1;
}

/** A step. Threads under control sleep in the control block only. */
export function notify(words: Int32Array, index: number, count = Infinity): number {
  const buffer = steppedBuffer(words);
  if (buffer === PRIVATE) return real.notify(words, index, count);
  const at = control!.step(OP.NOTIFY, buffer, place(words, index), Math.min(count, 0x7fffffff), 0);
  return result(at, control!.wake(buffer, place(words, index), count));
}

/**
 * A step, and another one if the thread has to sleep. No thread runs between the look and the
 * sleep.
 */
export function wait(
  words: Int32Array,
  index: number,
  expected: number,
  timeout: number,
): "ok" | "not-equal" | "timed-out" {
  if (control === undefined) return real.wait(words, index, expected, timeout);
  // This includes private memory: a sleep there ends by its deadline only.
  const buffer = numberOf(words.buffer);
  const at = control.step(OP.WAIT, buffer, place(words, index), expected, 0);
  if (result(at, real.load(words, index)) !== expected) return "not-equal";
  return control.sleep(
    buffer,
    place(words, index),
    Number.isNaN(timeout) ? Infinity : Math.max(0, timeout),
  );
}

/** Not modelled: promises need the event loop, which does not turn within a schedule. */
export function waitAsync(
  words: Int32Array,
  index: number,
  expected: number,
): real.AsyncWait {
  if (control === undefined) return real.waitAsync(words, index, expected);
  throw new Error("Cannot step waitAsync: a model uses blocking calls only");
}

/** As in the original: true in Deno. */
export const canWaitAsync = true;

/** A step after which the next thread in turn goes on. */
export function pause(): void {
  if (control === undefined) real.pause();
  else control.pause();
}
