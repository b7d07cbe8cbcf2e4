/**
 * ThreadPoolExecutor: tasks on Web Workers.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { checkTimeout } from "../_platform/clock.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { POOL_KIND, type PoolHandle } from "./_remote_pools.ts";
import { THREAD_ID } from "./_worker_handle.ts";
import { type PoolStats, ThreadPool } from "./_thread_pool.ts";
// Not used here; so that caches, lock files and compiled programs know the workers' module.
import "./_worker_main.ts";
import { Executor } from "./executor.ts";

/** How a thread pool is made. */
export interface ThreadPoolOptions {
  /** The most workers at a time, 1 to 255. Default: one per processor. */
  maxWorkers?: number;
  /** Workers are named `prefix_0`, `prefix_1` ... Default `ThreadPoolExecutor-N`. */
  threadNamePrefix?: string;
  /** Called in each worker before its first task; if it throws, the pool is broken. Crosses as a task does. */
  initializer?: (...args: never[]) => unknown;
  /** The initializer's arguments, cloned when the pool is made. */
  initargs?: readonly unknown[];
  /** Replaces a worker after so many tasks. Default: never. */
  maxTasksPerChild?: number;
  /** Ends a worker that had nothing to do for so many milliseconds. Default: never. */
  idleTimeout?: number | null;
  /**
   * What happens when a worker ends without being asked to: `"break"` fails all unfinished futures and accepts no more, as
   * Python does; `"replace"` fails the task that the worker ran, and starts another worker. Default `"break"`.
   */
  onWorkerLost?: "break" | "replace";
}

let poolsMade = 0;

/**
 * Runs tasks on Web Workers: in parallel, each worker with modules and globals of its own. Arguments and results are cloned,
 * errors arrive whole.
 *
 * Workers are started one by one as tasks come, and keep running until shutdown. A pool that is idle uses no
 * processor and does not keep the program alive; one with tasks does, until they are done.
 *
 * A thread that computes cannot be stopped: a running task whose signal aborts or whose time is up is given up,
 * told so through `taskContext().signal`, and if it does not end its worker is replaced; see {@linkcode stats}.
 *
 * A pool can be sent to its own tasks, as an argument: there it submits to the same workers. A task that waits for such a
 * submission keeps its worker: where all workers block so, the last wait throws a `RuntimeError`; where they all await,
 * they wait for ever, as in Python.
 *
 * Semantics: Python's `ThreadPoolExecutor`, with the isolation of `InterpreterPoolExecutor`.
 *
 * **Differs from Python:** there is one worker per processor by default; a worker that is lost breaks the pool.
 *
 * @example
 * ```ts
 * import { asCompleted, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * function gcd(a: number, b: number): number {
 *   return b === 0 ? a : gcd(b, a % b);
 * }
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const futures = [pool.submit(gcd, 48, 36), pool.submit(gcd, 27, 36)];
 * const found: number[] = [];
 * for await (const future of asCompleted(futures)) found.push(await future);
 * assertEquals(found.sort(), [12, 9]);
 * ```
 */
export class ThreadPoolExecutor extends Executor {
  readonly #pool: ThreadPool;

  /**
   * Makes a pool; no worker is started yet.
   *
   * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative `idleTimeout`.
   * @throws {TypeError} When a number is not an integer, or `initializer` not a function.
   */
  constructor(options: ThreadPoolOptions = {}) {
    const name = `ThreadPoolExecutor-${poolsMade}`;
    const { maxWorkers = platform.cores, initializer, maxTasksPerChild } = options;
    checkCount("maxWorkers", maxWorkers);
    if (maxWorkers > MAX_WORKERS) {
      throw new RangeError(`Cannot make pool: maxWorkers must be at most ${MAX_WORKERS}`);
    }
    if (maxTasksPerChild !== undefined) checkCount("maxTasksPerChild", maxTasksPerChild);
    checkTimeout(options.idleTimeout);
    if (initializer !== undefined && typeof initializer !== "function") {
      throw new TypeError(
        `Cannot make pool: initializer must be a function, got ${typeof initializer}`,
      );
    }
    const { onWorkerLost = "break" } = options;
    if (onWorkerLost !== "break" && onWorkerLost !== "replace") {
      throw new TypeError(
        `Cannot make pool: onWorkerLost must be "break" or "replace", got "${onWorkerLost}"`,
      );
    }
    poolsMade++;
    const pool = new ThreadPool({
      name,
      threadNamePrefix: options.threadNamePrefix ?? name,
      maxWorkers,
      initializer,
      initargs: options.initargs ?? [],
      maxTasksPerChild,
      idleTimeoutMs: options.idleTimeout ?? undefined,
      replaceLost: onWorkerLost === "replace",
    });
    super(pool);
    this.#pool = pool;
  }

  /**
   * Counts of this moment.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
   * assertEquals(pool.stats().workers, 0);
   * await pool.submit(() => 1);
   * assertEquals(pool.stats().completed, 1);
   * ```
   */
  stats(): PoolStats {
    return this.#pool.stats();
  }

  /** Sent to a task, the pool arrives as an executor that submits to this one. */
  [HANDLE](): Handle {
    const data: PoolHandle = {
      name: this.#pool.name,
      owner: THREAD_ID,
      concurrency: this.#pool.concurrency,
    };
    return { kind: POOL_KIND, data };
  }

  /** Shows as `ThreadPoolExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ThreadPoolExecutor";
  }
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value)) {
    throw new TypeError(`Cannot make pool: ${name} must be an integer, got ${value}`);
  }
  if (value < 1) {
    throw new RangeError(`Cannot make pool: ${name} must be greater than 0, got ${value}`);
  }
}
