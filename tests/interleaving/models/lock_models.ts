/**
 * Lock: mutual exclusion, hand-over, timeouts, and an owner that dies.
 *
 * @module
 */

import { doorbell } from "../../../_memory/doorbell.ts";
import type { Handle } from "../../../_memory/handle.ts";
import { LOCK } from "../../../_memory/layout.ts";
import { home } from "../../../_memory/seat.ts";
import { load, store } from "../../../_platform/atomics.ts";
import { NEVER } from "../../../_platform/clock.ts";
import { KIND, LocalLockCore } from "../../../sync/_lock_core.ts";
import { OwnerDiedError, RuntimeError } from "../../../sync/errors.ts";
import { Lock } from "../../../sync/lock.ts";
import { defineModel, type Model } from "../model.ts";
import { emptyTable, sit, tableOf, wake } from "./_seats.ts";
import { assertOneOf, assertZero, newWords, succeeds, sumOf, visit, wordsOf } from "./_support.ts";

const TIMEOUT_MS = 10;

interface Shared {
  readonly lock: Handle;
  readonly inside: Int32Array;
}

interface View {
  readonly lock: Lock;
  readonly inside: Int32Array;
}

function setUp(): Shared {
  return { lock: new Lock().handle, inside: newWords(1) };
}

function open({ lock, inside }: Shared): View {
  return { lock: Lock.from(lock), inside };
}

function round({ lock, inside }: View): void {
  if (!lock.acquireSync()) throw new Error("not acquired, without a timeout");
  visit(inside);
  lock.release();
}

/** Throws unless the lock is free, nobody waits for it, and it can be acquired. */
function checkFree({ lock }: Shared): void {
  assertZero(wordsOf(lock));
  const view = Lock.from(lock);
  if (!view.acquireSync({ blocking: false })) throw new Error("the lock cannot be acquired");
  view.release();
  assertZero(wordsOf(lock));
}

/** Each thread acquires and releases the lock the given number of times. */
function contended(name: string, threads: number, rounds: number, preemptions: number): Model {
  return defineModel({
    name,
    threads,
    preemptions,
    setUp,
    open,
    thread(_, view) {
      for (let i = 0; i < rounds; i++) round(view);
    },
    check: checkFree,
  });
}

/**
 * Thread 0 acquires again and again. If thread 1 was woken and lost the lock to thread 0, it gets
 * the lock next.
 */
const handedOver = defineModel({
  name: "Lock: hand-over",
  threads: 2,
  setUp: () => ({ ...setUp(), served: newWords(1) }),
  open: ({ served, ...shared }: Shared & { readonly served: Int32Array }) => ({
    ...open(shared),
    words: wordsOf(shared.lock),
    served,
  }),
  thread(thread, { lock, inside, words, served }) {
    if (thread === 1) {
      lock.acquireSync();
      store(served, 0, 1);
      lock.release();
      return;
    }
    let wasWoken = false;
    let isOvertaken = false;
    for (let i = 0; i < 4; i++) {
      lock.acquireSync();
      if (isOvertaken && load(served, 0) === 0) throw new Error("overtaken again");
      visit(inside);
      // Thread 1 has tried in vain, and has queued again.
      isOvertaken = wasWoken && load(words, LOCK.WOKEN) === 0 && load(words, LOCK.WAITERS) !== 0;
      lock.release();
      wasWoken = load(words, LOCK.WOKEN) !== 0;
    }
  },
  check: checkFree,
});

/** Tries to acquire in time, or at once, and then releases; returns whether it has acquired. */
function roundInTime(
  { lock, inside }: View,
  options: { timeout?: number; blocking?: false },
): boolean {
  const isAcquired = lock.acquireSync(options);
  if (isAcquired) {
    visit(inside);
    lock.release();
  }
  return isAcquired;
}

/** One thread gives up while the others acquire and release. */
function timedOut(threads: number): Model {
  return defineModel({
    name: `Lock: timeout, ${threads} threads`,
    threads,
    setUp,
    open,
    thread(thread, view) {
      if (thread === 1) return roundInTime(view, { timeout: TIMEOUT_MS });
      round(view);
      return true;
    },
    check: checkFree,
  });
}

/**
 * Two threads give up: when one that leaves has been given the permission to try, this is not lost
 * to the other.
 */
const allButOneTimeOut = defineModel({
  name: "Lock: two timeouts",
  threads: 3,
  preemptions: 1,
  setUp() {
    const lock = new Lock();
    lock.acquireSync();
    return { lock: lock.handle, inside: newWords(1) };
  },
  open,
  thread(thread, view) {
    if (thread === 2) view.lock.release();
    else roundInTime(view, { timeout: TIMEOUT_MS });
  },
  check: checkFree,
});

const withoutBlocking = defineModel({
  name: "Lock: blocking: false",
  threads: 3,
  setUp,
  open,
  thread(thread, view) {
    if (thread === 1) roundInTime(view, { blocking: false });
    else round(view);
  },
  check: checkFree,
});

/** The main thread holds the lock; two threads release it. */
const releasedTwice = defineModel({
  name: "Lock: released twice",
  threads: 3,
  setUp() {
    const lock = new Lock();
    lock.acquireSync();
    return { lock: lock.handle };
  },
  open: ({ lock }) => Lock.from(lock),
  thread(thread, lock) {
    if (thread === 2) return lock.acquireSync();
    return succeeds(() => lock.release(), RuntimeError);
  },
  check({ lock }, [first, second, acquired]) {
    // Either the second release is that of thread 2's acquisition, or it is refused.
    const isFree = wordsOf(lock)[LOCK.OWNER] === 0;
    assertOneOf([first && second, acquired], [isFree, true]);
    assertZero(wordsOf(lock), LOCK.OWNER);
  },
});

/**
 * Thread 0 dies as the owner. A thread that gets the error tries to recover the lock, and acquires
 * it if another thread has recovered it.
 */
const deadOwner = defineModel({
  name: "Lock: dead owner",
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
      home().leave();
      return 0;
    }
    if (succeeds(() => round(view), OwnerDiedError)) return 0;
    if (!lock.recover()) {
      round(view);
      return 0;
    }
    visit(inside);
    lock.release();
    return 1;
  },
  check(shared, recoveries) {
    // The lock is recovered exactly once: by a thread that got the error, or else now.
    const last = Lock.from(shared.lock);
    let count = sumOf(recoveries);
    if (last.recover()) {
      count++;
      last.release();
    }
    assertOneOf(count, 1);
    checkFree(shared);
  },
});

interface SeatedView {
  readonly lock: Lock;
  readonly ids: Int32Array;
}

/** The main thread, which stays alive, holds the lock. */
function setUpHeld(): { readonly lock: Handle; readonly ids: Int32Array } {
  emptyTable();
  const lock = new Lock();
  lock.acquireSync();
  return { lock: lock.handle, ids: newWords(4) };
}

function openSeated(
  { lock, ids }: { readonly lock: Handle; readonly ids: Int32Array },
  thread: number,
): SeatedView {
  ids[thread] = sit(tableOf(lock), thread).id;
  const view = { lock: Lock.from(lock), ids };
  wake();
  return view;
}

/** Throws unless nobody waits, and a dead thread has the lock if somebody has. */
function checkFreeOrLost({ lock }: { readonly lock: Handle }): void {
  const words = wordsOf(lock);
  // What a dead thread may have left: the lock, or the mark that it is about to try.
  assertZero(words, LOCK.OWNER, LOCK.WOKEN);
  const view = Lock.from(lock);
  if (words[LOCK.OWNER] !== 0 && !view.recover()) throw new Error("held by one that is not dead");
  if (words[LOCK.OWNER] === 0) view.acquireSync();
  view.release();
  assertZero(words, LOCK.WOKEN);
}

/**
 * Thread 1 acquires for good, and thread 3 gives it up while it waits, or is about to try, or holds
 * the lock, at any step of the release. Thread 2 gets the lock all the same.
 */
const deadWaiter = defineModel({
  name: "Lock: dead waiter",
  threads: 4,
  preemptions: 1,
  setUp: setUpHeld,
  open: openSeated,
  thread(thread, { lock, ids }) {
    if (thread === 0) lock.release();
    else if (thread === 3) home().table.declareDead(ids[1]);
    else if (thread === 1) {
      try {
        lock.acquireSync();
      } catch (error) {
        if (!String(error).includes("given up")) throw error;
      }
    } else {
      // If the lock cannot be recovered, the dead thread has just given it back.
      while (!succeeds(() => lock.acquireSync(), OwnerDiedError) && !lock.recover());
      lock.release();
    }
  },
  check: checkFreeOrLost,
});

/**
 * An async task of the main thread was overtaken, so the lock is handed to it. At any step of that,
 * thread 2 gives the main thread up, which never hears of the lock. Thread 1, which waits too, is
 * told that the owner is dead, or gets the lock.
 */
const deadHeir = defineModel({
  name: "Lock: dead heir",
  threads: 3,
  setUp() {
    emptyTable();
    const core = LocalLockCore.create(undefined);
    const lock = { kind: KIND, data: core.data };
    wordsOf(lock)[LOCK.OWNER] = home().table.claim("holder");
    core.take({ deadlineMs: NEVER, signal: undefined }, true).catch(() => {});
    return { lock, inside: newWords(1), main: home().id };
  },
  open({ main, ...shared }, thread) {
    const { table } = sit(tableOf(shared.lock), thread);
    const view = { ...open(shared), table, main };
    wake();
    return view;
  },
  thread(thread, { table, main, ...view }) {
    if (thread === 0) view.lock.release();
    else if (thread === 2) table.declareDead(main);
    else if (!succeeds(() => round(view), OwnerDiedError)) {
      if (!view.lock.recover()) throw new Error("not recovered");
      view.lock.release();
    }
  },
  check: (shared) => checkFree(shared),
});

/**
 * Thread 1 was given up, but runs on, and takes the lock for good if it is free just then. All who
 * wait are told that the owner is dead, or get the lock.
 */
const takenByDead = defineModel({
  name: "Lock: taken by one given up",
  threads: 4,
  preemptions: 1,
  setUp: setUpHeld,
  open: openSeated,
  thread(thread, { lock, ids }) {
    if (thread === 0) {
      home().table.declareDead(ids[1]);
      lock.release();
    } else if (thread === 1) lock.acquireSync({ blocking: false });
    else if (succeeds(() => lock.acquireSync(), OwnerDiedError)) lock.release();
  },
  check: checkFreeOrLost,
});

/**
 * An async task of thread 0 waits for a lock, and then its thread blocks for the same lock:
 * whichever of the two waits is granted the lock, the thread has it first, and the task afterwards.
 */
const ownPromise = defineModel({
  name: "Lock: own promise",
  threads: 2,
  setUp() {
    const shared = setUp();
    Lock.from(shared.lock).acquireSync();
    return shared;
  },
  open({ lock, inside }) {
    const core = LocalLockCore.open(lock.data);
    wake();
    return { core, view: { lock: Lock.from(lock), inside } };
  },
  thread(thread, { core, view }) {
    if (thread === 1) {
      view.lock.release();
      round(view);
      return;
    }
    core.take({ deadlineMs: NEVER, signal: undefined });
    const isMine = (): boolean => core.owner === core.seat.id;
    if (!isMine()) round(view);
    // The task itself continues when the schedule is over.
    doorbell.waitSync(isMine, NEVER);
    visit(view.inside);
    view.lock.release();
  },
  check: checkFree,
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  contended("Lock: two threads, twice", 2, 2, 3),
  contended("Lock: three threads", 3, 1, 2),
  contended("Lock: three threads, twice", 3, 2, 1),
  handedOver,
  timedOut(2),
  timedOut(3),
  allButOneTimeOut,
  withoutBlocking,
  releasedTwice,
  deadOwner,
  deadWaiter,
  deadHeir,
  takenByDead,
  ownPromise,
];
