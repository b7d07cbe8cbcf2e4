/**
 * Reads values from JSON text that `_value_writer.ts` has written. `_value_form.ts` describes the
 * text.
 *
 * Safe on hostile text: tags are a closed list, each payload is checked before it is used, no
 * constructor of a user's class is called, no key is ever assigned by name where it could be a
 * setter's, and depth is limited. A text that is not of this form causes a `TypeError`, and nothing
 * else.
 *
 * Depth is that of the writer: an object counts once, whatever lists its text consists of. `depth`
 * is that of the value, or the parts, that a function reads.
 *
 * @module
 */

import { describe } from "../../_platform/describe.ts";
import { createError } from "../../_memory/errors.ts";
import { base64ToBytes } from "./_base64.ts";
import { CHUNK_DEPTH, MOST_DEPTH, NO_FIELDS, VIEWS } from "./_value_form.ts";
import { RemoteError } from "./errors.ts";

const SPECIAL_NUMBERS = ["NaN", "Infinity", "-Infinity", "-0"];

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
  // Not `>=`, as in the writer: a primitive may be written as an object.
  if (depth > CHUNK_DEPTH + MOST_DEPTH) throw malformed("it is nested too deep");
  if (Array.isArray(tree)) return readItems(tree, depth + 1);
  if (Object.hasOwn(tree, "$")) return readTagged(tree as Tagged, depth + 1);
  for (const key of Object.keys(tree)) {
    // JSON.parse makes it an own property; the assignment below would not write to that.
    if (key === "__proto__") throw malformed("it has a key __proto__");
    const item = (tree as Record<string, unknown>)[key];
    if (typeof item === "object") (tree as Record<string, unknown>)[key] = read(item, depth + 1);
  }
  return tree;
}

function readItems(list: unknown, depth: number): unknown[] {
  if (!Array.isArray(list)) throw malformed("a list is none");
  for (let i = 0; i < list.length; i++) {
    const item: unknown = list[i];
    if (typeof item === "object") list[i] = read(item, depth);
  }
  return list;
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
      return new Set(readItems(payload, depth));
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
    return [read(entry[0], depth), read(entry[1], depth)];
  });
}

function readObject(payload: unknown, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [key, value] of readEntries(payload, depth)) define(object, key, value, true);
  return object;
}

function readArray(payload: unknown, depth: number): unknown[] {
  if (!Array.isArray(payload)) throw malformed("a list is none");
  const array = readItems(payload[0], depth);
  const { length } = array;
  for (const [key, value] of readEntries(payload[1], depth)) {
    if (key === "length") throw malformed("a list has a length of its own");
    define(array, key, value, true);
    // A few characters could make a list of billions of items, which nobody could go through.
    if (array.length !== length) throw malformed("a list has an item beside its items");
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
    define(error, "cause", read(written.cause, depth), false);
  }
  if (Object.hasOwn(written, "errors")) {
    define(error, "errors", readItems(written.errors, depth), false);
  }
  if (Object.hasOwn(written, "fields")) {
    for (const [key, value] of readEntries(written.fields, depth)) {
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
