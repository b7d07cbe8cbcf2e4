/**
 * The order in which a queue gives its items. Last in, first out is here; first in, first out in
 * `_segments.ts`; smallest first in `_priority_order.ts`. Call everything with both latches of the
 * queue held.
 *
 * @module
 */

import { QUEUE } from "../_memory/layout.ts";
import type { Batch } from "./_batch.ts";
import { BLOCK, type Heap } from "./_heap.ts";

/** An order of items, each in a block of its own. */
export interface Order {
  /** Whether it needs the items' keys. */
  readonly sorts: boolean;
  /** Words that each block has for the order, between its header and the item. */
  readonly extraWords: number;
  /** Words that the order needs for itself, at the least. */
  readonly ownWords: number;
  /**
   * Makes sure that an item can be added; false when there is no memory for it.
   *
   * @throws {TypeError} When it cannot be sorted.
   */
  prepare(heap: Heap, items: Batch, at: number): boolean;
  /** Adds the block of an item; call after `prepare`. */
  push(heap: Heap, block: number, items: Batch, at: number): void;
  /** The block that comes first; call only when there is one. */
  first(heap: Heap): number;
  /** Takes the first block out. Changes nothing if it fails. */
  pop(heap: Heap): void;
  /**
   * Gives back memory that the order keeps for more items than there are; false if it has none.
   */
  trim(heap: Heap): boolean;
}

const HEAD = QUEUE.ORDER;

/** Last in, first out: blocks in a chain, from HEAD. */
export const LAST_IN_FIRST_OUT: Order = {
  sorts: false,
  extraWords: 0,
  ownWords: 0,
  prepare: () => true,
  push: ({ words }, block) => {
    words[block + BLOCK.NEXT] = words[HEAD];
    words[HEAD] = block;
  },
  first: ({ words }) => words[HEAD],
  pop: ({ words }) => {
    words[HEAD] = words[words[HEAD] + BLOCK.NEXT];
  },
  trim: () => false,
};
