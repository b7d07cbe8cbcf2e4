/**
 * Writes values as words of shared memory. `tags.ts` describes the layout, and the reasons for it.
 *
 * An encoder has three layers. `word_writer.ts` knows where words go, and writes numbers and
 * strings; `exotic_writer.ts` writes the objects that need more than a look at their keys; this
 * file has the methods that callers use, and writes the plain objects and arrays that most values
 * are made of.
 *
 * Invariants:
 * 1. Objects and key lists are numbered in the order in which the decoder meets their words.
 * 2. An encoding that fails leaves nothing behind: the encoder can be used for the next value.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { cloneError, placeOf } from "./errors.ts";
import { copyOf, ExoticWriter, REFUSED, RESTART } from "./exotic_writer.ts";
import { HANDLE, type Shareable } from "./handle.ts";
import { isTied } from "./runtime_objects.ts";
import * as tags from "./tags.ts";

/** Arrays longer than this have their keys counted by Object.values, which makes no strings. */
const MAX_LISTED_KEYS = 32;

const NO_KEYS: readonly string[] = [];

/**
 * Turns values into words. An encoder belongs to one thread and encodes any number of values, one
 * at a time.
 */
export class Encoder extends ExoticWriter {
  /** Whether an `encode` is running: a getter of the value must use another encoder. */
  busy = false;

  /**
   * Encodes a value into `words[start, end)`, if it fits there and needs no externs or extras.
   *
   * @param value The value.
   * @param words The target.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the first word that may be written.
   * @param end Index after the last word that may be written.
   * @param moved The objects that the sender will lose: a view of such a buffer is written with the
   * whole buffer.
   * @param copiesMoved Whether those objects are copied all the same, and the caller takes them
   * from the sender. Otherwise each becomes an extra.
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
    moved?: ReadonlySet<object>,
    copiesMoved = false,
  ): number {
    return this.#run(value, words, bytes, start, end, moved, copiesMoved, false);
  }

  /**
   * Encodes a list of arguments or items as `encode` does. The list must have no properties but its
   * items: others are not looked for.
   *
   * @param values The list.
   * @param words The target.
   * @param bytes The same memory, from the same byte on.
   * @param start Index of the first word that may be written.
   * @param end Index after the last word that may be written.
   * @param moved As for `encode`.
   * @param copiesMoved As for `encode`.
   * @returns As `encode`.
   */
  encodeList(
    values: readonly unknown[],
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    moved?: ReadonlySet<object>,
    copiesMoved = false,
  ): number {
    return this.#run(values, words, bytes, start, end, moved, copiesMoved, true);
  }

  #run(
    value: unknown,
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
    moved: ReadonlySet<object> | undefined,
    copiesMoved: boolean,
    isList: boolean,
  ): number {
    if (this.busy) {
      throw new Error("Cannot encode: the encoder is busy with the value whose getter is running");
    }
    this.reset();
    this.handles = 0;
    this.busy = true;
    this.moved = moved;
    this.copiesMoved = copiesMoved;
    this.aim(words, bytes, start, end);
    let done = false;
    try {
      let next = isList ? this.#list(value as unknown[], start) : this.writeValue(value, start);
      if (this.hasSpilled()) {
        this.spillWords = next;
        next = -1;
      } else if (this.externs.length > 0 || this.extras.length > 0) {
        this.spillWords = this.makeRoom(next, 0);
        next = -1;
      }
      if (next < 0 && this.blockBytes > this.mostBytes) {
        throw new DOMException(
          `Cannot send value to another process: it takes ${this.blockBytes} bytes, of ${this.mostBytes} at most; send it in parts`,
          "DataCloneError",
        );
      }
      done = true;
      return next;
    } catch (error) {
      if (error !== RESTART || this.keepBuffers) {
        throw error === REFUSED ? this.#refusal(value) : error;
      }
    } finally {
      this.forget();
      this.busy = false;
      if (!done) this.reset();
    }
    // RESTART: a view was written with only its part of a buffer, and then the buffer turned up a
    // second time. Everything is written again, views with whole buffers; getters run twice.
    this.keepBuffers = true;
    try {
      return this.#run(value, words, bytes, start, end, moved, copiesMoved, isList);
    } finally {
      this.keepBuffers = false;
    }
  }

  #refusal(root: unknown): unknown {
    const { culprit, reason } = REFUSED;
    REFUSED.culprit = REFUSED.reason = undefined;
    if (reason !== undefined && typeof reason !== "function") return reason;
    const place = placeOf(root, culprit);
    if (reason !== undefined) return reason(place);
    return cloneError(`Cannot send value: ${describe(culprit)}${place} cannot be cloned`);
  }

  protected override writeValue(value: unknown, pos: number): number {
    switch (typeof value) {
      case "number":
        return this.writeNumber(value, pos);
      case "string":
        return this.writeString(value, pos);
      case "boolean":
        return this.writeWord(value ? tags.TRUE : tags.FALSE, pos);
      case "object":
        if (value === null) return this.writeWord(tags.NULL, pos);
        return this.#object(value, pos);
      case "undefined":
        return this.writeWord(tags.UNDEFINED, pos);
      case "bigint":
        return this.writeBigint(value, pos);
      case "function":
        if (typeof (value as Partial<Shareable>)[HANDLE] === "function") {
          return this.#object(value, pos);
        }
    }
    return this.refuse(value);
  }

  #object(value: object, pos: number): number {
    const number = this.objects.meet(value);
    if (number >= 0) return this.writeHead(tags.REF, number, pos);
    if (this.moved !== undefined && !this.copiesMoved && this.moved.has(value)) {
      return this.writeExtra(value, pos);
    }
    if (Array.isArray(value)) return this.#array(value, pos, false);
    if (typeof (value as Partial<Shareable>)[HANDLE] === "function") {
      return this.writeHandle(value as Shareable, pos);
    }
    // Asking for the prototype costs ten times as much. An object that fakes its constructor has a
    // function among its keys, which is refused.
    if (value.constructor === Object) return this.writePlain(value, pos);
    return this.writeExotic(value, pos);
  }

  protected override writePlain(value: object, pos: number): number {
    const keys = Object.keys(value);
    const count = keys.length;
    if (count === 0) {
      this.#checkEmpty(value);
      return this.writeWord(tags.DICTIONARY, pos);
    }
    let values: readonly unknown[] = Object.values(value);
    if (values.length !== count) {
      // A getter has added or removed a key: the list of keys made before it ran is used.
      values = keys.map((key) => (value as Record<string, unknown>)[key]);
    }
    if (count > tags.MAX_SHAPE_KEYS) return this.#dictionary(keys, values, pos);

    const list = this.keyLists.find(keys);
    const number = this.keyLists.meet(list);
    if (number >= 0) {
      pos = this.writeHead(tags.OBJECT_AGAIN, number, pos);
    } else {
      const block = list.block;
      const size = block.length;
      if (pos + size > this.end) pos = this.makeRoom(pos, size);
      const words = this.words;
      for (let i = 0; i < size; i++) words[pos + i] = block[i];
      pos += size;
    }
    for (let i = 0; i < count; i++) pos = this.writeValue(values[i], pos);
    return pos;
  }

  /**
   * Refuses an object that only looks plain, because it has no keys: an iterator on Node 20, whose
   * constructor is Object; a Proxy of a Map; an open file.
   */
  #checkEmpty(value: object): void {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return;
    if (copyOf(value) === undefined) this.refuse(value);
    if (!isTied(value)) return;
    this.refuse(value, (place) => {
      const what = `${describe(value)}${place} belongs to this thread`;
      return cloneError(
        `Cannot send value: ${what}; send what it was made of, such as a path or an address, and make it again there`,
      );
    });
  }

  #dictionary(keys: readonly string[], values: readonly unknown[], pos: number): number {
    pos = this.writeHead(tags.DICTIONARY, keys.length, pos);
    for (let i = 0; i < keys.length; i++) {
      pos = this.writeString(keys[i], pos);
      pos = this.writeValue(values[i], pos);
    }
    return pos;
  }

  /** Writes a list that is known to have no properties but its items. */
  #list(values: readonly unknown[], pos: number): number {
    this.objects.meet(values);
    return this.#array(values, pos, true);
  }

  #array(array: readonly unknown[], pos: number, isList: boolean): number {
    const length = array.length;
    // The number of properties shows whether there are holes or named keys. For two items it costs
    // 50 ns; every other way costs more: `for in` 80, Object.entries 110, getOwnPropertyNames 120.
    let present = length;
    if (!isList) {
      const list: readonly unknown[] = length <= MAX_LISTED_KEYS
        ? Object.keys(array)
        : Object.values(array);
      present = list.length;
      if (length > MAX_LISTED_KEYS && present < length / 2) return this.#sparse(array, pos);
    }
    if (present === length && length > 0 && typeof array[0] === "number") {
      const at = pos - this.base();
      const next = this.#numeric(array, length, pos);
      if (next >= 0) return next;
      pos = at + this.base();
    }

    pos = this.writeHead(tags.ARRAY, length, pos);
    const headBack = (length < tags.LONG ? pos - 1 : pos - 2) - this.base();
    let holes = 0;
    for (let i = 0; i < length; i++) {
      const item = array[i];
      if (item === undefined && !(i in array)) {
        holes++;
        pos = this.writeWord(tags.HOLE, pos);
      } else {
        pos = this.writeValue(item, pos);
      }
    }
    const named = isList ? 0 : present - (length - holes);
    if (holes === 0 && named === 0) return pos;
    // Only now is this known. The head word may have moved, but not relative to where the value
    // begins.
    const head = headBack + this.base();
    this.words[head] = this.words[head] & ~0xff | tags.ARRAY_LOOSE;
    const keys = named > 0 ? Object.keys(array).slice(-named) : NO_KEYS;
    return this.#dictionary(keys, valuesOf(array, keys), pos);
  }

  #sparse(array: readonly unknown[], pos: number): number {
    const keys = Object.keys(array);
    if (pos + 2 > this.end) pos = this.makeRoom(pos, 2);
    this.words[pos] = tags.ARRAY_SPARSE;
    this.words[pos + 1] = array.length;
    return this.#dictionary(keys, valuesOf(array, keys), pos + 2);
  }

  /** Writes an array that holds nothing but numbers; returns -1 when it holds something else. */
  #numeric(array: readonly unknown[], length: number, pos: number): number {
    // Every array needs at least one word per item, so the room for integers is needed in any case.
    const size = length + (length < tags.LONG ? 1 : 2);
    if (pos + size > this.end) pos = this.makeRoom(pos, size);
    const first = this.writeHead(tags.ARRAY_INT32, length, pos);
    const words = this.words;
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
    pos = this.writeHead(tags.ARRAY_DOUBLE, length, pos);
    if (pos + 2 * length > this.end) pos = this.makeRoom(pos, 2 * length);
    const words = this.words;
    for (let i = 0; i < length; i++) {
      tags.PAIR_DOUBLE[0] = array[i];
      words[pos++] = tags.PAIR_WORDS[0];
      words[pos++] = tags.PAIR_WORDS[1];
    }
    return pos;
  }
}

function valuesOf(object: object, keys: readonly string[]): unknown[] {
  return keys.map((key) => (object as Record<string, unknown>)[key]);
}
