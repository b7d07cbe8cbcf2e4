/**
 * `map` on a shared pool, for programs that make none of their own.
 *
 * @module
 */

import type { MapInput } from "./_map_inputs.ts";
import type { MapResult } from "./_map_result.ts";
import type { MapOptions } from "./_map_run.ts";
import type { WorkerPool } from "./_worker_pool.ts";
import { backendOf } from "./executor.ts";
import { ThreadPoolExecutor } from "./thread_pool_executor.ts";

let defaultExecutor: ThreadPoolExecutor | undefined;

/**
 * The shared pool. The calls of a program have nothing to do with each other, so none may break it
 * for the rest: a lost worker is replaced, and so is a pool whose worker could not be started.
 */
function sharedExecutor(): ThreadPoolExecutor {
  if (defaultExecutor === undefined || (backendOf(defaultExecutor) as WorkerPool).isBroken) {
    defaultExecutor = new ThreadPoolExecutor({ threadNamePrefix: "map", onWorkerLost: "replace" });
  }
  return defaultExecutor;
}

/**
 * Calls `fn` with each item on a shared thread pool, and hands out the results in order, as
 * `ThreadPoolExecutor.map` does. The pool is made at the first call, has one worker for each
 * processor, and does not keep the program running when it is idle.
 *
 * If a worker is lost, the items of the chunk that it ran fail with a `BrokenThreadPool`, and
 * another worker is started. If one cannot be started, all unfinished items fail, and the next call
 * makes another pool.
 *
 * @example
 * ```ts ignore
 * // Its pool outlives the example, as it is meant to, so this is run by a test of its own.
 * import { map } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await map((n: number) => n * n, [1, 2, 3]).toArray(), [1, 4, 9]);
 * ```
 */
export function map<A, R>(
  fn: (a: A) => R,
  input: MapInput<A>,
  options?: MapOptions,
): MapResult<Awaited<R>>;
/** Calls `fn` with the items of two inputs side by side. */
export function map<A, B, R>(
  fn: (a: A, b: B) => R,
  first: MapInput<A>,
  second: MapInput<B>,
  options?: MapOptions,
): MapResult<Awaited<R>>;
/** Calls `fn` with the items of three inputs side by side. */
export function map<A, B, C, R>(
  fn: (a: A, b: B, c: C) => R,
  first: MapInput<A>,
  second: MapInput<B>,
  third: MapInput<C>,
  options?: MapOptions,
): MapResult<Awaited<R>>;
export function map<R>(fn: (...args: never[]) => R, ...args: unknown[]): MapResult<Awaited<R>> {
  const executor = sharedExecutor();
  const mapWith = executor.map as (...args: unknown[]) => MapResult<Awaited<R>>;
  return mapWith.call(executor, fn, ...args);
}
