/** A task that waits for others. */

import { type Barrier, task } from "../../mod.ts";

/** Waits until as many as the barrier wants are there. */
export const meet = task(import.meta, function meet(barrier: Barrier): void {
  barrier.waitSync();
});
