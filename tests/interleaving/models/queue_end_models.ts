/**
 * Queue: shutdown, taskDone and join, and threads that die while they wait, or with items that they
 * have not reported done.
 *
 * @module
 */

import { home } from "../../../_memory/seat.ts";
import { load, store } from "../../../_platform/atomics.ts";
import { LostItemsError, ShutDown } from "../../../queue/errors.ts";
import type { Queue } from "../../../queue/queue.ts";
import { TimeoutError } from "../../../sync/errors.ts";
import { defineModel, type Model } from "../model.ts";
import {
  assertInOrder,
  assertSameItems,
  checkLeft,
  open,
  openSeated,
  setUpSeatsWith,
  setUpWith,
  type Shared,
  TIMEOUT_MS,
} from "./_queues.ts";
import { endAsleep } from "./_seats.ts";
import { assertFails, assertOneOf, newWords, succeeds, sumOf } from "./_support.ts";

// Shutdown

/** Threads that wait for room get the error. */
const shutPutters = defineModel({
  name: "Queue: shutdown, putters",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue) {
    if (thread === 2) queue.shutdown();
    else assertFails(() => queue.putSync(1), ShutDown);
  },
  check: (shared) => checkLeft(shared, { count: 1, unfinished: 1, isClosed: true }),
});

/** Threads that wait for items get those that there are, and then learn of the shutdown. */
const shutGetters = defineModel({
  name: "Queue: shutdown, getters",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([]),
  open,
  thread(thread, queue): number[] {
    if (thread < 2) return [...queue];
    queue.putSync(1);
    queue.shutdown();
    return [];
  },
  check(shared, got) {
    assertSameItems(got.flat(), [1]);
    checkLeft(shared, { count: 0, unfinished: 1, isClosed: true });
  },
});

/**
 * A put is either in time, and its item is got, or it fails. The error of a put of several items
 * says how many were put.
 */
const shutBetween = defineModel({
  name: "Queue: shutdown, both sides",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue): number[] {
    if (thread === 0) return [...queue];
    if (thread === 2) {
      queue.shutdown();
      return [];
    }
    try {
      queue.putManySync([1, 2]);
      return [1, 2];
    } catch (error) {
      if (!ShutDown.is(error)) throw error;
      return [1, 2].slice(0, error.count);
    }
  },
  check(shared, [got, put]) {
    assertOneOf(got, [0, ...put]);
    checkLeft(shared, { count: 0, unfinished: got.length, isClosed: true });
  },
});

/**
 * Discarded items count as done; items taken before are reported done by the thread that took them.
 */
const shutAtOnce = defineModel({
  name: "Queue: shutdown at once, get",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([1, 2]),
  open,
  thread(thread, queue): number[] {
    if (thread === 1) queue.joinSync();
    else if (thread === 2) queue.shutdown({ immediate: true });
    else {
      const items: number[] = [];
      for (const item of queue) {
        items.push(item);
        queue.taskDone();
      }
      return items;
    }
    return [];
  },
  check(shared, [got]) {
    assertOneOf(got, [], [1], [1, 2]);
    checkLeft(shared, { count: 0, unfinished: 0, isClosed: true });
  },
});

/** A putter that waits does not get the room that the discarded items leave. */
const shutAtOnceFull = defineModel({
  name: "Queue: shutdown at once, put",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue) {
    if (thread === 0) assertFails(() => queue.putSync(1), ShutDown);
    else if (thread === 1) queue.joinSync();
    else queue.shutdown({ immediate: true });
  },
  check: (shared) => checkLeft(shared, { count: 0, unfinished: 0, isClosed: true }),
});

// Keeping track

interface SharedNotes extends Shared {
  /** For each thread, 1 once it is about to report an item done. */
  readonly notes: Int32Array;
}

/** Gets an item and reports it done. */
function work(queue: Queue<number>, notes: Int32Array, thread: number): void {
  queue.getSync();
  store(notes, thread, 1);
  queue.taskDone();
}

/** A join ends when all items are reported done, and not before. */
const joined = defineModel({
  name: "Queue: taskDone and join",
  threads: 3,
  setUp: () => ({ ...setUpWith([1, 2])(), notes: newWords(3) }),
  open: ({ notes, ...shared }: SharedNotes) => ({ queue: open(shared), notes }),
  thread(thread, { queue, notes }) {
    if (thread > 0) return work(queue, notes, thread);
    queue.joinSync();
    if (load(notes, 1) + load(notes, 2) !== 2) throw new Error("not all is done");
  },
  check: (shared) => checkLeft(shared, { count: 0, unfinished: 0 }),
});

/** One joiner gives up; the other learns of the end all the same. */
const joinedInTime = defineModel({
  name: "Queue: join, timeout",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([1]),
  open,
  thread(thread, queue) {
    if (thread === 0) succeeds(() => queue.joinSync({ timeout: TIMEOUT_MS }), TimeoutError);
    else if (thread === 1) queue.joinSync();
    else {
      queue.getSync();
      queue.taskDone();
    }
  },
  check: (shared) => checkLeft(shared, { count: 0, unfinished: 0 }),
});

// Threads that die

/** What `act` returns; `undefined` if this thread was given up while it waited. */
function unlessGivenUp<R>(act: () => R): R | undefined {
  try {
    return act();
  } catch (error) {
    if (!String(error).includes("given up")) throw error;
    return undefined;
  }
}

interface SharedIds extends Shared {
  readonly ids: Int32Array;
}

interface SeatedView {
  readonly queue: Queue<number>;
  readonly ids: Int32Array;
}

function openWithIds({ ids, ...shared }: SharedIds, thread: number): SeatedView {
  const queue = openSeated(shared, thread);
  ids[thread] = home().id;
  return { queue, ids };
}

/**
 * Thread 0 waits for an item, and is given up. If it has got the item, it puts it back; thread 1
 * gets it in any case.
 */
const givenUpGetter = defineModel({
  name: "Queue: getter given up",
  threads: 3,
  preemptions: 1,
  setUp: () => ({ ...setUpSeatsWith([])(), ids: newWords(3) }),
  open: openWithIds,
  thread(thread, { queue, ids }) {
    if (thread === 1) queue.getSync();
    else if (thread === 2) {
      queue.putSync(1);
      home().table.declareDead(ids[0]);
    } else if (unlessGivenUp(() => queue.getSync()) !== undefined) {
      queue.taskDone();
      queue.putSync(1);
    }
  },
  check: (shared) => checkLeft(shared, { count: 0, unfinished: 1 }),
});

/**
 * Thread 0 waits for room, and is given up. If it has put its item, it makes room again; thread 1
 * puts in any case.
 */
const givenUpPutter = defineModel({
  name: "Queue: putter given up",
  threads: 3,
  preemptions: 1,
  setUp: () => ({ ...setUpSeatsWith([0], { maxsize: 1 })(), ids: newWords(3) }),
  open: openWithIds,
  thread(thread, { queue, ids }): boolean {
    if (thread === 1) queue.putSync(1);
    else if (thread === 2) {
      queue.getSync();
      home().table.declareDead(ids[0]);
    } else {
      const isPut = unlessGivenUp(() => (queue.putSync(1), true)) ?? false;
      if (isPut) queue.getSync();
      return isPut;
    }
    return false;
  },
  check: (shared, [isPut]) => checkLeft(shared, { count: 1, unfinished: isPut ? 3 : 2 }),
});

/**
 * Thread 0 is terminated while it sleeps, woken or not. Thread 1 gets the items that come before
 * that, and those that come afterwards.
 */
function deadGetter(name: string, items: readonly number[]): Model {
  return defineModel({
    name,
    threads: 3,
    preemptions: 1,
    setUp: setUpSeatsWith([]),
    open: openSeated,
    thread(thread, queue): number[] {
      if (thread === 1) return items.map(() => queue.getSync());
      if (thread === 2) {
        for (const item of items) queue.putSync(item);
        return [];
      }
      const item = endAsleep(() => queue.getSync());
      if (item === undefined) return [];
      queue.taskDone();
      queue.putSync(item);
      return [];
    },
    check(shared, [, got]) {
      assertSameItems(got, items);
      checkLeft(shared, { count: 0, unfinished: items.length, hasDead: true });
    },
  });
}

/**
 * Thread 0 is terminated while it sleeps, woken or not. Thread 1 uses the room that comes before
 * that, and the room that comes afterwards.
 */
function deadPutter(name: string, items: readonly number[]): Model {
  return defineModel({
    name,
    threads: 3,
    preemptions: 1,
    setUp: setUpSeatsWith([0], { maxsize: 1 }),
    open: openSeated,
    thread(thread, queue): number[] {
      if (thread === 0) {
        if (endAsleep(() => (queue.putSync(9), true)) ?? false) return [queue.getSync()];
      } else if (thread === 1) {
        for (const item of items) queue.putSync(item);
      } else return items.map(() => queue.getSync());
      return [];
    },
    check(shared, got) {
      const put = 1 + items.length + got[0].length;
      checkLeft(shared, { count: put - got.flat().length, unfinished: put, hasDead: true });
      assertInOrder(got[2], [0, ...items]);
    },
  });
}

/**
 * Thread 0 ends with an item that it has not reported done. A join that waits fails when nothing
 * else is unfinished, and not before; a later join fails too.
 */
const lostItem = defineModel({
  name: "Queue: lost item",
  threads: 3,
  setUp: () => ({ ...setUpSeatsWith([1, 2])(), notes: newWords(3) }),
  open: ({ notes, ...shared }: SharedNotes, thread) => ({
    queue: openSeated(shared, thread),
    notes,
  }),
  thread(thread, { queue, notes }): number {
    if (thread === 0) {
      queue.getSync();
      home().leave();
    } else if (thread === 1) {
      work(queue, notes, thread);
    } else {
      const lost = lostBy(() => queue.joinSync());
      if (load(notes, 1) !== 1) throw new Error("not all else is done");
      return lost;
    }
    return 0;
  },
  check(shared, lost) {
    assertOneOf(sumOf(lost), 1);
    assertOneOf(lostBy(() => open(shared).joinSync()), 1);
    checkLeft(shared, { count: 0, unfinished: 1 });
  },
});

/** How many items a join reports as lost. */
function lostBy(join: () => void): number {
  try {
    join();
    return 0;
  } catch (error) {
    if (!LostItemsError.is(error)) throw error;
    return error.count;
  }
}

/** See `models.ts`. */
export const models: readonly Model[] = [
  shutPutters,
  shutGetters,
  shutBetween,
  shutAtOnce,
  shutAtOnceFull,
  joined,
  joinedInTime,
  givenUpGetter,
  givenUpPutter,
  deadGetter("Queue: dead getter", [1]),
  deadGetter("Queue: dead getter, twice", [1, 2]),
  deadPutter("Queue: dead putter", [1]),
  deadPutter("Queue: dead putter, twice", [1, 2]),
  lostItem,
];
