/**
 * The sweep: looks up, again and again, the jobs that were not heard of for a while. Events of jobs
 * can be lost: when the broker is restarted, when a submitter is busy while the stream of events is
 * trimmed, when a connection breaks. The broker also keeps each job's state, and the sweep reads
 * that.
 *
 * @module
 */

import { callAt, nowMs } from "../../_platform/clock.ts";
import type { Finding, HostInfo, SubmitEngine } from "./_engine.ts";
import type { PendingJob } from "./_pending_job.ts";

/** The most jobs looked up in one message. */
const LOOK_AT_ONCE = 100;

/** Looks jobs up until it is closed. */
export class Sweep {
  readonly #engine: SubmitEngine;
  readonly #intervalMs: number;
  readonly #due: (sinceMs: number) => Iterable<PendingJob>;
  readonly #onFound: (job: PendingJob, finding: Finding) => void;
  readonly #onHosts: (hosts: readonly HostInfo[]) => void;
  #stopTimer: (() => void) | undefined;
  #isClosed = false;

  /**
   * @param due Returns the jobs that were not heard of since a time.
   * @param onFound Called with the finding of each look at a job.
   * @param onHosts Called with the hosts at each sweep.
   */
  constructor(
    engine: SubmitEngine,
    intervalMs: number,
    due: (sinceMs: number) => Iterable<PendingJob>,
    onFound: (job: PendingJob, finding: Finding) => void,
    onHosts: (hosts: readonly HostInfo[]) => void,
  ) {
    this.#engine = engine;
    this.#intervalMs = intervalMs;
    this.#due = due;
    this.#onFound = onFound;
    this.#onHosts = onHosts;
    this.#again();
  }

  #again(): void {
    if (this.#isClosed) return;
    this.#stopTimer = callAt(nowMs() + this.#intervalMs, () => {
      this.#sweep().finally(() => this.#again());
    });
  }

  async #sweep(): Promise<void> {
    this.#engine.hosts().then(this.#onHosts, () => {}); // Only chunk sizes depend on it.
    const due = [...this.#due(nowMs() - this.#intervalMs)];
    for (let i = 0; i < due.length && !this.#isClosed; i += LOOK_AT_ONCE) {
      await this.lookUp(due.slice(i, i + LOOK_AT_ONCE));
    }
  }

  /** Looks jobs up. If the broker does not answer, this is left to the next sweep. */
  async lookUp(jobs: readonly PendingJob[]): Promise<void> {
    let findings: Finding[];
    try {
      findings = await this.#engine.look(jobs.map(({ id }) => id));
    } catch {
      return;
    }
    const now = nowMs();
    jobs.forEach((job, i) => {
      job.heardMs = now;
      this.#onFound(job, findings[i]);
    });
  }

  /** Ends the sweep. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
  }
}
