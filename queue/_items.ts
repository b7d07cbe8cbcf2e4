/**
 * The items of a queue, in blocks of its memory (`_heap.ts`), linked by its order (`_order.ts`). Call everything with the queue's
 * latch held, but for reading what was taken.
 *
 * Word COUNT: items in the queue. Word HELD: blocks of large items that were taken, and are being read where they lie.
 *
 * A block has its form and size in META, and in A the number itself, or how many words the item has, which begin behind the header
 * and the order's own words. In B is the byte at which the item's externs begin. Behind the item, at an even word, lies
 * its key, where that is apart and no number.
 *
 * @module
 */

import { QUEUE } from "../_memory/layout.ts";
import { type Batch, FORM, readInPlace, SMALL_WORDS } from "./_batch.ts";
import { BLOCK, Heap, SIZE_BITS } from "./_heap.ts";
import { type Chain, firstOf, isChain, type Order } from "./_order.ts";

/** The items of a queue, as one thread sees them. */
export class StoredItems {
  /** Words that the largest item may have. */
  readonly mostWords: number;
  readonly #heap: Heap;
  readonly #control: Int32Array;
  readonly #order: Order;
  /** The same, if it is a chain. */
  readonly #chain: Chain | undefined;

  constructor(buffer: SharedArrayBuffer, control: Int32Array, order: Order) {
    this.#heap = new Heap(buffer);
    this.#control = control;
    this.#order = order;
    this.#chain = isChain(order) ? order : undefined;
    this.mostWords = this.#heap.largestBeside(order.ownWords) - BLOCK.HEADER - order.extraWords;
  }

  /** Bytes that they may take. */
  get capacityBytes(): number {
    return this.#heap.buffer.maxByteLength;
  }

  /** Has the views reach as far as any item. Call whenever the latch was taken. */
  sync(): void {
    this.#heap.sync();
  }

  /** Stores an item; false when there is no memory for it. */
  store(items: Batch, at: number): boolean {
    const control = this.#control;
    const heap = this.#heap;
    const order = this.#order;
    const count = control[QUEUE.COUNT];
    const size = BLOCK.HEADER + order.extraWords + sizeOf(items, at);
    let block = order.prepare(heap, items, at) ? heap.allocate(size) : 0;
    if (block === 0) {
      if (count > 0 || control[QUEUE.HELD] > 0) return false;
      // Nothing is in use: memory that went to items of other sizes can be had again.
      heap.reset();
      control[QUEUE.ORDER] = control[QUEUE.ORDER + 1] = 0;
      block = order.prepare(heap, items, at) ? heap.allocate(size) : 0;
      if (block === 0) return false;
    }
    this.#write(block, items, at);
    order.push(heap, block, items, at);
    control[QUEUE.COUNT] = count + 1;
    return true;
  }

  /** Stores a whole number in a chain, if there is a block at hand for it. */
  storeInt(value: number): boolean {
    const heap = this.#heap;
    const block = heap.takeSmallest();
    if (block === 0) return false;
    heap.words[block + BLOCK.A] = value; // META says INT: a block at hand has no form.
    this.#chain!.push(heap, block);
    this.#control[QUEUE.COUNT]++;
    return true;
  }

  #write(block: number, items: Batch, at: number): void {
    const { words } = this.#heap;
    const form = items.forms[at];
    words[block + BLOCK.META] |= form << SIZE_BITS;
    words[block + BLOCK.A] = items.sizes[at];
    words[block + BLOCK.B] = items.externs[at];
    const start = block + BLOCK.HEADER + this.#order.extraWords;
    let size = 0;
    if (form !== FORM.INT) {
      copyWords(items, at, words, start);
      size = items.sizes[at];
    }
    const { encodedKeys } = items;
    if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return;
    copyWords(encodedKeys, at, words, start + ((size + 1) & ~1));
  }

  /** Takes the item out that comes first; there is one. A large one stays where it is, until it is read. */
  take(into: Batch): void {
    const { words } = this.#heap;
    const block = this.#pop();
    if (formOf(words, block) === FORM.INT) {
      into.takeInt(words[block + BLOCK.A]);
    } else if (words[block + BLOCK.A] <= SMALL_WORDS) {
      const start = block + BLOCK.HEADER + this.#order.extraWords;
      into.takeWords(words, start, words[block + BLOCK.A], words[block + BLOCK.B]);
    } else {
      this.#control[QUEUE.HELD]++;
      into.takeHeld(block);
      return;
    }
    this.#heap.free(block);
  }

  /** Takes the item out that comes first, if it is a whole number in a chain; there is one. */
  takeInt(): number | undefined {
    if (this.#chain === undefined) return undefined;
    const { words } = this.#heap;
    if (formOf(words, firstOf(this.#heap)) !== FORM.INT) return undefined;
    const block = this.#pop();
    const value = words[block + BLOCK.A];
    this.#heap.free(block);
    return value;
  }

  /** Discards the item that comes first; there is one. */
  discard(): void {
    this.#heap.free(this.#pop());
  }

  #pop(): number {
    const block = this.#order.pop(this.#heap);
    this.#control[QUEUE.COUNT]--;
    return block;
  }

  /** The value of an item that was taken. Without the latch. */
  valueOf(items: Batch, at: number): unknown {
    const block = items.held[at];
    if (block === undefined) return items.valueOf(at);
    const { words, bytes } = this.#heap;
    const start = block + BLOCK.HEADER + this.#order.extraWords;
    return readInPlace(words, bytes, start, words[block + BLOCK.B]);
  }

  /** Gives back the memory of large items that were read. */
  freeHeld(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (block === undefined) continue;
      this.#heap.free(block);
      this.#control[QUEUE.HELD]--;
    }
  }
}

function formOf(words: Int32Array, block: number): number {
  return words[block + BLOCK.META] >> SIZE_BITS;
}

/** Words of an item, and of its key where that is apart. */
export function sizeOf(items: Batch, at: number): number {
  const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
  const { encodedKeys } = items;
  if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return size;
  return ((size + 1) & ~1) + encodedKeys.sizes[at];
}

/** Copies the words of an item of a batch. */
function copyWords(items: Batch, at: number, words: Int32Array, start: number): void {
  const large = items.large[at];
  if (large !== undefined) {
    words.set(large, start);
    return;
  }
  const from = items.starts[at];
  const size = items.sizes[at];
  for (let i = 0; i < size; i++) words[start + i] = items.words[from + i];
}
