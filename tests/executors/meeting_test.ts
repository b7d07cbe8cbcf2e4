/**
 * A pool runs as many tasks at once as it has workers, oldest first: so tasks that wait for each
 * other do meet.
 */

import { Barrier, type Executor, ProcessPoolExecutor, ThreadPoolExecutor } from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import { meet } from "./_meeting_tasks.ts";

/** Enough tasks for the function to be known as a short one. */
const SHORT_ONES = 40;
const MEETINGS = 8;

const POOLS: Record<string, (maxWorkers: number) => Executor> = {
  ThreadPoolExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers }),
  ProcessPoolExecutor: (maxWorkers) => new ProcessPoolExecutor({ maxWorkers }),
};

for (const [name, make] of Object.entries(POOLS)) {
  for (const size of [2, 3]) {
    test(`${name} of ${size}: tasks that wait for each other meet, though they have been short before`, async () => {
      await using pool = make(size);
      const alone = new Barrier(1);
      await Promise.all(Array.from({ length: SHORT_ONES }, () => pool.submit(meet, alone)));
      const meetings = Array.from({ length: MEETINGS }, () => new Barrier(size));
      await Promise.all(
        meetings.flatMap((barrier) =>
          Array.from({ length: size }, () => pool.submit(meet, barrier))
        ),
      );
    });
  }
}
