/**
 * The sweep: looks up, again and again, the jobs that were not heard of for a while. Events of jobs can be lost, when the broker is
 * restarted, when a submitter is busy while the stream of events is cut, when a connection breaks. What a future waits for is the
 * state that the broker keeps, and this reads it.
 *
 * @module
 */

import { callAt, nowMs } from "../../_platform/clock.ts";
import type { Finding, HostInfo, SubmitEngine } from "./_engine.ts";
import type { PendingJob } from "./_pending_job.ts";

/** Jobs looked up in one message. */
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
   * @param due Jobs that were not heard of since then.
   * @param onFound Told of each look at a job.
   * @param onHosts Told who the hosts are, each time.
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
    this.#engine.hosts().then(this.#onHosts, () => {}); // It is a matter of chunk sizes only.
    const due = [...this.#due(nowMs() - this.#intervalMs)];
    for (let i = 0; i < due.length && !this.#isClosed; i += LOOK_AT_ONCE) {
      await this.lookUp(due.slice(i, i + LOOK_AT_ONCE));
    }
  }

  /** Looks jobs up. What is not answered is left to the next time. */
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

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
  }
}
