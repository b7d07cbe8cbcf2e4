/**
 * The options that pools of threads and of processes have in common, and how they are checked.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import type { PoolSettings } from "./_worker_pool.ts";

/** How a pool of threads or processes is made. */
export interface PoolOptions {
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

/**
 * Checks the options of a pool.
 *
 * @param name The pool's name.
 * @throws {RangeError} For a `maxWorkers` or `maxTasksPerChild` below 1, or a negative `idleTimeout`.
 * @throws {TypeError} When a number is not an integer, or `initializer` not a function.
 */
export function poolSettings(name: string, options: PoolOptions): PoolSettings {
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
  return {
    name,
    workerName: (number) => `${options.threadNamePrefix ?? name}_${number}`,
    maxWorkers,
    initializer,
    initargs: options.initargs ?? [],
    maxTasksPerChild,
    idleTimeoutMs: options.idleTimeout ?? undefined,
    replaceLost: onWorkerLost === "replace",
    isDaemon: false,
  };
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value)) {
    throw new TypeError(`Cannot make pool: ${name} must be an integer, got ${value}`);
  }
  if (value < 1) {
    throw new RangeError(`Cannot make pool: ${name} must be greater than 0, got ${value}`);
  }
}
