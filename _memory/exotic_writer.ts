/**
 * Writes the objects that are neither plain nor arrays: errors, collections, buffers, handles, and
 * objects that are left to structured clone. `tags.ts` describes the layout; `encoder.ts` uses
 * this.
 *
 * Invariant: when the writing of a value is abandoned half-way (a field of an error that cannot be
 * cloned), its words, numbers, externs and extras are taken back.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { isDetached } from "../_platform/memory.ts";
import { hasCore } from "./core.ts";
import { cloneError, errorClassName, isError, isSuppressedError, messageText } from "./errors.ts";
import { HANDLE, type Handle, isShareable, type Shareable } from "./handle.ts";
import { isNativeClass, isOfGlobalClass } from "./runtime_objects.ts";
import * as tags from "./tags.ts";
import { KeyLists, ObjectNumbers, WordWriter } from "./word_writer.ts";

/**
 * Buffers of more bytes than this are left to structured clone, so that every length fits in a
 * word.
 */
const MAX_BYTES = 0x7fffff00;

/**
 * Thrown inside the encoder when a view was written with only its part of a buffer, and then the
 * buffer turns up a second time. Everything is then written again, with whole buffers for all
 * views; getters run twice.
 */
export const RESTART = { restart: true };
/**
 * Thrown inside the encoder for a value that cannot be sent. There is one object for all: whoever
 * catches it reads its fields and clears them.
 */
export const REFUSED = {
  culprit: undefined as unknown,
  /** Why it cannot be sent, where that is known; otherwise it cannot be cloned. */
  reason: undefined as Error | Refusal | undefined,
};

/** Makes the error of a refusal, given the place of the culprit; see {@linkcode placeOf}. */
export type Refusal = (place: string) => Error;

const TO_STRING = Object.prototype.toString;
const MAP_FOR_EACH = Map.prototype.forEach;
const SET_FOR_EACH = Set.prototype.forEach;
const TYPED_ARRAY_TAG = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;
const BYTE_LENGTH = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;
const SOURCE = Object.getOwnPropertyDescriptor(RegExp.prototype, "source")!.get!;

/**
 * Calls that throw unless the object really is what its tag says. For a boxed value they return the
 * value in it.
 */
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

/** The classes among them that a program may extend. */
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

/** The name of the built-in class that an object is of, whatever its tag says. */
function builtInOf(value: object): string | undefined {
  return BUILT_IN.find((builtIn) => value instanceof builtIn && isA(builtIn.name, value))?.name;
}

/**
 * Tags of objects that no runtime can send: they are refused here, so that the error can say where
 * in the value they are.
 */
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

/** Classes of objects that can be transferred and not cloned. */
const MOVABLE: ReadonlySet<unknown> = new Set([
  "MessagePort",
  "ReadableStream",
  "TransformStream",
  "WritableStream",
]);

/** The state of the writer at some point, to which it can be taken back. */
interface Mark {
  readonly at: number;
  readonly objects: number;
  readonly keyLists: number;
  readonly externs: number;
  readonly externBytes: number;
  readonly extras: number;
}

/** An own property of an error, with the value that it had when it was read. */
type Field = readonly [key: string, value: unknown];

/** Writes objects that need more than a look at their keys. */
export abstract class ExoticWriter extends WordWriter {
  /**
   * How many shared objects the last encoding holds: the thread that decodes it must know their
   * classes.
   */
  handles = 0;
  /** The kind of the last of those shared objects. */
  handleKind = "";
  /**
   * Makes the handles of shared objects, where their own would not do: on the way to another
   * process.
   */
  handleOf: ((object: Shareable) => Handle) | undefined;
  /**
   * Refuses an object that only structured clone can carry, where structured clone is not
   * available: on the way to another process.
   */
  refusalOf: ((extra: object) => Refusal) | undefined;
  /**
   * Whether what can be moved and not cloned may be an extra although it is not moved: for a caller
   * that sends no messages, and itself refuses all extras.
   */
  allowsUnmoved = false;
  /** The most bytes that an encoding may take: limited on the way to another process. */
  mostBytes = Infinity;

  protected readonly objects: ObjectNumbers = new ObjectNumbers();
  protected readonly keyLists: KeyLists = new KeyLists();
  /** The objects that the sender will lose. */
  protected moved: ReadonlySet<object> | undefined;
  /** Whether those objects are copied all the same. */
  protected copiesMoved = false;
  /** Whether every view is written with its whole buffer, as structured clone does. */
  protected keepBuffers = false;
  /** Object numbers of the views that were written together with their whole buffer, by buffer. */
  #ownedBuffers: Map<object, number> | undefined;
  /** Buffers of which only a part was written, for the only view seen of them. */
  #parts: Set<object> | undefined;

  /** Writes any value. */
  protected abstract writeValue(value: unknown, pos: number): number;

  /** Writes a numbered object as a plain one. */
  protected abstract writePlain(value: object, pos: number): number;

  /** Forgets all objects, key lists and buffers of the value. */
  protected forget(): void {
    this.objects.clear();
    this.keyLists.cutTo(0);
    this.#ownedBuffers = this.#parts = this.moved = undefined;
  }

  protected refuse(value: unknown, reason?: Error | Refusal): never {
    REFUSED.culprit = value;
    REFUSED.reason = reason;
    throw REFUSED;
  }

  protected writeExotic(value: object, pos: number): number {
    if (ArrayBuffer.isView(value)) return this.#view(value, pos);
    const tag = TO_STRING.call(value).slice(8, -1);
    if (tag === "Object") return this.#unnamed(value, pos);
    if (PROBES.has(tag) && isA(tag, value)) return this.#builtIn(value, tag, pos);
    if (isDomException(value, tag)) return this.#domException(value, pos);
    if (isError(value, tag)) return this.#error(value, pos);
    if (REFUSED_TAGS.has(tag)) return this.refuse(value);
    const builtIn = builtInOf(value);
    if (builtIn !== undefined) return this.#builtIn(value, builtIn, pos);
    return PROBES.has(tag) ? this.writePlain(value, pos) : this.#named(value, tag, pos);
  }

  /** Writes a built-in object that really is what the tag says. */
  #builtIn(value: object, tag: string, pos: number): number {
    switch (tag) {
      case "Map":
        return this.#map(value as Map<unknown, unknown>, pos);
      case "Set":
        return this.#set(value as Set<unknown>, pos);
      case "Date":
        return this.writeDouble(tags.DATE, Date.prototype.getTime.call(value), pos);
      case "RegExp": {
        // Its own properties, or those of its class, may say something else.
        const { source, flags } = new RegExp(value as RegExp);
        pos = this.writeWord(tags.REGEXP, pos);
        return this.writeString(flags, this.writeString(source, pos));
      }
      case "ArrayBuffer":
        return this.#buffer(value as ArrayBuffer, pos);
      default:
        return this.writeValue(PROBES.get(tag)!(value), this.writeWord(tags.BOXED, pos));
    }
  }

  /**
   * Writes an object whose class has no tag of its own, or "Object". It is plain, unless it is a
   * Map or the like, or one of a runtime's objects that keep their contents behind symbols; some of
   * those can be cloned (Node's BlockList, and Histogram, which has its class as a key) or moved
   * (FileHandle).
   */
  #unnamed(value: object, pos: number): number {
    if (this.moved?.has(value)) return this.writeExtra(value, pos);
    if (Symbol.toStringTag in value) {
      const builtIn = builtInOf(value);
      if (builtIn !== undefined) return this.#builtIn(value, builtIn, pos);
      if (isDomException(value, "Object")) return this.#domException(value, pos);
      if (isError(value, "Object")) return this.#error(value, pos);
    }
    if (
      Object.getOwnPropertySymbols(value).length === 0 ||
      Object.keys(value).some((key) => key !== "constructor")
    ) return this.writePlain(value, pos);
    const copy = copyOf(value) ?? this.refuse(value);
    return Object.getPrototypeOf(copy) === Object.prototype
      ? this.writePlain(value, pos)
      : this.writeExtra(value, pos);
  }

  /**
   * Writes an object whose class has a tag of its own, and that is no Map or the like. A runtime's
   * object goes by message if it can be cloned or transferred; the others (a URL, a
   * Response) are refused, as runtimes would send an empty object for them, some without an error.
   * Structured clone treats any other object as plain.
   */
  #named(value: object, tag: string, pos: number): number {
    const isOfRuntime = isOfGlobalClass(value, tag);
    const hasKeys = Object.keys(value).length > 0;
    // A browser's own objects may have keys, as its events do.
    const isNative = hasKeys && isNativeClass(read(value, "constructor"), tag);
    if (hasKeys && !isOfRuntime && !isNative) return this.writePlain(value, pos);
    // On Node, a port has the tag of its base class.
    const { name } = Object(read(value, "constructor")) as { readonly name?: unknown };
    if (MOVABLE.has(tag)) return this.#unmoved(value, tag, pos);
    if (MOVABLE.has(name)) return this.#unmoved(value, name as string, pos);
    const copy = copyOf(value);
    if (copy !== undefined && TO_STRING.call(copy) !== "[object Object]") {
      return this.writeExtra(value, pos);
    }
    if (isNative && copy === undefined) return this.refuse(value);
    // An object of a user's class that extends one of the runtime's has keys, and they may hold
    // what structured clone cannot clone.
    if (hasKeys || !isOfRuntime && copy !== undefined) return this.writePlain(value, pos);
    return this.refuse(value);
  }

  /** Writes an object that can only be moved, and is not. */
  #unmoved(value: object, kind: string, pos: number): number {
    if (this.refusalOf !== undefined || this.allowsUnmoved) return this.writeExtra(value, pos);
    const part = kind === "MessagePort" ? "port" : "stream";
    const remedy = `to one task; mark its argument or result: transfer(value, [${part}])`;
    return this.refuse(value, (place) => {
      return cloneError(`Cannot send value: ${kind}${place} can only be moved, ${remedy}`);
    });
  }

  protected writeExtra(value: object, pos: number): number {
    if (this.refusalOf !== undefined) return this.refuse(value, this.refusalOf(value));
    this.extras.push(value);
    return this.writeHead(tags.EXTRA, this.extras.length - 1, pos);
  }

  protected writeHandle(value: Shareable, pos: number): number {
    const handle = this.#handleOf(value);
    if (hasCore(handle.kind)) this.#checkFields(value);
    this.handles++;
    this.handleKind = handle.kind;
    pos = this.writeWord(tags.HANDLE_OF, pos);
    pos = this.writeString(handle.kind, pos);
    return this.writeValue(handle.data, pos);
  }

  /**
   * Refuses a lock, a queue or the like that a subclass has given fields: it arrives as one of the
   * package's class, which has none.
   */
  #checkFields(value: Shareable): void {
    const field = Object.keys(value).find((key) => read(value, key) !== undefined);
    if (field === undefined) return;
    this.refuse(value, (place) => {
      const what = `${describe(value)}${place} would arrive without its field "${field}"`;
      return cloneError(
        `Cannot send value: ${what}; pass what its class adds as further arguments`,
      );
    });
  }

  #handleOf(value: Shareable): Handle {
    if (this.handleOf === undefined) return value[HANDLE]();
    try {
      return this.handleOf(value);
    } catch (error) {
      return this.refuse(value, error as Error);
    }
  }

  // The items of a Map or Set are listed first: a getter in an item may change the collection while
  // it is written.
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

  /**
   * Checks that a whole buffer, or a part of it for one view, can be written now. Call before
   * writing it.
   */
  #claim(buffer: ArrayBuffer): void {
    if (isDetached(buffer)) this.refuse(buffer);
    if (this.#parts !== undefined && this.#parts.has(buffer)) throw RESTART;
  }

  /**
   * Structured clone copies the whole buffer of a view. This writer does so too where the
   * difference would show: when two views share a buffer. A single view of at most half its buffer
   * is copied without the rest, so that ten bytes of a pool of many kilobytes do not cost many
   * kilobytes; its copy begins at offset 0. A buffer that the sender loses is written whole:
   * otherwise the rest of it would be lost.
   */
  #view(view: ArrayBufferView, pos: number): number {
    const name = (TYPED_ARRAY_TAG.call(view) as string | undefined) ?? "DataView";
    const kind = tags.VIEW_NAMES.indexOf(name);
    const buffer = view.buffer;
    const size = buffer.byteLength;
    if (isDetached(buffer)) this.refuse(buffer);
    // Whether the view's length follows that of growable shared memory cannot be found out;
    // structured clone knows.
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

  /** The length of a view, or FOLLOWS if it follows that of its resizable buffer. */
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
    const message = messageText(read(error, "message"));
    const stack = read(error, "stack");
    const code = read(error, "code");
    const errors = Object.hasOwn(error, "errors") ? read(error, "errors") : undefined;
    const hasErrors = Array.isArray(errors);
    const own = ownFields(error, hasErrors);
    if (isSuppressedError(error)) {
      own.push(["error", error.error], ["suppressed", error.suppressed]);
    }
    // Some runtimes have the code on the prototype.
    const isCode = typeof code === "string" || typeof code === "number";
    if (isCode && !Object.hasOwn(error, "code")) own.push(["code", code]);
    let fields = 0;
    if (typeof name === "string") fields |= tags.HAS_NAME;
    if (message !== "" || Object.hasOwn(error, "message")) fields |= tags.HAS_MESSAGE;
    if (typeof stack === "string") fields |= tags.HAS_STACK;
    if (Object.hasOwn(error, "cause")) fields |= tags.HAS_CAUSE;
    if (hasErrors) fields |= tags.HAS_ERRORS;
    if (own.length > 0) fields |= tags.HAS_OWN;
    pos = this.writeWord(tags.ERROR | fields << 8, pos);
    pos = this.writeString(errorClassName(error), pos);
    if (fields & tags.HAS_NAME) pos = this.writeString(name as string, pos);
    if (fields & tags.HAS_MESSAGE) pos = this.writeString(message, pos);
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

  /**
   * Writes a part of an error. A part that cannot be cloned is written as text, so that the error
   * still arrives.
   */
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
    const taken = this.objects.cutTo(mark.objects);
    const owned = this.#ownedBuffers;
    if (owned !== undefined) {
      for (const object of taken) {
        if (!ArrayBuffer.isView(object)) continue;
        // It may be a second view, and the owner one that stays.
        if (owned.get(object.buffer)! >= mark.objects) owned.delete(object.buffer);
      }
    }
    this.keyLists.cutTo(mark.keyLists);
    this.externs.length = mark.externs;
    this.externBytes = mark.externBytes;
    this.extras.length = mark.extras;
  }
}

function sourceOf(value: object): string {
  return SOURCE.call(value);
}

/** The text that stands for a part of an error that was refused. */
function refusalText(value: unknown): string {
  const { culprit, reason } = REFUSED;
  REFUSED.culprit = REFUSED.reason = undefined;
  const why = (typeof reason === "function" ? reason("") : reason)?.message;
  if (culprit === value) return why ?? describe(value);
  const text = `${describe(value)} with ${describe(culprit)}`;
  return why === undefined ? text : `${text}: ${why}`;
}

function isResizable(buffer: ArrayBufferLike): boolean {
  return (buffer as { resizable?: boolean }).resizable === true;
}

function isGrowable(buffer: ArrayBufferLike): boolean {
  return (buffer as { growable?: boolean }).growable === true;
}

function lengthOf(view: ArrayBufferView): number {
  return (view as Uint8Array).length ?? view.byteLength;
}

/** Bytes of the largest element that a view can have. */
const LARGEST_ELEMENT = 8;

/** Whether a view's length follows that of its buffer. Only resizing the buffer shows that. */
function followsWhenResized(view: ArrayBufferView): boolean {
  const buffer = view.buffer as ArrayBuffer;
  const { byteOffset, byteLength } = view;
  buffer.resize(Math.min(buffer.maxByteLength, buffer.byteLength + LARGEST_ELEMENT));
  if (view.byteLength !== byteLength) return true;
  if (byteLength === 0) return false;
  // Either the view's length is fixed, or the buffer could not grow enough. When the buffer ends a
  // byte before the view, a view that follows becomes shorter; any other goes out of bounds and
  // cannot be cloned.
  buffer.resize(byteOffset + byteLength - 1);
  return copyOf(view) !== undefined;
}

/**
 * A structured clone; `undefined` when there can be none, as of a view that its buffer has become
 * too short for.
 */
export function copyOf<T extends object>(value: T): T | undefined {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}

/**
 * Whether an object is a DOMException: by its class, or a class that extends that; or, from another
 * realm, by its tag.
 */
function isDomException(value: object, tag: string): value is DOMException {
  if (typeof DOMException !== "function") return false;
  return value instanceof DOMException ||
    tag === "DOMException" && typeof read(value, "name") === "string" &&
      typeof read(value, "message") === "string";
}

/** Reads a property; `"undefined"`, as text, when its getter throws. */
function read(object: object, key: PropertyKey): unknown {
  try {
    return (object as Record<PropertyKey, unknown>)[key];
  } catch {
    return "undefined";
  }
}

/**
 * Own enumerable properties of an error, without those that every error has, and without functions:
 * a method such as an own `toString`, sent as text, would break any code that calls it.
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
