/** Reads from the shared words who waits. */

import type {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "@concurrent/futures";
import { BARRIER, CONDITION, EVENT, LOCK, SEMAPHORE } from "../../_memory/layout.ts";
import { seatIn } from "../../_memory/seat.ts";
import { Latch, WaitList } from "../../_memory/wait_list.ts";

/** What has an owner. */
export type AnyLock = Lock | RLock | Condition;

/** What is waited for. */
export type Waitable = AnyLock | Semaphore | BoundedSemaphore | Event | Barrier;

/** Where the latch and the list of waiters are. */
const PLACES: Record<string, { readonly LATCH: number; readonly LIST: number }> = {
  Lock: LOCK,
  RLock: LOCK,
  Condition: CONDITION,
  Semaphore: SEMAPHORE,
  BoundedSemaphore: SEMAPHORE,
  Event: EVENT,
  Barrier: BARRIER,
};

/** How many waits are queued at the object, those of dead threads among them. */
export function waitersOf(object: Waitable): number {
  const { kind, data } = object.handle;
  const { buffer, byteOffset, threads } = data as {
    buffer: SharedArrayBuffer;
    byteOffset: number;
    threads: SharedArrayBuffer;
  };
  const { LATCH, LIST } = PLACES[kind];
  const words = new Int32Array(buffer, byteOffset);
  const latch = new Latch(words, LATCH);
  latch.take();
  try {
    return [...new WaitList(words, LIST, seatIn(threads), 0).nodes()].length;
  } finally {
    latch.give();
  }
}
