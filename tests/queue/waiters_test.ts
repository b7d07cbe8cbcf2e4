/**
 * Callers that wait for items, for room and for the end: who is served when, and what is left of
 * callers that give up.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { type Future, ThreadPoolExecutor } from "../../executors/mod.ts";
import { Empty, Full, Queue, ShutDown, SimpleQueue } from "../../queue/mod.ts";
import { Event } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { Gate } from "../contracts/gate.ts";
import {
  allWaitersOf,
  assertSound,
  BOUNDED,
  drain,
  errorOf,
  NOBODY,
  numbers,
  queued,
  rejectionOf,
  SHORT_MS,
  SUITES,
  turns,
  unfinishedOf,
  until,
  waitersOf,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

shareProcesses(1, 2, 3);

/** More tasks than the ring of a pool holds. */
const MANY_TASKS = 4000;

for (const { name, make, orderOf } of SUITES) {
  test(`${name}: those who wait to get are served first come, first served`, async () => {
    const queue = make();
    const served: [waiter: number, item: unknown][] = [];
    const waits = numbers(10).map((i) => queue.get().then((item) => served.push([i, item])));
    assertEquals(waitersOf(queue, "getters"), 10);
    for (const i of numbers(10)) {
      queue.putSync(i);
      await turns();
      assertEquals(waitersOf(queue, "getters"), 9 - i);
    }
    await Promise.all(waits);
    assertEquals(served, numbers(10).map((i) => [i, i]));
    await assertSound(queue);
  });

  test(`${name}: items that are put together wake as many as there are`, async () => {
    const queue = make();
    const served: number[] = [];
    const waits = numbers(6).map((i) => queue.get().then(() => served.push(i)));
    queue.putManySync(numbers(4));
    await turns();
    assertEquals([served, waitersOf(queue, "getters")], [[0, 1, 2, 3], 2]);
    queue.putManySync(numbers(2));
    await Promise.all(waits);
    assertEquals(served, numbers(6));
    await assertSound(queue);
  });

  test(`${name}: a getMany() that leaves items leaves them to the next who waits`, async () => {
    const queue = make();
    const first = queue.getMany(2);
    const others = [queue.get(), queue.get(), queue.get()];
    queue.putManySync(numbers(5));
    const seen = [await first, ...await Promise.all(others)].flat() as number[];
    assertEquals(seen.toSorted((a, b) => a - b), numbers(5));
    const greedy = queue.getMany(10);
    const waiting = queue.get();
    queue.putManySync([1, 2]);
    assertEquals(await greedy, orderOf([1, 2]));
    assertEquals(waitersOf(queue, "getters"), 1);
    queue.putSync(3);
    assertEquals(await waiting, 3);
    await assertSound(queue);
  });

  test(`${name}: waiters that time out or abort leave nothing behind, and the next is served`, async () => {
    const queue = make();
    for (const _ of numbers(20)) {
      const controller = new AbortController();
      const { signal } = controller;
      const vain = [
        queue.get({ timeout: 1 }),
        queue.getMany(3, { timeout: 2 }),
        queue.get({ signal }),
        queue.getMany(3, { signal, timeout: 5000 }),
      ].map(rejectionOf);
      const next = queue.get();
      controller.abort("enough");
      const outcomes = await Promise.all(vain);
      assertEquals(outcomes.map((error) => Empty.is(error)), [true, true, false, false]);
      assertEquals(outcomes.slice(2), ["enough", "enough"]);
      assertEquals(waitersOf(queue, "getters"), 1);
      queue.putSync(1);
      assertEquals(await next, 1);
    }
    await assertSound(queue);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: waits that end as items come from ${elsewhere.name} lose none and take none twice`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      const items = numbers(elsewhere.rounds(400));
      const putting = crew.submit(tasks.putEach, queue, items);
      const seen: number[] = [];
      while (seen.length < items.length) {
        const waits = [0, 1, 0.1, 3].map((timeout) => queue.get({ timeout }));
        for (const outcome of await Promise.allSettled(waits)) {
          if (outcome.status === "fulfilled") seen.push(outcome.value as number);
          else assertInstanceOf(outcome.reason, Empty);
        }
      }
      await putting;
      assertEquals(seen.toSorted((a, b) => a - b), items);
      await assertSound(queue);
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: ${elsewhere.names} blocked for items are served one by one`, async () => {
      await using crew = elsewhere.crew(3);
      const queue = make();
      const waits = [1, 2, 3].map(() => crew.submit(tasks.getOneSync, queue));
      await queued(queue, "getters", 3);
      for (const i of numbers(3)) {
        queue.putSync(i);
        await until(() => waits.filter((future) => future.done()).length === i + 1);
        assertEquals(waitersOf(queue, "getters"), 2 - i);
      }
      assertEquals((await Promise.all(waits) as number[]).toSorted(), [0, 1, 2]);
      await assertSound(queue);
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(
      `${name}: main blocked in getSync is served by ${elsewhere.names}, of thousands of tasks`,
      {
        timeout: 60_000,
      },
      async () => {
        await using crew = elsewhere.crew(2);
        const queue = make();
        const futures = numbers(MANY_TASKS).map((i) => crew.submit(tasks.putEach, queue, [i]));
        const seen = numbers(MANY_TASKS).map(() => queue.getSync({ timeout: 10_000 }) as number);
        assertEquals(seen.toSorted((a, b) => a - b), numbers(MANY_TASKS));
        await Promise.all(futures);
        await assertSound(queue);
      },
    );
  }

  for (const elsewhere of ELSEWHERE) {
    test(
      `${name}: main blocked in getSync is served by tasks of ${elsewhere.name} that were submitted last`,
      {
        timeout: 60_000,
      },
      async () => {
        await using crew = elsewhere.crew(1);
        const queue = make();
        const others = numbers(MANY_TASKS).map((i) => crew.submit(tasks.sendBack, i));
        const last = crew.submit(tasks.putEach, queue, [7]);
        assertEquals(queue.getSync({ timeout: 30_000 }), 7);
        await last;
        assertEquals(await Promise.all(others), numbers(MANY_TASKS));
      },
    );
  }
}

for (const { name, make } of BOUNDED) {
  test(`${name}: those who wait to put are served first come, first served`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putSync(-1);
    const served: number[] = [];
    const waits = numbers(10).map((i) => queue.put(i).then(() => served.push(i)));
    assertEquals(waitersOf(queue, "putters"), 10);
    for (const i of numbers(10)) {
      assertEquals(queue.getNowait(), i - 1);
      await turns();
      assertEquals([served.length, waitersOf(queue, "putters")], [i + 1, 9 - i]);
    }
    await Promise.all(waits);
    assertEquals([served, drain(queue)], [numbers(10), [9]]);
    await assertSound(queue);
  });

  test(`${name}: items that are taken together wake as many who wait to put`, async () => {
    const queue = make({ maxsize: 4 });
    queue.putManySync(numbers(4));
    const served: number[] = [];
    const waits = numbers(6).map((i) => queue.put(10 + i).then(() => served.push(i)));
    queue.getManySync(4);
    await turns();
    assertEquals([served, queue.qsize(), waitersOf(queue, "putters")], [[0, 1, 2, 3], 4, 2]);
    queue.getManySync(3);
    await Promise.all(waits);
    assertEquals([served, queue.qsize()], [numbers(6), 3]);
    drain(queue);
    await assertSound(queue);
  });

  for (const put of [tasks.putOne, tasks.putOneSync]) {
    for (const elsewhere of ELSEWHERE) {
      test(`${name}: ${put.name} in ${elsewhere.name} waits for room until main takes an item`, async () => {
        await using crew = elsewhere.crew(2);
        const queue = make({ maxsize: 1 });
        queue.putSync(0);
        const putThere = put as typeof tasks.putOneSync;
        for (const options of [{ block: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
          const error = await rejectionOf(crew.submit(putThere, queue, 9, options).result());
          assertInstanceOf(error, Full);
          assertEquals(error.message, `Cannot put: ${name} is full, it holds 1 of 1 items`);
        }
        const waits = [crew.submit(putThere, queue, 1), crew.submit(putThere, queue, 1)];
        await queued(queue, "putters", 2);
        assertEquals(queue.getNowait(), 0);
        await until(() => waits.some((future) => future.done()));
        assertEquals([queue.qsize(), waitersOf(queue, "putters")], [1, 1]);
        assertEquals(await queue.get(), 1);
        await Promise.all(waits);
        assertEquals(queue.getNowait(), 1);
        await assertSound(queue);
      });
    }
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.putSync() on the main thread waits until ${elsewhere.name} takes an item`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make({ maxsize: 1 });
      queue.putSync(0);
      for (const i of numbers(3)) {
        const moment = crew.whenQueued(queue, "putters", 1);
        const taking = crew.submit(tasks.getWhenQueued, queue, "putters", moment);
        if (i === 1) await queue.put(i + 1);
        else queue.putSync(i + 1);
        assertEquals(await taking, i);
      }
      assertEquals(drain(queue), [3]);
      await assertSound(queue);
    });
  }

  test(`${name}: waits for room that time out or abort leave nothing behind, and the next is served`, async () => {
    const queue = make({ maxsize: 1 });
    for (const _ of numbers(20)) {
      queue.putSync(0);
      const controller = new AbortController();
      const { signal } = controller;
      const vain = [
        queue.put(1, { timeout: 1 }),
        queue.putMany([2, 3], { timeout: 2 }),
        queue.put(4, { signal }),
        queue.putMany([5, 6], { signal, timeout: 5000 }),
      ].map(rejectionOf);
      const next = queue.put(7);
      controller.abort("enough");
      const outcomes = await Promise.all(vain);
      assertEquals(outcomes.map((error) => Full.is(error)), [true, true, false, false]);
      assertEquals(outcomes.slice(2), ["enough", "enough"]);
      assertEquals([waitersOf(queue, "putters"), unfinishedOf(queue)], [1, 1]);
      assertEquals(queue.getNowait(), 0);
      await next;
      assertEquals(queue.getNowait(), 7);
      queue.taskDone(2);
    }
    await assertSound(queue);
  });

  // More than are encoded together.
  const many = numbers(300);

  test(`${name}: main blocked in getSync is served by its own promises that wait for room`, async () => {
    const queue = make({ maxsize: 1 });
    assertEquals(await tasks.getWhatIsPutHere(queue, many), many);
    await assertSound(queue);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: ${elsewhere.name} blocked in getSync is served by its own promises that wait for room`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make({ maxsize: 1 });
      assertEquals(await crew.submit(tasks.getWhatIsPutHere, queue, many), many);
      await assertSound(queue);
    });
  }

  test(`${name}: a callback that blocks in getSync is served by the putSync that it interrupts`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const queue = make({ maxsize: 1 });
    queue.putSync(0);
    const taken: unknown[] = [];
    const future = pool.submit(tasks.sendBack, 1);
    future.addDoneCallback(() => {
      for (let i = 0; i < 2; i++) taken.push(queue.getSync({ timeout: 10_000 }));
    });
    queue.putSync(1);
    assertEquals(taken, [0, 1]);
    await assertSound(queue);
  });

  test(`${name}: what main, blocked, has put for a promise is put once, though its signal aborts then`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putSync(0);
    const controller = new AbortController();
    const putting = queue.put(1, { signal: controller.signal });
    assertEquals(queue.getSync(), 0);
    assertEquals([new Event().waitSync({ timeout: 1 }), queue.qsize()], [false, 1]);
    controller.abort("too late");
    await putting;
    assertEquals(drain(queue), [1]);
    await assertSound(queue);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: a thousand async tasks and two ${elsewhere.names} go through a queue of one place`, async () => {
      await using crew = elsewhere.crew(2);
      const many = elsewhere.rounds(200);
      const most = 1000;
      const queue = make({ maxsize: 1 });
      const there = [
        crew.submit(tasks.putEach, queue, numbers(many).map((i) => 10_000 + i)),
        crew.submit(tasks.getSome, queue, many) as Future<unknown>,
      ];
      const putting = numbers(most).map((i) => queue.put(i));
      const getting = numbers(most).map(() => queue.get());
      const here = await Promise.all(getting);
      await Promise.all(putting);
      const [, taken] = await Promise.all(there);
      const all = [...here, ...taken as unknown[]] as number[];
      const expected = [...numbers(most), ...numbers(many).map((i) => 10_000 + i)];
      assertEquals(all.toSorted((a, b) => a - b), expected);
      await assertSound(queue);
    });
  }

  test(`${name}: a worker that dies while it waits to get or to put takes nothing along`, async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    const queue = make({ maxsize: 1 });
    const controller = new AbortController();
    const abortable = pool.with({ signal: controller.signal });
    const lost = rejectionOf(abortable.submit(tasks.getOneSync, queue).result());
    await queued(queue, "getters");
    const next = queue.get();
    controller.abort("enough");
    assertEquals(await lost, "enough");
    await until(() => pool.stats().abandoned === 1);
    queue.putSync(1);
    assertEquals(await next, 1);
    queue.putSync(2);
    const again = new AbortController();
    const blocked = rejectionOf(
      pool.with({ signal: again.signal }).submit(tasks.putOneSync, queue, 3).result(),
    );
    await queued(queue, "putters");
    const following = queue.put(4);
    again.abort("enough");
    assertEquals(await blocked, "enough");
    await until(() => pool.stats().abandoned === 2);
    assertEquals(await queue.get(), 2);
    await following;
    assertEquals([drain(queue), allWaitersOf(queue)], [[4], NOBODY]);
    await assertSound(queue);
    await pool.shutdown();
  });

  test(`${name}: a worker that was woken and dies before it tried leaves the item to the next`, async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    using gate = new Gate();
    const queue = make();
    const controller = new AbortController();
    const stuck = rejectionOf(
      pool.with({ signal: controller.signal }).submit(tasks.awaitAndSpin, queue, gate.words)
        .result(),
    );
    await gate.entered();
    await queued(queue, "getters");
    const next = queue.get();
    queue.putSync(1); // Wakes the one that computes.
    controller.abort("enough");
    assertEquals([await stuck, await next], ["enough", 1]);
    gate.open();
    await pool.shutdown();
    assertEquals(allWaitersOf(queue), NOBODY);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Queue: tasks in ${elsewhere.name} that wait for items of this thread go on beside it, which blocks`, async () => {
    await using crew = elsewhere.crew(2);
    const [there, back] = [new SimpleQueue<number>(), new SimpleQueue<number>()];
    const echo = crew.submit(
      (there: SimpleQueue<number>, back: SimpleQueue<number>): void => {
        for (let n = there.getSync(); n >= 0; n = there.getSync()) back.putSync(n + 1);
      },
      there,
      back,
    );
    for (const i of numbers(elsewhere.rounds(300))) {
      there.putSync(i);
      assertEquals(i % 2 === 0 ? back.getSync() : await back.get(), i + 1);
    }
    there.putSync(-1);
    await echo;
  });
}

test("Queue: waits of several queues in one thread end each by its own", async () => {
  const queues = numbers(20).map(() => new Queue<number>(1));
  const waits = queues.map((queue) => queue.get());
  for (const [i, queue] of queues.entries()) queue.putSync(i);
  const joined = queues.map((queue) => queue.join());
  assertEquals(await Promise.all(waits), numbers(20));
  for (const queue of queues) queue.taskDone();
  await Promise.all(joined);
});

test("Queue: what is thrown to one waiter does not reach another", async () => {
  const queue = new Queue<number>(1);
  const timed = errorOf(() => queue.get({ timeout: 1 }));
  const waiting = queue.get();
  assertInstanceOf(await timed, Empty);
  const shut = queue.get({ timeout: 10_000 });
  queue.shutdown();
  await assertRejects(() => waiting, ShutDown);
  assert(await errorOf(() => shut) instanceof ShutDown);
  assertEquals(allWaitersOf(queue), NOBODY);
});

test("Queue.putMany() tells its own outcome, whatever else this thread puts meanwhile", async () => {
  const bounded = new Queue<string>(1);
  const other = new Queue<string>();
  const vain = rejectionOf(bounded.putMany(["a", "b", "c"], { timeout: SHORT_MS }));
  await other.put("x");
  const full = await vain;
  assertInstanceOf(full, Full);
  assertEquals([full.count, bounded.qsize()], [1, 1]);

  assertEquals(bounded.getSync(), "a");
  const puts = [bounded.putMany(["a", "b", "c"]), bounded.putMany(["d", "e", "f", "g"])];
  const got: string[] = [];
  while (got.length < 7) got.push(await bounded.get());
  await Promise.all(puts);
  assertEquals(got.join(""), "abcdefg");
});

test("Queue.putMany() that times out has counted what its thread has put while it was blocked", async () => {
  const queue = new Queue<number>(1);
  queue.putSync(0);
  const vain = rejectionOf(queue.putMany([1, 2, 3], { timeout: SHORT_MS }));
  assertEquals([queue.getSync(), queue.getSync({ timeout: 10_000 })], [0, 1]);
  const full = await vain;
  assertInstanceOf(full, Full);
  assertEquals([full.count, drain(queue)], [2, [2]]);
});

test("Queue: those who were woken in vain keep their order among themselves", async () => {
  const full = new Queue<string>(2);
  full.putManySync(["1", "2"]);
  const puts = ["a", "b", "c"].map((item) => full.put(item));
  await queued(full, "putters", 3);
  full.getManySync(2); // Wakes a and b; what comes next is faster.
  full.putManySync(["3", "4"]);
  await turns();
  const got: string[] = [];
  while (got.length < 5) got.push(await full.get());
  await Promise.all(puts);
  assertEquals(got.join(""), "34abc");

  const empty = new Queue<number>();
  const served: string[] = [];
  const gets = ["a", "b", "c"].map((name) => empty.get().then(() => served.push(name)));
  await queued(empty, "getters", 3);
  empty.putManySync([1, 2]);
  empty.getManySync(2);
  await turns();
  for (const n of numbers(3)) {
    empty.putSync(n);
    await until(() => served.length === n + 1);
  }
  await Promise.all(gets);
  assertEquals(served.join(""), "abc");
});

test("Queue: who gives up with an item too large for the room lets those behind it use that", async () => {
  const kilobytes = (count: number) => new Uint8Array(count * 1024);
  const queue = new Queue<Uint8Array>({ capacityBytes: 1 << 16 });
  assertThrows(() => {
    for (;;) queue.putNowait(kilobytes(3));
  }, Full);
  const controller = new AbortController();
  const large = rejectionOf(queue.put(kilobytes(30), { signal: controller.signal }));
  const small = queue.put(kilobytes(3));
  await queued(queue, "putters", 2);
  queue.getSync(); // Room for the small one alone.
  await turns();
  controller.abort(new RangeError("enough"));
  assertInstanceOf(await large, RangeError);
  await small;
});
