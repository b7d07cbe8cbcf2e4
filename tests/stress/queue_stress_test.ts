/**
 * Counts: each item of a queue comes out once, in the promised order, however many threads and
 * async tasks of both forms put and get, and whether their patience ends, the queue does, or they
 * do.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  LifoQueue,
  LostItemsError,
  PriorityQueue,
  Queue,
  SimpleQueue,
  ThreadPoolExecutor,
} from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import { until } from "../failure/_support.ts";
import * as work from "./queue_tasks.ts";
import { HOLD, LEDGER, type Ledger } from "./queue_tasks.ts";
import { SCALE } from "./scale.ts";

/** A larger test has proportionally more time. */
const options = { timeout: 60_000 * SCALE };

const PRODUCERS = 4;
const CONSUMERS = 4;
const MAXSIZE = 1000;

/** More items than a producer puts in the time until a shutdown. */
const MOST_UNTIL_SHUTDOWN = 250_000;
/** Shutdowns of one kind of queue, which come after 0 to 45 ms. */
const SHUTDOWNS = 6 * SCALE;

function ledgerFor(producers: number, each: number): Ledger {
  return {
    each,
    seen: new Uint8Array(new SharedArrayBuffer(producers * each)),
    words: new Int32Array(new SharedArrayBuffer(4 * LEDGER.SIZE)),
  };
}

/** Asserts that no item came that was not put, and that all came in order. */
function assertOrderly({ words }: Ledger): void {
  assertEquals({ disordered: words[LEDGER.DISORDERED], foreign: words[LEDGER.FOREIGN] }, {
    disordered: 0,
    foreign: 0,
  });
}

/**
 * How many items were seen how often, from 0 times up; `put` has the number of items that each
 * producer put.
 */
function timesSeen({ each, seen }: Ledger, put: readonly number[]): number[] {
  const times: number[] = [];
  put.forEach((count, producer) => {
    for (let i = 0; i < count; i++) {
      const seenTimes = seen[producer * each + i];
      times[seenTimes] = (times[seenTimes] ?? 0) + 1;
    }
  });
  return Array.from(times, (count) => count ?? 0);
}

/** Asserts that each item that was put was seen once, and no other item was. */
function assertOnce(ledger: Ledger, put: readonly number[]): void {
  const total = put.reduce((sum, count) => sum + count, 0);
  assertEquals(timesSeen(ledger, put), total === 0 ? [] : [0, total]);
  assertEquals(ledger.seen.reduce((sum, times) => sum + times, 0), total);
  assertOrderly(ledger);
}

/** Asserts that nothing is left in the queue, and nothing is unfinished. */
async function assertOver(queue: Queue<unknown>): Promise<void> {
  assertEquals(queue.qsize(), 0);
  await queue.join({ timeout: 1000 });
}

function allOf(ledger: Ledger): number[] {
  return Array.from({ length: ledger.seen.length / ledger.each }, () => ledger.each);
}

/** Calls `run` the given number of times, without waiting in between. */
function each<T>(count: number, run: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => run(i));
}

// Conservation

/** A kind of queue. */
interface Kind {
  readonly make: (maxsize: number) => Queue<number>;
  /** The order that its items keep while others are put. */
  readonly order: work.Order;
  /** The order of the items that one call returns. */
  readonly orderOfMany: work.Order;
  /** How many items each producer puts. */
  readonly each: number;
}

const KINDS: Record<string, Kind> = {
  "Queue": {
    make: (maxsize) => new Queue(maxsize),
    order: "first in, first out",
    orderOfMany: "first in, first out",
    each: 2_500_000,
  },
  "LifoQueue": {
    make: (maxsize) => new LifoQueue(maxsize),
    order: "any",
    orderOfMany: "last in, first out",
    each: 500_000,
  },
  "PriorityQueue": {
    make: (maxsize) => new PriorityQueue(maxsize),
    order: "any",
    orderOfMany: "smallest first",
    each: 100_000,
  },
  "PriorityQueue with a function": {
    make: (maxsize) => new PriorityQueue({ maxsize, priority: work.priorityOf }),
    order: "any",
    orderOfMany: "smallest first",
    each: 100_000,
  },
};

for (const [kind, { make, order, orderOfMany, each: count }] of Object.entries(KINDS)) {
  const million = PRODUCERS * count * SCALE / 1e6;
  test(
    `${kind}: four producers and four consumers pass ${million} million items once each`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
      const queue = make(MAXSIZE);
      const ledger = ledgerFor(PRODUCERS, count * SCALE);
      const consumers = each(
        CONSUMERS,
        (i) => pool.submit(work.consume, queue, ledger, i, order, "endless"),
      );
      const put = await Promise.all(
        each(PRODUCERS, (i) => pool.submit(work.produce, queue, ledger, i, "endless")),
      );
      await queue.join();
      queue.shutdown();
      await Promise.all(consumers);
      assertEquals(put, allOf(ledger));
      assertOnce(ledger, put);
      await assertOver(queue);
    },
  );

  test(`${kind}: what one call gives is in order, while others put`, options, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
    const queue = make(MAXSIZE);
    const ledger = ledgerFor(PRODUCERS, 25_000 * SCALE);
    const consumers = each(
      CONSUMERS,
      (i) => pool.submit(work.consume, queue, ledger, i, orderOfMany, "endless"),
    );
    const put = await Promise.all(
      each(PRODUCERS, (i) => pool.submit(work.produce, queue, ledger, i, "endless")),
    );
    queue.shutdown();
    await Promise.all(consumers);
    assertOnce(ledger, put);
  });

  for (const maxsize of [1, 16, 0]) {
    const size = maxsize === 0 ? "any number of items" : `${maxsize} at most`;
    test(
      `${kind} of ${size}: no item is lost on waits that time out or are aborted`,
      options,
      async () => {
        await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
        const queue = make(maxsize);
        // Two of the producers block, two await, and one is this thread; likewise for the
        // consumers.
        const ledger = ledgerFor(PRODUCERS + 1, 2000 * SCALE);
        const tasks = 3;
        const consumers = [
          ...each(2, (i) => pool.submit(work.consume, queue, ledger, i, order, "random")),
          ...each(
            2,
            (i) => pool.submit(work.consumeAsync, queue, ledger, i, order, "random", tasks),
          ),
          work.consumeAsync(queue, ledger, 9, order, "random", tasks),
        ];
        const put = await Promise.all([
          ...each(2, (i) => pool.submit(work.produce, queue, ledger, i, "random")),
          ...each(2, (i) => pool.submit(work.produceAsync, queue, ledger, 2 + i, "random")),
          work.produceAsync(queue, ledger, 4, "random"),
        ]);
        await queue.join();
        queue.shutdown();
        await Promise.all(consumers);
        assertEquals(put, allOf(ledger));
        assertOnce(ledger, put);
        assert(ledger.words[LEDGER.GAVE_UP] > 0);
        await assertOver(queue);
      },
    );
  }

  for (const patience of ["endless", "random"] as const) {
    test(
      `${kind}: what was put before a shutdown comes out, to ${patience} patience`,
      options,
      async () => {
        await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
        for (let round = 0; round < SHUTDOWNS; round++) {
          const queue = make(round % 2 === 0 ? 16 : MAXSIZE);
          const ledger = ledgerFor(PRODUCERS, MOST_UNTIL_SHUTDOWN);
          const tasks = 2;
          const consumers = [
            ...each(2, (i) => pool.submit(work.consume, queue, ledger, i, order, patience)),
            ...each(
              2,
              (i) => pool.submit(work.consumeAsync, queue, ledger, i, order, patience, tasks),
            ),
          ];
          const producers = [
            ...each(2, (i) => pool.submit(work.produce, queue, ledger, i, patience)),
            ...each(2, (i) => pool.submit(work.produceAsync, queue, ledger, 2 + i, patience)),
          ];
          await new Promise((resolve) => setTimeout(resolve, 9 * (round % 6)));
          queue.shutdown();
          const put = await Promise.all(producers);
          await Promise.all(consumers);
          assertOnce(ledger, put);
          await assertOver(queue);
        }
      },
    );
  }

  test(`${kind}: an immediate shutdown discards, and nothing comes twice`, options, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
    for (let round = 0; round < SHUTDOWNS; round++) {
      const queue = make(MAXSIZE);
      const ledger = ledgerFor(PRODUCERS, MOST_UNTIL_SHUTDOWN);
      const consumers = each(
        CONSUMERS,
        (i) => pool.submit(work.consume, queue, ledger, i, order, "random"),
      );
      const producers = each(
        PRODUCERS,
        (i) => pool.submit(work.produce, queue, ledger, i, "random"),
      );
      await new Promise((resolve) => setTimeout(resolve, 9 * (round % 6)));
      queue.shutdown({ immediate: true });
      const put = await Promise.all(producers);
      await Promise.all(consumers);
      const times = timesSeen(ledger, put);
      assert(times.length <= 2, `items came twice: ${times}`);
      assertEquals(ledger.seen.reduce((sum, times) => sum + times, 0), times[1] ?? 0);
      assertOrderly(ledger);
      await assertOver(queue);
    }
  });
}

for (const kind of ["PriorityQueue", "PriorityQueue with a function"]) {
  test(`${kind}: each of four consumers that empty it gets smallest first`, options, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
    const queue = KINDS[kind].make(0);
    const ledger = ledgerFor(PRODUCERS, 50_000 * SCALE);
    const put = await Promise.all(
      each(PRODUCERS, (i) => pool.submit(work.produce, queue, ledger, i, "endless")),
    );
    assertEquals(queue.qsize(), ledger.seen.length);
    queue.shutdown();
    const order = "smallest first of all";
    await Promise.all(
      each(CONSUMERS, (i) => pool.submit(work.consume, queue, ledger, i, order, "endless")),
    );
    assertOnce(ledger, put);
    await assertOver(queue);
  });
}

for (const patience of ["endless", "random"] as const) {
  test(
    `SimpleQueue: four producers and four consumers of ${patience} patience pass each item once`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
      const queue = new SimpleQueue<number>();
      const ledger = ledgerFor(PRODUCERS, 200_000 * SCALE);
      const consumers = each(
        CONSUMERS,
        (i) => pool.submit(work.consumeSimply, queue, ledger, i, patience),
      );
      await Promise.all(
        each(PRODUCERS, (i) => pool.submit(work.produceSimply, queue, ledger, i)),
      );
      for (let i = 0; i < CONSUMERS; i++) queue.putNowait(work.STOP);
      await Promise.all(consumers);
      assertOnce(ledger, allOf(ledger));
      assertEquals(queue.qsize(), 0);
    },
  );
}

// Little memory

/** A kind of queue, made with a given amount of memory. */
const PARCEL_KINDS: Record<string, {
  readonly make: (capacityBytes: number) => Queue<work.Parcel | number>;
  readonly order: work.Order;
}> = {
  "Queue": {
    make: (capacityBytes) => new Queue({ capacityBytes }),
    order: "first in, first out",
  },
  "LifoQueue": {
    make: (capacityBytes) => new LifoQueue({ capacityBytes }),
    order: "any",
  },
  "PriorityQueue": {
    make: (capacityBytes) => new PriorityQueue({ capacityBytes, priority: work.priorityOfParcel }),
    order: "any",
  },
};

/** The memory, the largest item, and how many items each producer puts. */
const MEMORIES: readonly [capacityBytes: number, largest: number, each: number][] = [
  [1 << 12, 60, 2500],
  [1 << 17, 20_000, 1000],
  [1 << 22, 1 << 20, 300],
];

for (const [kind, { make, order }] of Object.entries(PARCEL_KINDS)) {
  for (const [capacityBytes, largest, count] of MEMORIES) {
    test(
      `${kind} of ${capacityBytes} bytes: items of up to ${largest} bytes come out once, and whole`,
      options,
      async () => {
        await using pool = new ThreadPoolExecutor({ maxWorkers: PRODUCERS + CONSUMERS });
        const queue = make(capacityBytes);
        const ledger = ledgerFor(PRODUCERS, count * SCALE);
        const consumers = each(
          CONSUMERS,
          (i) => pool.submit(work.consumeParcels, queue, ledger, i, order, largest),
        );
        await Promise.all(
          each(PRODUCERS, (i) => pool.submit(work.produceParcels, queue, ledger, i, largest)),
        );
        await queue.join();
        queue.shutdown();
        await Promise.all(consumers);
        assertOnce(ledger, allOf(ledger));
        await assertOver(queue);
      },
    );
  }
}

// Consumers that die

/** How many items an error reports as lost. */
function lostIn(error: unknown): number {
  assert(LostItemsError.is(error), `${error}`);
  return error.count;
}

for (const leavings of [["return"], ["close"], ["exit"], ["return", "close", "exit"]] as const) {
  test(
    `Queue: consumers that end by ${
      leavings.join(", ")
    } lose what they did not report, and nothing else`,
    options,
    async () => {
      await using producing = new ThreadPoolExecutor({ maxWorkers: PRODUCERS });
      await using consuming = new ThreadPoolExecutor({
        maxWorkers: CONSUMERS,
        maxTasksPerChild: 1,
        onWorkerLost: "replace",
      });
      await using surviving = new ThreadPoolExecutor({ maxWorkers: 1 });
      const queue = new Queue<number>(16);
      const ledger = ledgerFor(PRODUCERS, 2000 * SCALE);
      const mortals = each(40, (i) => {
        const [most, kept] = [1 + i * 7 % 200, i % 4];
        const leaving = leavings[i % leavings.length];
        return consuming.submit(work.consumeSome, queue, ledger, i, most, kept, leaving);
      });
      const survivor = surviving.submit(
        work.consumeSome,
        queue,
        ledger,
        99,
        ledger.seen.length,
        0,
        "return",
      );
      const put = await Promise.all(
        each(PRODUCERS, (i) => producing.submit(work.produce, queue, ledger, i, "endless")),
      );
      queue.shutdown();
      const outcomes = await Promise.allSettled(mortals);
      await survivor;
      if (leavings.length === 1 && leavings[0] === "return") {
        assert(outcomes.every(({ status }) => status === "fulfilled"));
      }
      assertOnce(ledger, put);
      const lost = ledger.seen.length - ledger.words[LEDGER.REPORTED];
      assert(lost > 0);
      const error = await assertRejects(() => queue.join({ timeout: 5000 }), LostItemsError);
      assertEquals(error.count, lost);
      // Another thread reports them done in place of the dead.
      queue.taskDone(lost);
      await assertOver(queue);
    },
  );
}

for (const leaving of ["return", "close", "exit"] as const) {
  test(
    `Queue: items for which consumers were woken that end by ${leaving} go to others`,
    options,
    async () => {
      const count = 4;
      const rounds = 5 * SCALE;
      for (let round = 0; round < rounds; round++) {
        await using consuming = new ThreadPoolExecutor({
          maxWorkers: 1,
          maxTasksPerChild: 1,
          onWorkerLost: "replace",
        });
        const queue = new Queue<number>();
        const hold = new Int32Array(new SharedArrayBuffer(4 * HOLD.SIZE));
        const mortal = consuming.submit(work.awaitAndLeave, queue, hold, count, leaving);
        await until(() => Atomics.load(hold, HOLD.WAITING) === count);
        let received = 0;
        const waits = each(count, async () => {
          await queue.get();
          received++;
          queue.taskDone();
        });
        // The consumer that came first is woken, but cannot run.
        for (let i = 0; i < count; i++) queue.putNowait(i);
        assertEquals(received, 0);
        Atomics.store(hold, HOLD.OPEN, 1);
        Atomics.notify(hold, HOLD.OPEN);
        await Promise.allSettled([mortal]);
        const lost = await queue.join({ timeout: 5000 }).then(() => 0, lostIn);
        assertEquals(received + lost, count);
        if (lost > 0) await queue.putMany(each(lost, (i) => i));
        await Promise.all(waits);
      }
    },
  );
}

test(
  "Queue: consumers that are given up while they wait or work take one item along at most",
  options,
  async () => {
    await using producing = new ThreadPoolExecutor({ maxWorkers: PRODUCERS });
    await using consuming = new ThreadPoolExecutor({
      maxWorkers: CONSUMERS,
      onWorkerLost: "replace",
    });
    await using surviving = new ThreadPoolExecutor({ maxWorkers: 1 });
    const queue = new Queue<number>(16);
    const ledger = ledgerFor(PRODUCERS, 10_000 * SCALE);
    const mortals = each(
      12,
      (i) => consuming.with({ timeout: 5 + i }).submit(work.consumeEndlessly, queue, ledger),
    );
    const producers = each(
      PRODUCERS,
      (i) => producing.submit(work.produce, queue, ledger, i, "endless"),
    );
    await Promise.allSettled(mortals);
    const survivor = surviving.submit(work.consumeEndlessly, queue, ledger);
    const put = await Promise.all(producers);
    queue.shutdown();
    await survivor;
    assertOrderly(ledger);
    const [unseen, once, ...more] = timesSeen(ledger, put);
    assertEquals([unseen + once, more], [ledger.seen.length, []]);
    const lost = await queue.join({ timeout: 5000 }).then(() => 0, lostIn);
    assert(unseen <= lost && lost <= mortals.length, `${unseen} unseen, ${lost} lost`);
  },
);
