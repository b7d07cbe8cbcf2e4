/** What is particular to streams beyond the contract of all executors. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AsyncExecutor,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  taskContext,
  tasks,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { Event } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import "../_support/processes.ts";
import { runProgram } from "../_support/run.ts";
import { inGoodTime, inTime } from "../_support/time_limits.ts";
import type { GateParts } from "../contracts/gate_parts.ts";
import { Gate, Log } from "../contracts/signals.ts";
import * as streams from "../contracts/stream_tasks.ts";
import { outcomesOf, turn } from "../contracts/suite.ts";
import { square } from "../contracts/tasks.ts";
import * as work from "./fixtures/streams.ts";

const KINDS = [
  ["ThreadPoolExecutor", ThreadPoolExecutor],
  ["ProcessPoolExecutor", ProcessPoolExecutor],
] as const;

const MEBIBYTE = 1 << 20;

/** Time within which tasks behind a stream that goes on must be served. */
const PATIENCE_MS = 20_000;

for (const [name, Pool] of KINDS) {
  test(`${name}.stream(): one that is given up at any moment is never taken for one that ended`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    for (let delayMs = 0; delayMs < 40; delayMs++) {
      const controller = new AbortController();
      const narrow = pool.with({ buffersize: 1, signal: controller.signal });
      const stream = narrow.stream(streams.count)[Symbol.asyncIterator]();
      await stream.next();
      // This waits for nothing in particular: it lets the stream rest for longer and longer.
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      controller.abort(new Error(`after ${delayMs} ms`));
      const error = await assertRejects(async () => {
        while (!(await stream.next()).done);
      });
      assertEquals((error as Error).message, `after ${delayMs} ms`);
    }
  });

  test(`${name}.stream() inside a task of the pool hands out the values, in both forms`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    for (const end of [0, 10, 5000]) {
      const sum = end * (end - 1) / 2;
      assertEquals(await pool.submit(work.sumInside, pool, end), sum);
      assertEquals(await pool.submit(work.sumInsideSync, pool, end), sum);
    }
    const narrow = pool.with({ buffersize: 1 });
    for (const relay of [work.relay, work.relaySync]) {
      assertEquals((await pool.stream(relay, pool, 3000).toArray()).length, 3000);
      assertEquals((await narrow.stream(relay, pool, 20).toArray()).length, 20);
    }
  });

  test(`${name}.stream() inside a task of the pool goes on past large values`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    assertEquals(await pool.submit(work.sumLargeInside, pool, 40, MEBIBYTE), 40);
  });

  test(`${name}.stream() inside a task of the pool is closed when it is left`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    const log = new Log();
    assertEquals(await pool.submit(work.leaveInside, pool, log.queue), [0, 1, 0, 1]);
    assertEquals(log.entries, [streams.CLOSED, streams.CLOSED]);
  });

  test(`${name}.stream() inside a task of the pool throws the function's error`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    assertEquals(await pool.submit(work.failInside, pool), [[0, 1], 42]);
  });

  test(`${name}.stream() inside a task of the pool is given up by its signal, and closed`, async () => {
    await inGoodTime(async () => {
      await using pool = new Pool({ maxWorkers: 2, onWorkerLost: "replace" });
      const log = new Log();
      assertEquals(await pool.submit(work.abortInside, pool, log.queue), "enough");
      // A worker that is kept from running for long is ended before it can close its stream.
      assertEquals(await inTime(log.queue.get({ timeout: PROMPT_MS })), streams.CLOSED);
    });
  });

  test(`${name}.stream() inside a task fails where none is left to run the function`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    const error = await pool.submit(work.sumInsideSync, pool, 3).exception() as Error;
    assertEquals(error.name, "RuntimeError");
    assert(error.message.includes("would block for tasks that none is left to run"), String(error));
  });

  test(`${name}.stream() inside a task that blocks is no deadlock while its values come`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    const inBoth = async <T>(run: (gate: GateParts) => Future<T>): Promise<T[]> => {
      using gate = new Gate();
      const futures = [run(gate.parts), run(gate.parts)];
      await gate.entered(2);
      gate.open();
      return await Promise.all(futures);
    };
    await inBoth((gate) => pool.submit(work.keepPool, pool, gate));
    for (let i = 0; i < 20; i++) {
      const { completed } = pool.stats();
      assertEquals(await pool.submit(work.beginInsideSync), 1);
      // The worker whose task began to read the stream runs the task for which the stream's
      // function blocks.
      while (pool.stats().completed < completed + 2) await turn();
      const rest = await inBoth((gate) => pool.submit(work.endInsideSync, gate));
      assertEquals(rest.filter((values) => values !== undefined), [[9]]);
    }
  });

  test(`${name}.stream(): what a worker that ends was reading is closed`, async () => {
    await using pool = new Pool({ maxWorkers: 2, onWorkerLost: "replace" });
    const log = new Log();
    const lost = pool.submit(work.endInside, pool, log.queue);
    assert(await lost.exception() instanceof Error);
    assertEquals(await log.queue.get(), streams.CLOSED);
    assertEquals(await Promise.all([1, 2].map((n) => pool.submit(square, n))), [1, 4]);
  });

  test(`${name}.stream() ends with an error where a value cannot be read, and closes the function`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    const log = new Log();
    const text = 'Cannot receive "Nowhere"';
    const outcomes = await outcomesOf(pool.stream(work.yieldUnreadable, log.queue));
    assertEquals(outcomes[0], ["value", 1]);
    assertEquals([outcomes.length, outcomes[1][0]], [2, "error"]);
    assert(String(outcomes[1][1]).includes(text), String(outcomes[1][1]));
    assertEquals(await log.queue.get(), streams.CLOSED);
    const [seen, error] = await pool.submit(work.readUnreadableInside, pool, log.queue);
    assertEquals(seen, [1]);
    assert(error.includes(text), error);
    assertEquals(await log.queue.get(), streams.CLOSED);
  });

  test(`${name}.stream() counts as one task`, async () => {
    const pool = new Pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    assertEquals((await pool.stream(streams.count, 2000).toArray()).length, 2000);
    const iterator = pool.stream(streams.count)[Symbol.asyncIterator]();
    await iterator.next();
    assertEquals([pool.stats().running, pool.stats().queued], [1, 0]);
    await iterator.return!();
    await outcomesOf(pool.stream(streams.failAfter, 1, 1));
    await pool.shutdown();
    const { completed, failed, cancelled, lost, workers } = pool.stats();
    assertEquals({ completed, failed, cancelled, lost, workers }, {
      completed: 2,
      failed: 1,
      cancelled: 0,
      lost: 0,
      workers: 0,
    });
  });

  test(`${name}.stream() takes references made by tasks()`, async () => {
    const { count } = tasks<typeof streams>(import.meta.resolve("../contracts/stream_tasks.ts"));
    await using pool = new Pool({ maxWorkers: 1 });
    assertEquals(await pool.stream(count, 3).toArray(), [0, 1, 2]);
  });

  test(`${name}.stream() says which variable of a function did not cross`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    const outside = 7;
    const stream = pool.stream(function* () {
      yield 1;
      yield outside;
    });
    const iterator = stream[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 1);
    await assertRejects(() => iterator.next(), NotShareableError, 'it uses "outside" from around');
  });

  test(`${name}.stream() lets the worker's event loop turn`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    for (const fn of [work.yieldUntilSet, work.yieldUntilSetLater]) {
      const event = new Event();
      await pool.submit(work.setLater, event);
      for await (const _ of pool.stream(fn, event));
      assert(event.isSet());
    }
  });
}

test("ProcessPoolExecutor.stream() does not hold up tasks that were sent to its process ahead", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  for (let i = 0; i < 10; i++) {
    // Short streams come first: after them, several are sent at a time.
    const short = Array.from({ length: 100 }, () => pool.stream(streams.count, 1).toArray());
    await Promise.all(short);
    const endless = pool.stream(streams.count)[Symbol.asyncIterator]();
    let isServed = false;
    const behind = [1, 2, 3].map(() => pool.stream(streams.count, 1).toArray());
    const served = Promise.all(behind).then(() => isServed = true);
    // Values of the endless stream come all the time; those behind it go to the other process.
    let taken = 0;
    const endMs = performance.now() + PATIENCE_MS;
    while (!isServed) {
      assert((await endless.next()).value === taken++ && performance.now() < endMs);
    }
    await Promise.all([served, endless.return!()]);
  }
});

test("AsyncExecutor.stream() copies nothing, and takes closures", async () => {
  await using executor = new AsyncExecutor();
  const value = { list: [1] };
  const [given] = await executor.stream(function* (a: typeof value) {
    assert(a === value);
    yield value;
  }, value).toArray();
  assert(given === value);
});

test("AsyncExecutor.stream() fails, as for...of does, where next() returns no object", async () => {
  await using executor = new AsyncExecutor();
  let closed = 0;
  const iterator = { next: () => undefined, return: () => ++closed };
  const broken = { [Symbol.iterator]: () => iterator } as unknown as Iterable<number>;
  await assertRejects(() => executor.stream(() => broken).toArray(), TypeError, "no object");
  assertEquals(closed, 0);
});

test("AsyncExecutor.stream() lets timers fire while it is read", async () => {
  await using executor = new AsyncExecutor();
  for (const fn of [streams.count, () => streams.countLater(Infinity, false)]) {
    let isDue = false;
    setTimeout(() => isDue = true, 0);
    for await (const _ of executor.stream(fn as () => AsyncIterable<number>)) if (isDue) break;
    assert(isDue);
  }
});

test("AsyncExecutor.stream() keeps the task's context, also where it is closed", async () => {
  await using executor = new AsyncExecutor();
  const ids: (number | string)[] = [];
  const stream = executor.with({ buffersize: 1 }).stream(function* () {
    try {
      for (;;) {
        ids.push(taskContext().id);
        yield 1;
      }
    } finally {
      ids.push(taskContext().id);
    }
  });
  const iterator = stream[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await iterator.next();
  await turn();
  await iterator.return!();
  assert(ids.length >= 4);
  assertEquals(new Set(ids).size, 1);
});

test("A stream that the program has dropped is left, and its worker is free", async () => {
  const { stdout, stderr, code } = await runProgram(
    `
import { SimpleQueue, ThreadPoolExecutor } from "@concurrent/futures";
import * as streams from ${JSON.stringify(import.meta.resolve("../contracts/stream_tasks.ts"))};
import { Gate } from ${JSON.stringify(import.meta.resolve("../contracts/signals.ts"))};
import { square } from ${JSON.stringify(import.meta.resolve("../contracts/tasks.ts"))};
const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
const log = new SimpleQueue();
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
async function drop() {
  console.log((await pool.stream(streams.countUntilClosed, log)[Symbol.asyncIterator]().next()).value);
}
async function read() {
  // What is awaited keeps its stream, though nothing else does.
  const gate = new Gate();
  let next = (() => {
    const iterator = pool.stream(streams.yieldAroundGate, gate.parts)[Symbol.asyncIterator]();
    return iterator.next().then(() => iterator.next());
  })();
  await gate.entered();
  for (let i = 0; i < 20; i++) {
    gc();
    await turn();
  }
  gate.open();
  console.log((await next).value);
}
await read();
await drop();
const future = pool.submit(square, 3);
while (!future.done()) {
  gc();
  await turn();
}
console.log(log.getNowait(), await future);
await pool.shutdown();
`,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([stderr, code], ["", 0]);
  assertEquals(stdout.split("\n"), ["2", "0", "-1 9", ""]);
});

test("A stream that was left is not kept", async () => {
  const { stdout, stderr, code } = await runProgram(
    `
import { AsyncExecutor } from "@concurrent/futures";
const executor = new AsyncExecutor();
async function leave() {
  const stream = executor.stream(function* () {
    for (;;) yield 1;
  });
  for await (const _ of stream) break;
  return new WeakRef(stream);
}
const left = [];
for (let i = 0; i < 20; i++) left.push(await leave());
// In this order, as what was looked at is kept until the turn ends. Something may keep the last.
do {
  await new Promise((resolve) => setTimeout(resolve, 1));
  gc();
} while (left.filter((stream) => stream.deref() !== undefined).length > 2);
console.log("collected");
`,
    { permissions: ["-A", "--v8-flags=--expose-gc"], timeoutMs: 15_000 },
  );
  assertEquals([stderr, code, stdout], ["", 0, "collected\n"]);
});
