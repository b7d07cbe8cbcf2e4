import {
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  AssertionError,
  assertNotEquals,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { deadline, delay } from "@std/async";
import { fromFileUrl, toFileUrl } from "@std/path";
import { assertType, type IsExact } from "@std/testing/types";
import { test } from "./_support/leaks.ts";

test("assertEquals() takes NaN for equal to itself and -0 for equal to 0", () => {
  assertEquals({ a: NaN }, { a: NaN });
  assertEquals([-0], [0]);
  assertNotStrictEquals(-0, 0);
  assertThrows(() => assertStrictEquals(-0, 0), AssertionError);
});

test("assertEquals() compares entries of a Map or Set in any order", () => {
  assertEquals(new Map([["a", [1]], ["b", [2]]]), new Map([["b", [2]], ["a", [1]]]));
  assertEquals(new Set([{ a: 1 }, { b: 2 }]), new Set([{ b: 2 }, { a: 1 }]));
  assertNotEquals(new Map([["a", 1]]), new Map([["a", 2]]));
  assertNotEquals(new Set([1, 2]), new Set([1, 3]));
});

test("assertEquals() follows cycles", () => {
  interface Ring {
    name: string;
    next?: Ring;
  }
  const ring = (name: string): Ring => {
    const first: Ring = { name };
    first.next = { name, next: first };
    return first;
  };
  assertEquals(ring("a"), ring("a"));
  assertNotEquals(ring("a"), ring("b"));
});

test("assertEquals() tells classes, missing properties and bytes apart", () => {
  class Point {
    constructor(readonly x: number) {}
  }
  assertEquals(new Point(1), new Point(1));
  assertNotEquals<unknown>(new Point(1), { x: 1 });
  assertNotEquals<unknown>({ a: undefined }, {});
  assertNotEquals<unknown>({ a: undefined }, { b: undefined });
  assertEquals<unknown>(Object.assign(Object.create(null), { a: 1 }), { a: 1 });
  assertEquals(new Uint8Array([1, 2]), new Uint8Array([1, 2]));
  assertNotEquals<unknown>(new Uint8Array([1]), new Int8Array([1]));
  assertEquals(new Date(5), new Date(5));
  assertNotEquals(new Date(5), new Date(6));
  assertNotEquals<unknown>([1, 2], { 0: 1, 1: 2 });
});

test("assertThrows() checks class and message, and returns the error", () => {
  const error = new RangeError("maxsize is negative");
  const throwing = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(throwing), error);
  assertStrictEquals(assertThrows(throwing, RangeError, "negative"), error);
  assertStrictEquals(assertThrows(throwing, Error), error);
  assertThrows(() => assertThrows(throwing, TypeError), AssertionError, 'instance of "TypeError"');
  assertThrows(() => assertThrows(throwing, RangeError, "positive"), AssertionError, "positive");
  assertThrows(() => assertThrows(() => {}), AssertionError, "Expected function to throw");
  assertThrows(() => assertThrows(() => {}, Error, "x", "my note"), AssertionError, "my note");
});

test("assertThrows() takes anything thrown, unless a class is given", () => {
  const throwing = () => {
    // deno-lint-ignore no-throw-literal
    throw "text";
  };
  assertStrictEquals(assertThrows(throwing), "text");
  assertThrows(() => assertThrows(throwing, Error), AssertionError, "Error object");
});

test("assertRejects() wants a rejection and not a throw", async () => {
  const error = new TypeError("no such thing");
  assertStrictEquals(
    await assertRejects(() => Promise.reject(error), TypeError, "such"),
    error,
  );
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject",
  );
  await assertRejects(
    () =>
      assertRejects(() => {
        throw error;
      }),
    AssertionError,
    "Function throws when expected to reject",
  );
});

test("assertObjectMatch() and assertArrayIncludes() look for a part", () => {
  assertObjectMatch({ a: 1, b: { c: 2, d: [3] } }, { b: { c: 2 } });
  assertObjectMatch({ a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] });
  assertThrows(() => assertObjectMatch({ a: 1 }, { b: 1 }), AssertionError);
  assertArrayIncludes([{ a: 1 }, { b: 2 }], [{ b: 2 }]);
  assertThrows(() => assertArrayIncludes([1, 2], [3]), AssertionError);
});

test("assertAlmostEquals() allows the tolerance and no more", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(10, 11, 1);
  assertThrows(() => assertAlmostEquals(1, 1.1), AssertionError);
  assertThrows(() => assertAlmostEquals(NaN, 1), AssertionError);
});

test("delay() rejects with the signal's reason and leaves no timer", async () => {
  const controller = new AbortController();
  const waiting = delay(60_000, { signal: controller.signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(() => delay(1, { signal: controller.signal }), RangeError, "enough");
});

test("deadline() gives the outcome, or a TimeoutError", async () => {
  assertEquals(await deadline(Promise.resolve(1), 1_000), 1);
  const never = new Promise<never>(() => {});
  const error = await assertRejects(() => deadline(never, 5), DOMException);
  assertEquals(error.name, "TimeoutError");
});

test("toFileUrl() and fromFileUrl() are inverse", () => {
  assertEquals(fromFileUrl(toFileUrl("/a b/c%.ts")), "/a b/c%.ts");
  assertThrows(() => toFileUrl("a/b"), TypeError);
});

test("IsExact tells types apart", () => {
  assertType<IsExact<{ a: number }, { a: number }>>(true);
  assertType<IsExact<{ a: number }, { a?: number }>>(false);
  // deno-lint-ignore no-explicit-any
  assertType<IsExact<any, unknown>>(false);
  assertType<IsExact<1 | 2, number>>(false);
  assertType<IsExact<never, undefined>>(false);
});
