/**
 * Two progress bars: one for four long tasks that report how far they are, one for hundreds of
 * short ones.
 *
 *   deno run -A examples/progress.ts
 *   deno run -A examples/progress.ts --limit 200000
 *   deno run -A examples/progress.ts 2> progress.log
 *
 * Each of the long tasks looks for primes in a quarter of the numbers below a limit. Without their
 * reports the bar would move only four times. The short tasks are one call of `map`. Both kinds
 * share the workers of one pool, and their bars are drawn one below the other.
 *
 * Bars are drawn on standard error, so that a file or another program, such as with `| cat`, gets
 * only the results. Where standard error is no terminal, as with `2> progress.log`, a line is
 * printed every five seconds instead.
 *
 * It prints:
 *
 *   664579 primes below 10000000
 *   the longest way to 1 below 400: from 327, in 143 steps
 *
 * @module
 */

import { asCompleted, task, taskContext, ThreadPoolExecutor } from "@concurrent/futures";
import { progress } from "@concurrent/futures/progress";
import { parseOption, refuse } from "./_options.ts";

const PARTS = 4;
const STARTS = 400;
/** How often a short task repeats its computation, so that it takes a few milliseconds. */
const REPEATS = 2_000;

/** Counts the primes from `from` up to, but not including, `below`. */
export const countPrimes = task(
  import.meta,
  function countPrimes(from: number, below: number): number {
    const context = taskContext();
    let count = 0;
    for (let n = from; n < below; n++) {
      // A report costs about as much as checking a large number, so there is one only now and then.
      if (n % 4096 === 0) context.report((n - from) / (below - from));
      if (isPrime(n)) count++;
    }
    return count;
  },
);

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}

/**
 * Returns how many steps a number takes to 1: a step halves an even number, and triples an odd one
 * and adds 1.
 */
export const stepsToOne = task(import.meta, function stepsToOne(start: number): number {
  let steps = 0;
  for (let i = 0; i < REPEATS; i++) {
    steps = 0;
    for (let n = start; n > 1; n = n % 2 === 0 ? n / 2 : 3 * n + 1) steps++;
  }
  return steps;
});

async function primesBelow(limit: number, pool: ThreadPoolExecutor): Promise<number> {
  const bounds = Array.from({ length: PARTS + 1 }, (_, i) => Math.floor(limit * i / PARTS));
  const futures = bounds.slice(1).map((below, i) => pool.submit(countPrimes, bounds[i], below));
  let count = 0;
  for await (const future of progress(asCompleted(futures), { label: "primes" })) {
    count += await future;
  }
  return count;
}

async function longestWay(pool: ThreadPoolExecutor): Promise<[start: number, steps: number]> {
  const starts = Array.from({ length: STARTS - 1 }, (_, i) => i + 1);
  const steps = await progress(pool.map(stepsToOne, starts), { label: "steps" }).toArray();
  const most = Math.max(...steps);
  return [starts[steps.indexOf(most)], most];
}

function parseLimit(args: string[]): number {
  const limit = Number(parseOption("limit", args) ?? 10_000_000);
  if (Number.isInteger(limit) && limit >= 2 && limit <= 100_000_000) return limit;
  refuse(`--limit must be an integer from 2 to 100000000, got "${parseOption("limit", args)}"`);
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const limit = parseLimit(Deno.args);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const [count, [start, steps]] = await Promise.all([primesBelow(limit, pool), longestWay(pool)]);
  console.log(`${count} primes below ${limit}`);
  console.log(`the longest way to 1 below ${STARTS}: from ${start}, in ${steps} steps`);
}
