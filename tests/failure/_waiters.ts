/** Reads from shared words which waits are queued. */

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

/** Objects that have an owner. */
export type AnyLock = Lock | RLock | Condition;

/** Objects that can be waited for. */
export type Waitable = AnyLock | Semaphore | BoundedSemaphore | Event | Barrier;

/** Where an object has its latch and its lists of waiters. */
interface Place {
  readonly LATCH: number;
  readonly LIST: number;
  readonly GATE?: number;
}

const PLACES: Record<string, Place> = {
  Lock: LOCK,
  RLock: LOCK,
  Condition: CONDITION,
  Semaphore: SEMAPHORE,
  BoundedSemaphore: SEMAPHORE,
  Event: EVENT,
  Barrier: BARRIER,
};

/** How many waits are queued at the object, including those of dead threads. */
export function waitersOf(object: Waitable): number {
  const { kind, data } = object.handle;
  const { buffer, byteOffset, threads } = data as {
    buffer: SharedArrayBuffer;
    byteOffset: number;
    threads: SharedArrayBuffer;
  };
  const { LATCH, LIST, GATE } = PLACES[kind];
  const words = new Int32Array(buffer, byteOffset);
  const latch = new Latch(words, LATCH);
  latch.take();
  try {
    const lists = GATE === undefined ? [LIST] : [LIST, GATE];
    return lists.flatMap((at) => [...new WaitList(words, at, seatIn(threads), 0).nodes()]).length;
  } finally {
    latch.give();
  }
}
