/**
 * The order in which a queue gives its items: first in first out, or last in first out; smallest first is in
 * `_priority_order.ts`. Call everything with the queue's latch held.
 *
 * @module
 */

import { QUEUE } from "../_memory/layout.ts";
import type { Batch } from "./_batch.ts";
import { BLOCK, type Heap } from "./_heap.ts";

/** An order of items. */
export interface Order {
  /** Whether it needs the items' keys. */
  readonly sorts: boolean;
  /** Words that each block has for the order, between its header and the item. */
  readonly extraWords: number;
  /** Words that the order needs for itself, at the least. */
  readonly ownWords: number;
  /**
   * Sees to it that an item can be added; false when there is no memory for it.
   *
   * @throws {TypeError} When it cannot be sorted.
   */
  prepare(heap: Heap, items: Batch, at: number): boolean;
  /** Adds the block of an item; it is prepared. */
  push(heap: Heap, block: number, items: Batch, at: number): void;
  /** Takes the block that comes first out; there is one. */
  pop(heap: Heap): number;
}

/** An order of items that does not look at them. */
export interface Chain extends Order {
  readonly sorts: false;
  /** See {@linkcode Order}. */
  push(heap: Heap, block: number): void;
}

/** True for a {@linkcode Chain}. */
export function isChain(order: Order): order is Chain {
  return !order.sorts;
}

const HEAD = QUEUE.ORDER;
const TAIL = QUEUE.ORDER + 1;

/** The block that a chain begins with; 0 when it is empty. */
export function firstOf({ words }: Heap): number {
  return words[HEAD];
}

/** First in, first out: blocks in a chain, from HEAD to TAIL. */
export const FIRST_IN_FIRST_OUT: Chain = {
  sorts: false,
  extraWords: 0,
  ownWords: 0,
  prepare: () => true,
  push: ({ words }, block) => {
    const last = words[TAIL];
    words[block + BLOCK.NEXT] = 0;
    if (last === 0) words[HEAD] = block;
    else words[last + BLOCK.NEXT] = block;
    words[TAIL] = block;
  },
  pop: ({ words }) => {
    const block = words[HEAD];
    const next = words[block + BLOCK.NEXT];
    words[HEAD] = next;
    if (next === 0) words[TAIL] = 0;
    return block;
  },
};

/** Last in, first out: blocks in a chain, from HEAD. */
export const LAST_IN_FIRST_OUT: Chain = {
  sorts: false,
  extraWords: 0,
  ownWords: 0,
  prepare: () => true,
  push: ({ words }, block) => {
    words[block + BLOCK.NEXT] = words[HEAD];
    words[HEAD] = block;
  },
  pop: ({ words }) => {
    const block = words[HEAD];
    words[HEAD] = words[block + BLOCK.NEXT];
    return block;
  },
};
