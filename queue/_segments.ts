/**
 * First in, first out: a chain of blocks (`_heap.ts`). A large item has a block of its own; small
 * ones lie one behind the other in segments, so that who puts and who takes hardly ever meet.
 *
 * Words of those who put: LAST is the last block. If it is a segment that items are still added to,
 * OPEN is where the next one goes, and OPEN_END where the segment ends; else both are 0. Words of
 * those who take: ORDER is the first block. If it is a segment, NEXT is its first item that was not
 * taken; else 0. A of a segment is where its items end: at the end of its block, until it is
 * closed.
 *
 * An item in a segment is a header of two words, and the words that it is encoded in, to an even
 * number. The header says how many they are and at which byte its externs begin; or INT, and the
 * whole number itself.
 *
 * Invariants
 * 1. While a segment is open, only who has the latch for puts writes behind OPEN, and only who has
 *    the latch for takes reads before it: items are counted once they are there (`_state.ts`), and
 *    nobody reads one that is not.
 * 2. Blocks come and go, and segments are opened and closed, with both latches held. So NEXT meets
 *    A only where the segment is closed, or filled up; the next item, if there is one, is in the
 *    next block then.
 * 3. A segment that is used up is given back by the next one who needs both latches to put or to
 *    take. One that has nothing left in it and is open stays.
 * 4. The words of the chain are written after all calls that it takes, as a call fails where the
 *    stack ends. So OPEN moves once the items before it are counted: one that is written and not
 *    counted is written over.
 *
 * @module
 */

import { QUEUE, WORD_BYTES } from "../_memory/layout.ts";
import { type Batch, FORM } from "./_batch.ts";
import { BLOCK, evenly, formOf, type Heap, SIZE_BITS } from "./_heap.ts";
import type { Order } from "./_order.ts";

const { LAST, OPEN, OPEN_END, NEXT } = QUEUE;
const FIRST = QUEUE.ORDER;

/** An item's header. */
export const ITEM = { SIZE: 0, EXTERNS: 1, NUMBER: 1, HEADER: 2 } as const;

/** SIZE of a whole number, behind whose header are no words. */
const INT = -1;

/** Words of a segment, where the queue has memory for many. */
const LONGEST = 1 << 10;
/** Items that take more than this part of a segment have blocks of their own. */
const PART = 1 / 4;
/** So many segments a queue has memory for, at the least. */
const LEAST_COUNT = 8;

/** The chain of blocks. Call everything with both latches held. */
export const FIRST_IN_FIRST_OUT: Order = {
  sorts: false,
  extraWords: 0,
  ownWords: 0,
  prepare: () => true,
  push: (heap, block) => {
    const { words } = heap;
    const item = firstItemOf(words, block);
    const last = words[LAST];
    if (words[OPEN] !== 0) {
      // Nothing more is added to it.
      words[last + BLOCK.A] = words[OPEN];
      words[OPEN] = words[OPEN_END] = 0;
    }
    words[block + BLOCK.NEXT] = 0;
    words[LAST] = block;
    if (last === 0) {
      words[FIRST] = block;
      words[NEXT] = item;
    } else words[last + BLOCK.NEXT] = block;
  },
  first: ({ words }) => words[FIRST],
  pop: ({ words }) => {
    const next = words[words[FIRST] + BLOCK.NEXT];
    const item = firstItemOf(words, next);
    if (next === 0) words[LAST] = words[OPEN] = words[OPEN_END] = 0;
    words[FIRST] = next;
    words[NEXT] = item;
  },
};

/** What NEXT is where the chain begins with that block, 0 for none. */
function firstItemOf(words: Int32Array, block: number): number {
  const isSegment = block !== 0 && formOf(words, block) === FORM.SEGMENT;
  return isSegment ? block + BLOCK.HEADER : 0;
}

/** The small items of a queue that gives them first in first out. */
export class Segments {
  readonly #heap: Heap;
  /** Words of each. */
  readonly #length: number;

  constructor(heap: Heap) {
    this.#heap = heap;
    const words = heap.buffer.maxByteLength / WORD_BYTES - QUEUE.SIZE;
    this.#length = Math.min(LONGEST, 1 << (31 - Math.clz32(words / LEAST_COUNT)));
  }

  // With the latch for puts

  /**
   * Writes a whole number into the open segment.
   *
   * @param at Where: OPEN, or behind what was written there since.
   * @returns The index behind it, which OPEN is to be once it is counted; 0 when there is no open
   * segment with room for it.
   */
  writeInt(value: number, at: number): number {
    const { words } = this.#heap;
    const end = at + ITEM.HEADER;
    if (end > words[OPEN_END]) return 0;
    words[at + ITEM.SIZE] = INT;
    words[at + ITEM.NUMBER] = value;
    return end;
  }

  /** The same for an item; 0 when it is large, or there is no open segment with room for it. */
  write(items: Batch, index: number, at: number): number {
    const size = items.sizes[index];
    if (items.forms[index] === FORM.INT) return this.writeInt(size, at);
    if (items.large[index] !== undefined) return 0;
    const { words } = this.#heap;
    const start = at + ITEM.HEADER;
    const end = start + evenly(size);
    if (end > words[OPEN_END]) return 0;
    words[at + ITEM.SIZE] = size;
    words[at + ITEM.EXTERNS] = items.externs[index];
    items.copyWords(index, words, start);
    return end;
  }

  // With the latch for takes, when there is an item

  /** Takes the first item, if it is a whole number in a segment. */
  takeInt(): number | undefined {
    const { words } = this.#heap;
    const at = words[NEXT];
    if (at === 0 || at === words[words[FIRST] + BLOCK.A]) return undefined;
    if (words[at + ITEM.SIZE] !== INT) return undefined;
    words[NEXT] = at + ITEM.HEADER;
    return words[at + ITEM.NUMBER];
  }

  /**
   * Takes the first item, if it is in a segment that is not used up; else false. There is room for
   * it in the batch.
   */
  take(into: Batch): boolean {
    const { words } = this.#heap;
    const at = words[NEXT];
    if (at === 0 || at === words[words[FIRST] + BLOCK.A]) return false;
    const size = words[at + ITEM.SIZE];
    const start = at + ITEM.HEADER;
    if (size === INT) {
      into.takeInt(words[at + ITEM.NUMBER]);
      words[NEXT] = start;
    } else {
      into.takeWords(words, start, size, words[at + ITEM.EXTERNS]);
      words[NEXT] = start + evenly(size);
    }
    return true;
  }

  // With both latches

  /** Opens a segment, if the item is small; false when it is not, or there is no memory. */
  open(items: Batch, at: number): boolean {
    const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
    if (ITEM.HEADER + size > this.#length * PART) return false;
    const heap = this.#heap;
    const block = heap.allocate(this.#length);
    if (block === 0) return false;
    const { words } = heap;
    words[block + BLOCK.META] |= FORM.SEGMENT << SIZE_BITS;
    words[block + BLOCK.A] = block + this.#length;
    FIRST_IN_FIRST_OUT.push(heap, block, items, at);
    words[OPEN] = block + BLOCK.HEADER;
    words[OPEN_END] = block + this.#length;
    return true;
  }

  /** Gives back the first block, if it is a segment that is used up. */
  drop(): void {
    const heap = this.#heap;
    const { words } = heap;
    const at = words[NEXT];
    if (at === 0 || at !== words[words[FIRST] + BLOCK.A]) return;
    const block = words[FIRST];
    FIRST_IN_FIRST_OUT.pop(heap);
    heap.free(block);
  }

  /** Discards the first item, if it is in a segment; there is one. */
  discard(): boolean {
    const { words } = this.#heap;
    const at = words[NEXT];
    if (at === 0) return false;
    words[NEXT] = at + ITEM.HEADER + evenly(words[at + ITEM.SIZE]); // evenly(INT) is 0.
    return true;
  }
}
