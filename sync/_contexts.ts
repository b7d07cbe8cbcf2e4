/**
 * Which async context the code that runs now belongs to: the `run` calls of reentrant locks around it.
 *
 * @module
 */

import { type AsyncContext, platform } from "../_platform/mod.ts";

/** One `run` call, and the one around it. */
interface Frame {
  readonly token: number;
  readonly outer: Frame | undefined;
}

/** Made when first needed: it takes a runtime some milliseconds, and most threads do without. */
let frames: AsyncContext<Frame> | undefined;
let tokens = 0;

/** A number of a new context, unique in this thread, 1 or more. */
export function newContext(): number {
  tokens = tokens % 0x7fffffff + 1;
  return tokens;
}

/** Runs a function, and whatever it starts, inside a context. */
export function runInContext<R>(token: number, fn: () => R): R {
  frames ??= platform.createAsyncContext<Frame>();
  return frames.run({ token, outer: frames.get() }, fn);
}

/** True when the code that runs now belongs to the context. */
export function isInContext(token: number): boolean {
  for (let frame = frames?.get(); frame !== undefined; frame = frame.outer) {
    if (frame.token === token) return true;
  }
  return false;
}
