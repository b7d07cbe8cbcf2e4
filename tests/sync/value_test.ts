import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import { type Handle, Lock, RLock, Value, type ValueTypes } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { assertSound } from "../contracts/lock_suite.ts";
import { jsonCopy, queued, throughChannel } from "./_support.ts";
import { acquireOnceSync, holdUntilWaitedFor } from "./fixtures/lock_tasks.ts";
import { addOften, addUnderLock, exchangeValue, tryLockOf } from "./fixtures/sync_tasks.ts";

type Type = keyof ValueTypes;

shareProcesses(1, 2);

const TYPES: Type[] = ["i32", "u32", "i64", "f64"];

/** The least and the largest number of each integer type. */
const RANGES = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;

function make(type: Type, initial?: number | bigint): Value<Type> {
  return new Value<Type>(type, initial);
}

test("Value() is 0, or what it is given, in each type", () => {
  for (const type of TYPES) {
    const zero = type === "i64" ? 0n : 0;
    const seven = type === "i64" ? 7n : 7;
    assertEquals([make(type).value, make(type, seven).value], [zero, seven]);
    assertEquals(make(type, undefined).value, zero);
    assertEquals([make(type).type, make(type).name], [type, undefined]);
  }
});

test("Value.value reads what was assigned, to the ends of each range", () => {
  for (const [type, [least, most]] of Object.entries(RANGES)) {
    for (const number of [least, most]) {
      assertStrictEquals(make(type as Type, number).value, number);
      const value = make(type as Type);
      value.value = number;
      assertStrictEquals(value.value, number);
    }
  }
});

test('Value.value of "f64" keeps every number as it is', () => {
  const value = new Value("f64");
  const numbers = [
    -0,
    0,
    NaN,
    Infinity,
    -Infinity,
    0.1,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    2 ** 53,
  ];
  for (const number of numbers) {
    value.value = number;
    assert(Object.is(value.value, number), `${number}`);
    assert(Object.is(new Value("f64", number).value, number), `${number}`);
  }
});

test('Value.value of "i32" and "u32" has no -0', () => {
  for (const type of ["i32", "u32"] as const) {
    const value = new Value(type, -0);
    assert(Object.is(value.value, 0));
    assert(Object.is(value.add(-0), 0));
  }
});

test("Value() and Value.value refuse numbers that do not fit, and change nothing", () => {
  const bad: Record<"i32" | "u32", number[]> = {
    i32: [2 ** 31, -(2 ** 31) - 1, 0.5, NaN, Infinity, -Infinity],
    u32: [2 ** 32, -1, 0.5, NaN, Infinity, -Infinity],
  };
  for (const type of ["i32", "u32"] as const) {
    const value = new Value(type, 7);
    const [least, most] = RANGES[type];
    for (const number of bad[type]) {
      const text =
        `Cannot use as "${type}": expected a whole number from ${least} to ${most}, got ${number}`;
      assertThrows(() => new Value(type, number), RangeError, text);
      assertThrows(() => value.value = number, RangeError, text);
    }
    assertEquals(value.value, 7);
  }
  const value = new Value("i64", 7n);
  for (const number of [2n ** 63n, -(2n ** 63n) - 1n]) {
    const text = `Cannot use as "i64": ${number} does not fit in 64 bits`;
    assertThrows(() => new Value("i64", number), RangeError, text);
    assertThrows(() => value.value = number, RangeError, text);
    assertThrows(() => value.add(number), RangeError, text);
  }
  assertEquals(value.value, 7n);
});

test("Value() and Value.value refuse what is of another type, and change nothing", () => {
  for (const type of TYPES) {
    const isBig = type === "i64";
    const seven = isBig ? 7n : 7;
    const value = make(type, seven);
    for (const bad of [isBig ? 7 : 7n, "7", null, true, {}]) {
      const text = `Cannot use as "${type}": expected a ${isBig ? "bigint" : "number"}, got ${
        describe(bad)
      }`;
      assertThrows(() => make(type, bad as never), TypeError, text);
      assertThrows(() => value.value = bad as never, TypeError, text);
      assertThrows(() => value.add(bad as never), TypeError, text);
    }
    assertThrows(() => value.value = undefined as never, TypeError, "got undefined");
    assertThrows(() => value.add(undefined as never), TypeError, "got undefined");
    assertEquals([value.value, value.add(isBig ? 1n : 1)], [seven, isBig ? 8n : 8]);
  }
});

test("Value() refuses types that there are not", () => {
  const text = 'Cannot make Value: type must be one of "i32", "u32", "i64", "f64", got ';
  for (const type of ["i8", "", "I32", "toString", "__proto__"]) {
    assertThrows(() => make(type as Type), TypeError, `${text}"${type}"`);
  }
  for (const type of [undefined, null, 5, {}]) {
    assertThrows(() => make(type as never), TypeError, text + describe(type));
  }
  assertThrows(
    () => new Value("i32", 0, { name: 5 as never }),
    TypeError,
    "Cannot name object: expected a string, got 5",
  );
});

// add

test("Value.add() gives the new number, in each type", () => {
  for (const type of TYPES) {
    const value = make(type);
    const n = (number: number) => type === "i64" ? BigInt(number) : number;
    assertEquals([value.add(n(5)), value.value], [n(5), n(5)]);
    assertEquals([value.add(n(-3)), value.value], [n(2), n(2)]);
    assertEquals([value.add(n(0)), value.value], [n(2), n(2)]);
  }
});

test("Value.add(): sums of whole numbers wrap around", () => {
  const i32 = new Value("i32", 2 ** 31 - 1);
  assertEquals([i32.add(1), i32.value], [-(2 ** 31), -(2 ** 31)]);
  assertEquals([i32.add(-1), i32.value], [2 ** 31 - 1, 2 ** 31 - 1]);
  assertEquals(i32.add(2 ** 31 - 1), -2);
  assertEquals(new Value("i32", -(2 ** 31)).add(-(2 ** 31)), 0);
  const u32 = new Value("u32", 2 ** 32 - 1);
  assertEquals([u32.add(1), u32.value], [0, 0]);
  assertEquals([u32.add(-1), u32.value], [2 ** 32 - 1, 2 ** 32 - 1]);
  assertEquals(u32.add(2 ** 32 - 1), 2 ** 32 - 2);
  assertEquals(u32.add(1 - 2 ** 32), 2 ** 32 - 1);
  const i64 = new Value("i64", 2n ** 63n - 1n);
  assertEquals([i64.add(1n), i64.value], [-(2n ** 63n), -(2n ** 63n)]);
  assertEquals([i64.add(-1n), i64.value], [2n ** 63n - 1n, 2n ** 63n - 1n]);
});

test('Value.add() of "u32" takes negative numbers', () => {
  const value = new Value("u32", 10);
  assertEquals([value.add(-3), value.add(-7), value.value], [7, 0, 0]);
});

test("Value.add() refuses terms that do not fit, and changes nothing", () => {
  const i32 = new Value("i32", 7);
  for (const n of [2 ** 31, 0.5, NaN, Infinity]) assertThrows(() => i32.add(n), RangeError, `${n}`);
  const u32 = new Value("u32", 7);
  for (const n of [2 ** 32, -(2 ** 32), 0.5, NaN]) {
    assertThrows(() => u32.add(n), RangeError, `${n}`);
  }
  assertEquals([i32.value, u32.value], [7, 7]);
});

test('Value.add() of "f64" adds as numbers do', () => {
  const value = new Value("f64", 0.1);
  assertEquals(value.add(0.2), 0.1 + 0.2);
  assertEquals([value.add(Infinity), value.value], [Infinity, Infinity]);
  assert(Number.isNaN(value.add(-Infinity)));
  assert(Number.isNaN(value.add(1)));
  value.value = -0;
  assert(Object.is(value.add(-0), -0));
  assert(Object.is(value.add(0), 0));
});

// Handles

test("Value.from() gives a view of the same number and lock", async () => {
  const value = new Value("u32", 7, { name: "hits" });
  for (const handle of [value.handle, await throughChannel(value.handle)]) {
    const view = Value.from<"u32">(handle);
    assertEquals([view.value, view.type, view.name], [value.value, "u32", "hits"]);
    view.add(1);
    assertEquals(value.value, view.value);
    value.getLock().runSync(() => assertEquals(view.getLock().locked(), true));
    await assertSound(view.getLock());
  }
  for (const type of TYPES) assertEquals(Value.from(make(type).handle).type, type);
});

test("Value.from() refuses what is no handle of a Value", () => {
  const value = new Value("i32");
  const refused = (bad: unknown, text: string): void => {
    assertThrows(() => Value.from(bad as Handle), TypeError, text);
  };
  const start = "Cannot rebuild Value: ";
  refused(null, `${start}expected a handle, got null; pass its "handle"`);
  refused(undefined, `${start}expected a handle, got undefined`);
  refused({}, `${start}expected a handle, got Object`);
  refused(value, `${start}expected a handle, got the object itself; pass its "handle"`);
  refused(new Lock().handle, `${start}expected a handle of kind "Value", got one of "Lock"`);
  refused(jsonCopy(value.handle), `${start}the handle holds no shared memory`);
  const { kind, data } = value.handle;
  refused({ kind, data: { ...(data as object), type: "i8" } }, 'type must be one of "i32"');
});

test("Value shows its kind in logs", () => {
  assertEquals(Object.prototype.toString.call(new Value("i32")), "[object Value]");
});

// The lock

test("Value.getLock() gives the value's own RLock, each time the same", async () => {
  const value = new Value("i32", 0, { name: "hits" });
  const lock = value.getLock();
  assert(lock instanceof RLock);
  assertStrictEquals(value.getLock(), lock);
  assertEquals(lock.name, "hits");
  lock.acquireSync();
  assertEquals(lock.acquireSync(), true);
  value.value = 5;
  assertEquals(value.add(1), 6);
  lock.release();
  lock.release();
  assertEquals(value.value, 6);
  await assertSound(lock);
  await assertSound(RLock.from(lock.handle));
});

for (const elsewhere of ELSEWHERE) {
  test(`Value.getLock() is one lock here and in ${elsewhere.name}, with the value or sent by itself`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const value = new Value("i32");
    const lock = value.getLock();
    assertEquals(await crew.submit(tryLockOf, value), true);
    lock.acquireSync();
    assertEquals(await crew.submit(tryLockOf, value), false);
    assertEquals(await crew.submit(acquireOnceSync, lock, { timeout: 0 }), false);
    const waiting = crew.submit(acquireOnceSync, lock);
    await queued(lock);
    lock.release();
    assertEquals(await waiting, true);
    const holding = crew.submit(
      holdUntilWaitedFor,
      lock,
      gate.pass,
      crew.whenLockWaiting(lock, 1),
    );
    await gate.entered();
    assertEquals(await lock.acquire(), true);
    lock.release();
    await holding;
    await assertSound(lock);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Value.getLock() makes more than one step exact, with two ${elsewhere.names}`, async () => {
    await using crew = elsewhere.crew(2);
    const value = new Value("f64");
    const times = elsewhere.rounds(100);
    const adding = [true, false, true].map((blocks) =>
      crew.submit(addUnderLock, value, times, blocks)
    );
    await addUnderLock(value, times, false);
    await addUnderLock(value, times, true);
    await Promise.all(adding);
    assertEquals(value.value, 5 * times);
  });
}

// Threads

for (const elsewhere of ELSEWHERE) {
  test(`Value crosses to ${elsewhere.name} with its type and number, and both write it`, async () => {
    await using crew = elsewhere.crew(1);
    for (const type of TYPES) {
      const n = (number: number) => type === "i64" ? BigInt(number) : number;
      const value = make(type, n(7));
      assertEquals(await crew.submit(exchangeValue, value, n(8)), [type, n(7)]);
      assertEquals(value.value, n(8));
      await assertRejects(
        () => crew.submit(exchangeValue, value, "9" as never).result(),
        TypeError,
        `Cannot use as "${type}"`,
      );
      assertEquals(value.value, n(8));
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Value.add() by two ${elsewhere.names} and the main thread loses nothing, in each type`, async () => {
    await using crew = elsewhere.crew(2);
    const times = elsewhere.isProcess ? 500 : 5000;
    for (const type of TYPES) {
      const value = make(type);
      const one = type === "i64" ? 1n : 1;
      const adding = [1, 2].map(() => crew.submit(addOften, value, one, times));
      addOften(value, one, times);
      const sums = await Promise.all(adding);
      assertEquals(Number(value.value), 3 * times);
      assert(sums.every((sum) => sum <= value.value && Number(sum) >= times));
    }
  });
}
