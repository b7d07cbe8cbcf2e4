/** A task that waits for other tasks. */

import { task } from "../../executors/task_module.ts";
import type { Barrier } from "../../sync/mod.ts";

/** Waits until all parties of the barrier have come. */
export const meet = task(import.meta, function meet(barrier: Barrier): void {
  barrier.waitSync();
});
