/**
 * The tasks of the failure tests that make pools. Kept apart from the other tasks, as most workers
 * would otherwise load all of this with them.
 */

import { Thread, ThreadPoolExecutor } from "@concurrent/futures";
import { Event, type Lock } from "@concurrent/futures/sync";
import { task } from "@concurrent/futures/task";
import { holdAndReturn, own, set } from "./_sync_tasks.ts";
import { double, noop } from "./_tasks.ts";
import type { AnyLock } from "./_waiters.ts";

/** Makes a pool of its own, and reads that pool's results in blocking form. */
export const nest = task(import.meta, function nest(numbers: number[]): number[] {
  using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const found: number[] = [];
  for (const value of pool.map(double, numbers)) found.push(value);
  return found;
});

/** Makes a pool of its own, and blocks until that pool's last task sets an event. */
export const blockOnOwnPool = task(
  import.meta,
  function blockOnOwnPool(count: number): boolean {
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const event = new Event();
    for (let i = 0; i < count; i++) pool.submit(noop);
    pool.submit(set, event);
    return event.waitSync({ timeout: 15_000 });
  },
);

/**
 * Makes a worker of its own pool acquire the lock, and ends that pool, with the lock held, once the
 * event is set.
 */
export const lendToOwnPool = task(
  import.meta,
  function lendToOwnPool(lock: Lock, held: Event, end: Event): void {
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    pool.submit(own, [lock]).resultSync();
    held.set();
    end.waitSync();
  },
);

/** Makes a thread of its own acquire, which ends, or is idle, once the gate opens. */
export const haveHeld = task(
  import.meta,
  async function haveHeld(
    locks: AnyLock[],
    gate: Int32Array,
    by: "a pool" | "a Thread",
  ): Promise<void> {
    if (by === "a pool") {
      const pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "inner" });
      await pool.submit(holdAndReturn, locks, gate);
    } else {
      const thread = new Thread({ target: holdAndReturn, args: [locks, gate], name: "inner_0" });
      thread.start();
      await thread.join();
    }
  },
);
