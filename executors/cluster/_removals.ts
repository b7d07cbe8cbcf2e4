/**
 * Messages to the broker that no future waits for: that it may forget a job, or that a job need not
 * run.
 *
 * @module
 */

import { within } from "./_promises.ts";

/** Calls whose outcome is awaited only before the connection is closed. */
export class Asides {
  readonly #open = new Set<Promise<void>>();
  #answered = 0;

  /** Tracks a call under way; its failure is ignored. */
  tell(told: Promise<unknown>): void {
    const done = told.catch(() => {}).then(() => {
      this.#open.delete(done);
      this.answered();
    });
    this.#open.add(done);
  }

  /** Notes that a part of a call was answered. */
  answered(): void {
    this.#answered++;
  }

  /**
   * Resolves once all calls have ended, or when none was answered for `patienceMs`: the broker may
   * be away.
   */
  async settled(patienceMs: number): Promise<void> {
    for (let answered = -1; this.#open.size > 0 && this.#answered > answered;) {
      answered = this.#answered;
      await within(patienceMs, Promise.all(this.#open));
    }
  }
}
