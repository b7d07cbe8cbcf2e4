/** Reads the shared words of the objects under test, so that no test has to sleep. */

import type { Handle } from "../../_memory/handle.ts";
import { BARRIER, CONDITION, EVENT, LOCK, SEMAPHORE } from "../../_memory/layout.ts";
import { seatIn } from "../../_memory/seat.ts";
import { Latch, WaitList } from "../../_memory/wait_list.ts";

/** An object in shared memory. */
export interface Shared {
  readonly handle: Handle;
}

/** Time between two looks. */
const LOOK_MS = 1;

/** Where the words of each kind have their latch and their list of waiters. */
const WORDS: Record<string, { latch: number; list: number; size: number; number: number }> = {
  Lock: { latch: LOCK.LATCH, list: LOCK.LIST, size: LOCK.SIZE, number: 1 },
  RLock: { latch: LOCK.LATCH, list: LOCK.LIST, size: LOCK.SIZE, number: 1 },
  Condition: { latch: CONDITION.LATCH, list: CONDITION.LIST, size: CONDITION.SIZE, number: 2 },
  Semaphore: { latch: SEMAPHORE.LATCH, list: SEMAPHORE.LIST, size: SEMAPHORE.SIZE, number: 1 },
  BoundedSemaphore: {
    latch: SEMAPHORE.LATCH,
    list: SEMAPHORE.LIST,
    size: SEMAPHORE.SIZE,
    number: 1,
  },
  Event: { latch: EVENT.LATCH, list: EVENT.LIST, size: EVENT.SIZE, number: 1 },
  Barrier: { latch: BARRIER.LATCH, list: BARRIER.LIST, size: BARRIER.SIZE, number: 1 },
};

interface Data {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly threads: SharedArrayBuffer;
  readonly lock?: Handle;
}

/** How many waits are queued; for a condition, how many have not been notified. */
export function waitersOf({ handle }: Shared): number {
  const { buffer, byteOffset, threads } = handle.data as Data;
  const { latch, list, size, number } = WORDS[handle.kind];
  const words = new Int32Array(buffer, byteOffset, size);
  const guard = new Latch(words, latch);
  const waiters = new WaitList(words, list, seatIn(threads), number);
  guard.take();
  try {
    return [...waiters.nodes()].length;
  } finally {
    guard.give();
  }
}

/** How many waits are queued at the gate of a barrier whose action runs. */
export function gateOf({ handle }: Shared): number {
  const { buffer, byteOffset, threads } = handle.data as Data;
  const words = new Int32Array(buffer, byteOffset, BARRIER.SIZE);
  const guard = new Latch(words, BARRIER.LATCH);
  const waiters = new WaitList(words, BARRIER.GATE, seatIn(threads), 2);
  guard.take();
  try {
    return [...waiters.nodes()].length;
  } finally {
    guard.give();
  }
}

/** How many waits are queued for a lock, or for the lock of a condition. */
export function lockWaitersOf(object: Shared): number {
  const { lock } = object.handle.data as Data;
  return waitersOf(lock === undefined ? object : { handle: lock });
}

/** Resolves once `isMet()` holds. */
export async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

const idle = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread until `isMet()` holds. */
export function blockUntil(isMet: () => boolean): void {
  while (!isMet()) Atomics.wait(idle, 0, 0, LOOK_MS);
}

/** Resolves once `count` waits are queued. */
export function queued(object: Shared, count = 1): Promise<void> {
  return until(() => waitersOf(object) === count);
}

/** Resolves once `count` waits are queued for a lock, or for the lock of a condition. */
export function lockQueued(object: Shared, count = 1): Promise<void> {
  return until(() => lockWaitersOf(object) === count);
}

/**
 * The state of a promise after all that is due has run: `"pending"`, or what the promise settled
 * with.
 */
export async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = "pending";
  promise.then((value) => state = value, (error) => state = error);
  await turns();
  return state;
}

/** Lets what is due run: timers, messages, and the check of what other threads have granted. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** What a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => {
      throw new Error(`It resolved with ${String(value)}`);
    },
    (error) => error,
  );
}

/** What becomes of a handle that is sent as text. */
export function jsonCopy(handle: Handle): Handle {
  return JSON.parse(JSON.stringify(handle));
}

/** What arrives at the other end of a message channel. */
export async function throughChannel<T>(value: T): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  try {
    return await new Promise((resolve) => {
      port2.onmessage = ({ data }) => resolve(data);
      port1.postMessage(value);
    });
  } finally {
    port1.close();
    port2.close();
  }
}
