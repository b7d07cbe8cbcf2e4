/**
 * The errors that users of a cluster catch.
 *
 * @module
 */

import { brandError, hasBrand } from "../../_memory/brand.ts";
import { NotShareableError, RuntimeError } from "../../sync/errors.ts";
import { BrokenExecutor } from "../errors.ts";

/**
 * The broker no longer knows a job that it had taken, and the job's outcome was not heard: the
 * broker was restarted without persistence, or somebody has removed the job. Whether the task has
 * run is not known.
 *
 * With `resubmitLost` such a job is submitted again instead. Otherwise switch persistence on
 * (`appendonly yes`), or submit the task again if it may run twice.
 *
 * @example
 * ```ts
 * import { JobLostError } from "@concurrent/futures/cluster";
 * import { RuntimeError } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * assert(RuntimeError.is(new JobLostError("Cannot read outcome: the broker was restarted")));
 * ```
 */
export class JobLostError extends RuntimeError {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isJobLostError: true;

  static {
    brandError(this, "JobLostError");
  }

  /** True when `error` is a JobLostError, also one made by another copy of this package. */
  static override is(error: unknown): error is JobLostError {
    return hasBrand(error, "JobLostError");
  }
}

/**
 * Each worker host that took the task was lost while it ran the task, as often as the task's
 * `retries` allow and once more. Other tasks are not affected, and the executor goes on: this is to
 * one task what `BrokenProcessPool` is to a pool.
 *
 * @example
 * ```ts
 * import { WorkerLostError } from "@concurrent/futures/cluster";
 * import { BrokenExecutor } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * assert(BrokenExecutor.is(new WorkerLostError("Cannot run task: 3 worker hosts were lost")));
 * ```
 */
export class WorkerLostError extends BrokenExecutor {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isWorkerLostError: true;

  static {
    brandError(this, "WorkerLostError");
  }

  /** True when `error` is a WorkerLostError, also one made by another copy of this package. */
  static override is(error: unknown): error is WorkerLostError {
    return hasBrand(error, "WorkerLostError");
  }
}

/**
 * The broker did not take a job, or could not be reached, within `submitTimeout`; or it refuses:
 * wrong password or certificate, no memory left. The message says which; the `cause` is the
 * client's error.
 *
 * @example
 * ```ts
 * import { BrokerUnavailableError, ClusterExecutor } from "@concurrent/futures/cluster";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(
 *   () => ClusterExecutor.connect({ url: "redis://127.0.0.1:1", modules: {}, submitTimeout: 100 }),
 *   BrokerUnavailableError,
 * );
 * ```
 */
export class BrokerUnavailableError extends RuntimeError {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isBrokerUnavailableError: true;

  static {
    brandError(this, "BrokerUnavailableError");
  }

  /**
   * True when `error` is a BrokerUnavailableError, also one made by another copy of this package.
   */
  static override is(error: unknown): error is BrokerUnavailableError {
    return hasBrand(error, "BrokerUnavailableError");
  }
}

/**
 * Arguments or a result take more bytes than `maxArgumentBytes` or `maxResultBytes` allows, or the
 * worker host by `--max-arguments` or `--max-result`. Put large data where all hosts can read it, and
 * send a reference.
 *
 * @example
 * ```ts
 * import { PayloadTooLargeError } from "@concurrent/futures/cluster";
 * import { NotShareableError } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * assert(NotShareableError.is(new PayloadTooLargeError("Cannot submit: 2 MiB of arguments")));
 * ```
 */
export class PayloadTooLargeError extends NotShareableError {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isPayloadTooLargeError: true;

  static {
    brandError(this, "PayloadTooLargeError");
  }

  /** True when `error` is a PayloadTooLargeError, also one made by another copy of this package. */
  static override is(error: unknown): error is PayloadTooLargeError {
    return hasBrand(error, "PayloadTooLargeError");
  }
}

/**
 * The worker host has no module of that name, or the module has no such task. The message lists
 * what it has.
 *
 * @example
 * ```ts
 * import { TaskNotFoundError } from "@concurrent/futures/cluster";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TaskNotFoundError("Cannot run task").name, "TaskNotFoundError");
 * ```
 */
export class TaskNotFoundError extends RuntimeError {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isTaskNotFoundError: true;

  static {
    brandError(this, "TaskNotFoundError");
  }

  /** True when `error` is a TaskNotFoundError, also one made by another copy of this package. */
  static override is(error: unknown): error is TaskNotFoundError {
    return hasBrand(error, "TaskNotFoundError");
  }
}

/**
 * An error that a task has thrown and whose class is not known here. It has the name, message,
 * stack and fields that it had there. Errors of built-in classes, or of classes registered here
 * with `registerError`, arrive as what they were.
 *
 * @example
 * ```ts
 * import { RemoteError } from "@concurrent/futures/cluster";
 * import { assert } from "@std/assert";
 *
 * assert(RemoteError.is(new RemoteError("odd: 3")));
 * ```
 */
export class RemoteError extends Error {
  /** For the type checker, which distinguishes classes by their members; absent at run time. */
  declare protected readonly isRemoteError: true;

  static {
    brandError(this, "RemoteError");
  }

  /** True when `error` is a RemoteError, also one made by another copy of this package. */
  static is(error: unknown): error is RemoteError {
    return hasBrand(error, "RemoteError");
  }
}
