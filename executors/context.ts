/**
 * What a task can know about itself while it runs.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import type { AsyncContext } from "../_platform/mod.ts";
import { RuntimeError } from "../sync/errors.ts";

/** What a task can know about itself. See {@linkcode taskContext}. */
export interface TaskContext {
  /** Number of the task, unique in its executor. Of a cluster: the id of the job, unique for good, the same at each attempt. */
  readonly id: number | string;
  /** How often the task has been started, this time included. */
  readonly attempt: number;
  /**
   * Aborted when nobody waits for the task any more: its signal was aborted, its time is up, or its pool of threads is broken.
   * In another thread or process its reason is a plain `AbortError`.
   */
  readonly signal: AbortSignal;
  /** Tells how far the task is, from 0 to 1; its future shows it as `progress`. */
  report(fraction: number): void;
}

/** The task that this thread runs, where there is one at a time. */
let current: (() => TaskContext) | undefined;

/** The tasks of an event loop that runs several at a time. */
let contexts: AsyncContext<TaskContext> | undefined;

/**
 * The context of the task that calls it.
 *
 * In a browser, a task of an `AsyncExecutor` must ask before its first `await`, and keep what it gets: code cannot be followed
 * further there.
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
  const context = contexts?.get() ?? current?.();
  if (context === undefined) {
    throw new RuntimeError(
      `Cannot read task context: no task runs here; call taskContext() inside a task${
        platform.keepsContext ? "" : ", on an AsyncExecutor before its first await"
      }`,
    );
  }
  return context;
}

/** Has {@linkcode taskContext} answer with what `make` makes; `undefined` when the task has ended. */
export function setCurrentTask(make: (() => TaskContext) | undefined): void {
  current = make;
}

/** Runs `fn` with a context that its asynchronous continuations keep. */
export function runInContext<R>(context: TaskContext, fn: () => R): R {
  contexts ??= platform.createAsyncContext<TaskContext>();
  return contexts.run(context, fn);
}

/** Throws unless `fraction` is a number from 0 to 1. */
export function checkFraction(fraction: number): void {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new RangeError(`Cannot report progress: expected a number from 0 to 1, got ${fraction}`);
  }
}
