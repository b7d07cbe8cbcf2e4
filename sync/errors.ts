/**
 * The errors that users of locks and the other primitives catch. Names and class hierarchy are
 * Python's.
 *
 * @module
 */

import { brandError, hasBrand } from "../_memory/brand.ts";

/**
 * A call that the object's present state does not allow: submitting to a pool that was shut down,
 * or a thread that would wait for itself. Python's `RuntimeError`.
 *
 * @example
 * ```ts
 * import { AsyncExecutor, RuntimeError } from "@concurrent/futures";
 * import { assertThrows } from "@std/assert";
 *
 * const executor = new AsyncExecutor();
 * await executor.shutdown();
 * assertThrows(() => executor.submit(() => 1), RuntimeError, "after shutdown");
 * ```
 */
export class RuntimeError extends Error {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isRuntimeError: true;

  static {
    brandError(this, "RuntimeError");
  }

  /** True when `error` is a RuntimeError, even one made by another copy of this package. */
  static is(error: unknown): error is RuntimeError {
    return hasBrand(error, "RuntimeError");
  }
}

/**
 * A wait or a task took longer than its `timeout`. Python's `TimeoutError`.
 *
 * @example
 * ```ts
 * import { Future, TimeoutError } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const future = new Future<number>();
 * await assertRejects(() => future.result({ timeout: 10 }), TimeoutError);
 * ```
 */
export class TimeoutError extends Error {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isTimeoutError: true;

  static {
    brandError(this, "TimeoutError");
  }

  /** True when `error` is a TimeoutError, even one made by another copy of this package. */
  static is(error: unknown): error is TimeoutError {
    return hasBrand(error, "TimeoutError");
  }
}

/**
 * A function or value cannot be sent to another thread or process. The message names the obstacle
 * and says what to do instead. Python's `NotShareableError`.
 *
 * @example A function that uses a variable from around it
 * ```ts
 * import { NotShareableError, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const factor = 2;
 * const future = pool.submit((n: number) => n * factor, 21);
 * await assertRejects(() => future.result(), NotShareableError, '"factor"');
 * ```
 */
export class NotShareableError extends TypeError {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isNotShareableError: true;

  static {
    brandError(this, "NotShareableError");
  }

  /** True when `error` is a NotShareableError, even one made by another copy of this package. */
  static is(error: unknown): error is NotShareableError {
    return hasBrand(error, "NotShareableError");
  }
}

/**
 * A barrier was broken: by `abort`, by a party that gave up or died, or by an action that threw; or
 * it was reset while others waited. Python's `BrokenBarrierError`.
 *
 * @example
 * ```ts
 * import { Barrier, BrokenBarrierError } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const barrier = new Barrier(2);
 * barrier.abort();
 * await assertRejects(() => barrier.wait(), BrokenBarrierError);
 * ```
 */
export class BrokenBarrierError extends RuntimeError {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isBrokenBarrierError: true;

  static {
    brandError(this, "BrokenBarrierError");
  }

  /** True when `error` is a BrokenBarrierError, even one made by another copy of this package. */
  static override is(error: unknown): error is BrokenBarrierError {
    return hasBrand(error, "BrokenBarrierError");
  }
}

/**
 * The thread that holds a lock has ended, or was given up by its pool, without releasing it. What
 * the lock guards may be in an inconsistent state. `lock.recover()` takes the lock over.
 *
 * **Differs from Python:** there such a lock stays locked for ever.
 *
 * @example
 * ```ts
 * import { Lock, OwnerDiedError, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const lock = new Lock({ name: "accounts" });
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
 * await pool.submit((lock: Lock) => lock.acquireSync(), lock); // the worker ends after its one task
 * await assertRejects(() => lock.acquire(), OwnerDiedError, "accounts");
 *
 * if (lock.recover()) {
 *   // Repair what the lock guards, then:
 *   lock.release();
 * }
 * ```
 */
export class OwnerDiedError extends RuntimeError {
  /**
   * For the type checker only, which tells classes apart by their members; it does not exist at run
   * time.
   */
  declare protected readonly isOwnerDiedError: true;

  static {
    brandError(this, "OwnerDiedError");
  }

  /** True when `error` is an OwnerDiedError, even one made by another copy of this package. */
  static override is(error: unknown): error is OwnerDiedError {
    return hasBrand(error, "OwnerDiedError");
  }
}
