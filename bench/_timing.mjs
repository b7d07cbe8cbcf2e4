/**
 * What the benchmarks share, and those beside other packages as well, which run on Node as they are.
 *
 * @module
 */

/**
 * The value that `percent` of the values do not exceed.
 *
 * @param {readonly number[]} values
 * @param {number} percent
 * @returns {number}
 */
export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))];
}

/**
 * The middle value.
 *
 * @param {readonly number[]} values
 * @returns {number}
 */
export function median(values) {
  return percentile(values, 50);
}

/**
 * Milliseconds of each of `count` calls, one after the other.
 *
 * @param {number} count
 * @param {() => PromiseLike<unknown>} call
 * @returns {Promise<number[]>}
 */
export async function oneByOne(count, call) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await call();
    times.push(performance.now() - startMs);
  }
  return times;
}

/**
 * How late an interval of so many milliseconds fires, each time, until `isOver`.
 *
 * @param {number} intervalMs
 * @param {() => boolean} isOver
 * @returns {Promise<number[]>}
 */
export function timerLateness(intervalMs, isOver) {
  /** @type {number[]} */
  const late = [];
  let lastMs = performance.now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      late.push(Math.max(0, nowMs - lastMs - intervalMs));
      lastMs = nowMs;
      if (!isOver()) return;
      clearInterval(timer);
      resolve(late);
    }, intervalMs);
  });
}
