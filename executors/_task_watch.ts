/**
 * An executor's meter and its observers: its backend reports its tasks and workers here.
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { Meter, type WorkerAccount } from "./_meter.ts";
import {
  type ExecutorObserver,
  type ObservedWorker,
  Observers,
  type TaskFate,
  type TaskObservation,
  type WorkerFate,
} from "./_observer.ts";
import type { Carrier, RanReport } from "./_protocol.ts";
import { type AnyFunction, markOf, type Target } from "./_target.ts";
import type { Future } from "./future.ts";

/** A worker with an account of what it does. */
export interface WatchedWorker extends ObservedWorker {
  readonly account: WorkerAccount;
}

/** An executor's meter, and its observers. */
export class TaskWatch {
  readonly meter: Meter = new Meter();
  #observer: ExecutorObserver | undefined;
  /**
   * The observations of the tasks submitted while there is an observer, by the task's index. An
   * entry is valid until its index is reused.
   */
  #observations: (TaskObservation | undefined)[] = [];

  /**
   * Begins to report to an observer, first the present workers; the returned function ends that.
   */
  observe(observer: ExecutorObserver, workers: Iterable<WatchedWorker>): () => void {
    this.#observer = Observers.with(this.#observer, observer);
    this.meter.isTimingAll = true;
    for (const worker of workers) observer.workerStarted(worker, worker.account.startMs);
    return () => {
      this.#observer = Observers.without(this.#observer, observer);
      if (this.#observer !== undefined) return;
      this.meter.isTimingAll = false;
      this.#observations = [];
    };
  }

  /**
   * Takes in that a task which the meter wants timed is being submitted.
   *
   * @param context The submitter's context, if that is not the present one.
   * @param chunk The number of calls in the task, if it is a chunk of `map`, otherwise 0.
   * @param carrier What came with the task, if it was submitted inside a task.
   * @returns What goes with the task to its worker.
   */
  submitted(
    task: number,
    of: AnyFunction | Target,
    chunk: number,
    future: Future<unknown>,
    context: unknown,
    carrier?: Carrier,
  ): Carrier | undefined {
    const calls = chunk === 0 ? 1 : chunk;
    const { submittedMs } = this.meter.time(task, calls);
    if (this.#observer === undefined) return undefined;
    const isChunk = chunk > 0;
    // A mark may name a function that has no name, or one that a minifier has renamed.
    const name = (typeof of === "function" ? markOf(of)?.name : undefined) ?? of.name;
    const about = { name, calls, isChunk, submittedMs, future, carrier, context };
    const observation = this.#observer.submitted(about);
    this.#observations[task] = observation;
    return observation.carrier;
  }

  /** The present context, if an observer wants it. */
  context(): unknown {
    return this.#observer?.context?.();
  }

  /** Calls `fn`, a task that runs on this thread, in the task's context. */
  within<R>(task: number, fn: () => R): R {
    const observation = this.#observations[task];
    return observation?.within === undefined ? fn() : observation.within(fn);
  }

  /** Takes in that a timed task has ended; its outcome comes next. */
  ran(worker: WatchedWorker, task: number, [startMs, endMs, id]: RanReport): void {
    const span = this.meter.ran(worker.account, task, startMs, endMs);
    this.#observations[task]?.ran(worker, span.startMs, span.endMs, id);
  }

  /**
   * Takes in that a task fails without an outcome from its worker.
   *
   * @param worker The worker that ran it, if that is known.
   * @param startMs When it began. By default, when it was submitted or its worker became free,
   * whichever is later.
   */
  fails(task: number, fate: TaskFate, worker?: WatchedWorker, startMs?: number): void {
    const observation = this.#observations[task];
    if (observation === undefined) return;
    const submittedMs = this.meter.submittedMsOf(task) ?? -Infinity;
    startMs ??= worker && Math.max(submittedMs, worker.account.freeSinceMs);
    observation.fails(fate, worker, startMs);
  }

  /** Takes in that a worker has been started. */
  workerStarted(worker: WatchedWorker): void {
    this.#observer?.workerStarted(worker, worker.account.startMs);
  }

  /** Takes in that a worker has ended. */
  workerEnded(worker: WatchedWorker, fate: WorkerFate): void {
    this.#observer?.workerEnded(worker, epochMs(), fate);
  }
}
