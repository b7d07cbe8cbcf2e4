/**
 * Writes values as JSON text: how arguments and results cross to other machines. `_value_form.ts`
 * describes the text.
 *
 * @module
 */

import { describe, errorClassName, isError, isSuppressedError } from "../../_memory/errors.ts";
import { isShareable } from "../../_memory/handle.ts";
import { NotShareableError } from "../../sync/errors.ts";
import { bytesToBase64 } from "./_base64.ts";
import { messageOf, nameOf, readField, titleOf } from "./_error_text.ts";
import { MOST_DEPTH, NO_FIELDS, VIEWS } from "./_value_form.ts";

/**
 * The string tags (`Symbol.toStringTag` or built in) of objects that consist of nothing but their
 * properties.
 */
const PLAIN = new Set(["Object", "Arguments"]);

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

/**
 * A value as text.
 *
 * @param what Begins the error text: "arguments".
 * @throws {NotShareableError} When a part of it cannot be sent to another machine, or throws when
 * it is read.
 */
export function encodeValue(value: unknown, what: string): string {
  const writer = new Writer(what);
  const tree = writer.write(value, undefined, 0);
  try {
    return JSON.stringify(tree);
  } catch (error) {
    // `stringify` reads the items of an array that needed no copy once more; and the length of a
    // text is limited.
    throw writer.unreadable(error, undefined);
  }
}

/** Makes a tree of JSON values. A part that needs no change is used as it is. */
class Writer {
  readonly #what: string;
  /** The objects that are being written, from the outermost to the present one: finds cycles. */
  readonly #open = new Set<object>();
  /**
   * The last refusal. Only this very object counts as the writer's own error, whatever another
   * error says of itself.
   */
  #refusal: NotShareableError | undefined;

  constructor(what: string) {
    this.#what = what;
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

  write(value: unknown, path: Path | undefined, depth: number): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : { $: "number", v: Object.is(value, -0) ? "-0" : String(value) };
      case "undefined":
        return { $: "undefined" };
      case "bigint":
        return { $: "bigint", v: value.toString(16) };
      case "symbol":
        throw this.#refuse(`${String(value)} cannot be cloned`, path);
      case "function":
        throw this.#refuse(`${describe(value)} cannot be cloned`, path);
    }
    if (value === null) return null;
    return this.#writeObject(value as object, path, depth);
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
      const entries = [...value].map(([key, item], i) => [
        this.write(key, new Path(path, `keys()[${i}]`), depth),
        this.write(item, new Path(path, `get(${describe(key)})`), depth),
      ]);
      return { $: "Map", v: entries };
    }
    if (value instanceof Set) {
      return { $: "Set", v: this.#writeItems([...value], path, depth) };
    }
    if (value instanceof RegExp) return { $: "RegExp", v: [value.source, value.flags] };
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
      return { $: kind, v: bytesToBase64(bytes) };
    }
    if (kind === "SharedArrayBuffer") this.#checkOwnMemory(value as ArrayBufferLike, path);
    if (value instanceof ArrayBuffer) {
      return { $: "ArrayBuffer", v: bytesToBase64(new Uint8Array(value)) };
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
      name: nameOf(error),
      message: messageOf(error),
      // An error without a stack would get the stack of the place where it is decoded.
      stack: typeof stack === "string" ? stack : titleOf(error),
    };
    if (Object.hasOwn(error, "cause")) {
      written.cause = this.#writeField(error, "cause", path, depth);
    }
    const errors = readField(error, "errors");
    if (Array.isArray(errors)) {
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
      written.fields = fields.map((key) => [key, this.#writeField(error, key, path, depth)]);
    }
    return written;
  }

  /**
   * Writes a part of an error; if it cannot be sent, a description of it, so that the error
   * arrives.
   */
  #writeField(
    error: object,
    key: string,
    path: Path | undefined,
    depth: number,
  ): unknown {
    const field = readField(error, key);
    try {
      return this.write(field, new Path(path, key), depth);
    } catch {
      return describe(field);
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
