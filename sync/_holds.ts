/**
 * Holds: what a guard, or a `run`, has of a lock. Before it releases the lock, it asks whether its
 * hold still stands: the wait of a condition may have lost the lock, to an owner that died or to an
 * async task of the same thread, and another thread or task may hold it by now.
 *
 * A hold begins when this thread acquires the lock and lasts through the waits for which the lock
 * is released. It ends with the last release, or is lost. It is kept in this thread, where the
 * guards are, even for a lock of another process: no shared word and no call carries it.
 *
 * Whoever has the lock is in the hold that is `current`:
 *
 *   new     -> current   a Holds begins with one; leave() puts a new one in place of the one it leaves
 *   current -> left      leave(), by a wait that is about to release the lock
 *   left    -> current   regain(), by that wait, which has the lock again
 *   left    -> lost      that wait did not get it back (`outcomeOf` in condition.ts)
 *
 * Invariants
 * 1. `current` is changed only by a wait that begins, whose code still has the lock, and by a wait
 *    that ends, whose code has it again. Only one at a time has the lock, so all guards made from
 *    one change to the next are in the same hold.
 * 2. So a hold that was left becomes current again only if its own wait has got the lock back. A
 *    lost hold never does, and whoever acquires the lock afterwards is not in it, however late the
 *    code around the wait learns of the loss.
 * 3. The code around the wait is the last to run in the lost hold: its guards are disposed of after
 *    the wait has thrown, so they find the hold marked as lost.
 *
 * `release()` does not touch the holds, so acquisitions without a wait between them share one Hold;
 * at most the latest is under way. (Exception: code that releases by hand what a guard is to
 * release, and acquires the lock again.)
 *
 * `leave()` is also called for a wait that will be refused, because its caller does not own the
 * lock. `regain()` undoes that: at once here, with the answer where the lock belongs to another
 * process.
 *
 * Why a hold is not judged by time, as lost if it began before the loss: another wait may be older
 * than the loss, and still get the lock back. Why a hold is not judged by trying, as lost if the
 * release fails: when a task of the same thread has the lock, the release succeeds.
 *
 * @module
 */

import { type Core, isRemoteData } from "../_memory/core.ts";
import type { SharedData } from "./_shared.ts";

/** Whether guards made in this hold still have something to release. */
export interface Hold {
  isLost: boolean;
}

/**
 * The holds of shared locks, by the key that all views of one lock in this thread have in common.
 */
const SHARED = new WeakMap<object, Holds>();

/**
 * The memory of a lock of this process. For a lock of another process, its stub: a thread has one
 * stub per lock, as the lock of a condition crosses as itself.
 */
function keyOf(lock: Core): object {
  const { data } = lock;
  return isRemoteData(data) ? lock : (data as SharedData).buffer;
}

/** The holds of one lock in this thread. */
export class Holds {
  readonly lock: Core;
  /** The hold that whoever has the lock is in. */
  current: Hold = { isLost: false };

  /** The holds of a new lock. */
  constructor(lock: Core) {
    this.lock = lock;
  }

  /** The holds of a lock that this thread may have other views of. */
  static of(lock: Core): Holds {
    return SHARED.get(keyOf(lock)) ?? new Holds(lock).share();
  }

  /**
   * Lets views that are made from now on share these holds. Not done for every lock: it takes
   * longer than making the lock.
   */
  share(): Holds {
    const key = keyOf(this.lock);
    if (!SHARED.has(key)) SHARED.set(key, this);
    return this;
  }

  /** Called when a wait begins that will release the lock; returns the hold that it leaves. */
  leave(): Hold {
    const left = this.current;
    this.current = { isLost: false };
    return left;
  }

  /**
   * Called when the wait has ended, or could not begin: the hold is current again, unless it is
   * lost.
   */
  regain(left: Hold): void {
    if (!left.isLost) this.current = left;
  }
}
