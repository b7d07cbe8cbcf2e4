/**
 * Memory of a queue's items: blocks of a few sizes, in the queue's own growing buffer. Call
 * everything with both latches of the queue held.
 *
 * A block is a power of two words, at least 4. Its first word links it to another, its second says
 * its size and what it holds; the rest is the user's.
 *
 * Word END: the end of what was handed out so far; from there on the buffer is untouched.
 * Words FREE: for each size, the first of the blocks given back, linked by their first words.
 *
 * Invariants
 * 1. A block is in use, or in the list of its size; never both.
 * 2. Blocks do not change their size, until all are forgotten: a queue that runs out of memory does
 *    so once it is empty.
 *
 * @module
 */

import { createSharedMemory } from "../_platform/memory.ts";
import { GrowingMemory } from "../_memory/growing_memory.ts";
import { QUEUE, WORD_BYTES } from "../_memory/layout.ts";

/** Words of a block, by their use. */
export const BLOCK = {
  NEXT: 0,
  /** Its size, as a power of two, and above it what the queue says of its contents. */
  META: 1,
  /** The user's; for an item, the number itself, or how many words it has. */
  A: 2,
  /** The user's; for an item, the byte at which its externs begin, counted from its first word. */
  B: 3,
  HEADER: 4,
} as const;

/** Bits of META that are the size. */
export const SIZE_BITS = 5;
/** See {@linkcode SIZE_BITS}. */
export const SIZE_MASK = (1 << SIZE_BITS) - 1;

const END = QUEUE.HEAP;
const FREE = QUEUE.HEAP + 1;

/** The header's words and no more. */
const SMALLEST = 2;
/** 2^28 words are the most that a buffer can have. */
const LARGEST = 28;

/** What a queue's memory is at first. */
const INITIAL_BYTES = 1 << 16;

/** What a block has, a FORM. */
export function formOf(words: Int32Array, block: number): number {
  return words[block + BLOCK.META] >> SIZE_BITS;
}

/** The even number from there up: what may hold doubles begins at an even word. */
export function evenly(words: number): number {
  return (words + 1) & ~1;
}

/** A buffer for a queue of up to that many bytes. */
export function createHeapBuffer(capacityBytes: number): SharedArrayBuffer {
  const buffer = createSharedMemory(Math.min(INITIAL_BYTES, capacityBytes), capacityBytes);
  new Int32Array(buffer, 0, QUEUE.SIZE)[END] = QUEUE.SIZE;
  return buffer;
}

/** A queue's memory, as one thread sees it. */
export class Heap extends GrowingMemory {
  /**
   * Has the views reach as far as anything that was handed out. Call whenever a latch was taken.
   */
  sync(): void {
    if (this.words[END] > this.words.length) this.follow();
  }

  /** Takes a block of at least `size` words; 0 when there is no room. */
  allocate(size: number): number {
    const power = Math.max(SMALLEST, 32 - Math.clz32(size - 1));
    if (power > LARGEST) return 0;
    const { words } = this;
    const first = words[FREE + power];
    if (first !== 0) {
      words[FREE + power] = words[first + BLOCK.NEXT];
      return first;
    }
    const block = words[END];
    const end = block + (1 << power);
    if (end > words.length && !this.#grow(end * WORD_BYTES)) return 0;
    this.words[END] = end;
    this.words[block + BLOCK.META] = power;
    return block;
  }

  /** Gives a block back. */
  free(block: number): void {
    const { words } = this;
    const power = words[block + BLOCK.META] & SIZE_MASK;
    words[block + BLOCK.META] = power;
    words[block + BLOCK.NEXT] = words[FREE + power];
    words[FREE + power] = block;
  }

  /** Forgets all blocks; call when none is in use. What was of one size can then be of another. */
  reset(): void {
    const { words } = this;
    words[END] = QUEUE.SIZE;
    words.fill(0, FREE, FREE + LARGEST + 1);
  }

  /** Words of the largest block that there is room for, beside so many others. */
  largestBeside(others: number): number {
    const free = this.buffer.maxByteLength / WORD_BYTES - QUEUE.SIZE - others;
    return 1 << Math.min(LARGEST, 31 - Math.clz32(free));
  }

  /** Has the memory, and the views, reach at least as far as that many bytes. */
  #grow(bytes: number): boolean {
    const { byteLength, maxByteLength } = this.buffer;
    if (bytes > maxByteLength) return false;
    if (bytes > byteLength) {
      this.buffer.grow(Math.min(maxByteLength, Math.max(bytes, byteLength * 2)));
    }
    this.follow();
    return true;
  }
}
