/**
 * Holds: what a guard, or a `run`, has of a lock. It asks whether it has that still before it releases: the wait of a condition may
 * have lost it, to an owner that died or to an async task of the same thread, and somebody else may have the lock by now.
 *
 * A hold begins when this thread acquires the lock, lasts through the waits for which the lock is released, and ends with the last
 * release, or lost. It is kept where the guards are, in this thread, also for a lock of another process: no shared word tells
 * of it, and no call.
 *
 * Whoever has the lock is in the hold that is `current`:
 *
 *   new  -> current   leave(): the next to acquire is in another hold than the one that waits
 *   left -> current   regain(), by its own wait
 *   left -> lost      by its own wait
 *
 * Invariants
 * 1. `current` is changed only by a wait that begins, whose code has the lock still, and by one that ends, whose code has it
 *    again. As one at a time has it, all guards that were made since are in that hold.
 * 2. So a hold that was left is current again only if its own wait has got the lock back: a lost one never is, and nobody who
 *    acquires the lock afterwards is in it, however late the code around the wait hears of the loss.
 * 3. That code is the last of the hold: its guards are disposed of after it has heard, so they know.
 *
 * Holds that follow each other without a wait may be one here, as a release tells nothing: all but the last are over. Only who
 * releases by hand what a guard is to release, and acquires it by hand again, is in one of them still. And a wait of who does not
 * have the lock is taken to begin where it is refused in another process, until the answer has come.
 *
 * Why not by time, what was acquired before a loss being lost: a wait that goes on is older, and gets the lock back. Why
 * not by trying, a release that fails being one of a lost hold: a task of the same thread may have the lock, which does not fail.
 *
 * @module
 */

import { type Core, isRemoteData } from "../_memory/core.ts";
import type { SharedData } from "./_shared.ts";

/** See above. */
export interface Hold {
  isLost: boolean;
}

/** By what all views of a lock have in common that this thread has made of one reference. */
const SHARED = new WeakMap<object, Holds>();

function keyOf(lock: Core): object {
  const { data } = lock;
  return isRemoteData(data) ? lock : (data as SharedData).buffer;
}

/** The holds of one lock in this thread. */
export class Holds {
  readonly lock: Core;
  /** The hold of whoever has the lock. */
  current: Hold = { isLost: false };

  /** Those of a new lock. */
  constructor(lock: Core) {
    this.lock = lock;
  }

  /** Those of a lock that this thread may have other views of. */
  static of(lock: Core): Holds {
    return SHARED.get(keyOf(lock)) ?? new Holds(lock).share();
  }

  /** Has views that are made from now on share these holds. Not done for each lock: it takes longer than to make one. */
  share(): Holds {
    const key = keyOf(this.lock);
    if (!SHARED.has(key)) SHARED.set(key, this);
    return this;
  }

  /** A wait begins that will release the lock; returns the hold that it leaves. */
  leave(): Hold {
    const left = this.current;
    this.current = { isLost: false };
    return left;
  }

  /** The wait has ended, or could not begin: with the lock, if that is not lost. */
  regain(left: Hold): void {
    if (!left.isLost) this.current = left;
  }
}
