/** A value that cannot cross to or from a process fails its own task, and the process goes on. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { NotShareableError, ProcessPoolExecutor, tasks } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import * as work from "../_support/process_tasks.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { AppError, echo, failAsApp } from "../contracts/tasks.ts";
import { UNLOADABLE } from "./_modules.ts";
import { MODES } from "./_process_support.ts";
import { errorOf } from "./_support.ts";

const { port1: port } = new MessageChannel();

const UNSENDABLE: Record<string, [() => unknown, says: string]> = {
  "a function": [() => () => {}, "anonymous function"],
  "a symbol": [() => Symbol("odd"), "odd"],
  "a WeakMap in an array": [() => [1, [new WeakMap()]], "WeakMap"],
  "a promise in an object": [() => ({ deep: { promise: Promise.resolve(1) } }), "Promise"],
  "a SharedArrayBuffer": [() => new SharedArrayBuffer(8), "processes share no memory"],
  "an array in shared memory": [
    () => ({ words: new Int32Array(new SharedArrayBuffer(8)) }),
    "processes share no memory",
  ],
  "a MessagePort": [() => port, "MessagePort"],
  "2 GiB in parts": [() => [1, 2].map(() => new Uint8Array(2 ** 30)), "send it in parts"],
  "a getter that throws": [
    () =>
      Object.defineProperty({}, "value", {
        enumerable: true,
        get: () => {
          throw new RangeError("getter failed");
        },
      }),
    "getter failed",
  ],
};

/** Asserts that the pool still has the one process that it had before. */
async function assertUnharmed(pool: ProcessPoolExecutor, pid: number): Promise<void> {
  assertEquals([await pool.submit(work.pidOf), pool.stats().lost], [pid, 0]);
  assertEquals(pool.stats().workers, 1);
}

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) fails the task whose arguments cannot be sent, and no other`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    const pid = await pool.submit(work.pidOf);
    for (const [what, [make, says]] of Object.entries(UNSENDABLE)) {
      const before = pool.submit(echo, 1);
      const future = pool.submit(echo, make());
      assert(future.done(), what);
      const after = pool.submit(echo, 2);
      const error = await errorOf(future);
      assertInstanceOf(error, NotShareableError, what);
      assertStringIncludes(error.message, says);
      assertEquals([await before, await after], [1, 2]);
    }
    await assertUnharmed(pool, pid);
  });

  test(`ProcessPoolExecutor (${onWorkerLost}) fails the task whose outcome cannot be sent, and no other`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    const pid = await pool.submit(work.pidOf);
    for (const what of work.ODD_VALUES) {
      for (
        const future of [
          pool.submit(work.giveBack, what),
          pool.submit(work.throwOdd, what, false),
        ]
      ) {
        const after = pool.submit(echo, what);
        const error = await errorOf(future);
        assertInstanceOf(error, NotShareableError, what);
        assertStringIncludes(error.message, "Cannot send");
        assertEquals(await after, what);
      }
    }
    await assertUnharmed(pool, pid);
  });
}

test("ProcessPoolExecutor tells the error of a task although some property of it cannot be sent", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  for (const what of work.ODD_VALUES) {
    const error = await errorOf(pool.submit(work.throwOdd, what, true)) as Error & {
      value?: unknown;
    };
    assertInstanceOf(error, RangeError, what);
    assertEquals(error.message, "odd");
    // Text replaces such a value, and gives the reason where that is not obvious; a function is
    // left out.
    assertEquals(typeof error.value, what === "a function" ? "undefined" : "string", what);
    const isForThreads = /[Ss]hared|MessagePort|lock/.test(what);
    assertEquals(/to another process: /.test(String(error.value)), isForThreads, what);
  }
  const error = await errorOf(pool.submit(failAsApp, 7));
  assertInstanceOf(error, AppError);
  assertEquals(error.code, 7);
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor names the place of what cannot be sent to another process", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const sent = await errorOf(pool.submit(echo, { list: [1, { port }] }));
  assertStringIncludes(sent.message, "Cannot send MessagePort at [0].list[1].port to another");
  const returned = await errorOf(pool.submit(() => ({ words: [new SharedArrayBuffer(8)] })));
  assertStringIncludes(returned.message, "Cannot send SharedArrayBuffer at words[0] to another");
});

test("ProcessPoolExecutor sends errors to a process without what cannot be sent in them", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const error = new RangeError("mine", { cause: { memory: new SharedArrayBuffer(8) } });
  const arrived = await pool.submit(echo, [Object.assign(error, { port }), "kept"]);
  const [back, kept] = arrived as [RangeError & { port: unknown }, unknown];
  assertInstanceOf(back, RangeError);
  assertEquals([back.message, kept], ["mine", "kept"]);
  const why = "Cannot send SharedArrayBuffer to another process: processes share no memory: " +
    "send a copy, or use a Value or a Queue";
  assertEquals(back.cause, `Object with SharedArrayBuffer: ${why}`);
  assertEquals(
    back.port,
    "Cannot send MessagePort to another process: only threads can be sent one",
  );
});

test("ProcessPoolExecutor sends resizable buffers and their views both ways, as structured clone does", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  for (const [length, maxByteLength] of [[0, 64], [4, 4], [100, 1000], [100_000, 200_000]]) {
    const buffer = new ArrayBuffer(length, { maxByteLength });
    const bytes = new Uint8Array(buffer).fill(7);
    const sent = { buffer, bytes, first: new DataView(buffer, 0, Math.min(length, 2)) };
    const back = await pool.submit(echo, sent) as typeof sent;
    assert(back.bytes.buffer === back.buffer && back.first.buffer === back.buffer);
    assertEquals([back.buffer.resizable, back.buffer.maxByteLength], [true, maxByteLength]);
    assertEquals(back.bytes, bytes);
    back.buffer.resize(maxByteLength);
    assertEquals([back.bytes.length, back.first.byteLength], [maxByteLength, Math.min(length, 2)]);
  }
});

test("ProcessPoolExecutor.map() fails the items that cannot be sent, and no others", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  const results = pool.map(work.giveBackIfOdd, [0, 1, 2, 3, 4, 5], { chunksize: 3 });
  const outcomes: unknown[] = [];
  const iterator = results[Symbol.asyncIterator]();
  for (let i = 0; i < 6; i++) {
    const step = await iterator.next().catch((error) => ({ value: error.name }));
    outcomes.push(step.value);
  }
  assertEquals(outcomes, [0, "NotShareableError", 2, "NotShareableError", 4, "NotShareableError"]);
});

// Modules that cannot be loaded: their tasks fail, and nothing else does

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) fails only the tasks whose module cannot be loaded`, async () => {
    await using scratch = await scratchFolder();
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    const pid = await pool.submit(work.pidOf);
    for (const [what, { text, says }] of Object.entries(UNLOADABLE)) {
      const path = await scratch.write(`${what.replaceAll(/\W/g, "_")}.js`, text);
      const { run } = tasks<{ run(): void }>(new URL(`file://${path}`).href);
      const before = pool.submit(echo, 1);
      const failing = [pool.submit(run), pool.submit(run)];
      const after = pool.submit(echo, 2);
      for (const future of failing) {
        const error = await errorOf(future);
        assert(NotShareableError.is(error), `${what}: ${error}`);
        assertStringIncludes(error.message, says);
      }
      assertEquals(await Promise.all([before, after]), [1, 2]);
    }
    await assertUnharmed(pool, pid);
  });
}

test("ProcessPoolExecutor loses the process whose task's module exits as it is imported", async () => {
  await using scratch = await scratchFolder();
  const path = await scratch.write("exits.js", "Deno.exit(5); export function run() {}");
  const { run } = tasks<{ run(): void }>(new URL(`file://${path}`).href);
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const lost = pool.submit(run);
  const after = pool.submit(echo, 2);
  assertStringIncludes((await errorOf(lost)).message, "exited with code 5");
  assertEquals(await after, 2);
});

test("ProcessPoolExecutor refuses functions that cannot be sent, by their futures", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const around = { value: 1 };
  const refused = [Math.random, (() => 1).bind(null), class Task {} as unknown as () => unknown];
  for (const fn of refused) {
    const future = pool.submit(fn as () => unknown);
    assert(future.done());
    assert(NotShareableError.is(await errorOf(future)));
  }
  const error = await errorOf(pool.submit(() => around.value));
  assert(NotShareableError.is(error));
  assertStringIncludes(error.message, '"around" from around it');
});
