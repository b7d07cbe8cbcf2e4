import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  AsyncExecutor,
  type Future,
  RuntimeError,
  taskContext,
  tasks,
  ThreadPoolExecutor,
  transfer,
} from "../../executors/mod.ts";
import { RLock } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { executorContract } from "../contracts/executor_contract.ts";
import { turn } from "../contracts/suite.ts";

executorContract("AsyncExecutor", (options) => new AsyncExecutor(options), {
  blocks: false,
  clones: false,
  sharesMemory: true,
  tellsTasks: true,
});

test("AsyncExecutor() refuses a bad maxWorkers", () => {
  for (const maxWorkers of [0, -1]) {
    assertThrows(() => new AsyncExecutor({ maxWorkers }), RangeError, "must be greater than 0");
  }
  for (const maxWorkers of [1.5, NaN, "2"]) {
    assertThrows(
      () => new AsyncExecutor({ maxWorkers: maxWorkers as number }),
      TypeError,
      "must be an integer",
    );
  }
});

test("AsyncExecutor.submit() takes closures, and copies nothing", async () => {
  await using executor = new AsyncExecutor();
  const seen: unknown[] = [];
  const value = { list: [1] };
  const future = executor.submit((given: typeof value) => {
    seen.push(given);
    return given;
  }, value);
  assertEquals(seen, []);
  assertStrictEquals(await future, value);
  assertStrictEquals(seen[0], value);
});

test("AsyncExecutor moves no buffer, and leaves no mark on a value", async () => {
  await using executor = new AsyncExecutor();
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const mark = (length: number) => {
    const bytes = new Uint8Array(length);
    return transfer(bytes, [bytes.buffer]);
  };
  const given = [mark(1), mark(2), mark(3), mark(4)];
  const lengthOf = (bytes: Uint8Array) => bytes.length;
  assertEquals(await executor.submit(lengthOf, given[0]), 1);
  assertEquals(await executor.map(lengthOf, given.slice(1), { chunksize: 2 }).toArray(), [2, 3, 4]);
  const values = [...given, await executor.submit(mark, 5)];
  values.push(...await executor.map(mark, [6, 7, 8], { chunksize: 2 }).toArray());
  values.push(
    ...await executor.stream(function* () {
      yield mark(9);
    }).toArray(),
  );
  // Sent without a mark, so copied.
  const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  assertEquals(await pool.map(lengthOf, values).toArray(), lengths);
  assertEquals(values.map(lengthOf), lengths);
});

test("AsyncExecutor starts a task in a microtask, and runs as many as 32 at once", async () => {
  await using executor = new AsyncExecutor();
  let started = 0;
  const held = Promise.withResolvers<void>();
  const futures = Array.from({ length: 40 }, () =>
    executor.submit(async () => {
      started++;
      await held.promise;
    }));
  assertEquals(started, 0);
  await turn();
  assertEquals(started, 32);
  held.resolve();
  await Promise.all(futures);
  assertEquals(started, 40);
});

test("AsyncExecutor gives a task's error as it was thrown", async () => {
  await using executor = new AsyncExecutor();
  const error = { not: "an Error" };
  const future = executor.submit(() => {
    throw error;
  });
  assertStrictEquals(await future.exception(), error);
});

test("AsyncExecutor: tasks that run at the same time keep their own context", async () => {
  await using executor = new AsyncExecutor();
  const gate = Promise.withResolvers<void>();
  const futures = [0.25, 0.5].map((fraction) =>
    executor.submit(async () => {
      const { id } = taskContext();
      await gate.promise;
      taskContext().report(fraction);
      return taskContext().id === id;
    })
  );
  await turn();
  gate.resolve();
  assertEquals(await Promise.all(futures), [true, true]);
  assertEquals(futures.map((future) => future.progress), [0.25, 0.5]);
});

test("AsyncExecutor runs a task in the async context in which it was submitted, whoever makes room for it", async () => {
  await using executor = new AsyncExecutor({ maxWorkers: 1 });
  const storage = new AsyncLocalStorage<string>();
  const seen = ["a", "b", "c"].map((name) =>
    storage.run(name, () => executor.submit(() => storage.getStore()))
  );
  assertEquals(await Promise.all(seen), ["a", "b", "c"]);
  assertEquals(
    await storage.run("d", () => executor.map(() => storage.getStore(), [1]).toArray()),
    [
      "d",
    ],
  );
  assertEquals(await executor.submit(() => storage.getStore()), undefined);
});

test("AsyncExecutor lends no task the RLock of one that ran before it, nor a callback that of a task", async () => {
  await using executor = new AsyncExecutor({ maxWorkers: 1 });
  const lock = new RLock();
  const poll = () => lock.acquire({ blocking: false });
  const first = Promise.withResolvers<void>();
  const running = lock.run(async () => {
    await executor.submit(() => first.promise);
    return await outside;
  });
  await turn();
  const outside = executor.submit(poll);
  first.resolve();
  assertEquals(await running, false);
  const inside = await lock.run(async () => {
    const acquired = await executor.submit(poll);
    if (acquired) lock.release();
    return acquired;
  });
  assertEquals(inside, true);
  const futures: Future<void>[] = [];
  const told = Promise.withResolvers<boolean>();
  const ends = Promise.withResolvers<void>();
  const holding = lock.run(async () => {
    futures.push(executor.submit(() => ends.promise));
    return await told.promise;
  });
  await turn();
  futures[0].addDoneCallback(() => told.resolve(poll()));
  ends.resolve();
  assertEquals(await holding, false);
});

test("AsyncExecutor tells a task that is given up why", async () => {
  await using executor = new AsyncExecutor();
  const controller = new AbortController();
  const told = Promise.withResolvers<unknown>();
  const future = executor.with({ signal: controller.signal }).submit(async () => {
    const { signal } = taskContext();
    signal.addEventListener("abort", () => told.resolve(signal.reason));
    await new Promise(() => {});
  });
  await turn();
  controller.abort("enough");
  assertEquals(await told.promise, "enough");
  assertEquals(await future.exception(), "enough");
});

test("AsyncExecutor.shutdown() with cancelFutures takes nothing that a callback of a cancelled future submits", async () => {
  const executor = new AsyncExecutor({ maxWorkers: 1 });
  const gate = Promise.withResolvers<void>();
  executor.submit(() => gate.promise);
  await turn();
  let refused = 0;
  executor.submit(() => 1).addDoneCallback(() => {
    assertThrows(() => executor.submit(() => 2), RuntimeError, "after shutdown");
    refused++;
  });
  const ended = executor.shutdown({ cancelFutures: true });
  gate.resolve();
  await ended;
  assertEquals([refused, executor.stats().cancelled], [1, 1]);
});

test("AsyncExecutor has counted a task when its callbacks are called", async () => {
  const executor = new AsyncExecutor({ maxWorkers: 1 });
  let seen: number[] = [];
  const future = executor.submit(() => 1);
  future.addDoneCallback(() => {
    const { running, completed } = executor.stats();
    seen = [running, completed];
    executor.shutdownSync();
  });
  await future;
  assertEquals(seen, [0, 1]);
});

test("AsyncExecutor forgets tasks that were taken back behind one that does not end", async () => {
  const result = await runProgram(
    `
    import { AsyncExecutor } from "@concurrent/futures";
    const executor = new AsyncExecutor({ maxWorkers: 1 });
    const gate = Promise.withResolvers();
    const order = [];
    executor.submit(() => gate.promise);
    const futures = [];
    for (let i = 0; i < 10_000; i++) {
      if (i % 2_000 === 0) executor.submit((i) => order.push(i), i);
      const future = executor.submit(() => order.push("cancelled"));
      future.cancel();
      futures.push(new WeakRef(future));
    }
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    console.log(futures.filter((ref) => ref.deref()).length < 3_000);
    gate.resolve();
    await executor.shutdown();
    console.log(order.join());
  `,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([result.code, result.stderr], [0, ""]);
  assertEquals(result.stdout, "true\n0,2000,4000,6000,8000\n");
});

test("AsyncExecutor keeps nothing of a task that was taken back before it began", async () => {
  const result = await runProgram(
    `
    import { AsyncExecutor } from "@concurrent/futures";
    const executor = new AsyncExecutor({ maxWorkers: 1 });
    const gate = Promise.withResolvers();
    executor.submit(() => gate.promise);
    const arguments_ = [];
    const submit = () => {
      const value = { text: "x".repeat(100) };
      arguments_.push(new WeakRef(value));
      return executor.submit((value) => value, value);
    };
    for (let i = 0; i < 10; i++) submit().cancel();
    for (let i = 0; i < 100 && arguments_.some((ref) => ref.deref()); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    console.log(arguments_.filter((ref) => ref.deref()).length);
    gate.resolve();
    await executor.shutdown();
  `,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([result.code, result.stdout, result.stderr], [0, "0\n", ""]);
});

test("AsyncExecutor does not call a task that was given up while its module was loaded", async () => {
  await using executor = new AsyncExecutor();
  const { noted } = tasks<typeof import("./fixtures/notes.ts")>(
    new URL("./fixtures/notes.ts", import.meta.url),
  );
  const controller = new AbortController();
  const future = executor.with({ signal: controller.signal }).submit(noted, "given up");
  await turn(); // It has begun, and its module is being loaded.
  controller.abort();
  await assertRejects(() => future.result(), DOMException);
  await executor.submit(noted, "wanted");
  assertEquals((await import("./fixtures/notes.ts")).notes, ["wanted"]);
});
