/**
 * Five threads add to one counter in shared memory: without a lock some additions get lost, with a
 * lock none does.
 *
 *   deno run -A examples/counter.ts
 *
 * Adding means reading, working out the next number, and writing it. A thread that reads a number
 * which another one is about to replace overwrites that one's result.
 *
 * It prints, for instance:
 *
 *   Without a lock
 *   Counter should be 25000, found 5225
 *   With a lock
 *   Counter should be 25000, found 25000
 *
 * @module
 */

import { Barrier, Lock, task, ThreadPoolExecutor } from "@concurrent/futures";

const THREADS = 5;
const INCREMENTS = 5_000;
const STEPS = 4_096;

/** Adds one to the counter. Each access is atomic; the three lines together are not. */
function increment(counter: Int32Array): void {
  const count = Atomics.load(counter, 0);
  const next = successor(count);
  Atomics.store(counter, 0, next);
}

/**
 * Returns the next number, worked out in many steps so that time passes between the read and the
 * write.
 */
function successor(count: number): number {
  for (let i = 0; i < STEPS; i++) count += 1 / STEPS;
  return count;
}

/** Counts in one thread, once all threads have arrived at `start`. */
export const count = task(
  import.meta,
  function count(counter: Int32Array, start: Barrier, lock: Lock | undefined): void {
    start.waitSync();
    for (let i = 0; i < INCREMENTS; i++) {
      if (lock === undefined) increment(counter);
      else lock.runSync(() => increment(counter));
    }
  },
);

async function countTogether(pool: ThreadPoolExecutor, lock?: Lock): Promise<void> {
  const counter = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const start = new Barrier(THREADS);
  const threads = Array.from({ length: THREADS }, () => pool.submit(count, counter, start, lock));
  await Promise.all(threads);
  console.log(`Counter should be ${THREADS * INCREMENTS}, found ${counter[0]}`);
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS });
  console.log("Without a lock");
  await countTogether(pool);
  console.log("With a lock");
  await countTogether(pool, new Lock());
}
