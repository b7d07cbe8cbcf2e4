/**
 * Condition: no notification is lost, and none counts twice.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { CONDITION, LOCK } from "../../../_memory/layout.ts";
import { home } from "../../../_memory/seat.ts";
import { pause } from "../../../_platform/atomics.ts";
import { Condition } from "../../../sync/condition.ts";
import { OwnerDiedError, RuntimeError } from "../../../sync/errors.ts";
import { Lock } from "../../../sync/lock.ts";
import { RLock } from "../../../sync/rlock.ts";
import { defineModel, type Model } from "../model.ts";
import { emptyTable, sit, tableOf, wake } from "./_seats.ts";
import { assertFails, assertOneOf, assertZero, newWords, wordsOf } from "./_support.ts";

const TIMEOUT_MS = 10;

/** Words that the lock guards; so plain reads and writes suffice. */
const STOCK = 0;
const WAITING = 1;
const WOKEN = 2;
const ALLOWED = 3;
const GUARDED_WORDS = 4;

interface Shared {
  readonly condition: Handle;
  readonly guarded: Int32Array;
}

interface View {
  readonly condition: Condition;
  readonly guarded: Int32Array;
}

function setUpWith(makeLock: () => Lock | RLock): () => Shared {
  return () => ({
    condition: new Condition(makeLock()).handle,
    guarded: newWords(GUARDED_WORDS),
  });
}

const setUp = setUpWith(() => new Lock());

function open({ condition, guarded }: Shared): View {
  const view = { condition: Condition.from(condition), guarded };
  wake();
  return view;
}

/** Throws unless the lock is free and nobody waits for it or for the condition. */
function checkFree({ condition }: Shared): void {
  const { words, lock } = parts(condition);
  assertZero(words);
  assertZero(lock, LOCK.CONTEXT);
  if (Condition.from(condition).locked()) throw new Error("the lock is held");
}

function parts(condition: Handle): { words: Int32Array; lock: Int32Array } {
  const { lock } = condition.data as { lock: Handle };
  return { words: wordsOf(condition), lock: wordsOf(lock) };
}

/** Thread 0 delivers one item at a time; thread 1 takes them. */
function deliveries(name: string, makeLock: () => Lock | RLock): Model {
  return defineModel({
    name,
    threads: 2,
    setUp: setUpWith(makeLock),
    open,
    thread(thread, { condition, guarded }) {
      for (let i = 0; i < 2; i++) {
        using _ = condition.holdSync();
        if (thread === 0) {
          guarded[STOCK]++;
          condition.notify();
        } else {
          condition.waitForSync(() => guarded[STOCK] > 0);
          guarded[STOCK]--;
        }
      }
    },
    check(shared) {
      assertZero(shared.guarded);
      checkFree(shared);
    },
  });
}

/** There is room for one item: both threads wait for each other, in turn. */
const oneAtATime = defineModel({
  name: "Condition: room for one",
  threads: 2,
  setUp,
  open,
  thread(thread, { condition, guarded }) {
    for (let i = 0; i < 2; i++) {
      using _ = condition.holdSync();
      condition.waitForSync(() => guarded[STOCK] === thread);
      guarded[STOCK] = 1 - thread;
      condition.notify();
    }
  },
  check(shared) {
    assertZero(shared.guarded);
    checkFree(shared);
  },
});

/**
 * Two threads take what one delivers: when a notification reaches a thread that need not wait, the
 * other must not miss it.
 */
const twoTake = defineModel({
  name: "Condition: two take",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, { condition, guarded }) {
    if (thread > 0) {
      using _ = condition.holdSync();
      condition.waitForSync(() => guarded[STOCK] > 0);
      guarded[STOCK]--;
      return;
    }
    for (let i = 0; i < 2; i++) {
      using _ = condition.holdSync();
      guarded[STOCK]++;
      condition.notify();
    }
  },
  check(shared) {
    assertZero(shared.guarded);
    checkFree(shared);
  },
});

/** Acquires the lock once two threads wait. */
function acquireWhenTwoWait({ condition, guarded }: View): void {
  for (;;) {
    condition.acquireSync();
    if (guarded[WAITING] === 2) return;
    condition.release();
    pause();
  }
}

/**
 * Two threads wait. The first notification wakes one of them and no more; the second wakes the
 * other.
 */
const notifyOne = defineModel({
  name: "Condition: notify one by one",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    const { condition, guarded } = view;
    if (thread < 2) {
      condition.acquireSync();
      guarded[WAITING]++;
      if (!condition.waitSync()) throw new Error("timed out, without a timeout");
      if (++guarded[WOKEN] > guarded[ALLOWED]) throw new Error("woken by nobody");
      condition.release();
      return;
    }
    acquireWhenTwoWait(view);
    guarded[ALLOWED]++;
    condition.notify();
    condition.release();
    condition.acquireSync();
    guarded[ALLOWED]++;
    condition.notify();
    condition.release();
  },
  check: checkFree,
});

/** Two threads wait and are woken at once: by `notifyAll`, or by `notify` with a number. */
function notifySeveral(name: string, notify: (condition: Condition) => void): Model {
  return defineModel({
    name,
    threads: 3,
    preemptions: 1,
    setUp,
    open,
    thread(thread, view) {
      const { condition, guarded } = view;
      if (thread === 2) {
        acquireWhenTwoWait(view);
        notify(condition);
      } else {
        condition.acquireSync();
        guarded[WAITING]++;
        if (!condition.waitSync()) throw new Error("timed out, without a timeout");
      }
      condition.release();
    },
    check: checkFree,
  });
}

/**
 * A wait with a timeout returns true if it was notified, and only then. The notifier holds the
 * lock; so a thread was notified if it is in the condition's list before the notification and not
 * after it.
 */
const notifiedInTime = defineModel({
  name: "Condition: timeout or notify",
  threads: 2,
  preemptions: 2,
  setUp,
  open: (shared) => ({ ...open(shared), words: parts(shared.condition).words }),
  thread(thread, { condition, words }) {
    using _ = condition.holdSync();
    if (thread === 0) return condition.waitSync({ timeout: TIMEOUT_MS });
    const isWaiting = words[CONDITION.LIST] !== 0;
    condition.notify();
    if (words[CONDITION.LIST] !== 0) throw new Error("still waits");
    return isWaiting;
  },
  check(shared, results) {
    // The waiter may have left between the look and the notification.
    assertOneOf(results, [false, false], [false, true], [true, true]);
    checkFree(shared);
  },
});

/**
 * Thread 1 may give up just when it is notified. If it got the notification, it passes it on; if
 * not, thread 0 has got it. So thread 0 ends in any case.
 */
const passedOn = defineModel({
  name: "Condition: timeout, two wait",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, { condition, guarded }) {
    using _ = condition.holdSync();
    if (thread === 0) {
      condition.waitForSync(() => guarded[STOCK]);
    } else if (thread === 1) {
      if (guarded[STOCK] === 0 && condition.waitSync({ timeout: TIMEOUT_MS })) condition.notify();
    } else {
      guarded[STOCK] = 1;
      condition.notify();
    }
  },
  check: checkFree,
});

/**
 * A wait releases an RLock however deeply it is held, and restores that depth afterwards, notified
 * or not.
 */
function nested(name: string, timeout: number | null): Model {
  return defineModel({
    name,
    threads: 2,
    setUp: setUpWith(() => new RLock()),
    open,
    thread(thread, { condition, guarded }) {
      condition.acquireSync();
      if (thread === 1) {
        guarded[STOCK] = 1;
        condition.notify();
      } else {
        condition.acquireSync();
        if (guarded[STOCK] === 0) condition.waitSync({ timeout });
        condition.release();
        if (!condition.locked()) throw new Error("no longer held twice");
      }
      condition.release();
      assertFails(() => condition.release(), RuntimeError);
    },
    check: checkFree,
  });
}

/**
 * Thread 0 notifies and then dies as the owner of the lock. Thread 1 gets the error, whether it
 * waits already or comes later.
 */
const deadOwner = defineModel({
  name: "Condition: dead owner",
  threads: 2,
  preemptions: 3,
  setUp() {
    emptyTable();
    return setUp();
  },
  open(shared, thread) {
    sit(tableOf(shared.condition), thread);
    return open(shared);
  },
  thread(thread, { condition }) {
    if (thread === 0) {
      condition.acquireSync();
      condition.notify();
      home().leave();
      return;
    }
    assertFails(() => {
      condition.acquireSync();
      condition.waitSync();
    }, OwnerDiedError);
    if (!condition.lock.recover()) throw new Error("not recovered");
    condition.release();
  },
  check: checkFree,
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  deliveries("Condition: deliveries", () => new Lock()),
  deliveries("Condition: RLock", () => new RLock()),
  oneAtATime,
  twoTake,
  notifyOne,
  notifySeveral("Condition: notifyAll", (condition) => condition.notifyAll()),
  notifySeveral("Condition: notify(2)", (condition) => condition.notify(2)),
  notifiedInTime,
  passedOn,
  nested("Condition: nested", null),
  nested("Condition: nested, timeout", TIMEOUT_MS),
  deadOwner,
];
