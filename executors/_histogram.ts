/**
 * Durations counted in buckets whose width grows with the duration, as in HdrHistogram: a small,
 * fixed amount of memory, and the same relative error everywhere.
 *
 * A bucket holds the numbers that have the exponent and the first MANTISSA_BITS bits of the
 * mantissa in common: each doubling is cut into 2^MANTISSA_BITS equal parts, so a bucket is at most
 * 1/32 of its values wide, and its middle is off by at most 1/64 of them, 1.6 %.
 *
 * @module
 */

import type { Durations } from "./stats.ts";

const MANTISSA_BITS = 5;

/** The upper half of a double: sign, 11 bits of exponent, 20 bits of mantissa. */
const SHIFT = 20 - MANTISSA_BITS;

/** Durations below 2^-10 ms, about a microsecond, count as that. */
const LEAST_EXPONENT = -10;
/** Those from 2^32 ms on, about fifty days, count as just below that. */
const MOST_EXPONENT = 32;

const EXPONENT_BIAS = 1023;
const FIRST = (LEAST_EXPONENT + EXPONENT_BIAS) << MANTISSA_BITS;
const BUCKETS = (MOST_EXPONENT - LEAST_EXPONENT) << MANTISSA_BITS;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const UPPER = IS_LITTLE_ENDIAN ? 1 : 0;

function bucketOf(value: number): number {
  double[0] = value;
  const bucket = (halves[UPPER] >>> SHIFT) - FIRST;
  return bucket < 0 ? 0 : bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/** The least value of a bucket. */
function startOf(bucket: number): number {
  halves[UPPER] = (bucket + FIRST) << SHIFT;
  halves[1 - UPPER] = 0;
  return double[0];
}

/** How durations are distributed. Each may stand for several. */
export class Histogram {
  /** Allocated with the first value. */
  #counts: Float64Array | undefined;
  #total = 0;
  #max = 0;

  /** How many durations were counted. */
  get count(): number {
    return this.#total;
  }

  /** The longest; 0 when there is none. */
  get max(): number {
    return this.#max;
  }

  /** The summary that `stats()` returns. */
  get durations(): Durations {
    return {
      count: this.count,
      p50: this.percentile(0.5),
      p90: this.percentile(0.9),
      p99: this.percentile(0.99),
      max: this.max,
    };
  }

  /** Counts a duration, in milliseconds, `weight` times. Negative ones count as 0. */
  add(value: number, weight: number): void {
    const counts = this.#counts ??= new Float64Array(BUCKETS);
    const duration = value > 0 ? value : 0;
    counts[bucketOf(duration)] += weight;
    this.#total += weight;
    if (duration > this.#max) this.#max = duration;
  }

  /** The duration that `share` of all do not exceed, off by at most 1.6 %; 0 when there is none. */
  percentile(share: number): number {
    const counts = this.#counts;
    if (counts === undefined) return 0;
    let left = this.#total * share;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (counts[bucket] === 0) continue;
      left -= counts[bucket];
      // Sums of weights are whole numbers; their shares are not.
      if (left > 1e-9) continue;
      return Math.min((startOf(bucket) + startOf(bucket + 1)) / 2, this.#max);
    }
    return this.#max;
  }
}
