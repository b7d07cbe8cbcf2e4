/**
 * Counts: whatever locks guard is counted exactly, however many threads and async tasks of both
 * forms come, and whether their patience ends or they do; in the end everything is free and nobody
 * waits.
 */

import { assert, assertEquals } from "@std/assert";
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  debugLocks,
  Event,
  type Future,
  Lock,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
} from "../../mod.ts";
import { THREAD, THREAD_TABLE } from "../../_memory/layout.ts";
import { ThreadTable } from "../../_memory/thread_table.ts";
import { test } from "../_support/leaks.ts";
import { until } from "../failure/_support.ts";
import { waitersOf } from "../failure/_waiters.ts";
import { randomNumbers } from "./random.ts";
import { SCALE } from "./scale.ts";
import * as work from "./sync_tasks.ts";

/** A larger test has proportionally more time. */
const options = { timeout: 30_000 * SCALE };

/** How many places a table of threads has. */
const PLACES = 1024;

let made = 0;

function newName(): string {
  return `stressed ${made++}`;
}

/** A kind of mutual exclusion, and how often it is entered in a test. */
interface Door {
  readonly make: () => work.Exclusive;
  readonly times: number;
}

const DOORS: Record<string, Door> = {
  "Lock": { make: () => new Lock({ name: newName() }), times: 10_000_000 },
  "RLock": { make: () => new RLock({ name: newName() }), times: 2_000_000 },
  "Semaphore": { make: () => new Semaphore(1), times: 2_000_000 },
  "BoundedSemaphore": { make: () => new BoundedSemaphore(1), times: 2_000_000 },
};

/** Asserts that nobody is inside and nobody waits. */
function assertFree(door: work.Exclusive): void {
  assertEquals(waitersOf(door), 0);
  if (door instanceof Semaphore) assertEquals(door.getValue(), 1);
  else {
    assertEquals(door.locked(), false);
    assertEquals(debugLocks().filter(({ name }) => name === door.name), []);
  }
  assertEquals(door.acquireSync({ blocking: false }), true);
  door.release();
}

function counterWords(count = 1): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * count));
}

// One at a time

for (const [kind, { make, times }] of Object.entries(DOORS)) {
  for (const workers of [2, 4]) {
    test(
      `${kind}: ${workers} workers that block count to millions without a miss`,
      options,
      async () => {
        await using pool = new ThreadPoolExecutor({ maxWorkers: workers });
        const door = make();
        const counter = counterWords();
        const each = times / workers * SCALE;
        await Promise.all(
          Array.from({ length: workers }, () => pool.submit(work.count, door, counter, each)),
        );
        assertEquals(counter[0], each * workers);
        assertFree(door);
      },
    );
  }

  test(
    `${kind}: threads that block and async tasks that wait count without a miss`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
      const door = make();
      const counter = counterWords();
      const blocking = 100_000 * SCALE;
      const awaiting = 2000 * SCALE;
      const tasks = 8;
      await Promise.all([
        pool.submit(work.count, door, counter, blocking),
        pool.submit(work.count, door, counter, blocking),
        pool.submit(work.countAsync, door, counter, awaiting, tasks),
        pool.submit(work.countInterrupted, door, counter, awaiting, tasks),
        work.countAsync(door, counter, awaiting, tasks),
        work.countInterrupted(door, counter, awaiting, tasks),
      ]);
      assertEquals(counter[0], 2 * blocking + 4 * awaiting * tasks);
      assertFree(door);
    },
  );

  test(`${kind}: async tasks of one thread count without a miss`, options, async () => {
    const door = make();
    const counter = counterWords();
    const [times, tasks] = [1000 * SCALE, 50];
    await Promise.all([
      work.countAsync(door, counter, times, tasks),
      work.countInterrupted(door, counter, times, tasks),
    ]);
    assertEquals(counter[0], 2 * times * tasks);
    assertFree(door);
  });

  test(
    `${kind}: waits whose time is up or whose signal aborts leave nothing behind`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
      const door = make();
      const counter = counterWords();
      const blocking = 1500 * SCALE;
      const awaiting = 300 * SCALE;
      const tasks = 8;
      const entered = await Promise.all([
        pool.submit(work.tryRandomly, door, counter, blocking, 1),
        pool.submit(work.tryRandomly, door, counter, blocking, 2),
        pool.submit(work.tryRandomlyAsync, door, counter, awaiting, 100, tasks),
        pool.submit(work.tryRandomlyAsync, door, counter, awaiting, 200, tasks),
        work.tryRandomlyAsync(door, counter, awaiting, 300, tasks),
      ]);
      assertEquals(counter[0], entered.reduce((sum, count) => sum + count, 0));
      assert(counter[0] > 0);
      assertFree(door);
    },
  );

  test(`${kind}: a thousand async tasks of one thread get it in their order`, options, async () => {
    const door = make();
    const count = 1000;
    const chunksBefore = chunksOf(door);
    for (let round = 0; round < 20 * SCALE; round++) {
      await door.acquire();
      const order: number[] = [];
      const waits = Array.from({ length: count }, async (_, i) => {
        await door.acquire();
        order.push(i);
        door.release();
      });
      assertEquals(waitersOf(door), count);
      door.release();
      await Promise.all(waits);
      assertEquals(order, order.map((_, i) => i));
      assertEquals(order.length, count);
    }
    assertFree(door);
    assert(chunksOf(door) - chunksBefore <= Math.ceil(count / 16) + 1, "chunks of nodes pile up");
  });
}

for (const workers of [2, 4]) {
  test(
    `RLock: ${workers} workers that enter twice count to millions without a miss`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: workers });
      const lock = new RLock({ name: newName() });
      const counter = counterWords();
      const each = 2_000_000 / workers * SCALE;
      await Promise.all(
        Array.from(
          { length: workers },
          () => pool.submit(work.countTwiceInside, lock, counter, each),
        ),
      );
      assertEquals(counter[0], each * workers);
      assertFree(lock);
    },
  );
}

test(
  "Lock: the main thread blocks among four workers and counts without a miss",
  options,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
    const lock = new Lock({ name: newName() });
    const counter = counterWords();
    const each = 500_000 * SCALE;
    const futures = Array.from({ length: 4 }, () => pool.submit(work.count, lock, counter, each));
    work.count(lock, counter, each);
    await Promise.all(futures);
    assertEquals(counter[0], 5 * each);
    assertFree(lock);
  },
);

test("Semaphore: no more than its permits are out at a time", options, async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
  const permits = 3;
  const semaphore = new BoundedSemaphore(permits);
  const words = counterWords(2);
  const each = 200_000 * SCALE;
  const use = (semaphore: Semaphore, words: Int32Array, times: number, permits: number): void => {
    for (let i = 0; i < times; i++) {
      semaphore.acquireSync();
      if (Atomics.add(words, 0, 1) >= permits) Atomics.add(words, 1, 1);
      Atomics.sub(words, 0, 1);
      semaphore.release();
    }
  };
  await Promise.all(
    Array.from({ length: 4 }, () => pool.submit(use, semaphore, words, each, permits)),
  );
  assertEquals([...words], [0, 0]);
  assertEquals([semaphore.getValue(), waitersOf(semaphore)], [permits, 0]);
});

// Conditions

for (const kind of ["RLock", "Lock"]) {
  const make = (): Condition => {
    const name = newName();
    return new Condition(kind === "RLock" ? new RLock({ name }) : new Lock({ name }));
  };

  for (const players of [2, 4]) {
    test(`Condition of ${kind}: ${players} workers take turns`, options, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: players });
      const condition = make();
      const words = counterWords(2);
      const times = 20_000 / players * SCALE;
      await Promise.all(
        Array.from(
          { length: players },
          (_, me) => pool.submit(work.takeTurns, condition, words, [me, players], times),
        ),
      );
      assertEquals([...words], [0, players * times]);
      assertFree(condition.lock);
      assertEquals(waitersOf(condition), 0);
    });
  }

  test(
    `Condition of ${kind}: threads that block and async tasks that wait take turns`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 3 });
      const condition = make();
      const words = counterWords(2);
      const times = 2000 * SCALE;
      const players = 4;
      const turns: Promise<void>[] = [
        pool.submit(work.takeTurns, condition, words, [0, players], times),
        pool.submit(work.takeTurnsAsync, condition, words, [1, players], times),
        pool.submit(work.takeTurns, condition, words, [2, players], times),
        work.takeTurnsAsync(condition, words, [3, players], times),
      ].map((turn) => Promise.resolve(turn));
      await Promise.all(turns);
      assertEquals([...words], [0, players * times]);
      assertFree(condition.lock);
      assertEquals(waitersOf(condition), 0);
    },
  );

  for (const [producers, consumers] of [[1, 1], [2, 2]]) {
    test(
      `Condition of ${kind}: a bounded buffer of ${producers} producers and ${consumers} consumers passes each item once`,
      options,
      async () => {
        await using pool = new ThreadPoolExecutor({ maxWorkers: producers + consumers });
        const { lock } = make();
        const buffer = {
          notFull: new Condition(lock),
          notEmpty: new Condition(lock),
          words: counterWords(2 + 16),
        };
        const each = 100_000 / producers * SCALE;
        const seen = counterWords(producers * each);
        const futures: Future<void>[] = [];
        for (let i = 0; i < producers; i++) {
          futures.push(pool.submit(work.produce, buffer, i * each, each));
          futures.push(pool.submit(work.consume, buffer, seen, each));
        }
        await Promise.all(futures);
        assert(seen.every((count) => count === 1));
        assertFree(lock);
      },
    );
  }

  test(
    `Condition of ${kind}: a bounded buffer with consumers of both forms passes each item once`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 3 });
      const { lock } = make();
      const buffer = {
        notFull: new Condition(lock),
        notEmpty: new Condition(lock),
        words: counterWords(2 + 4),
      };
      const each = 3000 * SCALE;
      const seen = counterWords(3 * each);
      await Promise.all([
        pool.submit(work.produce, buffer, 0, 3 * each),
        pool.submit(work.consume, buffer, seen, each),
        pool.submit(work.consumeAsync, buffer, seen, each),
        work.consumeAsync(buffer, seen, each),
      ]);
      assert(seen.every((count) => count === 1));
      assertFree(lock);
    },
  );

  test(
    `Condition of ${kind}: no notification is lost on a waiter whose time is up`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 3 });
      const condition = make();
      const futures = [1, 2, 3].map((seed) =>
        pool.submit(work.waitRandomly, condition, 1000 * SCALE, seed)
      );
      const random = randomNumbers(7);
      let notified = 0;
      while (!futures.every((future) => future.done())) {
        {
          using _ = await condition.hold();
          const before = waitersOf(condition);
          const count = random() < 0.5 ? 1 : 3;
          condition.notify(count);
          const after = waitersOf(condition);
          // A waiter that gives up during this leaves by itself; none joins while the lock is held.
          notified += Math.min(count, before - after);
        }
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const received = await Promise.all(futures);
      const sum = received.reduce((sum, count) => sum + count, 0);
      assert(sum > 0 && sum <= notified, `${sum} of ${notified} were received`);
      assertEquals(waitersOf(condition), 0);
      assertFree(condition.lock);
    },
  );
}

// Barriers

for (const parties of [2, 4]) {
  test(`Barrier: ${parties} workers agree on the sum of every round`, options, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: parties });
    const barrier = new Barrier(parties);
    const rounds = 10_000 * SCALE;
    const sums = counterWords(rounds);
    const wrong = await Promise.all(
      Array.from(
        { length: parties },
        (_, i) => pool.submit(work.addInRounds, barrier, sums, i + 1, rounds),
      ),
    );
    assertEquals(wrong, wrong.map(() => 0));
    assert(sums.every((sum) => sum === work.sumOfParties(parties)));
    assertEquals([barrier.nWaiting, waitersOf(barrier), barrier.broken], [0, 0, false]);
  });
}

test(
  "Barrier: parties of both forms, and an action, agree on the sum of every round",
  options,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    // Two of the parties are here, so one of these can be the last; the parties elsewhere need the
    // action too.
    const rounds = 3000 * SCALE;
    const sums = counterWords(rounds);
    const barrier = new Barrier(4);
    const wrong = await Promise.all([
      pool.submit(work.addInRounds, barrier, sums, 1, rounds),
      pool.submit(work.addInRoundsAsync, barrier, sums, 2, rounds),
      work.addInRoundsAsync(barrier, sums, 3, rounds),
      work.addInRoundsAsync(barrier, sums, 4, rounds),
    ]);
    assertEquals(wrong, [0, 0, 0, 0]);
    assert(sums.every((sum) => sum === work.sumOfParties(4)));
    assertEquals(waitersOf(barrier), 0);
  },
);

test("Barrier: the action runs once a round, whoever comes last", options, async () => {
  const rounds = 5000 * SCALE;
  let runs = 0;
  const barrier = new Barrier(5, { action: () => runs++ });
  const sums = counterWords(rounds);
  const wrong = await Promise.all(
    [1, 2, 3, 4, 5].map((me) => work.addInRoundsAsync(barrier, sums, me, rounds)),
  );
  assertEquals([runs, ...wrong], [rounds, 0, 0, 0, 0, 0]);
});

for (const before of [0, 64, 1000]) {
  test(
    `Barrier: tasks that meet have a worker each, also after ${before} others of their kind`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
      const meet = (barrier?: Barrier): number => barrier?.waitSync({ timeout: 30_000 }) ?? -1;
      for (let i = 0; i < before; i++) await pool.submit(meet, undefined);
      const barrier = new Barrier(4);
      const futures = [1, 2, 3, 4].map(() => pool.submit(meet, barrier));
      assertEquals((await Promise.all(futures)).sort(), [0, 1, 2, 3]);
    },
  );
}

// Events

test("Event: two workers answer each other without a miss", options, async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const [ping, pong] = [new Event(), new Event()];
  const counter = counterWords();
  const times = 20_000 * SCALE;
  const futures = [
    pool.submit(work.answer, ping, pong, counter, times),
    pool.submit(work.answer, pong, ping, counter, times),
  ];
  ping.set();
  await Promise.all(futures);
  assertEquals(counter[0], 2 * times);
  assertEquals([ping.isSet(), pong.isSet()], [true, false]);
});

test(
  "Event: a worker that blocks and an async task here answer each other without a miss",
  options,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [ping, pong] = [new Event(), new Event()];
    const counter = counterWords();
    const times = 5000 * SCALE;
    const future = pool.submit(work.answer, ping, pong, counter, times);
    ping.set();
    await Promise.all([future, work.answerAsync(pong, ping, counter, times)]);
    assertEquals(counter[0], 2 * times);
  },
);

test("Event: each set lets all four waiting workers go on", options, async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
  const count = 1000 * SCALE;
  const events = Array.from({ length: count }, () => new Event());
  const counters = counterWords(count);
  const futures = [1, 2, 3, 4].map(() => pool.submit(work.followAll, events, counters));
  await until(() => waitersOf(events[0]) === 4);
  for (const [i, event] of events.entries()) {
    event.set();
    // All of them have passed this event before the next one is set.
    for (let seen = 0; (seen = Atomics.load(counters, i)) < 4;) {
      Atomics.wait(counters, i, seen, 1000);
    }
  }
  await Promise.all(futures);
  assert(counters.every((seen) => seen === 4));
  assert(events.every((event) => waitersOf(event) === 0));
});

test(
  "Event: a set wakes ten thousand async tasks of one thread, in their order",
  options,
  async () => {
    const event = new Event();
    const order: number[] = [];
    const waits = Array.from({ length: 10_000 * SCALE }, async (_, i) => {
      await event.wait();
      order.push(i);
    });
    assertEquals(waitersOf(event), waits.length);
    event.set();
    await Promise.all(waits);
    assertEquals(order, order.map((_, i) => i));
    assertEquals(order.length, waits.length);
    assertEquals(waitersOf(event), 0);
  },
);

// Lives of threads

function tableOf(object: { handle: { data: unknown } }): Int32Array {
  return new Int32Array((object.handle.data as { threads: SharedArrayBuffer }).threads);
}

/** How many chunks of nodes the table of the object's threads has ever handed out. */
function chunksOf(object: { handle: { data: unknown } }): number {
  return Atomics.load(tableOf(object), THREAD_TABLE.CHUNKS);
}

/**
 * How many places of a table are taken by threads that are alive, and how many by threads that were
 * given up.
 */
function placesOf(table: Int32Array): { alive: number; dead: number } {
  const places = { alive: 0, dead: 0 };
  for (let number = 0; number < PLACES; number++) {
    const id = Atomics.load(table, THREAD_TABLE.SIZE + number * THREAD.SIZE + THREAD.ID);
    if (id > 0) places.alive++;
    else if (id < 0) places.dead++;
  }
  return places;
}

test(
  "Many short-lived workers use one lock, and give back their places and nodes",
  options,
  async () => {
    const lock = new Lock({ name: newName() });
    const other = new Lock({ name: newName() });
    other.acquireSync();
    const counter = counterWords();
    const table = tableOf(lock);
    // So the numbers of places wrap around in the course of the test.
    Atomics.store(table, THREAD_TABLE.NEXT, PLACES - 20);
    const placesBefore = placesOf(table);
    const chunksBefore = chunksOf(lock);
    const workers = 4;
    const waves = 6 * SCALE;
    {
      await using pool = new ThreadPoolExecutor({ maxWorkers: workers, maxTasksPerChild: 1 });
      for (let wave = 0; wave < waves; wave++) {
        lock.acquireSync();
        const visits = Array.from(
          { length: workers },
          (_, i) => pool.submit(i % 2 === 0 ? work.visit : work.visitToo, lock, counter, other),
        );
        await until(() => waitersOf(lock) === workers);
        lock.release();
        await Promise.all(visits);
      }
      assertEquals(counter[0], 2 * workers * waves);
    }
    assertFree(lock);
    // A thread that was told to end may do so a little later.
    await until(() => {
      const { alive, dead } = placesOf(table);
      return alive === placesBefore.alive && dead === placesBefore.dead;
    });
    // A new worker may start before its predecessor has left.
    const chunks = chunksOf(lock) - chunksBefore;
    assert(chunks <= 3 * workers, `${workers * waves} workers have taken ${chunks} chunks`);
    assertEquals(waitersOf(other), 0);
    other.release();
    assertFree(other);
  },
);

test(
  "Workers that die inside a lock again and again leave each count as it is",
  options,
  async () => {
    const lock = new Lock({ name: newName() });
    const counter = counterWords();
    const rounds = 10 * SCALE;
    const before = 1000;
    const each = 300_000 * SCALE;
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const recovering = [1, 2].map(() => pool.submit(work.countAndRecover, lock, counter, each));
    {
      const mortals = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
      for (let round = 0; round < rounds; round++) {
        await mortals.submit(work.countAndDie, lock, counter, before).exception();
        await until(() => recovering.every((future) => future.done()) || !ownerIsDead(lock));
        if (ownerIsDead(lock) && lock.recover()) lock.release();
      }
      await mortals.shutdown();
    }
    await Promise.all(recovering);
    assertEquals(counter[0], rounds * (before + 1) + 2 * each);
    assertFree(lock);
  },
);

function ownerIsDead(lock: Lock): boolean {
  return debugLocks().some(({ name, owner, isOwnerAlive }) =>
    name === lock.name && owner !== undefined && !isOwnerAlive
  );
}

test("ThreadTable gives places again, each time to another id", options, () => {
  const table = new ThreadTable();
  const ids = new Set<number>();
  const kept = table.claim("kept");
  const given = table.claim("given up");
  table.declareDead(given);
  const count = 20_000 * SCALE;
  for (let i = 0; i < count; i++) {
    const id = table.claim(`thread ${i}`);
    assert(table.isAlive(id));
    ids.add(id);
    table.leave(id);
    assert(!table.isAlive(id));
  }
  assertEquals(ids.size, count);
  assertEquals([table.isAlive(kept), table.isAlive(given)], [true, false]);
  assertEquals([table.nameOf(kept), table.nameOf(given)], ["kept", "given up"]);
  assertEquals(placesOf(table.words), { alive: 1, dead: 1 });
  assertEquals(Atomics.load(table.words, THREAD_TABLE.DEATHS), count + 1);
});

test(
  "ThreadTable: workers take and give back chunks of nodes, none of which is ever theirs together",
  options,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 4 });
    const table = new ThreadTable();
    const owners = counterWords(1 << 20);
    const url = import.meta.resolve("../../_memory/thread_table.ts");
    const use = async (
      url: string,
      buffer: SharedArrayBuffer,
      owners: Int32Array,
      [me, times]: [number, number],
    ): Promise<number> => {
      const { ThreadTable } = await import(url);
      const table = new ThreadTable(buffer);
      let shared = 0;
      for (let i = 0; i < times; i++) {
        const chunks = Array.from({ length: 1 + i % 4 }, () => table.takeChunk()[0]);
        for (const node of chunks) {
          if (Atomics.compareExchange(owners, node, 0, me) !== 0) shared++;
        }
        for (const node of chunks) {
          if (Atomics.compareExchange(owners, node, me, 0) !== me) shared++;
          table.giveChunk(node);
        }
      }
      return shared;
    };
    const shared = await Promise.all(
      [1, 2, 3, 4].map((me) =>
        pool.submit(use, url, table.buffer, owners, [me, 100_000 * SCALE] as [number, number])
      ),
    );
    assertEquals(shared, [0, 0, 0, 0]);
    const chunks = Atomics.load(table.words, THREAD_TABLE.CHUNKS);
    assert(chunks <= 16, `${chunks} chunks were taken`);
  },
);
