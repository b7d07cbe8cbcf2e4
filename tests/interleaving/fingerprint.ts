/**
 * Distinguishes schedules that differ, and identifies those that do not: two schedules that only
 * differ in the order of independent operations do the same.
 *
 * Operations depend on each other if the same thread does them, or if both use one word and one of
 * them writes it. Falling asleep and waking up at a word count as writing a second word that
 * belongs to it. An operation that moves the clock depends on everything, and all points depend on
 * each other. The fingerprint of an operation is made of those of the operations that it depends
 * on, and the fingerprint of a schedule is the sum of its operations' fingerprints: so it does not
 * show in which order the other operations came.
 *
 * Plain reads and writes of shared memory are not seen here. They belong to the operation before
 * them. Where they are ordered by operations, as they should be, nothing is lost.
 *
 * @module
 */

import { LOG, MAX_THREADS, OP } from "./control_layout.ts";

/** How the fingerprint reads a field of a record; see `Stage.at`. */
export type ReadField = (field: number) => number;

/** 51 bits that stand for what a schedule has done so far. */
export class Fingerprint {
  readonly #low = new Lane(0x2545f491);
  readonly #high = new Lane(0x4f6cdd1d);

  /** Adds the next record. */
  add(read: ReadField): void {
    this.#low.add(read);
    this.#high.add(read);
  }

  /** A number that is equal for schedules that have done the same. */
  get value(): number {
    return (this.#high.sum & 0x7ffff) * 2 ** 32 + (this.#low.sum >>> 0);
  }
}

/** 32 bits of a fingerprint. */
class Lane {
  /** Sum of all operations. */
  sum: number;
  readonly #threads = new Int32Array(MAX_THREADS);
  /** By word: its last write. */
  readonly #writes = new Map<number, number>();
  /** By word: the sum of all reads since that write. */
  readonly #reads = new Map<number, number>();
  /** All that was done before the clock last moved. */
  #past = 0;

  constructor(seed: number) {
    this.sum = seed;
    this.#threads.fill(seed);
  }

  add(read: ReadField): void {
    const thread = read(LOG.THREAD);
    const op = read(LOG.OP);
    const word = 2 * (read(LOG.BUFFER) * 2 ** 28 + read(LOG.INDEX));
    const sleepers = word + 1;
    switch (op) {
      case OP.LOAD:
        return this.#read(thread, op, word);
      case OP.STORE:
      case OP.ADD:
      case OP.EXCHANGE:
      case OP.POINT:
        return this.#write(thread, op, word);
      case OP.REPLACE:
        return read(LOG.RESULT) === 1
          ? this.#write(thread, op, word)
          : this.#read(thread, op, word);
      case OP.NOTIFY:
        return read(LOG.RESULT) > 0
          ? this.#write(thread, op, sleepers)
          : this.#read(thread, op, sleepers);
      case OP.WAIT:
        this.#read(thread, op, word);
        if (read(LOG.RESULT) === read(LOG.FIRST)) this.#write(thread, op, sleepers);
        return;
      case OP.WAKE:
        if (read(LOG.FIRST) === 1) this.#moveClock(thread, op);
        return this.#write(thread, op, sleepers);
      case OP.PAUSE:
        return this.#moveClock(thread, op);
    }
  }

  #read(thread: number, op: number, word: number): void {
    const mark = this.#mark(thread, op, this.#writes.get(word) ?? 0);
    this.#reads.set(word, ((this.#reads.get(word) ?? 0) + mark) | 0);
  }

  #write(thread: number, op: number, word: number): void {
    const before = mix(this.#writes.get(word) ?? 0, this.#reads.get(word) ?? 0);
    this.#writes.set(word, this.#mark(thread, op, before));
    this.#reads.set(word, 0);
  }

  #moveClock(thread: number, op: number): void {
    this.#mark(thread, op, this.sum);
    this.#past = this.sum;
  }

  /** The mark of an operation that follows what `before` stands for. */
  #mark(thread: number, op: number, before: number): number {
    const mark = mix(mix(this.#threads[thread], this.#past), mix(before, thread * 32 + op));
    this.#threads[thread] = mark;
    this.sum = (this.sum + mark) | 0;
    return mark;
  }
}

/** Combines two numbers; the result differs for `a, b` and `b, a`. */
function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ (a >>> 15), 0x85ebca6b) + Math.imul(b ^ (b >>> 13), 0xc2b2ae35) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return hash ^ (hash >>> 15);
}
