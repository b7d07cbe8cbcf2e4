/**
 * The tasks that the benchmark of streams runs in workers. Workers import this module, so nothing
 * else is in it.
 *
 * @module
 */

import { type Queue, task } from "@concurrent/futures";
import { OBJECT } from "./_object.mjs";

/** Yields numbers. */
export const numbers = task(
  import.meta,
  function* numbers(count: number): Generator<number> {
    for (let n = 0; n < count; n++) yield n;
  },
);

/** Yields numbers, asynchronously. */
export const numbersLater = task(
  import.meta,
  async function* numbersLater(count: number): AsyncGenerator<number> {
    for (let n = 0; n < count; n++) yield n;
  },
);

/** Yields objects. */
export const objects = task(
  import.meta,
  function* objects(count: number): Generator<typeof OBJECT> {
    for (let n = 0; n < count; n++) yield OBJECT;
  },
);

/** Yields arrays of `bytes` bytes each. */
export const arrays = task(
  import.meta,
  function* arrays(count: number, bytes: number): Generator<Float64Array> {
    const array = new Float64Array(bytes / Float64Array.BYTES_PER_ELEMENT).fill(1.5);
    for (let n = 0; n < count; n++) yield array;
  },
);

/** Puts numbers into a queue, `batch` of them by one call: a stream by hand. */
export const putNumbers = task(
  import.meta,
  function putNumbers(queue: Queue<number>, count: number, batch: number): void {
    for (let n = 0; n < count; n += batch) {
      queue.putManySync(Array.from({ length: batch }, (_, i) => n + i));
    }
    queue.shutdown();
  },
);
