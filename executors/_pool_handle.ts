/**
 * What stands for a pool while it crosses: to its own tasks, from there to others of them, and back to whoever made it.
 *
 * @module
 */

import { registerHandle } from "../_memory/handle.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Executor } from "./executor.ts";

/** What stands for a pool. */
export interface PoolHandle {
  readonly name: string;
  /** The thread that made it. */
  readonly owner: string;
  readonly concurrency: number;
  readonly chunkMs: number;
}

/** The kind of a pool's handle. */
export const POOL_KIND = "ThreadPoolExecutor";

/** Finds what a pool is in this thread; `undefined` for pools that it has nothing to do with. */
export type FindPool = (handle: PoolHandle) => Executor | undefined;

const finders: FindPool[] = [];

/** Has pools arrive here as what `find` says. A thread may own pools, and be itself a worker of one. */
export function findPoolsBy(find: FindPool): void {
  finders.push(find);
}

registerHandle(POOL_KIND, (data) => {
  const handle = data as PoolHandle;
  for (const find of finders) {
    const found = find(handle);
    if (found !== undefined) return found;
  }
  throw new NotShareableError(
    `Cannot receive ${handle.name}: a pool can be sent to its own tasks alone; make one here`,
  );
});
