/**
 * PriorityQueue: a queue that gives its smallest item first.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { type Handle, registerHandle } from "../_memory/handle.ts";
import { dataOf } from "../sync/_shared.ts";
import { type KeyOf, Opened, type QueueOptions } from "./_access.ts";
import type { PriorityKey } from "./_keys.ts";
import { accessOf, Queue } from "./queue.ts";

const KIND = "PriorityQueue";

/** What a priority queue is made with. */
export interface PriorityQueueOptions<T> extends QueueOptions {
  /**
   * Returns what an item is sorted by; if left out, items are sorted by themselves. Called once for
   * each item, when it is put.
   */
  priority?: ((item: T) => PriorityKey) | undefined;
}

/**
 * A {@linkcode Queue} that gives its smallest item first.
 *
 * Items are numbers, bigints, strings or arrays of these, or a `priority` function says for each
 * item what to sort it by. Arrays compare element by element, and then by their length; strings by
 * their UTF-16 code units. Among equal items the one put first comes first. An item that cannot be
 * compared with those that it meets in the queue is refused, and not stored; of several put at
 * once, those before it are in the queue then. NaN is refused too, before anything is put.
 *
 * A function stays in the thread that made it. So a thread that puts into a queue which was made
 * with a `priority` elsewhere must set {@linkcode PriorityQueue.priority}; a put without it throws
 * a {@linkcode RuntimeError}.
 *
 * Semantics: Python's `queue.PriorityQueue`.
 *
 * **Differs from Python:** equal items keep their order; what cannot be compared is refused before
 * it is stored; `priority`.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { PriorityQueue } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const jobs = new PriorityQueue<[number, string]>();
 * jobs.putNowait([2, "later"]);
 * jobs.putNowait([1, "now"]);
 * assertEquals(jobs.getNowait(), [1, "now"]);
 *
 * const byLength = new PriorityQueue<string>({ priority: (word) => word.length });
 * byLength.putNowait("three");
 * byLength.putNowait("a");
 * assertEquals(byLength.getNowait(), "a");
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  static {
    registerHandle(KIND, (data) => new PriorityQueue(Opened.options(KIND, data)));
  }

  /**
   * Makes an empty queue.
   *
   * @param options How many items there may be at once, or more options.
   * @throws {RangeError} When `maxsize` is NaN or fractional, or `capacityBytes` is not from 4 KiB
   * to 1 GiB.
   */
  constructor(options: number | PriorityQueueOptions<T> = {}) {
    super(options);
    if (typeof options !== "object" || options instanceof Opened) return;
    if (options.priority !== undefined) this.priority = options.priority;
  }

  /**
   * The function that says what an item is sorted by when this thread puts it; `undefined` if items
   * are sorted by themselves.
   */
  get priority(): ((item: T) => PriorityKey) | undefined {
    return accessOf(this as Queue<unknown>).keyOf;
  }

  set priority(priority: (item: T) => PriorityKey) {
    if (typeof priority !== "function") {
      throw new TypeError(
        `Cannot sort PriorityQueue: priority must be a function, got ${describe(priority)}`,
      );
    }
    const access = accessOf(this as Queue<unknown>);
    access.keyOf = priority as KeyOf;
    access.core.sortByKeys();
  }

  /**
   * Rebuilds a queue from a handle; see {@linkcode Queue.from}.
   *
   * @param handle The handle of a priority queue.
   * @returns A view of the same queue.
   * @throws {TypeError} When it is not the handle of a PriorityQueue.
   */
  static override from<T>(handle: Handle): PriorityQueue<T> {
    return new PriorityQueue<T>(Opened.options(KIND, dataOf(handle, KIND)));
  }

  /** Shows as `PriorityQueue` in logs and error texts. */
  override get [Symbol.toStringTag](): string {
    return KIND;
  }
}
