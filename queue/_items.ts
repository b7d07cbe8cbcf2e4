/**
 * The items of a queue, in blocks of its memory (`_heap.ts`), linked by its order (`_order.ts`);
 * small items of a first-in, first-out queue are in segments (`_segments.ts`). Call everything with
 * both latches of the queue held, except where a comment says otherwise, and to read what was
 * taken.
 *
 * Words PUTS and TAKES: items ever put, and ever taken. Word HELD: blocks of large items that were
 * taken, and are being read where they lie.
 *
 * A block has its form and size in META. A is the number itself, or how many words the item has;
 * these begin behind the header and the order's own words. B is the byte at which the item's
 * externs begin. Behind the item, at an even word, lies its key, if the key is not the item itself
 * and not a number.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { QUEUE } from "../_memory/layout.ts";
import { type Batch, FORM, readInPlace, SMALL_WORDS } from "./_batch.ts";
import { BLOCK, evenly, formOf, Heap } from "./_heap.ts";
import type { Order } from "./_order.ts";
import { FIRST_IN_FIRST_OUT, Segments } from "./_segments.ts";

/**
 * How many items there are, by plain reads. Call with a latch held; with one only, the other side
 * may be changing the count.
 */
export function countOf(control: Int32Array): number {
  return (control[QUEUE.PUTS] - control[QUEUE.TAKES]) | 0;
}

/** The words that say where items are, cleared when all memory is free again. */
const CHAIN_WORDS = [
  QUEUE.ORDER,
  QUEUE.ORDER + 1,
  QUEUE.NEXT,
  QUEUE.LAST,
  QUEUE.OPEN,
  QUEUE.OPEN_END,
] as const;

/** The items of a queue, as one thread sees them. */
export class StoredItems {
  /** The most words that an item may have. */
  readonly mostWords: number;
  readonly #heap: Heap;
  readonly #control: Int32Array;
  readonly #order: Order;
  readonly #segments: Segments | undefined;

  constructor(buffer: SharedArrayBuffer, control: Int32Array, order: Order) {
    this.#heap = new Heap(buffer);
    this.#control = control;
    this.#order = order;
    this.#segments = order === FIRST_IN_FIRST_OUT ? new Segments(this.#heap) : undefined;
    this.mostWords = this.#heap.largestBeside(order.ownWords) - BLOCK.HEADER - order.extraWords;
  }

  /** Bytes that the items may take. */
  get capacityBytes(): number {
    return this.#heap.buffer.maxByteLength;
  }

  /** Makes the views reach as far as any item. Call whenever a latch was taken. */
  sync(): void {
    this.#heap.sync();
  }

  /** Whether small items are in segments; if not, everything is done with both latches. */
  get areSegmented(): boolean {
    return this.#segments !== undefined;
  }

  // With one latch

  /**
   * Adds items of a batch, up to the first that needs both latches; returns how many. Call with the
   * latch for puts held.
   */
  add(items: Batch, from: number): number {
    const segments = this.#segments;
    const end = Math.min(items.count, from + this.#room(items.count - from));
    let at = from;
    let open = this.#control[QUEUE.OPEN];
    while (at < end) {
      const next = segments?.write(items, at, open) ?? 0;
      if (next === 0) break;
      open = next;
      at++;
    }
    if (at > from) this.#havePut(at - from, open);
    return at - from;
  }

  /** Adds a whole number; false when that needs both latches. Call with the latch for puts held. */
  addInt(value: number): boolean {
    if (this.#room(1) < 1) return false;
    const open = this.#segments?.writeInt(value, this.#control[QUEUE.OPEN]) ?? 0;
    if (open === 0) return false;
    this.#havePut(1, open);
    return true;
  }

  /**
   * How many items there is room for; reads TAKES anew if the room known of is less than wanted.
   */
  #room(wanted: number): number {
    const control = this.#control;
    const end = (control[QUEUE.MAXSIZE] - control[QUEUE.PUTS]) | 0;
    const room = (end + control[QUEUE.TAKES_SEEN]) | 0;
    if (room >= wanted) return room;
    control[QUEUE.TAKES_SEEN] = load(control, QUEUE.TAKES);
    return (end + control[QUEUE.TAKES_SEEN]) | 0;
  }

  /** Counts items that were written into the open segment, up to `open`. */
  #havePut(count: number, open: number): void {
    const control = this.#control;
    // From here on, the side that takes sees the items.
    store(control, QUEUE.PUTS, (control[QUEUE.PUTS] + count) | 0);
    control[QUEUE.UNFINISHED] += count;
    control[QUEUE.OPEN] = open;
  }

  /**
   * Draws up to `count` items, which are there, up to the first that needs both latches; returns
   * how many. Call with the latch for takes held.
   */
  draw(into: Batch, count: number): number {
    const segments = this.#segments;
    let drawn = 0;
    while (drawn < count && into.hasRoom && segments?.take(into)) drawn++;
    this.#control[QUEUE.TAKES] += drawn;
    return drawn;
  }

  /**
   * Draws a whole number; `undefined` when the first item is no whole number, or drawing it needs
   * both latches. Call with the latch for takes held, when there is an item.
   */
  drawInt(): number | undefined {
    const value = this.#segments?.takeInt();
    if (value !== undefined) this.#control[QUEUE.TAKES]++;
    return value;
  }

  /**
   * How many items there are; reads PUTS anew if fewer are known of than wanted. Call with the
   * latch for takes held.
   */
  there(wanted: number): number {
    const control = this.#control;
    const takes = control[QUEUE.TAKES];
    const there = (control[QUEUE.PUTS_SEEN] - takes) | 0;
    if (there >= wanted) return there;
    control[QUEUE.PUTS_SEEN] = load(control, QUEUE.PUTS);
    return (control[QUEUE.PUTS_SEEN] - takes) | 0;
  }

  // With both latches

  /** Notes each side's count for the other side, so that no count last seen grows old. */
  look(): void {
    const control = this.#control;
    control[QUEUE.TAKES_SEEN] = control[QUEUE.TAKES];
    control[QUEUE.PUTS_SEEN] = control[QUEUE.PUTS];
  }

  /** Stores an item; false when there is no memory for it. */
  store(items: Batch, at: number): boolean {
    if (!this.#hold(items, at) && !(this.#makeRoom() && this.#hold(items, at))) return false;
    this.#control[QUEUE.PUTS]++;
    return true;
  }

  /** Gives back memory that the items in the queue do not need; false if there was none. */
  #makeRoom(): boolean {
    const control = this.#control;
    if (countOf(control) > 0 || control[QUEUE.HELD] > 0) return this.#order.trim(this.#heap);
    this.#heap.reset();
    for (const word of CHAIN_WORDS) control[word] = 0;
    return true;
  }

  #hold(items: Batch, at: number): boolean {
    const heap = this.#heap;
    const order = this.#order;
    const segments = this.#segments;
    if (segments !== undefined) {
      if (this.#append(segments, items, at)) return true;
      segments.drop();
      if (segments.open(items, at)) return this.#append(segments, items, at);
    }
    if (!order.prepare(heap, items, at)) return false;
    const block = heap.allocate(BLOCK.HEADER + order.extraWords + sizeOf(items, at));
    if (block === 0) return false;
    this.#write(block, items, at);
    order.push(heap, block, items, at);
    return true;
  }

  #append(segments: Segments, items: Batch, at: number): boolean {
    const end = segments.write(items, at, this.#control[QUEUE.OPEN]);
    if (end === 0) return false;
    this.#control[QUEUE.OPEN] = end;
    return true;
  }

  #write(block: number, items: Batch, at: number): void {
    const { words } = this.#heap;
    const form = items.forms[at];
    words[block + BLOCK.META] |= form;
    words[block + BLOCK.A] = items.sizes[at];
    words[block + BLOCK.B] = items.externs[at];
    const start = block + BLOCK.HEADER + this.#order.extraWords;
    let size = 0;
    if (form !== FORM.INT) {
      items.copyWords(at, words, start);
      size = items.sizes[at];
    }
    const { encodedKeys } = items;
    if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return;
    encodedKeys.copyWords(at, words, start + evenly(size));
  }

  /**
   * Takes the first item out; call only when there is one. A large one stays where it is until it
   * is read.
   */
  take(into: Batch): void {
    this.#segments?.drop();
    if (this.#segments?.take(into)) this.#control[QUEUE.TAKES]++;
    else this.#takeBlock(into);
  }

  #takeBlock(into: Batch): void {
    const heap = this.#heap;
    const order = this.#order;
    const control = this.#control;
    const { words } = heap;
    const block = order.first(heap);
    const isInt = formOf(words, block) === FORM.INT;
    const isLarge = !isInt && words[block + BLOCK.A] > SMALL_WORDS;
    if (isInt) into.takeInt(words[block + BLOCK.A]);
    else if (isLarge) into.takeHeld(block);
    else {
      const start = block + BLOCK.HEADER + order.extraWords;
      into.takeWords(words, start, words[block + BLOCK.A], words[block + BLOCK.B]);
    }
    order.pop(heap);
    control[QUEUE.TAKES]++;
    if (isLarge) control[QUEUE.HELD]++;
    else heap.free(block);
  }

  /** Discards the first item; call only when there is one. */
  discard(): void {
    this.#segments?.drop();
    if (this.#segments?.discard()) {
      this.#control[QUEUE.TAKES]++;
      return;
    }
    const block = this.#order.first(this.#heap);
    this.#order.pop(this.#heap);
    this.#control[QUEUE.TAKES]++;
    this.#heap.free(block);
  }

  /** The value of an item that was taken. Needs no latch. */
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

/** Words of an item, and of its key if that is not the item itself. */
export function sizeOf(items: Batch, at: number): number {
  const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
  const { encodedKeys } = items;
  if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return size;
  return evenly(size) + encodedKeys.sizes[at];
}
