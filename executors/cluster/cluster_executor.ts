/**
 * ClusterExecutor: runs tasks on the worker hosts of a pool, on any number of machines.
 *
 * @module
 */

import { type ClusterOptions, type ClusterSettings, settingsOf } from "./_settings.ts";
import { Executor, type TaskOptions } from "../executor.ts";
import type { Future } from "../future.ts";
import type { Durations, ExecutorStats } from "../stats.ts";
import { BullSubmitter } from "./_bullmq.ts";
import { ClusterBackend } from "./_cluster_backend.ts";
import type { HostInfo } from "./_engine.ts";
import { ModuleNames } from "./_module_names.ts";

/** Options of the tasks submitted through {@linkcode ClusterExecutor.with}. */
export interface ClusterTaskOptions extends TaskOptions {
  /** How many worker hosts may be lost with the task before it fails with a `WorkerLostError`. */
  retries?: number | undefined;
}

/** What {@linkcode ClusterExecutor.with} returns: a view of the executor. */
export interface ClusterView extends Executor {
  /** A view with further options, added to those that this one has. */
  with(options: ClusterTaskOptions): ClusterView;
}

/** One worker host, as it reports itself. */
export interface ClusterHost {
  /** Its name: that of its machine. */
  readonly name: string;
  /** The id of its process there. */
  readonly pid: number;
  /** The most tasks that it runs at once. */
  readonly threads: number;
  /** Tasks that it is running. */
  readonly running: number;
  /** Tasks that it has finished. */
  readonly done: number;
}

/**
 * Counts and times of a cluster: of this executor's own tasks, except `workers`, `idle`, `hosts`
 * and `depth`.
 */
export interface ClusterStats extends ExecutorStats {
  /** The worker hosts of the pool that have reported within two leases. */
  readonly hosts: readonly ClusterHost[];
  /** Jobs of all submitters that wait for a host. */
  readonly depth: number;
  /**
   * How long tasks waited: from submission until this executor heard that a host had begun them.
   */
  readonly wait: Durations;
  /** How long tasks ran: from then until this executor heard their outcome. */
  readonly run: Durations;
}

/**
 * Runs tasks on worker hosts: on other machines, or on this one. A broker, Redis (6.2 or later) or
 * Valkey, keeps the tasks and hands them out; hosts, each a process of the worker program, come and
 * go as they like.
 *
 * Tasks are functions that a module exports and marks with `task`. Only their names cross,
 * `module#export`, so both sides list the modules: the executor in `modules`, the workers with
 * `--module`. Arguments and results cross as JSON, with what JSON lacks: `undefined`, `NaN`,
 * `bigint`, `Date`, `Map`, `Set`, `RegExp`, typed arrays, errors. Memory, locks and queues stay on
 * their machine.
 *
 * **A task may run more than once**, as its host may be lost, or be thought to be. Its future is
 * done once, with the first outcome that is heard. So a task should do no harm when it is repeated;
 * `taskContext()` has its id, which is the same each time, and the number of the attempt. A task
 * that throws is not tried again: the error is its outcome.
 *
 * **`Future.cancel()`** does not wait for the broker: it returns false once the executor has heard
 * that a host has begun the task, and true otherwise. A host that has taken the task at just that
 * moment is told to give it up.
 *
 * **It keeps the program open** until it is shut down, as its connections do.
 *
 * Blocking for its futures throws, and so does `stream`. Small tasks cost about 0.2 ms each; `map`
 * sends them in chunks.
 *
 * Semantics: Python has nothing like it; Celery and Dask are of this kind. Futures are those of
 * `concurrent.futures`.
 *
 * @example
 * ```ts ignore
 * import { ClusterExecutor } from "@concurrent/futures/cluster";
 * import { gcd } from "./gcd.ts";
 *
 * await using executor = await ClusterExecutor.connect({
 *   url: "redis://127.0.0.1:6379",
 *   modules: { gcd: import.meta.resolve("./gcd.ts") },
 * });
 * console.log(await executor.submit(gcd, [1231312, 434344]));
 * ```
 */
export class ClusterExecutor extends Executor {
  readonly #backend: ClusterBackend;

  /**
   * Makes an executor that connects in the background. Tasks may be submitted at once; if the
   * broker is not reached within `submitTimeout`, their futures fail.
   * {@linkcode ClusterExecutor.connect} waits for the connection, and rejects if there is none.
   *
   * @throws {TypeError} For an option of a wrong kind, or a URL that is none.
   * @throws {RangeError} For a number that is too small or too large.
   */
  constructor(options: ClusterOptions) {
    const settings: ClusterSettings = settingsOf(options);
    const { url, tls, leaseMs, queue, submitTimeout } = settings;
    const address = { url, tls, silenceMs: leaseMs };
    const backend = new ClusterBackend(
      settings,
      new ModuleNames(settings.modules),
      (listener, onTrouble) =>
        new BullSubmitter(address, queue, submitTimeout, listener, onTrouble),
    );
    super(backend);
    this.#backend = backend;
  }

  /**
   * Connects to a broker. No worker need be running: tasks wait for one.
   *
   * @throws {BrokerUnavailableError} When the broker is not reached within `submitTimeout`, or
   * refuses: the text says which, and never holds the password.
   * @throws {TypeError} For an option of a wrong kind, or a URL that is none.
   * @throws {RangeError} For a number that is too small or too large.
   */
  static async connect(options: ClusterOptions): Promise<ClusterExecutor> {
    const executor = new ClusterExecutor(options);
    try {
      await executor.#backend.engine.ready();
      await executor.#backend.meetHosts();
      return executor;
    } catch (error) {
      await executor.shutdown();
      throw error;
    }
  }

  /**
   * A view of this executor that submits with options. Shutting a view down shuts the executor
   * down.
   *
   * `priority` is rounded to a whole number, and limited to about a million either way. When a
   * `timeout` is over, a task that has begun is told by its signal. Its host also applies the
   * timeout, from when the task begins there, so it holds even if this program is gone.
   */
  override with(options: ClusterTaskOptions): ClusterView {
    return super.with(options);
  }

  /**
   * A future for a job by its id, whichever executor has submitted it. So another program can take
   * the results after a submitter has ended. They are kept for `resultTtl`.
   *
   * The job stays its submitter's: cancelling this future, also by `shutdown`, only lets go of the
   * job, whether or not it has begun. Each call returns a future of its own.
   *
   * @param id What {@linkcode ClusterExecutor.idOf} gave; in the task, `taskContext().id`.
   * @returns The future; it fails with a `JobLostError` when the broker does not know the job.
   */
  attach(id: string): Future<unknown> {
    if (typeof id !== "string" || id === "" || id.includes(":")) {
      throw new TypeError(`Cannot attach to ${JSON.stringify(id)}: expected the id of a job`);
    }
    return this.#backend.attach(id);
  }

  /**
   * The id of a future's job, for {@linkcode ClusterExecutor.attach}.
   *
   * @throws {TypeError} When the future is not one of this executor's.
   */
  idOf(future: Future<unknown>): string {
    const id = this.#backend.idOf(future);
    if (id !== undefined) return id;
    throw new TypeError("Cannot tell id: the future is not one of this executor's");
  }

  /**
   * The present counts and times, and the hosts of the pool, for which the broker is asked.
   *
   * @throws {BrokerUnavailableError} When the broker does not answer within `submitTimeout`.
   */
  async stats(): Promise<ClusterStats> {
    const [hosts, depth] = await this.#backend.ask((engine) =>
      Promise.all([engine.hosts(), engine.depth()])
    );
    const { counts } = this.#backend;
    const workers = hosts.reduce((sum, { threads }) => sum + threads, 0);
    const busy = hosts.reduce((sum, { running }) => sum + running, 0);
    return {
      workers,
      idle: Math.max(0, workers - busy),
      ...this.#backend.tally(),
      completed: counts.completed,
      failed: counts.failed,
      cancelled: counts.cancelled,
      lost: 0,
      abandoned: 0,
      ...counts.times,
      perWorker: [],
      hosts: hosts.map(hostOf),
      depth,
    };
  }

  /** Shows as `ClusterExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "ClusterExecutor";
  }
}

function hostOf({ name, pid, threads, running, done }: HostInfo): ClusterHost {
  return { name, pid, threads, running, done };
}
