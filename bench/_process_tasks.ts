/**
 * The tasks in which the children of the process benchmark use objects of their parent. Children
 * import this module, so nothing else is in it.
 *
 * @module
 */

import { type Lock, type Queue, task } from "@concurrent/futures";

/** Acquires and releases the lock `rounds` times. Returns the microseconds per pair. */
export const lockAndRelease = task(
  import.meta,
  function lockAndRelease(lock: Lock, rounds: number): number {
    const startMs = performance.now();
    for (let i = 0; i < rounds; i++) {
      lock.acquireSync();
      lock.release();
    }
    return (performance.now() - startMs) * 1000 / rounds;
  },
);

/** Puts `count` numbers, `batch` of them by one call. */
export const putNumbers = task(
  import.meta,
  function putNumbers(queue: Queue<number>, count: number, batch: number): void {
    if (batch === 1) {
      for (let i = 0; i < count; i++) queue.putSync(i);
      return;
    }
    const items = Array.from({ length: batch }, (_, i) => i);
    for (let left = count; left > 0; left -= batch) queue.putManySync(items);
  },
);

/** Gets `count` numbers, at most `batch` of them by one call. */
export const getNumbers = task(
  import.meta,
  function getNumbers(queue: Queue<number>, count: number, batch: number): void {
    for (let left = count; left > 0;) {
      if (batch === 1) {
        queue.getSync();
        left--;
      } else left -= queue.getManySync(Math.min(batch, left)).length;
    }
  },
);

/** Sends back each item that it gets, `rounds` times. */
export const returnNumbers = task(
  import.meta,
  function returnNumbers(there: Queue<number>, back: Queue<number>, rounds: number): void {
    for (let i = 0; i < rounds; i++) back.putSync(there.getSync());
  },
);
