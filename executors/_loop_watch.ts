/**
 * What an executor on the event loop counts, times and reports to observers. It has no workers:
 * each timed task under way has a place, which is reported as a worker.
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { WorkerAccount } from "./_meter.ts";
import type { ExecutorObserver } from "./_observer.ts";
import type { AnyFunction } from "./_target.ts";
import { TaskWatch, type WatchedWorker } from "./_task_watch.ts";
import { type Future, futureInternals } from "./future.ts";
import type { ExecutorStats } from "./stats.ts";

/** The place of a timed task, reported as its worker. */
class Place implements WatchedWorker {
  readonly name: string;
  readonly pid = undefined;
  readonly account = new WorkerAccount();

  constructor(name: string) {
    this.name = name;
  }
}

/** A task that is timed. */
export class TimedTask {
  readonly #watch: LoopWatch;
  readonly #future: Future<unknown>;
  readonly #index: number;
  readonly #id: number;
  #place: Place | undefined;
  #startMs: number | undefined;

  constructor(watch: LoopWatch, future: Future<unknown>, index: number, id: number) {
    this.#watch = watch;
    this.#future = future;
    this.#index = index;
    this.#id = id;
  }

  /**
   * Calls the task's function, in the context in which the task was submitted if an observer keeps
   * that.
   */
  call<R>(fn: () => R): R {
    this.#place = this.#watch.takePlace();
    this.#startMs = epochMs();
    return this.#watch.tasks.within(this.#index, fn);
  }

  /** Reports that the task's function has ended. Call before its future is settled. */
  end(): void {
    // A task that was given up has left its place to others.
    if (this.#startMs === undefined || this.#future.done()) return;
    this.#watch.tasks.ran(this.#place!, this.#index, [this.#startMs, epochMs(), this.#id]);
  }

  /** Reports that the task is given up. Call before its future is settled. */
  giveUp(): void {
    this.#watch.tasks.fails(this.#index, "given up", this.#place, this.#startMs);
  }

  /** Frees the task's place: its future is done. */
  leave(): void {
    this.#watch.tasks.meter.forget(this.#index);
    this.#watch.release(this.#index, this.#place);
  }
}

/** The meter of an executor on the event loop, and its observers. */
export class LoopWatch {
  readonly tasks: TaskWatch = new TaskWatch();
  readonly #name: string;
  readonly #freeIndexes: number[] = [];
  #indexes = 0;
  readonly #places: Place[] = [];
  readonly #freePlaces: Place[] = [];

  /** @param name The executor's name, the first part of the places' names. */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Notes that a task is being submitted; if it must be timed, returns the object that times it.
   *
   * @param chunk How many calls it makes if it is a chunk of `map`, otherwise 0.
   */
  add(
    fn: AnyFunction,
    chunk: number,
    future: Future<unknown>,
    id: number,
    context: unknown,
  ): TimedTask | undefined {
    const { meter } = this.tasks;
    if (chunk > 1) meter.addCalls(chunk - 1);
    if (!meter.isDue()) return undefined;
    const index = this.#freeIndexes.pop() ?? this.#indexes++;
    this.tasks.submitted(index, fn, chunk, future, context);
    const timed = new TimedTask(this, future, index, id);
    futureInternals.whenDone(future, () => timed.leave());
    return timed;
  }

  /** A place for a task that begins. */
  takePlace(): Place {
    let place = this.#freePlaces.pop();
    if (place !== undefined) return place;
    place = new Place(`${this.#name}_${this.#places.length}`);
    this.#places.push(place);
    this.tasks.workerStarted(place);
    return place;
  }

  /** Frees the index and the place of a timed task that is done. */
  release(index: number, place: Place | undefined): void {
    this.#freeIndexes.push(index);
    if (place !== undefined) this.#freePlaces.push(place);
  }

  /** Adds an observer; the returned function removes it. */
  observe(observer: ExecutorObserver): () => void {
    return this.tasks.observe(observer, this.#places);
  }

  /** Reports that all places have ended: there will be no more tasks. */
  close(): void {
    for (const place of this.#places.splice(0)) this.tasks.workerEnded(place, "retired");
  }

  /** The counts and times of this moment. */
  stats(submitted: number, running: number): ExecutorStats {
    const { meter } = this.tasks;
    const ended = meter.completed + meter.failed + meter.cancelled;
    return meter.stats([], submitted - ended, running, running);
  }
}
