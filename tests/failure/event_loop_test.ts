/** Tasks do not starve the event loop of either side. */

import { assert, assertEquals } from "@std/assert";
import { ThreadPoolExecutor } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { until } from "./_support.ts";
import * as work from "./_tasks.ts";

/** How long a flood of tasks lasts, and how much longer it may last. */
const FLOOD_MS = 1000;
const MORE_MS = 20_000;
const IN_FLIGHT = 512;

/**
 * Keeps many tasks in flight for a while, and then until `isEnough()`, as the machine may stall in
 * between. Returns how many were done.
 */
async function flood(
  pool: ThreadPoolExecutor,
  submit: () => PromiseLike<unknown>,
  isEnough: () => boolean,
): Promise<number> {
  const endMs = performance.now() + FLOOD_MS;
  const isOver = () => {
    const nowMs = performance.now();
    return nowMs >= endMs && (isEnough() && done > IN_FLIGHT || nowMs >= endMs + MORE_MS);
  };
  let done = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (!isOver()) {
        await submit();
        done++;
      }
    }),
  );
  assertEquals(pool.stats().queued, 0);
  return done;
}

test("A flood of small tasks lets the timers of the thread that submits run", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await pool.submit(work.noop);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  const done = await flood(pool, () => pool.submit(work.noop), () => ticks >= 10);
  clearInterval(timer);
  assert(ticks >= 10, `the timer ran ${ticks} times during ${done} tasks`);
  assert(done > IN_FLIGHT);
});

test("A flood of small tasks lets a chain of fetches of the thread that submits go on", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await pool.submit(work.noop);
  let fetched = 0;
  let isOver = false;
  const fetching = (async () => {
    while (!isOver) {
      await (await fetch("data:text/plain,here")).text();
      fetched++;
      // A fetch of a data: address alone may take no turn of the event loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  })();
  await flood(pool, () => pool.submit(work.noop), () => fetched >= 10);
  isOver = true;
  await fetching;
  assert(fetched >= 10, `${fetched} fetches went through`);
});

for (
  const [what, submit] of [
    ["no-ops", (pool: ThreadPoolExecutor) => pool.submit(work.noop)],
    ["tasks of a millisecond", (pool: ThreadPoolExecutor) => pool.submit(work.burn, 1)],
  ] as const
) {
  test(`A worker's timers and fetches go on while it runs many ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const words = new Int32Array(new SharedArrayBuffer(12));
    await pool.submit(work.startBackground, words);
    const before = [words[0], words[1]];
    const ticks = () => words[0] - before[0];
    const fetches = () => words[1] - before[1];
    await flood(pool, () => submit(pool), () => ticks() >= 10 && fetches() >= 5);
    Atomics.store(words, 2, 1);
    assert(ticks() >= 10, `the worker's timer ran ${ticks()} times`);
    assert(fetches() >= 5, `the worker fetched ${fetches()} times`);
  });
}

test("A worker's timers and fetches go on while it is idle", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const words = new Int32Array(new SharedArrayBuffer(12));
  await pool.submit(work.startBackground, words);
  try {
    await until(() => Atomics.load(words, 0) >= 10 && Atomics.load(words, 1) >= 10);
  } finally {
    Atomics.store(words, 2, 1);
  }
  assert(words[0] >= 10);
});
