/**
 * Jobs that the broker is told to forget: no future waits for them any more.
 *
 * @module
 */

import { soon } from "../../_platform/timers.ts";
import type { SubmitEngine } from "./_engine.ts";
import { within } from "./_promises.ts";

/** Jobs removed in one message. */
const BATCH = 500;

/** The removals of one submitter. Their failure is ignored: outcomes expire anyway. */
export class Removals {
  readonly #engine: Pick<SubmitEngine, "remove" | "abandon">;
  /** Ids of jobs that the broker will be told to forget, at the end of this turn. */
  readonly #next = new Set<string>();
  readonly #open = new Set<Promise<void>>();
  #answers = 0;

  constructor(engine: Pick<SubmitEngine, "remove" | "abandon">) {
    this.#engine = engine;
  }

  /** Makes the broker forget a job at the end of this turn, together with others. */
  add(id: string): void {
    if (this.#next.size === 0) soon(() => this.#send());
    this.#next.add(id);
  }

  #send(): void {
    if (this.#next.size === 0) return;
    const ids = [...this.#next];
    this.#next.clear();
    const done = this.#forget(ids).catch(() => {}).then(() => {
      this.#open.delete(done);
      this.#answers++;
    });
    this.#open.add(done);
  }

  /**
   * Sends one message after the other, so that it shows whether the broker answers. Jobs that a
   * host has taken meanwhile are reported to the hosts as abandoned.
   */
  async #forget(ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += BATCH) {
      const held = await this.#engine.remove(ids.slice(i, i + BATCH));
      await Promise.all(held.map((id) => this.#engine.abandon(id)));
      this.#answers++;
    }
  }

  /**
   * Sends what is left, and resolves once all is answered, or when nothing was for `patienceMs`:
   * the broker may be away.
   */
  async settled(patienceMs: number): Promise<void> {
    this.#send();
    for (let answers = -1; this.#open.size > 0 && this.#answers > answers;) {
      answers = this.#answers;
      await within(patienceMs, Promise.all(this.#open));
    }
  }
}
