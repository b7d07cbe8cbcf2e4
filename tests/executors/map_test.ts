import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { AsyncExecutor, ProcessPoolExecutor, ThreadPoolExecutor } from "../../executors/mod.ts";
import { RuntimeError } from "../../sync/errors.ts";
import { countedSignal } from "../_support/counted_signal.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import "../_support/processes.ts";
import { ROOT } from "../_support/scratch.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import { Gate } from "../contracts/signals.ts";
import { errorsLogged, outcomesOf, turn } from "../contracts/suite.ts";
import { pass, square } from "../contracts/tasks.ts";
import { work } from "./fixtures/helpers.ts";

const MILLION = 1_000_000;

test("ThreadPoolExecutor.map() sends a million small items in few tasks", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const items = Array.from({ length: MILLION }, (_, i) => i);
  const results = await pool.map(square, items).toArray();
  assertEquals(results.length, MILLION);
  assert(results.every((value, i) => value === i * i));
  assertLess(pool.stats().completed, MILLION / 1000);
});

test("ThreadPoolExecutor.map() that blocks sends a million small items in few tasks", () => {
  using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const items = Array.from({ length: MILLION }, (_, i) => i);
  let next = 0;
  for (const value of pool.map(square, items)) {
    if (value !== next * next) break;
    next++;
  }
  assertEquals(next, MILLION);
  assertLess(pool.stats().completed, MILLION / 1000);
});

test("ThreadPoolExecutor.map() has two workers run its first two items at once", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const results = pool.map(pass, [gate.parts, gate.parts, gate.parts], [1, 2, 3]);
  await gate.entered(2);
  assertEquals(pool.stats().running, 2);
  gate.open();
  assertEquals(await results.toArray(), [1, 2, 3]);
});

test("ThreadPoolExecutor.map() spreads slow items over the workers, also after fast ones", async () => {
  await withTimeLimit(10, async (ms) => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    // Both workers are running now: this test is not about how long one takes to start.
    while (new Set(await Promise.all([1, 2, 3].map(() => pool.submit(work, ms)))).size < 2);
    const fast = Array.from({ length: 2000 }, () => 0);
    const slow = Array.from({ length: 16 }, () => ms);
    for (const items of [slow, [...fast, ...slow]]) {
      const names = (await pool.map(work, items).toArray()).slice(-slow.length);
      const counts = [...new Set(names)].map((name) => names.filter((n) => n === name).length);
      // This fails if one of them is kept from running for the whole time.
      assertInTime(counts.length === 2 && Math.min(...counts) >= 2);
    }
  });
});

test("ThreadPoolExecutor.map() with chunksize sends so many items in a task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const items = Array.from({ length: 100 }, (_, i) => i);
  for (const [chunksize, tasks] of [[10, 10], [7, 15], [1, 100], [1000, 1]]) {
    const before = pool.stats().completed;
    assertEquals((await pool.map(square, items, { chunksize }).toArray()).length, 100);
    assertEquals(pool.stats().completed - before, tasks);
  }
});

test("map() with chunksize groups the items of an asynchronous input too", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const items = async function* (): AsyncGenerator<number> {
    for (let i = 0; i < 10; i++) yield await Promise.resolve(i);
  };
  const results = await pool.map(square, items(), { chunksize: 4 }).toArray();
  assertEquals(results, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
  assertEquals(pool.stats().completed, 3);
});

for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  test(`${Pool.name}.map() sends small items of an asynchronous input in few tasks`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    const COUNT = 20_000;
    const items = async function* (): AsyncGenerator<number> {
      for (let i = 0; i < COUNT; i++) yield i;
    };
    const results = await pool.map(square, items()).toArray();
    assertEquals(results, Array.from({ length: COUNT }, (_, i) => i * i));
    assertLess(pool.stats().completed, COUNT / 10);
  });
}

test("map({ buffersize }) reads no further ahead of an asynchronous input, in chunks too", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  let [read, taken, most] = [0, 0, 0];
  const naturals = async function* (): AsyncGenerator<number> {
    for (;;) {
      most = Math.max(most, ++read - taken);
      yield read;
    }
  };
  for await (const _ of pool.map(square, naturals(), { buffersize: 100 })) {
    if (++taken === 5000) break;
  }
  // The result that is being handed out has made room already.
  assert(most <= 101, `${most}`);
});

for (const cancelFutures of [false, true]) {
  const options = { cancelFutures };
  test(
    `map() refuses what it has read ahead at shutdown(${JSON.stringify(options)})`,
    { timeout: 30_000 },
    async () => {
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      using gate = new Gate();
      const asked = Promise.withResolvers<void>();
      let isClosed = false;
      const items = async function* (): AsyncGenerator<number> {
        try {
          yield 1;
          yield 2;
          asked.resolve();
          yield 3;
          yield 4;
        } finally {
          isClosed = true;
        }
      };
      const results = pool.map(pass, Array(9).fill(gate.parts), items());
      await gate.entered();
      await asked.promise;
      await turn();
      const closing = pool.shutdown(options);
      gate.open();
      const [first, second, third, ...rest] = await outcomesOf(results);
      const cancelled = "Cannot read result: the item was cancelled";
      assertEquals(first, ["value", 1]);
      assertEquals(second, cancelFutures ? ["error", cancelled] : ["value", 2]);
      assertStringIncludes(String(third), "cannot schedule new futures after shutdown");
      assertEquals(rest, []);
      await closing;
      assert(isClosed);
    },
  );
}

test("map() that is left runs nothing that it has read ahead, and closes its input", {
  timeout: 30_000,
}, async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const asked = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const items = async function* (): AsyncGenerator<number> {
    try {
      yield 1;
      yield 2;
      asked.resolve();
      yield 3;
    } finally {
      closed.resolve();
    }
  };
  const results = pool.map(pass, Array(9).fill(gate.parts), items())[Symbol.asyncIterator]();
  await gate.entered();
  await asked.promise;
  await turn();
  await results.return?.();
  await closed.promise;
  gate.open();
  await pool.submit(square, 1);
  const { completed, cancelled } = pool.stats();
  assertEquals([completed, cancelled], [2, 1]);
});

test("AsyncExecutor.map() starts an item each, as many as there are workers", async () => {
  await using executor = new AsyncExecutor({ maxWorkers: 3 });
  let running = 0;
  let most = 0;
  const results = executor.map(async (n: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return n;
  }, [1, 2, 3, 4, 5, 6, 7]);
  assertEquals(await results.toArray(), [1, 2, 3, 4, 5, 6, 7]);
  assertEquals(most, 3);
});

test("map() on a pool that breaks throws BrokenThreadPool for what is left, and shutdown still works", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const items = Array.from({ length: 1000 }, (_, i) => i);
  const results = pool.map((n: number) => n === 500 ? close() : n, items, { chunksize: 1 });
  // With chunks of the library's choice: most items have not been submitted when the pool breaks.
  const adaptive = pool.map((n: number) => n, items);
  const outcomes = await outcomesOf(results);
  assertEquals(outcomes.slice(0, 500), items.slice(0, 500).map((n) => ["value", n]));
  assert(
    outcomes.slice(500).every(([kind, text]) => kind === "error" && /broken|lost/.test(`${text}`)),
  );
  const rest = await outcomesOf(adaptive);
  assertEquals(rest.map(([kind]) => kind), items.map(() => "error"));
  await pool.shutdown();
});

test("map() runs on a shared pool that does not hold the program open", async () => {
  const module = new URL("mod.ts", ROOT).href;
  const { code, stdout, stderr, timedOut } = await runProgram(
    `import { map } from ${JSON.stringify(module)};
     console.log(await map((n: number) => n * n, [1, 2, 3]).toArray());
     console.log([...map((a: number, b: number) => a + b, [1, 2], [3, 4])]);
     for await (const n of map((n: number) => n + 1, [1, 2], { chunksize: 2 })) console.log(n);`,
  );
  assertEquals([code, timedOut, stderr], [0, false, ""]);
  assertEquals(stdout, "[ 1, 4, 9 ]\n[ 4, 6 ]\n2\n3\n");
});

test("map() takes an input that can be opened once only", async () => {
  await using executor = new AsyncExecutor();
  let opened = 0;
  const once = {
    [Symbol.iterator]() {
      assertEquals(++opened, 1);
      return [1, 2, 3].values();
    },
  };
  assertEquals(await executor.map((n: number) => n * 2, once).toArray(), [2, 4, 6]);
});

test("map() closes the other inputs when an asynchronous one throws", async () => {
  await using executor = new AsyncExecutor();
  const closed: string[] = [];
  async function* input(name: string, last: number): AsyncGenerator<number> {
    try {
      for (let n = 0; n < last; n++) yield n;
      throw new RangeError(`${name} broke`);
    } finally {
      closed.push(name);
    }
  }
  const add = (a: number, b: number) => a + b;
  const outcomes = await outcomesOf(executor.map(add, input("short", 1), input("long", Infinity)));
  assertEquals(outcomes, [["value", 0], ["error", "short broke"]]);
  await turn();
  assertEquals(closed, ["short", "long"]);
});

for (const kind of ["an asynchronous", "a synchronous"]) {
  test(`map() logs what ${kind} input fails with as it is closed, and ends as it would`, async () => {
    await using executor = new AsyncExecutor();
    const naturals = () => {
      let n = 0;
      const next = () => ({ done: false as const, value: n++ });
      const fail = () => {
        throw new RangeError("closing failed");
      };
      return kind === "a synchronous" ? { [Symbol.iterator]: () => ({ next, return: fail }) } : {
        [Symbol.asyncIterator]: () => ({
          next: async () => await Promise.resolve(next()),
          return: () => Promise.resolve().then(fail),
        }),
      };
    };
    const double = (n: number) => 2 * n;
    const printed = await errorsLogged(async () => {
      for await (const value of executor.map(double, naturals(), { buffersize: 2 })) {
        assertEquals(value, 0);
        break;
      }
      await turn();
      // Aborted while a result is awaited.
      const controller = new AbortController();
      const { signal } = controller;
      const gate = Promise.withResolvers<void>();
      const held = () => gate.promise;
      const options = { buffersize: 2, signal };
      const results = executor.map(held, naturals(), options)[Symbol.asyncIterator]();
      const waiting = results.next();
      await turn();
      controller.abort(new RangeError("enough"));
      await assertRejects(() => waiting, RangeError, "enough");
      gate.resolve();
      await turn();
    });
    assertEquals(printed.length, 2);
    for (const call of printed) assertStringIncludes(String(call[1]), "closing failed");
  });
}

test("map() forgets its signal once all items are done, whether somebody takes the rest or not", async () => {
  await using executor = new AsyncExecutor();
  const { signal, listeners } = countedSignal();
  const fail = (n: number): number => {
    if (n === 0) throw new RangeError("bad item");
    return n;
  };
  await assertRejects(() => executor.map(fail, [0, 1, 2], { signal }).toArray(), RangeError);
  const untaken = executor.map(fail, [1, 2, 3], { signal });
  await executor.submit(() => turn());
  assertEquals(listeners(), 0);
  assertEquals(await untaken.toArray(), [1, 2, 3]);
});

test("map() forgets its signal when no item is left to be done, though nobody takes anything", async () => {
  await using executor = new AsyncExecutor();
  const { signal, listeners } = countedSignal();
  async function* items(count: number, error?: Error): AsyncGenerator<number> {
    for (let i = 0; i < count; i++) yield i;
    if (error !== undefined) throw error;
  }
  const double = (n: number): number => n * 2;
  const empty = executor.map(double, [], { signal });
  assertEquals(listeners(), 0);
  const ended = executor.map(double, items(0), { signal });
  const failed = executor.map(double, items(0, new RangeError("bad input")), { signal });
  const cut = executor.map(double, items(2, new RangeError("cut")), { signal, chunksize: 3 });
  await executor.submit(() => turn());
  assertEquals(listeners(), 0);

  const closing = new AsyncExecutor();
  const [begun, gate, closed] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  async function* gated(): AsyncGenerator<number> {
    try {
      yield 1;
      begun.resolve();
      await gate.promise;
      yield 2;
    } finally {
      closed.resolve();
    }
  }
  const refused = closing.map(double, gated(), { signal });
  await begun.promise;
  closing.shutdown();
  gate.resolve();
  await closed.promise;
  assertEquals(listeners(), 0);

  assertEquals([await empty.toArray(), await ended.toArray()], [[], []]);
  await assertRejects(() => refused.toArray(), RuntimeError, "after shutdown");
  await assertRejects(() => failed.toArray(), RangeError, "bad input");
  await assertRejects(() => cut.toArray(), RangeError, "cut");
});

test("map() ends with its signal, also when all items are done", async () => {
  await using executor = new AsyncExecutor();
  const controller = new AbortController();
  const { signal } = controller;
  const results = executor.map((n: number) => n, [1, 2], { signal });
  const iterator = results[Symbol.asyncIterator]();
  assertEquals((await iterator.next()).value, 1);
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    throw new TypeError("bad input");
  }
  const failed = executor.map((n: number) => n, failing(), { signal });
  await executor.submit(() => turn());
  controller.abort(new RangeError("enough"));
  await assertRejects(async () => void await iterator.next(), RangeError, "enough");
  assertEquals((await iterator.next()).done, true);
  await assertRejects(() => failed.toArray(), RangeError, "enough");
});

/** Runs a program that can collect garbage. */
async function runCollecting(program: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(
    `import { AsyncExecutor } from "@concurrent/futures";
    const executor = new AsyncExecutor({ maxWorkers: 1 });
    async function collect() {
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        gc();
      }
    }
    ${program}
    await executor.shutdown();`,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

test("map() whose loop an error has left is ended: its input is closed, and its signal let go", async () => {
  const printed = await runCollecting(`
    const signal = new AbortController().signal;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args) => (listeners++, addEventListener.apply(signal, args));
    signal.removeEventListener = (...args) => (listeners--, removeEventListener.apply(signal, args));
    let closed = 0;
    async function* endless() {
      try {
        for (;;) yield 1;
      } finally {
        closed++;
      }
    }
    function fail() {
      throw new RangeError("bad item");
    }
    async function leave() {
      try {
        for await (const _ of executor.map(fail, endless(), { buffersize: 2, signal }));
      } catch (error) {
        return error.message;
      }
    }
    for (let i = 0; i < 20; i++) await leave();
    console.log(await leave());
    // Something may keep the last.
    while (closed < 20) await collect();
    console.log(listeners <= 1);
  `);
  assertEquals(printed, "bad item\ntrue\n");
});

test("map() goes on while its next result is awaited, though nothing else refers to it", async () => {
  const printed = await runCollecting(`
    let go;
    const gate = new Promise((resolve) => go = resolve);
    async function* items() {
      yield 1;
      await gate;
      yield 2;
    }
    const next = (() => {
      const iterator = executor.map((n) => n, items())[Symbol.asyncIterator]();
      return iterator.next().then(() => iterator.next());
    })();
    for (let i = 0; i < 5; i++) await collect();
    go();
    console.log((await next).value);
  `);
  assertEquals(printed, "2\n");
});

test("map() whose results nobody reads runs all items, though it was dropped", async () => {
  const printed = await runCollecting(`
    let ran = 0;
    async function* items() {
      for (let i = 0; i < 50; i++) {
        yield i;
        if (i % 10 === 0) await collect();
      }
    }
    executor.map(() => void ran++, items());
    while (ran < 50) await collect();
    console.log(ran);
  `);
  assertEquals(printed, "50\n");
});

test("map({ buffersize }) keeps no item that it has submitted", async () => {
  const kept = await runCollecting(`
    const items = [];
    function* endless() {
      for (;;) {
        const item = { text: "x".repeat(100) };
        items.push(new WeakRef(item));
        yield item;
      }
    }
    let taken = 0;
    for await (const _ of executor.map(() => 1, endless(), { buffersize: 2 })) {
      if (++taken < 100) continue;
      await collect();
      console.log(items.filter((item) => item.deref() !== undefined).length);
      break;
    }
  `);
  assertLess(Number(kept), 10);
});

test("map({ buffersize }) needs no more memory the longer it goes on", async () => {
  const grownBytes = await runCollecting(`
    function* endless() {
      for (let i = 0;; i++) yield i;
    }
    let taken = 0;
    let before = 0;
    for await (const _ of executor.map((n) => n, endless(), { buffersize: 10 })) {
      if (++taken % 100_000 !== 0) continue;
      await collect();
      const { heapUsed } = Deno.memoryUsage();
      if (taken === 100_000) before = heapUsed;
      else if (taken === 300_000) {
        console.log(heapUsed - before);
        break;
      }
    }
  `);
  assertLess(Number(grownBytes), 1_000_000); // Five bytes per item would be more.
});
