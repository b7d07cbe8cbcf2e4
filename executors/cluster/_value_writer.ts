/**
 * Writes values as JSON text: how arguments and results cross to other machines. `_value_form.ts`
 * describes the text.
 *
 * @module
 */

import { describe } from "../../_platform/describe.ts";
import { errorClassName, isError, isSuppressedError } from "../../_memory/errors.ts";
import { isShareable } from "../../_memory/handle.ts";
import { isTied } from "../../_memory/runtime_objects.ts";
import { NotShareableError } from "../../sync/errors.ts";
import { bytesToBase64 } from "./_base64.ts";
import { messageOf, nameOf, readField, titleOf } from "./_error_text.ts";
import { MOST_DEPTH, NO_FIELDS, VIEWS } from "./_value_form.ts";
import { PayloadTooLargeError } from "./errors.ts";

/**
 * The string tags (`Symbol.toStringTag` or built in) of objects that consist of nothing but their
 * properties.
 */
const PLAIN = new Set(["Object", "Arguments"]);

/** The characters that an item of a list takes at least, with what separates it from the next. */
const LEAST_ITEM = 2;

/** The path of a value within what is sent, for error texts: `[0].list`. */
class Path {
  constructor(readonly parent: Path | undefined, readonly key: string | number) {}

  toString(): string {
    const step = typeof this.key === "number"
      ? `[${this.key}]`
      : /^[\w$]+$/.test(this.key)
      ? `.${this.key}`
      : `[${JSON.stringify(this.key)}]`;
    return `${this.parent ?? ""}${step}`;
  }
}

/** How large a text may be. */
export interface SizeLimit {
  readonly bytes: number;
  /** Makes the error for a larger one, which takes `size` bytes: "2048", or "at least 2048". */
  readonly error: (size: string) => PayloadTooLargeError;
}

const UNLIMITED: SizeLimit = { bytes: Infinity, error: (size) => new PayloadTooLargeError(size) };

/**
 * A value as text.
 *
 * @param what Begins the error text: "arguments".
 * @throws {NotShareableError} When a part of it cannot be sent to another machine, or throws when
 * it is read.
 * @throws {PayloadTooLargeError} The error of `limit`, when the text is too large. A value whose
 * text would be far too large is refused before that is made.
 */
export function encodeValue(value: unknown, what: string, limit: SizeLimit = UNLIMITED): string {
  const writer = new Writer(what, limit);
  const tree = writer.write(value, undefined, 0);
  let text: string;
  try {
    text = JSON.stringify(tree);
  } catch (error) {
    // `stringify` reads the items of an array that needed no copy once more; and the length of a
    // text is limited.
    throw writer.unreadable(error, undefined);
  }
  const bytes = bytesBeyond(text, limit.bytes);
  if (bytes !== undefined) throw limit.error(`${bytes}`);
  return text;
}

const encoder = new TextEncoder();

/** The number of bytes that a text takes. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** The number of bytes that a text takes, if that is more than `limit`; otherwise `undefined`. */
export function bytesBeyond(text: string, limit: number): number | undefined {
  // Most texts are far below the limit, and need not be encoded.
  if (text.length * 3 <= limit) return undefined;
  const bytes = bytesOf(text);
  return bytes > limit ? bytes : undefined;
}

/**
 * Makes a tree of JSON values. A part that needs no change is used as it is.
 *
 * The tree may need far more memory than the value: holes of an array become items, and an object
 * that occurs many times is copied many times. So the characters that the text will have at least
 * are counted before each part is made; a character takes a byte or more.
 */
class Writer {
  readonly #what: string;
  readonly #limit: SizeLimit;
  /** The least number of characters of all parts so far. */
  #characters = 0;
  /** How many parts of errors are being written, one within another. */
  #fields = 0;
  /** The objects that are being written, from the outermost to the present one: finds cycles. */
  readonly #open = new Set<object>();
  /**
   * The last refusal. Only this very object counts as the writer's own error, whatever another
   * error says of itself.
   */
  #refusal: NotShareableError | undefined;

  constructor(what: string, limit: SizeLimit) {
    this.#what = what;
    this.#limit = limit;
  }

  #refuse(why: string, path: Path | undefined): NotShareableError {
    const place = path === undefined ? "" : ` at ${path}`;
    const text = `Cannot send ${this.#what} to another machine: ${why}${place}`;
    return this.#refusal = new NotShareableError(text);
  }

  /**
   * The refusal of a value that threw while it was read: a getter, a trap of a proxy, an iterator
   * of the user's.
   */
  unreadable(error: unknown, path: Path | undefined): NotShareableError {
    if (error === this.#refusal) return this.#refusal as NotShareableError;
    return this.#refuse(`reading it threw ${titleOf(error)}`, path);
  }

  /** Counts characters of a part that is to be made. */
  #count(characters: number): void {
    this.#characters += characters;
    if (this.#characters <= this.#limit.bytes) return;
    throw this.#refusal = this.#limit.error(`at least ${this.#characters}`);
  }

  write(value: unknown, path: Path | undefined, depth: number): unknown {
    switch (typeof value) {
      case "string":
        return this.#writeText(value);
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : { $: "number", v: Object.is(value, -0) ? "-0" : String(value) };
      case "undefined":
        return { $: "undefined" };
      case "bigint":
        return { $: "bigint", v: this.#writeText(value.toString(16)) };
      case "symbol":
        throw this.#refuse(`${String(value)} cannot be cloned`, path);
      case "function":
        throw this.#refuse(`${describe(value)} cannot be cloned`, path);
    }
    if (value === null) return null;
    return this.#writeObject(value as object, path, depth);
  }

  #writeText(text: string): string {
    this.#count(text.length);
    return text;
  }

  #writeBytes(bytes: Uint8Array): string {
    this.#count(4 * Math.ceil(bytes.length / 3));
    return bytesToBase64(bytes);
  }

  #writeObject(value: object, path: Path | undefined, depth: number): unknown {
    try {
      return this.#writeReadable(value, path, depth);
    } catch (error) {
      throw this.unreadable(error, path);
    }
  }

  #writeReadable(value: object, path: Path | undefined, depth: number): unknown {
    if (isShareable(value)) {
      throw this.#refuse(
        `${describe(value)} lives in this machine's memory; send values, or keep it in the task`,
        path,
      );
    }
    if (depth >= MOST_DEPTH) {
      throw this.#refuse(
        `it is nested more than ${MOST_DEPTH} levels deep; send it in parts`,
        path,
      );
    }
    if (this.#open.has(value)) {
      throw this.#refuse("it contains itself; send what has no cycle", path);
    }
    this.#open.add(value);
    try {
      return Array.isArray(value)
        ? this.#writeArray(value, path, depth + 1)
        : this.#writeOther(value, path, depth + 1);
    } finally {
      this.#open.delete(value);
    }
  }

  #writeArray(array: readonly unknown[], path: Path | undefined, depth: number): unknown {
    const items = this.#writeItems(array, path, depth);
    // Counts the values, as keys would first have to be made.
    let present = Object.values(array).length;
    if (present === array.length) return items;
    for (let i = 0; i < array.length; i++) if (i in array) present--;
    if (present === 0) return items;
    const keys = Object.keys(array).slice(-present);
    return { $: "Array", v: [items, this.#writeEntries(array, keys, path, depth)] };
  }

  #writeItems(array: readonly unknown[], path: Path | undefined, depth: number): unknown[] {
    this.#count(LEAST_ITEM * array.length);
    // An array with a method `toJSON` is copied, as `stringify` would write what that returns.
    const { toJSON } = array as { toJSON?: unknown };
    let copy: unknown[] | undefined = typeof toJSON === "function" ? [] : undefined;
    for (let i = 0; i < array.length; i++) {
      const item = array[i];
      // The fast path: most chunks of `map` consist of plain numbers.
      if (typeof item === "number" && Number.isFinite(item) && !Object.is(item, -0)) {
        if (copy !== undefined) copy.push(item);
        continue;
      }
      const written = this.write(
        item,
        typeof item === "string" ? undefined : new Path(path, i),
        depth,
      );
      if (copy === undefined && written !== item) copy = firstOf(array, i);
      if (copy !== undefined) copy.push(written);
    }
    return copy ?? array as unknown[];
  }

  #writeOther(value: object, path: Path | undefined, depth: number): unknown {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    if (value instanceof Date) {
      const time = value.getTime();
      return { $: "Date", v: Number.isNaN(time) ? null : time };
    }
    if (value instanceof Map) {
      const entries = [...value];
      this.#count(2 * LEAST_ITEM * entries.length);
      const written = entries.map(([key, item], i) => [
        this.write(key, new Path(path, `keys()[${i}]`), depth),
        this.write(item, new Path(path, `get(${describe(key)})`), depth),
      ]);
      return { $: "Map", v: written };
    }
    if (value instanceof Set) {
      return { $: "Set", v: this.#writeItems([...value], path, depth) };
    }
    if (value instanceof RegExp) {
      return { $: "RegExp", v: [this.#writeText(value.source), value.flags] };
    }
    if (value instanceof DOMException) {
      return { $: "DOMException", v: this.#writeError(value, path, depth) };
    }
    if (isError(value, kind)) {
      const written = this.#writeError(value as Error, path, depth);
      return { $: "Error", v: { class: errorClassName(value), ...written } };
    }
    if (ArrayBuffer.isView(value)) {
      this.#checkOwnMemory(value.buffer, path);
      if (!VIEWS.has(kind)) throw this.#refuse(`${kind} cannot be cloned`, path);
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return { $: kind, v: this.#writeBytes(bytes) };
    }
    if (kind === "SharedArrayBuffer") this.#checkOwnMemory(value as ArrayBufferLike, path);
    if (value instanceof ArrayBuffer) {
      return { $: "ArrayBuffer", v: this.#writeBytes(new Uint8Array(value)) };
    }
    if (isBoxed(value)) return { $: "Boxed", v: this.write(value.valueOf(), path, depth) };
    // An object of the runtime's, such as a URL or a Response, would arrive as an empty object.
    if (!PLAIN.has(kind)) throw this.#refuse(`${describe(value)} cannot be cloned`, path);
    return this.#writePlain(value, path, depth);
  }

  #checkOwnMemory(buffer: ArrayBufferLike, path: Path | undefined): void {
    if (Object.prototype.toString.call(buffer) !== "[object SharedArrayBuffer]") return;
    throw this.#refuse("shared memory does not cross machines; send a copy", path);
  }

  #writePlain(value: object, path: Path | undefined, depth: number): unknown {
    const keys = Object.keys(value);
    if (keys.length === 0 && isTied(value)) {
      throw this.#refuse(`${describe(value)} cannot be cloned`, path);
    }
    const entries = this.#writeEntries(value, keys, path, depth);
    const isPlain = !keys.includes("$") && !keys.includes("__proto__");
    // `fromEntries` defines properties; it never calls a setter.
    return isPlain ? Object.fromEntries(entries) : { $: "Object", v: entries };
  }

  #writeEntries(
    value: object,
    keys: readonly string[],
    path: Path | undefined,
    depth: number,
  ): [key: string, value: unknown][] {
    return keys.map((key) => {
      const at = new Path(path, key);
      this.#count(key.length + LEAST_ITEM);
      return [key, this.write(this.#readEntry(value, key, at), at, depth)];
    });
  }

  #readEntry(value: object, key: string, path: Path): unknown {
    try {
      return (value as Record<string, unknown>)[key];
    } catch (error) {
      throw this.unreadable(error, path);
    }
  }

  #writeError(error: Error, path: Path | undefined, depth: number): Record<string, unknown> {
    const stack = readField(error, "stack");
    const written: Record<string, unknown> = {
      name: this.#writeText(nameOf(error)),
      message: this.#writeText(messageOf(error)),
      // An error without a stack would get the stack of the place where it is decoded.
      stack: this.#writeText(typeof stack === "string" ? stack : titleOf(error)),
    };
    if (Object.hasOwn(error, "cause")) {
      written.cause = this.#writeField(error, "cause", path, depth);
    }
    const errors = readField(error, "errors");
    if (Array.isArray(errors)) {
      this.#count(LEAST_ITEM * errors.length);
      // Not by its `map` or its iterator, which may be those of a user's class.
      written.errors = Array.from(
        { length: errors.length },
        (_, i) => this.#writeField(errors, `${i}`, path, depth),
      );
    }
    // Without functions: they would arrive as text, and an own `toString`, for example, could then
    // not be called.
    const fields = Object.keys(error).filter((key) =>
      !NO_FIELDS.has(key) && typeof readField(error, key) !== "function"
    );
    // These two are not enumerable.
    if (isSuppressedError(error)) fields.push("error", "suppressed");
    if (fields.length > 0) {
      written.fields = fields.map((key) => [
        this.#writeText(key),
        this.#writeField(error, key, path, depth),
      ]);
    }
    return written;
  }

  /**
   * Writes a part of an error; if it cannot be sent, or there is no room for it, a description of
   * it, so that the error arrives.
   */
  #writeField(
    error: object,
    key: string,
    path: Path | undefined,
    depth: number,
  ): unknown {
    const field = readField(error, key);
    const characters = this.#characters;
    const isOutermost = this.#fields++ === 0;
    try {
      return this.write(field, new Path(path, key), depth);
    } catch {
      // If there is no room, the outermost part is described, so that none is walked through again
      // and again.
      if (PayloadTooLargeError.is(this.#refusal) && !isOutermost) throw this.#refusal;
      this.#refusal = undefined;
      this.#characters = characters;
      return this.#writeText(describe(field));
    } finally {
      this.#fields--;
    }
  }
}

/** The first `count` items; `slice` would call the constructor of a user's class. */
function firstOf(array: readonly unknown[], count: number): unknown[] {
  const items: unknown[] = [];
  for (let i = 0; i < count; i++) items.push(array[i]);
  return items;
}

function isBoxed(value: object): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean ||
    value instanceof BigInt;
}
