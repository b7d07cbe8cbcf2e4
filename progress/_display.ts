/**
 * Draws by the clock: while the event loop turns, by a timer that does not hold it open; while this
 * thread is blocked, by the doorbell, which wakes it in time; while the loop is busy with items, by
 * reading the clock now and then.
 *
 * @module
 */

import { NEVER, nowMs } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { bars } from "./_bars.ts";
import { lines } from "./_lines.ts";
import type { Meter } from "./_meter.ts";
import type { Ending } from "./_text.ts";
import type { View } from "./_view.ts";

const VIEWS: readonly View[] = [bars, lines];

/** Timers that are always due would keep the event loop open after all. */
const SHORTEST_MS = 10;

class Display implements Source {
  #stopTimer: () => void = () => {};

  /** When the next drawing is due. */
  get deadlineMs(): number {
    return Math.min(bars.dueMs, lines.dueMs);
  }

  /** Shows a meter from now on. */
  open(meter: Meter): void {
    if (this.#isEmpty) doorbell.add(this);
    meter.end(undefined);
    meter.settings.view.open(meter, nowMs());
    this.#setTimer();
  }

  /** Shows how a meter has ended, and then no longer shows it. */
  close(meter: Meter, ending: Ending): void {
    meter.end(ending);
    meter.settings.view.close(meter);
    if (this.#isEmpty) doorbell.remove(this);
    this.#setTimer();
  }

  get #isEmpty(): boolean {
    return VIEWS.every((view) => view.isEmpty);
  }

  /** Draws if a drawing is due; returns the present time. */
  look(): number {
    const timeMs = nowMs();
    if (timeMs < this.deadlineMs) return timeMs;
    for (const view of VIEWS) if (view.dueMs <= timeMs) view.tick(nowMs);
    this.#setTimer();
    return timeMs;
  }

  #setTimer(): void {
    this.#stopTimer();
    if (this.deadlineMs === NEVER) return;
    const delayMs = Math.max(SHORTEST_MS, Math.ceil(this.deadlineMs - nowMs()));
    this.#stopTimer = platform.background(delayMs, () => this.look());
  }

  /** See {@linkcode Source}: this one only has a deadline. */
  ready(): boolean {
    return false;
  }

  /** See {@linkcode Source}. */
  drain(): boolean {
    return false;
  }

  /** See {@linkcode Source}. */
  sleeping(): void {}

  /** See {@linkcode Source}: draws, while this thread is blocked. */
  expire(): void {
    this.look();
  }
}

/** What this thread shows. */
export const display: Display = new Display();
