/**
 * How far one loop is.
 *
 * @module
 */

import { nowMs } from "../_platform/clock.ts";
import { type HasStanding, STANDING } from "../executors/_standing.ts";
import type { Ending, Reading } from "./_text.ts";
import type { View } from "./_view.ts";

/** What is shown of a loop, and where. */
export interface MeterSettings {
  readonly label: string;
  /** How many items there are, if the caller or the iterable says. */
  readonly total: number | undefined;
  /** A source that knows better than the loop how far the tasks are. */
  readonly source: HasStanding | undefined;
  /** Whether the last state stays on the display. */
  readonly leave: boolean;
  /** The shortest time between two drawings, if it is not the view's default. */
  readonly intervalMs: number | undefined;
  readonly view: View;
}

/** How far one loop is; on display from `open` to `close`. */
export class Meter {
  readonly settings: MeterSettings;
  /** Items that the loop has finished with. */
  count = 0;
  #startMs = 0;
  #ending: Ending | undefined;

  constructor(settings: MeterSettings) {
    this.settings = settings;
    this.#startMs = nowMs();
  }

  /** Records how the loop ended; `undefined` if it goes on after all. */
  end(ending: Ending | undefined): void {
    this.#ending = ending;
  }

  /** Returns how far the loop is now. */
  read(): Reading {
    const { label, source } = this.settings;
    const standing = source?.[STANDING]();
    const done = standing?.done ?? this.count;
    const total = this.settings.total ?? standing?.total;
    return {
      label,
      done,
      work: done + (standing?.reported ?? 0),
      // A total that turns out to be wrong is not shown.
      total: total !== undefined && done > total ? undefined : total,
      elapsedMs: nowMs() - this.#startMs,
      ending: this.#ending,
    };
  }
}
