import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  asCompleted,
  AsyncExecutor,
  Future,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
} from "../../executors/mod.ts";
import { progress } from "../../progress/mod.ts";
import { Value } from "../../sync/mod.ts";
import { Gate } from "../contracts/signals.ts";
import { Numbers } from "../contracts/suite.ts";
import { test } from "../_support/leaks.ts";
import { FakeError } from "../_support/terminal.ts";
import { countForEver, countTo, reportAndPass, square, squareEven } from "./tasks.ts";

/** Removes what depends on the time. */
function timeless(line: string): string {
  return line.replace(/, [^,]+, \d+:\d\d elapsed/, "").replace(/, \d+:\d\d remaining/, "");
}

/** With this, only the end is written. */
const QUIET = { mininterval: Infinity };

/** The lines that were written, without what depends on the time. */
function linesOf(error: FakeError): string[] {
  return error.lines.map(timeless);
}

function doneFutures(count: number): Future<number>[] {
  return Array.from({ length: count }, (_, i) => {
    const future = new Future<number>();
    future.setResult(i);
    return future;
  });
}

/** An asynchronous source of numbers that notes when it is closed. */
class AsyncNumbers {
  closed = false;

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    try {
      for (let i = 0; i < 10; i++) yield await Promise.resolve(i);
    } finally {
      this.closed = true;
    }
  }
}

// What it gives

test("progress() gives the results of map() in both ways, and says once how it went", async () => {
  using error = new FakeError(false);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const seen: number[] = [];
  for await (const value of progress(pool.map(square, [1, 2, 3]), { ...QUIET, label: "async" })) {
    seen.push(value);
  }
  for (const value of progress(pool.map(square, [4, 5]), { ...QUIET, label: "sync" })) {
    seen.push(value);
  }
  assertEquals(seen, [1, 4, 9, 16, 25]);
  assertEquals(linesOf(error), ["async: 3/3 (100%)", "sync: 2/2 (100%)"]);
});

test("progress() of map() has toArray() and toArraySync()", async () => {
  using error = new FakeError(false);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  assertEquals(await progress(pool.map(square, [1, 2, 3]), QUIET).toArray(), [1, 4, 9]);
  assertEquals(progress(pool.map(square, new Set([1, 2])), QUIET).toArraySync(), [1, 4]);
  await assertRejects(
    () => progress(pool.map(squareEven, [2, 3]), QUIET).toArray(),
    RangeError,
    "odd: 3",
  );
  assertThrows(
    () => progress(pool.map(squareEven, [1]), QUIET).toArraySync(),
    RangeError,
    "odd: 1",
  );
  assertEquals(linesOf(error), [
    "3/3 (100%)",
    "2/2 (100%)",
    "2/2 (100%), failed",
    "1/1 (100%), failed",
  ]);
});

test("progress() hands out the futures of asCompleted() themselves, in both ways", async () => {
  using error = new FakeError(false);
  const futures = doneFutures(3);
  const seen: unknown[] = [];
  for await (const future of progress(asCompleted(futures))) seen.push(future);
  for (const future of progress(asCompleted(futures))) seen.push(future);
  assertEquals(seen.map((future) => futures.indexOf(future as Future<number>)), [0, 1, 2, 0, 1, 2]);
  assertEquals(linesOf(error), ["3/3 (100%)", "3/3 (100%)"]);
});

test("progress() gives the values of a stream in all its ways, and says how many came", async () => {
  using error = new FakeError(false);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const shown = (label: string) => progress(pool.stream(countTo, 3), { ...QUIET, label });
  const seen: number[][] = [[], []];
  for await (const n of shown("async")) seen[0].push(n);
  for (const n of shown("sync")) seen[1].push(n);
  seen.push(await shown("array").toArray());
  seen.push(shown("array, sync").toArraySync());
  assertEquals(seen, new Array(4).fill([0, 1, 2]));
  assertEquals(linesOf(error), ["async: 3", "sync: 3", "array: 3", "array, sync: 3"]);
});

test("progress() closes a stream that is left, in a loop or at the end of a block", async () => {
  using error = new FakeError(false);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const closings = new Value("i32");
  const stream = (label: string) =>
    progress(pool.stream(countForEver, closings), { ...QUIET, label });
  for await (const n of stream("loop")) if (n === 2) break;
  assertEquals(closings.value, 1);
  {
    await using numbers = stream("block");
    await numbers[Symbol.asyncIterator]().next();
  }
  assertEquals(closings.value, 2);
  {
    using numbers = stream("blocking");
    numbers[Symbol.iterator]().next();
  }
  assertEquals(closings.value, 3);
  assertEquals(linesOf(error), ["loop: 2, stopped", "block: 0, stopped", "blocking: 0, stopped"]);
});

test("progress() can be iterated in those ways only in which the iterable can", () => {
  using _error = new FakeError(false);
  const waysOf = (iterable: object) => [
    Symbol.asyncIterator in iterable,
    Symbol.iterator in iterable,
    "toArray" in iterable,
  ];
  assertEquals(waysOf(progress([1])), [false, true, false]);
  assertEquals(waysOf(progress(new AsyncNumbers())), [true, false, false]);
  assertEquals(waysOf(progress(asCompleted([]))), [true, true, false]);
  const executor = new AsyncExecutor();
  assertEquals(waysOf(progress(executor.map(square, []))), [true, true, true]);
});

test("progress() passes on what a generator is sent, and what it returns", () => {
  using _error = new FakeError(false);
  function* minimum(): Generator<number, string, number> {
    let least = yield Infinity;
    try {
      for (;;) least = Math.min(least, yield least);
    } catch (error) {
      return `${error}`;
    }
  }
  const iterator = progress(minimum())[Symbol.iterator]() as ReturnType<typeof minimum>;
  const sent = [0, 78, 94, 77, 50].map((n) => iterator.next(n).value);
  assertEquals(sent, [Infinity, 78, 78, 77, 50]);
  assertEquals(iterator.throw("enough"), { done: true, value: "enough" });
  assertEquals(iterator.next(1), { done: true, value: undefined } as never);
});

test("progress() counts on after an error of map(), which does not end it", () => {
  using error = new FakeError(false);
  using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const iterator = progress(pool.map(squareEven, [2, 3, 4]), QUIET)[Symbol.iterator]();
  assertEquals(iterator.next().value, 4);
  assertThrows(() => iterator.next(), RangeError, "odd: 3");
  assertEquals(iterator.next().value, 16);
  assertEquals(iterator.next().done, true);
  assertEquals(iterator.next().done, true);
  const [failed, complete, ...more] = linesOf(error);
  assert(/^[23]\/3 \(\d+%\), failed$/.test(failed), failed);
  assertEquals([complete, more], ["3/3 (100%)", []]);
});

// How it ends

test("progress() closes the iterable when the loop is left, and says so, in both ways", async () => {
  using error = new FakeError(false);
  const numbers = new Numbers();
  for (const n of progress(numbers, { total: 9 })) if (n === 3) break;
  assertEquals([numbers.closed, linesOf(error)], [true, ["3/9 (33%), stopped"]]);

  const asyncNumbers = new AsyncNumbers();
  for await (const n of progress(asyncNumbers)) if (n === 2) break;
  assertEquals([asyncNumbers.closed, linesOf(error)[1]], [true, "2, stopped"]);

  const left = new Numbers();
  const loop = () => {
    for (const n of progress(left)) if (n === 1) throw new RangeError("of the loop");
  };
  assertThrows(loop, RangeError, "of the loop");
  assertEquals([left.closed, linesOf(error)[2]], [true, "1, stopped"]);
});

test("progress() closes map() when the loop is left: what has not started is cancelled", async () => {
  using error = new FakeError(false);
  await using executor = new AsyncExecutor({ maxWorkers: 1 });
  const calls: number[] = [];
  const call = (n: number): number => calls.push(n);
  for await (const _ of progress(executor.map(call, [1, 2, 3, 4], { chunksize: 1 }))) break;
  await executor.shutdown();
  assert(calls.length < 4, `${calls}`);
  assert(/^\d\/4 \(\d+%\), stopped$/.test(linesOf(error)[0]), error.text);
});

test("progress() passes errors on, and says that it failed, in both ways", async () => {
  using error = new FakeError(false);
  const failure = new RangeError("failed");
  const fail = function* (): Generator<number> {
    yield 1;
    throw failure;
  };
  const failLater = async function* (): AsyncGenerator<number> {
    yield* fail();
  };
  assertStrictEquals(assertThrows(() => [...progress(fail())]), failure);
  assertStrictEquals(await assertRejects(() => Array.fromAsync(progress(failLater()))), failure);
  assertEquals(linesOf(error), ["1, failed", "1, failed"]);
});

test("progress() passes on that map() was aborted, and that asCompleted() took too long", async () => {
  using error = new FakeError(false);
  await using executor = new AsyncExecutor();
  using gate = new Gate();
  const controller = new AbortController();
  const { signal } = controller;
  const results = executor.map(reportAndPass, [0], [gate.parts], { signal });
  const aborted = assertRejects(() => Array.fromAsync(progress(results)), Error, "enough");
  await gate.entered();
  controller.abort(new Error("enough"));
  await aborted;
  const future = new Future<number>();
  const late = progress(asCompleted([future], { timeout: 1 }));
  await assertRejects(() => Array.fromAsync(late), TimeoutError);
  assertEquals(linesOf(error), ["0/1 (0%), failed", "0/1 (0%), failed"]);
});

test("progress() passes on that a thread cannot block for tasks of its own event loop", () => {
  using error = new FakeError(false);
  const executor = new AsyncExecutor();
  const future = executor.submit(square, 1);
  assertThrows(() => [...progress(asCompleted([future]))], RuntimeError, "Cannot block");
  assertEquals(linesOf(error), ["0/1 (0%), failed"]);
});

test("progress() shows nothing of a loop that has not begun", () => {
  using error = new FakeError(false);
  progress([1, 2])[Symbol.iterator]().return!();
  progress([1, 2])[Symbol.iterator]();
  assertEquals(error.text, "");
});

test("progress() with leave: false shows nothing after the loop", () => {
  using error = new FakeError(false);
  assertEquals([...progress([1, 2], { leave: false })], [1, 2]);
  assertEquals(error.text, "");
});

test("each loop over the same progress() counts for itself", () => {
  using error = new FakeError(false);
  const twice = progress([1, 2], { label: "pair" });
  assertEquals([[...twice], [...twice]], [[1, 2], [1, 2]]);
  assertEquals(linesOf(error), ["pair: 2/2 (100%)", "pair: 2/2 (100%)"]);
});

// What is counted

test("progress() takes the total from what tells it, and from the caller before that", async () => {
  using error = new FakeError(false);
  await using executor = new AsyncExecutor();
  const drain = (iterable: Iterable<unknown>) => [...iterable].length;
  drain(progress([1, 2]));
  drain(progress(new Set([1, 2, 3])));
  drain(progress(new Map([[1, 2]])));
  drain(progress(new Float64Array(4)));
  drain(progress("four"));
  drain(progress("four", { total: 4 }));
  drain(progress(new Numbers(5)));
  drain(progress(new Numbers(5), { total: Infinity }));
  drain(progress([1, 2], { total: 4 }));
  // There are more items than expected: the total was wrong.
  drain(progress([1, 2], { total: 1 }));
  await progress(executor.map(square, new Numbers(3))).toArray();
  await progress(executor.map(square, [1, 2], { buffersize: 1 })).toArray();
  await progress(executor.map(Math.max, [1, 2, 3], new Set([1, 2]), { buffersize: 1 })).toArray();
  await progress(executor.map(square, new Numbers(3), { buffersize: 1 })).toArray();
  assertEquals(linesOf(error), [
    "2/2 (100%)",
    "3/3 (100%)",
    "1/1 (100%)",
    "4/4 (100%)",
    "4",
    "4/4 (100%)",
    "5",
    "5",
    "2/4 (50%)",
    "2",
    "3/3 (100%)",
    "2/2 (100%)",
    "2/2 (100%)",
    "3",
  ]);
});

test("progress() counts tasks that are done, whatever was handed out", async () => {
  using error = new FakeError(false);
  await using executor = new AsyncExecutor({ maxWorkers: 3 });
  using gate = new Gate();
  // The first item is held up; the others are done, but cannot be taken yet.
  const slow = (n: number) => n === 0 ? reportAndPass(0, gate.parts) : n;
  const loop = progress(executor.map(slow, [0, 1, 2], { chunksize: 1 }), { mininterval: 0 });
  error.onWrite = (text) => {
    if (text.includes("2/3 (66%)")) gate.open();
  };
  assertEquals((await loop.toArray()).length, 3);
  assert(gate.parts.opening.isSet());
});

// Wrong arguments

test("progress() refuses what is no iterable, and bad options", () => {
  using _error = new FakeError(false);
  for (const value of [undefined, null, 1, {}, () => [1]]) {
    assertThrows(() => progress(value as never), TypeError, "expected an iterable");
  }
  assertThrows(() => progress([], "files" as never), TypeError, '{ label: "files" }, got "files"');
  assertThrows(() => progress([], null as never), TypeError, "Cannot show progress: expected opt");
  assertThrows(() => progress([], { total: "3" as never }), TypeError, "total must be a number");
  assertThrows(() => progress([], { total: NaN }), RangeError, "total must be 0 or more");
  assertThrows(() => progress([], { total: -1 }), RangeError, "got -1");
  assertThrows(() => progress([], { mininterval: -1 }), RangeError, "mininterval");
});

test("a label cannot break the line or the terminal", () => {
  using error = new FakeError(false);
  assertEquals([...progress([1], { label: "a\n\x1b[2Jb" })], [1]);
  assertEquals(linesOf(error), ["a [2Jb: 1/1 (100%)"]);
});

// The environment

test("progress() returns the iterable itself when it is silenced", () => {
  using error = new FakeError(true);
  const items = [1, 2];
  assertStrictEquals(progress(items, { silent: true }), items as Iterable<number>);
  assertEquals(error.text, "");
});

test("NO_PROGRESS silences progress(), unless it is empty or the caller says otherwise", () => {
  const items = [1, 2];
  for (const value of ["1", "0", "yes"]) {
    using error = new FakeError(true, { environment: { NO_PROGRESS: value } });
    assertStrictEquals(progress(items), items as Iterable<number>);
    assertEquals(error.text, "");
    assertEquals([...progress(items, { silent: false })], items);
    assert(error.text !== "");
  }
  using error = new FakeError(false, { environment: { NO_PROGRESS: "" } });
  assertEquals([...progress(items)], items);
  assertEquals(error.lines.length, 1);
});

test("CI and TERM=dumb make progress() write lines on a terminal", () => {
  const isLines = (environment: Record<string, string>): boolean => {
    using error = new FakeError(true, { environment });
    assertEquals([...progress([1])], [1]);
    return linesOf(error)[0] === "1/1 (100%)";
  };
  const asLines = { CI: ["true", "1", "woodpecker"], TERM: ["dumb"] };
  const asBars = { CI: ["", "false", "0"], TERM: ["", "xterm"] };
  for (const [name, values] of Object.entries(asLines)) {
    for (const value of values) assertEquals(isLines({ [name]: value }), true, `${name}=${value}`);
  }
  for (const [name, values] of Object.entries(asBars)) {
    for (const value of values) assertEquals(isLines({ [name]: value }), false, `${name}=${value}`);
  }
  assertEquals(isLines({}), false);
});
