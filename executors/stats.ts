/**
 * The statistics that executors report.
 *
 * @module
 */

/**
 * How long something took, in milliseconds: what half of the calls, 90 % and 99 % did not exceed,
 * and the longest. All are 0 while `count` is 0. Percentiles are off by at most 1.6 %; `max` is
 * exact.
 */
export interface Durations {
  /** How many calls the figures represent. */
  readonly count: number;
  /** The median. */
  readonly p50: number;
  /** What 90 % of the calls did not exceed. */
  readonly p90: number;
  /** What 99 % of the calls did not exceed. */
  readonly p99: number;
  /** The longest that was measured. */
  readonly max: number;
}

/** One worker of a pool, at one moment. */
export interface WorkerStats {
  /** Its name. */
  readonly name: string;
  /** Its process id, once it is started; `undefined` for a thread. */
  readonly pid: number | undefined;
  /** Tasks that it has finished, whether they returned or threw. */
  readonly done: number;
  /** The share of its life that it has spent in tasks, the present one included, from 0 to 1. */
  readonly utilization: number;
}

/**
 * Counts and times of an executor, at one moment. Counts are of tasks; a chunk of `map` counts as
 * one. Times are of calls; a chunk counts as many as it has items.
 *
 * Times are measured for a sample, and each measured task represents those submitted since the one
 * before it. Where fewer than 1,000 tasks come in a second, in bursts of up to about a hundred, all
 * are measured. Where more come, one in many is, at random distances, so that tasks do not become
 * slower by it; `max` is then the longest of the sample.
 */
export interface ExecutorStats {
  /**
   * Workers that were started and have not ended. For an `AsyncExecutor`: tasks under way, each of
   * which counts as a worker.
   */
  readonly workers: number;
  /** Workers that run no task. */
  readonly idle: number;
  /** Tasks that are running. */
  readonly running: number;
  /** Tasks that wait: the length of the queue. */
  readonly queued: number;
  /** Tasks that returned. */
  readonly completed: number;
  /** Tasks that threw, were lost or were given up; a chunk of `map` if one of its items threw. */
  readonly failed: number;
  /** Tasks that were cancelled before they ran. */
  readonly cancelled: number;
  /** Workers that ended without being asked to. */
  readonly lost: number;
  /**
   * Workers abandoned with a task that was given up and does not end. Their threads may go on using
   * a processor.
   */
  readonly abandoned: number;
  /**
   * From submit to the start of the function. The items of a chunk of `map` have the time of their
   * chunk; for a task that was submitted inside a task, the time counts from when the pool's owner
   * learned of it.
   */
  readonly wait: Durations;
  /**
   * From the start of the function until it has returned or thrown, or the promise that it returned
   * has settled. The items of a chunk of `map` have the mean of their chunk.
   */
  readonly run: Durations;
  /** The workers that have not ended. */
  readonly perWorker: readonly WorkerStats[];
}
