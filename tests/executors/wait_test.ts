import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  asCompleted,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  RuntimeError,
  TimeoutError,
  wait,
  waitSync,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { turn } from "../contracts/suite.ts";

function pending(count: number): Future<number>[] {
  return Array.from({ length: count }, () => new Future<number>());
}

function finished(value: number): Future<number> {
  const future = new Future<number>();
  future.setResult(value);
  return future;
}

test("wait() reads its futures once and validates before it waits", async () => {
  let reads = 0;
  const source = function* (): Generator<Future<number>> {
    reads++;
    yield finished(1);
  };
  assertEquals((await wait(source())).done.size, 1);
  assertEquals(reads, 1);
  await assertRejects(() => wait([], { returnWhen: "ALL" as never }), RangeError, '"ALL"');
  assertThrows(() => waitSync([], { returnWhen: "ALL" as never }), RangeError, '"ALL"');
  await assertRejects(() => wait(5 as never), TypeError);
});

test("wait() adds those that are done by the time it returns", async () => {
  const [a, b, c] = pending(3);
  const waiting = wait([a, b, c], { returnWhen: FIRST_COMPLETED });
  a.setResult(1);
  b.setResult(2);
  const { done, notDone } = await waiting;
  assertEquals([[...done], [...notDone]], [[a, b], [c]]);
});

test("wait() and waitSync() return a pair whose parts have names", async () => {
  const futures = [finished(1), new Future<number>()];
  for (const result of [await wait(futures, { timeout: 0 }), waitSync(futures, { timeout: 0 })]) {
    const [done, notDone] = result;
    assertEquals([[...done], [...notDone]], [[futures[0]], [futures[1]]]);
    assertStrictEquals(result.done, done);
    assertStrictEquals(result.notDone, notDone);
    assertEquals(result.length, 2);
  }
});

test("wait() looks at all futures before it decides", async () => {
  const [a] = pending(1);
  const failed = new Future<number>();
  failed.setException(new Error("failed"));
  for (const returnWhen of [FIRST_COMPLETED, FIRST_EXCEPTION] as const) {
    const { done, notDone } = await wait([a, failed, finished(2)], { returnWhen });
    assertEquals([done.size, notDone.size], [2, 1]);
  }
});

test("wait() counts a cancelled future whose cancellation nobody has acknowledged", async () => {
  const [a] = pending(1);
  a.cancel();
  assertEquals((await wait([a])).done.size, 1);
  assertEquals(waitSync([a]).done.size, 1);
  assertEquals([...asCompleted([a])], [a]);
});

test("wait() that has ended hears no more of its futures", async () => {
  const [a, b] = pending(2);
  const controller = new AbortController();
  const aborted = wait([a, b], { signal: controller.signal }).catch((error) => error);
  controller.abort("enough");
  assertEquals(await aborted, "enough");
  assertEquals((await wait([a, b], { timeout: 1 })).notDone.size, 2);
  const { done } = await wait([a, finished(1)], { returnWhen: FIRST_COMPLETED });
  assertEquals(done.size, 1);
  const last = wait([a, b]);
  a.setResult(1);
  b.setResult(2);
  assertEquals((await last).done.size, 2);
});

test("waitSync() with a timeout gives a snapshot of futures that only this thread can complete", () => {
  const futures = [finished(1), ...pending(2)];
  const { done, notDone } = waitSync(futures, { timeout: 5 });
  assertEquals([done.size, notDone.size], [1, 2]);
});

test("waitSync() and asCompleted() refuse to block for ever for what only this thread could complete", () => {
  const futures = [finished(1), ...pending(2)];
  assertThrows(() => waitSync(futures), RuntimeError, "only this thread");
  assertThrows(
    () => waitSync(futures, { returnWhen: FIRST_EXCEPTION }),
    RuntimeError,
    "only this thread",
  );
  const iterator = asCompleted(futures)[Symbol.iterator]();
  assertStrictEquals(iterator.next().value, futures[0]);
  assertThrows(() => iterator.next(), RuntimeError, "only this thread");
});

test("asCompleted() gives futures in the order of completion", async () => {
  const futures = pending(4);
  const iterator = asCompleted(futures)[Symbol.asyncIterator]();
  for (const i of [2, 0, 3, 1]) {
    const next = iterator.next();
    futures[i].setResult(i);
    assertStrictEquals((await next).value, futures[i]);
  }
  assertEquals(await iterator.next(), { done: true, value: undefined });
});

test("asCompleted() keeps what is done between two calls of next()", async () => {
  const [a, b, c] = pending(3);
  const iterator = asCompleted([a, b, c])[Symbol.asyncIterator]();
  c.setResult(3);
  b.cancel();
  assertStrictEquals((await iterator.next()).value, c);
  assertStrictEquals((await iterator.next()).value, b);
  const next = iterator.next();
  a.setException(new Error("given out, not thrown"));
  assertStrictEquals((await next).value, a);
});

test("asCompleted() serves several calls of next() at once, each with its own future", async () => {
  const [a, b, c] = pending(3);
  const iterator = asCompleted([a, b, c])[Symbol.asyncIterator]();
  const calls = [iterator.next(), iterator.next(), iterator.next(), iterator.next()];
  for (const future of [b, a, c]) future.setResult(0);
  const results = await Promise.all(calls);
  assertEquals(results.map(({ value }) => [b, a, c].indexOf(value!)), [0, 1, 2, -1]);
  assertEquals(results[3].done, true);
});

test("asCompleted() delivers what is done after its time is up, then throws, then is over", async () => {
  const [a, b, c] = pending(3);
  const timeout = 5;
  const iterator = asCompleted([a, b, c], { timeout })[Symbol.asyncIterator]();
  a.setResult(1);
  await new Promise((resolve) => setTimeout(resolve, 2 * timeout));
  b.setResult(2);
  assertStrictEquals((await iterator.next()).value, a);
  assertStrictEquals((await iterator.next()).value, b);
  await assertRejects(
    async () => void await iterator.next(),
    TimeoutError,
    "1 (of 3) futures unfinished",
  );
  assertEquals((await iterator.next()).done, true);
});

test("asCompleted(): return() ends it, also for a next() that waits", async () => {
  const [a] = pending(1);
  const iterator = asCompleted([a])[Symbol.asyncIterator]();
  const next = iterator.next();
  assertEquals(await iterator.return?.("left"), { done: true, value: "left" });
  await turn();
  a.setResult(1);
  assertEquals((await next).done, true);
  assertEquals((await iterator.next()).done, true);
});

test("asCompleted() with a signal that has aborted throws its reason at the call", () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertThrows(() => asCompleted([finished(1)], { signal }), Error, "enough");
});

test("asCompleted() in a for loop gives what is done, and takes a timeout", () => {
  const [a] = pending(1);
  const done = finished(1);
  const seen: Future<number>[] = [];
  assertThrows(
    () => {
      for (const future of asCompleted([a, done], { timeout: 5 })) seen.push(future);
    },
    TimeoutError,
    "1 (of 2) futures unfinished",
  );
  assert(seen.length === 1 && seen[0] === done);
});

test("asCompleted() that was dropped keeps no future because another one is not done", async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { asCompleted, Future } from "@concurrent/futures";
    const long = new Future();
    const futures = [];
    function start() {
      const future = new Future();
      futures.push(new WeakRef(future));
      return { future, completed: asCompleted([long, future]) };
    }
    async function takeFirst() {
      const { future, completed } = start();
      const next = completed[Symbol.asyncIterator]().next();
      future.setResult(1);
      await next;
    }
    function takeFirstSync() {
      const { future, completed } = start();
      future.setResult(1);
      completed[Symbol.iterator]().next();
    }
    function takeNone() {
      start().future.setResult(1);
    }
    for (let i = 0; i < 10; i++) {
      await takeFirst();
      takeFirstSync();
      takeNone();
    }
    // In this order, as what was looked at is kept until the turn ends. Something may keep the last.
    do {
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
    } while (futures.filter((future) => future.deref() !== undefined).length > 3);
    console.log(long.done());
    `,
    { permissions: ["-A", "--v8-flags=--expose-gc"], timeoutMs: 15_000 },
  );
  assertEquals([code, stdout, stderr], [0, "false\n", ""]);
});

test("asCompleted() goes on while its next future is awaited, though nothing else refers to it", async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { asCompleted, Future } from "@concurrent/futures";
    const future = new Future();
    const next = asCompleted([future])[Symbol.asyncIterator]().next();
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
    }
    future.setResult(1);
    console.log((await next).value === future);
    `,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([code, stdout, stderr], [0, "true\n", ""]);
});

test("wait(), waitSync() and asCompleted() refuse what is no future", async () => {
  for (const wrong of [Promise.resolve(1), 1, undefined]) {
    const futures = [wrong] as unknown as Future<unknown>[];
    const text = /expected futures, got (Promise|1|undefined); submit its function/;
    assertMatch((await assertRejects(() => wait(futures), TypeError)).message, text);
    assertMatch(assertThrows(() => waitSync(futures), TypeError).message, text);
    assertMatch(assertThrows(() => asCompleted(futures), TypeError).message, text);
  }
});

test("wait(), waitSync() and asCompleted() refuse what is not to be iterated, a single future too", async () => {
  for (const wrong of [new Future(), null, undefined, 5]) {
    const futures = wrong as unknown as Future<unknown>[];
    const text = "expected futures in an array or another iterable";
    await assertRejects(() => wait(futures), TypeError, text);
    assertThrows(() => waitSync(futures), TypeError, text);
    assertThrows(() => asCompleted(futures), TypeError, text);
  }
});

test("wait(), waitSync() and asCompleted() refuse futures of another copy of the package", async () => {
  // What such a future is to this copy: it has the methods, and not the private fields.
  const futures = [Object.create(Future.prototype) as Future<unknown>];
  const text = "a future is of another copy of this package";
  await assertRejects(() => wait(futures), TypeError, text);
  assertThrows(() => waitSync(futures), TypeError, text);
  assertThrows(() => asCompleted(futures), TypeError, text);
});
