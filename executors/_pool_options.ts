/**
 * What pools of threads and of processes are made of: their options, the checks of these, and how
 * the two kinds differ.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { platform, type WorkerThread } from "../_platform/mod.ts";
import { checkArray, checkFunction, checkInteger, checkOptions } from "../_platform/options.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import type { Exports } from "./_exports.ts";
import type { ChildThread } from "./_process_client.ts";
import type { AnyFunction } from "./_target.ts";
import type { BrokenExecutor } from "./errors.ts";

/** What a pool's workers are. */
export interface WorkerKind {
  /** The error class of a broken pool. */
  readonly Broken: new (message: string, options: ErrorOptions) => BrokenExecutor;
  /** What the caller attempts by a submission, for error texts; "submit task" unless given. */
  readonly act?: string;
  /**
   * How shared objects reach workers that share no memory with this thread; such workers can be
   * killed.
   */
  readonly exports: Exports | undefined;
  /** See {@linkcode ExecutorBackend}. */
  readonly chunkMs: number;
  /** See `Source` of the doorbell. */
  readonly lookMs?: number;
  /** Starts the thread, or process, that receives a worker's messages. */
  startThread(name: string, onError: (message: string) => void): WorkerThread | ChildThread;
  /** Called when the pool has no workers left, and starts no more. */
  close(): void;
  /** Called when a process has been started. */
  onStart?(pid: number): void;
  /** Called when a process has ended; `cause` says how, if it was lost. */
  onEnd?(cause: unknown): void;
}

/** The checked settings of a pool. */
export interface PoolSettings {
  readonly name: string;
  /** The name of the worker that is started after `number` others. */
  readonly workerName: (number: number) => string;
  readonly maxWorkers: number;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
  readonly maxTasksPerChild: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly replaceLost: boolean;
  /** Whether the program may end while tasks are pending. */
  readonly isDaemon: boolean;
}

/** How a pool of threads or processes is made. */
export interface PoolOptions {
  /** The most workers at a time, 1 to 255. Default: one per processor. */
  maxWorkers?: number | undefined;
  /** Workers are named `prefix_0`, `prefix_1` ... Default: the name of the class and a number. */
  threadNamePrefix?: string | undefined;
  /**
   * Called in each worker before its first task; if it throws, the pool is broken. Crosses as a
   * task does.
   */
  initializer?: CallableFunction | undefined;
  /** The initializer's arguments, cloned when the pool is made. */
  initargs?: readonly unknown[] | undefined;
  /** Replaces a worker after this number of tasks. Default: never. */
  maxTasksPerChild?: number | undefined;
  /** Ends a worker that has had nothing to do for this number of milliseconds. Default: never. */
  idleTimeout?: number | null | undefined;
  /**
   * What happens when a worker ends without being asked to: `"break"` fails all unfinished futures
   * and accepts no more, as Python does; `"replace"` fails the task that the worker ran, and starts
   * another worker. Default `"break"`.
   */
  onWorkerLost?: "break" | "replace" | undefined;
}

/**
 * Checks the options of a pool.
 *
 * @param name The pool's name.
 * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative
 * `idleTimeout`.
 * @throws {TypeError} When a number is not an integer, `threadNamePrefix` not a string,
 * `initializer` not a function, or `initargs` not an array.
 */
export function poolSettings(name: string, options: PoolOptions): PoolSettings {
  checkOptions("make pool", options, "{ maxWorkers: 2 }");
  const { maxWorkers = platform.cores, initializer, initargs, maxTasksPerChild } = options;
  checkCount("maxWorkers", maxWorkers);
  if (maxWorkers > MAX_WORKERS) {
    throw new RangeError(`Cannot make pool: maxWorkers must be at most ${MAX_WORKERS}`);
  }
  if (maxTasksPerChild !== undefined) checkCount("maxTasksPerChild", maxTasksPerChild);
  checkTimeout(options.idleTimeout, "make pool", "idleTimeout");
  const { threadNamePrefix } = options;
  if (threadNamePrefix !== undefined && typeof threadNamePrefix !== "string") {
    throw new TypeError(
      `Cannot make pool: threadNamePrefix must be a string, got ${describe(threadNamePrefix)}`,
    );
  }
  checkFunction("make pool", "initializer", initializer);
  checkArray("make pool", "initargs", initargs);
  const { onWorkerLost = "break" } = options;
  if (onWorkerLost !== "break" && onWorkerLost !== "replace") {
    throw new TypeError(
      `Cannot make pool: onWorkerLost must be "break" or "replace", got ${describe(onWorkerLost)}`,
    );
  }
  return {
    name,
    workerName: (number) => `${threadNamePrefix || name}_${number}`,
    maxWorkers,
    initializer: initializer as AnyFunction | undefined,
    initargs: initargs ?? [],
    maxTasksPerChild,
    idleTimeoutMs: options.idleTimeout ?? undefined,
    replaceLost: onWorkerLost === "replace",
    isDaemon: false,
  };
}

function checkCount(name: string, value: number): void {
  checkInteger("make pool", name, value);
  if (value < 1) {
    throw new RangeError(`Cannot make pool: ${name} must be greater than 0, got ${value}`);
  }
}
