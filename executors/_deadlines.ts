/**
 * Actions that must run at a point in time: by a timer, or, while this thread is blocked and timers
 * stand still, by the wait itself.
 *
 * @module
 */

import { callAt, NEVER, nowMs } from "../_platform/clock.ts";

/** One point in time. */
export interface Deadline {
  /** Forgets it. */
  cancel(): void;
}

/** Points in time of one owner. */
export class Deadlines {
  readonly #entries = new Set<{ readonly atMs: number; readonly run: () => void }>();

  /** Calls `run` at a time. */
  at(atMs: number, run: () => void): Deadline {
    const entry = {
      atMs,
      run: (): void => {
        cancel();
        run();
      },
    };
    const stopTimer = callAt(atMs, () => entry.run());
    const cancel = (): void => {
      stopTimer();
      this.#entries.delete(entry);
    };
    this.#entries.add(entry);
    return { cancel };
  }

  /** The earliest of the points in time, or NEVER. */
  get firstMs(): number {
    let first = NEVER;
    for (const { atMs } of this.#entries) first = Math.min(first, atMs);
    return first;
  }

  /** Runs what is due. */
  expire(): void {
    const now = nowMs();
    for (const entry of [...this.#entries]) {
      if (entry.atMs <= now) entry.run();
    }
  }
}
