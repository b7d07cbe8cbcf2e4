/**
 * The error of a call that the object's present state does not allow.
 *
 * @module
 */

import { brandError, hasBrand } from "../_memory/brand.ts";

/**
 * A call that the object's present state does not allow: submitting to a pool that was shut down, waiting for
 * oneself. Python's `RuntimeError`.
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
  static {
    brandError(this, "RuntimeError");
  }

  /** True when `error` is a RuntimeError, also one made by another copy of this package. */
  static is(error: unknown): error is RuntimeError {
    return hasBrand(error, "RuntimeError");
  }
}
