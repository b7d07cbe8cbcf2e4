/**
 * What a submitter counts and times of its tasks.
 *
 * @module
 */

import { epochMs } from "../../_platform/clock.ts";
import { Histogram } from "../_histogram.ts";
import type { Durations } from "../stats.ts";

/** The part of a job that is counted. */
export interface CountedJob {
  readonly calls: number;
  readonly submittedMs: number;
  /** When this submitter heard that a host had begun it; 0 if it has not heard so. */
  readonly startedMs: number;
}

/** Counts and times of one submitter. */
export class ClusterCounts {
  completed = 0;
  failed = 0;
  cancelled = 0;
  readonly #wait = new Histogram();
  readonly #run = new Histogram();

  /** Counts a job that has ended. */
  ended({ calls, submittedMs, startedMs }: CountedJob, failed: boolean): void {
    if (failed) this.failed++;
    else this.completed++;
    if (startedMs === 0) return;
    this.#wait.add(startedMs - submittedMs, calls);
    this.#run.add((epochMs() - startedMs) / calls, calls);
  }

  /** How long tasks waited and ran, as this submitter heard it. */
  get times(): { readonly wait: Durations; readonly run: Durations } {
    return { wait: this.#wait.durations, run: this.#run.durations };
  }
}
