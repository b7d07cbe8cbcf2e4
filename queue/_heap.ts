/**
 * The memory of a queue's items: blocks of a few lengths, in the queue's own growing buffer. Call
 * everything with both latches of the queue held, except `sync`.
 *
 * A block in use has one of the lengths in LENGTHS: powers of two from 4 words up, and from 256
 * words on three more between each and the next, so that it is at most a quarter longer than
 * wanted. A free block may have any length that is a multiple of 4. The first word of a block links
 * it to another block, the second gives its length and says what it holds; the rest belongs to the
 * code that allocated it.
 *
 * Word END: where the memory ends that was cut into blocks; what is behind it is free.
 * Words FREE: for each of the LENGTHS, the first of the free blocks that have at least that length,
 * and less than the next; they are linked by their first words.
 * Word MERGE_AFTER: how many blocks are to be given back before blocks are merged again.
 *
 * A block that is wanted comes from the list of its length, or else from behind END. Only where
 * neither has one, free blocks that lie side by side are merged, in one walk over all blocks, and
 * what is wanted is cut from the beginning of a longer one. So a queue that never becomes empty can
 * use its memory for items of any sizes in turn.
 *
 * Invariants
 * 1. From the control block to END, block follows block without a gap: their lengths lead from one
 *    to the next.
 * 2. A block whose FORM is FREE_FORM is in the list of its length, and no other block is in any.
 *    The code that allocates a block gives it another FORM before it allocates the next. A call
 *    that fails halfway may leave free blocks in no list: they are found when blocks are merged.
 * 3. A block in use is never moved, and never becomes longer.
 * 4. After a walk no two free blocks lie side by side, until one is given back. Nothing is merged
 *    again before that, and before another one was given back for each BLOCKS_PER_FREE that are in
 *    use: otherwise, while blocks are given back one by one and a long one is wanted each time,
 *    every try would walk over all. The price: a block may be refused for that long although there
 *    is room for it; not where few blocks are in use.
 *
 * @module
 */

import { createSharedMemory } from "../_platform/memory.ts";
import { GrowingMemory } from "../_memory/growing_memory.ts";
import { QUEUE, WORD_BYTES } from "../_memory/layout.ts";

/** Words of a block, by their use. */
export const BLOCK = {
  NEXT: 0,
  /** Twice its length in words, and in the lower three bits, which are 0 in that, its FORM. */
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

/** Selects the FORM in META. */
const FORM_MASK = 7;

const END = QUEUE.HEAP;
const MERGE_AFTER = QUEUE.HEAP + 1;
const FREE = QUEUE.HEAP + 2;

/** The FORM of a free block; that of any other is larger. */
const FREE_FORM = 0;

/** See Invariant 4. */
const BLOCKS_PER_FREE = 16;

/** The rank, which is the place in LENGTHS, of the shortest blocks: a header and no more. */
const SMALLEST = 2;
/** Up to this rank, a rank is the exponent of a power of two. From it on, each power has four. */
const FINE = 8;
/** The rank of the longest blocks: a buffer has 2^28 words at most, its control block included. */
const LARGEST = FINE + 4 * (28 - FINE) - 1;

/** How many words a block in use may have. */
const LENGTHS = Int32Array.from({ length: LARGEST + 1 }, (_, rank) => {
  const quarters = rank - FINE;
  return quarters < 0 ? 1 << rank : (4 + (quarters & 3)) << ((quarters >> 2) + FINE - 2);
});

/** The size of a queue's memory at first. */
const INITIAL_BYTES = 1 << 16;

/** What a block holds; see `FORM` in `_batch.ts`. */
export function formOf(words: Int32Array, block: number): number {
  return words[block + BLOCK.META] & FORM_MASK;
}

/** How many words a block has. */
export function lengthOf(words: Int32Array, block: number): number {
  return (words[block + BLOCK.META] & ~FORM_MASK) >> 1;
}

/** Rounds up to an even number: what may hold doubles begins at an even word. */
export function evenly(words: number): number {
  return (words + 1) & ~1;
}

/** The rank of the largest of the LENGTHS that is at most `size`. */
function rankWithin(size: number): number {
  const power = 31 - Math.clz32(size);
  return power < FINE ? power : FINE + 4 * (power - FINE) + ((size >> (power - 2)) & 3);
}

/** The rank of the smallest of the LENGTHS that is at least `size`. */
function rankFor(size: number): number {
  return Math.max(SMALLEST, rankWithin(size - 1) + 1);
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
    const rank = rankFor(size);
    if (rank > LARGEST) return 0;
    const { words } = this;
    const first = words[FREE + rank];
    if (first !== 0) return this.#take(first, rank, rank);
    return this.#extend(rank) || this.#cut(rank);
  }

  /** Gives a block back. */
  free(block: number): void {
    this.#add(block, lengthOf(this.words, block));
    if (this.words[MERGE_AFTER] > 0) this.words[MERGE_AFTER]--;
  }

  /** Gives back what a block in use has beyond `size` words; false if that is nothing. */
  trim(block: number, size: number): boolean {
    const length = LENGTHS[rankFor(size)];
    if (length >= lengthOf(this.words, block)) return false;
    this.#shorten(block, length);
    this.words[MERGE_AFTER] = 0;
    return true;
  }

  /** Forgets all blocks; call when none is in use. */
  reset(): void {
    const { words } = this;
    words.fill(0, FREE, FREE + LARGEST + 1); // First, as a call may fail where the stack ends.
    words[END] = QUEUE.SIZE;
    words[MERGE_AFTER] = 0;
  }

  /** Takes the first block of a list, and frees what it has beyond the length of `rank`. */
  #take(block: number, list: number, rank: number): number {
    const { words } = this;
    words[FREE + list] = words[block + BLOCK.NEXT];
    if (lengthOf(words, block) > LENGTHS[rank]) this.#shorten(block, LENGTHS[rank]);
    return block;
  }

  /** Takes a block from behind END; 0 when there is no room. */
  #extend(rank: number): number {
    const block = this.words[END];
    const end = block + LENGTHS[rank];
    if (end > this.words.length && !this.#grow(end * WORD_BYTES)) return 0;
    this.words[END] = end;
    this.words[block + BLOCK.META] = 2 * LENGTHS[rank];
    return block;
  }

  /**
   * Takes the beginning of a longer block; 0 when none is long enough. Merges first: otherwise most
   * blocks would leave a rest that is of no use, as it has no free neighbour any more.
   */
  #cut(rank: number): number {
    if (this.words[MERGE_AFTER] === 0) this.#merge();
    for (let list = rank; list <= LARGEST; list++) {
      const block = this.words[FREE + list];
      if (block !== 0) return this.#take(block, list, rank);
    }
    return this.#extend(rank); // Merging may have moved END.
  }

  /** Makes one block of free blocks that lie side by side. */
  #merge(): void {
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
      if (start !== 0) this.#add(start, at - start);
      start = 0;
    }
    if (start !== 0) words[END] = start;
    words[MERGE_AFTER] = 1 + Math.floor(inUse / BLOCKS_PER_FREE);
  }

  /** Frees what a block has beyond `length` words. */
  #shorten(block: number, length: number): void {
    const { words } = this;
    const form = formOf(words, block);
    this.#add(block + length, lengthOf(words, block) - length);
    words[block + BLOCK.META] = 2 * length | form;
  }

  /**
   * Adds a free block to its list. Calls nothing once it writes, so that it does not fail halfway,
   * where the stack overflows.
   */
  #add(block: number, length: number): void {
    const { words } = this;
    const rank = rankWithin(length);
    words[block + BLOCK.META] = 2 * length;
    words[block + BLOCK.NEXT] = words[FREE + rank];
    words[FREE + rank] = block;
  }

  /** Words of the largest block that there is room for, beside `others` words for other blocks. */
  largestBeside(others: number): number {
    const free = this.buffer.maxByteLength / WORD_BYTES - QUEUE.SIZE - others;
    return LENGTHS[rankWithin(free)];
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
