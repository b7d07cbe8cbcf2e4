/** Tasks of the cluster's benchmark. */

import { task } from "@concurrent/futures";

export const nothing = task(import.meta, function nothing(): void {});

export const increment = task(import.meta, function increment(n: number): number {
  return n + 1;
});
