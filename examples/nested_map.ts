/**
 * Three tasks, each of which calls `map` of the pool that runs it.
 *
 *   deno run -A examples/nested_map.ts
 *
 * A pool can be sent to its own tasks; what they submit to it is run by the same workers. A task
 * that waits for others keeps its worker, so there must be more workers than waiting tasks. If all
 * workers would block, the last one gets an error instead.
 *
 * It prints:
 *
 *   Three tasks, four workers
 *     from 0 on, 17647 takes 278 steps to 1
 *     from 20000 on, 35655 takes 323 steps to 1
 *     from 40000 on, 52527 takes 339 steps to 1
 *   Two tasks that block, two workers
 *     went on: 1, failed: 1
 *     RuntimeError: Cannot wait: all 2 workers of ThreadPoolExecutor-1 would block for tasks that none is left to run; raise maxWorkers, or submit the tasks from outside the pool
 *
 * @module
 */

import { Barrier, type Executor, task, ThreadPoolExecutor } from "@concurrent/futures";

const RANGE = 20_000;
const PARTS = 4;

/**
 * A number, and how many steps it takes to 1: a step halves an even number, and triples an odd one
 * and adds 1.
 */
interface Chain {
  readonly start: number;
  readonly steps: number;
}

/** Returns the longest chain of a part of a range. */
export const longestOfPart = task(import.meta, function longestOfPart(from: number): Chain {
  let longest: Chain = { start: from, steps: 0 };
  for (let start = Math.max(from, 1); start < from + RANGE / PARTS; start++) {
    const steps = countSteps(start);
    if (steps > longest.steps) longest = { start, steps };
  }
  return longest;
});

function countSteps(n: number): number {
  let steps = 0;
  for (; n !== 1; steps++) n = n % 2 === 0 ? n / 2 : 3 * n + 1;
  return steps;
}

/** Returns the longest chain of a range; the pool's other workers compute its parts. */
export const longestOfRange = task(
  import.meta,
  async function longestOfRange(pool: Executor, from: number): Promise<Chain> {
    return longestOf(await pool.map(longestOfPart, partsOf(from)).toArray());
  },
);

/**
 * Does what {@linkcode longestOfRange} does, but blocks, and begins once all tasks of this function
 * run.
 */
export const longestOfRangeSync = task(
  import.meta,
  function longestOfRangeSync(pool: Executor, from: number, all: Barrier): Chain {
    all.waitSync();
    return longestOf(pool.map(longestOfPart, partsOf(from)).toArraySync());
  },
);

function partsOf(from: number): number[] {
  return Array.from({ length: PARTS }, (_, part) => from + part * RANGE / PARTS);
}

function longestOf(chains: readonly Chain[]): Chain {
  return chains.reduce((longest, chain) => chain.steps > longest.steps ? chain : longest);
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const starts = [0, RANGE, 2 * RANGE];
  {
    console.log("Three tasks, four workers");
    await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
    const futures = starts.map((from) => pool.submit(longestOfRange, pool, from));
    for (const [i, { start, steps }] of (await Promise.all(futures)).entries()) {
      console.log(`  from ${starts[i]} on, ${start} takes ${steps} steps to 1`);
    }
  }
  {
    console.log("Two tasks that block, two workers");
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const all = new Barrier(2);
    const futures = [0, RANGE].map((from) => pool.submit(longestOfRangeSync, pool, from, all));
    const outcomes = await Promise.all(futures.map((future) => future.exception()));
    const errors = outcomes.filter((error) => error !== null);
    console.log(`  went on: ${futures.length - errors.length}, failed: ${errors.length}`);
    for (const error of errors) console.log(`  ${error}`);
  }
}
