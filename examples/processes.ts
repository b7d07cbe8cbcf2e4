/**
 * Ten seconds of sleep in little more than one: by processes made by hand, then by a pool of processes.
 *
 *   deno run -A examples/processes.ts
 *   deno run -A examples/processes.ts --seconds 0.2
 *
 * The same walk as in `sleep_threads.ts`, with `Process` for `Thread` and `ProcessPoolExecutor` for `ThreadPoolExecutor`. A process
 * has a memory of its own, and takes longer to start. What is done with the pool is not even written anew: it is imported
 * from there, as is what each process does.
 *
 * It prints what the processes say, and at the end of each part how long that took. One of five parts, for instance:
 *
 *   Ten processes by hand
 *   Sleeping 1 second(s)...
 *   (nine more of these)
 *   Done sleeping 1 second(s)
 *   (nine more of these)
 *   Finished in 1.69 second(s), with 10 of sleep
 *
 * @module
 */

import { Process, ProcessPoolExecutor, Queue, task } from "@concurrent/futures";
import { measure, parseSleeps, TASKS } from "./_sleeping.ts";
import { doSomething, walkThroughPool } from "./sleep_threads.ts";

async function twoProcesses([one, other]: readonly number[]): Promise<void> {
  const first = new Process({ target: doSomething, args: [one] });
  const second = new Process({ target: doSomething, args: [other] });
  first.start();
  second.start();
  await first.join();
  await second.join();
}

/** Nothing comes back from a process made by hand; but a queue can be sent to it. */
export const reportOn = task(
  import.meta,
  function reportOn(reports: Queue<string>, seconds: number): void {
    reports.putSync(doSomething(seconds));
  },
);

async function manyProcesses(sleeps: readonly number[]): Promise<void> {
  const reports = new Queue<string>();
  const processes = sleeps.map((seconds) =>
    new Process({ target: reportOn, args: [reports, seconds] })
  );
  for (const process of processes) process.start();
  for (const process of processes) await process.join();
  for (const report of reports.getManySync(TASKS)) console.log(report);
}

// Processes import this module too, and must not run the program again.
if (import.meta.main) {
  const sleeps = parseSleeps(Deno.args);
  await measure("Two processes by hand", sleeps.two, twoProcesses);
  await measure("Ten processes by hand", sleeps.same, manyProcesses);
  // What a process prints goes to the output of the program.
  await walkThroughPool(() => new ProcessPoolExecutor({ maxWorkers: TASKS }), sleeps);
}
