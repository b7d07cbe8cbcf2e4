/** A module of tasks that imports as little as it can. */

import { task, taskContext, transfer } from "@concurrent/futures/task";

/** Which attempt of the task this is. */
export const attemptOf = task(import.meta, function attemptOf(): number {
  return taskContext().attempt;
});

/** Returns a buffer of the given number of bytes, moved. */
export const bytesOf = task(import.meta, function bytesOf(count: number): ArrayBuffer {
  const { buffer } = new Uint8Array(count);
  return transfer(buffer, [buffer]);
});
