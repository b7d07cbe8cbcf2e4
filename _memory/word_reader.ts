/**
 * Reads lengths, numbers, strings and lists of keys from words. `tags.ts` describes the layout;
 * `decoder.ts` uses this.
 *
 * Two tables make short strings and key lists cheap. Both are direct-mapped and of fixed size, and
 * compare all words, so a hit is certain; on a miss the string or list is built, and takes the
 * slot.
 *
 * @module
 */

import * as tags from "./tags.ts";

/** Strings of at most this many words are remembered. */
const CACHED_WORDS = 6;
/**
 * Words that a remembered string takes: its first word and its chars, rounded up to a power of two.
 */
const STRIDE = 8;
/** Number of strings remembered; a power of two. */
const STRINGS = 1024;
/** Number of key lists remembered; a power of two. */
const KEY_LISTS = 256;

/** A byte order mark is kept, as a character like any other. */
const TEXT_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const fromCharCode = String.fromCharCode;

/**
 * From this object of a key list on, objects are built by code made for the list. Compiling that
 * takes as long as building 500 objects.
 */
const SHAPED_FROM = 50;

/** Builds objects with the keys of one list. */
export interface Shape {
  /** An object with all keys, and no values. */
  make(): object;
  /** Gives it the values, in order, as `read` returns them. */
  fill(object: object, read: () => unknown): void;
}

/** A list of keys, and the words that encode it. */
export class KeyList {
  readonly hash: number;
  readonly block: Int32Array;
  readonly keys: readonly string[];
  /**
   * Whether objects inherit one of the keys: to assign it calls a setter, as that of `__proto__`,
   * or fails, where `Object.prototype` is frozen.
   */
  readonly isOdd: boolean;
  #uses = 0;
  #shape: Shape | undefined;

  constructor(hash: number, block: Int32Array, keys: readonly string[]) {
    this.hash = hash;
    this.block = block;
    this.keys = keys;
    this.isOdd = keys.some((key) => key in Object.prototype);
  }

  /**
   * The code that builds the next object; `undefined` for the first ones, and where code must not
   * be made.
   */
  nextShape(): Shape | undefined {
    if (this.#uses < SHAPED_FROM && ++this.#uses === SHAPED_FROM) {
      this.#shape = makeShape(this.keys);
    }
    return this.#shape;
  }
}

/**
 * Makes the code that builds objects with these keys. Its stores name the keys literally, which
 * takes a third of the time of a store under a key from a list.
 */
function makeShape(keys: readonly string[]): Shape | undefined {
  if (keys.includes("__proto__")) return undefined; // A literal would take it for the prototype.
  const names = keys.map((key) => JSON.stringify(key));
  const blank = names.map((name) => `${name}: undefined`).join(", ");
  const stores = names.map((name) => `object[${name}] = read();`).join(" ");
  try {
    return new Function(
      `"use strict"; return { make: () => ({ ${blank} }), fill(object, read) { ${stores} } };`,
    )();
  } catch {
    return undefined; // A page's Content-Security-Policy forbids it.
  }
}

/** Reads words, numbers, strings and lists of keys; `pos` is the index of the next word. */
export class WordReader {
  protected words: Int32Array = new Int32Array(0);
  protected bytes: Uint8Array = new Uint8Array(0);
  protected pos = 0;
  /**
   * How many entries all lists of this value may still have. Each takes a word of its own, also
   * those of a list in a list: otherwise lists that each count the words of those in them would
   * take memory in the square of what was sent.
   */
  protected entriesLeft = 0;

  readonly #stringWords = new Int32Array(STRINGS * STRIDE);
  readonly #strings: string[] = new Array(STRINGS).fill("");
  readonly #keyLists: (KeyList | undefined)[] = new Array(KEY_LISTS).fill(undefined);

  protected readLength(word: number): number {
    const length = word >>> 8;
    return length === tags.LONG ? this.words[this.pos++] >>> 0 : length;
  }

  /** Reads a length that counts entries, each of which takes a word or more. */
  protected readCount(word: number): number {
    const count = this.readLength(word);
    this.entriesLeft -= count;
    if (this.entriesLeft < 0) this.refuseLength(count);
    return count;
  }

  /** Words from another process may be of a task's own making. */
  protected refuseLength(length: number): never {
    throw new RangeError(`Cannot decode: a length of ${length} is more than there is`);
  }

  protected readDouble(): number {
    const pos = this.pos;
    tags.PAIR_WORDS[0] = this.words[pos];
    tags.PAIR_WORDS[1] = this.words[pos + 1];
    this.pos = pos + 2;
    return tags.PAIR_DOUBLE[0];
  }

  protected readLatin1(word: number): string {
    const length = word >>> 8;
    const size = (length + 3) >> 2;
    const pos = this.pos;
    this.pos = pos + size;
    if (size > CACHED_WORDS) {
      if (this.pos > this.words.length) this.refuseLength(length);
      return this.#chars(pos, length);
    }
    const words = this.words;
    let hash = word;
    for (let i = 0; i < size; i++) hash = Math.imul(hash ^ words[pos + i], 0x9e3779b1);
    const slot = (hash ^ hash >>> 15) & (STRINGS - 1);
    const cache = this.#stringWords;
    const at = slot * STRIDE;
    if (cache[at] === word) {
      let i = 0;
      while (i < size && cache[at + 1 + i] === words[pos + i]) i++;
      if (i === size) return this.#strings[slot];
    }
    const string = this.#chars(pos, length);
    cache[at] = word;
    for (let i = 0; i < size; i++) cache[at + 1 + i] = words[pos + i];
    this.#strings[slot] = string;
    return string;
  }

  #chars(pos: number, length: number): string {
    const words = this.words;
    let string = "";
    for (; length >= 8; length -= 8) {
      const a = words[pos++];
      const b = words[pos++];
      const part = fromCharCode(
        a & 0xff,
        a >>> 8 & 0xff,
        a >>> 16 & 0xff,
        a >>> 24,
        b & 0xff,
        b >>> 8 & 0xff,
        b >>> 16 & 0xff,
        b >>> 24,
      );
      string = string === "" ? part : string + part;
    }
    if (length >= 4) {
      const a = words[pos++];
      string += fromCharCode(a & 0xff, a >>> 8 & 0xff, a >>> 16 & 0xff, a >>> 24);
      length -= 4;
    }
    if (length === 0) return string;
    const a = words[pos];
    if (length === 1) return string + fromCharCode(a & 0xff);
    if (length === 2) return string + fromCharCode(a & 0xff, a >>> 8 & 0xff);
    return string + fromCharCode(a & 0xff, a >>> 8 & 0xff, a >>> 16 & 0xff);
  }

  protected readUtf16(length: number): string {
    const words = this.words;
    let pos = this.pos;
    this.pos = pos + Math.ceil(length / 2);
    if (this.pos > this.words.length) this.refuseLength(length);
    const parts: string[] = [];
    const units: number[] = [];
    for (let i = 0; i < length; i += 2) {
      const word = words[pos++];
      units.push(word & 0xffff);
      if (i + 1 < length) units.push(word >>> 16);
      if (units.length >= 4096) {
        parts.push(fromCharCode.apply(null, units));
        units.length = 0;
      }
    }
    parts.push(fromCharCode.apply(null, units));
    return parts.length === 1 ? parts[0] : parts.join("");
  }

  protected readUtf8(): string {
    const length = this.words[this.pos] >>> 0;
    const at = (this.pos + 1) * 4;
    this.pos += 1 + Math.ceil(length / 4);
    return decodeText(this.bytes, at, length);
  }

  /** Finds the key list of a key block in the table, or reads it. */
  protected readKeyList(word: number): KeyList {
    const words = this.words;
    const hash = words[this.pos];
    const size = words[this.pos + 1];
    const pos = this.pos + 2;
    const slot = hash & (KEY_LISTS - 1);
    let list = this.#keyLists[slot];
    let i = 0;
    if (list !== undefined && list.hash === hash && list.block.length === size) {
      const block = list.block;
      while (i < size && block[i] === words[pos + i]) i++;
    }
    if (list === undefined || i !== size || size === 0) {
      this.pos = pos;
      const keys: string[] = [];
      if (size < 0 || (word >>> 8) > size) this.refuseLength(word >>> 8);
      for (let count = word >>> 8; count > 0; count--) keys.push(this.#key());
      const block = Int32Array.from(words.subarray(pos, pos + size));
      list = new KeyList(hash, block, keys);
      if (size <= tags.MAX_SHAPE_WORDS) this.#keyLists[slot] = list;
    }
    this.pos = pos + size;
    return list;
  }

  #key(): string {
    const word = this.words[this.pos++];
    switch (word & 0xff) {
      case tags.LATIN1:
        return this.readLatin1(word);
      case tags.UTF16:
        return this.readUtf16(this.readLength(word));
    }
    return this.readUtf8();
  }
}

/** Whether TextDecoder takes shared memory: Deno's and Node's do, those of browsers refuse it. */
let decodesShared = true;

function decodeText(bytes: Uint8Array, at: number, length: number): string {
  const view = bytes.subarray(at, at + length);
  if (decodesShared) {
    try {
      return TEXT_DECODER.decode(view as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (bytes.buffer instanceof ArrayBuffer) throw error;
      decodesShared = false;
    }
  }
  return TEXT_DECODER.decode(new Uint8Array(view));
}
