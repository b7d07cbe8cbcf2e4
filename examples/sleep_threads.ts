/**
 * Ten seconds of sleep in one second: by threads made by hand, then by a pool of threads.
 *
 *   deno run -A examples/sleep_threads.ts
 *   deno run -A examples/sleep_threads.ts --seconds 0.2
 *
 * A thread that sleeps blocks nobody else. By hand there is a thread for each task, to be started and joined, and nothing
 * comes back from it; a pool keeps its threads, hands out the tasks, and gives a future for each.
 *
 * @module
 */

import { asCompleted, Event, task, Thread, ThreadPoolExecutor } from "@concurrent/futures";
import { parseArgs } from "node:util";

const TASKS = 10;

/** What each thread does. */
export const doSomething = task(import.meta, function doSomething(seconds: number): string {
  console.log(`Sleeping ${seconds} second(s)...`);
  new Event().waitSync({ timeout: seconds * 1000 }); // which nobody sets
  return `Done sleeping ${seconds} second(s)`;
});

/** Runs a part of the walk, and says how long it took, and how long its tasks slept. */
async function measure(title: string, sleeps: number[], run: () => unknown): Promise<void> {
  console.log(`\n${title}`);
  const startMs = performance.now();
  await run();
  const took = (performance.now() - startMs) / 1000;
  const slept = sleeps.reduce((sum, seconds) => sum + seconds);
  console.log(`Finished in ${took.toFixed(2)} second(s), with ${round(slept)} of sleep`);
}

function round(seconds: number): number {
  return Number(seconds.toFixed(3));
}

async function twoThreads(seconds: number): Promise<void> {
  const first = new Thread({ target: doSomething, args: [seconds] });
  const second = new Thread({ target: doSomething, args: [seconds] });
  first.start();
  second.start();
  await first.join();
  await second.join();
}

async function manyThreads(sleeps: number[]): Promise<void> {
  const threads = sleeps.map((seconds) => new Thread({ target: doSomething, args: [seconds] }));
  for (const thread of threads) thread.start();
  for (const thread of threads) await thread.join();
}

async function submitted(sleeps: number[]): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: TASKS });
  const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
  for (const future of futures) console.log(await future);
}

async function asTheyComplete(sleeps: number[]): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: TASKS });
  const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
  for await (const future of asCompleted(futures)) console.log(await future);
}

async function mapped(sleeps: number[]): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: TASKS });
  for await (const result of pool.map(doSomething, sleeps, { chunksize: 1 })) console.log(result);
}

function parseSeconds(args: string[]): number {
  const { values } = parseArgs({ args, options: { seconds: { type: "string" } } });
  const seconds = Number(values.seconds ?? "1");
  if (seconds > 0 && seconds <= 60) return seconds;
  console.error(`--seconds must be a number from 0 to 60, got "${values.seconds}"`);
  Deno.exit(2);
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const seconds = parseSeconds(Deno.args);
  const two = [seconds, seconds];
  const same = Array.from({ length: TASKS }, () => seconds);
  const shorter = same.map((seconds, i) => round(seconds * (1 - i / TASKS)));
  await measure("Two threads by hand", two, () => twoThreads(seconds));
  await measure("Ten threads by hand", same, () => manyThreads(same));
  await measure("Ten tasks submitted to a pool", same, () => submitted(same));
  await measure("As they complete", shorter, () => asTheyComplete(shorter));
  await measure("Mapped, in the order of the inputs", shorter, () => mapped(shorter));
}
