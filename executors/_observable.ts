/**
 * From an executor to its backend, if that can be watched.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { RuntimeError } from "../sync/errors.ts";
import type { Observable, Unobservable } from "./_observer.ts";
import { backendOf, Executor, type ExecutorBackend } from "./executor.ts";

/**
 * The backend of an executor, for watching it.
 *
 * @param act The verb for the error text: "trace".
 * @throws {TypeError} When the argument is no executor.
 * @throws {RuntimeError} When the executor cannot be watched, or not from this thread.
 */
export function observableOf(executor: Executor, act: string): Observable {
  if (!(executor instanceof Executor)) {
    throw new TypeError(`Cannot ${act}: expected an executor, got ${describe(executor)}`);
  }
  const backend: ExecutorBackend & Partial<Observable & Unobservable> = backendOf(executor);
  if (backend.observe !== undefined) return backend as ExecutorBackend & Observable;
  if (backend.unobservable !== undefined) {
    throw new RuntimeError(
      `Cannot ${act} ${backend.unobservable}, or ${act} a pool that runs the same tasks`,
    );
  }
  throw new RuntimeError(
    `Cannot ${act} this executor here: it is not one that this thread has made; ${act} a pool or an AsyncExecutor in the thread that made it`,
  );
}
