/** A module that is found by the import map alone. */

import { task } from "@concurrent/futures/task";

/** Squares a number. */
export const squareByName = task(import.meta, function squareByName(n: number): number {
  return n * n;
});
