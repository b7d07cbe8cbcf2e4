/**
 * First in, first out: a chain of blocks (`_heap.ts`). A large item has a block of its own; small
 * ones lie one behind the other in segments, so that producers and consumers hardly ever meet.
 *
 * Words of the side that puts: LAST is the last block. If it is a segment that items are still
 * added to, OPEN is where the next item goes, and OPEN_END where the segment ends; else both are 0.
 *
 * Words of the side that takes: ORDER is the first block. If it is a segment, NEXT is its first
 * item that was not taken; else NEXT is 0.
 *
 * The word A of a segment says where its items end: at the end of its block, until the segment is
 * closed.
 *
 * An item in a segment is a header of two words, and the words that it is encoded in, rounded up to
 * an even number. The header says how many words these are and at which byte the item's externs
 * begin; or it is INT, and the whole number itself.
 *
 * Invariants
 * 1. While a segment is open, only the holder of the latch for puts writes from OPEN on, and only
 *    the holder of the latch for takes reads before it: items are counted only after they are
 *    written (`_state.ts`), and nobody reads one that is not counted.
 * 2. Blocks come and go, and segments are opened and closed, with both latches held. So NEXT meets
 *    A only where the segment is closed, or filled up; the next item, if there is one, is in the
 *    next block then.
 * 3. A segment that is used up is given back by the next put or take that needs both latches. A
 *    segment that is open and has nothing left in it stays.
 * 4. The words of the chain are written after all calls that a step makes, as any call fails where
 *    the stack overflows. So OPEN moves once the items before it are counted: an item that is
 *    written but not counted is written over.
 *
 * @module
 */

import { QUEUE, WORD_BYTES } from "../_memory/layout.ts";
import { type Batch, FORM } from "./_batch.ts";
import { BLOCK, evenly, formOf, type Heap } from "./_heap.ts";
import type { Order } from "./_order.ts";

const { LAST, OPEN, OPEN_END, NEXT } = QUEUE;
const FIRST = QUEUE.ORDER;

/** An item's header. */
export const ITEM = { SIZE: 0, EXTERNS: 1, NUMBER: 1, HEADER: 2 } as const;

/** SIZE of a whole number, behind whose header are no words. */
const INT = -1;

/** Words of a segment, where the queue has memory for at least LEAST_COUNT of them. */
const LONGEST = 1 << 10;
/** Items that take more than this fraction of a segment have blocks of their own. */
const PART = 1 / 4;
/** How many segments a queue has memory for, at the least. */
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
      // The open segment is closed: nothing more is added to it.
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
  trim: () => false,
};

/** What NEXT is when the chain begins with this block, or is empty (0). */
function firstItemOf(words: Int32Array, block: number): number {
  const isSegment = block !== 0 && formOf(words, block) === FORM.SEGMENT;
  return isSegment ? block + BLOCK.HEADER : 0;
}

/** The small items of a first-in, first-out queue. */
export class Segments {
  readonly #heap: Heap;
  /** Words of each segment. */
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
   * @param at Where: OPEN, or behind what was written from there on.
   * @returns The index behind it, which becomes OPEN once the number is counted; 0 when there is no
   * open segment with room for it.
   */
  writeInt(value: number, at: number): number {
    const { words } = this.#heap;
    const end = at + ITEM.HEADER;
    if (end > words[OPEN_END]) return 0;
    words[at + ITEM.SIZE] = INT;
    words[at + ITEM.NUMBER] = value;
    return end;
  }

  /**
   * Writes an item into the open segment, as `writeInt` does a number; returns 0 when the item is
   * large, or there is no open segment with room for it.
   */
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
   * Takes the first item, if it is in a segment that is not used up; else false. The batch must
   * have room for it.
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

  /** Opens a segment, if the item is small; false when it is large, or there is no memory. */
  open(items: Batch, at: number): boolean {
    const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
    if (ITEM.HEADER + size > this.#length * PART) return false;
    const heap = this.#heap;
    const block = heap.allocate(this.#length);
    if (block === 0) return false;
    const { words } = heap;
    words[block + BLOCK.META] |= FORM.SEGMENT;
    words[block + BLOCK.A] = block + this.#length;
    FIRST_IN_FIRST_OUT.push(heap, block, items, at);
    words[OPEN] = block + BLOCK.HEADER;
    words[OPEN_END] = block + this.#length;
    return true;
  }

  /**
   * Gives back the segments at the front that are used up: one, and any that was closed before it
   * had an item.
   */
  drop(): void {
    const heap = this.#heap;
    const { words } = heap;
    for (;;) {
      const block = words[FIRST];
      const at = words[NEXT];
      if (at === 0 || at !== words[block + BLOCK.A]) return;
      FIRST_IN_FIRST_OUT.pop(heap);
      heap.free(block);
    }
  }

  /**
   * Discards the first item, if it is in a segment; false if not. Call only when there is an item.
   */
  discard(): boolean {
    const { words } = this.#heap;
    const at = words[NEXT];
    if (at === 0) return false;
    words[NEXT] = at + ITEM.HEADER + evenly(words[at + ITEM.SIZE]); // evenly(INT) is 0.
    return true;
  }
}
