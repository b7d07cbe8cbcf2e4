/**
 * What stands for a pool while it crosses: to tasks and processes of the thread that made it, from
 * there to others of them, and back to that thread.
 *
 * @module
 */

import { HANDLE, type Handle, registerHandle, type Shareable } from "../_memory/handle.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Executor } from "./executor.ts";

/** What stands for a pool. */
export interface PoolHandle {
  /**
   * What a submission names the pool by. It is hard to guess: a process, which may be allowed less
   * than the program, can submit only to pools that it was sent.
   */
  readonly key: string;
  readonly name: string;
  /** The thread that made it. */
  readonly owner: string;
  readonly concurrency: number;
  readonly chunkMs: number;
}

/** The kind of a pool's handle. */
export const POOL_KIND = "ThreadPoolExecutor";

/**
 * Finds what represents a pool in this thread; `undefined` for pools that the finder does not know.
 */
export type FindPool = (handle: PoolHandle) => Executor | undefined;

const finders: FindPool[] = [];

/**
 * Makes pools arrive here as what `find` returns. A thread may own pools, and itself be a worker of
 * one.
 */
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
    `Cannot receive ${handle.name}: a pool can be sent only to tasks and processes of the thread that made it; make one here`,
  );
});

/**
 * The handle that represents an object on its way to a `Thread`.
 *
 * @throws {NotShareableError} For a pool: a thread has no mail with the one that made the pool.
 */
export function handleForThread(object: Shareable): Handle {
  const handle = object[HANDLE]();
  if (handle.kind !== POOL_KIND) return handle;
  const { name } = handle.data as PoolHandle;
  throw new NotShareableError(
    `Cannot send ${name} to a Thread: a pool can be sent only to tasks and processes; make one in the thread`,
  );
}
