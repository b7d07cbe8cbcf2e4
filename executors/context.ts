/**
 * What a running task can learn about itself.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { platform } from "../_platform/mod.ts";
import type { AsyncContext } from "../_platform/mod.ts";
import { RuntimeError } from "../sync/errors.ts";

/** What a running task can learn about itself. See {@linkcode taskContext}. */
export interface TaskContext {
  /**
   * Number of the task, unique in its executor. In a cluster: the id of the job, which is never
   * reused, and is the same at each attempt.
   */
  readonly id: number | string;
  /** How often the task has been started, this time included. */
  readonly attempt: number;
  /**
   * Aborted when nobody wants the task any more: its signal was aborted, its time is up, or its
   * pool of threads is broken. In another thread or process its reason is a plain `AbortError`.
   */
  readonly signal: AbortSignal;
  /** Reports how far the task is, from 0 to 1; its future shows it as `progress`. */
  report(fraction: number): void;
}

const CURRENT: unique symbol = Symbol.for("@concurrent/futures.currentTask");

interface Current {
  task?: (() => TaskContext) | undefined;
}

/**
 * The present task of a thread that runs one task at a time; shared with a second copy of the
 * package, which the task's module may import.
 */
const current: Current = (globalThis as { [CURRENT]?: Current })[CURRENT] ??= {};

/** The tasks of an event loop that runs several of them at a time. */
let contexts: AsyncContext<TaskContext> | undefined;

/**
 * Returns the context of the task that calls it.
 *
 * Call it when the task starts, and keep the result. In a pool's worker, what a finished task has
 * left running is given the context of the task that runs there by then. In a browser, a task of an
 * `AsyncExecutor` must call this before its first `await`: a context cannot be followed past one
 * there.
 *
 * @throws {RuntimeError} Outside a task.
 *
 * @example A computation that stops when it is no longer wanted
 * ```ts
 * import { AsyncExecutor, taskContext } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using executor = new AsyncExecutor();
 * const future = executor.submit(() => taskContext().signal.aborted);
 * assertEquals(await future, false);
 * ```
 */
export function taskContext(): TaskContext {
  const context = contexts?.get() ?? current.task?.();
  if (context === undefined) {
    throw new RuntimeError(
      `Cannot read task context: no task runs here; call taskContext() inside a task${
        platform.keepsContext ? "" : ", on an AsyncExecutor before its first await"
      }`,
    );
  }
  return context;
}

/**
 * Makes {@linkcode taskContext} return what `make` makes; `undefined` when the task has ended.
 */
export function setCurrentTask(make: (() => TaskContext) | undefined): void {
  current.task = make;
}

/** Runs `fn` with a context that its asynchronous continuations keep. */
export function runInContext<R>(context: TaskContext, fn: () => R): R {
  contexts ??= platform.createAsyncContext<TaskContext>();
  return contexts.run(context, fn);
}

/** Throws unless `fraction` is a number from 0 to 1. */
export function checkFraction(fraction: number): void {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new RangeError(
      `Cannot report progress: expected a number from 0 to 1, got ${describe(fraction)}`,
    );
  }
}
