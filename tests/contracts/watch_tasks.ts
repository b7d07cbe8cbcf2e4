/** What a thread of this process watches for tasks of another process, which cannot see it. */

import { task } from "../../executors/mod.ts";
import { blockUntilQueued, type Shared as AnyQueue, type Side } from "../queue/_support.ts";
import { blockUntil, lockWaitersOf, type Shared, waitersOf } from "../sync/_support.ts";
import { type GateParts, openGate } from "./gate_parts.ts";

/** Opens the gate once the given number of waits are queued. */
export const openWhenWaiting = task(
  import.meta,
  function openWhenWaiting(gate: GateParts, object: Shared, count: number): void {
    blockUntil(() => waitersOf(object) === count);
    openGate(gate);
  },
);

/**
 * Opens the gate once at least the given number of waits are queued for the lock, or for the lock
 * of the condition.
 */
export const openWhenLockWaiting = task(
  import.meta,
  function openWhenLockWaiting(gate: GateParts, object: Shared, count: number): void {
    blockUntil(() => lockWaitersOf(object) >= count);
    openGate(gate);
  },
);

/** Opens the gate once the given number of waits are queued on a side of the queue. */
export const openWhenQueued = task(
  import.meta,
  function openWhenQueued(gate: GateParts, queue: AnyQueue, side: Side, count: number): void {
    blockUntilQueued(queue, side, count);
    openGate(gate);
  },
);
