/**
 * The errors that users of executors catch. Their names and their hierarchy are Python's.
 *
 * @module
 */

import { brandError, hasBrand } from "../_memory/brand.ts";
import { RuntimeError } from "../sync/errors.ts";

/**
 * The result of a cancelled future was asked for. Python's `CancelledError`.
 *
 * @example
 * ```ts
 * import { CancelledError, Future } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const future = new Future<number>();
 * future.cancel();
 * await assertRejects(() => future.result(), CancelledError);
 * ```
 */
export class CancelledError extends Error {
  /** For the type checker, which tells classes apart by their members; absent at run time. */
  declare protected readonly isCancelledError: true;

  static {
    brandError(this, "CancelledError");
  }

  /** True when `error` is a CancelledError, also one made by another copy of this package. */
  static is(error: unknown): error is CancelledError {
    return hasBrand(error, "CancelledError");
  }
}

/**
 * Something tried to complete a future that is done already. Python's `InvalidStateError`.
 *
 * @example
 * ```ts
 * import { Future, InvalidStateError } from "@concurrent/futures";
 * import { assertThrows } from "@std/assert";
 *
 * const future = new Future<number>();
 * future.setResult(1);
 * assertThrows(() => future.setResult(2), InvalidStateError);
 * ```
 */
export class InvalidStateError extends Error {
  /** For the type checker, which tells classes apart by their members; absent at run time. */
  declare protected readonly isInvalidStateError: true;

  static {
    brandError(this, "InvalidStateError");
  }

  /** True when `error` is an InvalidStateError, also one made by another copy of this package. */
  static is(error: unknown): error is InvalidStateError {
    return hasBrand(error, "InvalidStateError");
  }
}

/**
 * An executor cannot run any more tasks. The `cause` says what happened. Python's `BrokenExecutor`.
 *
 * @example
 * ```ts
 * import { BrokenExecutor, BrokenThreadPool } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * assert(BrokenExecutor.is(new BrokenThreadPool("Cannot run task: a worker was lost")));
 * ```
 */
export class BrokenExecutor extends RuntimeError {
  /** For the type checker, which tells classes apart by their members; absent at run time. */
  declare protected readonly isBrokenExecutor: true;

  static {
    brandError(this, "BrokenExecutor");
  }

  /** True when `error` is a BrokenExecutor, also one made by another copy of this package. */
  static override is(error: unknown): error is BrokenExecutor {
    return hasBrand(error, "BrokenExecutor");
  }
}

/**
 * A worker of a thread pool was lost, or its initializer failed. Every unfinished future of the
 * pool fails with an error of its own. Python's `BrokenThreadPool`.
 *
 * @example
 * ```ts
 * import { BrokenThreadPool, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const future = pool.submit(() => close());
 * await assertRejects(() => future.result(), BrokenThreadPool, "called close()");
 * await pool.shutdown();
 * ```
 */
export class BrokenThreadPool extends BrokenExecutor {
  /** For the type checker, which tells classes apart by their members; absent at run time. */
  declare protected readonly isBrokenThreadPool: true;

  static {
    brandError(this, "BrokenThreadPool");
  }

  /** True when `error` is a BrokenThreadPool, also one made by another copy of this package. */
  static override is(error: unknown): error is BrokenThreadPool {
    return hasBrand(error, "BrokenThreadPool");
  }
}

/**
 * A process of a process pool was lost, or its initializer failed. Every unfinished future of the
 * pool fails with an error of its own, whose `cause` says which process ended, and how: `pid`,
 * `exitCode` and `signal`. Python's `BrokenProcessPool`.
 *
 * @example
 * ```ts
 * import { BrokenProcessPool, ProcessPoolExecutor } from "@concurrent/futures";
 * import { assertRejects } from "@std/assert";
 *
 * const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
 * const future = pool.submit(() => Deno.exit(3));
 * await assertRejects(() => future.result(), BrokenProcessPool, "exited with code 3");
 * await pool.shutdown();
 * ```
 */
export class BrokenProcessPool extends BrokenExecutor {
  /** For the type checker, which tells classes apart by their members; absent at run time. */
  declare protected readonly isBrokenProcessPool: true;

  static {
    brandError(this, "BrokenProcessPool");
  }

  /** True when `error` is a BrokenProcessPool, also one made by another copy of this package. */
  static override is(error: unknown): error is BrokenProcessPool {
    return hasBrand(error, "BrokenProcessPool");
  }
}
