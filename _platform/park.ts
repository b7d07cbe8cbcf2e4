/**
 * Sleeping on a shared word: blocking, or as a promise; and looking for a moment before it.
 *
 * Both forms of sleep return at once when the word no longer holds what the caller last saw, so a wake-up
 * between the caller's check and its sleep is not lost. Both may return early; callers loop.
 *
 * @module
 */

import { pause, wait, waitAsync } from "./atomics.ts";
import { NEVER, nowMs } from "./clock.ts";

/**
 * Blocks this thread while `words[index]` holds `expected`, until the deadline at the latest.
 * The event loop does not turn meanwhile.
 */
export function parkSync(
  words: Int32Array,
  index: number,
  expected: number,
  deadlineMs: number,
): void {
  const remaining = deadlineMs === NEVER ? Infinity : Math.max(0, deadlineMs - nowMs());
  wait(words, index, expected, remaining);
}

/**
 * A promise that settles once `words[index]` is notified, or after `timeout` milliseconds; `undefined`
 * when the word already differs. It does not keep the event loop open: hold it open where somebody
 * waits for the outcome.
 */
export function park(
  words: Int32Array,
  index: number,
  expected: number,
  timeout?: number,
): Promise<"ok" | "timed-out"> | undefined {
  const waiting = waitAsync(words, index, expected, timeout);
  if (waiting.async) return waiting.value;
  // A time of zero is over at once.
  return waiting.value === "timed-out" ? Promise.resolve(waiting.value) : undefined;
}

/**
 * How long to look before going to sleep, in milliseconds. Waking a sleeper costs 3 to 70 microseconds; looking for
 * longer than this was measured to gain nothing, but for what another process has.
 */
export const SPIN_MS = 0.02;

/** Looks between two looks at the clock. */
const UNTIMED_LOOKS = 16;

/** Looks at the clock, many more than a look has room for: Bun's fake timers stop all of its clocks. */
const MOST_TIMED_LOOKS = 1_000;

/** Vain looks are followed by 1, 2, 4 ... at most this many sleeps without a look. */
const MOST_SKIPS = 8;

/**
 * Waits for `length` pauses of the processor, about 35 ns each, between two looks at what another thread has.
 *
 * @returns The length of the next wait: twice as long, `longest` at most.
 */
export function backOff(length: number, longest: number): number {
  for (let i = 0; i < length; i++) pause();
  return Math.min(longest, length * 2);
}

/** Looks for a moment before a thread goes to sleep, as long as that pays off. */
export class Spinner {
  #skips = 0;
  #nextSkips = 1;

  /** False when the next look is to be left out, the last ones having been in vain. */
  isDue(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  /** Looks until `isReady`, for `lookMs` at most; returns what was found. */
  look(isReady: () => boolean, lookMs = SPIN_MS): boolean {
    const endMs = nowMs() + lookMs;
    let timedLooks = 0;
    do {
      for (let i = 0; i < UNTIMED_LOOKS; i++) {
        if (isReady()) return this.hit();
        pause();
      }
    } while (nowMs() < endMs && ++timedLooks < MOST_TIMED_LOOKS);
    return this.miss();
  }

  /** Counts as a look that paid off. */
  hit(): true {
    this.#nextSkips = 1;
    return true;
  }

  /** Counts as a look in vain. */
  miss(): false {
    this.#skips = this.#nextSkips;
    this.#nextSkips = Math.min(MOST_SKIPS, this.#nextSkips * 2);
    return false;
  }
}
