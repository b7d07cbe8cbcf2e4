/**
 * The parts of an encoding: the words, with numbers and strings written into them, and the two
 * tables of what a later word may point back to (objects, lists of keys). `tags.ts` describes the
 * layout; `encoder.ts` uses this.
 *
 * The words go straight to the target as long as they fit there. When they no longer fit, they are
 * moved once to a scratch of the writer's own, and the rest is written there. So a small value, as
 * nearly all values are, is written exactly once, and its size need not be known beforehand. All
 * methods that write take the next free index and return the index after what they wrote. After a
 * call that may make room, no older index is valid, but its distance from `base()` is.
 *
 * Invariant: `words`, `bytes`, `end` are the target, or the scratch once the target was too small.
 *
 * @module
 */

import * as tags from "./tags.ts";

/** Up to this many objects are compared one by one before it is worth making a Set. */
const LINEAR = 12;
/** A scratch of more words than this is dropped once the value has been sent. */
const MAX_KEPT_WORDS = 1 << 18;
/** Number of key lists remembered; a power of two. */
const KEY_LISTS = 256;

const TEXT_ENCODER = new TextEncoder();

/** Whether TextEncoder takes shared memory: Deno's and Node's do, those of browsers refuse it. */
let encodesShared = true;
/** Where the browsers' TextEncoder writes to instead. */
let ownBytes = new Uint8Array(0);

function encodeText(value: string, target: Uint8Array): TextEncoderEncodeIntoResult {
  if (encodesShared) {
    try {
      return TEXT_ENCODER.encodeInto(value, target as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (target.buffer instanceof ArrayBuffer) throw error;
      encodesShared = false;
    }
  }
  if (ownBytes.length < target.length) ownBytes = new Uint8Array(target.length);
  const encoded = TEXT_ENCODER.encodeInto(value, ownBytes.subarray(0, target.length));
  target.set(ownBytes.subarray(0, encoded.written));
  return encoded;
}

/** Writes words, numbers and strings. */
export class WordWriter {
  /** Byte runs of at least EXTERN_BYTES that were not put into the words, in order. */
  readonly externs: Uint8Array[] = [];
  /** Length of all externs, each rounded up to 8 bytes. */
  externBytes = 0;
  /**
   * Objects that only structured clone can carry, in order: ports, blobs, transferred and shared
   * buffers.
   */
  readonly extras: unknown[] = [];
  /** Words of the last encoding if it spilled, that is, if `encode` returned -1. */
  spillWords = 0;

  protected words: Int32Array;
  protected bytes: Uint8Array;
  protected end = 0;
  #start = 0;
  #scratch: Int32Array;
  #scratchBytes: Uint8Array;

  /** Makes a writer with an empty scratch. */
  constructor() {
    this.#scratch = this.words = new Int32Array(256);
    this.#scratchBytes = this.bytes = new Uint8Array(this.#scratch.buffer);
  }

  /** Bytes that `copyTo` writes: the words, padded to 8, then the externs, each padded to 8. */
  get blockBytes(): number {
    return ((this.spillWords + 1) & ~1) * 4 + this.externBytes;
  }

  /**
   * Copies the last encoding, which has spilled, to its place.
   *
   * @param words The memory to write to.
   * @param bytes The same memory, from the same byte on.
   * @param offset Byte at which the block begins, a multiple of 8.
   */
  copyTo(words: Int32Array, bytes: Uint8Array, offset: number): void {
    words.set(this.#scratch.subarray(0, this.spillWords), offset / 4);
    let at = offset + ((this.spillWords + 1) & ~1) * 4;
    for (const extern of this.externs) {
      bytes.set(extern, at);
      at += (extern.byteLength + 7) & ~7;
    }
  }

  /** Drops all that the encoder holds of the last value. */
  reset(): void {
    if (this.externs.length > 0) this.externs.length = 0;
    if (this.extras.length > 0) this.extras.length = 0;
    this.externBytes = 0;
    this.spillWords = 0;
    if (this.#scratch.length > MAX_KEPT_WORDS) {
      this.#scratch = this.words = new Int32Array(256);
      this.#scratchBytes = this.bytes = new Uint8Array(this.#scratch.buffer);
    }
  }

  /** Makes `words[start, end)` the target of what is written next. */
  protected aim(words: Int32Array, bytes: Uint8Array, start: number, end: number): void {
    this.words = words;
    this.bytes = bytes;
    this.#start = start;
    this.end = end;
  }

  /** Whether the words have moved to the scratch. */
  protected hasSpilled(): boolean {
    return this.words === this.#scratch;
  }

  /** Index of the first word written; it changes when the words move to the scratch. */
  protected base(): number {
    return this.words === this.#scratch ? 0 : this.#start;
  }

  /**
   * Moves the words to the scratch, or enlarges it, so that `need` words can be written at the
   * index returned.
   */
  protected makeRoom(pos: number, need: number): number {
    const old = this.words;
    const from = old === this.#scratch ? 0 : this.#start;
    const at = pos - from;
    if (at + need > this.#scratch.length) {
      const grown = new Int32Array(Math.max(2 * this.#scratch.length, at + need + 64));
      this.#scratch = grown;
      this.#scratchBytes = new Uint8Array(grown.buffer);
    }
    if (old !== this.#scratch) this.#scratch.set(old.subarray(from, pos));
    this.words = this.#scratch;
    this.bytes = this.#scratchBytes;
    this.end = this.#scratch.length;
    return at;
  }

  protected writeWord(word: number, pos: number): number {
    if (pos >= this.end) pos = this.makeRoom(pos, 1);
    this.words[pos] = word;
    return pos + 1;
  }

  /** Writes a tag whose immediate is a length. */
  protected writeHead(tag: number, length: number, pos: number): number {
    if (pos + 2 > this.end) {
      if (length < tags.LONG) return this.writeWord(tag | length << 8, pos);
      pos = this.makeRoom(pos, 2);
    }
    if (length < tags.LONG) {
      this.words[pos] = tag | length << 8;
      return pos + 1;
    }
    this.words[pos] = tag | tags.LONG << 8;
    this.words[pos + 1] = length;
    return pos + 2;
  }

  protected writeNumber(value: number, pos: number): number {
    // -0, of which 1 / -0 is negative, is not written as an integer.
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value << 8 >> 8 === value) return this.writeWord(tags.INT24 | value << 8, pos);
      if (pos + 2 > this.end) pos = this.makeRoom(pos, 2);
      this.words[pos] = tags.INT32;
      this.words[pos + 1] = value;
      return pos + 2;
    }
    return this.writeDouble(tags.DOUBLE, value, pos);
  }

  protected writeDouble(tag: number, value: number, pos: number): number {
    if (pos + 3 > this.end) pos = this.makeRoom(pos, 3);
    const words = this.words;
    tags.PAIR_DOUBLE[0] = value;
    words[pos] = tag;
    words[pos + 1] = tags.PAIR_WORDS[0];
    words[pos + 2] = tags.PAIR_WORDS[1];
    return pos + 3;
  }

  protected writeBigint(value: bigint, pos: number): number {
    if (BigInt.asIntN(64, value) === value) {
      if (pos + 3 > this.end) pos = this.makeRoom(pos, 3);
      tags.PAIR_BIGINT[0] = value;
      this.words[pos] = tags.BIGINT64;
      this.words[pos + 1] = tags.PAIR_WORDS[0];
      this.words[pos + 2] = tags.PAIR_WORDS[1];
      return pos + 3;
    }
    // Hexadecimal, because conversion takes linear time both ways; shifting limbs out of a bigint
    // does not.
    const isNegative = value < 0n;
    pos = this.writeWord(tags.BIGINT | (isNegative ? 1 << 8 : 0), pos);
    return this.writeString((isNegative ? -value : value).toString(16), pos);
  }

  protected writeString(value: string, pos: number): number {
    const length = value.length;
    if (length > tags.SHORT_STRING) return this.#longString(value, pos);
    let next = pos + 1 + ((length + 3) >> 2);
    if (next > this.end) {
      pos = this.makeRoom(pos, next - pos);
      next = pos + 1 + ((length + 3) >> 2);
    }
    const words = this.words;
    let at = pos + 1;
    let i = 0;
    let all = 0;
    for (; i + 4 <= length; i += 4) {
      const a = value.charCodeAt(i);
      const b = value.charCodeAt(i + 1);
      const c = value.charCodeAt(i + 2);
      const d = value.charCodeAt(i + 3);
      all |= a | b | c | d;
      words[at++] = a | b << 8 | c << 16 | d << 24;
    }
    if (i < length) {
      let word = 0;
      for (let shift = 0; i < length; i++, shift += 8) {
        const code = value.charCodeAt(i);
        all |= code;
        word |= code << shift;
      }
      words[at] = word;
    }
    if (all > 0xff) return this.#utf16(value, pos);
    words[pos] = tags.LATIN1 | length << 8;
    return next;
  }

  #utf16(value: string, pos: number): number {
    const length = value.length;
    pos = this.writeHead(tags.UTF16, length, pos);
    const size = (length + 1) >> 1;
    if (pos + size > this.end) pos = this.makeRoom(pos, size);
    const words = this.words;
    for (let i = 0; i < length; i += 2) {
      // charCodeAt past the end gives NaN, which becomes 0 here.
      words[pos++] = value.charCodeAt(i) | value.charCodeAt(i + 1) << 16;
    }
    return pos;
  }

  #longString(value: string, pos: number): number {
    if (!value.isWellFormed()) return this.#utf16(value, pos);
    const length = value.length;
    let need = 2 + ((length + 3) >> 2);
    for (;;) {
      if (pos + need > this.end) pos = this.makeRoom(pos, need);
      const target = this.bytes.subarray((pos + 2) * 4, this.end * 4);
      const { read, written } = encodeText(value, target);
      if (read === length) {
        this.words[pos] = tags.UTF8;
        this.words[pos + 1] = written;
        return pos + 2 + ((written + 3) >> 2);
      }
      // Not ASCII: no code unit takes more than three bytes.
      need = 3 + ((3 * length) >> 2);
    }
  }

  /**
   * Returns the OBJECT word, the hash and size of a key block, and the block, in an array of their
   * own, to be kept in a table. Call on a writer that has nothing else to write.
   */
  keyBlock(keys: readonly string[]): Int32Array {
    this.aim(this.#scratch, this.#scratchBytes, 0, this.#scratch.length);
    let pos = 3;
    for (const key of keys) pos = this.writeString(key, pos);
    const block = this.words.slice(0, pos);
    let hash = keys.length;
    for (let i = 3; i < pos; i++) hash = Math.imul(hash ^ block[i], 0x01000193);
    block[0] = tags.OBJECT | keys.length << 8;
    block[1] = hash ^ hash >>> 15;
    block[2] = pos - 3;
    this.reset();
    return block;
  }
}

/**
 * Numbers objects as they are met, so that an object met again is written as a REF. The first
 * {@linkcode LINEAR} are compared one by one, which is cheaper than hashing them; more are kept in
 * a Set; and from the first that is met again, in a Map from object to number.
 *
 * Of 200 objects, each costs 20 ns in the Set. Comparing one by one with `includes` costs as much,
 * and more with more objects. A WeakMap kept from message to message costs next to nothing for
 * objects sent again, but twice as much as the Set for new ones, which most are.
 */
export class ObjectNumbers {
  /** How many objects have a number. */
  count = 0;
  readonly #linear: (object | undefined)[] = new Array(LINEAR).fill(undefined);
  #met: Set<object> | undefined;
  #numbers: Map<object, number> | undefined;
  /**
   * The objects of the Map by number, once any were taken back. A Map can be iterated from its
   * beginning only: taking the last ones out of it would cost as much as all of them, each time.
   */
  #inOrder: object[] | undefined;

  /** The number of an object met before; -1 for a new object, which gets the next number. */
  meet(object: object): number {
    const count = this.count;
    const linear = this.#linear;
    if (count < LINEAR) {
      for (let i = 0; i < count; i++) if (linear[i] === object) return i;
      linear[count] = object;
      this.count = count + 1;
      return -1;
    }
    const numbers = this.#numbers;
    if (numbers !== undefined) {
      const number = numbers.get(object);
      if (number !== undefined) return number;
      numbers.set(object, count);
      this.#inOrder?.push(object);
    } else {
      // One access to a Set tells a new object from an old one; a Map needs two.
      const met = this.#met ??= new Set(linear as object[]);
      met.add(object);
      if (met.size === count) return this.#numberAll(met).get(object)!;
    }
    this.count = count + 1;
    return -1;
  }

  /** Makes the Map once an object is met again; the numbers are the order of the Set. */
  #numberAll(met: Set<object>): Map<object, number> {
    const numbers = new Map<object, number>();
    for (const object of met) numbers.set(object, numbers.size);
    this.#met = undefined;
    return this.#numbers = numbers;
  }

  /** Whether an object has a number. */
  has(object: object): boolean {
    if (this.#numbers !== undefined) return this.#numbers.has(object);
    return this.#met !== undefined ? this.#met.has(object) : this.#linear.includes(object);
  }

  /** Takes back all numbers but the first `count`; returns the objects that had them. */
  cutTo(count: number): readonly (object | undefined)[] {
    let taken: (object | undefined)[];
    if (this.count <= LINEAR) {
      taken = this.#linear.slice(count, this.count);
    } else {
      const numbers = this.#numbers ?? this.#numberAll(this.#met!);
      const inOrder = this.#inOrder ??= [...numbers.keys()];
      taken = inOrder.splice(count);
      for (const object of taken) numbers.delete(object!);
    }
    if (count < LINEAR) {
      this.#linear.fill(undefined, count);
      this.#met = this.#numbers = this.#inOrder = undefined;
    }
    this.count = count;
    return taken;
  }

  /** Forgets all objects. */
  clear(): void {
    const used = Math.min(this.count, LINEAR);
    for (let i = 0; i < used; i++) this.#linear[i] = undefined;
    this.count = 0;
    this.#met = this.#numbers = this.#inOrder = undefined;
  }
}

/** A list of keys, with the words that are written for it. */
export interface KeyList {
  readonly keys: readonly string[];
  /** The OBJECT word, hash and size, and the key block. */
  readonly block: Int32Array;
  /** The message for which `number` is valid. */
  message: number;
  number: number;
}

/** Lists of keys, remembered from message to message, and numbered in each. */
export class KeyLists {
  /** How many lists have a number in this message. */
  count = 0;
  #message = 0;
  readonly #lists: (KeyList | undefined)[] = new Array(KEY_LISTS).fill(undefined);

  /** Finds the entry of a list of at least one key, or makes it. */
  find(keys: readonly string[]): KeyList {
    const count = keys.length;
    const first = keys[0];
    const last = keys[count - 1];
    // Lists that differ only in a middle key share a slot and replace each other; that is rare
    // enough.
    const slot = (count * 7 + first.length * 31 + last.length * 61 + first.charCodeAt(0) * 5 +
      last.charCodeAt(last.length >> 1) * 29 + last.charCodeAt(last.length - 1) * 13) &
      (KEY_LISTS - 1);
    const list = this.#lists[slot];
    if (list !== undefined && list.keys.length === count) {
      let i = 0;
      while (i < count && list.keys[i] === keys[i]) i++;
      if (i === count) return list;
    }
    KEY_BLOCK_WRITER ??= new WordWriter();
    const made = { keys, block: KEY_BLOCK_WRITER.keyBlock(keys), message: -1, number: 0 };
    if (made.block.length <= tags.MAX_SHAPE_WORDS) this.#lists[slot] = made;
    return made;
  }

  /**
   * The number of a list met before in this message; -1 for a new list, which gets the next number.
   */
  meet(list: KeyList): number {
    if (list.message === this.#message) return list.number;
    list.message = this.#message;
    list.number = this.count++;
    return -1;
  }

  /**
   * Takes back all numbers from `count` on. Lists that had a lower number are written again in
   * full.
   */
  cutTo(count: number): void {
    this.count = count;
    this.#message++;
  }
}

/** Made when first needed. It never meets user code, so it is never busy. */
let KEY_BLOCK_WRITER: WordWriter | undefined;
