/**
 * ThreadPoolExecutor: tasks on Web Workers.
 *
 * @module
 */

import { LONGEST_SPIN_MS } from "../_platform/park.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { handleOfPool } from "./_nested_tasks.ts";
import { type PoolOptions, poolSettings } from "./_pool_options.ts";
import { startWorkerThread } from "./_worker_link.ts";
import { WorkerPool } from "./_worker_pool.ts";
// Imported only so that caches, lock files and compiled programs contain the workers' module.
import "./_worker_main.ts";
import { BrokenThreadPool } from "./errors.ts";
import { Executor } from "./executor.ts";
import type { ExecutorStats } from "./stats.ts";

/** How a thread pool is made. */
export interface ThreadPoolOptions extends PoolOptions {}

let poolsMade = 0;

/**
 * Runs tasks on Web Workers: in parallel, each worker with modules and globals of its own.
 * Arguments and results are cloned; errors arrive with class, message, stack, cause and own
 * properties.
 *
 * Workers are started one by one as tasks come, and keep running until shutdown. An idle pool uses
 * no processor time and does not keep the program running; a pool with tasks does, until they are
 * done.
 *
 * A thread that computes is not stopped: a running task whose signal aborts or whose time is up is
 * given up, and learns of it through `taskContext().signal`. If it does not end, its worker is
 * abandoned and replaced; `stats().abandoned` counts such threads.
 *
 * A pool can be sent to its own tasks, as an argument: there it submits to the same workers. So it
 * can to tasks of other pools of the thread that made it, and to processes of that thread. A task
 * that waits for one of its own pool keeps its worker. If all workers block in such waits, the last
 * wait throws a `RuntimeError`; if they all await, they wait for ever, as in Python.
 *
 * Semantics: Python's `ThreadPoolExecutor`, with the isolation of `InterpreterPoolExecutor`.
 *
 * **Differs from Python:** there is one worker per processor by default; a worker that is lost
 * breaks the pool.
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
   * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative
   * `idleTimeout`.
   * @throws {TypeError} When a number is not an integer, `threadNamePrefix` is not a string,
   * `initializer` is not a function, or `initargs` is not an array; and for `permissions`, which
   * only processes can narrow.
   */
  constructor(options: ThreadPoolOptions = {}) {
    if ((options as { permissions?: unknown } | null)?.permissions !== undefined) {
      // It would be dangerous to ignore an option that is meant to confine tasks.
      throw new TypeError(
        "Cannot make pool: threads have the permissions of the program; use a ProcessPoolExecutor to narrow them",
      );
    }
    const name = `ThreadPoolExecutor-${poolsMade}`;
    const pool = new WorkerPool(poolSettings(name, options), {
      Broken: BrokenThreadPool,
      exports: undefined,
      chunkMs: 10,
      lookMs: LONGEST_SPIN_MS,
      startThread: startWorkerThread,
      close() {},
    });
    poolsMade++;
    super(pool);
    this.#pool = pool;
  }

  /**
   * Returns counts and times of this moment: how many tasks wait, run and are done, how long they
   * waited and ran, and how busy each worker is. The counts are always kept; asking costs one pass
   * over the workers.
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

  /** Makes the pool arrive in a task as an executor that submits to this pool. */
  override [HANDLE](): Handle {
    return handleOfPool(this, this.#pool);
  }

  /** Shows as `ThreadPoolExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ThreadPoolExecutor";
  }
}
