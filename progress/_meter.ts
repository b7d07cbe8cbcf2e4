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
  /** How many items there are, when the caller says so or the iterable tells. */
  readonly total: number | undefined;
  /** What knows better than the loop how far the tasks are. */
  readonly source: HasStanding | undefined;
  /** Whether the last state stays on the display. */
  readonly leave: boolean;
  /** The least time between two drawings, if it is not to be the view's own. */
  readonly intervalMs: number | undefined;
  readonly view: View;
}

/** How far one loop is; on display from `open` to `close`. */
export class Meter {
  readonly settings: MeterSettings;
  /** Items that the loop is through with. */
  count = 0;
  #startMs = 0;
  #ending: Ending | undefined;

  constructor(settings: MeterSettings) {
    this.settings = settings;
    this.#startMs = nowMs();
  }

  /** Says how the loop ended; `undefined`: it goes on after all. */
  end(ending: Ending | undefined): void {
    this.#ending = ending;
  }

  /** How far it is now. */
  read(): Reading {
    const { label, source } = this.settings;
    const standing = source?.[STANDING]();
    const done = standing?.done ?? this.count;
    const total = this.settings.total ?? standing?.total;
    return {
      label,
      done,
      work: done + (standing?.reported ?? 0),
      // What turns out to be wrong is not shown.
      total: total !== undefined && done > total ? undefined : total,
      elapsedMs: nowMs() - this.#startMs,
      ending: this.#ending,
    };
  }
}
