/**
 * An executor's meter together with those who watch it: what its backend tells of its tasks and workers goes here.
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

/** A worker whose doings are booked. */
export interface WatchedWorker extends ObservedWorker {
  readonly account: WorkerAccount;
}

/** An executor's meter, and those who watch the executor. */
export class TaskWatch {
  readonly meter: Meter = new Meter();
  #observer: ExecutorObserver | undefined;
  /** Of the tasks submitted while somebody watches, by task. An entry is good until its index is used again. */
  #observations: (TaskObservation | undefined)[] = [];

  /** Begins to tell an observer, first of the workers that there are; the returned function ends that. */
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
   * A task is being submitted that the meter wants timed.
   *
   * @param context Of whoever wanted it, where that is not the present one.
   * @param chunk How many calls it is, if it is a chunk of `map`, otherwise 0.
   * @param carrier What came with it, of a task submitted inside a task.
   * @returns What is to go with it.
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
    // A mark may name a function that has no name, or another one since it was made small.
    const name = (typeof of === "function" ? markOf(of)?.name : undefined) ?? of.name;
    const about = { name, calls, isChunk, submittedMs, future, carrier, context };
    const observation = this.#observer.submitted(about);
    this.#observations[task] = observation;
    return observation.carrier;
  }

  /** The present context, if an observer cares. */
  context(): unknown {
    return this.#observer?.context?.();
  }

  /** Calls a task that runs on this thread. */
  within<R>(task: number, fn: () => R): R {
    const observation = this.#observations[task];
    return observation?.within === undefined ? fn() : observation.within(fn);
  }

  /** A timed task has ended; its outcome comes next. */
  ran(worker: WatchedWorker, task: number, [startMs, endMs, id]: RanReport): void {
    const span = this.meter.ran(worker.account, task, startMs, endMs);
    this.#observations[task]?.ran(worker, span.startMs, span.endMs, id);
  }

  /**
   * A task fails without an outcome.
   *
   * @param worker The one that ran it, when that is known.
   * @param startMs When it began; if that is not known, when its worker was free for it.
   */
  fails(task: number, fate: TaskFate, worker?: WatchedWorker, startMs?: number): void {
    const observation = this.#observations[task];
    if (observation === undefined) return;
    const submittedMs = this.meter.submittedMsOf(task) ?? -Infinity;
    startMs ??= worker && Math.max(submittedMs, worker.account.freeSinceMs);
    observation.fails(fate, worker, startMs);
  }

  /** A worker has been started. */
  workerStarted(worker: WatchedWorker): void {
    this.#observer?.workerStarted(worker, worker.account.startMs);
  }

  /** A worker has ended. */
  workerEnded(worker: WatchedWorker, fate: WorkerFate): void {
    this.#observer?.workerEnded(worker, epochMs(), fate);
  }
}
