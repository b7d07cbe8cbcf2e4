/**
 * LifoQueue: a queue that gives its newest item first.
 *
 * @module
 */

import { type Handle, registerHandle } from "../_memory/handle.ts";
import { dataOf } from "../sync/_shared.ts";
import { Opened } from "./_access.ts";
import { Queue } from "./queue.ts";

const KIND = "LifoQueue";

/**
 * A {@linkcode Queue} that gives its newest item first: a stack.
 *
 * Semantics: Python's `queue.LifoQueue`.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { LifoQueue } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const stack = new LifoQueue<string>();
 * stack.putNowait("first");
 * stack.putNowait("second");
 * assertEquals(stack.getNowait(), "second");
 * ```
 */
export class LifoQueue<T> extends Queue<T> {
  static {
    registerHandle(KIND, (data) => new LifoQueue(Opened.options(KIND, data)));
  }

  /**
   * Rebuilds a queue from a handle; see {@linkcode Queue.from}.
   *
   * @param handle The handle of a LIFO queue.
   * @returns A view of the same queue.
   * @throws {TypeError} When it is not the handle of a LifoQueue.
   */
  static override from<T>(handle: Handle): LifoQueue<T> {
    return new LifoQueue<T>(Opened.options(KIND, dataOf(handle, KIND)));
  }

  /** Shows as `LifoQueue` in logs and error texts. */
  override get [Symbol.toStringTag](): string {
    return KIND;
  }
}
