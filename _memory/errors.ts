/**
 * Errors as values: which classes are rebuilt on the other side, and the error that names what
 * cannot be sent.
 *
 * A class is identified by a registered name, and its constructor is never run, as that could have
 * any parameters and any effect. A rebuilt error is a native error that is given the prototype of
 * its class and the properties that the original had.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { type ErrorClass, platform } from "../_platform/mod.ts";

const CLASSES: unique symbol = Symbol.for("@concurrent/futures.errorClasses");

interface Classes {
  readonly names: WeakMap<object, string>;
  readonly prototypes: Map<string, object>;
}

/** The classes that any copy of the package in this thread knows. */
const shared: Classes = (globalThis as { [CLASSES]?: Classes })[CLASSES] ??= {
  names: new WeakMap(),
  prototypes: new Map(),
};
/** The classes that this copy knows, which come first: each copy has its own `RuntimeError`. */
const PROTOTYPE_BY_NAME = new Map<string, object>();
const BUILT_IN: readonly ErrorClass[] = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
];
/**
 * The class of the error that `using` throws when both the block and the disposal have failed; some
 * supported runtimes lack it.
 */
const SUPPRESSED_ERROR = (globalThis as { SuppressedError?: ErrorClass }).SuppressedError;

function know(name: string, { prototype }: ErrorClass): void {
  PROTOTYPE_BY_NAME.set(name, prototype);
  shared.names.set(prototype, name);
  shared.prototypes.set(name, prototype);
}

for (const constructor of BUILT_IN) know(constructor.name, constructor);
if (SUPPRESSED_ERROR !== undefined) know("SuppressedError", SUPPRESSED_ERROR);
const BUILT_IN_NAMES: ReadonlySet<string> = new Set(PROTOTYPE_BY_NAME.keys());
// Registered under full names: a user's class may be called NotFound as well.
for (const [name, it] of Object.entries(platform.errorClasses)) know(name, it);
// WebAssembly is missing where nothing may be compiled while a program runs.
if (typeof WebAssembly === "object") {
  const { CompileError, LinkError, RuntimeError } = WebAssembly;
  for (const it of [CompileError, LinkError, RuntimeError]) know(`WebAssembly.${it.name}`, it);
}

/**
 * Errors that arrived with the name of a class that is not registered here. They are sent on with
 * the same name.
 */
const UNKNOWN_CLASSES = new WeakMap<object, string>();

/**
 * Makes instances of an error class arrive as instances of it. Must be called on both sides, which
 * it is when the module that defines the class calls it. Instances of unregistered subclasses
 * arrive as the nearest registered class. Where the class of an error that arrives is not
 * registered, the error is a plain one; sent on to where the class is registered, it is an instance
 * of it again.
 *
 * @param constructor The class. It is never called.
 * @param name The name that is sent; a later registration of the same name replaces the earlier
 * one.
 * @throws {TypeError} If `constructor` is not a class of errors, or the name is that of a built-in
 * class other than `constructor`.
 *
 * @example
 * ```ts
 * import { registerError, task, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertInstanceOf } from "@std/assert";
 *
 * export class BadInputError extends Error {}
 * registerError(BadInputError);
 *
 * export const check = task(import.meta, function check(n: number): number {
 *   if (n < 0) throw new BadInputError("negative");
 *   return n;
 * });
 *
 * if (import.meta.main) {
 *   await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 *   assertInstanceOf(await pool.submit(check, -1).exception(), BadInputError);
 * }
 * ```
 */
export function registerErrorClass(
  constructor: ErrorClass,
  name: string = constructor?.name,
): void {
  if (!isErrorClass(constructor)) {
    throw new TypeError(
      `Cannot register error class: expected a class of errors, got ${describe(constructor)}`,
    );
  }
  if (BUILT_IN_NAMES.has(name) && PROTOTYPE_BY_NAME.get(name) !== constructor.prototype) {
    throw new TypeError(`Cannot register error class: the name "${name}" is built in`);
  }
  know(name, constructor);
}

/** Goes by the members of errors: a class may extend the `Error` of another realm. */
function isErrorClass(value: unknown): boolean {
  if (typeof value !== "function") return false;
  const prototype: unknown = value.prototype;
  return typeof prototype === "object" && prototype !== null && "message" in prototype;
}

/** Returns the name of the nearest registered class of an error. */
export function errorClassName(error: object): string {
  const unknown = UNKNOWN_CLASSES.get(error);
  if (unknown !== undefined) return unknown;
  let prototype: object | null = Object.getPrototypeOf(error);
  while (prototype !== null) {
    const name = shared.names.get(prototype);
    if (name !== undefined) return name;
    prototype = Object.getPrototypeOf(prototype);
  }
  // An error of another realm: its classes are not ours, but the built-in ones have the same names.
  const name = (error as { name?: unknown }).name;
  return typeof name === "string" && BUILT_IN_NAMES.has(name) ? name : "Error";
}

/** Returns a native error with the prototype of the class registered as `className`. */
export function createError(className: string): Error {
  const error = new Error();
  const prototype = PROTOTYPE_BY_NAME.get(className) ?? shared.prototypes.get(className);
  if (prototype === undefined) UNKNOWN_CLASSES.set(error, className);
  else if (prototype !== Error.prototype) Object.setPrototypeOf(error, prototype);
  return error;
}

const isNativeError = (Error as { isError?: (value: unknown) => boolean }).isError;

/**
 * Tells whether an object is an error, of whatever class and realm. On Bun, the error of a failed
 * import is not a native one.
 */
export function isError(value: object, tag: string): boolean {
  return tag === "Error" || isNativeError?.(value) === true || value instanceof Error;
}

/** True for a SuppressedError: it holds two errors in own properties that are not enumerable. */
export function isSuppressedError(
  error: object,
): error is Error & { readonly error: unknown; readonly suppressed: unknown } {
  return SUPPRESSED_ERROR !== undefined && error instanceof SUPPRESSED_ERROR;
}

/**
 * An error's message as text: code may have assigned any value to it, which structured clone
 * converts as well.
 */
export function messageText(message: unknown): string {
  if (message === undefined) return "";
  try {
    return String(message);
  } catch {
    return describe(message);
  }
}

/** The place of a part in a value, for an error text: `" at list[1]"`. */
export function placeOf(root: unknown, part: unknown): string {
  let path = "";
  try {
    path = findPath(root, part) ?? "";
  } catch {
    // A getter threw: the text does not name the place.
  }
  return path === "" ? "" : ` at ${path}`;
}

/** Makes an error as structured clone throws it: a DOMException, where that exists. */
export function cloneError(message: string): Error {
  if (typeof DOMException === "function") return new DOMException(message, "DataCloneError");
  const error = new Error(message);
  error.name = "DataCloneError";
  return error;
}

/**
 * The path to a value inside another. A slow walk, made only when sending has failed. It leaves
 * errors out: what cannot be sent of one is replaced by words.
 */
function findPath(root: unknown, culprit: unknown): string | undefined {
  const seen = new Set<unknown>([root]);
  let level: [value: unknown, path: string][] = [[root, ""]];
  // Breadth first, so that the shortest path is found and depth costs no stack.
  while (level.length > 0) {
    const next: [value: unknown, path: string][] = [];
    for (const [value, path] of level) {
      if (value === culprit) return path;
      if (typeof value !== "object" || value === null || value instanceof Error) continue;
      for (const child of children(value, path)) {
        if (child[0] === culprit) return child[1];
        if (typeof child[0] !== "object" || child[0] === null || seen.has(child[0])) continue;
        seen.add(child[0]);
        next.push(child);
      }
    }
    level = next;
  }
  return undefined;
}

function children(value: object, path: string): [value: unknown, path: string][] {
  const found: [value: unknown, path: string][] = [];
  if (value instanceof Map) {
    for (const [key, item] of value) {
      found.push([key, `${path}.keys()`], [item, `${path}.get(${describe(key)})`]);
    }
    return found;
  }
  if (value instanceof Set) {
    for (const item of value) found.push([item, `${path}.values()`]);
    return found;
  }
  if (ArrayBuffer.isView(value)) return [[value.buffer, path === "" ? "buffer" : `${path}.buffer`]];
  for (const key of Object.keys(value)) {
    let step = `[${JSON.stringify(key)}]`;
    if (Array.isArray(value) && /^\d+$/.test(key)) step = `[${key}]`;
    else if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) step = path ? `.${key}` : key;
    found.push([(value as Record<string, unknown>)[key], path + step]);
  }
  return found;
}
