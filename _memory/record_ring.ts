/**
 * A bounded stream of records in shared memory from one writer to one reader. No lock.
 *
 * Word WRITTEN: words ever written, modulo 2^32. Changed by the writer only.
 * Word READ: words ever read, modulo 2^32. Changed by the reader only.
 * Word WRITER_WAITS: 1 while the writer sleeps for room, or was about to; set by the writer,
 * cleared by the reader.
 *
 * A record is its length in words (this word included), then the payload. It never wraps: where the
 * rest of the buffer is too short for it, the length SKIP stands there instead and the record
 * starts at the beginning.
 *
 * Invariants
 * 1. READ <= WRITTEN <= READ + capacity (as distances).
 * 2. The words between READ and WRITTEN belong to the reader, all others to the writer. Storing
 *    WRITTEN publishes a record; storing READ gives its words back.
 * 3. The writer sets WRITER_WAITS before it looks at READ for the last time; the reader stores READ
 *    before it looks at WRITER_WAITS. One of them sees the other's store, so the wake-up is not
 *    lost.
 *
 * @module
 */

import { load, notify, replace, store } from "../_platform/atomics.ts";
import { NEVER } from "../_platform/clock.ts";
import { park, parkSync } from "../_platform/park.ts";
import { RECORD_RING } from "./layout.ts";

/** Length word that means: continue at the beginning of the buffer. */
const SKIP = -1;

/** How many records are read, at most, before READ is stored. */
const MOST_UNTOLD = 64;

/** Where one ring lies: control words at `base`, then `capacity` words, a power of two. */
export interface RecordRingPlace {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly capacity: number;
}

/** The writing end. */
export class RecordWriter {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #base: number;
  readonly #data: number;
  readonly #capacity: number;
  #written: number;
  /** READ as last loaded; it may be further on by now. */
  #readSeen: number;

  constructor(place: RecordRingPlace) {
    this.words = place.words;
    this.bytes = place.bytes;
    this.#base = place.base;
    this.#data = place.base + RECORD_RING.SIZE;
    this.#capacity = place.capacity;
    this.#written = load(this.words, this.#base + RECORD_RING.WRITTEN);
    this.#readSeen = load(this.words, this.#base + RECORD_RING.READ);
  }

  /**
   * Index of the first payload word of a record of up to `payloadWords`, or -1 when there is no
   * room now. Nothing is visible to the reader before {@linkcode commit}.
   */
  reserve(payloadWords: number): number {
    const needed = payloadWords + 1;
    const position = this.#written & (this.#capacity - 1);
    const contiguous = this.#capacity - position;
    if (contiguous >= needed) {
      return this.#hasRoom(needed) ? this.#data + position + 1 : -1;
    }
    if (!this.#hasRoom(contiguous + needed)) return -1;
    this.words[this.#data + position] = SKIP;
    this.#written = (this.#written + contiguous) | 0;
    return this.#data + 1;
  }

  /** Publishes the record whose payload was written from `start` to `end`. */
  commit(start: number, end: number): void {
    const length = end - start + 1;
    this.words[start - 1] = length;
    this.#written = (this.#written + length) | 0;
    store(this.words, this.#base + RECORD_RING.WRITTEN, this.#written);
  }

  /**
   * A promise for room after {@linkcode reserve} found none; `undefined` when there may be some
   * already.
   */
  room(): Promise<unknown> | undefined {
    return this.#announceWait() ? park(this.words, this.#waits, 1) : undefined;
  }

  /** Blocks until there may be room. */
  roomSync(): void {
    if (this.#announceWait()) parkSync(this.words, this.#waits, 1, NEVER);
  }

  /**
   * Sets WRITER_WAITS; false when the reader has read meanwhile (Invariant 3). The word stays set
   * even then: the promise form of this writer may be asleep on it while the blocking form passes
   * here.
   */
  #announceWait(): boolean {
    store(this.words, this.#waits, 1);
    return load(this.words, this.#base + RECORD_RING.READ) === this.#readSeen;
  }

  get #waits(): number {
    return this.#base + RECORD_RING.WRITER_WAITS;
  }

  #hasRoom(needed: number): boolean {
    if (this.#capacity - ((this.#written - this.#readSeen) | 0) >= needed) return true;
    this.#readSeen = load(this.words, this.#base + RECORD_RING.READ);
    return this.#capacity - ((this.#written - this.#readSeen) | 0) >= needed;
  }
}

/** The reading end. */
export class RecordReader {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #base: number;
  readonly #data: number;
  readonly #capacity: number;
  #read: number;
  /** WRITTEN as last loaded; it may be further on by now. */
  #writtenSeen: number;
  /** Records read since READ was stored last. */
  #untold = 0;

  constructor(place: RecordRingPlace) {
    this.words = place.words;
    this.bytes = place.bytes;
    this.#base = place.base;
    this.#data = place.base + RECORD_RING.SIZE;
    this.#capacity = place.capacity;
    this.#read = load(this.words, this.#base + RECORD_RING.READ);
    this.#writtenSeen = this.#read;
  }

  /** True when there is a record to read. */
  hasRecord(): boolean {
    if (this.#read !== this.#writtenSeen) return true;
    this.#writtenSeen = load(this.words, this.#base + RECORD_RING.WRITTEN);
    return this.#read !== this.#writtenSeen;
  }

  /** Index of the first payload word of the oldest record, or -1 when there is none. */
  peek(): number {
    if (!this.hasRecord()) return -1;
    let position = this.#read & (this.#capacity - 1);
    if (this.words[this.#data + position] === SKIP) {
      this.#read = (this.#read + this.#capacity - position) | 0;
      position = 0;
    }
    return this.#data + position + 1;
  }

  /** Gives back the record that {@linkcode peek} showed, its payload read. */
  advance(): void {
    const length = this.words[this.#data + (this.#read & (this.#capacity - 1))];
    this.#read = (this.#read + length) | 0;
    // READ is stored now and then, and when all is read: the writer does not need every single
    // word.
    if (this.#read !== this.#writtenSeen && ++this.#untold < MOST_UNTOLD) return;
    this.#untold = 0;
    store(this.words, this.#base + RECORD_RING.READ, this.#read);
    const waits = this.#base + RECORD_RING.WRITER_WAITS;
    if (load(this.words, waits) === 1 && replace(this.words, waits, 1, 0)) {
      notify(this.words, waits);
    }
  }
}
