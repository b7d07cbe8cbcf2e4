/**
 * Python's `concurrent.futures`, `threading`, `multiprocessing` and `queue` for TypeScript: one
 * `Executor` interface over the event loop, threads and processes, whose futures can be awaited or
 * waited for by blocking; and locks and queues that work across all of them.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const future = pool.submit((a: number, b: number) => a + b, 20, 22);
 * assertEquals(await future, 42);
 * ```
 *
 * @module
 */

export * from "./executors/mod.ts";
export * from "./queue/mod.ts";
export * from "./sync/mod.ts";
