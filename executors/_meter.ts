/**
 * What an executor counts and times: what becomes of its tasks, how long they wait and run, and what each worker does.
 *
 * Reading a clock costs a tenth of what a small task costs in all, so not every task is timed. The owner marks one in many with a
 * bit of its form (TIMED), and the worker that sees the bit says when the task began and ended. As many are marked as keeps
 * their number near one each SAMPLE_MS: all of slow ones, one in hundreds of fast ones. The distance from one to the
 * next is random, so that tasks that come in turns are all seen; each stands for those that have come since the one before
 * it, so that the sums come out right.
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { Histogram } from "./_histogram.ts";
import type { ExecutorStats, WorkerStats } from "./stats.ts";

/** The mean time between two timed tasks, where tasks come faster than that. */
const SAMPLE_MS = 1;

/** The most tasks that one stands for, in the mean. */
const MOST_PERIOD = 1024;

/** A task that is timed. */
export interface Sample {
  readonly submittedMs: number;
  /** How many calls it stands for. */
  weight: number;
  /** How many calls it is itself: of a chunk of `map`, one an item. */
  readonly calls: number;
  /** How long it waited and each call of it ran, once that is known. */
  times: { readonly waitMs: number; readonly callMs: number } | undefined;
}

/** When a task ran, on the clock of the thread that asks. */
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
  /** How many of them were timed, and the milliseconds that those took. */
  #timed = 0;
  #timedMs = 0;
  /** When the last timed task ended. */
  #lastEndMs: number;
  /** What its clock is behind this thread's, as far as that is known: at least and at most. */
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
   * Books a timed task that has come to its end.
   *
   * The worker's clock may be off by hours, if the computer slept between the starts of the two. A task starts after it was
   * submitted and ends before that is heard of, so what contradicts that tells how far.
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
   * The share of its life that it has spent in tasks.
   *
   * @param runningSinceMs Since when it has run a task, if it does.
   * @param meanMs What a task takes in the mean, if nothing is known of this worker's.
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

  /** What is told of the worker. */
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
  /** Workers that ended without being asked to. */
  lost = 0;
  /** Workers given up with a task that does not end. */
  abandoned = 0;

  readonly #wait = new Histogram();
  readonly #run = new Histogram();
  /** How many tasks were timed, and the milliseconds that they took. */
  #timed = 0;
  #timedMs = 0;
  /** The timed tasks, by task. An entry is good until another timed task has its index. */
  readonly #samples: (Sample | undefined)[] = [];
  #last: Sample | undefined;
  /** Tasks until the next one that is timed. */
  #untilTimed = 1;
  /** The distance from the last one to it, which is PERIOD in the mean. */
  #gap = 1;
  #period = 1;
  /** Calls since then beyond one each task, and those of timed tasks that never ran; less those of others that never did. */
  #gapCalls = 0;
  #lastTimedMs = 0;
  /** Every task is timed: somebody watches. */
  isTimingAll = false;
  readonly #clock: () => number;

  /** @param clock Tells the time; as it goes everywhere else, but for tests. */
  constructor(clock: () => number = epochMs) {
    this.#clock = clock;
  }

  /** Says that a task is being submitted that is so many calls beyond one. */
  addCalls(calls: number): void {
    this.#gapCalls += calls;
  }

  /** Says that a task is being submitted; true when it is to be timed: then {@linkcode time} follows. */
  isDue(): boolean {
    return --this.#untilTimed <= 0 || this.isTimingAll;
  }

  /** Times the task that was found due. */
  time(task: number, calls: number): Sample {
    const submittedMs = this.#clock();
    const gap = this.#gap - Math.max(0, this.#untilTimed);
    const since = gap + this.#gapCalls;
    const sample: Sample = { submittedMs, weight: Math.max(0, since), calls, times: undefined };
    this.#samples[task] = this.#last = sample;
    const fitting = Math.round(gap * SAMPLE_MS / (submittedMs - this.#lastTimedMs));
    // Twice the last at most: two quick submissions do not make a burst.
    this.#period = Math.max(1, Math.min(fitting, this.#period * 2, MOST_PERIOD));
    this.#untilTimed = this.#gap = 1 + Math.floor(Math.random() * (2 * this.#period - 1));
    this.#gapCalls = Math.min(0, since);
    this.#lastTimedMs = submittedMs;
    return sample;
  }

  /**
   * Has the next task timed if none has been for a while. Called when the thread is about to sleep: what comes then may be
   * rare and slow, however fast it came before, and must not stand for what was fast.
   */
  catchUp(): void {
    if (this.#gap === 1 || this.#clock() - this.#lastTimedMs < SAMPLE_MS) return;
    this.#closeGap();
  }

  /** Has those that have come since the last timed task stand with it, and the next one timed. */
  #closeGap(): void {
    const rest = this.#gap - this.#untilTimed + this.#gapCalls;
    this.#gap = this.#untilTimed = 1;
    this.#gapCalls = rest;
    const last = this.#last;
    if (rest <= 0 || last === undefined) return;
    this.#gapCalls = 0;
    if (last.times === undefined) last.weight += rest;
    else this.#count(last.times, rest);
  }

  /** Takes a task out of the times that has never run. */
  drop(task: number): void {
    const sample = this.#samples[task];
    if (sample === undefined || sample.times !== undefined) {
      this.dropUntimed();
      return;
    }
    // Another one is to stand for those that it stood for.
    this.#gapCalls += sample.weight - sample.calls;
    this.#samples[task] = undefined;
    if (this.#last === sample) this.#last = undefined;
  }

  /** Takes a task out of the times that has never run and was not timed. */
  dropUntimed(): void {
    this.#gapCalls--;
  }

  #count({ waitMs, callMs }: { waitMs: number; callMs: number }, weight: number): void {
    this.#wait.add(waitMs, weight);
    this.#run.add(callMs, weight);
  }

  /** When a task was submitted, if it was timed. */
  submittedMsOf(task: number): number | undefined {
    return this.#samples[task]?.submittedMs;
  }

  /**
   * Books the times of a task that has come to its end; returns them by this thread's clock.
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
    }
    this.#timed++;
    this.#timedMs += endMs - startMs;
    return span;
  }

  /** What a task takes in the mean. */
  get meanMs(): number {
    return this.#timed === 0 ? 0 : this.#timedMs / this.#timed;
  }

  /**
   * The counts and times of this moment.
   *
   * @param underWay How many tasks have no outcome.
   * @param running How many of them run.
   * @param workers How many workers there are, if they are not told of one by one.
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
