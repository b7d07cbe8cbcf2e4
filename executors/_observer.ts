/**
 * Watching an executor: what its backend reports of each task and worker while an observer watches.
 * Tracing and telemetry are observers; nothing else in the core knows of them.
 *
 * A backend without an observer spends one comparison per submission on this. With one, each task
 * is timed (see `_meter.ts`), and what the observer wants to send with it crosses behind its
 * arguments.
 *
 * All times are milliseconds since 1970 by the clock of the thread that the executor belongs to
 * (`epochMs`).
 *
 * @module
 */

import { type ChunkOutcome, errorIn } from "./_chunk.ts";
import type { Carrier } from "./_protocol.ts";
import type { ExecutorStats } from "./stats.ts";
import { type Future, futureInternals } from "./future.ts";

/** A worker, as observers see it; workers are distinguished by object identity. */
export interface ObservedWorker {
  readonly name: string;
  /** The id of its process, if it is one and has been started. */
  readonly pid: number | undefined;
}

/**
 * How a worker has ended: in good order, unasked, abandoned because its task does not end, or
 * because its pool was broken.
 */
export type WorkerFate = "retired" | "lost" | "abandoned" | "discarded";

/** Why a task failed without an outcome of its own. */
export type TaskFate = "lost" | "given up";

/**
 * What an observer keeps of one task. Its end is the future's, which the observer watches by
 * itself.
 */
export interface TaskObservation {
  /** What to send with the task; `undefined` for nothing. */
  readonly carrier: Carrier | undefined;
  /** Calls a task that runs on this thread. */
  within?<R>(fn: () => R): R;
  /**
   * The task has ended, successfully or not; its future is settled next. `id` is that of its
   * `taskContext()`.
   */
  ran(worker: ObservedWorker, startMs: number, endMs: number, id: number): void;
  /**
   * The task fails without an outcome of its own. May be called twice: for a task that was given
   * up, `worker` may be known only later.
   *
   * @param worker The worker that ran it, when that is known.
   * @param startMs When it began; if only the worker is known, the earliest time at which it can
   * have begun: once the worker was free and the task submitted.
   */
  fails(fate: TaskFate, worker: ObservedWorker | undefined, startMs: number | undefined): void;
}

/** A task about to be submitted. */
export interface ObservedTask {
  /** The name of its function. */
  readonly name: string;
  /** How many calls it makes: for a chunk of `map`, one per item. */
  readonly calls: number;
  readonly isChunk: boolean;
  readonly submittedMs: number;
  readonly future: Future<unknown>;
  /** What came with the task, if it was submitted inside a task; empty if nothing did. */
  readonly carrier: Carrier | undefined;
  /**
   * What {@linkcode ExecutorObserver.context} returned where the task was requested, if that is not
   * where it is submitted.
   */
  readonly context: unknown;
}

/**
 * The error of a task that is done, boxed; for a chunk of `map`, the first error of its items.
 * `undefined` if it has not failed.
 */
export function failureOf(
  future: Future<unknown>,
  isChunk: boolean,
): { readonly error: unknown } | undefined {
  if (future.cancelled()) return undefined;
  const outcome = futureInternals.outcomeOf(future);
  if (futureInternals.hasFailed(future)) return { error: outcome };
  return isChunk ? errorIn(outcome as ChunkOutcome) : undefined;
}

/** An observer of an executor. */
export interface ExecutorObserver {
  /** The present context, for a task that may be submitted later, from elsewhere. */
  context?(): unknown;
  submitted(task: ObservedTask): TaskObservation;
  /** A worker has been started; also called for each worker that lives when watching begins. */
  workerStarted(worker: ObservedWorker, startMs: number): void;
  workerEnded(worker: ObservedWorker, endMs: number, fate: WorkerFate): void;
}

/** A backend that can be watched. */
export interface Observable {
  readonly name: string;
  /** Adds an observer; the returned function removes it. */
  observe(observer: ExecutorObserver): () => void;
  stats(): ExecutorStats;
}

/** A backend that nobody can watch, wherever it was made. */
export interface Unobservable {
  /** What it is, and why: the middle of an error text. */
  readonly unobservable: string;
}

/** The observers of a backend as one. */
export class Observers implements ExecutorObserver {
  readonly #observers: readonly ExecutorObserver[];

  constructor(observers: readonly ExecutorObserver[]) {
    this.#observers = observers;
  }

  /** The observer to report to once one more is added. */
  static with(
    present: ExecutorObserver | undefined,
    observer: ExecutorObserver,
  ): ExecutorObserver {
    if (present === undefined) return observer;
    const others = present instanceof Observers ? present.#observers : [present];
    return new Observers([...others, observer]);
  }

  /** The observer to report to once one is removed; `undefined` if none is left. */
  static without(
    present: ExecutorObserver | undefined,
    observer: ExecutorObserver,
  ): ExecutorObserver | undefined {
    if (!(present instanceof Observers)) return present === observer ? undefined : present;
    const others = present.#observers.filter((other) => other !== observer);
    return others.length > 1 ? new Observers(others) : others[0];
  }

  context(): unknown {
    for (const observer of this.#observers) {
      const context = observer.context?.();
      if (context !== undefined) return context;
    }
    return undefined;
  }

  submitted(task: ObservedTask): TaskObservation {
    return new Observations(this.#observers.map((observer) => observer.submitted(task)));
  }

  workerStarted(worker: ObservedWorker, startMs: number): void {
    for (const observer of this.#observers) observer.workerStarted(worker, startMs);
  }

  workerEnded(worker: ObservedWorker, endMs: number, fate: WorkerFate): void {
    for (const observer of this.#observers) observer.workerEnded(worker, endMs, fate);
  }
}

/** What several observers keep of one task. */
class Observations implements TaskObservation {
  readonly #observations: readonly TaskObservation[];

  constructor(observations: readonly TaskObservation[]) {
    this.#observations = observations;
  }

  get carrier(): Carrier | undefined {
    return this.#observations.find(({ carrier }) => carrier !== undefined)?.carrier;
  }

  within<R>(fn: () => R): R {
    return this.#observations.reduce(
      (inner, observation) => () =>
        observation.within === undefined ? inner() : observation.within(inner),
      fn,
    )();
  }

  ran(worker: ObservedWorker, startMs: number, endMs: number, id: number): void {
    for (const observation of this.#observations) observation.ran(worker, startMs, endMs, id);
  }

  fails(fate: TaskFate, worker: ObservedWorker | undefined, startMs: number | undefined): void {
    for (const observation of this.#observations) observation.fails(fate, worker, startMs);
  }
}
