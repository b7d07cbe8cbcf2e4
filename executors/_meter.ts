/**
 * What an executor counts and times: the outcomes of its tasks, how long they wait and run, and how
 * busy each worker is.
 *
 * Reading a clock costs a tenth of what a small task costs in all, so not every task is timed. The
 * owner marks one in many with a bit of its form (TIMED), and the worker that sees the bit reports
 * when the task began and ended. About one task per SAMPLE_MS is marked: every one of slow tasks,
 * one in hundreds of fast ones; but the first MOST_CREDIT after a pause are all marked, as a burst
 * may be all that comes. The distance from one marked task to the next is random, so that different
 * tasks that alternate are all seen. Each timed task also counts for those that have come since the
 * previous one, so that the sums are right.
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { Histogram } from "./_histogram.ts";
import type { ExecutorStats, WorkerStats } from "./stats.ts";

/** The mean time in ms between two timed tasks, when tasks come faster than that. */
const SAMPLE_MS = 1;

/** The most tasks that one timed task stands for, in the mean. */
const MOST_PERIOD = 1024;

/** The most tasks in a row that are timed however fast they come. */
const MOST_CREDIT = 128;

/** A task that is timed. */
export interface Sample {
  readonly submittedMs: number;
  /** How many calls it stands for. */
  weight: number;
  /** How many calls it makes itself: for a chunk of `map`, one per item. */
  readonly calls: number;
  /** How long it waited, and how long each of its calls ran, once that is known. */
  times: { readonly waitMs: number; readonly callMs: number } | undefined;
}

/** When a task ran, by this thread's clock. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** What one worker has done. */
export class WorkerAccount {
  readonly #clock: () => number;
  readonly startMs: number;
  /** Tasks that it has finished. */
  done = 0;
  /** How many of its tasks were timed, and the milliseconds that those took. */
  #timed = 0;
  #timedMs = 0;
  /** When the last timed task ended. */
  #lastEndMs: number;
  /** Bounds of how far its clock is behind this thread's, as far as known: at least and at most. */
  #leastSkewMs = -Infinity;
  #mostSkewMs = Infinity;

  /** @param clock Tells the time; as it goes everywhere else, but for tests. */
  constructor(clock: () => number = epochMs) {
    this.#clock = clock;
    this.startMs = this.#lastEndMs = clock();
  }

  /** When it was last known to be free: the end of its last timed task, or its start. */
  get freeSinceMs(): number {
    return this.#lastEndMs;
  }

  /**
   * Records a timed task that has ended.
   *
   * The worker's clock may be off by hours, if the computer slept between the starts of the two. A
   * task starts after it was submitted, and ends before its end is reported here: times that
   * contradict this give bounds of the difference.
   *
   * @param startMs By the worker's clock, as `endMs`.
   * @param submittedMs By this thread's clock.
   */
  book(submittedMs: number, startMs: number, endMs: number): Span {
    this.#leastSkewMs = Math.max(this.#leastSkewMs, submittedMs - startMs);
    this.#mostSkewMs = Math.min(this.#mostSkewMs, this.#clock() - endMs);
    const skewMs = Math.min(Math.max(0, this.#leastSkewMs), this.#mostSkewMs);
    this.#timed++;
    this.#timedMs += endMs - startMs;
    this.#lastEndMs = endMs + skewMs;
    return { startMs: startMs + skewMs, endMs: endMs + skewMs };
  }

  /**
   * The share of its life that the worker has spent in tasks, from 0 to 1.
   *
   * @param runningSinceMs Since when it has been running a task, if it is.
   * @param meanMs The mean duration of tasks, used when none of this worker's was timed.
   */
  utilization(runningSinceMs: number | undefined, meanMs: number): number {
    const nowMs = this.#clock();
    const lifeMs = nowMs - this.startMs;
    if (lifeMs <= 0) return 0;
    const mean = this.#timed === 0 ? meanMs : this.#timedMs / this.#timed;
    const currentMs = runningSinceMs === undefined
      ? 0
      : nowMs - Math.max(runningSinceMs, this.#lastEndMs);
    return Math.min(1, Math.max(0, this.done * mean + currentMs) / lifeMs);
  }

  /** The worker's part of the executor's stats. */
  statsOf(
    name: string,
    pid: number | undefined,
    runningSinceMs: number | undefined,
    meanMs: number,
  ): WorkerStats {
    return { name, pid, done: this.done, utilization: this.utilization(runningSinceMs, meanMs) };
  }
}

/** What an executor counts and times. */
export class Meter {
  completed = 0;
  failed = 0;
  cancelled = 0;
  /** Workers that have ended unasked. */
  lost = 0;
  /** Workers abandoned because their task does not end. */
  abandoned = 0;

  readonly #wait = new Histogram();
  readonly #run = new Histogram();
  /** How many tasks were timed, and the milliseconds that they took. */
  #timed = 0;
  #timedMs = 0;
  /** The timed tasks that have not run, or are running, by task index. */
  readonly #samples: (Sample | undefined)[] = [];
  /** The task that was timed last, unless it was dropped. */
  #last: Sample | undefined;
  /** The one whose times came last. */
  #lastRan: Sample | undefined;
  /** Tasks until the next one that is timed. */
  #untilTimed = 1;
  /** The distance from the last timed task to the next, which is `#period` in the mean. */
  #gap = 1;
  #period = 1;
  /**
   * How many of the next tasks are timed however fast they come. Each SAMPLE_MS gives one, and each
   * timed task takes one.
   */
  #credit = MOST_CREDIT;
  /**
   * Correction to the number of tasks since the last timed one, to make it a number of calls: plus
   * the calls of chunks beyond one each, plus what timed tasks that never ran stood for, minus the
   * calls of untimed tasks that never ran.
   */
  #gapCalls = 0;
  #lastTimedMs = 0;
  /** Every task is timed, as an observer watches. */
  isTimingAll = false;
  readonly #clock: () => number;

  /** @param clock Tells the time; as it goes everywhere else, but for tests. */
  constructor(clock: () => number = epochMs) {
    this.#clock = clock;
  }

  /** Notes that a task is being submitted that makes `calls` more calls than one. */
  addCalls(calls: number): void {
    this.#gapCalls += calls;
  }

  /**
   * Notes that a task is being submitted; true when it must be timed: then call {@linkcode time}.
   */
  isDue(): boolean {
    return --this.#untilTimed <= 0 || this.isTimingAll;
  }

  /** Begins to time the task that {@linkcode isDue} has just found due. */
  time(task: number, calls: number): Sample {
    const submittedMs = this.#clock();
    const gap = this.#gap - Math.max(0, this.#untilTimed);
    const since = gap + this.#gapCalls;
    const sample: Sample = { submittedMs, weight: Math.max(0, since), calls, times: undefined };
    this.#samples[task] = this.#last = sample;
    const samples = (submittedMs - this.#lastTimedMs) / SAMPLE_MS;
    // At most twice the last period: two quick submissions are not a burst.
    const fitting = Math.min(Math.round(gap / samples), this.#period * 2, MOST_PERIOD);
    this.#period = Math.max(1, fitting);
    this.#credit = Math.max(0, Math.min(this.#credit + samples, MOST_CREDIT) - 1);
    const period = this.#credit >= 1 ? 1 : this.#period;
    this.#untilTimed = this.#gap = 1 + Math.floor(Math.random() * (2 * period - 1));
    this.#gapCalls = Math.min(0, since);
    this.#lastTimedMs = submittedMs;
    return sample;
  }

  /**
   * Makes the next task a timed one if none has been timed for a while. Call when the thread is
   * about to sleep: the tasks that come afterwards may be rare and slow, however fast they came
   * before, and must not stand for the fast ones.
   */
  catchUp(): void {
    if (this.#gap === 1 || this.#clock() - this.#lastTimedMs < SAMPLE_MS) return;
    this.#closeGap();
  }

  /**
   * Adds the calls since the last timed task to that one's weight, or, if it was dropped, to that
   * of the last one that ran; and makes the next task a timed one.
   */
  #closeGap(): void {
    const rest = this.#gap - this.#untilTimed + this.#gapCalls;
    this.#gap = this.#untilTimed = 1;
    this.#gapCalls = rest;
    const last = this.#last ?? this.#lastRan;
    if (rest <= 0 || last === undefined) return;
    this.#gapCalls = 0;
    if (last.times === undefined) last.weight += rest;
    else this.#count(last.times, rest);
  }

  /** Removes a task that has never run from the times, and the `calls` that it was to make. */
  drop(task: number, calls: number): void {
    const sample = this.#samples[task];
    if (sample === undefined) return this.dropUntimed(calls);
    // Another task must stand for those that it stood for.
    this.#gapCalls += sample.weight - sample.calls;
    this.#samples[task] = undefined;
    if (this.#last === sample) this.#last = undefined;
  }

  /**
   * Notes that the index of a task will be another's. If it was timed, but its times never came, it
   * is removed from the times.
   */
  forget(task: number): void {
    const sample = this.#samples[task];
    if (sample !== undefined) this.drop(task, sample.calls);
  }

  /** Removes a task that has never run, and was not timed, from the times. */
  dropUntimed(calls: number): void {
    this.#gapCalls -= calls;
  }

  #count({ waitMs, callMs }: { waitMs: number; callMs: number }, weight: number): void {
    this.#wait.add(waitMs, weight);
    this.#run.add(callMs, weight);
  }

  /** When a task was submitted, if it is timed and its times have not come. */
  submittedMsOf(task: number): number | undefined {
    return this.#samples[task]?.submittedMs;
  }

  /**
   * Records the times of a task that has ended; returns them by this thread's clock.
   *
   * @param startMs By the worker's clock, as `endMs`.
   */
  ran(worker: WorkerAccount, task: number, startMs: number, endMs: number): Span {
    const sample = this.#samples[task];
    const span = worker.book(sample?.submittedMs ?? -Infinity, startMs, endMs);
    if (sample !== undefined) {
      const waitMs = span.startMs - sample.submittedMs;
      sample.times = { waitMs, callMs: (endMs - startMs) / sample.calls };
      this.#count(sample.times, sample.weight);
      this.#samples[task] = undefined;
      this.#lastRan = sample;
    }
    this.#timed++;
    this.#timedMs += endMs - startMs;
    return span;
  }

  /** The mean duration of the timed tasks; 0 before the first. */
  get meanMs(): number {
    return this.#timed === 0 ? 0 : this.#timedMs / this.#timed;
  }

  /**
   * The counts and times of this moment.
   *
   * @param underWay How many tasks have no outcome.
   * @param running How many of those run.
   * @param workers How many workers there are, if `perWorker` does not list them.
   */
  stats(
    perWorker: readonly WorkerStats[],
    underWay: number,
    running: number,
    workers: number = perWorker.length,
  ): ExecutorStats {
    if (underWay === 0) this.#closeGap();
    return {
      workers,
      idle: workers - running,
      running,
      queued: Math.max(0, underWay - running),
      completed: this.completed,
      failed: this.failed,
      cancelled: this.cancelled,
      lost: this.lost,
      abandoned: this.abandoned,
      wait: this.#wait.durations,
      run: this.#run.durations,
      perWorker,
    };
  }
}
