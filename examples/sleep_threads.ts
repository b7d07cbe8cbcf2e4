/**
 * Ten seconds of sleep in one second: by threads made by hand, then by a pool of threads.
 *
 *   deno run -A examples/sleep_threads.ts
 *   deno run -A examples/sleep_threads.ts --seconds 0.2
 *
 * A thread that sleeps blocks no other thread. By hand, each task needs its own thread, which must
 * be started and joined, and returns nothing. A pool keeps its threads, hands out the tasks, and
 * returns a future for each.
 *
 * It prints what the threads report, and at the end of each part how long that part took. One of
 * five parts, for instance:
 *
 *   Ten threads by hand
 *   Sleeping 1 second(s)...
 *   (nine more of these)
 *   Finished in 1.29 second(s), with 10 of sleep
 *
 * @module
 */

import {
  asCompleted,
  Event,
  type Executor,
  task,
  Thread,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { measure, parseSleeps, type Sleeps, TASKS } from "./_sleeping.ts";

/** Sleeps; this is what each thread does. */
export const doSomething = task(import.meta, function doSomething(seconds: number): string {
  console.log(`Sleeping ${seconds} second(s)...`);
  new Event().waitSync({ timeout: seconds * 1000 }); // Nobody sets this event.
  return `Done sleeping ${seconds} second(s)`;
});

async function twoThreads([one, other]: readonly number[]): Promise<void> {
  const first = new Thread({ target: doSomething, args: [one] });
  const second = new Thread({ target: doSomething, args: [other] });
  first.start();
  second.start();
  await first.join();
  await second.join();
}

async function manyThreads(sleeps: readonly number[]): Promise<void> {
  const threads = sleeps.map((seconds) => new Thread({ target: doSomething, args: [seconds] }));
  for (const thread of threads) thread.start();
  for (const thread of threads) await thread.join();
}

/** Uses a pool of any kind in three ways; `processes.ts` calls this with a pool of processes. */
export async function walkThroughPool(makePool: () => Executor, sleeps: Sleeps): Promise<void> {
  await measure("Ten tasks submitted to a pool", sleeps.same, async (sleeps) => {
    await using pool = makePool();
    const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
    for (const future of futures) console.log(await future);
  });
  await measure("As they complete", sleeps.shorter, async (sleeps) => {
    await using pool = makePool();
    const futures = sleeps.map((seconds) => pool.submit(doSomething, seconds));
    for await (const future of asCompleted(futures)) console.log(await future);
  });
  await measure("Mapped, in the order of the inputs", sleeps.shorter, async (sleeps) => {
    await using pool = makePool();
    for await (const result of pool.map(doSomething, sleeps, { chunksize: 1 })) {
      console.log(result);
    }
  });
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const sleeps = parseSleeps(Deno.args);
  await measure("Two threads by hand", sleeps.two, twoThreads);
  await measure("Ten threads by hand", sleeps.same, manyThreads);
  await walkThroughPool(() => new ThreadPoolExecutor({ maxWorkers: TASKS }), sleeps);
}
