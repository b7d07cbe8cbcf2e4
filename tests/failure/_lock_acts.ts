/** What the tasks of the locks' failure tests do with objects, in threads and in processes. */

import { Condition, RLock } from "@concurrent/futures/sync";
import type { AnyLock, Waitable } from "./_waiters.ts";

/** Acquires all of the locks; reentrant ones twice. */
export function take(locks: readonly AnyLock[]): void {
  for (const lock of locks) {
    lock.acquireSync();
    if (lock instanceof RLock) lock.acquireSync();
  }
}

/** Blocks in the Sync form of the object's wait. */
export function blockFor(what: Waitable): void {
  if (what instanceof Condition) {
    what.acquireSync();
    what.waitSync();
  } else if ("acquireSync" in what) {
    what.acquireSync();
  } else {
    what.waitSync();
  }
}
