/**
 * ProcessPoolExecutor: tasks in processes of their own.
 *
 * @module
 */

import type { Permissions } from "../_platform/permissions.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
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
// Not used here; so that caches, lock files and compiled programs know these modules, and bundles have them ahead of the program.
import "./_process_main.ts";
import "./_process_manager.ts";
import "./_serving.ts";
import "./_worker_main.ts";

/** How a process pool is made. */
export interface ProcessPoolOptions extends PoolOptions {
  /**
   * What the processes may do less than this one, by kind: `false` for nothing, a list for what it names. Kinds left out are as
   * in this process, if it has them in full. The modules of tasks must be readable; the package's own always are.
   */
  permissions?: Permissions | undefined;
  /** Environment variables of the processes, beside those of this one. */
  env?: Readonly<Record<string, string>> | undefined;
  /** The folder that the processes work in. Default: this process's. */
  cwd?: string | undefined;
}

let poolsMade = 0;

/**
 * Runs tasks in processes of their own: in parallel, each with its own memory, modules and globals. What a task does to its
 * process is nobody else's concern: it may exit, crash, run out of memory, or never end, and can be killed.
 *
 * Arguments and results are cloned, errors arrive whole, with text that says why in place of what in them cannot be sent.
 * Processes share no memory: a `SharedArrayBuffer` cannot be sent, but locks, queues and all other objects of `sync` and
 * `queue` can; in the process they do what they do here, each operation being a message and its answer. What is named in
 * `transfer` is copied, and then taken from the sender.
 *
 * Processes are started one by one as tasks come, with this program's configuration, and keep running until shutdown. A
 * pool that is idle uses no processor and does not keep the program alive; one with tasks does. A process does not outlive this one,
 * however this one ends.
 *
 * A running task whose signal aborts or whose time is up is told so through `taskContext().signal`; if it does not end within 50
 * ms its process is killed. That is then a lost worker: with `onWorkerLost: "replace"` no other future fails, by default
 * all unfinished ones do.
 *
 * Tasks so short that the way to a process takes longer are sent ahead, a few at a time; those count as running. Tasks that are
 * given locks, queues and their kin, which may wait for each other, are sent one at a time.
 *
 * Semantics: Python's `ProcessPoolExecutor` with the start method `spawn`.
 *
 * **Differs from Python:** what cannot be decoded fails its own future, not the pool; a task is `running` when a process
 * takes it.
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
   * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative `idleTimeout`.
   * @throws {TypeError} When a number is not an integer, `initializer` not a function, there is no permission of some name, or
   * `env` or `cwd` is of another type.
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
      exports: processExports,
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
   * Counts and times of this moment: how many tasks wait, run and are done, how long they waited and ran, and how busy each
   * worker is. It is always counted; asking costs what going through the workers costs.
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

  /** The numbers of the processes that run, as far as they have been started. */
  get pids(): number[] {
    return this.#pool.pids;
  }

  /**
   * Ends all processes at once with SIGTERM, and shuts the pool down without waiting: what has not started is cancelled,
   * what runs fails with `BrokenProcessPool`. May be called again, and on a broken pool.
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
    this.#pool.endWorkers("SIGTERM");
  }

  /** The same with SIGKILL: for processes that do not heed {@linkcode terminateWorkers}. */
  killWorkers(): void {
    this.#pool.endWorkers("SIGKILL");
  }

  /** Sent to a task, the pool arrives as an executor that submits to this one. */
  override [HANDLE](): Handle {
    return handleOfPool(this, this.#pool);
  }

  /** Shows as `ProcessPoolExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ProcessPoolExecutor";
  }
}
