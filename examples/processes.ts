/**
 * Ten seconds of sleep in little more than one second: by processes made by hand, then by a pool of
 * processes.
 *
 *   deno run -A examples/processes.ts
 *   deno run -A examples/processes.ts --seconds 0.2
 *
 * This does what `sleep_threads.ts` does, with `Process` for `Thread` and `ProcessPoolExecutor` for
 * `ThreadPoolExecutor`. A process has its own memory, and takes longer to start. The function that
 * each process runs, and all that is done with the pool, are imported from `sleep_threads.ts`
 * unchanged.
 *
 * It prints what the processes report, and at the end of each part how long that part took. One of
 * five parts, for instance:
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

/**
 * Puts the result into a queue: a process made by hand returns nothing, but a queue can be sent to
 * it.
 */
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
