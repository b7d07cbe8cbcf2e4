/** The functions as tasks. Workers import this module, so nothing else is in it. */

import * as functions from "../functions.mjs";
import { loadTask } from "../futures.mjs";

const futures = await loadTask();
const task = (fn) => futures.task(import.meta, fn);

export const add = task(functions.add);
export const echo = task(functions.echo);
export const lengthOf = task(functions.lengthOf);
export const compute = task(functions.compute);
export const increment = task(functions.increment);
export const incrementAll = task(functions.incrementAll);
export const gcd = task(functions.gcd);

export const lockAndRelease = task(function lockAndRelease(lock, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) {
    lock.acquireSync();
    lock.release();
  }
  return performance.now() - startMs;
});

export const lockAndReleaseAsync = task(
  async function lockAndReleaseAsync(lock, count) {
    const startMs = performance.now();
    for (let i = 0; i < count; i++) {
      await lock.acquire();
      lock.release();
    }
    return performance.now() - startMs;
  },
);

export const putAll = task(function putAll(queue, count, batch) {
  if (batch === 1) {
    for (let i = 0; i < count; i++) queue.putSync(i);
    return;
  }
  const items = Array.from({ length: batch }, (_, i) => i);
  for (let left = count; left > 0; left -= batch) queue.putManySync(items);
});

export const getAll = task(function getAll(queue, count, batch) {
  const startMs = performance.now();
  if (batch === 1) { for (let i = 0; i < count; i++) queue.getSync(); }
  else {for (let left = count; left > 0;) {
      left -= queue.getManySync(Math.min(batch, left)).length;
    }}
  return performance.now() - startMs;
});

export const putAllAsync = task(async function putAllAsync(queue, count) {
  for (let i = 0; i < count; i++) await queue.put(i);
});

export const getAllAsync = task(async function getAllAsync(queue, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) await queue.get();
  return performance.now() - startMs;
});
