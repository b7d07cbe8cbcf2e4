/**
 * The cores of queues: what a stub of one needs, so that a queue of another process can be used
 * through the same classes.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  type Core,
  isRemoteData,
  methodsOf,
  openCore,
  type RemoteData,
  setRemoteCores,
} from "../../_memory/core.ts";
import { Doorbell } from "../../_memory/doorbell.ts";
import { home, type Limits, Seat } from "../../_memory/seat.ts";
import { NEVER, nowMs } from "../../_platform/clock.ts";
import { LocalQueueCore, type QueueCore } from "../../queue/_core.ts";
import {
  Empty,
  Full,
  LifoQueue,
  LostItemsError,
  PriorityQueue,
  Queue,
  ShutDown,
  SimpleQueue,
} from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { type AnyQueue, BOUNDED, errorOf, numbers, SHORT_MS, SUITES } from "./_support.ts";

type Call = (...args: unknown[]) => unknown;

/** The cores that are used through stubs, by the identifier in their handles. */
const CORES = new Map<string, Core>();
/** The calls that stubs have received since this was last emptied. */
const calls: string[] = [];

setRemoteCores((_kind, data) => stubOf(CORES.get(data.remote)!, data));

/**
 * Stands for a core as if that were elsewhere: names of methods, arguments and results are sent as
 * clones.
 */
function stubOf(core: Core, data: RemoteData): Core {
  return new Proxy({} as Core, {
    get(_, property) {
      if (property === "data") return data;
      if (property === "name") return data.name;
      calls.push(String(property));
      const method = (core as unknown as Record<PropertyKey, unknown>)[property];
      assert(typeof method === "function", `${String(property)} is no method`);
      return (...args: unknown[]): unknown => {
        const result = (method as Call).apply(core, args.map(cloned));
        return result instanceof Promise ? result.then(structuredClone) : structuredClone(result);
      };
    },
  });
}

/** An argument as it arrives on the other side. A signal is passed on, not cloned. */
function cloned(arg: unknown): unknown {
  const { signal, ...rest } = (arg ?? {}) as Partial<Limits>;
  return signal instanceof AbortSignal
    ? { ...structuredClone(rest), signal }
    : structuredClone(arg);
}

/** A queue as another process sees it. */
function moved<Q extends AnyQueue<unknown>>(queue: Q, from: (handle: Q["handle"]) => Q): Q {
  const { kind, data } = queue.handle;
  const remote = String(CORES.size);
  CORES.set(remote, openCore(kind, data));
  const { name } = queue;
  return from({ kind, data: name === undefined ? { remote } : { remote, name } });
}

/** Fails unless a public call makes exactly this one call of the core. */
async function assertCalls<R>(expected: string, call: () => R): Promise<Awaited<R>> {
  calls.length = 0;
  try {
    return await call();
  } finally {
    assertEquals(calls.splice(0), [expected], `${call}`);
  }
}

/** Like {@linkcode assertCalls}, for a call that must fail. */
async function assertFails(
  expected: string,
  Class: new (...args: never[]) => Error,
  call: () => unknown,
): Promise<void> {
  assertInstanceOf(await assertCalls(expected, () => errorOf(call)), Class, `${call}`);
}

/** Options that do not wait. */
const VAIN = [{ block: false }, { timeout: 0 }];

for (const { name, make, from, orderOf } of SUITES) {
  test(`${name} elsewhere: each call is one call of the core`, async () => {
    calls.length = 0;
    const queue = moved(make({ name: "jobs" }), from);
    assertEquals([queue.name, queue.handle.kind, isRemoteData(queue.handle.data)], [
      "jobs",
      name,
      true,
    ]);
    const again = from(queue.handle);
    assertEquals(calls, []); // Making a queue is no call.
    const isSimple = name === "SimpleQueue";
    const form = (method: string, simple: string): string => isSimple ? simple : method;

    await assertCalls(form("put", "tryPut"), () => queue.put(1));
    await assertCalls(form("putSync", "tryPut"), () => queue.putSync(2));
    await assertCalls("tryPut", () => queue.putNowait(3));
    await assertCalls(form("putMany", "tryPutMany"), () => queue.putMany(numbers(300)));
    await assertCalls(form("putManySync", "tryPutMany"), () => queue.putManySync(new Set([4, 5])));
    assertEquals(await assertCalls("qsize", () => again.qsize()), 305);
    assertEquals(await assertCalls("qsize", () => queue.empty()), false);

    const all = orderOf([1, 2, 3, ...numbers(300), 4, 5]);
    if (name === "PriorityQueue") all.sort((a, b) => a - b);
    assertEquals(await assertCalls("get", () => queue.get()), all.shift());
    assertEquals(await assertCalls("getSync", () => queue.getSync()), all.shift());
    assertEquals(await assertCalls("tryGet", () => queue.getNowait()), all.shift());
    assertEquals(await assertCalls("getMany", () => queue.getMany(200)), all.splice(0, 200));
    assertEquals(await assertCalls("getManySync", () => queue.getManySync(Infinity)), all);

    for (const options of VAIN) {
      await assertFails("tryGet", Empty, () => queue.get(options));
      await assertFails("tryGet", Empty, () => queue.getSync(options));
      await assertFails("tryGetMany", Empty, () => queue.getMany(2, options));
      await assertFails("tryGetMany", Empty, () => queue.getManySync(2, options));
    }
    const timed = { timeout: SHORT_MS };
    await assertFails("get", Empty, () => queue.get(timed));
    await assertFails("getSync", Empty, () => queue.getSync(timed));
    await assertFails("getMany", Empty, () => queue.getMany(2, timed));
    await assertFails("getManySync", Empty, () => queue.getManySync(2, timed));

    // Arguments that are refused.
    await assertFails("checkNotOver", RangeError, () => queue.get({ timeout: -1 }));
    await assertFails("checkNotOver", RangeError, () => queue.getManySync(0));
    await assertFails("checkOpen", TypeError, () => queue.putManySync(5 as never));
  });

  test(`${name} elsewhere: a wait ends by an item that comes, and by its signal`, async () => {
    const here = make();
    const queue = moved(here, from);
    const waiting = queue.get();
    here.putSync(1);
    assertEquals(await waiting, 1);
    const controller = new AbortController();
    const aborted = assertRejects(() => queue.getMany(2, { signal: controller.signal }));
    controller.abort(new Error("enough"));
    await aborted;
    here.putSync(2);
    assertEquals(await queue.getMany(2), [2]);
  });
}

for (const { name, make, from } of BOUNDED) {
  test(`${name} elsewhere: room, tracking, loops and the end are one call each`, async () => {
    const queue = moved(make({ maxsize: 2 }), from) as Queue<unknown>;
    assertEquals(await assertCalls("maxsize", () => queue.maxsize), 2);
    await assertCalls("tryPutMany", () => queue.putMany([1, 2], { block: false }));
    assertEquals(await assertCalls("isFull", () => queue.full()), true);
    for (const options of VAIN) {
      await assertFails("tryPut", Full, () => queue.put(3, options));
      await assertFails("tryPut", Full, () => queue.putSync(3, options));
      await assertFails("tryPutMany", Full, () => queue.putMany([3], options));
      await assertFails("tryPutMany", Full, () => queue.putManySync([3], options));
    }
    const timed = { timeout: SHORT_MS };
    await assertFails("put", Full, () => queue.put(3, timed));
    await assertFails("putSync", Full, () => queue.putSync(3, timed));
    await assertFails("putMany", Full, () => queue.putMany([3], timed));
    await assertFails("putManySync", Full, () => queue.putManySync([3], timed));

    await assertFails("join", Error, () => queue.join(timed));
    await assertFails("joinSync", Error, () => queue.joinSync(timed));
    await assertCalls("taskDone", () => queue.taskDone());
    await assertCalls("taskDone", () => queue.taskDone(1));
    await assertFails("taskDone", RangeError, () => queue.taskDone());
    await assertCalls("join", () => queue.join());
    await assertCalls("joinSync", () => queue.joinSync());

    await assertCalls("shutdown", () => queue.shutdown());
    assertEquals(await assertCalls("isShutdown", () => queue.isShutdown), true);
    const later = queue[Symbol.asyncIterator]();
    assertEquals((await assertCalls("get", () => later.next())).done, false);
    const now = queue[Symbol.iterator]();
    assertEquals((await assertCalls("getSync", () => now.next())).done, false);
    assertEquals((await assertCalls("get", () => later.next())).done, true);
    assertEquals((await assertCalls("getSync", () => now.next())).done, true);

    // That the queue was shut down is still checked first.
    await assertFails("put", ShutDown, () => queue.put(1));
    await assertFails("checkOpen", ShutDown, () => queue.put(1, { timeout: -1 }));
    await assertFails("checkOpen", ShutDown, () => queue.putManySync(5 as never));
    await assertFails("checkNotOver", ShutDown, () => queue.getMany(-1));
    await assertCalls("shutdown", () => queue.shutdown({ immediate: true }));
  });
}

test("PriorityQueue elsewhere: its function is called here, and the keys go there", async () => {
  const there = new PriorityQueue<string>({ priority: (word) => word.length });
  const queue = moved(there, (handle) => PriorityQueue.from<string>(handle));
  await assertFails("putSync", Error, () => queue.putSync("one"));
  await assertCalls("sortByKeys", () => queue.priority = (word) => -word.length);
  await assertCalls("put", () => queue.put("one"));
  await assertCalls("putManySync", () => queue.putManySync(["a", "three"]));
  await assertCalls("tryPut", () => queue.putNowait("four"));
  assertEquals(there.getManySync(9), ["three", "four", "one", "a"]);
  const error = new Error("mine");
  queue.priority = () => {
    throw error;
  };
  assertEquals(await assertCalls("checkOpen", () => errorOf(() => queue.put("a"))), error);
  assertEquals(there.qsize(), 0);
});

test("Queue.from() refuses data that stand for no queue, here or elsewhere", () => {
  for (const Class of [Queue, LifoQueue, PriorityQueue, SimpleQueue]) {
    const kind = new Class().handle.kind;
    assertThrows(() => Class.from({ kind, data: { remote: 5 } }), TypeError, "shared memory");
  }
});

test("QueueCore has methods only, and each that may wait in two forms", () => {
  const properties = Object.getOwnPropertyDescriptors(LocalQueueCore.prototype);
  const { constructor: _, data: __, ...methods } = properties;
  for (const [name, { value }] of Object.entries(methods)) {
    assert(typeof value === "function", name);
  }
  for (const { name } of SUITES) {
    const waiting = methodsOf(name).waiting;
    for (const method of waiting) assert(`${method}Sync` in methods, method);
    const blocking = Object.keys(methods).filter((method) => method.endsWith("Sync"));
    assertEquals(blocking.sort(), waiting.map((method) => `${method}Sync`).sort());
  }
});

/** The outcome of a call: its result, or its error. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    const { name, message, count } = error as Error & { count?: number };
    return { name, message, count };
  }
}

/** Queues in all states that calls can meet; the calls follow, with all kinds of time limits. */
const SITUATIONS: Record<string, (queue: Queue<unknown>) => void> = {
  "empty": () => {},
  "with items": (queue) => queue.putManySync([1, { two: 2 }]),
  "full": (queue) => queue.putManySync([1, { two: 2 }, "x".repeat(9000)]),
  "shut down": (queue) => {
    queue.putSync(1);
    queue.shutdown();
  },
  "over": (queue) => queue.shutdown(),
};
const WAITS: Record<string, unknown[]> = {
  put: ["item", undefined],
  putMany: [[1, "two", 3, 4], undefined],
  get: [],
  getMany: [5],
  join: [],
};

for (const [situation, prepare] of Object.entries(SITUATIONS)) {
  for (const [method, args] of Object.entries(WAITS)) {
    test(`QueueCore.${method}() and its twin come to the same: ${situation}`, async () => {
      for (const patienceMs of [0, SHORT_MS]) {
        const outcomes: unknown[] = [];
        for (const form of [method, `${method}Sync`]) {
          const queue = new Queue<unknown>(3);
          prepare(queue);
          const core = openCore<QueueCore>("Queue", queue.handle.data) as unknown as Record<
            string,
            Call
          >;
          const deadlineMs = nowMs() + patienceMs;
          const limits = form === method ? { deadlineMs, signal: undefined } : deadlineMs;
          const outcome = await outcomeOf(() => core[form](...args, limits));
          outcomes.push([outcome, queue.qsize(), queue.isShutdown]);
        }
        assertEquals(outcomes[0], outcomes[1]);
      }
    });
  }
}

test("A queue's core acts for the seat that it was opened with: what it takes is that one's", async () => {
  const { table } = home();
  const child = new Seat(table, table.claim("child"), new Doorbell(new Int32Array(1), 0));
  const queue = new Queue<number>();
  const { buffer } = queue.handle.data as { buffer: SharedArrayBuffer };
  const core = new LocalQueueCore("Queue", {
    buffer,
    seat: child,
    name: undefined,
    isSorted: false,
  });
  queue.putManySync([1, 2, 3]);
  assertEquals([core.tryGet(), core.getSync(NEVER), queue.getNowait()], [1, 2, 3]);
  queue.taskDone();
  const joined = assertRejects(() => queue.join(), LostItemsError, "2 items were taken by threads");
  child.leave();
  await joined;
  const error = assertThrows(() => queue.joinSync(), LostItemsError, '"child"');
  assertEquals(error.count, 2);
  core.taskDone(2);
  await queue.join();
});
