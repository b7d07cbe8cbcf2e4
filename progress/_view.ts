/**
 * What the two displays of meters have in common.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import type { Meter } from "./_meter.ts";

/**
 * The share of the time that drawing may take: a reading of a million futures is drawn more rarely.
 */
const DRAWING_SHARE = 0.02;

/** Shows meters, all of them at the same times. */
export abstract class View {
  protected readonly meters: Set<Meter> = new Set();
  readonly #intervalMs: number;
  /** When to draw next. */
  dueMs = NEVER;

  /** @param intervalMs The least time between two drawings. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  get isEmpty(): boolean {
    return this.meters.size === 0;
  }

  /** Adds a meter. */
  open(meter: Meter, nowMs: number): void {
    this.meters.add(meter);
    this.dueMs = Math.min(this.dueMs, nowMs + this.#interval);
  }

  /** Removes a meter; a subclass shows its last state. */
  close(meter: Meter): void {
    this.meters.delete(meter);
    if (this.isEmpty) this.dueMs = NEVER;
  }

  /** Shows how far all meters are. */
  protected abstract draw(): void;

  /** Draws, and sets when to draw next; `clock` returns the time. */
  tick(clock: () => number): void {
    const startMs = clock();
    this.draw();
    const endMs = clock();
    this.dueMs = endMs + Math.max(this.#interval, (endMs - startMs) / DRAWING_SHARE);
  }

  /** The shortest interval that any of the meters asks for. */
  get #interval(): number {
    const intervals = [...this.meters].map(({ settings }) =>
      settings.intervalMs ?? this.#intervalMs
    );
    return Math.min(...intervals);
  }
}
