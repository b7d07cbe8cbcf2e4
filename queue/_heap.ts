/**
 * The memory of a queue's items: blocks of a few sizes, in the queue's own growing buffer. Call
 * everything with both latches of the queue held, except `sync`.
 *
 * A block has a power of two of words, at least 4. Its first word links it to another block, its
 * second gives its size and says what it holds; the rest belongs to the code that allocated it.
 *
 * Word END: where the memory ends that was handed out so far; from there on the buffer is
 * untouched.
 * Words FREE: for each size, the first of the blocks given back, linked by their first words.
 *
 * Invariants
 * 1. A block is in use, or in the list of its size; never both.
 * 2. Blocks do not change their size until all are forgotten, which a queue that is out of memory
 *    does once it is empty.
 *
 * @module
 */

import { createSharedMemory } from "../_platform/memory.ts";
import { GrowingMemory } from "../_memory/growing_memory.ts";
import { QUEUE, WORD_BYTES } from "../_memory/layout.ts";

/** Words of a block, by their use. */
export const BLOCK = {
  NEXT: 0,
  /** Its size, as an exponent of 2, and in the bits above that a FORM: what it holds. */
  META: 1,
  /** The allocating code's own; for an item, the number itself, or how many words it has. */
  A: 2,
  /**
   * The allocating code's own; for an item, the byte at which its externs begin, counted from its
   * first word.
   */
  B: 3,
  HEADER: 4,
} as const;

/** How many bits of META are the size. */
export const SIZE_BITS = 5;
/** Selects the size in META. */
export const SIZE_MASK = (1 << SIZE_BITS) - 1;

const END = QUEUE.HEAP;
const FREE = QUEUE.HEAP + 1;

/** The exponent of the smallest block: a header and no more. */
const SMALLEST = 2;
/** The exponent of the largest block: a buffer has 2^28 words at most. */
const LARGEST = 28;

/** The size of a queue's memory at first. */
const INITIAL_BYTES = 1 << 16;

/** What a block holds, a FORM. */
export function formOf(words: Int32Array, block: number): number {
  return words[block + BLOCK.META] >> SIZE_BITS;
}

/** Rounds up to an even number: what may hold doubles begins at an even word. */
export function evenly(words: number): number {
  return (words + 1) & ~1;
}

/** A buffer for a queue of up to `capacityBytes` bytes. */
export function createHeapBuffer(capacityBytes: number): SharedArrayBuffer {
  const buffer = createSharedMemory(Math.min(INITIAL_BYTES, capacityBytes), capacityBytes);
  new Int32Array(buffer, 0, QUEUE.SIZE)[END] = QUEUE.SIZE;
  return buffer;
}

/** A queue's memory, as one thread sees it. */
export class Heap extends GrowingMemory {
  /**
   * Makes the views reach as far as any block that was handed out. Call whenever a latch was taken.
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

  /**
   * Forgets all blocks; call when none is in use. Their memory can then be cut into other sizes.
   */
  reset(): void {
    const { words } = this;
    words[END] = QUEUE.SIZE;
    words.fill(0, FREE, FREE + LARGEST + 1);
  }

  /** Words of the largest block that there is room for, beside `others` words for other blocks. */
  largestBeside(others: number): number {
    const free = this.buffer.maxByteLength / WORD_BYTES - QUEUE.SIZE - others;
    return 1 << Math.min(LARGEST, 31 - Math.clz32(free));
  }

  /** Makes the memory and the views reach at least `bytes` bytes; false beyond the capacity. */
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
