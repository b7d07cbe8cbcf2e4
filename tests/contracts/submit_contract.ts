import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { assertStrictEquals } from "@std/assert";
import { NotShareableError, RuntimeError } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate, Log } from "./signals.ts";
import type { Suite } from "./suite.ts";
import * as tasks from "./tasks.ts";

export function submitContract(suite: Suite): void {
  const { name, make, traits } = suite;
  test(`${name}.submit() gives a future of what the function returns`, async () => {
    await using executor = make({ maxWorkers: 1 });
    assertEquals(await executor.submit(tasks.add, 20, 22), 42);
    assertEquals(await executor.submit(tasks.countArguments), 0);
    assertEquals(await executor.submit(tasks.countArguments, undefined, null, 0), 3);
  });

  test(`${name}.submit() awaits promises and thenables`, async () => {
    await using executor = make({ maxWorkers: 1 });
    assertEquals(await executor.submit(tasks.squareLater, 5), 25);
    assertEquals(await executor.submit(tasks.squareThenable, 6), 36);
  });

  test(`${name}.submit() returns before the task is done`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 3);
    assertEquals([future.done(), future.cancelled()], [false, false]);
    assertEquals(await future, 9);
    assertEquals([future.done(), future.cancelled(), future.running()], [true, false, false]);
  });

  test(`${name}.submit() tells a result of undefined and an error that is returned from a failure`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const nothing = executor.submit(tasks.echo, undefined);
    assertEquals(await nothing.result(), undefined);
    assertEquals(await nothing.exception(), null);
    const returned = executor.submit(tasks.echo, new RangeError("a value"));
    assertInstanceOf(await returned.result(), RangeError);
    assertEquals(await returned.exception(), null);
  });

  test(`${name}.submit() runs tasks in the order of submission`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    await Promise.all(numbers.map((n) => executor.submit(tasks.record, log.queue, n)));
    assertEquals(log.entries, numbers);
  });

  test(`${name}.submit() runs at most maxWorkers tasks at once`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    const futures = [1, 2, 3].map((n) => executor.submit(tasks.pass, gate.parts, n));
    await gate.entered(2);
    assertEquals(futures.map((future) => future.running()), [true, true, false]);
    assertEquals(gate.count, 2);
    gate.open();
    assertEquals(await Promise.all(futures), [1, 2, 3]);
  });

  test(`${name}.submit() refuses what is no function`, async () => {
    await using executor = make({ maxWorkers: 1 });
    assertThrows(() => executor.submit("square" as never), TypeError, "expected a function");
    assertThrows(() => executor.submit(undefined as never), TypeError, "expected a function");
  });

  test(`${name}.submit() throws RuntimeError after shutdown`, async () => {
    const executor = make({ maxWorkers: 1 });
    assertEquals(await executor.submit(tasks.square, 2), 4);
    await executor.shutdown();
    assertThrows(() => executor.submit(tasks.square, 2), RuntimeError, "after shutdown");
  });

  test(`${name}: a task's error keeps its class, message and fields`, async () => {
    await using executor = make({ maxWorkers: 1 });
    await assertRejects(() => executor.submit(tasks.fail, "early").result(), RangeError, "early");
    await assertRejects(() => executor.submit(tasks.failLater, "late").result(), RangeError);
    const error = await executor.submit(tasks.failAsApp, 7).exception();
    assertInstanceOf(error, tasks.AppError);
    assertEquals([error.message, error.code], ["the application failed", 7]);
  });

  test(`${name}: a failed future gives the same error each time`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.fail, "once");
    const error = await future.exception();
    assertInstanceOf(error, RangeError);
    assertStrictEquals(await future.exception(), error);
    assertStrictEquals(await future.result().catch((e) => e), error);
    assertStrictEquals(await future.then(() => "value", (e) => e), error);
    assertStrictEquals(await future.catch((e) => e), error);
  });

  test(`${name}: throwing a falsy value is a failure`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const value of [undefined, null, 0, "", false, NaN]) {
      const future = executor.submit(tasks.throwValue, value);
      const outcome = await future.then(() => "value", (error) => [error]);
      assertEquals(outcome, [value]);
      assertEquals(await future.exception(), value);
      assert(future.done() && !future.cancelled());
    }
  });

  test(`${name}: a failed task leaves the next ones alone`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const futures = [2, 3, 4].map((n) => executor.submit(tasks.squareEven, n));
    assertEquals(await futures[0], 4);
    await assertRejects(() => futures[1].result(), RangeError, "odd: 3");
    assertEquals(await futures[2], 16);
  });

  if (traits.sharesMemory) sharing(suite);
  if (traits.clones) cloning(suite);
}

function sharing({ name, make }: Suite): void {
  test(`${name}.submit() shares the memory of a SharedArrayBuffer, in arguments and results`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const words = new Int32Array(new SharedArrayBuffer(4));
    for (const sum of [1, 2, 3]) {
      assertEquals(await executor.submit(tasks.addToWord, words, 1), sum - 1);
      assertEquals(words[0], sum);
    }
    const same = await executor.submit(tasks.echo, { nested: [words] }) as { nested: [Int32Array] };
    words[0] = 7;
    assertEquals(same.nested[0][0], 7);
  });
}

function cloning({ name, make }: Suite): void {
  test(`${name}.submit() clones the arguments at once`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const value = { list: [1, 2] };
    const future = executor.submit(tasks.echo, value);
    value.list.push(3);
    assertEquals(await future, { list: [1, 2] });
  });

  test(`${name}: what cannot be cloned fails its future and no other`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const argument = executor.submit(tasks.echo, { callback: () => {} });
    await assertRejects(() => argument.result(), NotShareableError, "callback");
    assertEquals(await executor.submit(tasks.square, 3), 9);
  });
}
