/**
 * Adds jobs to the broker, trying again until it succeeds or `submitTimeout` is over.
 *
 * An add that was not answered may have arrived or not. It is repeated under the same ids, which
 * changes nothing if it had arrived.
 *
 * @module
 */

import { nowMs } from "../../_platform/clock.ts";
import { Deadlines } from "../_deadlines.ts";
import { deferred } from "./_promises.ts";
import { isRefusal } from "./_connection.ts";
import type { NewJob, SubmitEngine } from "./_engine.ts";

/** Time between a failed attempt and the next. */
const ADD_AGAIN_MS = 100;

/** Adds the jobs of one submitter. */
export class Adder {
  readonly #engine: SubmitEngine;
  readonly #timeoutMs: number;
  readonly #deadlines = new Deadlines();
  /** Functions that end the waits under way. */
  readonly #waits = new Set<() => void>();
  #isClosed = false;

  constructor(engine: SubmitEngine, timeoutMs: number) {
    this.#engine = engine;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Adds jobs. Resolves to `undefined` once that is acknowledged; or to the last error when the
   * broker refuses, the time is up, this is closed, or none of the jobs is wanted any more.
   */
  async add(jobs: readonly NewJob[], isWanted: () => boolean): Promise<unknown> {
    const deadlineMs = nowMs() + this.#timeoutMs;
    for (;;) {
      const error = await this.#attempt(jobs, deadlineMs);
      if (error === undefined) return undefined;
      if (isRefusal(error) || nowMs() >= deadlineMs || this.#isClosed || !isWanted()) return error;
      await this.#wait(nowMs() + ADD_AGAIN_MS, () => {});
    }
  }

  async #attempt(jobs: readonly NewJob[], deadlineMs: number): Promise<unknown> {
    let outcome = (): unknown => this.#engine.unanswered(this.#timeoutMs);
    await this.#wait(deadlineMs, (done) => {
      this.#engine.add(jobs).then(
        () => outcome = () => undefined,
        (error) => outcome = () => this.#engine.reasonOf(error) ?? new Error("unknown"),
      ).then(done);
    });
    return outcome();
  }

  /** Resolves when what was begun is done, at the deadline, or when this is closed. */
  async #wait(deadlineMs: number, begin: (done: () => void) => void): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const timer = this.#deadlines.at(deadlineMs, resolve);
    this.#waits.add(resolve);
    begin(resolve);
    await promise;
    this.#waits.delete(resolve);
    timer.cancel();
  }

  /** Ends all waits. */
  close(): void {
    this.#isClosed = true;
    for (const wait of this.#waits) wait();
  }
}
