/**
 * Items on their way: encoded before a latch of the queue is taken, decoded after it was given
 * back. The items of one batch are put or taken in one hold of the latch, however many they are.
 *
 * @module
 */

import { Decoder } from "../_memory/decoder.ts";
import { Encoder } from "../_memory/encoder.ts";
import { takeSpilled } from "../_memory/message.ts";
import { NotShareableError } from "../sync/errors.ts";
import { evenly } from "./_heap.ts";
import type { PriorityKey } from "./_keys.ts";

/** Items that a batch has room for. */
export const MOST_ITEMS = 128;
/** Words that the small items of a batch may have together; large items are kept apart. */
const MOST_WORDS = 1 << 13;
/**
 * Words of an item that is copied while a latch is held; larger ones are read and written in place.
 */
export const SMALL_WORDS = 1 << 10;

/** How an item is kept, and what a block holds; 0 stands for a free block (`_heap.ts`). */
export const FORM = {
  /** A whole number of 32 bits, kept as it is. */
  INT: 1,
  /** Encoded. */
  WORDS: 2,
  /** Small items, one behind the other. */
  SEGMENT: 3,
  /** What an order keeps for itself. */
  ORDER: 4,
} as const;

const encoder = itemEncoder();
const decoder = new Decoder();

function itemEncoder(): Encoder {
  const encoder = new Encoder();
  encoder.allowsUnmoved = true; // It is refused as all extras are, see `#encode`.
  return encoder;
}

/** True for numbers that are kept as they are, unencoded: whole numbers of 32 bits, but not -0. */
export function isInt(item: unknown): item is number {
  return typeof item === "number" && (item | 0) === item && (item !== 0 || 1 / item > 0);
}

/** Items, in words of this thread's own. */
export class Batch {
  count = 0;
  /** Of each item, its form. */
  readonly forms: Uint8Array;
  /** Of each item, the number itself, or how many words it has. */
  readonly sizes: Int32Array;
  /** Of each item, the index of its first word. */
  readonly starts: Int32Array;
  /** Of each item, the byte at which its externs begin, counted from its first word. */
  readonly externs: Int32Array;
  /** Words of the small items. */
  readonly words: Int32Array;
  /** Words of the large ones, by item. */
  readonly large: (Int32Array | undefined)[] = [];
  /** What the items are sorted by, in a queue that sorts. */
  readonly keys: PriorityKey[] = [];
  /** The keys, encoded; `undefined` where each item is its own key. */
  encodedKeys: Batch | undefined;
  /** The batch of encoded keys from last time, kept so as not to allocate one each time. */
  #spareKeys: Batch | undefined;
  readonly #bytes: Uint8Array;
  #used = 0;

  /**
   * @param items How many items there may be.
   * @param words How many words they may have together.
   */
  constructor(items = MOST_ITEMS, words = MOST_WORDS) {
    this.forms = new Uint8Array(items);
    this.sizes = new Int32Array(items);
    this.starts = new Int32Array(items);
    this.externs = new Int32Array(items);
    this.words = new Int32Array(words);
    this.#bytes = new Uint8Array(this.words.buffer);
  }

  /** Empties the batch. */
  clear(): void {
    this.count = 0;
    this.#used = 0;
    if (this.large.length > 0) this.large.length = 0;
    if (this.held.length > 0) this.held.length = 0;
    if (this.keys.length > 0) this.keys.length = 0;
    this.encodedKeys = undefined;
  }

  /** Adds the key of the item that is added next; false when there is no room for it. */
  addKey(act: string, key: PriorityKey): boolean {
    if (this.encodedKeys === undefined) {
      this.encodedKeys = this.#spareKeys ??= new Batch();
      this.encodedKeys.clear();
    }
    // It is one too many if the last item had no room.
    this.encodedKeys.count = this.count;
    // Numbers need no words.
    return this.encodedKeys.add(act, typeof key === "number" ? 0 : key);
  }

  // Items to be put

  /**
   * Adds an item; false when there is no room for it.
   *
   * @throws {DOMException} "DataCloneError" when something in it cannot be cloned.
   * @throws {NotShareableError} When something in it can be sent by a message only.
   */
  add(act: string, item: unknown): boolean {
    const at = this.count;
    if (at === this.forms.length) return false;
    this.starts[at] = this.#used;
    this.externs[at] = 0;
    if (isInt(item)) {
      this.forms[at] = FORM.INT;
      this.sizes[at] = item;
    } else {
      if (this.#used + SMALL_WORDS > this.words.length && this.#used > 0) return false;
      this.forms[at] = FORM.WORDS;
      this.#encode(act, item, at);
    }
    this.count = at + 1;
    return true;
  }

  #encode(act: string, item: unknown, at: number): void {
    // A getter in an item may put another one.
    const writer = encoder.busy ? itemEncoder() : encoder;
    const start = this.#used;
    const end = writer.encode(item, this.words, this.#bytes, start, start + SMALL_WORDS);
    if (end >= 0) {
      this.sizes[at] = end - start;
      this.#used = end;
      return;
    }
    if (writer.extras.length > 0) {
      const culprit = writer.handles > 0 ? writer.handleKind : nameOf(writer.extras[0]);
      writer.reset();
      throw new NotShareableError(
        `Cannot ${act}: ${withArticle(culprit)} goes to another thread by a message only; ` +
          `send it as an argument of a task`,
      );
    }
    const { block, externBase } = takeSpilled(writer);
    this.large[at] = new Int32Array(block);
    this.sizes[at] = block.byteLength / Int32Array.BYTES_PER_ELEMENT;
    this.externs[at] = externBase;
  }

  /**
   * A copy of the items from `first` on, which is kept while they wait for room, so that this batch
   * can be used again.
   */
  from(first: number): Batch {
    const copy = new Batch(this.count - first, this.#used);
    copy.words.set(this.words.subarray(0, this.#used));
    for (let i = first; i < this.count; i++) {
      copy.forms[i - first] = this.forms[i];
      copy.sizes[i - first] = this.sizes[i];
      copy.starts[i - first] = this.starts[i];
      copy.externs[i - first] = this.externs[i];
      copy.large[i - first] = this.large[i];
      if (i < this.keys.length) copy.keys.push(this.keys[i]);
    }
    copy.count = this.count - first;
    copy.encodedKeys = this.encodedKeys?.from(first);
    return copy;
  }

  /** Copies the words of an item to shared memory. */
  copyWords(at: number, words: Int32Array, start: number): void {
    const large = this.large[at];
    if (large !== undefined) {
      words.set(large, start);
      return;
    }
    const from = this.starts[at];
    const size = this.sizes[at];
    for (let i = 0; i < size; i++) words[start + i] = this.words[from + i];
  }

  // Items taken

  /** Blocks of large items, by item; these are read where they lie. */
  readonly held: number[] = [];

  /** True when there is room for any small item. */
  get hasRoom(): boolean {
    return this.count < this.forms.length && this.#used + SMALL_WORDS < this.words.length;
  }

  /** Takes in the block of a large item, which will be read in place. */
  takeHeld(block: number): void {
    this.held[this.count++] = block;
  }

  /** Takes in a number. */
  takeInt(value: number): void {
    this.forms[this.count] = FORM.INT;
    this.sizes[this.count++] = value;
  }

  /** Takes in the words of an item; the batch must have room for them. */
  takeWords(words: Int32Array, from: number, size: number, externs: number): void {
    const at = this.count++;
    const start = evenly(this.#used);
    this.forms[at] = FORM.WORDS;
    this.starts[at] = start;
    this.externs[at] = externs;
    for (let i = 0; i < size; i++) this.words[start + i] = words[from + i];
    this.#used = start + size;
  }

  /** The value of an item that was taken in. */
  valueOf(at: number): unknown {
    if (this.forms[at] === FORM.INT) return this.sizes[at];
    const start = this.starts[at];
    const externBase = start * Int32Array.BYTES_PER_ELEMENT + this.externs[at];
    return decoder.decode(this.words, this.#bytes, start, externBase);
  }
}

/** The value of an item where it lies in shared memory. */
export function readInPlace(
  words: Int32Array,
  bytes: Uint8Array,
  start: number,
  externs: number,
): unknown {
  return decoder.decode(words, bytes, start, start * Int32Array.BYTES_PER_ELEMENT + externs);
}

function nameOf(value: unknown): string {
  return (value as { constructor?: { name?: string } } | null)?.constructor?.name ?? typeof value;
}

function withArticle(name: string): string {
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}
