/**
 * Locks that a wait of a condition has lost, because their owner died: the guards and `run` calls around the wait are yet to
 * release what is no longer held, and must find that in order.
 *
 * It is counted for a seat and a lock's memory, not for one view of it: the condition has a view of its own.
 *
 * @module
 */

import type { Seat } from "../_memory/seat.ts";
import type { LockWords } from "./_lock_words.ts";

/** Releases that are yet to come. */
const LOSSES = new WeakMap<Seat, WeakMap<ArrayBufferLike, number>>();

/** So many releases of a lock are to come for which it is not held. */
export function lose({ seat, buffer }: LockWords, releases: number): void {
  let losses = LOSSES.get(seat);
  if (losses === undefined) LOSSES.set(seat, losses = new WeakMap());
  losses.set(buffer, (losses.get(buffer) ?? 0) + releases);
}

/** True when a release is one of those. */
export function wasLost({ seat, buffer }: LockWords): boolean {
  const losses = LOSSES.get(seat);
  const count = losses?.get(buffer) ?? 0;
  if (count === 0) return false;
  losses!.set(buffer, count - 1);
  return true;
}
