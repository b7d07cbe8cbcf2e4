/**
 * Locks that a wait of a condition has lost: the guards and `run` calls around the wait are yet to release what they do not
 * hold any more, and must find that in order; while others of the same thread may hold it.
 *
 * Lost to a dead owner: each seat has a clock, and a guard remembers what that gave it when the lock was acquired. As one at a
 * time holds a lock, all guards of a seat that are older than its last loss have lost it, in that one or in one before. Who
 * holds it since has taken it over, or has acquired it later.
 *
 * Lost to an async task of the same thread, which had to be blocked for that: that may be the older one. So the releases that are to
 * come are counted, and a release is one of them if it would fail else.
 *
 * It is kept for a seat and a lock's memory, not for one view of it: the condition has a view of its own.
 *
 * @module
 */

import type { Seat } from "../_memory/seat.ts";
import type { LockWords } from "./_lock_words.ts";

/** How a lock was lost by who has one seat. */
interface Losses {
  /** What the clock gave last when the lock was lost to a dead owner last. */
  toDeadAt: number;
  /** Releases that are to come of what was lost to a task. */
  toTask: number;
}

const LOSSES = new WeakMap<Seat, WeakMap<ArrayBufferLike, Losses>>();
/** Whether there were any here: each release asks. */
let hasLosses = false;

function lossesOf({ seat, buffer }: LockWords): Losses {
  let ofSeat = LOSSES.get(seat);
  if (ofSeat === undefined) LOSSES.set(seat, ofSeat = new WeakMap());
  let losses = ofSeat.get(buffer);
  if (losses === undefined) ofSeat.set(buffer, losses = { toDeadAt: -1, toTask: 0 });
  return losses;
}

/** A lock is lost: to a dead owner, or to an async task of the same thread; then so many releases are to come. */
export function lose(lock: LockWords, releases: number): void {
  const losses = lossesOf(lock);
  hasLosses = true;
  if (lock.owner === lock.seat.id) losses.toTask += releases;
  else losses.toDeadAt = lock.seat.clock - 1;
}

/** Whether who was given `since` by the clock, when it acquired a lock, has lost that to a dead owner. */
export function wasLostToDead({ seat, buffer }: LockWords, since: number): boolean {
  if (!hasLosses) return false;
  const losses = LOSSES.get(seat)?.get(buffer);
  return losses !== undefined && losses.toDeadAt >= since;
}

/** True when a release is one of those that are to come of what was lost to a task. */
export function wasLostToTask({ seat, buffer }: LockWords): boolean {
  const losses = LOSSES.get(seat)?.get(buffer);
  if (losses === undefined || losses.toTask === 0) return false;
  losses.toTask--;
  return true;
}
