/** A task that waits for others. */

import { task } from "../../executors/task_module.ts";
import type { Barrier } from "../../sync/mod.ts";

/** Waits until as many as the barrier wants are there. */
export const meet = task(import.meta, function meet(barrier: Barrier): void {
  barrier.waitSync();
});
