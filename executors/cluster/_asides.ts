/**
 * What is told to the broker for its own good, and that no future waits for: that a job may be forgotten, or need not be run.
 *
 * @module
 */

import { within } from "./_promises.ts";

/** Calls whose outcome is not awaited, but before the connection is closed. */
export class Asides {
  readonly #open = new Set<Promise<void>>();

  /** Lets something be told. In vain is no matter. */
  tell(told: Promise<unknown>): void {
    const done = told.catch(() => {}).then(() => void this.#open.delete(done));
    this.#open.add(done);
  }

  /** Resolves once all was told, or after so long: the broker may be away. */
  async settled(patienceMs: number): Promise<void> {
    await within(patienceMs, Promise.all(this.#open));
  }
}
