/**
 * How much faster does each executor do computing work than a plain loop?
 *
 * `deno run -A bench/gcd_bench.ts` measures in turn, and prints medians and ratios.
 * `deno bench -A bench/gcd_bench.ts` shows the same runs one by one.
 *
 * The work is the pairs of the first example, `gcd.ts`. Unless a row says that the start is
 * included, pools are made before the first measurement, and their workers have loaded the module
 * by then.
 *
 * @module
 */

import {
  AsyncExecutor,
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { gcd } from "../examples/gcd.ts";
import { interleave, row } from "./_measure.ts";

const WORKERS = 2;
const REPEATS = 9;
const REPEAT = 100;
/** How often the list is repeated in long runs: often enough to make up for the start of a pool. */
const LONG_REPEAT = 2000;
const LONG_REPEATS = 3;

const LIST: [number, number][] = [
  [1231312, 434344],
  [2013123, 111110],
  [34423323, 123123],
  [234345, 345345],
];
const pairs = Array.from({ length: REPEAT }, () => LIST).flat();
const longPairs = Array.from({ length: LONG_REPEAT }, () => LIST).flat();

if (import.meta.main) await printTable();
else await registerBenches();

function makeThreads(): ThreadPoolExecutor {
  return new ThreadPoolExecutor({ maxWorkers: WORKERS });
}

function makeProcesses(): ProcessPoolExecutor {
  return new ProcessPoolExecutor({ maxWorkers: WORKERS });
}

/** Makes each worker start and load the module: there is enough work for every worker. */
async function start<E extends Executor>(executor: E): Promise<E> {
  await executor.map(gcd, pairs).toArray();
  return executor;
}

function inLoop(list: [number, number][]): number {
  const startMs = performance.now();
  for (const pair of list) gcd(pair);
  return performance.now() - startMs;
}

async function byMap(executor: Executor, list: [number, number][]): Promise<number> {
  const startMs = performance.now();
  await executor.map(gcd, list).toArray();
  return performance.now() - startMs;
}

async function withStart(make: () => Executor): Promise<number> {
  const startMs = performance.now();
  await using executor = make();
  await byMap(executor, longPairs);
  return performance.now() - startMs;
}

/** Prints the times, how many times as fast as the plain loop the executor was, and the goal. */
function show(what: string, loopMs: number, ms: number, least?: number): void {
  const ratio = loopMs / ms;
  const goal = least === undefined ? "" : `>= ${least} x: ${ratio >= least ? "met" : "missed"}`;
  row(what, `${loopMs.toFixed(0)} ms`, `${ms.toFixed(0)} ms`, `${ratio.toFixed(2)} x`, goal);
}

async function printTable(): Promise<void> {
  row(`${pairs.length} pairs, ${WORKERS} workers`, "plain loop", "executor", "ratio", "held to");
  {
    const loop = new AsyncExecutor({ maxWorkers: WORKERS });
    await using threads = await start(makeThreads());
    await using processes = await start(makeProcesses());
    const short = await interleave(REPEATS, {
      linear: () => inLoop(pairs),
      async: () => byMap(loop, pairs),
      threads: () => byMap(threads, pairs),
      processes: () => byMap(processes, pairs),
    });
    show("AsyncExecutor", short.linear, short.async);
    show("ThreadPoolExecutor", short.linear, short.threads);
    show("ProcessPoolExecutor", short.linear, short.processes, 1.9);
    const long = await interleave(LONG_REPEATS, {
      linear: () => inLoop(longPairs),
      threads: () => byMap(threads, longPairs),
      processes: () => byMap(processes, longPairs),
    });
    console.log(`${longPairs.length} pairs`);
    show("ThreadPoolExecutor", long.linear, long.threads);
    show("ProcessPoolExecutor", long.linear, long.processes, 1.9);
  }
  const long = await interleave(LONG_REPEATS, {
    linear: () => inLoop(longPairs),
    threads: () => withStart(makeThreads),
    processes: () => withStart(makeProcesses),
  });
  console.log(`${longPairs.length} pairs, start and shutdown included`);
  show("ThreadPoolExecutor", long.linear, long.threads);
  show("ProcessPoolExecutor", long.linear, long.processes, 1.85);
}

async function registerBenches(): Promise<void> {
  const group = `gcd of ${pairs.length} pairs`;
  const loop = new AsyncExecutor({ maxWorkers: WORKERS });
  const threads = await start(makeThreads());
  const processes = await start(makeProcesses());

  Deno.bench("linear", { group, baseline: true }, () => {
    for (const pair of pairs) gcd(pair);
  });

  Deno.bench("AsyncExecutor", { group }, async () => {
    await loop.map(gcd, pairs).toArray();
  });

  Deno.bench(`ThreadPoolExecutor, ${WORKERS} workers`, { group }, async () => {
    await threads.map(gcd, pairs).toArray();
  });

  Deno.bench(`ProcessPoolExecutor, ${WORKERS} processes`, { group }, async () => {
    await processes.map(gcd, pairs).toArray();
  });

  globalThis.addEventListener("unload", () => {
    threads.shutdownSync();
    processes.shutdownSync();
  });
}
