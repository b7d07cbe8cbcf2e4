/**
 * Ten seconds of sleep in little more than one: by processes made by hand, then by a pool of processes.
 *
 *   deno run -A examples/processes.ts
 *   deno run -A examples/processes.ts --seconds 0.2
 *
 * The same walk as in `sleep_threads.ts`, with `Process` for `Thread` and `ProcessPoolExecutor` for `ThreadPoolExecutor`. A process
 * has a memory of its own, and takes longer to start.
 *
 * @module
 */

import { asCompleted, Event, Process, ProcessPoolExecutor, Queue, task } from "@concurrent/futures";
import { parseArgs } from "node:util";

const TASKS = 10;

/** What each process does. What it prints goes to the output of the program. */
export const doSomething = task(import.meta, function doSomething(seconds: number): string {
  console.log(`Sleeping ${seconds} second(s)...`);
  new Event().waitSync({ timeout: seconds * 1000 }); // which nobody sets
  return `Done sleeping ${seconds} second(s)`;
});

/** Nothing comes back from a process made by hand; but a queue can be sent to it. */
export const reportOn = task(
  import.meta,
  function reportOn(reports: Queue<string>, seconds: number): void {
    reports.putSync(doSomething(seconds));
  },
);

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

async function twoProcesses(seconds: number): Promise<void> {
  const first = new Process({ target: doSomething, args: [seconds] });
  const second = new Process({ target: doSomething, args: [seconds] });
  first.start();
  second.start();
  await first.join();
  await second.join();
}

async function manyProcesses(sleeps: number[]): Promise<void> {
  const reports = new Queue<string>();
  const processes = sleeps.map((seconds) =>
    new Process({ target: reportOn, args: [reports, seconds] })
  );
  for (const process of processes) process.start();
  for (const process of processes) await process.join();
  for (const report of reports.getManySync(TASKS)) console.log(report);
}

async function submitted(sleeps: number[]): Promise<void> {
  await using pool = new ProcessPoolExecutor({ maxWorkers: TASKS });
  const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
  for (const future of futures) console.log(await future);
}

async function asTheyComplete(sleeps: number[]): Promise<void> {
  await using pool = new ProcessPoolExecutor({ maxWorkers: TASKS });
  const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
  for await (const future of asCompleted(futures)) console.log(await future);
}

async function mapped(sleeps: number[]): Promise<void> {
  await using pool = new ProcessPoolExecutor({ maxWorkers: TASKS });
  for await (const result of pool.map(doSomething, sleeps, { chunksize: 1 })) console.log(result);
}

function parseSeconds(args: string[]): number {
  const { values } = parseArgs({ args, options: { seconds: { type: "string" } } });
  const seconds = Number(values.seconds ?? "1");
  if (seconds > 0 && seconds <= 60) return seconds;
  console.error(`--seconds must be a number from 0 to 60, got "${values.seconds}"`);
  Deno.exit(2);
}

// Processes import this module too, and must not run the program again.
if (import.meta.main) {
  const seconds = parseSeconds(Deno.args);
  const two = [seconds, seconds];
  const same = Array.from({ length: TASKS }, () => seconds);
  const shorter = same.map((seconds, i) => round(seconds * (1 - i / TASKS)));
  await measure("Two processes by hand", two, () => twoProcesses(seconds));
  await measure("Ten processes by hand", same, () => manyProcesses(same));
  await measure("Ten tasks submitted to a pool", same, () => submitted(same));
  await measure("As they complete", shorter, () => asTheyComplete(shorter));
  await measure("Mapped, in the order of the inputs", shorter, () => mapped(shorter));
}
