/**
 * Reads values back from words. The layout, and why it is so, is told in `tags.ts`.
 *
 * What is read out is never a view of the words: strings and numbers are built, bytes are copied
 * into fresh buffers. Two caches make short strings and key lists cheap; both are direct-mapped, of
 * fixed size, and compare the very words, so a hit is certain and a miss costs what it replaces.
 *
 * Invariants:
 * 1. An object takes its number before its contents are read, as in the encoder, so that a REF to
 *    one that is not complete yet (a cycle) finds it.
 * 2. Nothing of a value is held once `decode` has returned or thrown, but strings in the caches.
 *
 * @module
 */

import { createError } from "./errors.ts";
import { fromHandle } from "./handle.ts";
import * as tags from "./tags.ts";

/** Strings of at most this many words are cached. */
const CACHED_WORDS = 6;
/** Words a cached string takes: its first word, its chars, rounded up to a power of two. */
const STRIDE = 8;
/** Number of cached strings; a power of two. */
const STRINGS = 1024;
/** Number of cached key lists; a power of two. */
const SHAPES = 256;
/** Object list of more entries than this is given up after the value. */
const MAX_KEPT_OBJECTS = 64;
/** Arrays of more items than this are dictionaries in V8 when made with their length at once. */
const MAX_PRESIZED = 1 << 24;

const NO_EXTRAS: readonly unknown[] = [];
/** A byte order mark is a character like any other here. */
const TEXT_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const fromCharCode = String.fromCharCode;

/** A key list, and the words that say it. */
interface Shape {
  readonly hash: number;
  readonly block: Int32Array;
  readonly keys: readonly string[];
  /** Whether a key is `__proto__`, which assignment would take for the prototype. */
  readonly isOdd: boolean;
}

/** Turns words into values. One decoder serves one thread, any number of values after each other. */
export class Decoder {
  /** The index after the last word that `decode` read. */
  position = 0;

  #words: Int32Array = new Int32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #pos = 0;
  #externAt = 0;
  #extras: readonly unknown[] = NO_EXTRAS;
  #busy = false;

  #objects: unknown[] = [];
  #count = 0;
  #messageShapes: Shape[] = [];
  #messageShapeCount = 0;

  readonly #stringWords = new Int32Array(STRINGS * STRIDE);
  readonly #strings: string[] = new Array(STRINGS).fill("");
  readonly #shapes: (Shape | undefined)[] = new Array(SHAPES).fill(undefined);

  /**
   * Decodes a value.
   *
   * @param words The memory the value is in.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the value's first word.
   * @param externBase Byte at which the externs begin: after the words of a block, at a multiple of 8.
   * @param extras What the message carried beside the words.
   * @returns The value; all of it is this thread's own, but for what is shared by its nature.
   * @throws {Error} If it holds a shared object whose kind is not registered here.
   */
  decode(
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    externBase = 0,
    extras: readonly unknown[] = NO_EXTRAS,
  ): unknown {
    if (this.#busy) return this.#decodeNested(words, bytes, start, externBase, extras);
    this.#busy = true;
    this.#words = words;
    this.#bytes = bytes;
    this.#pos = start;
    this.#externAt = externBase;
    this.#extras = extras;
    try {
      return this.#value();
    } finally {
      this.position = this.#pos;
      this.#forget();
    }
  }

  /** The rebuilding of a shared object may itself decode; what it reads is numbered apart. */
  #decodeNested(
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    externBase: number,
    extras: readonly unknown[],
  ): unknown {
    const nested = new Decoder();
    try {
      return nested.decode(words, bytes, start, externBase, extras);
    } finally {
      this.position = nested.position;
    }
  }

  #forget(): void {
    if (this.#count > MAX_KEPT_OBJECTS) this.#objects = [];
    else for (let i = 0; i < this.#count; i++) this.#objects[i] = undefined;
    if (this.#messageShapeCount > MAX_KEPT_OBJECTS) this.#messageShapes = [];
    this.#count = 0;
    this.#messageShapeCount = 0;
    this.#extras = NO_EXTRAS;
    this.#busy = false;
  }

  #value(): unknown {
    const word = this.#words[this.#pos++];
    switch (word & 0xff) {
      case tags.UNDEFINED:
        return undefined;
      case tags.NULL:
        return null;
      case tags.FALSE:
        return false;
      case tags.TRUE:
        return true;
      case tags.INT24:
        return word >> 8;
      case tags.INT32:
        return this.#words[this.#pos++];
      case tags.DOUBLE:
        return this.#double();
      case tags.BIGINT64:
        this.#double();
        return tags.PAIR_BIGINT[0];
      case tags.BIGINT: {
        const magnitude = BigInt(`0x${this.#string()}`);
        return word >>> 8 === 1 ? -magnitude : magnitude;
      }
      case tags.LATIN1:
        return this.#latin1(word);
      case tags.UTF16:
        return this.#utf16(this.#length(word));
      case tags.UTF8:
        return this.#utf8();
      case tags.REF:
        return this.#objects[this.#length(word)];
      case tags.ARRAY:
        return this.#array(this.#length(word));
      case tags.ARRAY_LOOSE:
        return this.#looseArray(this.#length(word));
      case tags.ARRAY_SPARSE:
        return this.#sparseArray();
      case tags.ARRAY_INT32:
        return this.#intArray(this.#length(word));
      case tags.ARRAY_DOUBLE:
        return this.#doubleArray(this.#length(word));
      case tags.OBJECT:
        return this.#object(this.#shape(word));
      case tags.OBJECT_AGAIN:
        return this.#object(this.#messageShapes[this.#length(word)]);
      case tags.DICTIONARY:
        return this.#entries(this.#keep({}), word);
      case tags.MAP:
        return this.#map(this.#length(word));
      case tags.SET:
        return this.#set(this.#length(word));
      case tags.DATE:
        return this.#keep(new Date(this.#double()));
      case tags.REGEXP:
        return this.#keep(new RegExp(this.#string(), this.#string()));
      case tags.BOXED:
        return this.#keep(Object(this.#value()));
      case tags.ARRAY_BUFFER:
        return this.#keep(this.#data().buffer);
      case tags.TYPED:
        return this.#typed(word >>> 8);
      case tags.VIEW:
        return this.#view(word >>> 8);
      case tags.BUFFER_OF:
        return this.#keep((this.#objects[this.#length(word)] as ArrayBufferView).buffer);
      case tags.ERROR:
        return this.#error(word >>> 8);
      case tags.DOM_EXCEPTION:
        return this.#domException(word >>> 8);
      case tags.HANDLE_OF:
        return this.#handle();
      case tags.EXTRA:
        return this.#keep(this.#extras[this.#length(word)] as object);
    }
    throw new Error(`Cannot decode: word ${this.#pos - 1} is ${word}, which begins no value`);
  }

  #length(word: number): number {
    const length = word >>> 8;
    return length === tags.LONG ? this.#words[this.#pos++] >>> 0 : length;
  }

  #keep<T extends object>(object: T): T {
    this.#objects[this.#count++] = object;
    return object;
  }

  #double(): number {
    const pos = this.#pos;
    tags.PAIR_WORDS[0] = this.#words[pos];
    tags.PAIR_WORDS[1] = this.#words[pos + 1];
    this.#pos = pos + 2;
    return tags.PAIR_DOUBLE[0];
  }

  #string(): string {
    return this.#value() as string;
  }

  #latin1(word: number): string {
    const length = word >>> 8;
    const size = (length + 3) >> 2;
    const pos = this.#pos;
    this.#pos = pos + size;
    if (size > CACHED_WORDS) return this.#chars(pos, length);
    const words = this.#words;
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
    const words = this.#words;
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

  #utf16(length: number): string {
    const words = this.#words;
    let pos = this.#pos;
    this.#pos = pos + ((length + 1) >> 1);
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

  #utf8(): string {
    const length = this.#words[this.#pos] >>> 0;
    const at = (this.#pos + 1) * 4;
    this.#pos += 1 + Math.ceil(length / 4);
    return decodeText(this.#bytes, at, length);
  }

  #array(length: number): unknown[] {
    const array: unknown[] = this.#keep(length > MAX_PRESIZED ? [] : new Array(length));
    for (let i = 0; i < length; i++) array[i] = this.#value();
    return array;
  }

  #looseArray(length: number): unknown[] {
    const array: unknown[] = this.#keep([]);
    array.length = length;
    for (let i = 0; i < length; i++) {
      if (this.#words[this.#pos] === tags.HOLE) this.#pos++;
      else array[i] = this.#value();
    }
    return this.#entries(array, this.#words[this.#pos++]);
  }

  #sparseArray(): unknown[] {
    const array: unknown[] = this.#keep([]);
    array.length = this.#words[this.#pos++] >>> 0;
    return this.#entries(array, this.#words[this.#pos++]);
  }

  #intArray(length: number): number[] {
    const array: number[] = this.#keep(length > MAX_PRESIZED ? [] : new Array(length));
    const words = this.#words;
    const pos = this.#pos;
    for (let i = 0; i < length; i++) array[i] = words[pos + i];
    this.#pos = pos + length;
    return array;
  }

  #doubleArray(length: number): number[] {
    const array: number[] = this.#keep(length > MAX_PRESIZED ? [] : new Array(length));
    const words = this.#words;
    const from = this.#pos;
    this.#pos = from + 2 * length;
    // Word by word into a pair, each double would wait for its two words to reach memory.
    for (let i = 0; i < length;) {
      const count = Math.min(length - i, tags.STAGE_DOUBLES.length);
      tags.STAGE_WORDS.set(words.subarray(from + 2 * i, from + 2 * (i + count)));
      for (let k = 0; k < count; k++) array[i++] = tags.STAGE_DOUBLES[k];
    }
    return array;
  }

  /** Reads a key block, or finds it in the cache, and gives it the next shape number. */
  #shape(word: number): Shape {
    const words = this.#words;
    const hash = words[this.#pos];
    const size = words[this.#pos + 1];
    const pos = this.#pos + 2;
    const slot = hash & (SHAPES - 1);
    let shape = this.#shapes[slot];
    let i = 0;
    if (shape !== undefined && shape.hash === hash && shape.block.length === size) {
      const block = shape.block;
      while (i < size && block[i] === words[pos + i]) i++;
    }
    if (shape === undefined || i !== size || size === 0) {
      this.#pos = pos;
      const keys: string[] = [];
      for (let count = word >>> 8; count > 0; count--) keys.push(this.#string());
      const block = Int32Array.from(words.subarray(pos, pos + size));
      shape = { hash, block, keys, isOdd: keys.includes("__proto__") };
      if (size <= tags.MAX_SHAPE_WORDS) this.#shapes[slot] = shape;
    }
    this.#pos = pos + size;
    this.#messageShapes[this.#messageShapeCount++] = shape;
    return shape;
  }

  #object(shape: Shape): object {
    const object: Record<string, unknown> = this.#keep({});
    const keys = shape.keys;
    if (shape.isOdd) {
      for (const key of keys) define(object, key, this.#value(), true);
      return object;
    }
    for (let i = 0; i < keys.length; i++) object[keys[i]] = this.#value();
    return object;
  }

  /** Reads the keys and values of a DICTIONARY into an object. */
  #entries<T extends object>(object: T, word: number): T {
    for (let count = this.#length(word); count > 0; count--) {
      const key = this.#string();
      const value = this.#value();
      if (key === "__proto__") define(object, key, value, true);
      else (object as Record<string, unknown>)[key] = value;
    }
    return object;
  }

  #map(length: number): Map<unknown, unknown> {
    const map = this.#keep(new Map<unknown, unknown>());
    for (let i = 0; i < length; i += 2) {
      const key = this.#value();
      map.set(key, this.#value());
    }
    return map;
  }

  #set(length: number): Set<unknown> {
    const set = this.#keep(new Set<unknown>());
    for (let i = 0; i < length; i++) set.add(this.#value());
    return set;
  }

  /** Reads a length and copies that many bytes out of the memory. */
  #data(): Uint8Array<ArrayBuffer> {
    const length = this.#words[this.#pos++];
    let at = this.#pos * 4;
    if (length < tags.EXTERN_BYTES) {
      this.#pos += (length + 3) >> 2;
    } else {
      at = this.#externAt;
      this.#externAt += (length + 7) & ~7;
    }
    // Of all ways to copy out of shared memory this one is steadily the fastest: the buffer is not
    // zeroed first, and none is made in shared memory, as SharedArrayBuffer.slice would.
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  #typed(kind: number): ArrayBufferView {
    const number = this.#count++;
    const data = this.#data();
    const view = kind === 0 ? data : makeView(kind, data.buffer);
    this.#objects[number] = view;
    return view;
  }

  #view(kind: number): ArrayBufferView {
    const number = this.#count++;
    const byteOffset = this.#words[this.#pos++] >>> 0;
    const length = this.#words[this.#pos++] >>> 0;
    const view = makeView(kind, this.#value() as ArrayBufferLike, byteOffset, length);
    this.#objects[number] = view;
    return view;
  }

  #handle(): object {
    const number = this.#count++;
    const kind = this.#string();
    const object = fromHandle({ kind, data: this.#value() });
    this.#objects[number] = object;
    return object;
  }

  #error(fields: number): Error {
    const number = this.#count++;
    const error = createError(this.#string());
    this.#objects[number] = error;
    if (fields & tags.HAS_NAME) {
      const name = this.#string();
      if (error.name !== name) define(error, "name", name, false);
    }
    if (fields & tags.HAS_MESSAGE) define(error, "message", this.#string(), false);
    // Assigned, for V8's own accessor to take it. Without one it has none: ours would mislead.
    error.stack = fields & tags.HAS_STACK ? this.#string() : undefined;
    if (fields & tags.HAS_CAUSE) define(error, "cause", this.#value(), false);
    if (fields & tags.HAS_ERRORS) define(error, "errors", this.#errors(), false);
    if (fields & tags.HAS_OWN) this.#ownFields(error);
    return error;
  }

  #errors(): unknown[] {
    const errors: unknown[] = [];
    for (let count = this.#length(this.#words[this.#pos++]); count > 0; count--) {
      errors.push(this.#value());
    }
    return errors;
  }

  #domException(fields: number): Error {
    const number = this.#count++;
    const name = this.#string();
    const message = this.#string();
    let error: Error;
    if (typeof DOMException === "function") {
      error = new DOMException(message, name);
    } else {
      error = createError("Error");
      define(error, "name", name, false);
      define(error, "message", message, false);
    }
    this.#objects[number] = error;
    if (fields & tags.HAS_STACK) define(error, "stack", this.#string(), false);
    if (fields & tags.HAS_CAUSE) define(error, "cause", this.#value(), false);
    if (fields & tags.HAS_OWN) this.#ownFields(error);
    return error;
  }

  #ownFields(error: object): void {
    for (let count = this.#length(this.#words[this.#pos++]); count > 0; count--) {
      const key = this.#string();
      define(error, key, this.#value(), true);
    }
  }
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, configurable: true, writable: true });
}

function makeView(
  kind: number,
  buffer: ArrayBufferLike,
  byteOffset?: number,
  length?: number,
): ArrayBufferView {
  const constructor = tags.VIEW_CONSTRUCTORS[kind];
  if (constructor === undefined) {
    throw new TypeError(`Cannot receive ${tags.VIEW_NAMES[kind]}: this runtime has none`);
  }
  return new constructor(buffer, byteOffset, length);
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
