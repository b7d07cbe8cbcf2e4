/**
 * Sleeping on a shared word, blocking or as a promise; and spinning for a moment before it.
 *
 * Both forms of sleep return at once if the word no longer holds what the caller last saw, so a
 * wake-up between the caller's check and its sleep is not lost. Both may return early; callers
 * loop.
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
 * A promise that settles once `words[index]` is notified; `undefined` when the word already
 * differs. It does not hold the event loop open: the caller must do so if anything waits for the
 * outcome.
 */
export function park(
  words: Int32Array,
  index: number,
  expected: number,
): Promise<unknown> | undefined {
  const waiting = waitAsync(words, index, expected);
  return waiting.async ? waiting.value : undefined;
}

/**
 * How long to spin before going to sleep, in milliseconds. Waking a sleeper costs 3 to 70
 * microseconds. Spinning for longer than this was measured to gain nothing, except when waiting for
 * another process.
 */
export const SPIN_MS = 0.02;

/** How many looks at what is waited for come between two looks at the clock. */
const UNTIMED_LOOKS = 16;

/**
 * The most looks at the clock in one spin: many more than its time allows, as a limit for when the
 * clock stands still. Bun's fake timers stop all of its clocks.
 */
const MOST_TIMED_LOOKS = 1_000;

/** Vain spins are followed by 1, 2, 4 ... at most this many sleeps without a spin. */
const MOST_SKIPS = 8;

/**
 * Waits for `length` pauses of the processor, about 35 ns each, between two looks at a word that
 * another thread holds.
 *
 * @returns The length of the next wait: twice as long, `longest` at most.
 */
export function backOff(length: number, longest: number): number {
  for (let i = 0; i < length; i++) pause();
  return Math.min(longest, length * 2);
}

/** Spins for a moment before a thread goes to sleep, as long as that pays off. */
export class Spinner {
  #skips = 0;
  #nextSkips = 1;

  /** False when the next spin should be left out, because the last ones were in vain. */
  isDue(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  /** Spins until `isReady`, for `lookMs` at most; returns whether it became ready. */
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

  /** Counts a spin that paid off. */
  hit(): true {
    this.#nextSkips = 1;
    return true;
  }

  /** Counts a spin in vain. */
  miss(): false {
    this.#skips = this.#nextSkips;
    this.#nextSkips = Math.min(MOST_SKIPS, this.#nextSkips * 2);
    return false;
  }
}
