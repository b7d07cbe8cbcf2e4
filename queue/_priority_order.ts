/**
 * Smallest first: a binary heap of blocks in shared memory. Call everything with both latches of
 * the queue held.
 *
 * Word HEAP: the block that holds the heap's array: the item at i sorts before those at 2i + 1 and
 * 2i + 2.
 * Word SEQUENCE: counts the items put, so that equal ones come out in the order in which they were
 * put. Before it would wrap, the items in the queue are numbered anew, as any of them may have been
 * there since the first number.
 *
 * Each item's block has four words more than in other orders: the item's number in that sequence,
 * and its key: either the key itself, if it is a number, or where in the block the encoded key is.
 *
 * Invariants
 * 1. The array has room for an item before the item is stored: adding it cannot fail halfway.
 * 2. All keys are compared before the array is changed, and nothing is called from then on:
 *    comparing may decode a key, which fails where the stack overflows.
 * 3. A key that Python could not compare with those that it meets on its way up is refused before
 *    anything is stored. Keys that never met, and cannot be compared, have an order all the same:
 *    taking an item out cannot fail.
 *
 * @module
 */

import { QUEUE } from "../_memory/layout.ts";
import { type Batch, FORM, readInPlace } from "./_batch.ts";
import { BLOCK, evenly, type Heap, lengthOf } from "./_heap.ts";
import { countOf } from "./_items.ts";
import { areComparable, compareKeys, type PriorityKey } from "./_keys.ts";
import type { Order } from "./_order.ts";

const HEAP = QUEUE.ORDER;
const SEQUENCE = QUEUE.ORDER + 1;

/** An item's words behind the header. */
const ORDINAL = BLOCK.HEADER;
const KEY_FORM = BLOCK.HEADER + 1;
/**
 * The number's two halves; or where the encoded key begins, in words from the block's start, and
 * where its externs begin, in bytes from the key's start.
 */
const KEY = BLOCK.HEADER + 2;
const EXTRA_WORDS = 4;

const NUMBER = 0;
const ENCODED = 1;

/** The last number that an item may have. */
const LAST = 2 ** 31 - 1;

const FIRST_CAPACITY = 60;

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** Smallest first; equal ones first in, first out. */
export const SMALLEST_FIRST: Order = {
  sorts: true,
  extraWords: EXTRA_WORDS,
  ownWords: BLOCK.HEADER + FIRST_CAPACITY,

  prepare(heap: Heap, items: Batch, at: number): boolean {
    const { words } = heap;
    const count = countOf(words);
    checkComparable(heap, items.keys[at], count);
    const array = words[HEAP];
    const capacity = array === 0 ? 0 : lengthOf(words, array) - BLOCK.HEADER;
    return count < capacity || enlarge(heap, array, count);
  },

  push(heap: Heap, block: number, items: Batch, at: number): void {
    const { words } = heap;
    const key = items.keys[at];
    if (words[SEQUENCE] === LAST) renumber(words);
    words[block + ORDINAL] = words[SEQUENCE]++;
    storeKey(words, block, items, at);
    const array = words[HEAP] + BLOCK.HEADER;
    const end = countOf(words);
    let place = end;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      // The new item stays behind its equals, as it came last.
      if (compareKeys(key, keyOf(heap, words[array + parent])) >= 0) break;
      place = parent;
    }
    for (let i = end; i > place;) {
      const parent = (i - 1) >> 1;
      words[array + i] = words[array + parent];
      i = parent;
    }
    words[array + place] = block;
  },

  first({ words }: Heap): number {
    return words[words[HEAP] + BLOCK.HEADER];
  },

  pop(heap: Heap): void {
    const { words } = heap;
    const array = words[HEAP] + BLOCK.HEADER;
    const last = countOf(words) - 1;
    const moved = words[array + last];
    const key = keyOf(heap, moved);
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= last) break;
      let childKey = keyOf(heap, words[array + child]);
      if (child + 1 < last) {
        const otherKey = keyOf(heap, words[array + child + 1]);
        if (isBefore(words, words[array + child + 1], otherKey, words[array + child], childKey)) {
          child++;
          childKey = otherKey;
        }
      }
      if (!isBefore(words, words[array + child], childKey, moved, key)) break;
      place = child;
    }
    // From there to the top, each takes its parent's place.
    let carried = moved;
    for (let i = place;; i = (i - 1) >> 1) {
      const here = words[array + i];
      words[array + i] = carried;
      carried = here;
      if (i === 0) return;
    }
  },

  trim(heap: Heap): boolean {
    const { words } = heap;
    const array = words[HEAP];
    return array !== 0 && heap.trim(array, arraySize(countOf(words)));
  },
};

function isBefore(
  words: Int32Array,
  block: number,
  key: PriorityKey,
  other: number,
  otherKey: PriorityKey,
): boolean {
  const order = compareKeys(key, otherKey);
  return order !== 0 ? order < 0 : words[block + ORDINAL] < words[other + ORDINAL];
}

/** Numbers the items anew from 0, in their order. */
function renumber(words: Int32Array): void {
  const array = words[HEAP] + BLOCK.HEADER;
  const blocks = words.slice(array, array + countOf(words));
  blocks.sort((a, b) => words[a + ORDINAL] - words[b + ORDINAL]);
  for (const [i, block] of blocks.entries()) words[block + ORDINAL] = i;
  words[SEQUENCE] = blocks.length;
}

/** Throws if the key cannot be compared with one that it would meet on its way up (Invariant 3). */
function checkComparable(heap: Heap, key: PriorityKey, count: number): void {
  const array = heap.words[HEAP] + BLOCK.HEADER;
  for (let i = count; i > 0;) {
    i = (i - 1) >> 1;
    const other = keyOf(heap, heap.words[array + i]);
    if (!areComparable(key, other)) {
      throw new TypeError(
        `Cannot put: priority ${show(key)} cannot be compared with ${
          show(other)
        }, which is in the queue`,
      );
    }
    if (compareKeys(key, other) >= 0) return;
  }
}

function show(key: PriorityKey): string {
  if (typeof key === "string") return `"${key}"`;
  return Array.isArray(key) ? `[${key.map(show).join(", ")}]` : String(key);
}

/** Words of an array that is allocated, or trimmed, for `count` items and as many again. */
function arraySize(count: number): number {
  return BLOCK.HEADER + Math.max(FIRST_CAPACITY, 2 * count + BLOCK.HEADER);
}

function enlarge(heap: Heap, array: number, count: number): boolean {
  const larger = heap.allocate(arraySize(count));
  if (larger === 0) return false;
  const { words } = heap;
  if (array !== 0) {
    const from = array + BLOCK.HEADER;
    words.copyWithin(larger + BLOCK.HEADER, from, from + count);
    heap.free(array);
  }
  words[larger + BLOCK.META] |= FORM.ORDER;
  words[HEAP] = larger;
  return true;
}

function storeKey(words: Int32Array, block: number, items: Batch, at: number): void {
  const key = items.keys[at];
  if (typeof key === "number") {
    double[0] = key;
    words[block + KEY_FORM] = NUMBER;
    words[block + KEY] = halves[0];
    words[block + KEY + 1] = halves[1];
    return;
  }
  words[block + KEY_FORM] = ENCODED;
  const start = BLOCK.HEADER + EXTRA_WORDS;
  const { encodedKeys } = items;
  if (encodedKeys === undefined) {
    words[block + KEY] = start;
    words[block + KEY + 1] = items.externs[at];
    return;
  }
  // The key lies behind the item, at an even word.
  const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
  words[block + KEY] = start + evenly(size);
  words[block + KEY + 1] = encodedKeys.externs[at];
}

function keyOf({ words, bytes }: Heap, block: number): PriorityKey {
  if (words[block + KEY_FORM] === NUMBER) {
    halves[0] = words[block + KEY];
    halves[1] = words[block + KEY + 1];
    return double[0];
  }
  const start = block + words[block + KEY];
  return readInPlace(words, bytes, start, words[block + KEY + 1]) as PriorityKey;
}
