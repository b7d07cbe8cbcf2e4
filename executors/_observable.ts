/**
 * From an executor to what can be watched of it.
 *
 * @module
 */

import { RuntimeError } from "../sync/errors.ts";
import type { Observable } from "./_observer.ts";
import { backendOf, Executor, type ExecutorBackend } from "./executor.ts";

/**
 * What can be watched of an executor.
 *
 * @param act What is to be done, for the error: "trace".
 * @throws {TypeError} When it is no executor.
 * @throws {RuntimeError} When it cannot be watched here.
 */
export function observableOf(executor: Executor, act: string): Observable {
  if (!(executor instanceof Executor)) {
    throw new TypeError(`Cannot ${act}: expected an executor, got ${typeof executor}`);
  }
  const backend: ExecutorBackend & Partial<Observable> = backendOf(executor);
  if (backend.observe !== undefined) return backend as ExecutorBackend & Observable;
  throw new RuntimeError(
    `Cannot ${act} this executor here: it is not one that this thread has made; ${act} a pool or an AsyncExecutor in the thread that made it`,
  );
}
