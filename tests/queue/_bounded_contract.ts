/** What all classes of queues with a size, tracking and shutdown promise. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import {
  type BlockOptions,
  type BlockSyncOptions,
  Full,
  type Queue,
  ShutDown,
  TimeoutError,
} from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE } from "../contracts/elsewhere.ts";
import { BAD_WAITS } from "../contracts/lock_suite.ts";
import {
  allWaitersOf,
  assertSound,
  BAD_BLOCKS,
  drain,
  errorOf,
  NOBODY,
  numbers,
  queued,
  type QueueSuite,
  rejectionOf,
  SHORT_MS,
  stateOf,
  turns,
  unfinishedOf,
  waitersOf,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

/** Ways to put an item that accept options. */
const PATIENT_PUTS: Record<
  string,
  (queue: Queue<unknown>, item: unknown, options?: BlockOptions) => void | Promise<void>
> = {
  "put()": (queue, item, options) => queue.put(item, options),
  "putSync()": (queue, item, options) => queue.putSync(item, options),
  "putMany()": (queue, item, options) => queue.putMany([item], options),
  "putManySync()": (queue, item, options) => queue.putManySync([item], options),
};

/** Registers the tests of what classes with a size, tracking and shutdown promise in addition. */
export function boundedQueueContract(suite: QueueSuite<Queue<unknown>>): void {
  sizes(suite);
  fullQueues(suite);
  tracking(suite);
  shutdown(suite);
  iteration(suite);
}

function sizes({ name, make }: QueueSuite<Queue<unknown>>): void {
  test(`${name}.maxsize is what it was given, also elsewhere`, () => {
    const Class = make().constructor as typeof Queue;
    for (const queue of [make({ maxsize: 2 }), new Class(2)]) {
      assertEquals([queue.maxsize, Class.from(queue.handle).maxsize], [2, 2]);
      assertEquals(queue.full(), false);
      queue.putNowait(1);
      assertEquals(queue.full(), false);
      queue.putNowait(2);
      assertEquals([queue.full(), Class.from(queue.handle).full()], [true, true]);
      assertThrows(() => queue.putNowait(3), Full);
      queue.getNowait();
      assertEquals(queue.full(), false);
    }
  });

  test(`${name}() is unbounded without maxsize, with 0, a negative one, or Infinity`, () => {
    const Class = make().constructor as typeof Queue;
    for (const maxsize of [undefined, 0, -0, -1, -0.5, -Infinity, Infinity]) {
      for (const queue of [make({ maxsize }), new Class(maxsize)]) {
        assertEquals([queue.maxsize, queue.full()], [0, false]);
        queue.putManySync(numbers(2000), { block: false });
        assertEquals([queue.qsize(), queue.full()], [2000, false]);
      }
    }
  });

  test(`${name}() refuses sizes that are no whole number`, () => {
    const Class = make().constructor as typeof Queue;
    for (const bad of [NaN, 1.5, 0.5]) {
      const text = `Cannot make ${name}: maxsize must be a whole number, got ${bad}`;
      assertThrows(() => make({ maxsize: bad }), RangeError, text);
      assertThrows(() => new Class(bad), RangeError, text);
    }
    for (const bad of ["5", null, 5n, true]) {
      const text = `Cannot make ${name}: maxsize must be a number, got ${describe(bad)}`;
      assertThrows(() => make({ maxsize: bad as never }), TypeError, text);
    }
  });
}

function fullQueues({ name, make, makeAny, orderOf }: QueueSuite<Queue<unknown>>): void {
  for (const [put, doPut] of Object.entries(PATIENT_PUTS)) {
    test(`${name}.${put} throws Full where it may not wait, or time is up, and the queue is as it was`, async () => {
      const queue = make({ maxsize: 2, name: "downloads" });
      queue.putManySync([1, 2]);
      const text = `Cannot put: ${name} "downloads" is full, it holds 2 of 2 items`;
      const vain = [{ block: false }, { timeout: 0 }, { timeout: SHORT_MS }];
      for (const options of vain) {
        const error = await errorOf(() => doPut(queue, 3, options));
        assertInstanceOf(error, Full);
        assertEquals([error.name, error.message, error.count], ["Full", text, 0]);
        assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [2, 2, NOBODY]);
      }
      assertEquals(drain(queue), orderOf([1, 2]));
      await assertSound(queue);
    });

    test(`${name}.${put} ignores the timeout with block: false`, async () => {
      const queue = make({ maxsize: 1 });
      for (const timeout of [5, -1, NaN, null, "5" as never]) {
        await doPut(queue, 1, { block: false, timeout });
        assertInstanceOf(await errorOf(() => doPut(queue, 1, { block: false, timeout })), Full);
        assertEquals(queue.getNowait(), 1);
      }
    });

    test(`${name}.${put} refuses bad arguments and puts nothing, also when there is room`, async () => {
      for (const queue of [make(), make({ maxsize: 1 })]) {
        for (const [options, Class, text] of [...BAD_WAITS, ...BAD_BLOCKS]) {
          const error = await errorOf(() => doPut(queue, 1, options as BlockOptions));
          assertInstanceOf(error, Class);
          assert(error.message.includes(text), error.message);
          assertEquals([queue.qsize(), unfinishedOf(queue)], [0, 0]);
        }
        await assertSound(queue);
      }
    });

    test(`${name}.${put} with room puts whatever the timeout`, async () => {
      const queue = make({ maxsize: 1 });
      const all = [undefined, {}, { timeout: 0 }, { timeout: null }, { block: true }];
      for (const options of all) {
        await doPut(queue, 1, options);
        assertEquals(queue.getNowait(), 1);
      }
    });
  }

  test(`${name}.putNowait() throws Full, and the queue is as it was`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putNowait(1);
    const error = assertThrows(() => queue.putNowait(2), Full, "it holds 1 of 1 items");
    assertEquals([Full.is(error), error.count, queue.qsize()], [true, 0, 1]);
    assertEquals(queue.getNowait(), 1);
    await assertSound(queue);
  });

  for (const timeout of [undefined, null, Infinity]) {
    test(`${name}.put() waits for ever with timeout: ${timeout}`, async () => {
      const queue = make({ maxsize: 1 });
      queue.putSync(1);
      const waiting = queue.put(2, { timeout });
      assertEquals(waitersOf(queue, "putters"), 1);
      assertEquals([await stateOf(waiting), queue.qsize()], ["pending", 1]);
      assertEquals(queue.getNowait(), 1);
      await waiting;
      assertEquals(queue.getNowait(), 2);
      await assertSound(queue);
    });
  }

  test(`${name}.put() that waits puts what the item was when it was called`, async () => {
    const queue = makeAny({ maxsize: 1 });
    queue.putSync("first");
    const items = [{ list: [1] }, { list: ["x".repeat(50_000)] }];
    const waiting = [queue.put(items[0]), queue.putMany([items[1]])];
    for (const item of items) item.list.length = 0;
    queue.putManySync([], { block: false });
    assertEquals(queue.getNowait(), "first");
    const seen = [await queue.get(), await queue.get()];
    await Promise.all(waiting);
    assertEquals(seen, [{ list: [1] }, { list: ["x".repeat(50_000)] }]);
    await assertSound(queue);
  });

  test(`${name}.put() rejects when its signal aborts, and the room goes to the next one`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putSync(0);
    assertEquals(await rejectionOf(queue.put(1, { signal: AbortSignal.abort("early") })), "early");
    const controller = new AbortController();
    const aborted = rejectionOf(queue.put(2, { signal: controller.signal }));
    const timed = rejectionOf(queue.put(3, { timeout: SHORT_MS }));
    const several = rejectionOf(queue.putMany([4, 5], { signal: controller.signal }));
    const next = queue.put(6);
    assertEquals(waitersOf(queue, "putters"), 4);
    controller.abort("enough");
    assertEquals(waitersOf(queue, "putters"), 2);
    assertEquals([await aborted, await several], ["enough", "enough"]);
    assertInstanceOf(await timed, Full);
    assertEquals([waitersOf(queue, "putters"), queue.qsize()], [1, 1]);
    assertEquals(queue.getNowait(), 0);
    await next;
    assertEquals(drain(queue), [6]);
    assertEquals(unfinishedOf(queue), 2);
    await assertSound(queue);
  });

  test(`${name}.put(): a signal that aborts right after the get puts the item or not, and loses no room`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putSync(0);
    const controller = new AbortController();
    const first = queue.put(1, { signal: controller.signal }).then(() => "put", (error) => error);
    const next = queue.put(2);
    queue.getNowait();
    controller.abort("enough");
    const outcome = await first;
    if (outcome === "put") assertEquals(queue.getNowait(), 1);
    else assertEquals(outcome, "enough");
    await next;
    assertEquals(queue.getNowait(), 2);
    await assertSound(queue);
  });

  test(`${name}.putMany() puts as far as there is room; Full says how many`, async () => {
    for (const options of [{ block: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
      for (const [have, count] of [[0, 3], [1, 2], [3, 0]]) {
        const queue = make({ maxsize: 3 });
        for (const form of ["putMany", "putManySync"] as const) {
          queue.putManySync(numbers(have));
          const error = await errorOf(() => queue[form]([10, 11, 12, 13, 14], options));
          assertInstanceOf(error, Full);
          assertEquals([error.count, queue.qsize(), unfinishedOf(queue)], [count, 3, 3]);
          assert(error.message.endsWith("is full, it holds 3 of 3 items"), error.message);
          const put = [10, 11, 12].slice(0, count);
          assertEquals(drain(queue), orderOf([...numbers(have), ...put]));
          queue.taskDone(3);
        }
        await assertSound(queue);
      }
    }
  });

  test(`${name}.putMany(): Full counts what was put of hundreds of items`, async () => {
    for (const maxsize of [127, 128, 129, 300]) {
      const queue = make({ maxsize });
      const error = await errorOf(() => queue.putMany(numbers(400), { timeout: SHORT_MS }));
      assertInstanceOf(error, Full);
      assertEquals([error.count, queue.qsize(), unfinishedOf(queue)], [maxsize, maxsize, maxsize]);
      assertEquals(drain(queue), orderOf(numbers(maxsize)));
      await assertSound(queue);
    }
  });

  test(`${name}.putMany() waits for room as often as it must`, async () => {
    const queue = make({ maxsize: 3 });
    const putting = queue.putMany(numbers(300));
    const seen: unknown[] = [];
    while (seen.length < 300) seen.push(...await queue.getMany(2));
    await putting;
    assertEquals((seen as number[]).sort((a, b) => a - b), numbers(300));
    await assertSound(queue);
  });
}

function tracking({ name, make }: QueueSuite<Queue<unknown>>): void {
  test(`${name}.taskDone() says that items are done, and join() waits for all`, async () => {
    const queue = make();
    await queue.join();
    queue.joinSync();
    queue.putManySync(numbers(4));
    const joins = [queue.join(), queue.join({ timeout: 5000 }), queue.join({ timeout: null })];
    assertEquals(waitersOf(queue, "joiners"), 3);
    for (const i of numbers(4)) {
      queue.getNowait();
      assertEquals(await stateOf(joins[0]), "pending", `after ${i}`);
      queue.taskDone();
    }
    assertEquals(await Promise.all(joins), [undefined, undefined, undefined]);
    await queue.join();
    queue.joinSync({ timeout: 0 });
    await assertSound(queue);
  });

  test(`${name}.taskDone(n) says so of n items, and of items that are still in the queue`, async () => {
    const queue = make();
    queue.putManySync(numbers(5));
    const joined = queue.join();
    queue.taskDone(4);
    assertEquals([await stateOf(joined), unfinishedOf(queue)], ["pending", 1]);
    queue.taskDone(1);
    await joined;
    assertEquals([queue.qsize(), unfinishedOf(queue)], [5, 0]);
  });

  test(`${name}.taskDone() throws RangeError when it is called too often, and changes nothing`, async () => {
    const queue = make({ name: "a" });
    const text = (n: number, unfinished: number) =>
      `Cannot call taskDone on ${name} "a" for ${n} items: ${unfinished} are unfinished`;
    assertThrows(() => queue.taskDone(), RangeError, text(1, 0));
    queue.putManySync([1, 2]);
    drain(queue);
    assertThrows(() => queue.taskDone(3), RangeError, text(3, 2));
    assertEquals(unfinishedOf(queue), 2);
    queue.taskDone(2);
    assertThrows(() => queue.taskDone(), RangeError, text(1, 0));
    await queue.join();
    await assertSound(queue);
  });

  test(`${name}.taskDone() refuses what is no whole number from 1 up`, () => {
    const queue = make();
    queue.putSync(1);
    for (const bad of [0, -1, 1.5, NaN, Infinity, "1", null, 1n]) {
      const text = `Cannot call taskDone on ${name}: n must be a whole number from 1 up, got ${
        describe(bad)
      }`;
      assertThrows(() => queue.taskDone(bad as never), RangeError, text);
    }
    assertEquals(unfinishedOf(queue), 1);
  });

  test(`${name}.join() throws TimeoutError when time is up`, async () => {
    const queue = make({ name: "a" });
    queue.putManySync([1, 2]);
    queue.getNowait();
    for (const timeout of [0, SHORT_MS]) {
      const text = `Cannot join ${name} "a" within ${timeout} ms: 2 items are unfinished`;
      assertThrows(() => queue.joinSync({ timeout }), TimeoutError, text);
      await assertRejects(() => queue.join({ timeout }), TimeoutError, text);
    }
    assertEquals(allWaitersOf(queue), NOBODY);
    queue.taskDone(2);
    queue.joinSync();
  });

  test(`${name}.join() refuses bad timeouts, also when all is done`, async () => {
    const queue = make();
    for (const [options, Class, text] of BAD_WAITS) {
      assertThrows(() => queue.joinSync(options as BlockSyncOptions), Class, text);
      await assertRejects(() => queue.join(options as BlockOptions), Class, text);
    }
  });

  test(`${name}.join() rejects with the reason of its signal`, async () => {
    const queue = make();
    queue.putSync(1);
    assertEquals(await rejectionOf(queue.join({ signal: AbortSignal.abort("early") })), "early");
    const controller = new AbortController();
    const aborted = rejectionOf(queue.join({ signal: controller.signal }));
    const other = queue.join();
    assertEquals(waitersOf(queue, "joiners"), 2);
    controller.abort("enough");
    assertEquals(await aborted, "enough");
    assertEquals(waitersOf(queue, "joiners"), 1);
    queue.taskDone();
    await other;
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: join here and in two ${elsewhere.names} in both forms ends with the last taskDone`, async () => {
      await using crew = elsewhere.crew(2);
      const queue = make();
      queue.putManySync([1, 2]);
      const joins = [
        crew.submit(tasks.joinThere, queue),
        crew.submit(tasks.joinThereSync, queue),
        queue.join(),
      ];
      await queued(queue, "joiners", 3);
      queue.taskDone();
      assertEquals(waitersOf(queue, "joiners"), 3);
      queue.taskDone();
      await Promise.all(joins);
      assertEquals(allWaitersOf(queue), NOBODY);
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.joinSync() on the main thread ends when ${elsewhere.name} reports`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      queue.putManySync([1, 2]);
      const moment = crew.whenQueued(queue, "joiners", 1);
      const reporting = crew.submit(tasks.doneWhenQueued, queue, "joiners", moment, 2);
      queue.joinSync();
      await reporting;
      await assertRejects(() => crew.submit(tasks.reportDone, queue).result(), RangeError);
    });
  }
}

function shutdown({ name, make, makeAny, orderOf }: QueueSuite<Queue<unknown>>): void {
  const textOf = (act: string): string => `Cannot ${act}: ${name} was shut down`;

  async function assertShut(queue: Queue<unknown>, calls: Record<string, () => unknown>) {
    for (const [call, run] of Object.entries(calls)) {
      const error = await errorOf(run);
      assertInstanceOf(error, ShutDown, call);
      const act = call.startsWith("get") ? "get" : "put";
      assertEquals([error.name, error.message], ["ShutDown", textOf(act)], call);
      assertEquals([ShutDown.is(error), error.count], [true, 0]);
    }
    assertEquals(allWaitersOf(queue), NOBODY);
  }

  const putsOf = (queue: Queue<unknown>, options?: BlockOptions) => ({
    put: () => queue.put(1, options),
    putSync: () => queue.putSync(1, options),
    putNowait: () => queue.putNowait(1),
    putMany: () => queue.putMany([1], options),
    putManySync: () => queue.putManySync([1], options),
  });
  const getsOf = (queue: Queue<unknown>, options?: BlockOptions) => ({
    get: () => queue.get(options),
    getSync: () => queue.getSync(options),
    getNowait: () => queue.getNowait(),
    getMany: () => queue.getMany(1, options),
    getManySync: () => queue.getManySync(1, options),
  });

  test(`${name}.shutdown(): puts throw ShutDown, gets take what is left and throw ShutDown then`, async () => {
    const queue = make({ maxsize: 3 });
    assertEquals(queue.isShutdown, false);
    queue.putManySync([1, 2, 3]);
    queue.shutdown();
    assertEquals(queue.isShutdown, true);
    for (const options of [undefined, { block: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
      await assertShut(queue, putsOf(queue, options));
    }
    assertEquals([queue.qsize(), queue.full()], [3, true]);
    const seen = [queue.getNowait(), await queue.get({ block: false }), queue.getSync()];
    assertEquals(seen, orderOf([1, 2, 3]));
    for (const options of [undefined, { block: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
      await assertShut(queue, { ...putsOf(queue, options), ...getsOf(queue, options) });
    }
    assertEquals([queue.empty(), queue.full(), unfinishedOf(queue)], [true, false, 3]);
  });

  test(`${name}: after shutdown ShutDown comes before the check of arguments`, async () => {
    const queue = makeAny();
    queue.shutdown();
    for (const timeout of [-1, NaN, "5" as never]) {
      await assertShut(queue, { ...putsOf(queue, { timeout }), ...getsOf(queue, { timeout }) });
    }
    await assertShut(queue, {
      put: () => queue.put(() => 1),
      putSync: () => queue.putSync(Symbol()),
      putNowait: () => queue.putNowait(new SharedArrayBuffer(8)),
      putManySync: () => queue.putManySync(5 as never),
      getMany: () => queue.getMany(-1),
      getManySync: () => queue.getManySync("1" as never),
    });
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.isShutdown is true everywhere, and shutdown() by ${elsewhere.name} may be repeated`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      const view = (queue.constructor as typeof Queue).from(queue.handle);
      queue.putSync(1);
      await crew.submit(tasks.shutDown, queue);
      assertEquals([queue.isShutdown, view.isShutdown], [true, true]);
      queue.shutdown();
      queue.shutdown({});
      view.shutdown({ immediate: false });
      assertEquals([queue.isShutdown, queue.qsize()], [true, 1]);
      assertEquals(await crew.submit(tasks.outcomeOfPut, queue, [1]), "ShutDown after 0");
      assertEquals(view.getNowait(), 1);
    });
  }

  test(`${name}.taskDone() and join() go on after shutdown`, async () => {
    const queue = make();
    queue.putManySync([1, 2]);
    queue.getNowait();
    const joined = queue.join();
    queue.shutdown();
    assertEquals(await stateOf(joined), "pending");
    queue.taskDone();
    queue.getNowait();
    queue.taskDone();
    await joined;
    queue.joinSync();
    assertThrows(() => queue.taskDone(), RangeError);
  });

  test(`${name}.shutdown({ immediate: true }) discards the items, and who joins goes on`, async () => {
    const queue = makeAny({ maxsize: 4 });
    queue.putManySync([1, "a", { large: "x".repeat(10_000) }]);
    const joined = queue.join();
    queue.shutdown({ immediate: true });
    await joined;
    queue.joinSync();
    assertEquals([queue.isShutdown, queue.qsize(), queue.empty()], [true, 0, true]);
    await assertShut(queue, { ...putsOf(queue), ...getsOf(queue) });
    assertThrows(() => queue.taskDone(), RangeError, "0 are unfinished");
  });

  test(`${name}.shutdown({ immediate: true }) does not forgive work in progress`, async () => {
    const queue = make();
    queue.putManySync(numbers(5));
    queue.getManySync(2);
    const joined = queue.join();
    queue.shutdown({ immediate: true });
    assertEquals([await stateOf(joined), unfinishedOf(queue)], ["pending", 2]);
    queue.taskDone();
    assertEquals(await stateOf(joined), "pending");
    queue.taskDone();
    await joined;
    assertThrows(() => queue.taskDone(), RangeError);
  });

  test(`${name}.shutdown({ immediate: true }) may follow shutdown(), never the other way round`, async () => {
    const queue = make();
    queue.putManySync([1, 2]);
    queue.shutdown();
    assertEquals(queue.qsize(), 2);
    queue.shutdown({ immediate: true });
    assertEquals([queue.qsize(), unfinishedOf(queue)], [0, 0]);
    queue.shutdown();
    queue.shutdown({ immediate: true });
    assertEquals(queue.isShutdown, true);
    await queue.join();
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.shutdown() wakes all who wait to get, here and in two ${elsewhere.names}`, async () => {
      await using crew = elsewhere.crew(2);
      const queue = make();
      const waits = [
        queue.get(),
        queue.getMany(3),
        queue.get({ timeout: 10_000 }),
        crew.submit(tasks.getOne, queue).result(),
        crew.submit(tasks.getOneSync, queue).result(),
      ].map(rejectionOf);
      await queued(queue, "getters", 5);
      queue.shutdown();
      for (const error of await Promise.all(waits)) {
        assertInstanceOf(error, ShutDown);
        assertEquals(error.message, textOf("get"));
      }
      assertEquals(allWaitersOf(queue), NOBODY);
    });
  }

  for (const immediate of [false, true]) {
    for (const elsewhere of ELSEWHERE) {
      test(`${name}.shutdown({ immediate: ${immediate} }) wakes all who wait to put, here and in two ${elsewhere.names}, with ShutDown even if there is room then`, async () => {
        await using crew = elsewhere.crew(2);
        const queue = make({ maxsize: 2 });
        queue.putManySync([1, 2]);
        const waits = [
          queue.put(3),
          queue.put(4, { timeout: 10_000 }),
          queue.putMany([5, 6]),
          crew.submit(tasks.putOne, queue, 7).result(),
          crew.submit(tasks.putOneSync, queue, 8).result(),
        ].map(rejectionOf);
        await queued(queue, "putters", 5);
        queue.shutdown({ immediate });
        assertEquals(drain(queue), immediate ? [] : orderOf([1, 2]));
        for (const error of await Promise.all(waits)) {
          assertInstanceOf(error, ShutDown);
          assertEquals([error.message, error.count], [textOf("put"), 0]);
        }
        assertEquals([queue.qsize(), unfinishedOf(queue)], [0, immediate ? 0 : 2]);
        assertEquals(allWaitersOf(queue), NOBODY);
      });
    }
  }

  test(`${name}: a put woken by a get puts nothing when the queue is shut down first`, async () => {
    const queue = make({ maxsize: 1 });
    queue.putSync(1);
    const waiting = rejectionOf(queue.put(2));
    queue.getNowait();
    queue.shutdown();
    assertInstanceOf(await waiting, ShutDown);
    assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [0, 1, NOBODY]);
  });

  test(`${name}: a get woken by a put takes the item though the queue is shut down first`, async () => {
    const queue = make();
    const waits = [queue.get(), rejectionOf(queue.get())];
    queue.putSync(1);
    queue.shutdown();
    assertEquals(await waits[0], 1);
    assertInstanceOf(await waits[1], ShutDown);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.putMany(): ShutDown says how many were put before, here and in ${elsewhere.name}`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make({ maxsize: 3 });
      const waiting = rejectionOf(queue.putMany(numbers(300)));
      assertEquals([queue.qsize(), waitersOf(queue, "putters")], [3, 1]);
      const blocked = crew.submit(tasks.outcomeOfPut, queue, [1]);
      await queued(queue, "putters", 2);
      queue.shutdown();
      const error = await waiting;
      assertInstanceOf(error, ShutDown);
      assertEquals([error.count, unfinishedOf(queue)], [3, 3]);
      assertEquals(await blocked, "ShutDown after 0");
      assertEquals(drain(queue), orderOf([0, 1, 2]));
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${name}.putManySync(): ShutDown says how many were put before, in ${elsewhere.name} and here`, async () => {
      await using crew = elsewhere.crew(1);
      const there = make({ maxsize: 200 });
      const blocked = crew.submit(tasks.outcomeOfPut, there, numbers(300));
      await queued(there, "putters");
      there.shutdown();
      assertEquals(await blocked, "ShutDown after 200");
      const here = make({ maxsize: 2 });
      const moment = crew.whenQueued(here, "putters", 1);
      const shutting = crew.submit(tasks.shutDownWhenQueued, here, "putters", moment);
      const error = assertThrows(() => here.putManySync([1, 2, 3]), ShutDown);
      assertEquals(error.count, 2);
      await shutting;
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: main blocked in putSync or getSync is woken by the shutdown of ${elsewhere.name}`, async () => {
      await using crew = elsewhere.crew(1);
      const full = make({ maxsize: 1 });
      full.putSync(1);
      const first = crew.submit(
        tasks.shutDownWhenQueued,
        full,
        "putters",
        crew.whenQueued(full, "putters", 1),
      );
      assertThrows(() => full.putSync(2), ShutDown, textOf("put"));
      const empty = make();
      const second = crew.submit(
        tasks.shutDownWhenQueued,
        empty,
        "getters",
        crew.whenQueued(empty, "getters", 1),
      );
      assertThrows(() => empty.getSync(), ShutDown, textOf("get"));
      await Promise.all([first, second]);
    });
  }
}

function iteration({ name, make, orderOf }: QueueSuite<Queue<unknown>>): void {
  test(`${name}: for await takes items until the queue is shut down and empty`, async () => {
    const queue = make();
    queue.putManySync([1, 2]);
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const item of queue) seen.push(item);
    })();
    await queued(queue, "getters");
    assertEquals(seen, orderOf([1, 2]));
    queue.putSync(3);
    await queued(queue, "getters");
    queue.putManySync([4, 5]);
    queue.shutdown();
    await loop;
    assertEquals(seen, [...orderOf([1, 2]), 3, ...orderOf([4, 5])]);
    assertEquals(allWaitersOf(queue), NOBODY);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: for takes items, and ends when ${elsewhere.name} has shut the queue down and it is empty`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      queue.putManySync([1, 2]);
      const moment = crew.whenQueued(queue, "getters", 1);
      const shutting = crew.submit(tasks.shutDownWhenQueued, queue, "getters", moment);
      assertEquals([...queue], orderOf([1, 2]));
      await shutting;
      assertEquals([...queue], []);
    });
  }

  test(`${name}: a loop over a queue that is shut down already takes the rest`, async () => {
    for (const immediate of [false, true]) {
      const queue = make();
      queue.putManySync([1, 2, 3]);
      queue.shutdown({ immediate });
      const seen: unknown[] = [];
      for await (const item of queue) seen.push(item);
      assertEquals(seen, immediate ? [] : orderOf([1, 2, 3]));
    }
  });

  test(`${name}: leaving a loop takes no further item`, async () => {
    const queue = make();
    queue.putManySync([1, 2, 3, 4]);
    const order = orderOf([1, 2, 3, 4]);
    for await (const item of queue) {
      assertEquals(item, order[0]);
      break;
    }
    for (const item of queue) {
      assertEquals(item, order[1]);
      break;
    }
    await assertRejects(async () => {
      for await (const _ of queue) throw new RangeError("mine");
    }, RangeError);
    await turns();
    assertEquals([queue.qsize(), allWaitersOf(queue)], [1, NOBODY]);
    assertEquals(queue.getNowait(), order[3]);
    await assertSound(queue);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name}: loops in two ${elsewhere.names} and here share the items, each once`, async () => {
      await using crew = elsewhere.crew(2);
      const queue = make({ maxsize: 10 });
      const items = numbers(elsewhere.rounds(1000));
      const loops = [
        crew.submit(tasks.takeAll, queue),
        crew.submit(tasks.takeAllSync, queue),
        tasks.takeAll(queue),
      ];
      await queue.putMany(items);
      await queue.join();
      queue.shutdown();
      const seen = (await Promise.all(loops)).flat() as number[];
      assertEquals(seen.sort((a, b) => a - b), items);
      assertEquals([unfinishedOf(queue), allWaitersOf(queue)], [0, NOBODY]);
    });
  }
}
