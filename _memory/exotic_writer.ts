/**
 * Writes the objects that are neither plain nor arrays: errors, collections, buffers, handles, and
 * what is left to structured clone. The layout is told in `tags.ts`; what uses this is in
 * `encoder.ts`.
 *
 * Invariant: what is abandoned half-way (a field of an error that cannot be cloned) gives back its
 * words, its numbers, its externs and its extras.
 *
 * @module
 */

import { describe, errorClassName, isDetached, isError, isSuppressedError } from "./errors.ts";
import { HANDLE, type Handle, isShareable, type Shareable } from "./handle.ts";
import * as tags from "./tags.ts";
import { KeyLists, ObjectNumbers, WordWriter } from "./word_writer.ts";

/** Buffers of more bytes are left to structured clone, so that every length fits a word. */
const MAX_BYTES = 0x7fffff00;

/** Thrown inside the encoder when a buffer taken for a view's own turns out to be shared. */
export const RESTART = { restart: true };
/** Thrown inside the encoder for a value that cannot be sent; what it has is read when it arrives. */
export const REFUSED = {
  culprit: undefined as unknown,
  /** Why, where that is known; otherwise it cannot be cloned. */
  error: undefined as { readonly message: string } | undefined,
};

const TO_STRING = Object.prototype.toString;
const MAP_FOR_EACH = Map.prototype.forEach;
const SET_FOR_EACH = Set.prototype.forEach;
const TYPED_ARRAY_TAG = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;
const BYTE_LENGTH = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;
const SOURCE = Object.getOwnPropertyDescriptor(RegExp.prototype, "source")!.get!;

/** Calls that throw unless the object really is what its tag says; of a boxed value, its value. */
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

/** Those of them that are classes to extend. */
const BUILT_IN = [Map, Set, Date, RegExp, Boolean, Number, String, ArrayBuffer];

/** Whether the object really is what that tag says. */
function isA(tag: string, value: object): boolean {
  try {
    PROBES.get(tag)!(value);
    return true;
  } catch {
    return false;
  }
}

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

/** Classes of what can be moved, and not cloned. */
const MOVABLE: ReadonlySet<unknown> = new Set([
  "MessagePort",
  "ReadableStream",
  "TransformStream",
  "WritableStream",
]);

/** What is needed to take back what was written since. */
interface Mark {
  readonly at: number;
  readonly objects: number;
  readonly keyLists: number;
  readonly externs: number;
  readonly externBytes: number;
  readonly extras: number;
}

/** An own property of an error, as it was when it was read. */
type Field = readonly [key: string, value: unknown];

/** Writes objects that need more than a look at their keys. */
export abstract class ExoticWriter extends WordWriter {
  /** How many shared objects the last encoding holds: whoever decodes it must know their classes. */
  handles = 0;
  /** The kind of the last of them. */
  handleKind = "";
  /** What stands for shared objects, where that is not what they say themselves: on the way to another process. */
  handleOf: ((object: Shareable) => Handle) | undefined;
  /** The error of sending what only structured clone can carry, where that has no way: to another process. */
  refusalOf: ((extra: object) => Error) | undefined;
  /** Bytes that an encoding may take: on the way to another process they are bounded. */
  mostBytes = Infinity;

  protected readonly objects: ObjectNumbers = new ObjectNumbers();
  protected readonly keyLists: KeyLists = new KeyLists();
  /** What the sender is to lose. */
  protected moved: ReadonlySet<object> | undefined;
  /** Whether that is copied all the same. */
  protected copiesMoved = false;
  /** Whether every view is written with its whole buffer, as structured clone does. */
  protected keepBuffers = false;
  /** Numbers of the views that were written together with their buffer, by buffer. */
  #ownedBuffers: Map<object, number> | undefined;
  /** Buffers of which only a part was written, for a single view of them. */
  #parts: Set<object> | undefined;

  /** Writes any value. */
  protected abstract writeValue(value: unknown, pos: number): number;

  /** Writes a numbered object as a plain one. */
  protected abstract writePlain(value: object, pos: number): number;

  /** Forgets all that was met. */
  protected forget(): void {
    this.objects.clear();
    this.keyLists.cutTo(0);
    this.#ownedBuffers = this.#parts = this.moved = undefined;
  }

  protected refuse(value: unknown, error?: Error): never {
    REFUSED.culprit = value;
    REFUSED.error = error;
    throw REFUSED;
  }

  protected writeExotic(value: object, pos: number): number {
    if (ArrayBuffer.isView(value)) return this.#view(value, pos);
    const tag = TO_STRING.call(value).slice(8, -1);
    if (tag === "Object") return this.#unnamed(value, pos);
    if (PROBES.has(tag)) {
      return isA(tag, value) ? this.#builtIn(value, tag, pos) : this.writePlain(value, pos);
    }
    if (isDomException(value, tag)) return this.#domException(value, pos);
    if (isError(value, tag)) return this.#error(value, pos);
    if (REFUSED_TAGS.has(tag)) return this.refuse(value);
    return this.#named(value, tag, pos);
  }

  /** Writes an object that really is what the tag says. */
  #builtIn(value: object, tag: string, pos: number): number {
    switch (tag) {
      case "Map":
        return this.#map(value as Map<unknown, unknown>, pos);
      case "Set":
        return this.#set(value as Set<unknown>, pos);
      case "Date":
        return this.writeDouble(tags.DATE, Date.prototype.getTime.call(value), pos);
      case "RegExp":
        pos = this.writeWord(tags.REGEXP, pos);
        pos = this.writeString(sourceOf(value), pos);
        return this.writeString((value as RegExp).flags, pos);
      case "ArrayBuffer":
        return this.#buffer(value as ArrayBuffer, pos);
      default:
        return this.writeValue(PROBES.get(tag)!(value), this.writeWord(tags.BOXED, pos));
    }
  }

  /**
   * Writes an object whose class does not name itself. It is plain, unless a runtime has made it and keeps what it is behind symbols:
   * some such can be cloned (a BlockList of Node's).
   */
  #unnamed(value: object, pos: number): number {
    if (Object.getOwnPropertySymbols(value).length === 0 || Object.keys(value).length > 0) {
      return this.writePlain(value, pos);
    }
    const copy = copyOf(value) ?? this.refuse(value);
    return Object.getPrototypeOf(copy) === Object.prototype
      ? this.writePlain(value, pos)
      : this.writeExtra(value, pos);
  }

  /**
   * Writes an object whose class names itself, which a Map's may do as well. What a runtime has made goes by a message, if it can be
   * cloned or moved; of the rest (a URL, a Response) runtimes send an empty object, some without an error. Any other is plain to
   * structured clone.
   */
  #named(value: object, tag: string, pos: number): number {
    for (const builtIn of BUILT_IN) {
      if (value instanceof builtIn && isA(builtIn.name, value)) {
        return this.#builtIn(value, builtIn.name, pos);
      }
    }
    const isOfRuntime = isOfGlobalClass(value, tag);
    const hasKeys = Object.keys(value).length > 0;
    if (hasKeys && !isOfRuntime) return this.writePlain(value, pos);
    // On Node, the tag of a port is that of its base class.
    const { name } = Object(read(value, "constructor")) as { readonly name?: unknown };
    if (MOVABLE.has(tag) || MOVABLE.has(name)) return this.writeExtra(value, pos);
    const copy = copyOf(value);
    if (copy !== undefined && TO_STRING.call(copy) !== "[object Object]") {
      return this.writeExtra(value, pos);
    }
    // A class of the user's that extends one of the runtime's has keys, and what they hold may be more than can be cloned.
    if (hasKeys || !isOfRuntime && copy !== undefined) return this.writePlain(value, pos);
    return this.refuse(value);
  }

  protected writeExtra(value: object, pos: number): number {
    if (this.refusalOf !== undefined) return this.refuse(value, this.refusalOf(value));
    this.extras.push(value);
    return this.writeHead(tags.EXTRA, this.extras.length - 1, pos);
  }

  protected writeHandle(value: Shareable, pos: number): number {
    const handle = this.#handleOf(value);
    this.handles++;
    this.handleKind = handle.kind;
    pos = this.writeWord(tags.HANDLE_OF, pos);
    pos = this.writeString(handle.kind, pos);
    return this.writeValue(handle.data, pos);
  }

  #handleOf(value: Shareable): Handle {
    if (this.handleOf === undefined) return value[HANDLE]();
    try {
      return this.handleOf(value);
    } catch (error) {
      return this.refuse(value, error as Error);
    }
  }

  // A Map and a Set are listed first: a getter in an item may change them while they are written.
  #map(map: Map<unknown, unknown>, pos: number): number {
    const list: unknown[] = [];
    MAP_FOR_EACH.call(map, (value, key) => list.push(key, value));
    pos = this.writeHead(tags.MAP, list.length, pos);
    for (let i = 0; i < list.length; i++) pos = this.writeValue(list[i], pos);
    return pos;
  }

  #set(set: Set<unknown>, pos: number): number {
    const list: unknown[] = [];
    SET_FOR_EACH.call(set, (value) => list.push(value));
    pos = this.writeHead(tags.SET, list.length, pos);
    for (let i = 0; i < list.length; i++) pos = this.writeValue(list[i], pos);
    return pos;
  }

  #buffer(buffer: ArrayBuffer, pos: number): number {
    const owner = this.#ownedBuffers?.get(buffer);
    if (owner !== undefined) return this.writeHead(tags.BUFFER_OF, owner, pos);
    this.#claim(buffer);
    if (buffer.byteLength > MAX_BYTES) return this.writeExtra(buffer, pos);
    if (!buffer.resizable) {
      return this.#data(tags.ARRAY_BUFFER, buffer, 0, buffer.byteLength, pos);
    }
    pos = this.#data(tags.RESIZABLE, buffer, 0, buffer.byteLength, pos);
    return this.writeNumber(buffer.maxByteLength, pos);
  }

  /** Call before a whole buffer is written. */
  #claim(buffer: ArrayBuffer): void {
    if (isDetached(buffer)) this.refuse(buffer);
    if (this.#parts !== undefined && this.#parts.has(buffer)) throw RESTART;
  }

  /**
   * Structured clone copies the whole buffer of a view. That is kept where it can be told: when two
   * views share a buffer. A single view of at most half a buffer is copied alone, so that ten bytes
   * of a pool of many kilobytes do not cost many kilobytes; its copy begins at offset 0. A buffer that
   * the sender loses is written whole: the rest of it would be nowhere.
   */
  #view(view: ArrayBufferView, pos: number): number {
    const name = (TYPED_ARRAY_TAG.call(view) as string | undefined) ?? "DataView";
    const kind = tags.VIEW_NAMES.indexOf(name);
    const buffer = view.buffer;
    const size = buffer.byteLength;
    if (isDetached(buffer)) this.refuse(buffer);
    // Whether its length follows that of shared memory cannot be found out; structured clone knows.
    if (kind < 0 || size > MAX_BYTES || isGrowable(buffer)) {
      if (this.#parts?.has(buffer)) throw RESTART;
      return this.writeExtra(view, pos);
    }
    if (isResizable(buffer)) return this.#viewOf(view, kind, this.#resizableLength(view), pos);
    const length = view.byteLength;
    if (
      !(buffer instanceof ArrayBuffer) || this.moved?.has(buffer) || this.objects.has(buffer)
    ) {
      return this.#viewOf(view, kind, lengthOf(view), pos);
    }
    const ownerKnown = this.#ownedBuffers?.has(buffer) === true;
    if (!ownerKnown && length === size) {
      this.#claim(buffer);
      this.#ownedBuffers ??= new Map();
      this.#ownedBuffers.set(buffer, this.objects.count - 1);
      return this.#data(tags.TYPED | kind << 8, buffer, 0, length, pos);
    }
    if (!ownerKnown && !this.keepBuffers && length <= size / 2) {
      this.#claim(buffer);
      this.#parts ??= new Set();
      this.#parts.add(buffer);
      return this.#data(tags.TYPED | kind << 8, buffer, view.byteOffset, length, pos);
    }
    return this.#viewOf(view, kind, lengthOf(view), pos);
  }

  /** The length of a view, or that it follows that of its resizable buffer. */
  #resizableLength(view: ArrayBufferView): number {
    const copy = copyOf(view) ?? this.refuse(view);
    return followsWhenResized(copy) ? tags.FOLLOWS : lengthOf(view);
  }

  #viewOf(view: ArrayBufferView, kind: number, length: number, pos: number): number {
    if (pos + 3 > this.end) pos = this.makeRoom(pos, 3);
    this.words[pos] = tags.VIEW | kind << 8;
    this.words[pos + 1] = view.byteOffset;
    this.words[pos + 2] = length;
    return this.writeValue(view.buffer, pos + 3);
  }

  #data(word: number, buffer: ArrayBuffer, from: number, length: number, pos: number): number {
    const size = length < tags.EXTERN_BYTES ? (length + 3) >> 2 : 0;
    if (pos + 2 + size > this.end) pos = this.makeRoom(pos, 2 + size);
    this.words[pos] = word;
    this.words[pos + 1] = length;
    if (length === 0) return pos + 2;
    const bytes = new Uint8Array(buffer, from, length);
    if (length < tags.EXTERN_BYTES) {
      this.bytes.set(bytes, (pos + 2) * 4);
    } else {
      this.externs.push(bytes);
      this.externBytes += (length + 7) & ~7;
    }
    return pos + 2 + size;
  }

  #error(value: object, pos: number): number {
    const error = value as Error;
    const name = read(error, "name");
    const message = read(error, "message");
    const stack = read(error, "stack");
    const code = read(error, "code");
    const errors = Object.hasOwn(error, "errors") ? read(error, "errors") : undefined;
    const hasErrors = Array.isArray(errors);
    const own = ownFields(error, hasErrors);
    if (isSuppressedError(error)) {
      own.push(["error", error.error], ["suppressed", error.suppressed]);
    }
    // Some runtimes have it on the prototype.
    const isCode = typeof code === "string" || typeof code === "number";
    if (isCode && !Object.hasOwn(error, "code")) own.push(["code", code]);
    let fields = 0;
    if (typeof name === "string") fields |= tags.HAS_NAME;
    if (typeof message === "string" && (message !== "" || Object.hasOwn(error, "message"))) {
      fields |= tags.HAS_MESSAGE;
    }
    if (typeof stack === "string") fields |= tags.HAS_STACK;
    if (Object.hasOwn(error, "cause")) fields |= tags.HAS_CAUSE;
    if (hasErrors) fields |= tags.HAS_ERRORS;
    if (own.length > 0) fields |= tags.HAS_OWN;
    pos = this.writeWord(tags.ERROR | fields << 8, pos);
    pos = this.writeString(errorClassName(error), pos);
    if (fields & tags.HAS_NAME) pos = this.writeString(name as string, pos);
    if (fields & tags.HAS_MESSAGE) pos = this.writeString(message as string, pos);
    if (fields & tags.HAS_STACK) pos = this.writeString(stack as string, pos);
    if (fields & tags.HAS_CAUSE) pos = this.#field(read(error, "cause"), pos);
    if (hasErrors) {
      const length = errors.length;
      pos = this.writeHead(tags.ARRAY, length, pos);
      for (let i = 0; i < length; i++) pos = this.#field(read(errors, i), pos);
    }
    return own.length > 0 ? this.#ownFields(own, pos) : pos;
  }

  #domException(error: DOMException, pos: number): number {
    const own = ownFields(error, false);
    const stack = error.stack;
    let fields = 0;
    if (typeof stack === "string") fields |= tags.HAS_STACK;
    if (Object.hasOwn(error, "cause")) fields |= tags.HAS_CAUSE;
    if (own.length > 0) fields |= tags.HAS_OWN;
    pos = this.writeWord(tags.DOM_EXCEPTION | fields << 8, pos);
    pos = this.writeString(error.name, pos);
    pos = this.writeString(error.message, pos);
    if (fields & tags.HAS_STACK) pos = this.writeString(stack as string, pos);
    if (fields & tags.HAS_CAUSE) pos = this.#field(read(error, "cause"), pos);
    return own.length > 0 ? this.#ownFields(own, pos) : pos;
  }

  #ownFields(fields: readonly Field[], pos: number): number {
    pos = this.writeHead(tags.DICTIONARY, fields.length, pos);
    for (const [key, value] of fields) {
      pos = this.writeString(key, pos);
      pos = this.#field(value, pos);
    }
    return pos;
  }

  /** Writes a part of an error; one that cannot be cloned as text, so that the error arrives. */
  #field(value: unknown, pos: number): number {
    const mark: Mark = {
      at: pos - this.base(),
      objects: this.objects.count,
      keyLists: this.keyLists.count,
      externs: this.externs.length,
      externBytes: this.externBytes,
      extras: this.extras.length,
    };
    try {
      return this.writeValue(value, pos);
    } catch (error) {
      if (error === RESTART) throw error;
      this.#takeBack(mark);
      const text = error === REFUSED ? refusalText(value) : describe(value);
      return this.writeString(text, mark.at + this.base());
    }
  }

  #takeBack(mark: Mark): void {
    this.objects.cutTo(mark.objects);
    this.keyLists.cutTo(mark.keyLists);
    if (this.#ownedBuffers !== undefined) {
      for (const [buffer, number] of this.#ownedBuffers) {
        if (number >= mark.objects) this.#ownedBuffers.delete(buffer);
      }
    }
    this.externs.length = mark.externs;
    this.externBytes = mark.externBytes;
    this.extras.length = mark.extras;
  }
}

function sourceOf(value: object): string {
  return SOURCE.call(value);
}

/** What stands for a part of an error that was refused. */
function refusalText(value: unknown): string {
  const { culprit, error } = REFUSED;
  REFUSED.culprit = REFUSED.error = undefined;
  if (culprit === value) return error?.message ?? describe(value);
  const text = `${describe(value)} with ${describe(culprit)}`;
  return error === undefined ? text : `${text}: ${error.message}`;
}

function isResizable(buffer: ArrayBufferLike): boolean {
  return (buffer as { resizable?: boolean }).resizable === true;
}

function isGrowable(buffer: ArrayBufferLike): boolean {
  return (buffer as { growable?: boolean }).growable === true;
}

function isOfGlobalClass(value: object, name: string): boolean {
  const constructor: unknown = Reflect.get(globalThis, name);
  return typeof constructor === "function" && value instanceof constructor;
}

function lengthOf(view: ArrayBufferView): number {
  return (view as Uint8Array).length ?? view.byteLength;
}

/** The largest element of a view. */
const LARGEST_ELEMENT = 8;

/** Whether a view's length follows that of its buffer, which nothing tells but resizing it. */
function followsWhenResized(view: ArrayBufferView): boolean {
  const buffer = view.buffer as ArrayBuffer;
  const { byteOffset, byteLength } = view;
  buffer.resize(Math.min(buffer.maxByteLength, buffer.byteLength + LARGEST_ELEMENT));
  if (view.byteLength !== byteLength) return true;
  if (byteLength === 0) return false;
  // It reaches the end for good: with a byte less, one that follows is shorter, and any other shows nothing.
  buffer.resize(byteOffset + byteLength - 1);
  return copyOf(view) !== undefined;
}

/** A structured clone; `undefined` when there can be none, as of a view for which its buffer has become too short. */
export function copyOf<T extends object>(value: T): T | undefined {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}

/** Whether it is one by its class, which may be one that extends it, or by its name, of another realm. */
function isDomException(value: object, tag: string): value is DOMException {
  if (typeof DOMException !== "function") return false;
  return value instanceof DOMException ||
    tag === "DOMException" && typeof read(value, "message") === "string";
}

/** Reads a part of an error; one that cannot be read is text. */
function read(object: object, key: PropertyKey): unknown {
  try {
    return (object as Record<PropertyKey, unknown>)[key];
  } catch {
    return "undefined";
  }
}

/**
 * Own enumerable properties of an error, without those that every error has, and without functions:
 * as text, a method such as an own `toString` would break who calls it.
 */
function ownFields(error: object, hasErrors: boolean): Field[] {
  const fields: Field[] = [];
  for (const key of Object.keys(error)) {
    if (key === "name" || key === "message" || key === "stack" || key === "cause") continue;
    if (hasErrors && key === "errors") continue;
    const value = read(error, key);
    if (typeof value !== "function" || isShareable(value)) fields.push([key, value]);
  }
  return fields;
}
