/**
 * The memory of a queue's items: blocks of a few sizes, in the queue's own growing buffer. Call
 * everything with both latches of the queue held, except `sync`.
 *
 * A block has a power of two of words, at least 4. Its first word links it to another block, its
 * second gives its size and says what it holds; the rest belongs to the code that allocated it.
 *
 * Word END: where the memory ends that was cut into blocks; what is behind it is free.
 * Words FREE: for each size, the first of the free blocks, linked by their first words.
 * Word MERGE_AFTER: how many blocks are to be given back before merging is tried again, 0 if it may
 * help now.
 *
 * A block that is wanted comes from the list of its size, or else from behind END. Only where
 * neither has one is a larger free block split; and only where there is no larger one are free
 * blocks merged that lie side by side, in one walk over all blocks. So a queue that never becomes
 * empty can use its memory for items of any sizes in turn.
 *
 * Invariants
 * 1. From the control block to END, block follows block without a gap: their sizes lead from one to
 *    the next.
 * 2. A block whose FORM is FREE is in the list of its size, and no other block is in any. The code
 *    that allocates a block gives it another FORM before it allocates the next. A call that fails
 *    halfway may leave free blocks in no list: they are found when blocks are merged.
 * 3. A block in use is never moved, and its size never grows.
 * 4. A walk in vain is not repeated before one block is given back, and one more for each
 *    BLOCKS_PER_FREE that were in use. Otherwise, while blocks are given back one by one and a large
 *    one is wanted each time, every try would walk over all. The price: a block may be refused for
 *    that long although there is room; not where few blocks are in use.
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
const SIZE_MASK = (1 << SIZE_BITS) - 1;

const END = QUEUE.HEAP;
const MERGE_AFTER = QUEUE.HEAP + 1;
const FREE = QUEUE.HEAP + 2;

/** The FORM of a block that is free; that of any other is larger. */
const FREE_FORM = 0;

/** See Invariant 4. */
const BLOCKS_PER_FREE = 16;

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

/** How many words a block has. */
export function lengthOf(words: Int32Array, block: number): number {
  return 1 << (words[block + BLOCK.META] & SIZE_MASK);
}

/** Rounds up to an even number: what may hold doubles begins at an even word. */
export function evenly(words: number): number {
  return (words + 1) & ~1;
}

/** The exponent of the smallest block that has at least `size` words. */
function powerOf(size: number): number {
  return Math.max(SMALLEST, 32 - Math.clz32(size - 1));
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

  /** Takes a block of at least `size` words, whose FORM is to be set; 0 when there is no room. */
  allocate(size: number): number {
    const power = powerOf(size);
    if (power > LARGEST) return 0;
    const { words } = this;
    const first = words[FREE + power];
    if (first !== 0) {
      words[FREE + power] = words[first + BLOCK.NEXT];
      return first;
    }
    return this.#extend(power) || this.#split(power) || this.#mergeAndSplit(power);
  }

  /** Gives a block back. */
  free(block: number): void {
    const { words } = this;
    const power = words[block + BLOCK.META] & SIZE_MASK;
    words[block + BLOCK.META] = power;
    words[block + BLOCK.NEXT] = words[FREE + power];
    words[FREE + power] = block;
    if (words[MERGE_AFTER] > 0) words[MERGE_AFTER]--;
  }

  /** Gives back what a block in use has beyond `size` words; false if that is nothing. */
  trim(block: number, size: number): boolean {
    const { words } = this;
    const power = powerOf(size);
    const end = block + lengthOf(words, block);
    const kept = block + (1 << power);
    if (kept >= end) return false;
    this.#cut(kept, end);
    words[block + BLOCK.META] = words[block + BLOCK.META] & ~SIZE_MASK | power;
    words[MERGE_AFTER] = 0;
    return true;
  }

  /** Forgets all blocks; call when none is in use. */
  reset(): void {
    const { words } = this;
    words[END] = QUEUE.SIZE;
    words[MERGE_AFTER] = 0;
    words.fill(0, FREE, FREE + LARGEST + 1);
  }

  /** Takes a block from behind END; 0 when there is no room. */
  #extend(power: number): number {
    const block = this.words[END];
    const end = block + (1 << power);
    if (end > this.words.length && !this.#grow(end * WORD_BYTES)) return 0;
    this.words[END] = end;
    this.words[block + BLOCK.META] = power;
    return block;
  }

  /** Takes the smallest free block that is large enough, and frees the rest of it; 0 for none. */
  #split(power: number): number {
    const { words } = this;
    let larger = power;
    while (larger <= LARGEST && words[FREE + larger] === 0) larger++;
    if (larger > LARGEST) return 0;
    const block = words[FREE + larger];
    words[FREE + larger] = words[block + BLOCK.NEXT];
    this.#cut(block + (1 << power), block + (1 << larger));
    words[block + BLOCK.META] = power;
    return block;
  }

  #mergeAndSplit(power: number): number {
    if (this.words[MERGE_AFTER] > 0) return 0;
    const inUse = this.#merge();
    const block = this.#split(power) || this.#extend(power);
    if (block === 0) this.words[MERGE_AFTER] = 1 + Math.floor(inUse / BLOCKS_PER_FREE);
    return block;
  }

  /**
   * Cuts all free memory anew, into blocks as large as possible; returns how many blocks are in
   * use.
   */
  #merge(): number {
    const { words } = this;
    words.fill(0, FREE, FREE + LARGEST + 1);
    const end = words[END];
    let inUse = 0;
    /** Where the blocks begin that are free up to here; 0 if the one before is in use. */
    let start = 0;
    for (let at: number = QUEUE.SIZE; at < end; at += lengthOf(words, at)) {
      if (formOf(words, at) === FREE_FORM) {
        if (start === 0) start = at;
        continue;
      }
      inUse++;
      if (start !== 0) this.#cut(start, at);
      start = 0;
    }
    if (start !== 0) words[END] = start;
    return inUse;
  }

  /**
   * Cuts memory into free blocks, the largest first. Calls nothing, so that it does not fail
   * halfway, where the stack overflows.
   */
  #cut(start: number, end: number): void {
    const { words } = this;
    let power = LARGEST;
    for (let at = start; at < end; at += 1 << power) {
      while (1 << power > end - at) power--;
      words[at + BLOCK.META] = power;
      words[at + BLOCK.NEXT] = words[FREE + power];
      words[FREE + power] = at;
    }
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
