/**
 * What executors tell of themselves.
 *
 * @module
 */

/**
 * How long something took, in milliseconds: what half of the tasks, nine of ten, and 99 of 100 did not exceed, and the
 * longest. All are 0 while `count` is. Percentiles are off by at most 1.6 %; `max` is exact.
 */
export interface Durations {
  /** How many calls the figures stand for. */
  readonly count: number;
  /** The median. */
  readonly p50: number;
  /** What nine of ten did not exceed. */
  readonly p90: number;
  /** What 99 of 100 did not exceed. */
  readonly p99: number;
  /** The longest that was measured. */
  readonly max: number;
}

/** One worker of a pool, at one moment. */
export interface WorkerStats {
  /** Its name. */
  readonly name: string;
  /** The number of the process that it is, once started; `undefined` for a thread. */
  readonly pid: number | undefined;
  /** Tasks that it has finished, well or not. */
  readonly done: number;
  /** The share of its life that it has spent in tasks, from 0 to 1; what it runs now included. */
  readonly utilization: number;
}

/**
 * Counts and times of an executor, at one moment. Counts are of tasks; a chunk of `map` is one. Times are of calls; a chunk
 * is as many as it has items.
 *
 * Times are measured for a sample, each measured task standing for those submitted since the one before it: where tasks come
 * less often than 1,000 times a second, for all of them. So that tasks cost nothing more, of faster ones one in many is
 * measured, at random distances; `max` is then the longest of the sample.
 */
export interface ExecutorStats {
  /** Workers started and not ended. Of an `AsyncExecutor`: tasks under way, each in a place of its own. */
  readonly workers: number;
  /** Workers that run nothing. */
  readonly idle: number;
  /** Tasks that run. */
  readonly running: number;
  /** Tasks that wait: how long the queue is. */
  readonly queued: number;
  /** Tasks that returned. */
  readonly completed: number;
  /** Tasks that threw, or were lost or given up; a chunk of `map` if one of its items threw. */
  readonly failed: number;
  /** Tasks cancelled before they ran. */
  readonly cancelled: number;
  /** Workers that ended without being asked to. */
  readonly lost: number;
  /** Workers given up with a task that does not end. Their threads may go on using a processor. */
  readonly abandoned: number;
  /**
   * From submit to the start of the function. The items of a chunk of `map` have that of their chunk; a task submitted inside a
   * task, from when the pool's owner has heard of it.
   */
  readonly wait: Durations;
  /**
   * From the start of the function until it has returned or thrown, promises included. The items of a chunk of `map` have
   * the mean of their chunk.
   */
  readonly run: Durations;
  /** The workers that live. */
  readonly perWorker: readonly WorkerStats[];
}
