/**
 * RLock: its owner can enter again, and no other thread can release it.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { LOCK } from "../../../_memory/layout.ts";
import { home } from "../../../_memory/seat.ts";
import { OwnerDiedError, RuntimeError } from "../../../sync/errors.ts";
import { RLock } from "../../../sync/rlock.ts";
import { defineModel, type Model } from "../model.ts";
import { emptyTable, sit, tableOf, wake } from "./_seats.ts";
import {
  assertFails,
  assertOneOf,
  assertZero,
  newWords,
  succeeds,
  sumOf,
  visit,
  wordsOf,
} from "./_support.ts";

const TIMEOUT_MS = 10;

/** The value of CONTEXT while nobody holds the lock. */
const NOBODY = -1;

interface Shared {
  readonly lock: Handle;
  readonly inside: Int32Array;
}

interface View {
  readonly lock: RLock;
  readonly inside: Int32Array;
}

function setUp(): Shared {
  return { lock: new RLock().handle, inside: newWords(1) };
}

function open({ lock, inside }: Shared): View {
  return { lock: RLock.from(lock), inside };
}

/**
 * Enters twice and leaves twice; no other thread is inside before it has left for the second time.
 */
function nestedRound({ lock, inside }: View): void {
  lock.acquireSync();
  lock.acquireSync();
  lock.release();
  visit(inside);
  lock.release();
}

/** Throws unless the lock is free, nobody waits for it, and it can be acquired. */
function checkFree({ lock }: Shared): void {
  const words = wordsOf(lock);
  assertOneOf(words[LOCK.CONTEXT], NOBODY);
  assertZero(words, LOCK.CONTEXT);
  const view = RLock.from(lock);
  if (!view.acquireSync({ blocking: false })) throw new Error("the lock cannot be acquired");
  view.release();
  assertZero(words, LOCK.CONTEXT);
}

function nested(name: string, threads: number, rounds: number, preemptions: number): Model {
  return defineModel({
    name,
    threads,
    preemptions,
    setUp,
    open,
    thread(_, view) {
      for (let i = 0; i < rounds; i++) nestedRound(view);
    },
    check: checkFree,
  });
}

/** Thread 1 releases a lock that it has not yet owned, and one that it has already released. */
const notTheOwner = defineModel({
  name: "RLock: not the owner",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    if (thread !== 1) return nestedRound(view);
    assertFails(() => view.lock.release(), RuntimeError);
    nestedRound(view);
    assertFails(() => view.lock.release(), RuntimeError);
  },
  check: checkFree,
});

const timedOut = defineModel({
  name: "RLock: timeout",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    const { lock, inside } = view;
    if (thread !== 1) return nestedRound(view);
    if (!lock.acquireSync({ timeout: TIMEOUT_MS })) {
      assertFails(() => lock.release(), RuntimeError);
      return;
    }
    if (!lock.acquireSync({ timeout: TIMEOUT_MS })) throw new Error("the owner cannot enter");
    visit(inside);
    lock.release();
    lock.release();
  },
  check: checkFree,
});

/** Thread 0 dies while it holds the lock twice. The thread that recovers it holds it once. */
const deadOwner = defineModel({
  name: "RLock: dead owner",
  threads: 3,
  preemptions: 1,
  setUp() {
    emptyTable();
    return setUp();
  },
  open(shared, thread) {
    sit(tableOf(shared.lock), thread);
    const view = open(shared);
    wake();
    return view;
  },
  thread(thread, view): number {
    const { lock, inside } = view;
    if (thread === 0) {
      lock.acquireSync();
      lock.acquireSync();
      home().leave();
      return 0;
    }
    if (succeeds(() => nestedRound(view), OwnerDiedError)) return 0;
    if (!lock.recover()) {
      nestedRound(view);
      return 0;
    }
    visit(inside);
    lock.release();
    assertFails(() => lock.release(), RuntimeError);
    return 1;
  },
  check(shared, recoveries) {
    const last = RLock.from(shared.lock);
    let count = sumOf(recoveries);
    if (last.recover()) {
      count++;
      last.release();
    }
    assertOneOf(count, 1);
    checkFree(shared);
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  nested("RLock: two threads, twice", 2, 2, 2),
  nested("RLock: three threads", 3, 1, 1),
  notTheOwner,
  timedOut,
  deadOwner,
];
