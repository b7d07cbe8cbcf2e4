/**
 * ProcessPoolExecutor: tasks in processes of their own.
 *
 * @module
 */

import type { Permissions } from "../_platform/permissions.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { finishMaps } from "./_map_run.ts";
import { handleOfPool } from "./_nested_tasks.ts";
import { type PoolOptions, poolSettings } from "./_pool_options.ts";
import {
  checkPermissions,
  checkProcesses,
  checkSurroundings,
  ownConfig,
  ProcessClient,
  processExports,
} from "./_process_client.ts";
import { LOOK_MS } from "./_process_protocol.ts";
import { WorkerPool } from "./_worker_pool.ts";
import { BrokenProcessPool } from "./errors.ts";
import { Executor } from "./executor.ts";
import type { ExecutorStats } from "./stats.ts";
// Imported only so that caches, lock files and compiled programs contain these modules, and bundles
// have them ahead of the program.
import "./_process_main.ts";
import "./_process_manager.ts";
import "./_serving.ts";
import "./_worker_main.ts";

/** How a process pool is made. */
export interface ProcessPoolOptions extends PoolOptions {
  /**
   * Narrows what the processes may do, by kind of permission: `false` allows nothing, a list allows
   * what it names. A kind that is left out is passed on if this process has it in full, and
   * otherwise not at all. A list may name only what this process has itself, and nothing that may
   * include what is denied to it: with `--deny-net`, name each host with its port. Paths are
   * relative to the working directory of this process as it makes the pool. The modules of tasks
   * must be readable; the package's own always are: in a bundle the file, or its folder if there
   * are several.
   */
  permissions?: Permissions | undefined;
  /** Environment variables of the processes, in addition to those of this one. */
  env?: Readonly<Record<string, string>> | undefined;
  /** The working directory of the processes. Default: that of this process. */
  cwd?: string | undefined;
}

let poolsMade = 0;

/**
 * Runs tasks in processes of their own: in parallel, each with its own memory, modules and globals.
 * What a task does to its process harms nothing else: it may exit, crash, run out of memory, or
 * never end, and it can be killed.
 *
 * Arguments and results are cloned. Errors arrive with class, message, stack, cause and own
 * properties; a part that cannot be sent is replaced by a text that says why. Processes share no
 * memory: a `SharedArrayBuffer` cannot be sent, but locks, queues and all other objects of `sync`
 * and `queue` can; in the process they behave as they do here, each operation being a message and
 * its answer. What is named in `transfer` is copied, and then detached on the sending side.
 *
 * Processes are started one by one as tasks come, with this program's configuration, and keep
 * running until shutdown. An idle pool uses no processor time and does not keep the program
 * running; a pool with tasks does. No process of a pool outlives this process, however this one
 * ends.
 *
 * A running task whose signal aborts or whose time is up learns of it through
 * `taskContext().signal`; if it does not end within 50 ms, its process is killed. The process is
 * then a lost worker: with `onWorkerLost: "replace"` no other future fails, by default all
 * unfinished ones do.
 *
 * Tasks that take less time than the way to a process are sent ahead, a few at a time, and count as
 * running from then on. Tasks that are given locks, queues or other shared objects may wait for
 * each other, so they are sent one at a time.
 *
 * Semantics: Python's `ProcessPoolExecutor` with the start method `spawn`.
 *
 * **Differs from Python:** a value that cannot be decoded fails its own future, not the pool; a
 * task is `running` once a process takes it.
 *
 * @example
 * ```ts
 * import { ProcessPoolExecutor } from "@concurrent/futures";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
 * assertEquals(await pool.submit((a: number, b: number) => a * b, 6, 7), 42);
 * assert(await pool.submit(() => Deno.pid) !== Deno.pid);
 * ```
 */
export class ProcessPoolExecutor extends Executor {
  readonly #pool: WorkerPool;

  /**
   * Makes a pool; no process is started yet.
   *
   * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative
   * `idleTimeout`.
   * @throws {TypeError} When a number is not an integer, `threadNamePrefix` is not a string,
   * `initializer` is not a function, `initargs` is not an array, `permissions` names an unknown
   * kind, or `env` or `cwd` has the wrong type.
   * @throws {RuntimeError} In a browser or a compiled program, which cannot start processes.
   */
  constructor(options: ProcessPoolOptions = {}) {
    checkProcesses("make ProcessPoolExecutor");
    const name = `ProcessPoolExecutor-${poolsMade}`;
    const settings = poolSettings(name, options);
    const { env, cwd } = checkSurroundings("make pool", options);
    const processSettings = {
      permissions: checkPermissions("make pool", options.permissions),
      env,
      cwd,
      config: ownConfig(),
      isAlone: false,
    };
    const client = new ProcessClient();
    const pool = new WorkerPool(settings, {
      Broken: BrokenProcessPool,
      exports: processExports(),
      chunkMs: 40, // A chunk costs 0.5 ms of processor time in four threads, which have gone cold meanwhile.
      lookMs: LOOK_MS,
      startThread: (_name, onError) => client.start(processSettings, onError),
      close: () => client.close(),
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
   * import { ProcessPoolExecutor } from "@concurrent/futures";
   * import { assert, assertEquals } from "@std/assert";
   *
   * await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
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

  /** The process ids of the processes that have been started and have not ended. */
  get pids(): number[] {
    return this.#pool.pids;
  }

  /**
   * Ends all processes at once with SIGTERM, and shuts the pool down without waiting: tasks that
   * have not started are cancelled, running ones fail with `BrokenProcessPool`. May be called
   * again, and on a broken pool.
   *
   * @example
   * ```ts
   * import { BrokenProcessPool, ProcessPoolExecutor } from "@concurrent/futures";
   * import { assertRejects } from "@std/assert";
   *
   * await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
   * await pool.submit(() => "started");
   * const future = pool.submit(() => {
   *   for (;;);
   * });
   * while (!future.running()) await new Promise((resolve) => setTimeout(resolve, 1));
   * pool.terminateWorkers();
   * await assertRejects(() => future.result(), BrokenProcessPool, "SIGTERM");
   * ```
   */
  terminateWorkers(): void {
    this.#endWorkers("SIGTERM");
  }

  /** Does as {@linkcode terminateWorkers}, but with SIGKILL: for processes that ignore SIGTERM. */
  killWorkers(): void {
    this.#endWorkers("SIGKILL");
  }

  #endWorkers(signal: string): void {
    finishMaps(this.#pool, true);
    this.#pool.endWorkers(signal);
  }

  /** Makes the pool arrive in a task as an executor that submits to this pool. */
  override [HANDLE](): Handle {
    return handleOfPool(this, this.#pool);
  }

  /** Shows as `ProcessPoolExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ProcessPoolExecutor";
  }
}
