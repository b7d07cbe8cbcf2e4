/**
 * Hands out blocks of a growing shared buffer, which hold the values that are too large for a ring.
 *
 * One thread allocates; any thread that has read a block gives it back by one atomic store, without
 * asking the allocator. Each block starts with a word:
 *
 *   USED -> FREE   `release`, by whoever read the block last
 *   FREE -> USED   `allocate`, after the allocator has collected it
 *
 * Invariants
 * 1. Only the allocating thread writes USED, and only into space that it holds as a free range.
 * 2. The allocator never touches a block between its USED and its FREE.
 * 3. Free ranges are disjoint, sorted and never adjacent.
 *
 * Blocks given back are collected when no free range fits, and ahead of each large block
 * (`LARGE_BYTES`), in one pass over the blocks in use. So handing out a block is mostly a step
 * forward in the first range, and memory is reused before it grows. A free list in shared memory
 * would save the pass and cost a lock.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { GrowingMemory } from "./growing_memory.ts";
import { WORD_BYTES } from "./layout.ts";

const USED = 1;
const FREE = 0;

/** Before a block of at least this size is handed out, the blocks given back are collected. */
const LARGE_BYTES = 1 << 16;

/** Bytes of a block's header; keeps the data aligned for doubles. */
const HEADER_BYTES = 8;

/**
 * An arena's size at first, and the size to which it may grow: address space only, until it is
 * used.
 */
const INITIAL_BYTES = 1 << 18;
const MAX_BYTES = 1 << 28;

/** Memory for an arena. */
export function createArenaBuffer(): SharedArrayBuffer {
  return createSharedMemory(INITIAL_BYTES, MAX_BYTES);
}

/** An arena, as the readers of its blocks see it. */
export class ArenaView extends GrowingMemory {
  /** Gives a block back. Any thread may call it, once for each block. */
  release(offset: number): void {
    store(this.words, (offset - HEADER_BYTES) / WORD_BYTES, FREE);
  }
}

/** The allocating end of an arena. */
export class Arena extends ArenaView {
  /** Starts and lengths of the free ranges, in bytes. */
  readonly #freeStarts: number[] = [0];
  readonly #freeLengths: number[];
  /** Starts and lengths of the blocks handed out. */
  #usedStarts: number[] = [];
  #usedLengths: number[] = [];

  /** @param buffer Growable and unused; {@linkcode createArenaBuffer} makes one. */
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
    this.#freeLengths = [buffer.byteLength];
  }

  /** Bytes that the largest block may have. */
  get largestBlock(): number {
    return this.buffer.maxByteLength - HEADER_BYTES;
  }

  /**
   * Byte position of a block of at least `bytes`, a multiple of 8; or -1 when there is no room now.
   */
  allocate(bytes: number): number {
    if (bytes > this.largestBlock) return -1; // Past 31 bits, the length would be negative.
    const length = (bytes + HEADER_BYTES + 7) & ~7;
    // A large block is worth a pass over the blocks in use: memory that was used before is mapped,
    // and in a cache.
    if (length >= LARGE_BYTES) this.#collect();
    let start = this.#take(length);
    if (start < 0) {
      this.#collect();
      start = this.#take(length);
    }
    if (start < 0 && this.#grow(length)) start = this.#take(length);
    if (start < 0) return -1;
    this.#usedStarts.push(start);
    this.#usedLengths.push(length);
    store(this.words, start / WORD_BYTES, USED);
    return start + HEADER_BYTES;
  }

  /** A copy of a block that was handed out, for its owner to keep elsewhere. */
  copyOf(offset: number): ArrayBuffer {
    const start = offset - HEADER_BYTES;
    const end = start + this.#usedLengths[this.#usedStarts.indexOf(start)];
    return this.bytes.slice(offset, end).buffer;
  }

  #take(length: number): number {
    const lengths = this.#freeLengths;
    for (let i = 0; i < lengths.length; i++) {
      if (lengths[i] < length) continue;
      const start = this.#freeStarts[i];
      this.#freeStarts[i] += length;
      lengths[i] -= length;
      if (lengths[i] === 0) {
        this.#freeStarts.splice(i, 1);
        lengths.splice(i, 1);
      }
      return start;
    }
    return -1;
  }

  /** Turns blocks given back into free ranges. */
  #collect(): void {
    const ranges: [start: number, length: number][] = [];
    const usedStarts: number[] = [];
    const usedLengths: number[] = [];
    for (let i = 0; i < this.#usedStarts.length; i++) {
      const start = this.#usedStarts[i];
      const length = this.#usedLengths[i];
      if (load(this.words, start / WORD_BYTES) === FREE) {
        ranges.push([start, length]);
      } else {
        usedStarts.push(start);
        usedLengths.push(length);
      }
    }
    if (ranges.length === 0) return;
    this.#usedStarts = usedStarts;
    this.#usedLengths = usedLengths;
    for (let i = 0; i < this.#freeStarts.length; i++) {
      ranges.push([this.#freeStarts[i], this.#freeLengths[i]]);
    }
    ranges.sort((a, b) => a[0] - b[0]);
    this.#freeStarts.length = 0;
    this.#freeLengths.length = 0;
    for (const [start, length] of ranges) this.#addLast(start, length);
  }

  /** Makes room for a block of `length` at the end; false when the limit is reached. */
  #grow(length: number): boolean {
    const size = this.buffer.byteLength;
    const last = this.#freeStarts.length - 1;
    const atEnd = last >= 0 && this.#freeStarts[last] + this.#freeLengths[last] === size
      ? this.#freeLengths[last]
      : 0;
    const needed = size - atEnd + length;
    if (needed > this.buffer.maxByteLength) return false;
    const grown = Math.min(this.buffer.maxByteLength, Math.max(needed, size * 2));
    this.buffer.grow(grown);
    this.follow();
    this.#addLast(size, grown - size);
    return true;
  }

  /** Adds a range behind all others, joined to the last one if they touch (Invariant 3). */
  #addLast(start: number, length: number): void {
    const last = this.#freeStarts.length - 1;
    if (last >= 0 && this.#freeStarts[last] + this.#freeLengths[last] === start) {
      this.#freeLengths[last] += length;
    } else {
      this.#freeStarts.push(start);
      this.#freeLengths.push(length);
    }
  }
}
