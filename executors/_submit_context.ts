/**
 * The context in which `map` submits its tasks: that of the call of `map`, although most chunks are
 * submitted later, from wherever earlier ones have ended.
 *
 * @module
 */

import type { ExecutorBackend, TaskOptions } from "./executor.ts";

/** The key under which the options of a task hold the context. Not a part of the public types. */
const CONTEXT: unique symbol = Symbol("context");

/** A backend that returns the present context for its tasks, if anybody wants it. */
interface AsksForContext {
  submitContext?(): unknown;
}

/** Options for tasks that are submitted later on behalf of the caller: they hold its context. */
export function optionsForLater(
  backend: ExecutorBackend & AsksForContext,
  options: TaskOptions | undefined,
): TaskOptions | undefined {
  const context = backend.submitContext?.();
  return context === undefined ? options : { ...options, [CONTEXT]: context } as TaskOptions;
}

/** The context on behalf of which a task is submitted; `undefined` if that is the present one. */
export function submitContextOf(options: TaskOptions | undefined): unknown {
  return (options as { [CONTEXT]?: unknown } | undefined)?.[CONTEXT];
}
