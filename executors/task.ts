/**
 * Naming functions for other threads: `task` and `tasks`; moving values instead of copying:
 * `transfer`.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { hasSharedMemory } from "../_platform/memory.ts";
import { NotShareableError } from "../sync/errors.ts";
import { type AnyFunction, loadTarget, mark, markOf, TASK, type TaskMark } from "./_target.ts";

/** The part of `import.meta` that identifies a module. */
export interface ModuleMeta {
  /** The module's URL, as text or as an object. */
  readonly url: string | URL;
}

/** A module's URL as text. */
export function hrefOf(url: string | URL): string {
  // Its class would not tell: test runners mix objects of several realms.
  return typeof url === "object" ? url?.href : url;
}

/** An address that names its scheme. */
const WHOLE_ADDRESS = /^[a-z][a-z\d+.-]*:/i;

/**
 * Marks an exported function, so that it can be submitted to workers: they import its module and
 * call the export of that name. Returns the same function; calling it directly works as before.
 *
 * The module is imported again in each worker, with `import.meta.main` false there: what only the
 * program itself should do belongs under `if (import.meta.main)`, as in Python. Workers also find a
 * function that the module marks without exporting it, if the module marks it each time that it is
 * imported. Functions that are made by another function and have no names of their own are told
 * apart by the order in which the module marks them. Where exports must state their types, declare
 * the function first and then mark it: `task(import.meta, isPrime);`.
 *
 * @param meta The module's `import.meta`.
 * @param fn The function, named as it is exported.
 * @param name The export's name, where it is not the function's.
 * @throws {TypeError} When the first argument is not `import.meta`, or has a relative address, or
 * the second is not a function.
 *
 * @example
 * ```ts
 * import { task } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const square = task(import.meta, function square(n: number): number {
 *   return n * n;
 * });
 * assertEquals(square(7), 49);
 * ```
 */
export function task<F extends CallableFunction>(
  meta: ModuleMeta,
  fn: F,
  name?: string,
): F {
  // `F` extends no signature: parameters without types would take theirs from it.
  if (typeof meta !== "object" || meta === null) {
    const label = name ?? (fn as F | undefined)?.name ?? "";
    throw new TypeError(
      `Cannot mark task "${label}": expected import.meta, got ${describe(meta)}`,
    );
  }
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot mark task: expected a function, got ${describe(fn)}`);
  }
  const url = hrefOf(meta.url);
  const called = name ?? fn.name;
  // Some bundles have an `import.meta` without an address; that is told when the task is sent.
  if (url && !WHOLE_ADDRESS.test(url)) {
    throw new TypeError(
      `Cannot mark task "${called}": expected import.meta, with a whole address, got ${
        describe(url)
      }`,
    );
  }
  mark(fn as unknown as AnyFunction, { url, name: called });
  return fn;
}

/** The functions that a module exports. */
export type TasksOf<M> = {
  readonly [K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never]: M[K];
};

/**
 * Makes references to the functions that a module exports, without loading it in this thread. They
 * can be submitted; calling one throws.
 *
 * @typeParam M The type of the module: `typeof import("./work.ts")`.
 * @param url The module's URL, as text or as an object: `import.meta.resolve("./work.ts")`.
 * @throws {TypeError} When `url` is not an absolute URL.
 *
 * @example
 * ```ts ignore
 * import { tasks, ThreadPoolExecutor } from "@concurrent/futures";
 *
 * const work = tasks<typeof import("./work.ts")>(import.meta.resolve("./work.ts"));
 * await using pool = new ThreadPoolExecutor();
 * const future = pool.submit(work.resize, "photo.jpg");
 * ```
 */
export function tasks<M>(url: string | URL): TasksOf<M> {
  if (!URL.canParse(url)) {
    throw new TypeError(
      `Cannot refer to tasks of "${url}": expected a whole address, such as import.meta.resolve("${url}")`,
    );
  }
  const href = hrefOf(url);
  const references = new Map<string, AnyFunction>();
  return new Proxy({}, {
    get(_target, name): AnyFunction | undefined {
      // Awaiting this object, or returning it from an async function, asks for `then`.
      if (typeof name !== "string" || name === "then") return undefined;
      let reference = references.get(name);
      if (reference === undefined) {
        reference = makeReference({ url: href, name, isReference: true });
        references.set(name, reference);
      }
      return reference;
    },
  }) as TasksOf<M>;
}

function makeReference(by: TaskMark): AnyFunction {
  const reference = (): never => {
    throw new NotShareableError(
      `Cannot call "${by.name}" here: it is a reference made by tasks(); submit it to an executor, or import it`,
    );
  };
  Object.defineProperty(reference, "name", { value: by.name });
  Object.defineProperty(reference, TASK, { value: by });
  return reference;
}

/**
 * Loads the function behind a reference in this thread; returns any other function as it is.
 */
export function dereference(fn: AnyFunction): AnyFunction | Promise<AnyFunction> {
  const by = markOf(fn);
  return by?.isReference ? loadTarget({ kind: "module", url: by.url, name: by.name }) : fn;
}

/**
 * What can be moved; or shared memory, which may be named but stays where it is, as all threads see
 * the same.
 */
export type Movable = Transferable | ArrayBufferLike;

function isMoved(it: Movable): it is Transferable {
  return !(hasSharedMemory && it instanceof SharedArrayBuffer);
}

const transferred = new WeakMap<object, readonly Movable[]>();
let anyTransferred = false;

/**
 * Makes buffers move, instead of being copied, when `value` is sent as an argument or returned from
 * a task. They are detached on the sending side. Small ones are copied and then detached, which is
 * faster.
 *
 * An `AsyncExecutor` hands values on as they are, marked or not. A `ClusterExecutor` refuses marked
 * arguments.
 *
 * @param value The argument or result itself; buffers inside it are named in `buffers`.
 * @param buffers What to move: `ArrayBuffer`, `MessagePort`, streams. Shared memory is left where
 * it is.
 * @returns The same value.
 * @throws {TypeError} When `value` is not an object, or `buffers` is not an array.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor, transfer } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const samples = new Float64Array([1, 2, 3]);
 * const future = pool.submit(
 *   (values: Float64Array) => values.reduce((sum, value) => sum + value, 0),
 *   transfer(samples, [samples.buffer]),
 * );
 * assertEquals(await future, 6);
 * assertEquals(samples.length, 0);
 * ```
 */
export function transfer<T extends object>(value: T, buffers: readonly Movable[]): T {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot transfer: expected an object, got ${describe(value)}`);
  }
  if (!Array.isArray(buffers)) {
    throw new TypeError(`Cannot transfer: expected an array of buffers, got ${describe(buffers)}`);
  }
  transferred.set(value, buffers);
  anyTransferred = true;
  return value;
}

/** Returns what has to be moved with a value, and removes the mark that `transfer` made. */
export function takeTransfers(value: unknown): Set<Transferable> | undefined {
  if (!anyTransferred || typeof value !== "object" || value === null) return undefined;
  const buffers = transferred.get(value);
  if (buffers === undefined) return undefined;
  transferred.delete(value);
  return new Set([...buffers].filter(isMoved));
}

/**
 * Whether what should be moved is so small that it is copied instead, and then detached on the
 * sending side: a message of its own would take longer.
 */
export function isCopied(moved: ReadonlySet<Transferable> | undefined, mostBytes: number): boolean {
  if (moved === undefined) return true;
  let bytes = 0;
  for (const it of moved) bytes += it instanceof ArrayBuffer ? it.byteLength : Infinity;
  return bytes <= mostBytes;
}

/**
 * Returns what should be moved and is still here: an earlier task with the same options may have
 * taken a buffer, which is empty then.
 */
export function transferList(moved: ReadonlySet<Transferable> | undefined): Transferable[] {
  if (moved === undefined) return [];
  return [...moved].filter((it) => !(it instanceof ArrayBuffer && it.byteLength === 0));
}

/**
 * Detaches in this thread what should be moved but goes with no message, because it was copied or
 * is part of no value.
 */
export function detach(moved: ReadonlySet<Transferable> | undefined): void {
  if (moved === undefined) return;
  const transfer = transferList(moved);
  if (transfer.length > 0) structuredClone(null, { transfer });
}

/** The marks on values, each as what {@linkcode transfer} made it of; sending takes them away. */
export function marksOf(
  values: readonly unknown[],
): [value: object, buffers: readonly Movable[]][] {
  if (!anyTransferred) return [];
  const marks: [object, readonly Movable[]][] = [];
  for (const value of values) {
    const buffers = transferred.get(value as object);
    if (buffers !== undefined) marks.push([value as object, buffers]);
  }
  return marks;
}

/**
 * Removes the marks from arguments that are not sent, or results: a mark is for one submit, also if
 * that fails. Otherwise it would apply when the value is sent later, without a mark.
 */
export function dropTransfers(values: readonly unknown[]): void {
  takeArgumentTransfers(values, undefined);
}

/** Returns what has to be moved with a list of arguments. */
export function takeArgumentTransfers(
  args: readonly unknown[],
  more: readonly Movable[] | undefined,
): Set<Transferable> | undefined {
  if (!anyTransferred && more === undefined) return undefined;
  const found = new Set([...more ?? []].filter(isMoved));
  for (const value of args) {
    for (const buffer of takeTransfers(value) ?? []) found.add(buffer);
  }
  return found.size === 0 ? undefined : found;
}
