/**
 * Two bars: four long tasks that tell how far they are, and hundreds of short ones.
 *
 *   deno run -A examples/progress.ts
 *   deno run -A examples/progress.ts --limit 200000
 *   deno run -A examples/progress.ts 2> progress.log
 *
 * The long tasks look for primes below a limit, a quarter of the numbers each. Without their reports the bar would move four
 * times only. The short ones are a call of `map`; both share the workers of one pool, and are drawn below each other.
 *
 * Bars are drawn on standard error, so results go to a file or to another program by themselves: `| cat`. Where standard
 * error is no terminal either, as with `2> progress.log`, there is a line every five seconds instead.
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
/** How often each start of the short tasks is computed, so that they take a few milliseconds. */
const REPEATS = 2_000;

/** How many primes there are from a number on and below another. */
export const countPrimes = task(
  import.meta,
  function countPrimes(from: number, below: number): number {
    const context = taskContext();
    let count = 0;
    for (let n = from; n < below; n++) {
      // Telling costs about as much as a look at a large number: now and then will do.
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

/** In how many steps a number comes to 1, if it is halved when even, and else tripled and one added. */
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
