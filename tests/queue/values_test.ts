/**
 * What items may be: everything that the arguments of a task may be, except what only a message can
 * carry.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import { ProcessPoolExecutor } from "../../executors/mod.ts";
import { NotShareableError, Queue, RuntimeError, SimpleQueue } from "../../queue/mod.ts";
import {
  Barrier,
  Condition,
  Event,
  Lock,
  OwnerDiedError,
  RLock,
  Semaphore,
  Value,
} from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import {
  allWaitersOf,
  assertSound,
  drain,
  errorOf,
  NOBODY,
  PUTS,
  SUITES,
  turns,
  unfinishedOf,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

shareProcesses(1);

/** Values of each kind, for which a structured clone is the model. */
const VALUES: Record<string, () => unknown[]> = {
  constants: () => [undefined, null, true, false],
  "whole numbers": () => [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 8388608],
  "other numbers": () => [-0, 0.5, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 5e-324],
  bigints: () => [0n, -1n, 2n ** 63n, -(2n ** 64n), 10n ** 500n],
  strings: () => ["", "a", "x".repeat(5000), "\xe9", "日本語", "😀".repeat(3000), "\ud800"],
  // deno-lint-ignore no-sparse-arrays
  arrays: () => [[], [1, 2], [0.5], [1, "a", null], [, 1, ,], Array(3), [[[]]]],
  "long arrays": () => [Array(20_000).fill(1.5), Array.from({ length: 5000 }, (_, i) => ({ i }))],
  objects: () => [{}, { a: 1, b: { c: [undefined] } }, JSON.parse('{"__proto__": 1}')],
  maps: () => [new Map(), new Map<unknown, unknown>([[1, { a: 1 }], ["k", new Map()]])],
  sets: () => [new Set(), new Set([1, "a"])],
  dates: () => [new Date(0), new Date(NaN)],
  "regular expressions": () => [/a/giu, /[/]\n"/],
  "boxed primitives": () => [Object(true), Object(5), Object("s"), Object(5n)],
  "array buffers": () => [new ArrayBuffer(0), Uint8Array.of(1, 2, 3).buffer],
  "typed arrays": () =>
    [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array]
      .flatMap((View) => [new View(0), View.of(1, 2, 3), new View(20_000).fill(7)]),
  "typed arrays of other numbers": () => [
    Float32Array.of(0.5),
    Float64Array.of(-0, NaN, 1e300),
    BigInt64Array.of(-5n),
    BigUint64Array.of(2n ** 63n),
    new Uint8Array(new ArrayBuffer(100), 3, 5).fill(9),
    new DataView(new ArrayBuffer(8), 2, 4),
  ],
  "cycles and shared references": () => {
    const cycle: { self?: unknown; list: unknown[] } = { list: [] };
    cycle.self = cycle;
    cycle.list.push(cycle.list);
    const part = { a: 1 };
    return [cycle, [part, part]];
  },
};

/** Errors arrive with their class, which a structured clone would lose. */
function makeErrors(): Error[] {
  return [
    new Error("plain"),
    Object.assign(new RangeError("outer", { cause: new TypeError("inner") }), { code: 5 }),
    new AggregateError([new Error("a"), "b"], "several"),
    new RuntimeError("ours"),
    new OwnerDiedError("ours"),
    new DOMException("gone", "AbortError"),
  ];
}

for (const { name, makeAny } of SUITES) {
  for (const [kind, values] of Object.entries(VALUES)) {
    test(`${name} carries ${kind}`, async () => {
      const queue = makeAny();
      for (const value of values()) {
        for (const put of Object.values(PUTS)) {
          await put(queue, value);
          const copy = queue.getSync();
          const expected = structuredClone(value);
          assertEquals(copy, expected);
          if (typeof value === "number") assert(Object.is(copy, value), `${value}`);
          if (typeof value === "object" && value !== null) {
            assert(copy !== value);
            assertStrictEquals(Object.getPrototypeOf(copy), Object.getPrototypeOf(expected));
          }
        }
      }
      const all = values();
      queue.putManySync(all);
      const seen = drain(queue);
      assertEquals(seen, structuredClone(name === "LifoQueue" ? all.toReversed() : all));
      await assertSound(queue);
    });
  }

  test(`${name} carries errors with their class, cause and own properties`, async () => {
    const queue = makeAny();
    for (const error of makeErrors()) {
      queue.putSync({ error });
      const { error: copy } = queue.getSync() as { error: Error & { code?: number } };
      assertStrictEquals(Object.getPrototypeOf(copy), Object.getPrototypeOf(error));
      assertEquals([copy.name, copy.message, copy.stack], [error.name, error.message, error.stack]);
      if (!(error instanceof RangeError)) continue;
      assertInstanceOf(copy.cause, TypeError);
      assertEquals([copy.cause.message, copy.code], ["inner", 5]);
    }
    await assertSound(queue);
  });

  test(`${name} carries instances as plain objects, and their getters as values`, async () => {
    class Point {
      x = 1;
      #y = 2;
      get y(): number {
        return this.#y;
      }
    }
    const queue = makeAny();
    queue.putSync([new Point(), {
      get z(): number {
        return 3;
      },
    }]);
    const copy = queue.getSync() as object[];
    assertEquals(copy, [{ x: 1 }, { z: 3 }]);
    assertEquals(Object.getPrototypeOf(copy[0]), Object.prototype);
    await assertSound(queue);
  });

  for (const elsewhere of ELSEWHERE) {
    test(`${name} carries every kind to ${elsewhere.name} and back`, async () => {
      await using crew = elsewhere.crew(1);
      const there = makeAny();
      for (const [kind, values] of Object.entries(VALUES)) {
        for (const value of values()) there.putSync(value);
        const seen = await crew.submit(tasks.getSome, there, values().length);
        const inOrder = name === "LifoQueue" ? values().toReversed() : values();
        assertEquals(seen, structuredClone(inOrder), kind);
      }
      await assertSound(there);
      if (name === "PriorityQueue") return; // Its function is here.
      for (const [kind, values] of Object.entries(VALUES)) {
        await crew.submit(tasks.putEach, there, values());
        const inOrder = name === "LifoQueue" ? values().toReversed() : values();
        assertEquals(drain(there), structuredClone(inOrder), kind);
      }
      await assertSound(there);
    });
  }

  // Refusals

  for (const [put, doPut] of Object.entries(PUTS)) {
    test(`${name}.${put} refuses what goes by a message only, wherever in the item it is`, async () => {
      const queue = makeAny();
      queue.putSync("before");
      const { port1, port2 } = new MessageChannel();
      const shared = new SharedArrayBuffer(8);
      const refused: [object: unknown, named: string][] = [
        [shared, "SharedArrayBuffer"],
        [new Int32Array(shared), "SharedArrayBuffer"],
        [new DataView(shared), "SharedArrayBuffer"],
        [port1, "MessagePort"],
        ...[
          new Lock(),
          new RLock(),
          new Condition(),
          new Semaphore(),
          new Event(),
          new Barrier(2),
          new Value("i32"),
          new Queue(),
          new SimpleQueue(),
          queue,
          queue.handle,
        ].map((object): [unknown, string] => [object, ""]),
      ];
      for (const [object, named] of refused) {
        const items = [
          object,
          { deep: [1, { object }] },
          new Map([["key", object]]),
          ["x".repeat(20_000), object],
        ];
        for (const item of items) {
          const error = await errorOf(() => doPut(queue, item));
          assertInstanceOf(error, NotShareableError);
          assert(NotShareableError.is(error));
          assertMatch(error.message, new RegExp(`^Cannot put into ${name}: an? ${named}`));
          const end = " goes to another thread by a message only; send it as an argument of a task";
          assert(error.message.endsWith(end), error.message);
          assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [1, 1, NOBODY]);
        }
      }
      port1.close();
      port2.close();
      await turns();
      assertEquals(queue.getNowait(), "before");
      await assertSound(queue);
    });

    test(`${name}.${put} throws DataCloneError for what cannot be cloned, and the queue is as it was`, async () => {
      const queue = makeAny();
      queue.putSync("before");
      const refused: unknown[] = [
        () => 1,
        Symbol("s"),
        new WeakMap(),
        new WeakSet(),
        new WeakRef({}),
        Promise.resolve(),
        class {},
        (function* () {})(),
      ];
      for (const value of refused) {
        for (const item of [value, { deep: [value] }, ["x".repeat(20_000), value]]) {
          const error = await errorOf(() => doPut(queue, item));
          assertInstanceOf(error, DOMException);
          assertEquals(error.name, "DataCloneError");
          assert(error.message.includes("cannot be cloned"), error.message);
          assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [1, 1, NOBODY]);
        }
      }
      assertEquals(queue.getNowait(), "before");
      await assertSound(queue);
    });
  }

  test(`${name}: an error of a lock in an item names the lock, not what it is made of`, async () => {
    const queue = makeAny();
    const objects: Record<string, object> = { Lock: new Lock(), Event: new Event(), [name]: queue };
    for (const [kind, object] of Object.entries(objects)) {
      const error = await errorOf(() => queue.putNowait([object]));
      assertInstanceOf(error, NotShareableError);
      assert(error.message.includes(` ${kind} goes to another thread`), error.message);
    }
  });
}

test("Queue: an object whose class names itself arrives plain, as structured clone has it", async () => {
  class Money {
    readonly cents = 5;
    get [Symbol.toStringTag](): string {
      return "Money";
    }
  }
  const queue = new Queue<unknown>();
  queue.putNowait([new Money()]);
  assertEquals(queue.getNowait(), structuredClone([new Money()]));
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  assertEquals(await pool.submit((value: unknown) => value, new Money()), { cents: 5 });
});

/** A program that receives objects with keys that all objects inherit, after `prepare`. */
function inheritedKeys(prepare: string): string {
  return `
    import { Queue } from "@concurrent/futures";
    const queue = new Queue();
    const keys = ["role", "constructor", "toString", "valueOf"];
    const objectOf = (keys) => Object.fromEntries(keys.map((key) => [key, "its " + key]));
    const many = Array.from({ length: 40 }, (_, i) => "k" + i);
    const values = [objectOf(keys), objectOf([...keys.slice(1), ...many])];
    values.push(Object.assign(["item"], objectOf(["constructor", "map"])));
    ${prepare}
    for (let i = 0; i < 60; i++) {
      await queue.putMany(values);
      for (const value of values) {
        const received = Object.entries(await queue.get());
        const sent = Object.entries(value);
        if (String(received) !== String(sent)) throw new Error("received " + received);
      }
    }
    console.log("all are as they were");
  `;
}

/** What a program may do to `Object.prototype`. */
const PREPARED = {
  "is frozen": "Object.freeze(Object.prototype); Object.freeze(Array.prototype);",
  "has a setter":
    `Object.defineProperty(Object.prototype, "role", { set() { throw new Error("called"); } });`,
  "has a key that is read-only":
    `Object.defineProperty(Object.prototype, "role", { value: "no role" });`,
};

for (const [what, prepare] of Object.entries(PREPARED)) {
  test(`Queue.get() returns objects with keys of Object.prototype where that ${what}`, async () => {
    const { code, stdout, stderr } = await runProgram(inheritedKeys(prepare));
    assertEquals([code, stdout.trim()], [0, "all are as they were"], stderr);
  });
}
