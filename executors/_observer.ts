/**
 * Watching an executor: what its backend tells, while somebody watches, of each task and worker. Tracing and telemetry are
 * observers; nothing else in the core knows of them.
 *
 * A backend that nobody watches spends one comparison a submission on this. While somebody does, each task is timed (see
 * `_meter.ts`), and what the observer wants to go with it crosses behind its arguments.
 *
 * All times are milliseconds since 1970 by the clock of the thread that the executor belongs to (`epochMs`).
 *
 * @module
 */

import { type ChunkOutcome, errorIn } from "./_chunk.ts";
import type { Carrier } from "./_protocol.ts";
import type { ExecutorStats } from "./stats.ts";
import { type Future, futureInternals } from "./future.ts";

/** A worker, as far as observers care; told apart by identity. */
export interface ObservedWorker {
  readonly name: string;
  /** The number of the process that it is, once started. */
  readonly pid: number | undefined;
}

/** How a worker has ended: in good order, by itself, given up with its task, or because its pool was broken. */
export type WorkerFate = "retired" | "lost" | "abandoned" | "discarded";

/** Why a task failed without an outcome of its own. */
export type TaskFate = "lost" | "given up";

/** What an observer keeps of one task. Its end is the future's, which the observer watches by itself. */
export interface TaskObservation {
  /** What is to be sent with the task; `undefined` for nothing. */
  readonly carrier: Carrier | undefined;
  /** Calls a task that runs on this thread. */
  within?<R>(fn: () => R): R;
  /** The task has ended, well or not; its outcome is told next. `id` is that of its `taskContext()`. */
  ran(worker: ObservedWorker, startMs: number, endMs: number, id: number): void;
  /**
   * The task fails without an outcome. May be told twice: of one that was given up, `worker` may be known only later.
   *
   * @param worker Who ran it, when that is known.
   * @param startMs The earliest time that it can have begun then: when the worker was free and the task submitted.
   */
  fails(fate: TaskFate, worker: ObservedWorker | undefined, startMs: number | undefined): void;
}

/** A task about to be submitted. */
export interface ObservedTask {
  /** The name of its function. */
  readonly name: string;
  /** The calls that it is: of a chunk of `map`, one an item. */
  readonly calls: number;
  readonly isChunk: boolean;
  readonly submittedMs: number;
  readonly future: Future<unknown>;
  /** What came with it, of a task submitted inside a task. */
  readonly carrier: Carrier | undefined;
  /** What {@linkcode ExecutorObserver.context} gave where it was wanted, if that is not where it is submitted. */
  readonly context: unknown;
}

/** What a task that is done has failed with, boxed: a chunk of `map` with what the first of its items threw. */
export function failureOf(
  future: Future<unknown>,
  isChunk: boolean,
): { readonly error: unknown } | undefined {
  if (future.cancelled()) return undefined;
  const outcome = futureInternals.outcomeOf(future);
  if (futureInternals.hasFailed(future)) return { error: outcome };
  return isChunk ? errorIn(outcome as ChunkOutcome) : undefined;
}

/** Who watches an executor. */
export interface ExecutorObserver {
  /** The present context, of which a task may be told that is submitted later, from elsewhere. */
  context?(): unknown;
  submitted(task: ObservedTask): TaskObservation;
  /** A worker has been started; also told of each that lives when watching begins. */
  workerStarted(worker: ObservedWorker, startMs: number): void;
  workerEnded(worker: ObservedWorker, endMs: number, fate: WorkerFate): void;
}

/** A backend that can be watched. */
export interface Observable {
  readonly name: string;
  /** Begins to tell the observer; the returned function ends that. */
  observe(observer: ExecutorObserver): () => void;
  stats(): ExecutorStats;
}

/** The observers of a backend as one. */
export class Observers implements ExecutorObserver {
  readonly #observers: readonly ExecutorObserver[];

  constructor(observers: readonly ExecutorObserver[]) {
    this.#observers = observers;
  }

  /** What is to be told when one more watches. */
  static with(
    present: ExecutorObserver | undefined,
    observer: ExecutorObserver,
  ): ExecutorObserver {
    if (present === undefined) return observer;
    const others = present instanceof Observers ? present.#observers : [present];
    return new Observers([...others, observer]);
  }

  /** What is to be told when one watches no more. */
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
