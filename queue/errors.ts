/**
 * The errors that users of queues catch. Names are Python's.
 *
 * @module
 */

import { brandError, hasBrand } from "../_memory/brand.ts";
import { RuntimeError } from "../sync/errors.ts";

/**
 * There was no item to get, at once or in time. Python's `queue.Empty`.
 *
 * @example
 * ```ts
 * import { Empty, Queue } from "@concurrent/futures";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new Queue<number>().getNowait(), Empty);
 * ```
 */
export class Empty extends Error {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isEmpty: true;

  static {
    brandError(this, "Empty");
  }

  /** True when `error` is an Empty, even one made by another copy of this package. */
  static is(error: unknown): error is Empty {
    return hasBrand(error, "Empty");
  }
}

/**
 * There was no room for an item, at once or in time. Python's `queue.Full`.
 *
 * @example
 * ```ts
 * import { Full, Queue } from "@concurrent/futures";
 * import { assertThrows } from "@std/assert";
 *
 * const queue = new Queue<string>(1);
 * queue.putNowait("a");
 * assertThrows(() => queue.putNowait("b"), Full, "1 of 1");
 * ```
 */
export class Full extends Error {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isFull: true;
  /** How many of several items were put before there was no room; the others were not put. */
  count = 0;

  static {
    brandError(this, "Full");
  }

  /** True when `error` is a Full, even one made by another copy of this package. */
  static is(error: unknown): error is Full {
    return hasBrand(error, "Full");
  }
}

/**
 * The queue was shut down: nothing can be put, or, for a get, nothing is left. Python's
 * `queue.ShutDown`.
 *
 * @example
 * ```ts
 * import { Queue, ShutDown } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * queue.shutdown();
 * await assertRejects(() => queue.get(), ShutDown);
 * ```
 */
export class ShutDown extends Error {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isShutDown: true;
  /** How many of several items were put before the queue was shut down; the others were not put. */
  count = 0;

  static {
    brandError(this, "ShutDown");
  }

  /** True when `error` is a ShutDown, even one made by another copy of this package. */
  static is(error: unknown): error is ShutDown {
    return hasBrand(error, "ShutDown");
  }
}

/**
 * Items were taken by threads that ended without reporting them done, and nothing else is
 * unfinished: `join` would wait for ever. Another thread may put the items again, and call
 * `taskDone` for the lost ones.
 *
 * **Differs from Python:** there `join` waits for ever.
 *
 * @example
 * ```ts
 * import { LostItemsError, Queue, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const queue = new Queue<number>();
 * queue.putNowait(1);
 * {
 *   await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
 *   const consuming = pool.submit((queue: Queue<number>) => {
 *     queue.getSync();
 *     self.close();
 *   }, queue);
 *   await consuming.exception();
 * }
 * const error = await assertRejects(() => queue.join(), LostItemsError);
 * assertEquals(error.count, 1);
 * queue.taskDone();
 * await queue.join();
 * ```
 */
export class LostItemsError extends RuntimeError {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isLostItemsError: true;
  /** How many items are lost. */
  count = 0;

  static {
    brandError(this, "LostItemsError");
  }

  /** True when `error` is a LostItemsError, even one made by another copy of this package. */
  static override is(error: unknown): error is LostItemsError {
    return hasBrand(error, "LostItemsError");
  }
}
