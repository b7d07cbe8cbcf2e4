/**
 * Writes values as words of shared memory. The layout, and why it is so, is told in `tags.ts`.
 *
 * The words go straight to their place as long as they fit there. What does not fit is moved once to
 * a scratch of the encoder's own, and the rest is written there: so a small value, which is nearly
 * every value, is written exactly once and nothing needs to know its size beforehand. All methods
 * that write take the next free index and return the one after what they wrote.
 *
 * Objects are numbered as they are met, so that a second meeting is a REF. The first
 * {@linkcode LINEAR} are looked for one by one, which is cheaper than hashing them; then in a Set;
 * and from the first that is met again, in a Map from object to number.
 *
 * Invariants:
 * 1. `#words`, `#bytes`, `#end` are the target, or the scratch once `#words === #scratch`.
 * 2. Object and shape numbers are taken in the order in which the decoder meets the words.
 * 3. What is abandoned half-way (a field of an error that cannot be cloned) gives back its words,
 *    its numbers, its externs and its extras.
 *
 * @module
 */

import { cloneError, describe, errorClassName, isError } from "./errors.ts";
import { HANDLE, type Handle, type Shareable } from "./handle.ts";
import * as tags from "./tags.ts";

/** As many objects are looked for one by one before a Map is worth its making. */
const LINEAR = 12;
/** Scratch of more words than this is given up once the value has been sent. */
const MAX_KEPT_WORDS = 1 << 18;
/** Arrays longer than this have their keys counted by Object.values, which makes no strings. */
const MAX_LISTED_KEYS = 32;
/** Buffers of more bytes are left to structured clone, so that every length fits a word. */
const MAX_BYTES = 0x7fffff00;
/** Number of key lists remembered; a power of two. */
const SHAPES = 256;

const TEXT_ENCODER = new TextEncoder();
const NO_KEYS: readonly string[] = [];
const TO_STRING = Object.prototype.toString;
const MAP_FOR_EACH = Map.prototype.forEach;
const SET_FOR_EACH = Set.prototype.forEach;

/** Thrown inside the encoder when a buffer taken for a view's own turns out to be shared. */
const RESTART = { restart: true };
/** Thrown inside the encoder for a value that cannot be cloned; `culprit` is read when it arrives. */
const REFUSED = { culprit: undefined as unknown };

/** Calls that throw unless the object really is what its tag says. */
const PROBES: ReadonlyMap<string, (value: object) => unknown> = new Map<
  string,
  (value: object) => unknown
>([
  ["Map", (value) => Map.prototype.has.call(value, 0)],
  ["Set", (value) => Set.prototype.has.call(value, 0)],
  ["Date", (value) => Date.prototype.getTime.call(value)],
  ["RegExp", (value) => sourceOf(value)],
  ["Boolean", (value) => Boolean.prototype.valueOf.call(value)],
  ["Number", (value) => Number.prototype.valueOf.call(value)],
  ["String", (value) => String.prototype.valueOf.call(value)],
  ["BigInt", (value) => BigInt.prototype.valueOf.call(value)],
  ["ArrayBuffer", (value) => BYTE_LENGTH.call(value)],
]);

/** Tags of what nobody can send, so that it is refused here and its place can be told. */
const REFUSED_TAGS: ReadonlySet<string> = new Set([
  "Promise",
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "FinalizationRegistry",
  "Generator",
  "AsyncGenerator",
  "Symbol",
]);

/** A list of keys as it is written. */
interface Shape {
  readonly keys: readonly string[];
  /** The OBJECT word, hash and size, and the key block. */
  readonly block: Int32Array;
  /** The message in which `number` holds. */
  message: number;
  number: number;
}

/** What is needed to take back what was written since. */
interface Mark {
  readonly at: number;
  readonly count: number;
  readonly shapes: number;
  readonly externs: number;
  readonly externBytes: number;
  readonly extras: number;
}

/** Turns values into words. One encoder serves one thread, any number of values after each other. */
export class Encoder {
  /** Byte runs of at least EXTERN_BYTES that were not put into the words, in order. */
  readonly externs: Uint8Array[] = [];
  /** Length of all externs, each rounded up to 8 bytes. */
  externBytes = 0;
  /** What only structured clone can carry, in order: ports, blobs, transferred and shared buffers. */
  readonly extras: unknown[] = [];
  /** Words of the last encoding when it spilled, that is when `encode` returned -1. */
  spillWords = 0;
  /** How many shared objects the last encoding holds: whoever decodes it must know their classes. */
  handles = 0;
  /** Whether an `encode` is running: a getter of the value must use another encoder. */
  busy = false;

  #words: Int32Array;
  #bytes: Uint8Array;
  #start = 0;
  #end = 0;
  #scratch: Int32Array;
  #scratchBytes: Uint8Array;

  #transfer: ReadonlySet<object> | undefined;
  #count = 0;
  readonly #linear: (object | undefined)[] = new Array(LINEAR).fill(undefined);
  #met: Set<object> | undefined;
  #numbers: Map<object, number> | undefined;
  /** Numbers of the views that were written together with their buffer, by buffer. */
  #ownedBuffers: Map<object, number> | undefined;
  /** Buffers of which only a part was written, for a single view of them. */
  #parts: Set<object> | undefined;
  #keepBuffers = false;

  readonly #shapes: (Shape | undefined)[] = new Array(SHAPES).fill(undefined);
  #message = 0;
  #shapeCount = 0;

  /** Makes an encoder with an empty scratch. */
  constructor() {
    this.#scratch = this.#words = new Int32Array(256);
    this.#scratchBytes = this.#bytes = new Uint8Array(this.#scratch.buffer);
  }

  /**
   * Encodes a value into `words[start, end)` if it fits there and is words alone.
   *
   * @param value The value.
   * @param words The target.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the first word that may be written.
   * @param end Index after the last word that may be written.
   * @param transfer Objects to be moved, not copied: each becomes an extra.
   * @returns The index after the last word written; or -1 when the value does not fit or has
   * externs or extras. Then the whole encoding is in the encoder, to be placed with `copyTo`, and
   * what was written to the target means nothing.
   * @throws {DOMException} "DataCloneError" when something in the value cannot be cloned.
   * @throws {RangeError} When the value is nested too deep for the stack.
   */
  encode(
    value: unknown,
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    transfer?: ReadonlySet<object>,
  ): number {
    return this.#run(value, words, bytes, start, end, transfer, false);
  }

  /**
   * The same for a list of arguments or items known to have no properties but its items, which
   * saves looking for any.
   *
   * @param values The list.
   * @param words The target.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the first word that may be written.
   * @param end Index after the last word that may be written.
   * @param transfer Objects to be moved, not copied.
   * @returns As `encode`.
   */
  encodeList(
    values: readonly unknown[],
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    transfer?: ReadonlySet<object>,
  ): number {
    return this.#run(values, words, bytes, start, end, transfer, true);
  }

  /** Bytes that `copyTo` writes: the words, padded to 8, then the externs, each padded to 8. */
  get blockBytes(): number {
    return ((this.spillWords + 1) & ~1) * 4 + this.externBytes;
  }

  /**
   * Writes the last spilled encoding.
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

  /** Drops what the encoder holds of the last value. */
  reset(): void {
    if (this.externs.length > 0) this.externs.length = 0;
    if (this.extras.length > 0) this.extras.length = 0;
    this.externBytes = 0;
    this.spillWords = 0;
    if (this.#scratch.length > MAX_KEPT_WORDS) {
      this.#scratch = this.#words = new Int32Array(256);
      this.#scratchBytes = this.#bytes = new Uint8Array(this.#scratch.buffer);
    }
  }

  #run(
    value: unknown,
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    transfer: ReadonlySet<object> | undefined,
    isList: boolean,
  ): number {
    if (this.busy) {
      throw new Error("Cannot encode: the encoder is busy with the value whose getter is running");
    }
    this.reset();
    this.handles = 0;
    this.busy = true;
    this.#transfer = transfer;
    this.#words = words;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    let done = false;
    try {
      let next = isList ? this.#list(value as unknown[], start) : this.#value(value, start);
      if (this.#words === this.#scratch) {
        this.spillWords = next;
        next = -1;
      } else if (this.externs.length > 0 || this.extras.length > 0) {
        this.spillWords = this.#makeRoom(next, 0);
        next = -1;
      }
      done = true;
      return next;
    } catch (error) {
      if (error !== RESTART || this.#keepBuffers) {
        throw error === REFUSED ? this.#refusal(value) : error;
      }
    } finally {
      this.#forget();
      if (!done) this.reset();
    }
    this.#keepBuffers = true;
    try {
      return this.#run(value, words, bytes, start, end, transfer, isList);
    } finally {
      this.#keepBuffers = false;
    }
  }

  #refusal(root: unknown): Error {
    const culprit = REFUSED.culprit;
    REFUSED.culprit = undefined;
    return cloneError(root, culprit);
  }

  #forget(): void {
    const used = Math.min(this.#count, LINEAR);
    for (let i = 0; i < used; i++) this.#linear[i] = undefined;
    this.#count = 0;
    this.#shapeCount = 0;
    this.#message++;
    this.#met =
      this.#numbers =
      this.#ownedBuffers =
      this.#parts =
      this.#transfer =
        undefined;
    this.busy = false;
  }

  /** Moves to the scratch, or makes it larger, so that `need` words can be written at the result. */
  #makeRoom(pos: number, need: number): number {
    const old = this.#words;
    const from = old === this.#scratch ? 0 : this.#start;
    const at = pos - from;
    if (at + need > this.#scratch.length) {
      const grown = new Int32Array(Math.max(2 * this.#scratch.length, at + need + 64));
      this.#scratch = grown;
      this.#scratchBytes = new Uint8Array(grown.buffer);
    }
    if (old !== this.#scratch) this.#scratch.set(old.subarray(from, pos));
    this.#words = this.#scratch;
    this.#bytes = this.#scratchBytes;
    this.#end = this.#scratch.length;
    return at;
  }

  #value(value: unknown, pos: number): number {
    switch (typeof value) {
      case "number":
        return this.#number(value, pos);
      case "string":
        return this.#string(value, pos);
      case "boolean":
        return this.#word(value ? tags.TRUE : tags.FALSE, pos);
      case "object":
        if (value === null) return this.#word(tags.NULL, pos);
        return this.#object(value, pos);
      case "undefined":
        return this.#word(tags.UNDEFINED, pos);
      case "bigint":
        return this.#bigint(value, pos);
      case "function":
        if (typeof (value as Partial<Shareable>)[HANDLE] === "function") {
          return this.#object(value, pos);
        }
    }
    return this.#refuse(value);
  }

  #refuse(value: unknown): never {
    REFUSED.culprit = value;
    throw REFUSED;
  }

  #word(word: number, pos: number): number {
    if (pos >= this.#end) pos = this.#makeRoom(pos, 1);
    this.#words[pos] = word;
    return pos + 1;
  }

  /** Writes a tag whose immediate is a length. */
  #head(tag: number, length: number, pos: number): number {
    if (pos + 2 > this.#end) {
      if (length < tags.LONG) return this.#word(tag | length << 8, pos);
      pos = this.#makeRoom(pos, 2);
    }
    if (length < tags.LONG) {
      this.#words[pos] = tag | length << 8;
      return pos + 1;
    }
    this.#words[pos] = tag | tags.LONG << 8;
    this.#words[pos + 1] = length;
    return pos + 2;
  }

  #number(value: number, pos: number): number {
    // 1 / -0 is negative: -0 is no integer here.
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value << 8 >> 8 === value) return this.#word(tags.INT24 | value << 8, pos);
      if (pos + 2 > this.#end) pos = this.#makeRoom(pos, 2);
      this.#words[pos] = tags.INT32;
      this.#words[pos + 1] = value;
      return pos + 2;
    }
    return this.#double(tags.DOUBLE, value, pos);
  }

  #double(tag: number, value: number, pos: number): number {
    if (pos + 3 > this.#end) pos = this.#makeRoom(pos, 3);
    const words = this.#words;
    tags.PAIR_DOUBLE[0] = value;
    words[pos] = tag;
    words[pos + 1] = tags.PAIR_WORDS[0];
    words[pos + 2] = tags.PAIR_WORDS[1];
    return pos + 3;
  }

  #bigint(value: bigint, pos: number): number {
    if (BigInt.asIntN(64, value) === value) {
      if (pos + 3 > this.#end) pos = this.#makeRoom(pos, 3);
      tags.PAIR_BIGINT[0] = value;
      this.#words[pos] = tags.BIGINT64;
      this.#words[pos + 1] = tags.PAIR_WORDS[0];
      this.#words[pos + 2] = tags.PAIR_WORDS[1];
      return pos + 3;
    }
    // Hexadecimal, because that is linear both ways; shifting limbs out of a bigint is not.
    const isNegative = value < 0n;
    pos = this.#word(tags.BIGINT | (isNegative ? 1 << 8 : 0), pos);
    return this.#string((isNegative ? -value : value).toString(16), pos);
  }

  #string(value: string, pos: number): number {
    const length = value.length;
    if (length > tags.SHORT_STRING) return this.#longString(value, pos);
    let next = pos + 1 + ((length + 3) >> 2);
    if (next > this.#end) {
      pos = this.#makeRoom(pos, next - pos);
      next = pos + 1 + ((length + 3) >> 2);
    }
    const words = this.#words;
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
    pos = this.#head(tags.UTF16, length, pos);
    const size = (length + 1) >> 1;
    if (pos + size > this.#end) pos = this.#makeRoom(pos, size);
    const words = this.#words;
    for (let i = 0; i < length; i += 2) {
      // charCodeAt past the end is NaN, which is 0 here.
      words[pos++] = value.charCodeAt(i) | value.charCodeAt(i + 1) << 16;
    }
    return pos;
  }

  #longString(value: string, pos: number): number {
    if (!value.isWellFormed()) return this.#utf16(value, pos);
    const length = value.length;
    let need = 2 + ((length + 3) >> 2);
    for (;;) {
      if (pos + need > this.#end) pos = this.#makeRoom(pos, need);
      const target = this.#bytes.subarray((pos + 2) * 4, this.#end * 4);
      const { read, written } = TEXT_ENCODER.encodeInto(value, target);
      if (read === length) {
        this.#words[pos] = tags.UTF8;
        this.#words[pos + 1] = written;
        return pos + 2 + ((written + 3) >> 2);
      }
      // Not ASCII: no code unit takes more than three bytes.
      need = 3 + ((3 * length) >> 2);
    }
  }

  /** The number of an object met before; -1 for a new one, which it gives the next number. */
  #meet(object: object): number {
    const count = this.#count;
    const linear = this.#linear;
    if (count < LINEAR) {
      for (let i = 0; i < count; i++) if (linear[i] === object) return i;
      linear[count] = object;
      this.#count = count + 1;
      return -1;
    }
    const numbers = this.#numbers;
    if (numbers !== undefined) {
      const number = numbers.get(object);
      if (number !== undefined) return number;
      numbers.set(object, count);
    } else {
      // One look into a Set tells a new object from an old one, where a Map needs two.
      const met = this.#met ??= new Set(linear as object[]);
      met.add(object);
      if (met.size === count) return this.#numberAll(met).get(object)!;
    }
    this.#count = count + 1;
    return -1;
  }

  /** From the first object met again, numbers are looked up; they are the order of the Set. */
  #numberAll(met: Set<object>): Map<object, number> {
    const numbers = new Map<object, number>();
    for (const object of met) numbers.set(object, numbers.size);
    this.#met = undefined;
    return this.#numbers = numbers;
  }

  #hasMet(object: object): boolean {
    if (this.#numbers !== undefined) return this.#numbers.has(object);
    return this.#met !== undefined ? this.#met.has(object) : this.#linear.includes(object);
  }

  #object(value: object, pos: number): number {
    const number = this.#meet(value);
    if (number >= 0) return this.#head(tags.REF, number, pos);
    if (this.#transfer !== undefined && this.#transfer.has(value)) return this.#extra(value, pos);
    if (Array.isArray(value)) return this.#array(value, pos, false);
    if (typeof (value as Partial<Shareable>)[HANDLE] === "function") {
      return this.#handle(value as Shareable, pos);
    }
    // Asking for the prototype costs ten times as much. Who fakes this has a function among its keys,
    // which is refused.
    if (value.constructor === Object) return this.#plain(value, pos);
    return this.#exotic(value, pos);
  }

  #plain(value: object, pos: number): number {
    const keys = Object.keys(value);
    const count = keys.length;
    if (count === 0) return this.#word(tags.DICTIONARY, pos);
    let values: readonly unknown[] = Object.values(value);
    if (values.length !== count) {
      // A getter has added or removed a key: what counts is the list made before.
      values = keys.map((key) => (value as Record<string, unknown>)[key]);
    }
    if (count > tags.MAX_SHAPE_KEYS) return this.#dictionary(keys, values, pos);

    const shape = this.#shape(keys);
    if (shape.message === this.#message) {
      pos = this.#head(tags.OBJECT_AGAIN, shape.number, pos);
    } else {
      shape.message = this.#message;
      shape.number = this.#shapeCount++;
      const block = shape.block;
      const size = block.length;
      if (pos + size > this.#end) pos = this.#makeRoom(pos, size);
      const words = this.#words;
      for (let i = 0; i < size; i++) words[pos + i] = block[i];
      pos += size;
    }
    for (let i = 0; i < count; i++) pos = this.#value(values[i], pos);
    return pos;
  }

  #dictionary(keys: readonly string[], values: readonly unknown[], pos: number): number {
    pos = this.#head(tags.DICTIONARY, keys.length, pos);
    for (let i = 0; i < keys.length; i++) {
      pos = this.#string(keys[i], pos);
      pos = this.#value(values[i], pos);
    }
    return pos;
  }

  #shape(keys: readonly string[]): Shape {
    const count = keys.length;
    const first = keys[0];
    const last = keys[count - 1];
    // Lists that differ in a middle key alone share a slot, and are compared; that is rare enough.
    const slot = (count * 7 + first.length * 31 + last.length * 61 + first.charCodeAt(0) * 5 +
      last.charCodeAt(last.length >> 1) * 29 + last.charCodeAt(last.length - 1) * 13) &
      (SHAPES - 1);
    const shape = this.#shapes[slot];
    if (shape !== undefined && shape.keys.length === count) {
      let i = 0;
      while (i < count && shape.keys[i] === keys[i]) i++;
      if (i === count) return shape;
    }
    const made = this.#newShape(keys);
    if (made.block.length <= tags.MAX_SHAPE_WORDS) this.#shapes[slot] = made;
    return made;
  }

  /** Writes the key block with an encoder of its own, because its place is a cache, not the target. */
  #newShape(keys: readonly string[]): Shape {
    KEY_BLOCK ??= new Encoder();
    const block = KEY_BLOCK.#keyBlock(keys);
    return { keys, block, message: -1, number: 0 };
  }

  #keyBlock(keys: readonly string[]): Int32Array {
    this.#words = this.#scratch;
    this.#bytes = this.#scratchBytes;
    this.#end = this.#scratch.length;
    let pos = 3;
    for (const key of keys) pos = this.#string(key, pos);
    const block = this.#words.slice(0, pos);
    let hash = keys.length;
    for (let i = 3; i < pos; i++) hash = Math.imul(hash ^ block[i], 0x01000193);
    block[0] = tags.OBJECT | keys.length << 8;
    block[1] = hash ^ hash >>> 15;
    block[2] = pos - 3;
    this.reset();
    return block;
  }

  /** Writes a list that is known to have no properties but its items. */
  #list(values: readonly unknown[], pos: number): number {
    this.#meet(values);
    return this.#array(values, pos, true);
  }

  #array(array: readonly unknown[], pos: number, isList: boolean): number {
    const length = array.length;
    // How many properties there are tells holes and named keys; no array says so cheaper.
    let present = length;
    if (!isList) {
      const list: readonly unknown[] = length <= MAX_LISTED_KEYS
        ? Object.keys(array)
        : Object.values(array);
      present = list.length;
      if (length > MAX_LISTED_KEYS && present < length / 2) return this.#sparse(array, pos);
    }
    if (present === length && length > 0 && typeof array[0] === "number") {
      const at = pos - this.#base();
      const next = this.#numeric(array, length, pos);
      if (next >= 0) return next;
      pos = at + this.#base();
    }

    pos = this.#head(tags.ARRAY, length, pos);
    const headBack = (length < tags.LONG ? pos - 1 : pos - 2) - this.#base();
    let holes = 0;
    for (let i = 0; i < length; i++) {
      const item = array[i];
      if (item === undefined && !(i in array)) {
        holes++;
        pos = this.#word(tags.HOLE, pos);
      } else {
        pos = this.#value(item, pos);
      }
    }
    const named = isList ? 0 : present - (length - holes);
    if (holes === 0 && named === 0) return pos;
    // Only now is it known; the head is where it was, counted from where the value begins.
    const head = headBack + this.#base();
    this.#words[head] = this.#words[head] & ~0xff | tags.ARRAY_LOOSE;
    const keys = named > 0 ? Object.keys(array).slice(-named) : NO_KEYS;
    return this.#dictionary(keys, valuesOf(array, keys), pos);
  }

  #base(): number {
    return this.#words === this.#scratch ? 0 : this.#start;
  }

  #sparse(array: readonly unknown[], pos: number): number {
    const keys = Object.keys(array);
    if (pos + 2 > this.#end) pos = this.#makeRoom(pos, 2);
    this.#words[pos] = tags.ARRAY_SPARSE;
    this.#words[pos + 1] = array.length;
    return this.#dictionary(keys, valuesOf(array, keys), pos + 2);
  }

  /** Writes an array of nothing but numbers; -1 when it is not one. */
  #numeric(array: readonly unknown[], length: number, pos: number): number {
    // Any array needs a word an item, so room for integers is not asked in vain.
    const size = length + (length < tags.LONG ? 1 : 2);
    if (pos + size > this.#end) pos = this.#makeRoom(pos, size);
    const first = this.#head(tags.ARRAY_INT32, length, pos);
    const words = this.#words;
    let i = 0;
    for (; i < length; i++) {
      const item = array[i];
      if (typeof item !== "number" || (item | 0) !== item) break;
      if (item === 0 && 1 / item < 0) break;
      words[first + i] = item;
    }
    if (i === length) return first + length;
    for (let k = i; k < length; k++) if (typeof array[k] !== "number") return -1;
    return this.#doubles(array as readonly number[], length, pos);
  }

  #doubles(array: readonly number[], length: number, pos: number): number {
    pos = this.#head(tags.ARRAY_DOUBLE, length, pos);
    if (pos + 2 * length > this.#end) pos = this.#makeRoom(pos, 2 * length);
    const words = this.#words;
    for (let i = 0; i < length; i++) {
      tags.PAIR_DOUBLE[0] = array[i];
      words[pos++] = tags.PAIR_WORDS[0];
      words[pos++] = tags.PAIR_WORDS[1];
    }
    return pos;
  }

  #exotic(value: object, pos: number): number {
    if (ArrayBuffer.isView(value)) return this.#view(value, pos);
    let tag = TO_STRING.call(value).slice(8, -1);
    if (tag === "Object") return this.#plain(value, pos);
    const probe = PROBES.get(tag);
    if (probe !== undefined) {
      try {
        probe(value);
      } catch {
        tag = "Object";
      }
    }
    switch (tag) {
      case "Object":
        return this.#plain(value, pos);
      case "Map":
        return this.#map(value as Map<unknown, unknown>, pos);
      case "Set":
        return this.#set(value as Set<unknown>, pos);
      case "Date":
        return this.#double(tags.DATE, Date.prototype.getTime.call(value), pos);
      case "RegExp":
        pos = this.#word(tags.REGEXP, pos);
        pos = this.#string(sourceOf(value), pos);
        return this.#string((value as RegExp).flags, pos);
      case "Boolean":
        return this.#value(Boolean.prototype.valueOf.call(value), this.#word(tags.BOXED, pos));
      case "Number":
        return this.#value(Number.prototype.valueOf.call(value), this.#word(tags.BOXED, pos));
      case "String":
        return this.#value(String.prototype.valueOf.call(value), this.#word(tags.BOXED, pos));
      case "BigInt":
        return this.#value(BigInt.prototype.valueOf.call(value), this.#word(tags.BOXED, pos));
      case "ArrayBuffer":
        return this.#buffer(value as ArrayBuffer, pos);
      case "DOMException":
        return this.#domException(value as DOMException, pos);
    }
    if (isError(value, tag)) return this.#error(value, pos);
    if (REFUSED_TAGS.has(tag)) return this.#refuse(value);
    return this.#extra(value, pos);
  }

  #extra(value: object, pos: number): number {
    this.extras.push(value);
    return this.#head(tags.EXTRA, this.extras.length - 1, pos);
  }

  #handle(value: Shareable, pos: number): number {
    const handle: Handle = value[HANDLE]();
    this.handles++;
    pos = this.#word(tags.HANDLE_OF, pos);
    pos = this.#string(handle.kind, pos);
    return this.#value(handle.data, pos);
  }

  // A Map and a Set are listed first: a getter in an item may change them while they are written.
  #map(map: Map<unknown, unknown>, pos: number): number {
    const list: unknown[] = [];
    MAP_FOR_EACH.call(map, (value, key) => list.push(key, value));
    pos = this.#head(tags.MAP, list.length, pos);
    for (let i = 0; i < list.length; i++) pos = this.#value(list[i], pos);
    return pos;
  }

  #set(set: Set<unknown>, pos: number): number {
    const list: unknown[] = [];
    SET_FOR_EACH.call(set, (value) => list.push(value));
    pos = this.#head(tags.SET, list.length, pos);
    for (let i = 0; i < list.length; i++) pos = this.#value(list[i], pos);
    return pos;
  }

  #buffer(buffer: ArrayBuffer, pos: number): number {
    const owner = this.#ownedBuffers?.get(buffer);
    if (owner !== undefined) return this.#head(tags.BUFFER_OF, owner, pos);
    this.#claim(buffer);
    // A resizable buffer stays one, which is for structured clone to do.
    if (buffer.resizable || buffer.byteLength > MAX_BYTES) return this.#extra(buffer, pos);
    return this.#data(tags.ARRAY_BUFFER, buffer, 0, buffer.byteLength, pos);
  }

  /** Call before a whole buffer is written. */
  #claim(buffer: ArrayBuffer): void {
    if (buffer.byteLength === 0 && buffer.detached) this.#refuse(buffer);
    if (this.#parts !== undefined && this.#parts.has(buffer)) throw RESTART;
  }

  /**
   * Structured clone copies the whole buffer of a view. That is kept where it can be told: when two
   * views share a buffer. A single view of at most half a buffer is copied alone, so that ten bytes
   * of a pool of many kilobytes do not cost many kilobytes; its copy begins at offset 0.
   */
  #view(view: ArrayBufferView, pos: number): number {
    const name = (TYPED_ARRAY_TAG.call(view) as string | undefined) ?? "DataView";
    const kind = tags.VIEW_NAMES.indexOf(name);
    const buffer = view.buffer;
    const size = buffer.byteLength;
    if (kind < 0 || size > MAX_BYTES || isResizable(buffer)) {
      // Whether its length follows a resizable buffer cannot be asked; structured clone knows.
      if (this.#parts?.has(buffer)) throw RESTART;
      return this.#extra(view, pos);
    }
    const length = view.byteLength;
    if (
      !(buffer instanceof ArrayBuffer) || this.#transfer?.has(buffer) || this.#hasMet(buffer)
    ) {
      return this.#viewOf(view, kind, buffer, pos);
    }
    const ownerKnown = this.#ownedBuffers?.has(buffer) === true;
    if (!ownerKnown && length === size) {
      this.#claim(buffer);
      this.#ownedBuffers ??= new Map();
      this.#ownedBuffers.set(buffer, this.#count - 1);
      return this.#data(tags.TYPED | kind << 8, buffer, 0, length, pos);
    }
    if (!ownerKnown && !this.#keepBuffers && length <= size / 2) {
      this.#claim(buffer);
      this.#parts ??= new Set();
      this.#parts.add(buffer);
      return this.#data(tags.TYPED | kind << 8, buffer, view.byteOffset, length, pos);
    }
    return this.#viewOf(view, kind, buffer, pos);
  }

  #viewOf(view: ArrayBufferView, kind: number, buffer: ArrayBufferLike, pos: number): number {
    if (pos + 3 > this.#end) pos = this.#makeRoom(pos, 3);
    this.#words[pos] = tags.VIEW | kind << 8;
    this.#words[pos + 1] = view.byteOffset;
    this.#words[pos + 2] = (view as Uint8Array).length ?? view.byteLength;
    return this.#object(buffer, pos + 3);
  }

  #data(word: number, buffer: ArrayBuffer, from: number, length: number, pos: number): number {
    const size = length < tags.EXTERN_BYTES ? (length + 3) >> 2 : 0;
    if (pos + 2 + size > this.#end) pos = this.#makeRoom(pos, 2 + size);
    this.#words[pos] = word;
    this.#words[pos + 1] = length;
    if (length === 0) return pos + 2;
    const bytes = new Uint8Array(buffer, from, length);
    if (length < tags.EXTERN_BYTES) {
      this.#bytes.set(bytes, (pos + 2) * 4);
    } else {
      this.externs.push(bytes);
      this.externBytes += (length + 7) & ~7;
    }
    return pos + 2 + size;
  }

  #error(value: object, pos: number): number {
    const error = value as Error & { errors?: unknown };
    const { name, message, stack } = error;
    const hasErrors = Object.hasOwn(error, "errors") && Array.isArray(error.errors);
    const own = ownKeys(error, hasErrors);
    let fields = 0;
    if (typeof name === "string") fields |= tags.HAS_NAME;
    if (typeof message === "string" && (message !== "" || Object.hasOwn(error, "message"))) {
      fields |= tags.HAS_MESSAGE;
    }
    if (typeof stack === "string") fields |= tags.HAS_STACK;
    if (Object.hasOwn(error, "cause")) fields |= tags.HAS_CAUSE;
    if (hasErrors) fields |= tags.HAS_ERRORS;
    if (own.length > 0) fields |= tags.HAS_OWN;
    pos = this.#word(tags.ERROR | fields << 8, pos);
    pos = this.#string(errorClassName(error), pos);
    if (fields & tags.HAS_NAME) pos = this.#string(name, pos);
    if (fields & tags.HAS_MESSAGE) pos = this.#string(message, pos);
    if (fields & tags.HAS_STACK) pos = this.#string(stack as string, pos);
    if (fields & tags.HAS_CAUSE) pos = this.#field(error, "cause", pos);
    if (hasErrors) {
      const errors = error.errors as unknown[];
      const length = errors.length;
      pos = this.#head(tags.ARRAY, length, pos);
      for (let i = 0; i < length; i++) pos = this.#field(errors, i, pos);
    }
    return own.length > 0 ? this.#ownFields(error, own, pos) : pos;
  }

  #domException(error: DOMException, pos: number): number {
    const own = ownKeys(error, false);
    const stack = error.stack;
    let fields = 0;
    if (typeof stack === "string") fields |= tags.HAS_STACK;
    if (Object.hasOwn(error, "cause")) fields |= tags.HAS_CAUSE;
    if (own.length > 0) fields |= tags.HAS_OWN;
    pos = this.#word(tags.DOM_EXCEPTION | fields << 8, pos);
    pos = this.#string(error.name, pos);
    pos = this.#string(error.message, pos);
    if (fields & tags.HAS_STACK) pos = this.#string(stack as string, pos);
    if (fields & tags.HAS_CAUSE) pos = this.#field(error, "cause", pos);
    return own.length > 0 ? this.#ownFields(error, own, pos) : pos;
  }

  #ownFields(error: object, keys: readonly string[], pos: number): number {
    pos = this.#head(tags.DICTIONARY, keys.length, pos);
    for (const key of keys) {
      pos = this.#string(key, pos);
      pos = this.#field(error, key, pos);
    }
    return pos;
  }

  /** Writes a property of an error; one that cannot be cloned as text, so that the error arrives. */
  #field(object: object, key: PropertyKey, pos: number): number {
    const mark: Mark = {
      at: pos - this.#base(),
      count: this.#count,
      shapes: this.#shapeCount,
      externs: this.externs.length,
      externBytes: this.externBytes,
      extras: this.extras.length,
    };
    let value: unknown;
    try {
      value = (object as Record<PropertyKey, unknown>)[key];
      return this.#value(value, pos);
    } catch (error) {
      if (error === RESTART) throw error;
      const culprit = error === REFUSED ? REFUSED.culprit : value;
      REFUSED.culprit = undefined;
      this.#takeBack(mark);
      const text = describe(value);
      const reason = culprit === value ? "" : ` with ${describe(culprit)}`;
      return this.#string(text + reason, mark.at + this.#base());
    }
  }

  #takeBack(mark: Mark): void {
    const met = [...(this.#numbers?.keys() ?? this.#met ?? this.#linear)].slice(0, mark.count);
    this.#linear.fill(undefined, Math.min(mark.count, LINEAR));
    this.#numbers = undefined;
    this.#met = mark.count < LINEAR ? undefined : new Set(met as object[]);
    if (this.#ownedBuffers !== undefined) {
      for (const [buffer, number] of this.#ownedBuffers) {
        if (number >= mark.count) this.#ownedBuffers.delete(buffer);
      }
    }
    this.#count = mark.count;
    // Shapes first met in what is taken back have no number any more; the others are written anew.
    this.#shapeCount = mark.shapes;
    this.#message++;
    this.externs.length = mark.externs;
    this.externBytes = mark.externBytes;
    this.extras.length = mark.extras;
  }
}

/** Writes key blocks; made when first needed. It never meets user code, so it is never busy. */
let KEY_BLOCK: Encoder | undefined;

const TYPED_ARRAY_TAG = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;
const BYTE_LENGTH = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;
const SOURCE = Object.getOwnPropertyDescriptor(RegExp.prototype, "source")!.get!;

function sourceOf(value: object): string {
  return SOURCE.call(value);
}

function isResizable(buffer: ArrayBufferLike): boolean {
  return buffer instanceof ArrayBuffer
    ? buffer.resizable === true
    : (buffer as { growable?: boolean }).growable === true;
}

function valuesOf(object: object, keys: readonly string[]): unknown[] {
  return keys.map((key) => (object as Record<string, unknown>)[key]);
}

/** Own enumerable keys of an error, without those that are fields of every error. */
function ownKeys(error: object, hasErrors: boolean): string[] {
  return Object.keys(error).filter((key) =>
    key !== "name" && key !== "message" && key !== "stack" && key !== "cause" &&
    !(hasErrors && key === "errors")
  );
}
