import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { AsyncExecutor, taskContext } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
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
