/**
 * ThreadPoolExecutor: tasks on Web Workers.
 *
 * @module
 */

import { HANDLE, type Handle } from "../_memory/handle.ts";
import { handleOfPool } from "./_nested_tasks.ts";
import { type PoolOptions, poolSettings } from "./_pool_options.ts";
import { startWorkerThread } from "./_worker_link.ts";
import { WorkerPool } from "./_worker_pool.ts";
// Not used here; so that caches, lock files and compiled programs know the workers' module.
import "./_worker_main.ts";
import { BrokenThreadPool } from "./errors.ts";
import { Executor } from "./executor.ts";
import type { ExecutorStats } from "./stats.ts";

/** How a thread pool is made. */
export interface ThreadPoolOptions extends PoolOptions {}

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
  readonly #pool: WorkerPool;

  /**
   * Makes a pool; no worker is started yet.
   *
   * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative `idleTimeout`.
   * @throws {TypeError} When a number is not an integer, or `initializer` not a function; and for `permissions`, which only
   * processes can have less of.
   */
  constructor(options: ThreadPoolOptions = {}) {
    if ((options as { permissions?: unknown } | null)?.permissions !== undefined) {
      // It would be dangerous to leave unheeded what is meant to confine tasks.
      throw new TypeError(
        "Cannot make pool: threads have the permissions of the program; use a ProcessPoolExecutor to narrow them",
      );
    }
    const name = `ThreadPoolExecutor-${poolsMade}`;
    const pool = new WorkerPool(poolSettings(name, options), {
      Broken: BrokenThreadPool,
      exports: undefined,
      chunkMs: 10,
      startThread: startWorkerThread,
      close() {},
    });
    poolsMade++;
    super(pool);
    this.#pool = pool;
  }

  /**
   * Counts and times of this moment: how many tasks wait, run and are done, how long they waited and ran, and how busy each
   * worker is. It is always counted; asking costs what going through the workers costs.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assert, assertEquals } from "@std/assert";
   *
   * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
   * assertEquals(pool.stats().workers, 0);
   * await pool.submit(() => 1);
   * const { completed, run, perWorker } = pool.stats();
   * assertEquals([completed, run.count, perWorker[0].done], [1, 1, 1]);
   * assert(run.p50 <= run.p99 && run.p99 <= run.max);
   * ```
   */
  stats(): ExecutorStats {
    return this.#pool.stats();
  }

  /** Sent to a task, the pool arrives as an executor that submits to this one. */
  override [HANDLE](): Handle {
    return handleOfPool(this, this.#pool);
  }

  /** Shows as `ThreadPoolExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ThreadPoolExecutor";
  }
}
