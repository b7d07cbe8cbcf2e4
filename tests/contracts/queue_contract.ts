/** What all four classes of queues promise alike. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import {
  type BlockOptions,
  type BlockSyncOptions,
  Empty,
  type Handle,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";
import { Lock } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import {
  allWaitersOf,
  type AnyQueue,
  assertSound,
  BAD_BLOCKS,
  drain,
  errorOf,
  GETS,
  jsonCopy,
  LEAST_BYTES,
  NOBODY,
  numbers,
  PUTS,
  queued,
  type QueueSuite,
  rejectionOf,
  SHORT_MS,
  stateOf,
  throughChannel,
  turns,
  unfinishedOf,
  waitersOf,
} from "../queue/_support.ts";
import * as tasks from "../queue/fixtures/queue_tasks.ts";
import { ELSEWHERE, type Elsewhere } from "./elsewhere.ts";
import { BAD_WAITS } from "./lock_suite.ts";

/** Ways to take an item that accept options. */
const WAITS: Record<string, (queue: AnyQueue<unknown>, options?: BlockOptions) => unknown> = {
  "get()": (queue, options) => queue.get(options),
  "getSync()": (queue, options) => queue.getSync(options),
  "getMany()": async (queue, options) => (await queue.getMany(1, options))[0],
  "getManySync()": (queue, options) => queue.getManySync(1, options)[0],
};

/** Shapes of a task's arguments in which queues are found. */
const SHAPES: Record<string, (queues: unknown[]) => unknown> = {
  "an array": (queues) => queues,
  "an object": (queues) => ({ other: 1, ...queues }),
  "a nested object": (queues) => ({ nested: { other: [1], queues } }),
  "a map": (queues) => new Map<string, unknown>([["other", 1], ["queues", queues]]),
  "a set": (queues) => new Set([queues]),
  "all of them": (queues) => new Set([{ nested: [new Map([["queues", [[queues]]]])] }]),
};

/** Registers the tests of what all four classes promise. */
export function queueContract(suite: QueueSuite): void {
  puttingAndGetting(suite);
  emptyQueues(suite);
  abortedGets(suite);
  several(suite);
  namesAndHandles(suite);
  for (const elsewhere of ELSEWHERE) crossing(suite, elsewhere);
}

function puttingAndGetting({ name, make, makeAny, orderOf }: QueueSuite): void {
  test(`${name}() is empty`, async () => {
    const queue = make();
    assertEquals([queue.qsize(), queue.empty(), queue.name], [0, true, undefined]);
    await assertSound(queue);
  });

  for (const [get, take] of Object.entries(GETS)) {
    test(`${name}.${get} gives what any form put`, async () => {
      const queue = make();
      for (const [i, put] of Object.values(PUTS).entries()) {
        assertEquals(await put(queue, i), undefined);
        assertEquals([queue.qsize(), queue.empty()], [1, false]);
        assertEquals(await take(queue), i);
        assertEquals([queue.qsize(), queue.empty()], [0, true]);
      }
      await assertSound(queue);
    });
  }

  for (const [put, doPut] of Object.entries(PUTS)) {
    test(`${name}.${put} has the item in the queue when it returns, also as a promise`, async () => {
      const queue = make();
      const later = doPut(queue, 1);
      assertEquals(queue.qsize(), 1);
      assertEquals(queue.getNowait(), 1);
      await later;
    });

    test(`${name}.${put} clones: a change made afterwards is not seen`, async () => {
      const queue = makeAny();
      const item = { list: [1], bytes: Uint8Array.of(1), map: new Map([["a", 1]]) };
      const later = doPut(queue, item);
      item.list.push(2);
      item.bytes[0] = 2;
      item.map.clear();
      await later;
      const copy = queue.getNowait() as typeof item;
      assertEquals(copy, { list: [1], bytes: Uint8Array.of(1), map: new Map([["a", 1]]) });
      copy.list.push(3);
      assertEquals(item.list, [1, 2]);
      await assertSound(queue);
    });

    test(`${name}.${put}: items of a plain loop come in the class's order`, async () => {
      const queue = make();
      for (const i of numbers(50)) await doPut(queue, i);
      assertEquals(queue.qsize(), 50);
      assertEquals(drain(queue), orderOf(numbers(50)));
    });

    test(`${name}.${put} throws what a getter in the item throws, and the queue is as it was`, async () => {
      const queue = makeAny();
      await doPut(queue, "before");
      const error = new Error("mine");
      const item = {
        large: "x".repeat(10_000),
        get bad(): never {
          throw error;
        },
      };
      assertEquals(await errorOf(() => doPut(queue, item)), error);
      assertEquals([queue.qsize(), unfinishedOf(queue)], [1, 1]);
      assertEquals(queue.getNowait(), "before");
      await assertSound(queue);
    });
  }

  test(`${name}: a getter in an item may put and take`, async () => {
    const queue = makeAny();
    const taken: unknown[] = [];
    const item = {
      before: [1, "a"],
      get inner(): number {
        queue.putSync({ from: "getter" });
        taken.push(queue.getSync());
        queue.putManySync(["x", "y"]);
        taken.push(...drain(queue).sort());
        return 7;
      },
      after: "z",
    };
    queue.putSync(item);
    await queue.putMany([item]);
    const copy = { before: [1, "a"], inner: 7, after: "z" };
    // The second has taken the first.
    assertEquals(taken.length, 7);
    assertEquals(drain(queue), [copy]);
    await assertSound(queue);
  });
}

function emptyQueues({ name, make }: QueueSuite): void {
  for (const [get, take] of Object.entries(WAITS)) {
    test(`${name}.${get} throws Empty where it may not wait, or time is up`, async () => {
      const queue = make({ name: "downloads" });
      const text = `Cannot get: ${name} "downloads" is empty`;
      const vain = [{ block: false }, { timeout: 0 }, { timeout: SHORT_MS }, {
        block: true,
        timeout: 0,
      }];
      for (const options of vain) {
        const error = await errorOf(() => take(queue, options));
        assertInstanceOf(error, Empty);
        assertEquals([error.name, error.message, Empty.is(error)], ["Empty", text, true]);
        assertEquals(allWaitersOf(queue), NOBODY);
      }
      await assertSound(queue);
    });

    test(`${name}.${get} ignores the timeout with block: false`, async () => {
      const queue = make();
      for (const timeout of [5, -1, NaN, null, "5" as never]) {
        assertInstanceOf(await errorOf(() => take(queue, { block: false, timeout })), Empty);
        queue.putSync(1);
        assertEquals(await take(queue, { block: false, timeout }), 1);
      }
    });

    test(`${name}.${get} refuses bad arguments and takes nothing, also when there is an item`, async () => {
      const queue = make();
      for (const items of [[], [1]]) {
        queue.putManySync(items);
        for (const [options, Class, text] of [...BAD_WAITS, ...BAD_BLOCKS]) {
          const error = await errorOf(() => take(queue, options as BlockOptions));
          assertInstanceOf(error, Class);
          assert(error.message.includes(text), error.message);
          assertEquals(queue.qsize(), items.length);
        }
      }
      assertEquals([queue.getNowait(), allWaitersOf(queue)], [1, NOBODY]);
    });

    test(`${name}.${get} with an item there takes it whatever the timeout`, async () => {
      const queue = make();
      const all = [
        undefined,
        {},
        { timeout: 0 },
        { timeout: null },
        { timeout: undefined },
        {
          timeout: Infinity,
        },
        { block: true },
        { block: undefined },
      ];
      for (const options of all) {
        queue.putSync(1);
        assertEquals(await take(queue, options), 1);
      }
    });
  }

  test(`${name}.getNowait() throws Empty`, async () => {
    const queue = make();
    assertThrows(() => queue.getNowait(), Empty, `Cannot get: ${name} is empty`);
    await assertSound(queue);
  });

  for (const timeout of [undefined, null, Infinity]) {
    test(`${name}.get() waits for ever with timeout: ${timeout}`, async () => {
      const queue = make();
      const waiting = queue.get({ timeout });
      const several = queue.getMany(2, { timeout });
      assertEquals(waitersOf(queue, "getters"), 2);
      assertEquals([await stateOf(waiting), await stateOf(several)], ["pending", "pending"]);
      queue.putSync(1);
      assertEquals(await waiting, 1);
      queue.putSync(2);
      assertEquals(await several, [2]);
      await assertSound(queue);
    });
  }
}

function abortedGets({ name, make }: QueueSuite): void {
  for (const get of ["get", "getMany"] as const) {
    const take = (queue: AnyQueue<unknown>, options: BlockOptions): Promise<unknown> =>
      get === "get" ? queue.get(options) : queue.getMany(1, options);

    test(`${name}.${get}() rejects with the reason of a signal that was aborted before, and takes nothing`, async () => {
      const queue = make();
      queue.putSync(1);
      for (const reason of ["enough", new RangeError("mine")]) {
        const signal = AbortSignal.abort(reason);
        assertEquals(await rejectionOf(take(queue, { signal })), reason);
        assertEquals([queue.qsize(), allWaitersOf(queue)], [1, NOBODY]);
      }
      queue.getNowait();
      await assertSound(queue);
    });

    test(`${name}.${get}() rejects when its signal aborts, and the next item goes to the next one`, async () => {
      const queue = make();
      const controller = new AbortController();
      const aborted = rejectionOf(take(queue, { signal: controller.signal }));
      const timed = rejectionOf(take(queue, { timeout: SHORT_MS }));
      const next = queue.get();
      assertEquals(waitersOf(queue, "getters"), 3);
      controller.abort("enough");
      assertEquals(waitersOf(queue, "getters"), 2);
      assertEquals(await aborted, "enough");
      assertInstanceOf(await timed, Empty);
      assertEquals(waitersOf(queue, "getters"), 1);
      queue.putSync(1);
      assertEquals(await next, 1);
      await assertSound(queue);
    });

    test(`${name}.${get}(): a signal that aborts right after the put loses no item`, async () => {
      const queue = make();
      const controller = new AbortController();
      const aborted = take(queue, { signal: controller.signal })
        .then((value) => [value].flat()[0], (error) => error);
      const next = queue.get({ timeout: 5000 });
      queue.putSync(1);
      controller.abort("enough");
      queue.putSync(2);
      const seen = [await aborted, await next];
      if (seen[0] === "enough") seen[0] = queue.getNowait();
      assertEquals((seen as number[]).sort(), [1, 2]);
      await assertSound(queue);
    });

    test(`${name}.${get}() leaves the signal alone once it has an item`, async () => {
      const queue = make();
      const controller = new AbortController();
      const waiting = take(queue, { signal: controller.signal, timeout: 5000 });
      queue.putSync(1);
      assertEquals([await waiting].flat(), [1]);
      controller.abort();
      await turns();
      await assertSound(queue);
    });
  }
}

function several({ name, make, makeAny, orderOf }: QueueSuite): void {
  test(`${name}.getMany() gives up to so many, at least one, in order`, async () => {
    const queue = make();
    await queue.putMany(numbers(10));
    const order = orderOf(numbers(10));
    assertEquals(await queue.getMany(4), order.slice(0, 4));
    assertEquals(queue.getManySync(1), order.slice(4, 5));
    assertEquals(queue.getManySync(100), order.slice(5));
    assertThrows(() => queue.getManySync(100, { block: false }), Empty);
    queue.putSync(1);
    assertEquals(await queue.getMany(Infinity), [1]);
    await assertSound(queue);
  });

  test(`${name}.getMany() waits for the first only`, async () => {
    const queue = make();
    const waiting = queue.getMany(10);
    assertEquals(waitersOf(queue, "getters"), 1);
    queue.putManySync([1, 2, 3]);
    assertEquals(await waiting, orderOf([1, 2, 3]));
    await assertSound(queue);
  });

  test(`${name}.getMany() gives all there is of more than 128 small items`, async () => {
    const queue = make();
    queue.putManySync(numbers(300));
    assertEquals(queue.getManySync(1000), orderOf(numbers(300)));
    await assertSound(queue);
  });

  test(`${name}.getMany() refuses what is no number from 1 up, and takes nothing`, async () => {
    const queue = make();
    queue.putSync(1);
    for (const bad of [0, -1, NaN, -Infinity, 0.5]) {
      const text = `Cannot get from ${name}: expected a whole number from 1 up, got ${
        describe(bad)
      }`;
      assertThrows(() => queue.getManySync(bad), RangeError, text);
      await assertRejects(() => queue.getMany(bad), RangeError, text);
    }
    for (const bad of ["1", null, undefined, {}, 1n]) {
      const text = `Cannot get from ${name}: expected a number of items, got ${describe(bad)}`;
      assertThrows(() => queue.getManySync(bad as never), TypeError, text);
      await assertRejects(() => queue.getMany(bad as never), TypeError, text);
    }
    assertEquals(queue.getNowait(), 1);
    await assertSound(queue);
  });

  test(`${name}.getMany() never gives more than it was asked for, also of a fraction`, () => {
    const queue = make();
    queue.putManySync([1, 2, 3]);
    try {
      assertEquals(queue.getManySync(1.5).length, 1);
    } catch (error) {
      assertInstanceOf(error, RangeError);
    }
  });

  test(`${name}.putMany() takes any iterable, once, also an empty one`, async () => {
    const queue = make();
    await queue.putMany(new Set([1, 2]));
    queue.putManySync((function* () {
      yield 3;
      yield 4;
    })());
    await queue.putMany(Int8Array.of(5));
    await queue.putMany([]);
    queue.putManySync(new Map().values());
    assertEquals(drain(queue), orderOf([1, 2, 3, 4, 5]));
    await assertSound(queue);
  });

  test(`${name}.putMany() puts more than 128 items, and more than 8192 words`, async () => {
    const queue = makeAny();
    const items: unknown[] = [];
    for (const i of numbers(1000)) items.push(i, { i }, `${i}`.repeat(i % 50));
    for (const i of numbers(20)) items.push("y".repeat(3000) + i, "z".repeat(20_000) + i);
    await queue.putMany(items);
    assertEquals(queue.qsize(), items.length);
    const inOrder = name === "LifoQueue" ? items.toReversed() : items;
    assertEquals(drain(queue), inOrder);
    queue.putManySync(items);
    const seen: unknown[] = [];
    while (!queue.empty()) {
      const some = queue.getManySync(items.length);
      assert(some.length > 0);
      seen.push(...some);
    }
    assertEquals(seen, inOrder);
    await assertSound(queue);
  });

  test(`${name}.putMany() puts nothing when one item cannot be sent, wherever it is`, async () => {
    const bad = () => 1;
    for (const at of [0, 1, 127, 128, 200, 300]) {
      const queue = makeAny();
      queue.putSync("before");
      const items: unknown[] = numbers(300);
      items.splice(at, 0, { bad });
      for (
        const error of await Promise.all([
          errorOf(() => queue.putMany(items)),
          errorOf(() => queue.putManySync(items)),
        ])
      ) {
        assertInstanceOf(error, DOMException);
        assertEquals(error.name, "DataCloneError");
      }
      assertEquals([queue.qsize(), unfinishedOf(queue)], [1, 1]);
      assertEquals(queue.getNowait(), "before");
      await assertSound(queue);
    }
  });

  test(`${name}.putMany() puts nothing when the iterable throws, or is none`, async () => {
    const queue = make();
    let isClosed = false;
    function* failing(): Generator<number> {
      try {
        yield* numbers(200);
        throw new RangeError("mine");
      } finally {
        isClosed = true;
      }
    }
    await assertRejects(() => queue.putMany(failing()), RangeError, "mine");
    assertThrows(() => queue.putManySync(failing()), RangeError, "mine");
    assertEquals(isClosed, true);
    for (const bad of [5, null, undefined, {}]) {
      await assertRejects(() => queue.putMany(bad as never), TypeError);
      assertThrows(() => queue.putManySync(bad as never), TypeError);
    }
    assertEquals(unfinishedOf(queue), 0);
    await assertSound(queue);
  });

  test(`${name}.putMany(): an iterable may put and take itself`, async () => {
    const queue = makeAny();
    function* nesting(): Generator<string> {
      yield "a";
      queue.putManySync(["inner", { inner: true }]);
      queue.getManySync(2);
      yield "b";
    }
    await queue.putMany(nesting());
    queue.putManySync(nesting());
    assertEquals((drain(queue) as unknown[]).length, 4 - 2 + 2);
    await assertSound(queue);
  });
}

function namesAndHandles({ name, make, from, orderOf }: QueueSuite): void {
  test(`${name}.name is what it was given, also elsewhere`, async () => {
    const queue = make({ name: "downloads" });
    assertEquals([queue.name, from(queue.handle).name], ["downloads", "downloads"]);
    assertEquals(from(await throughChannel(queue.handle)).name, "downloads");
  });

  test(`${name}() refuses names and capacities that are none`, () => {
    const act = `Cannot make ${name}: `;
    for (const bad of [5, null, {}]) {
      const text = `${act}name must be a string, got ${describe(bad)}`;
      assertThrows(() => make({ name: bad as never }), TypeError, text);
    }
    for (const bad of ["5", null, 5n]) {
      const text = `${act}capacityBytes must be a number, got ${describe(bad)}`;
      assertThrows(() => make({ capacityBytes: bad as never }), TypeError, text);
    }
    for (const bad of [0, -1, LEAST_BYTES - 1, 2 ** 30 + 1, NaN, Infinity]) {
      const text = `${act}capacityBytes must be from ${LEAST_BYTES} to ${2 ** 30}, got ${bad}`;
      assertThrows(() => make({ capacityBytes: bad }), RangeError, text);
    }
  });

  test(`${name}.from() gives a view of the same items, and changes nothing`, async () => {
    const queue = make();
    queue.putManySync([1, 2, 3]);
    const views = [from(queue.handle), from(await throughChannel(queue.handle))];
    assertEquals(views.map((view) => view.qsize()), [3, 3]);
    const [first, second, third] = orderOf([1, 2, 3]);
    assertEquals([views[0].getNowait(), queue.getNowait()], [first, second]);
    assertEquals(await views[1].get(), third);
    const waiting = views[0].get();
    assertEquals([waitersOf(queue, "getters"), waitersOf(views[1], "getters")], [1, 1]);
    views[1].putSync(4);
    assertEquals(await waiting, 4);
    for (const view of [queue, ...views, from(from(queue.handle).handle)]) await assertSound(view);
  });

  test(`${name}.from() refuses what is no handle of its kind`, async () => {
    const queue = make();
    const refused = (bad: unknown, text: string): void => {
      assertThrows(() => from(bad as Handle), TypeError, `Cannot rebuild ${name}: ${text}`);
    };
    refused(null, 'expected a handle, got null; pass its "handle"');
    refused(undefined, "expected a handle, got undefined");
    refused(5, "expected a handle, got 5");
    refused({}, "expected a handle, got Object");
    refused(queue, 'expected a handle, got the object itself; pass its "handle"');
    refused(new Lock().handle, `expected a handle of kind "${name}", got one of "Lock"`);
    for (const other of [new Queue(), new SimpleQueue()]) {
      const { kind } = other.handle;
      if (kind === name) continue;
      refused(other.handle, `expected a handle of kind "${name}", got one of "${kind}"`);
    }
    const noMemory = "the handle holds no shared memory; was it copied as JSON?";
    refused(jsonCopy(queue.handle), noMemory);
    refused({ kind: name }, noMemory);
    refused({ kind: name, data: null }, noMemory);
    await assertSound(queue);
  });

  test(`${name} shows its kind in logs`, () => {
    const queue = make();
    assertEquals(Object.prototype.toString.call(queue), `[object ${name}]`);
    assertEquals(queue.handle.kind, name);
  });
}

function crossing({ name, make, orderOf }: QueueSuite, elsewhere: Elsewhere): void {
  test(`${name} crosses to ${elsewhere.name} in arguments, wherever in them it is`, async () => {
    await using crew = elsewhere.crew(1);
    for (const [shape, wrap] of Object.entries(SHAPES)) {
      const queues = [make({ name: "a" }), make()];
      queues[0].putManySync([1, 2]);
      const described = await crew.submit(tasks.describe, wrap(queues), queues[0]);
      assertEquals(described, [[name, "a", 2], [name, undefined, 0], [name, "a", 2]], shape);
      assertEquals(await crew.submit(tasks.exchange, wrap(queues)), [orderOf([1, 2]), []], shape);
      assertEquals(queues.map((queue) => queue.getNowait()), [-1, -1]);
      await assertSound(queues[0]);
    }
  });

  test(`${name} crosses back in the result of a task from ${elsewhere.name}`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = make({ name: "a" });
    const { nested: [back] } = await crew.submit(tasks.sendBack, { nested: [queue] });
    assertInstanceOf(back, queue.constructor as typeof Queue);
    back.putSync(1);
    assertEquals([back.name, queue.getNowait()], ["a", 1]);
    await assertSound(queue);
  });

  test(`${name}: what ${elsewhere.name} puts is taken here and what is put here is taken there, in order`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = make();
    for (const put of [tasks.putEach, tasks.putTogether, tasks.putTogetherSync]) {
      await crew.submit(put as typeof tasks.putEach, queue, numbers(300));
      assertEquals(drain(queue), orderOf(numbers(300)));
    }
    queue.putManySync(numbers(300));
    assertEquals(await crew.submit(tasks.getSome, queue, 300), orderOf(numbers(300)));
    await assertSound(queue);
  });

  for (const get of [tasks.getOne, tasks.getOneSync]) {
    test(`${name}: ${get.name} in ${elsewhere.name} waits until the main thread puts`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      const take = get as (queue: AnyQueue<unknown>, options?: BlockSyncOptions) => unknown;
      for (const options of [{ block: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
        const error = await rejectionOf(crew.submit(take, queue, options).result());
        assertInstanceOf(error, Empty);
        assertEquals(error.message, `Cannot get: ${name} is empty`);
      }
      const waiting = crew.submit(take, queue);
      await queued(queue, "getters");
      queue.putSync(7);
      assertEquals(await waiting, 7);
      await assertSound(queue);
    });
  }

  for (const form of ["get()", "getSync()", "getMany()", "getManySync()"]) {
    test(`${name}.${form} on the main thread waits until ${elsewhere.name} puts`, async () => {
      await using crew = elsewhere.crew(1);
      const queue = make();
      for (const i of numbers(3)) {
        const moment = crew.whenQueued(queue, "getters", 1);
        const putting = crew.submit(tasks.putWhenQueued, queue, "getters", moment, [i]);
        assertEquals(await WAITS[form](queue), i);
        await putting;
      }
      await assertSound(queue);
    });
  }
}
