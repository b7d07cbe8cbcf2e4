/**
 * What locks and semaphores have in common: the arguments of `acquire`, guards, and the checks that
 * a thread may block and that a function is not async.
 *
 * @module
 */

import { checkTimeout, deadlineAfter, NEVER } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { platform } from "../_platform/mod.ts";
import { checkOptions, checkSignal } from "../_platform/options.ts";
import { RuntimeError, TimeoutError } from "./errors.ts";
import type { AcquireOptions, WaitOptions } from "./options.ts";

/** Holds a lock or a permit until it is disposed of; `using` does so at the end of the block. */
export interface Guard extends Disposable {
  /** Releases what is held. Further calls do nothing. */
  [Symbol.dispose](): void;
}

/** The arguments of a wait, checked. */
export interface Patience {
  /** True when the call must not wait. */
  readonly polls: boolean;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The patience of a call without options. */
export const ENDLESS: Patience = { polls: false, deadlineMs: NEVER, signal: undefined };

/**
 * Checks the options of a wait for a lock or a semaphore. Touches no shared word.
 *
 * @param act What is attempted, for error texts, as `acquire Lock`.
 */
export function patienceOf(act: string, options: AcquireOptions | undefined): Patience {
  if (options === undefined) return ENDLESS;
  checkOptions(act, options, "{ timeout: 100 }");
  const { blocking = true, timeout, signal } = options;
  if (typeof blocking !== "boolean") {
    throw new TypeError(`Cannot ${act}: blocking must be a boolean, got ${describe(blocking)}`);
  }
  if (!blocking && timeout !== undefined && timeout !== null) {
    throw new RangeError(`Cannot ${act}: a timeout has no meaning with blocking: false`);
  }
  checkTimeout(timeout);
  checkSignal(act, signal);
  signal?.throwIfAborted();
  if (!blocking || timeout === 0) return { polls: true, deadlineMs: 0, signal };
  return { polls: false, deadlineMs: deadlineAfter(timeout), signal };
}

/** The arguments of a blocking wait, checked; throws where the host forbids blocking. */
export function patienceOfSync(act: string, options: AcquireOptions | undefined): Patience {
  const patience = patienceOf(act, options);
  if (!patience.polls) checkMayBlock(act);
  return patience;
}

/** Throws where the host forbids blocking. */
export function checkMayBlock(act: string): void {
  if (platform.canBlock) return;
  throw new RuntimeError(
    `Cannot ${act}: this thread must not block; await the promise form, or wait in a worker`,
  );
}

/** The error of a `hold` or `run` whose lock or permit was not free in time. */
export function notInTime(
  act: string,
  options: WaitOptions | undefined,
  state: string,
): TimeoutError {
  return new TimeoutError(`Cannot ${act} within ${options?.timeout} ms: ${state}`);
}

/** A guard that calls a function when it is first disposed of. */
export class ReleasingGuard implements Guard {
  #release: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  /** See {@linkcode Guard}. */
  [Symbol.dispose](): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

/** Whether what a function returned must be awaited: the function is async. */
export function isAsync(result: unknown): result is PromiseLike<unknown> {
  return typeof (result as PromiseLike<unknown> | null | undefined)?.then === "function";
}
