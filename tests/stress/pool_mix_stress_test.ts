/**
 * Random programs: whatever they mix, each task has an outcome that it may have, and the pool can
 * be shut down.
 */

import { assertEquals } from "@std/assert";
import { ProcessPoolExecutor, ThreadPoolExecutor, type ThreadPoolOptions } from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { pause } from "./pool_mix_tasks.ts";
import { ALONE, LINKED, losses, Program } from "./programs.ts";
import { randomNumbers } from "./random.ts";
import { SCALE } from "./scale.ts";

const MOST_WAVES = 4;
const MOST_ACTS = 12;

type Pool = ThreadPoolExecutor | ProcessPoolExecutor;

/** Runs the program with the given seed; with `losing`, one that loses workers. */
async function run(
  seed: number,
  make: (options: ThreadPoolOptions) => Pool,
  losing?: { readonly mayAlways: readonly string[] },
): Promise<void> {
  const random = randomNumbers(seed);
  random();
  const workers = 1 + Math.floor(random() * 4);
  const pool = make({
    maxWorkers: workers,
    onWorkerLost: losing !== undefined && random() < 0.5 ? "break" : "replace",
    maxTasksPerChild: random() < 0.2 ? 8 : undefined,
    idleTimeout: random() < 0.2 ? Math.floor(random() * 5) : undefined,
  });
  const isOfProcesses = pool instanceof ProcessPoolExecutor;
  const acts = losing === undefined
    ? { ...ALONE, ...LINKED }
    : { ...ALONE, ...losses(isOfProcesses) };
  const program = new Program(seed, pool, workers, acts, losing?.mayAlways);
  for (let wave = program.below(MOST_WAVES); wave >= 0; wave--) {
    for (let act = program.below(MOST_ACTS); act >= 0; act--) {
      program.act();
      // So some outcomes come while this thread sleeps.
      if (program.chance(0.15)) await pause(program.below(3), undefined);
    }
    if (program.chance(0.7)) await program.settle();
  }
  let closing: Promise<void> | undefined;
  if (losing !== undefined && program.chance(0.3)) {
    if (isOfProcesses && program.chance(0.7)) {
      if (program.chance(0.5)) pool.killWorkers();
      else pool.terminateWorkers();
    } else closing = pool.shutdown({ cancelFutures: true });
  } else if (program.chance(0.3)) closing = pool.shutdown();
  await program.settle();
  for (const check of program.checks) check();
  await (closing ?? pool.shutdown());
  const { queued, running } = pool.stats();
  assertEquals({ seed, queued, running, workers: pool.stats().workers }, {
    seed,
    queued: 0,
    running: 0,
    workers: 0,
  });
}

const options = { timeout: 60_000 * SCALE };

function makeProcesses({ maxTasksPerChild: _, ...options }: ThreadPoolOptions): Pool {
  return new ProcessPoolExecutor(options);
}

test("ThreadPoolExecutor: random programs come to their ends", options, async () => {
  for (let seed = 1; seed <= 8 * SCALE; seed++) {
    await run(seed, (options) => new ThreadPoolExecutor(options));
  }
});

test("ProcessPoolExecutor: random programs come to their ends", options, async () => {
  for (let seed = 1; seed <= 4 * SCALE; seed++) await run(seed, makeProcesses);
});

test(
  "ThreadPoolExecutor: random programs that lose workers come to their ends",
  options,
  async () => {
    const mayAlways = ["BrokenThreadPool", "CancelledError", "RuntimeError"];
    for (let seed = 1; seed <= 8 * SCALE; seed++) {
      await run(seed, (options) => new ThreadPoolExecutor(options), { mayAlways });
    }
  },
);

test(
  "ProcessPoolExecutor: random programs that lose workers come to their ends",
  options,
  async () => {
    const mayAlways = ["BrokenProcessPool", "CancelledError", "RuntimeError"];
    for (let seed = 1; seed <= 4 * SCALE; seed++) await run(seed, makeProcesses, { mayAlways });
  },
);
