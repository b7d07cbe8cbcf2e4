/**
 * What is told to the broker for its own good, and that no future waits for: that a job may be forgotten, or need not be run.
 *
 * @module
 */

import { within } from "./_promises.ts";

/** Calls whose outcome is not awaited, but before the connection is closed. */
export class Asides {
  readonly #open = new Set<Promise<void>>();
  #answered = 0;

  /** Lets something be told. In vain is no matter. */
  tell(told: Promise<unknown>): void {
    const done = told.catch(() => {}).then(() => {
      this.#open.delete(done);
      this.answered();
    });
    this.#open.add(done);
  }

  /** A part of what is told was answered. */
  answered(): void {
    this.#answered++;
  }

  /** Resolves once all was told, or when nothing was answered for so long: the broker may be away. */
  async settled(patienceMs: number): Promise<void> {
    for (let answered = -1; this.#open.size > 0 && this.#answered > answered;) {
      answered = this.#answered;
      await within(patienceMs, Promise.all(this.#open));
    }
  }
}
