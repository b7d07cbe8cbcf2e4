/**
 * The job: greatest common divisors of some pairs of numbers, found the slow way, by trying every
 * number from the smaller one downwards; and a log in shared memory of which thread computed which
 * pair, and when.
 *
 * @module
 */

import { task } from "@concurrent/futures";

/** Two numbers. */
export type Pair = readonly [number, number];

/** How many pairs there are. */
export const PAIRS = 96;

/**
 * The words of the log for each pair. Times are microseconds since the run began. WORKER is the
 * worker's number plus 1, and 0 while the pair is not begun.
 */
const WORDS = { START: 0, END: 1, WORKER: 2, SIZE: 3 };

/** One pair to compute. */
export interface Job {
  readonly index: number;
  readonly pair: Pair;
  readonly log: Int32Array;
  /** When the run began, in milliseconds since 1970. */
  readonly beganMs: number;
}

/** What the log says about a pair. Times are milliseconds since the run began. */
export interface Entry {
  readonly worker: number;
  readonly startMs: number;
  /** `undefined` while the pair is computed. */
  readonly endMs: number | undefined;
}

/** Computes the greatest common divisor the slow way. */
export function slowGcd([a, b]: Pair): number {
  for (let divisor = Math.min(a, b); divisor > 1; divisor--) {
    if (a % divisor === 0 && b % divisor === 0) return divisor;
  }
  return 1;
}

/** Computes the greatest common divisor by Euclid's algorithm, to check the answers. */
export function euclid([a, b]: Pair): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Returns the time, in milliseconds since 1970, on a clock that all threads of the page share. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Computes a pair, and records it in the log; on the main thread or on a worker. */
export const gcd = task(import.meta, function gcd({ index, pair, log, beganMs }: Job): number {
  const at = index * WORDS.SIZE;
  const sinceUs = (): number => Math.round((nowMs() - beganMs) * 1000);
  Atomics.store(log, at + WORDS.START, sinceUs());
  Atomics.store(log, at + WORDS.WORKER, workerNumber() + 1);
  const answer = slowGcd(pair);
  Atomics.store(log, at + WORDS.END, sinceUs());
  return answer;
}, "gcd");

/**
 * Returns the number in the worker's name, which its pool gives it: `worker_0`, `worker_1` ... On
 * the main thread, returns 0.
 */
function workerNumber(): number {
  const { name = "" } = globalThis as { name?: string };
  return Number(/^worker_(\d+)$/.exec(name)?.[1] ?? 0);
}

/** Makes the memory for the log of a run. */
export function createLog(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(PAIRS * WORDS.SIZE * Int32Array.BYTES_PER_ELEMENT));
}

/** Yields what the log says about each pair that was begun. */
export function* entriesOf(log: Int32Array): Generator<Entry> {
  for (let at = 0; at < log.length; at += WORDS.SIZE) {
    const worker = Atomics.load(log, at + WORDS.WORKER);
    if (worker === 0) continue;
    const endUs = Atomics.load(log, at + WORDS.END);
    yield {
      worker: worker - 1,
      startMs: Atomics.load(log, at + WORDS.START) / 1000,
      endMs: endUs === 0 ? undefined : endUs / 1000,
    };
  }
}

/**
 * Makes pairs that take this machine about `eachMs` each, some more and some less; the same pairs
 * each time for one size.
 */
export function makePairs(eachMs: number): Pair[] {
  const size = sizeFor(eachMs);
  let seed = 1;
  const random = (): number => {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    return (seed >>> 0) / 2 ** 32;
  };
  return Array.from({ length: PAIRS }, () => {
    const smaller = Math.round(size * (0.6 + 0.8 * random()));
    return [smaller, smaller + 1 + Math.round(size * random())] as const;
  });
}

/** Returns the size of a number that takes about `ms`. */
function sizeFor(ms: number): number {
  const size = 1_000_003;
  slowGcd([size, size + 2]); // The first call is slower.
  let bestMs = Infinity;
  for (let i = 0; i < 5; i++) {
    const beganMs = performance.now();
    slowGcd([size, size + 2]);
    bestMs = Math.min(bestMs, performance.now() - beganMs);
  }
  return Math.round(size * ms / Math.max(bestMs, 0.1));
}
