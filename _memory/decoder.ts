/**
 * Reads values back from words. `tags.ts` describes the layout, and the reasons for it;
 * `word_reader.ts` reads numbers, strings and lists of keys.
 *
 * The values are never views of the words: strings and numbers are built, bytes are copied into
 * fresh buffers.
 *
 * Invariants:
 * 1. An object takes its number before its contents are read, as in the encoder, so that a REF to
 *    one that is not complete yet (a cycle) finds it.
 * 2. Once `decode` has returned or thrown, the decoder holds nothing of the value but strings and
 *    lists of keys.
 *
 * @module
 */

import { copyOf } from "../_platform/memory.ts";
import { createError } from "./errors.ts";
import { fromHandle, type Handle } from "./handle.ts";
import * as tags from "./tags.ts";
import { type KeyList, WordReader } from "./word_reader.ts";

/** A list of objects or key lists of more entries than this is dropped after the value. */
const MAX_KEPT_OBJECTS = 64;
/**
 * V8 stores an array of more items than this as a dictionary if it is made with its full length.
 */
const MAX_PRESIZED = 1 << 24;

const NO_EXTRAS: readonly unknown[] = [];

/** Turns words into values. A decoder belongs to one thread and decodes any number of values. */
export class Decoder extends WordReader {
  /** The index after the last word that `decode` read. */
  position = 0;

  #externAt = 0;
  #extras: readonly unknown[] = NO_EXTRAS;
  #busy = false;

  #objects: unknown[] = [];
  #count = 0;
  /** The lists of keys of this message, by number. */
  #keyLists: KeyList[] = [];
  #keyListCount = 0;
  /** How many errors, each nested in the one before, are being read. */
  #errorDepth = 0;
  /** Why shared objects in those errors could not be rebuilt, by object number. */
  #lost: Map<number, unknown> | undefined;
  readonly #rebuild: (handle: Handle) => unknown;

  /**
   * @param rebuild Returns what stands for a shared object here: by default this thread's view of
   * it.
   */
  constructor(rebuild: (handle: Handle) => unknown = fromHandle) {
    super();
    this.#rebuild = rebuild;
  }

  /**
   * Decodes a value.
   *
   * @param words The memory the value is in.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the value's first word.
   * @param externBase Byte position of the externs: after the words of a block, at a multiple of 8.
   * @param extras The values that the message carried alongside the words.
   * @returns The value; all of it belongs to this thread, except for shared objects and shared
   * memory.
   * @throws {Error} If the value holds a shared object that cannot be rebuilt here; inside an
   * error, text takes the object's place instead.
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
    this.words = words;
    this.bytes = bytes;
    this.pos = start;
    this.entriesLeft = words.length - start;
    this.#externAt = externBase;
    this.#extras = extras;
    try {
      return this.#value();
    } finally {
      this.position = this.pos;
      this.#forget();
    }
  }

  /**
   * Rebuilding a shared object may itself decode; the objects that it reads are numbered
   * separately.
   */
  #decodeNested(
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    externBase: number,
    extras: readonly unknown[],
  ): unknown {
    const nested = new Decoder(this.#rebuild);
    try {
      return nested.decode(words, bytes, start, externBase, extras);
    } finally {
      this.position = nested.position;
    }
  }

  #forget(): void {
    if (this.#count > MAX_KEPT_OBJECTS) this.#objects = [];
    else for (let i = 0; i < this.#count; i++) this.#objects[i] = undefined;
    if (this.#keyListCount > MAX_KEPT_OBJECTS) this.#keyLists = [];
    this.#count = 0;
    this.#keyListCount = 0;
    this.#extras = NO_EXTRAS;
    this.#errorDepth = 0;
    this.#lost = undefined;
    this.#busy = false;
  }

  readonly #read = (): unknown => this.#value();

  #value(): unknown {
    const word = this.words[this.pos++];
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
        return this.words[this.pos++];
      case tags.DOUBLE:
        return this.readDouble();
      case tags.BIGINT64:
        this.readDouble();
        return tags.PAIR_BIGINT[0];
      case tags.BIGINT: {
        const magnitude = BigInt(`0x${this.#string()}`);
        return word >>> 8 === 1 ? -magnitude : magnitude;
      }
      case tags.LATIN1:
        return this.readLatin1(word);
      case tags.UTF16:
        return this.readUtf16(this.readLength(word));
      case tags.UTF8:
        return this.readUtf8();
      case tags.REF:
        return this.#again(this.readLength(word));
      case tags.ARRAY:
        return this.#array(this.readCount(word));
      case tags.ARRAY_LOOSE:
        return this.#looseArray(this.readCount(word));
      case tags.ARRAY_SPARSE:
        return this.#sparseArray();
      case tags.ARRAY_INT32:
        return this.#intArray(this.readCount(word));
      case tags.ARRAY_DOUBLE:
        return this.#doubleArray(this.readCount(word));
      case tags.OBJECT:
        return this.#object(this.#keyLists[this.#keyListCount++] = this.readKeyList(word));
      case tags.OBJECT_AGAIN:
        return this.#object(this.#keyLists[this.readLength(word)]);
      case tags.DICTIONARY:
        return this.#entries(this.#keep({}), word);
      case tags.MAP:
        return this.#map(this.readCount(word));
      case tags.SET:
        return this.#set(this.readCount(word));
      case tags.DATE:
        return this.#keep(new Date(this.readDouble()));
      case tags.REGEXP:
        return this.#keep(new RegExp(this.#string(), this.#string()));
      case tags.BOXED:
        return this.#keep(Object(this.#value()));
      case tags.ARRAY_BUFFER:
        return this.#keep(this.#data().buffer);
      case tags.RESIZABLE:
        return this.#keep(this.#resizable());
      case tags.TYPED:
        return this.#typed(word >>> 8);
      case tags.VIEW:
        return this.#view(word >>> 8);
      case tags.BUFFER_OF:
        return this.#keep((this.#objects[this.readLength(word)] as ArrayBufferView).buffer);
      case tags.ERROR:
        return this.#error(word >>> 8);
      case tags.DOM_EXCEPTION:
        return this.#domException(word >>> 8);
      case tags.HANDLE_OF:
        return this.#handle();
      case tags.EXTRA:
        return this.#keep(this.#extras[this.readLength(word)] as object);
    }
    throw new Error(`Cannot decode: word ${this.pos - 1} is ${word}, which begins no value`);
  }

  #keep<T extends object>(object: T): T {
    this.#objects[this.#count++] = object;
    return object;
  }

  #string(): string {
    return this.#value() as string;
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
      if (this.words[this.pos] === tags.HOLE) this.pos++;
      else array[i] = this.#value();
    }
    return this.#entries(array, this.words[this.pos++]);
  }

  #sparseArray(): unknown[] {
    const array: unknown[] = this.#keep([]);
    array.length = this.words[this.pos++] >>> 0;
    return this.#entries(array, this.words[this.pos++]);
  }

  #intArray(length: number): number[] {
    const array: number[] = this.#keep(length > MAX_PRESIZED ? [] : new Array(length));
    const words = this.words;
    const pos = this.pos;
    for (let i = 0; i < length; i++) array[i] = words[pos + i];
    this.pos = pos + length;
    return array;
  }

  #doubleArray(length: number): number[] {
    const array: number[] = this.#keep(length > MAX_PRESIZED ? [] : new Array(length));
    const words = this.words;
    const from = this.pos;
    this.pos = from + 2 * length;
    // If the words were copied into a pair one by one, each double would wait for its two words to
    // reach memory.
    for (let i = 0; i < length;) {
      const count = Math.min(length - i, tags.STAGE_DOUBLES.length);
      tags.STAGE_WORDS.set(words.subarray(from + 2 * i, from + 2 * (i + count)));
      for (let k = 0; k < count; k++) array[i++] = tags.STAGE_DOUBLES[k];
    }
    return array;
  }

  #object(list: KeyList): object {
    const shape = list.nextShape();
    if (shape !== undefined) {
      const object = this.#keep(shape.make());
      shape.fill(object, this.#read);
      return object;
    }
    const object: Record<string, unknown> = this.#keep({});
    const keys = list.keys;
    if (list.isOdd) {
      for (const key of keys) define(object, key, this.#value(), true);
      return object;
    }
    for (let i = 0; i < keys.length; i++) object[keys[i]] = this.#value();
    return object;
  }

  /** Reads the keys and values of a DICTIONARY into an object. */
  #entries<T extends object>(object: T, word: number): T {
    // To look for each key takes a quarter of the time, so it is done only where keys may be
    // inherited that cannot be assigned.
    const isFrozen = !Object.isExtensible(Object.prototype);
    for (let count = this.readCount(word); count > 0; count--) {
      const key = this.#string();
      const value = this.#value();
      if (isFrozen ? key in object : key === "__proto__") define(object, key, value, true);
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
    const length = this.words[this.pos++] >>> 0;
    let at = this.pos * 4;
    if (length < tags.EXTERN_BYTES) {
      this.pos += (length + 3) >> 2;
    } else {
      at = this.#externAt;
      this.#externAt += (length + 7) & ~7;
    }
    if (at + length > this.bytes.length) this.refuseLength(length);
    return copyOf(this.bytes.subarray(at, at + length));
  }

  #resizable(): ArrayBuffer {
    const data = this.#data();
    const buffer = new ArrayBuffer(data.length, { maxByteLength: this.#value() as number });
    new Uint8Array(buffer).set(data);
    return buffer;
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
    const byteOffset = this.words[this.pos++];
    const length = this.words[this.pos++];
    const buffer = this.#value() as ArrayBufferLike;
    const view = makeView(kind, buffer, byteOffset, length === tags.FOLLOWS ? undefined : length);
    this.#objects[number] = view;
    return view;
  }

  #handle(): unknown {
    const number = this.#count++;
    const handle = { kind: this.#string(), data: this.#value() };
    try {
      return this.#objects[number] = this.#rebuild(handle);
    } catch (error) {
      const text = this.#textFor(error);
      (this.#lost ??= new Map()).set(number, error);
      return text;
    }
  }

  /**
   * The text that stands for an object that could not be rebuilt. Only inside an error may text
   * stand for it: elsewhere this throws.
   */
  #textFor(error: unknown): string {
    if (this.#errorDepth === 0 || !(error instanceof Error)) throw error;
    return error.message;
  }

  /** Returns an object that was read before. */
  #again(number: number): unknown {
    const lost = this.#lost?.get(number);
    return lost === undefined ? this.#objects[number] : this.#textFor(lost);
  }

  #error(fields: number): Error {
    this.#errorDepth++;
    const number = this.#count++;
    const error = createError(this.#string());
    this.#objects[number] = error;
    if (fields & tags.HAS_NAME) {
      const name = this.#string();
      if (error.name !== name) define(error, "name", name, false);
    }
    if (fields & tags.HAS_MESSAGE) define(error, "message", this.#string(), false);
    // Assigned, so that V8's own accessor takes it. An error sent without a stack gets none: the
    // stack of this decoder would mislead.
    const stack = fields & tags.HAS_STACK ? this.#string() : undefined;
    error.stack = stack;
    // Firefox's accessor, which errors inherit, makes an enumerable property.
    if (Object.prototype.propertyIsEnumerable.call(error, "stack")) {
      define(error, "stack", stack, false);
    }
    if (fields & tags.HAS_CAUSE) define(error, "cause", this.#value(), false);
    if (fields & tags.HAS_ERRORS) define(error, "errors", this.#errors(), false);
    if (fields & tags.HAS_OWN) this.#ownFields(error);
    this.#errorDepth--;
    return error;
  }

  #errors(): unknown[] {
    const errors: unknown[] = [];
    for (let count = this.readCount(this.words[this.pos++]); count > 0; count--) {
      errors.push(this.#value());
    }
    return errors;
  }

  #domException(fields: number): Error {
    this.#errorDepth++;
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
    this.#errorDepth--;
    return error;
  }

  #ownFields(error: object): void {
    for (let count = this.readCount(this.words[this.pos++]); count > 0; count--) {
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
