/**
 * What the benchmarks share: interleaved repeats, medians, percentiles, a table.
 *
 * @module
 */

import { median } from "./_timing.mjs";

export { median, oneByOne, percentile, timerLateness } from "./_timing.mjs";

/**
 * How long each contender runs unmeasured: in the first half second, most of the time goes into
 * compiling it.
 */
const WARM_UP_MS = 500;

/**
 * Runs the contenders: each unmeasured at first, and then all in turn, `repeats` times. Returns the
 * median of each.
 */
export async function interleave<K extends string>(
  repeats: number,
  contenders: Record<K, () => number | Promise<number>>,
): Promise<Record<K, number>> {
  const names = Object.keys(contenders) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    K,
    number[]
  >;
  for (const name of names) {
    const endMs = performance.now() + WARM_UP_MS;
    do await contenders[name](); while (performance.now() < endMs);
  }
  for (let i = 0; i < repeats; i++) {
    for (const name of names) samples[name].push(await contenders[name]());
  }
  return Object.fromEntries(names.map((name) => [name, median(samples[name])])) as Record<
    K,
    number
  >;
}

/** Makes `count` calls at once, and awaits them all. Returns the calls per second. */
export async function burst(count: number, call: () => PromiseLike<unknown>): Promise<number> {
  const startMs = performance.now();
  const pending: PromiseLike<unknown>[] = [];
  for (let i = 0; i < count; i++) pending.push(call());
  await Promise.all(pending);
  return count / (performance.now() - startMs) * 1000;
}

/** Makes `count` calls, `width` of them under way at any time. Returns the calls per second. */
export async function inFlight(
  count: number,
  width: number,
  call: () => PromiseLike<unknown>,
): Promise<number> {
  const startMs = performance.now();
  let left = count;
  await Promise.all(Array.from({ length: width }, async () => {
    while (left-- > 0) await call();
  }));
  return count / (performance.now() - startMs) * 1000;
}

/** Runs a loop of `steps` steps. Returns the nanoseconds per step. */
export async function nsEach(
  steps: number,
  loop: (steps: number) => void | Promise<void>,
): Promise<number> {
  const startMs = performance.now();
  await loop(steps);
  return (performance.now() - startMs) * 1e6 / steps;
}

/**
 * Returns the processor time that this process, or the one with the given number, has used, in
 * milliseconds. Linux only.
 */
export function processorMs(pid: number = Deno.pid): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const TICKS_PER_SECOND = 100;
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}

/** Prints a line: what was measured, the baseline, our figure, the ratio, and the goal. */
export function row(
  what: string,
  baseline: string,
  ours: string,
  ratio: string,
  goal: string,
): void {
  console.log(
    `${what.padEnd(44)} ${baseline.padStart(14)} ${ours.padStart(14)} ${
      ratio.padStart(9)
    }  ${goal}`,
  );
}

/** Formats a large number with separators between the thousands. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
