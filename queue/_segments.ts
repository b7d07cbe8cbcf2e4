/**
 * First in, first out: a chain of blocks (`_heap.ts`). A large item has a block of its own; small ones lie one behind the other in
 * segments, so that who puts and who takes hardly ever meet.
 *
 * Words of those who put: LAST is the last block. If it is a segment that items are still added to, OPEN is where the next one goes,
 * and OPEN_END where the segment ends; else both are 0.
 * Words of those who take: ORDER is the first block. If it is a segment, NEXT is its first item that was not taken; else 0.
 * A of a segment is where its items end: at the end of its block, until it is closed.
 *
 * An item in a segment is a header of two words, and the words that it is encoded in, to an even number. The header says how many
 * they are and at which byte its externs begin; or INT, and the whole number itself.
 *
 * Invariants
 * 1. While a segment is open, only who has the latch for puts writes behind OPEN, and only who has the latch for takes reads before
 *    it: items are counted once they are there (`_state.ts`), and nobody reads one that is not.
 * 2. Blocks come and go, and segments are opened and closed, with both latches held. So NEXT meets A only where the segment
 *    is closed, or filled up; the next item, if there is one, is in the next block then.
 * 3. A segment that is used up is given back by the next one who needs both latches to put or to take. One that has nothing left
 *    in it and is open stays.
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
    close(words);
    const last = words[LAST];
    words[block + BLOCK.NEXT] = 0;
    words[LAST] = block;
    if (last === 0) enter(words, block);
    else words[last + BLOCK.NEXT] = block;
  },
  pop: ({ words }) => {
    const block = words[FIRST];
    const next = words[block + BLOCK.NEXT];
    if (next === 0) words[LAST] = words[OPEN] = words[OPEN_END] = 0;
    enter(words, next);
    return block;
  },
};

/** Has nothing added to the last block any more. */
function close(words: Int32Array): void {
  if (words[OPEN] === 0) return;
  words[words[LAST] + BLOCK.A] = words[OPEN];
  words[OPEN] = words[OPEN_END] = 0;
}

/** Has the chain begin with a block, 0 for none. */
function enter(words: Int32Array, block: number): void {
  words[FIRST] = block;
  const isSegment = block !== 0 && formOf(words, block) === FORM.SEGMENT;
  words[NEXT] = isSegment ? block + BLOCK.HEADER : 0;
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

  /** Adds a whole number; false when there is no open segment with room for it. */
  addInt(value: number): boolean {
    const { words } = this.#heap;
    const at = words[OPEN];
    const end = at + ITEM.HEADER;
    if (end > words[OPEN_END]) return false;
    words[at + ITEM.SIZE] = INT;
    words[at + ITEM.NUMBER] = value;
    words[OPEN] = end;
    return true;
  }

  /** Adds an item; false when it is large, or there is no open segment with room for it. */
  add(items: Batch, at: number): boolean {
    const size = items.sizes[at];
    if (items.forms[at] === FORM.INT) return this.addInt(size);
    if (items.large[at] !== undefined) return false;
    const { words } = this.#heap;
    const header = words[OPEN];
    const start = header + ITEM.HEADER;
    const end = start + evenly(size);
    if (end > words[OPEN_END]) return false;
    words[header + ITEM.SIZE] = size;
    words[header + ITEM.EXTERNS] = items.externs[at];
    items.copyWords(at, words, start);
    words[OPEN] = end;
    return true;
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

  /** Takes the first item, if it is in a segment that is not used up; else false. There is room for it in the batch. */
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
    if (at !== 0 && at === words[words[FIRST] + BLOCK.A]) heap.free(FIRST_IN_FIRST_OUT.pop(heap));
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
