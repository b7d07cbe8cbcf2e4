/**
 * Semaphore and BoundedSemaphore: permits are neither lost nor created.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { SEMAPHORE } from "../../../_memory/layout.ts";
import { home } from "../../../_memory/seat.ts";
import { BoundedSemaphore, Semaphore } from "../../../sync/semaphore.ts";
import { defineModel, type Model } from "../model.ts";
import { emptyTable, sit, tableOf, wake } from "./_seats.ts";
import { assertOneOf, assertZero, newWords, sumOf, visit, wordsOf } from "./_support.ts";

const TIMEOUT_MS = 10;

/** Words that need not be 0 in a semaphore that is not in use. */
const SETTINGS = [SEMAPHORE.BOUND, SEMAPHORE.DEATHS];

interface Shared {
  readonly semaphore: Handle;
  readonly inside: Int32Array;
}

interface View {
  readonly semaphore: Semaphore;
  readonly inside: Int32Array;
}

function setUpWith(permits: number): () => Shared {
  return () => ({ semaphore: new Semaphore(permits).handle, inside: newWords(1) });
}

function open({ semaphore, inside }: Shared): View {
  return { semaphore: Semaphore.from(semaphore), inside };
}

/** Throws unless the given number of permits are free and nobody waits. */
function checkFree({ semaphore }: Shared, permits: number): void {
  const words = wordsOf(semaphore);
  assertOneOf(words[SEMAPHORE.VALUE], permits);
  assertZero(words, ...SETTINGS, SEMAPHORE.VALUE);
}

interface Crowd {
  readonly threads: number;
  readonly rounds: number;
  readonly permits: number;
  readonly preemptions: number;
}

/** Each thread acquires and releases a permit the given number of times. */
function crowd({ threads, rounds, permits, preemptions }: Crowd): Model {
  return defineModel({
    name: `Semaphore: ${permits} for ${threads}, ${rounds} times`,
    threads,
    preemptions,
    setUp: setUpWith(permits),
    open,
    thread(_, { semaphore, inside }) {
      for (let i = 0; i < rounds; i++) {
        if (!semaphore.acquireSync()) throw new Error("not acquired, without a timeout");
        visit(inside, permits);
        semaphore.release();
      }
    },
    check: (shared) => checkFree(shared, permits),
  });
}

/** Two threads wait; one release serves both. */
const releaseTwo = defineModel({
  name: "Semaphore: release(2)",
  threads: 3,
  setUp: setUpWith(0),
  open,
  thread(thread, { semaphore }) {
    if (thread === 2) semaphore.release(2);
    else semaphore.acquireSync();
  },
  check: (shared) => checkFree(shared, 0),
});

/** Two threads wait; two others release one permit each. */
const releasedTwice = defineModel({
  name: "Semaphore: two releases",
  threads: 4,
  preemptions: 1,
  setUp: setUpWith(0),
  open,
  thread(thread, { semaphore }) {
    if (thread >= 2) semaphore.release();
    else semaphore.acquireSync();
  },
  check: (shared) => checkFree(shared, 0),
});

/** Acquires in time, or gives up. */
const timedOut = defineModel({
  name: "Semaphore: timeout",
  threads: 2,
  preemptions: 3,
  setUp: setUpWith(0),
  open,
  thread(thread, { semaphore }) {
    if (thread === 0) return semaphore.acquireSync({ timeout: TIMEOUT_MS });
    semaphore.release();
    return false;
  },
  check: (shared, [isAcquired]) => checkFree(shared, isAcquired ? 0 : 1),
});

/** Thread 0 may give up just when it would get the only permit; thread 1 gets it in any case. */
const timedOutBefore = defineModel({
  name: "Semaphore: timeout before",
  threads: 3,
  setUp: setUpWith(0),
  open,
  thread(thread, { semaphore }) {
    if (thread === 1) semaphore.acquireSync();
    else if (thread === 2) semaphore.release();
    else if (semaphore.acquireSync({ timeout: TIMEOUT_MS })) semaphore.release();
  },
  check: (shared) => checkFree(shared, 0),
});

const withoutBlocking = defineModel({
  name: "Semaphore: blocking: false",
  threads: 3,
  setUp: setUpWith(1),
  open,
  thread(thread, { semaphore, inside }) {
    if (!semaphore.acquireSync(thread === 1 ? { blocking: false } : undefined)) return;
    visit(inside);
    semaphore.release();
  },
  check: (shared) => checkFree(shared, 1),
});

/**
 * There are two permits, and two threads acquire one each; there are three releases, so one is
 * refused whatever the order.
 */
const overReleased = defineModel({
  name: "BoundedSemaphore: over-release",
  threads: 3,
  setUp: () => ({ semaphore: new BoundedSemaphore(2).handle, inside: newWords(1) }),
  open: ({ semaphore }) => BoundedSemaphore.from(semaphore),
  thread(thread, semaphore): number {
    if (thread < 2) semaphore.acquireSync();
    try {
      semaphore.release();
      return 0;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return 1;
    }
  },
  check(shared, refused) {
    assertOneOf(sumOf(refused), 1);
    checkFree(shared, 2);
  },
});

/**
 * Thread 3 gives thread 1 up at any step of the release: before thread 1 is woken or afterwards,
 * and before it tries or afterwards. Thread 2 gets the permit all the same.
 */
const deadWaiter = defineModel({
  name: "Semaphore: dead waiter",
  threads: 4,
  preemptions: 1,
  setUp() {
    emptyTable();
    return { semaphore: new Semaphore(0).handle, ids: newWords(4) };
  },
  open({ semaphore, ids }, thread) {
    ids[thread] = sit(tableOf(semaphore), thread).id;
    const view = { semaphore: Semaphore.from(semaphore), ids };
    wake();
    return view;
  },
  thread(thread, { semaphore, ids }) {
    if (thread === 0) semaphore.release();
    else if (thread === 3) home().table.declareDead(ids[1]);
    else if (thread === 1) {
      try {
        semaphore.acquireSync();
        semaphore.release();
      } catch (error) {
        if (!String(error).includes("given up")) throw error;
      }
    } else {
      semaphore.acquireSync();
      semaphore.release();
    }
  },
  check({ semaphore }) {
    const words = wordsOf(semaphore);
    // What the dead thread may have left: the mark that it is about to try.
    assertOneOf(words[SEMAPHORE.VALUE], 1);
    assertZero(words, ...SETTINGS, SEMAPHORE.VALUE, SEMAPHORE.WOKEN);
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  crowd({ threads: 2, rounds: 2, permits: 1, preemptions: 3 }),
  crowd({ threads: 3, rounds: 1, permits: 1, preemptions: 2 }),
  crowd({ threads: 3, rounds: 2, permits: 2, preemptions: 1 }),
  releaseTwo,
  releasedTwice,
  timedOut,
  timedOutBefore,
  withoutBlocking,
  overReleased,
  deadWaiter,
];
