/**
 * In what context a task is submitted that `map` submits: that of the call of `map`, although most of its chunks are submitted
 * later, from wherever earlier ones have ended.
 *
 * @module
 */

import type { ExecutorBackend, TaskOptions } from "./executor.ts";

/** What the options of a task hold the context under. Not a part of the public types. */
const CONTEXT: unique symbol = Symbol("context");

/** A backend that asks for the context of its tasks, while somebody watches. */
interface AsksForContext {
  submitContext?(): unknown;
}

/** Options of tasks that are submitted later on behalf of whoever calls this. */
export function optionsForLater(
  backend: ExecutorBackend & AsksForContext,
  options: TaskOptions | undefined,
): TaskOptions | undefined {
  const context = backend.submitContext?.();
  return context === undefined ? options : { ...options, [CONTEXT]: context } as TaskOptions;
}

/** The context on behalf of which a task is submitted, if that is not the present one. */
export function submitContextOf(options: TaskOptions | undefined): unknown {
  return (options as { [CONTEXT]?: unknown } | undefined)?.[CONTEXT];
}
