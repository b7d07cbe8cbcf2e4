/**
 * What the executors of this package may do to futures, and what they are asked by them; users may
 * not.
 *
 * @module
 */

import type { Future } from "./future.ts";

/** What runs a future's task, as seen by the future. */
export interface Runner {
  /** Takes the task back; false when it has been started. */
  cancel(future: Future<unknown>): boolean;
  /** True once the task has been started. */
  isRunning(future: Future<unknown>): boolean;
  /**
   * Called when this thread is about to block for these futures, until the deadline at most. Throws
   * when they could not be completed while it is blocked.
   */
  enterBlocking(futures: readonly Future<unknown>[], deadlineMs: number): void;
  /**
   * The text of the error if the runner has found out that the innermost blocking wait would never
   * end.
   */
  readonly inVain?: string | undefined;
  /** Called when this thread has stopped blocking. */
  leaveBlocking(): void;
}

/** Called once with a future that is done. */
export type Receiver = (future: Future<unknown>) => void;

/** What only the executors of this package may do to futures. */
export interface FutureInternals {
  /** Whether a value is a future of this copy of the package. */
  isOwn(value: object): boolean;
  /** Makes a pending future for a runner; `task` is the runner's own number for it. */
  create<T>(runner: Runner, task: number): Future<T>;
  /** The runner's own number. */
  taskOf(future: Future<unknown>): number;
  setTask(future: Future<unknown>, task: number): void;
  /** Completes the future; without effect when it is done already. */
  resolve(future: Future<unknown>, value: unknown): void;
  /** Fails the future; without effect when it is done already. */
  reject(future: Future<unknown>, error: unknown): void;
  /** Cancels the future, whose task the runner has taken back already. */
  cancel(future: Future<unknown>): void;
  setProgress(future: Future<unknown>, fraction: number): void;
  /** True when it is done with an error. */
  hasFailed(future: Future<unknown>): boolean;
  /** The value, when done with one; the error, when done with one. */
  outcomeOf(future: Future<unknown>): unknown;
  runnerOf(future: Future<unknown>): Runner | undefined;
  /** Calls `receiver` when the future is done: at once if it is. `receiver` must not throw. */
  whenDone(future: Future<unknown>, receiver: Receiver): void;
  /** Takes a receiver away again. */
  forget(future: Future<unknown>, receiver: Receiver): void;
}

/** Set by the class, which alone can reach its private fields. */
export let futureInternals: FutureInternals;

/** Called once, by the class. */
export function setFutureInternals(internals: FutureInternals): void {
  futureInternals = internals;
}
