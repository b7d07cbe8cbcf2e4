/**
 * Values as JSON text, and back: how arguments and results cross to other machines.
 *
 * A value that JSON has is written as such. All others are written as an object with a tag under
 * the key `$` and, if there is one, a payload under the key `v`:
 *
 *   {"$":"undefined"}                     {"$":"number","v":"-0"}         also NaN, Infinity, -Infinity
 *   {"$":"bigint","v":"-ff"}              {"$":"Date","v":0}              null for an invalid one
 *   {"$":"Map","v":[[key,value],...]}     {"$":"Set","v":[...]}           {"$":"RegExp","v":["a+","g"]}
 *   {"$":"Uint8Array","v":"AQI="}         any other typed array, ArrayBuffer and DataView
 *   {"$":"Error","v":{"class":"RangeError","name":...,"message":...,"stack":...,
 *                     "cause":...,"errors":[...],"fields":[[key,value],...]}}
 *   {"$":"DOMException","v":{...}}        the same, without a class
 *   {"$":"Object","v":[[key,value],...]}  an object that has a key `$` itself, or the key `__proto__`
 *   {"$":"Array","v":[[...],[[key,value],...]]}  an array that has properties beside its items
 *   {"$":"Boxed","v":1}                   Object(1)
 *
 * Safe on hostile text: tags are a closed list, each payload is checked before it is used, no
 * constructor of a user's class is called, no key is ever assigned by name where it could be a
 * setter's, and depth is limited. A text that is not of this form causes a `TypeError`, and nothing
 * else.
 *
 * **Not kept:** the identity of an object that occurs twice (each occurrence becomes a copy), and
 * classes other than those of errors.
 *
 * @module
 */

import {
  createError,
  describe,
  errorClassName,
  isError,
  isSuppressedError,
} from "../../_memory/errors.ts";
import { isShareable } from "../../_memory/handle.ts";
import { NotShareableError } from "../../sync/errors.ts";
import { base64ToBytes, bytesToBase64 } from "./_base64.ts";
import { RemoteError } from "./errors.ts";

/** The most levels of nesting, on both sides: far fewer than a thread's stack has room for. */
const MOST_DEPTH = 500;

/** The most characters of an error's title; see {@linkcode titleOf}. */
const MOST_TITLE = 500;

const SPECIAL_NUMBERS = ["NaN", "Infinity", "-Infinity", "-0"];

const NO_FIELDS = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * The string tags (`Symbol.toStringTag` or built in) of objects that consist of nothing but their
 * properties.
 */
const PLAIN = new Set(["Object", "Arguments"]);

type View = new (buffer: ArrayBuffer) => ArrayBufferView;

const VIEWS: ReadonlyMap<string, View> = new Map<string, View>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
    // Not on Node 20.
    ...(typeof Float16Array === "function" ? [Float16Array] : []),
  ].map((constructor) => [constructor.name, constructor]),
);

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

/** A part of an error; `undefined` if its getter throws. */
function readField(error: object, key: string): unknown {
  try {
    return (error as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The name of an error; if that is no text, or cannot be read, the one that its class gives it. */
function nameOf(error: Error): string {
  for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
    const name = readField(at, "name");
    if (typeof name === "string") return name;
  }
  return "Error";
}

function messageOf(error: Error): string {
  const message = readField(error, "message");
  return typeof message === "string" ? message : message === undefined ? "" : describe(message);
}

/**
 * The beginning of what was thrown, in the usual form: "RangeError: odd". Never throws, whatever it
 * is given.
 */
export function titleOf(thrown: unknown): string {
  let title: string | undefined;
  try {
    if (thrown instanceof Error) title = `${nameOf(thrown)}: ${messageOf(thrown)}`;
  } catch {
    // Then it is described like any other object.
  }
  return (title ?? describe(thrown)).slice(0, MOST_TITLE);
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

/**
 * The value that a text stands for.
 *
 * @throws {TypeError} When the text is not one that {@linkcode encodeValue} makes.
 */
export function decodeValue(text: string): unknown {
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch (error) {
    throw malformed("it is no JSON", error);
  }
  return read(tree, 0);
}

function malformed(why: string, cause?: unknown): TypeError {
  return new TypeError(`Cannot read value: ${why}; was it sent by another version?`, { cause });
}

function read(tree: unknown, depth: number): unknown {
  if (typeof tree !== "object" || tree === null) return tree;
  if (depth > 2 * MOST_DEPTH) throw malformed("it is nested too deep");
  if (Array.isArray(tree)) {
    for (let i = 0; i < tree.length; i++) {
      const item: unknown = tree[i];
      if (typeof item === "object") tree[i] = read(item, depth + 1);
    }
    return tree;
  }
  if (Object.hasOwn(tree, "$")) return readTagged(tree as Tagged, depth + 1);
  for (const key of Object.keys(tree)) {
    // JSON.parse makes it an own property; the assignment below would not write to that.
    if (key === "__proto__") throw malformed("it has a key __proto__");
    const item = (tree as Record<string, unknown>)[key];
    if (typeof item === "object") (tree as Record<string, unknown>)[key] = read(item, depth + 1);
  }
  return tree;
}

/** A tagged value as received, neither tag nor payload checked. */
interface Tagged {
  readonly $: unknown;
  readonly v?: unknown;
}

function readTagged({ $: tag, v: payload }: Tagged, depth: number): unknown {
  switch (tag) {
    case "undefined":
      return undefined;
    case "number":
      if (SPECIAL_NUMBERS.includes(payload as string)) return Number(payload);
      break;
    case "bigint":
      if (typeof payload === "string" && /^-?[\da-f]+$/.test(payload)) return readBigInt(payload);
      break;
    case "Date":
      if (payload === null || typeof payload === "number") return new Date(payload ?? NaN);
      break;
    case "Map":
      return new Map(readEntries(payload, depth));
    case "Set":
      if (Array.isArray(payload)) return new Set(read(payload, depth) as unknown[]);
      break;
    case "RegExp":
      return readRegExp(payload);
    case "Object":
      return readObject(payload, depth);
    case "Array":
      return readArray(payload, depth);
    case "Boxed":
      return Object(read(payload, depth));
    case "Error":
      return readError(payload, depth);
    case "DOMException":
      return readDomException(payload, depth);
    case "ArrayBuffer":
      if (typeof payload === "string") return readBytes(payload).buffer;
      break;
    default:
      return readView(tag, payload);
  }
  throw malformed(`the payload of ${tag} is not one`);
}

function readBigInt(hex: string): bigint {
  return hex.startsWith("-") ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

function readEntries(payload: unknown, depth: number): [unknown, unknown][] {
  if (!Array.isArray(payload)) throw malformed("entries are no list");
  return payload.map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2) throw malformed("an entry is no pair");
    return [read(entry[0], depth + 1), read(entry[1], depth + 1)];
  });
}

function readObject(payload: unknown, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of readEntries(payload, depth)) define(object, key, value, true);
  return object;
}

function readArray(payload: unknown, depth: number): unknown[] {
  if (!Array.isArray(payload) || !Array.isArray(payload[0])) throw malformed("a list is none");
  const array = read(payload[0], depth + 1) as unknown[];
  for (const [key, value] of readEntries(payload[1], depth)) {
    if (key === "length") throw malformed("a list has a length of its own");
    define(array, key, value, true);
  }
  return array;
}

function readRegExp(payload: unknown): RegExp {
  if (!Array.isArray(payload)) throw malformed("the payload of RegExp is not one");
  const [source, flags] = payload;
  if (typeof source !== "string" || typeof flags !== "string") {
    throw malformed("the payload of RegExp is not one");
  }
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw malformed("it has an expression that is none", error);
  }
}

function readBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return base64ToBytes(text);
  } catch (error) {
    throw malformed("bytes are not base64", error);
  }
}

function readView(tag: unknown, payload: unknown): ArrayBufferView {
  const constructor = typeof tag === "string" ? VIEWS.get(tag) : undefined;
  if (constructor === undefined) throw malformed(`it has an unknown tag ${describe(tag)}`);
  if (typeof payload !== "string") throw malformed(`the payload of ${tag} is not one`);
  try {
    return new constructor(readBytes(payload).buffer);
  } catch (error) {
    throw malformed(`the bytes are not those of ${tag}`, error);
  }
}

/** An error as received; only its name and message are checked. */
interface WrittenError {
  readonly class?: unknown;
  readonly name: string;
  readonly message: string;
  readonly stack?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly fields?: unknown;
}

function checkError(payload: unknown): WrittenError {
  if (typeof payload !== "object" || payload === null) throw malformed("an error is no object");
  const { name, message } = payload as Partial<WrittenError>;
  if (typeof name !== "string" || typeof message !== "string") {
    throw malformed("an error has no name or message");
  }
  return payload as WrittenError;
}

function readError(payload: unknown, depth: number): Error {
  const written = checkError(payload);
  const { class: className, name, message } = written;
  if (typeof className !== "string") throw malformed("an error has no class");
  let error = createError(className);
  // Its class is not known here, or has no nearer known relative than `Error`.
  if (name !== error.name && Object.getPrototypeOf(error) === Error.prototype) {
    error = Object.setPrototypeOf(error, RemoteError.prototype);
  }
  define(error, "message", message, false);
  if (error.name !== name) define(error, "name", name, false);
  return readParts(error, written, depth);
}

function readDomException(payload: unknown, depth: number): Error {
  const written = checkError(payload);
  // Only its constructor can set its name and message.
  return readParts(new DOMException(written.message, written.name), written, depth);
}

/** Gives an error its parts other than name and message. */
function readParts(error: Error, written: WrittenError, depth: number): Error {
  const { stack } = written;
  if (typeof stack === "string") define(error, "stack", stack, false);
  if (Object.hasOwn(written, "cause")) {
    define(error, "cause", read(written.cause, depth + 1), false);
  }
  if (Object.hasOwn(written, "errors")) {
    const errors = read(written.errors, depth + 1);
    if (!Array.isArray(errors)) throw malformed("the errors of an error are no list");
    define(error, "errors", errors, false);
  }
  if (Object.hasOwn(written, "fields")) {
    const fields = readEntries(written.fields, depth + 1);
    for (const [key, value] of fields) {
      if (typeof key !== "string" || NO_FIELDS.has(key)) continue;
      define(error, key, value, true);
    }
  }
  return error;
}

/** Gives an object a property of its own, whatever its prototype has under that key. */
function define(object: object, key: unknown, value: unknown, enumerable: boolean): void {
  if (typeof key !== "string") throw malformed("a key is no text");
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
