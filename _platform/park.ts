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

/** How long a spin lasts as a rule, in milliseconds. Waking a sleeper costs 3 to 70 microseconds. */
export const SPIN_MS = 0.02;

/** How long a spin may last where a processor is free for it, in milliseconds. */
export const LONGEST_SPIN_MS = 0.2;

/** What a wait counts for at most, so that a few short ones outweigh a long one. */
const MOST_COUNTED_MS = 1;

/** How much the latest wait weighs, compared with all before it. */
const WEIGHT = 0.25;

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

/**
 * Spins for a moment before a thread goes to sleep, as long as that pays off: where it may, for
 * twice as long as waits have taken lately, so as to see those end that are short.
 */
export class Spinner {
  #skips = 0;
  #nextSkips = 1;
  /** How long waits have taken lately: their mean, in which the latest weigh most. */
  #usualMs = 0;

  /** False when the next spin should be left out, because the last ones were in vain. */
  isDue(): boolean {
    if (this.#skips === 0) return true;
    this.#skips--;
    return false;
  }

  /** Spins until `isReady`, for `longestMs` at most; returns whether it became ready. */
  look(isReady: () => boolean, longestMs = SPIN_MS): boolean {
    const startMs = nowMs();
    const usualMs = this.#usualMs < LONGEST_SPIN_MS ? this.#usualMs : 0;
    const endMs = startMs + Math.min(longestMs, Math.max(SPIN_MS, 2 * usualMs));
    let ms = startMs;
    let timedLooks = 0;
    do {
      for (let i = 0; i < UNTIMED_LOOKS; i++) {
        if (isReady()) {
          this.waited(ms - startMs);
          return this.hit();
        }
        pause();
      }
      ms = nowMs();
    } while (ms < endMs && ++timedLooks < MOST_TIMED_LOOKS);
    return this.miss();
  }

  /** Takes note of how long a wait took: how long it spun, or slept. */
  waited(ms: number): void {
    this.#usualMs += (Math.min(ms, MOST_COUNTED_MS) - this.#usualMs) * WEIGHT;
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
