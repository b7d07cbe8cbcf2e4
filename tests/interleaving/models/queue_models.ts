/**
 * Queue, LifoQueue and PriorityQueue: each item is got once, in its order, and no thread sleeps
 * while there is an item, or room, for it.
 *
 * Shutdown, and threads that die, are in `queue_end_models.ts`.
 *
 * @module
 */

import { LifoQueue } from "../../../queue/lifo_queue.ts";
import { PriorityQueue } from "../../../queue/priority_queue.ts";
import { Queue } from "../../../queue/queue.ts";
import { Empty, Full } from "../../../queue/errors.ts";
import { defineModel, type Model } from "../model.ts";
import {
  assertInOrder,
  assertNobodyOverlooked,
  assertSameItems,
  CAPACITY_BYTES,
  checkLeft,
  open,
  setUpWith,
  TIMEOUT_MS,
} from "./_queues.ts";
import { assertOneOf, succeeds, wordsOf } from "./_support.ts";

/** How many whole numbers fit into a segment with so little memory. */
const SEGMENT_ITEMS = 14;

/** Calls an act the given number of times. */
function times<R>(count: number, act: () => R): R[] {
  return Array.from({ length: count }, act);
}

/** Gets `count` items, one at a time or up to two, and calls `look` after each time. */
function getAll(queue: Queue<number>, count: number, isMany: boolean, look: () => void): number[] {
  const items: number[] = [];
  while (items.length < count) {
    items.push(...isMany ? queue.getManySync(2) : [queue.getSync()]);
    look();
  }
  return items;
}

interface Traffic {
  readonly name: string;
  /** What each producer puts. */
  readonly items: readonly (readonly number[])[];
  /** How many items each consumer gets. */
  readonly takes: readonly number[];
  readonly maxsize: number;
  readonly preemptions: number;
  /** Whether the items are put together, and got in pairs. */
  readonly isMany?: boolean;
}

/** Consumers come first: the rule lets them run first, so that they wait. */
function traffic({ name, items, takes, maxsize, preemptions, isMany = false }: Traffic): Model {
  return defineModel({
    name,
    threads: takes.length + items.length,
    preemptions,
    setUp: setUpWith([], { maxsize }),
    open: (shared) => ({ queue: open(shared), words: wordsOf(shared.queue) }),
    thread(thread, { queue, words }): number[] {
      const look = (): void => assertNobodyOverlooked(words);
      if (thread < takes.length) return getAll(queue, takes[thread], isMany, look);
      const own = items[thread - takes.length];
      for (const together of isMany ? [own] : own.map((item) => [item])) {
        if (isMany) queue.putManySync(together);
        else queue.putSync(together[0]);
        look();
      }
      return [];
    },
    check(shared, got) {
      const all = items.flat();
      assertSameItems(got.flat(), all);
      for (const taken of got) for (const own of items) assertInOrder(taken, own);
      checkLeft(shared, { count: 0, unfinished: all.length });
    },
  });
}

/** An item that comes just as the getter gives up is either got or still there. */
const timedGet = defineModel({
  name: "Queue: timed get",
  threads: 2,
  preemptions: 3,
  setUp: setUpWith([]),
  open,
  thread(thread, queue) {
    if (thread === 0) return succeeds(() => queue.getSync({ timeout: TIMEOUT_MS }), Empty);
    queue.putSync(1);
    return true;
  },
  check: (shared, [isGot]) => checkLeft(shared, { count: isGot ? 0 : 1, unfinished: 1 }),
});

/**
 * Thread 0 may give up just when it is woken; if it gets the item, it puts it back. Thread 1 gets
 * the item in any case.
 */
const timedGetBefore = defineModel({
  name: "Queue: timed get before",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([]),
  open,
  thread(thread, queue) {
    if (thread === 2) queue.putSync(1);
    else if (thread === 1) queue.getSync();
    else if (succeeds(() => queue.getSync({ timeout: TIMEOUT_MS }), Empty)) {
      queue.taskDone();
      queue.putSync(1);
    }
  },
  check: (shared) => checkLeft(shared, { count: 0, unfinished: 1 }),
});

/** Room that comes just as the putter gives up is either used or still there. */
const timedPut = defineModel({
  name: "Queue: timed put",
  threads: 2,
  preemptions: 3,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue) {
    if (thread === 0) return succeeds(() => queue.putSync(1, { timeout: TIMEOUT_MS }), Full);
    return queue.getSync() === 0;
  },
  check(shared, [isPut, isFirst]) {
    assertOneOf(isFirst, true);
    checkLeft(shared, isPut ? { count: 1, unfinished: 2 } : { count: 0, unfinished: 1 });
  },
});

/**
 * Thread 0 may give up just when it is woken; if it puts its item, it makes room again. Thread 1
 * puts in any case.
 */
const timedPutBefore = defineModel({
  name: "Queue: timed put before",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue): number[] {
    if (thread === 2) return [queue.getSync()];
    if (thread === 1) {
      queue.putSync(1);
    } else if (succeeds(() => queue.putSync(2, { timeout: TIMEOUT_MS }), Full)) {
      return [queue.getSync(), 2];
    }
    return [];
  },
  check(shared, [back, , got]) {
    assertOneOf(back, [], [1, 2], [2, 2]);
    assertOneOf(got, [0]);
    const unfinished = back.length === 0 ? 2 : 3;
    checkLeft(shared, { count: unfinished - 1 - back.slice(1).length, unfinished });
  },
});

/** Of several items that are put together, some may be in time: the error says how many. */
const timedPutMany = defineModel({
  name: "Queue: timed putMany",
  threads: 2,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue): number {
    if (thread === 1) return times(2, () => queue.getSync()).length;
    try {
      queue.putManySync([1, 2], { timeout: TIMEOUT_MS });
      return 2;
    } catch (error) {
      if (!Full.is(error)) throw error;
      // Thread 1 waits until at least one more item is put.
      if (error.count === 0) queue.putSync(1);
      return Math.max(1, error.count);
    }
  },
  check: (shared, [put]) => checkLeft(shared, { count: put - 1, unfinished: put + 1 }),
});

/** Thread 2 may take what thread 0 was woken for. There is enough for both. */
const stolenItem = defineModel({
  name: "Queue: stolen item",
  threads: 3,
  setUp: setUpWith([]),
  open,
  thread(thread, queue) {
    if (thread === 0) return queue.getSync() > 0;
    if (thread === 2) return succeeds(() => queue.getSync({ block: false }), Empty);
    for (const item of [1, 2]) queue.putSync(item);
    return false;
  },
  check: (shared, [, , isStolen]) => checkLeft(shared, { count: isStolen ? 0 : 1, unfinished: 2 }),
});

/** Thread 2 may take the room that thread 0 was woken for. There is enough for both. */
const stolenRoom = defineModel({
  name: "Queue: stolen room",
  threads: 3,
  preemptions: 1,
  setUp: setUpWith([0], { maxsize: 1 }),
  open,
  thread(thread, queue) {
    if (thread === 0) return queue.putSync(1);
    if (thread === 2) return succeeds(() => queue.putSync(2, { block: false }), Full);
    times(2, () => queue.getSync());
  },
  check: (shared, [, , isStolen]) =>
    checkLeft(shared, isStolen ? { count: 1, unfinished: 3 } : { count: 0, unfinished: 2 }),
});

/**
 * Puts and takes that reach the end of a segment, in either order: nothing is read that was not
 * put, and nothing is passed over.
 */
function segmentEnd(name: string, filled: number, drained: number): Model {
  return defineModel({
    name,
    threads: 2,
    preemptions: 2,
    setUp: () => {
      const shared = setUpWith(Array(filled).fill(0))();
      times(drained, () => open(shared).getNowait());
      return shared;
    },
    open,
    thread(thread, queue): number[] {
      if (thread === 0) return times(3 + filled - drained, () => queue.getSync());
      for (const item of [1, 2, 3]) queue.putSync(item);
      return [];
    },
    check(shared, [got]) {
      assertOneOf(got, [...Array(filled - drained).fill(0), 1, 2, 3]);
      checkLeft(shared, { count: 0, unfinished: filled + 3 });
    },
  });
}

/**
 * Items so large that each needs the queue's memory for itself, and which are read where they lie:
 * room is memory that was given back.
 */
const largeItems = defineModel({
  name: "Queue: large items",
  threads: 2,
  setUp: () => ({ queue: new Queue<string>({ capacityBytes: 10_624 }).handle }),
  open: ({ queue }) => Queue.from<string>(queue),
  thread(thread, queue): string[] {
    if (thread === 0) return times(2, () => queue.getSync().slice(0, 1));
    for (const letter of "ab") queue.putSync(letter.repeat(5000));
    return [];
  },
  check(shared, [got]) {
    assertOneOf(got, ["a", "b"]);
    checkLeft(shared, { count: 0, unfinished: 2 });
  },
});

/** Items that are put together are got in reverse order, whatever comes in between. */
const lifo = defineModel({
  name: "LifoQueue: newest first",
  threads: 3,
  setUp: () => ({ queue: new LifoQueue<number>({ capacityBytes: CAPACITY_BYTES }).handle }),
  open: ({ queue }) => LifoQueue.from<number>(queue),
  thread(thread, queue): number[] {
    if (thread === 0) return times(3, () => queue.getSync());
    queue.putManySync(thread === 1 ? [1, 2] : [3]);
    return [];
  },
  check(shared, [got]) {
    assertSameItems(got, [1, 2, 3]);
    assertInOrder(got, [2, 1]);
    checkLeft(shared, { count: 0, unfinished: 3 });
  },
});

function setUpSorted(
  items: readonly number[],
  maxsize = 0,
): () => { queue: Queue<number>["handle"] } {
  return () => {
    const queue = new PriorityQueue<number>({ capacityBytes: CAPACITY_BYTES, maxsize });
    queue.putManySync(items);
    return { queue: queue.handle };
  };
}

/** Items that are put together are got smallest first, whatever comes in between. */
const sorted = defineModel({
  name: "PriorityQueue: smallest first",
  threads: 3,
  setUp: setUpSorted([]),
  open: ({ queue }) => PriorityQueue.from<number>(queue),
  thread(thread, queue): number[] {
    if (thread === 0) return times(3, () => queue.getSync());
    queue.putManySync(thread === 1 ? [3, 1] : [2]);
    return [];
  },
  check(shared, [got]) {
    assertSameItems(got, [1, 2, 3]);
    assertInOrder(got, [1, 3]);
    checkLeft(shared, { count: 0, unfinished: 3 });
  },
});

/**
 * A thread whose put is refused, or that gives up, leaves the room for which it may have been woken
 * to the next one.
 */
const refused = defineModel({
  name: "PriorityQueue: refused",
  threads: 3,
  preemptions: 1,
  setUp: setUpSorted([1, 2], 2),
  open: ({ queue }) => PriorityQueue.from<number | string>(queue),
  thread(thread, queue) {
    if (thread === 0) {
      try {
        queue.putSync("not a number", { timeout: TIMEOUT_MS });
      } catch (error) {
        if (!(error instanceof TypeError || Full.is(error))) throw error;
      }
    } else if (thread === 1) queue.putSync(3);
    else queue.getSync();
  },
  check: (shared) => checkLeft(shared, { count: 2, unfinished: 3 }),
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  segmentEnd("Queue: end of a segment", SEGMENT_ITEMS - 2, SEGMENT_ITEMS - 2),
  segmentEnd("Queue: end of a segment, one behind", SEGMENT_ITEMS - 1, SEGMENT_ITEMS - 2),
  traffic({
    name: "Queue: 1 to 1, maxsize 1",
    items: [[1, 2]],
    takes: [2],
    maxsize: 1,
    preemptions: 2,
  }),
  traffic({
    name: "Queue: 1 to 2, unbounded",
    items: [[1, 2]],
    takes: [1, 1],
    maxsize: 0,
    preemptions: 1,
  }),
  traffic({
    name: "Queue: 2 to 1, maxsize 1",
    items: [[1, 2], [11]],
    takes: [3],
    maxsize: 1,
    preemptions: 1,
  }),
  traffic({
    name: "Queue: 2 to 2, maxsize 1",
    items: [[1], [11]],
    takes: [1, 1],
    maxsize: 1,
    preemptions: 1,
  }),
  traffic({
    name: "Queue: 2 to 2, maxsize 2",
    items: [[1], [11]],
    takes: [1, 1],
    maxsize: 2,
    preemptions: 1,
  }),
  traffic({
    name: "Queue: many, 1 to 1, maxsize 2",
    items: [[1, 2, 3]],
    takes: [3],
    maxsize: 2,
    preemptions: 2,
    isMany: true,
  }),
  traffic({
    name: "Queue: many, 2 to 1, maxsize 1",
    items: [[1, 2], [11]],
    takes: [3],
    maxsize: 1,
    preemptions: 1,
    isMany: true,
  }),
  traffic({
    name: "Queue: many, 2 to 1, maxsize 2",
    items: [[1, 2, 3], [11]],
    takes: [4],
    maxsize: 2,
    preemptions: 1,
    isMany: true,
  }),
  timedGet,
  timedGetBefore,
  timedPut,
  timedPutBefore,
  timedPutMany,
  stolenItem,
  stolenRoom,
  largeItems,
  lifo,
  sorted,
  refused,
];
