import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { RuntimeError, taskContext, TimeoutError, wait } from "../../executors/mod.ts";
import { countedSignal } from "../_support/counted_signal.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import { Gate, Log, makeEvent, reached } from "./signals.ts";
import { type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

/** The time limit of a test that only the task's own message can end. */
const TELLS = { timeout: 30_000 };

export function withContract({ name, make, traits }: Suite): void {
  test(`${name}.with({ signal }) takes a queued task back`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const controller = new AbortController();
    const { signal } = controller;
    const queued = executor.with({ signal }).submit(tasks.record, log.queue, 1);
    const reason = new Error("enough");
    controller.abort(reason);
    assert(queued.done() && !queued.cancelled());
    assertStrictEquals(await queued.exception(), reason);
    const late = executor.with({ signal }).submit(tasks.record, log.queue, 2);
    assertStrictEquals(await late.exception(), reason);
    await reached();
    gate.open();
    await executor.submit(tasks.record, log.queue, 3);
    assertEquals(log.entries, [3]);
  });

  const tells = traits.tellsTasks ? " and tells it so" : "";
  test(`${name}.with({ signal }) gives a running task up${tells}`, TELLS, async () => {
    await inGoodTime(async () => {
      await using executor = make({ maxWorkers: 1 });
      using started = new Gate();
      const stopped = makeEvent();
      const controller = new AbortController();
      const future = executor.with({ signal: controller.signal })
        .submit(tasks.waitForAbort, started.parts, stopped);
      await started.entered();
      const reason = new Error("enough");
      controller.abort(reason);
      assertStrictEquals(await future.exception(), reason);
      // A worker that is kept from running for long is given up before it can be told to stop.
      if (traits.tellsTasks) assertInTime(await stopped.wait({ timeout: PROMPT_MS }));
      assertEquals(await executor.submit(tasks.square, 2), 4);
    });
  });

  test(`${name}.with({ signal }) listens once, however many tasks have the signal`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const { signal, listeners, added } = countedSignal();
    const view = executor.with({ signal });
    const futures = Array.from({ length: 1000 }, (_, i) => view.submit(tasks.square, i));
    assertEquals([listeners(), added()], [1, 1]);
    gate.open();
    assertEquals(await futures[999], 998_001);
    await wait(futures);
    assertEquals([listeners(), added()], [0, 1]);
  });

  test(`${name}.with({ signal }) gives up all tasks of the signal that are not done`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const { controller, signal, listeners } = countedSignal();
    const view = executor.with({ signal });
    const done = Array.from({ length: 100 }, (_, i) => view.submit(tasks.square, i));
    await wait(done);
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const given: number[] = [];
    const left = Array.from({ length: 100 }, (_, i) => {
      const future = view.submit(tasks.square, i);
      future.addDoneCallback(() => given.push(i));
      return future;
    });
    const reason = new Error("enough");
    controller.abort(reason);
    assertEquals(given, left.map((_, i) => i));
    for (const future of left) assertStrictEquals(await future.exception(), reason);
    for (const [i, future] of done.entries()) assertEquals(await future, i * i);
    assertEquals(listeners(), 0);
    await reached();
    gate.open();
  });

  test(`${name}.with({ signal }) that aborts after the task's end changes nothing`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const controller = new AbortController();
    const future = executor.with({ signal: controller.signal }).submit(tasks.square, 2);
    await future;
    controller.abort();
    assertEquals(await future, 4);
  });

  test(`${name}.with({ timeout }) gives up a task that never ends, and goes on`, async () => {
    await using executor = make({ maxWorkers: 1 });
    // A worker is running before the time limit starts.
    await executor.submit(tasks.square, 1);
    const view = executor.with({ timeout: 20 });
    const future = view.submit(tasks.never);
    await assertRejects(() => future.result(), TimeoutError, "20 ms");
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  test(`${name}.with({ timeout }) counts the time in the queue, and spares what is done in time`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const queued = executor.with({ timeout: 20 }).submit(tasks.record, log.queue, 1);
    await assertRejects(() => queued.result(), TimeoutError);
    await reached();
    gate.open();
    const inTime = executor.with({ timeout: 10_000 }).submit(tasks.record, log.queue, 2);
    assertEquals(await inTime, 2);
    const unlimited = executor.with({ timeout: null }).submit(tasks.record, log.queue, 3);
    assertEquals(await unlimited, 3);
    assertEquals(log.entries, [2, 3]);
  });

  test(`${name}.with({ priority }) has tasks of higher priority run first, equal ones in order`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const priorities = [0, 0, 2, -1, 1, 2, 0, 1, -1];
    const held = executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const futures = priorities.map((priority, i) =>
      executor.with({ priority }).submit(tasks.record, log.queue, i)
    );
    gate.open();
    await Promise.all([held, ...futures]);
    // The first of these tasks may have been handed to the worker before the others came.
    const order = log.entries.filter((i) => i !== 0);
    assertEquals(order, [2, 5, 4, 7, 1, 6, 3, 8]);
    assert([0, 4].includes(log.entries.indexOf(0)), `${log.entries}`);
  });

  test(`${name}.with() adds to the options of a view, and map() uses them`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const controller = new AbortController();
    const view = executor.with({ signal: controller.signal }).with({ priority: 1 });
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const future = view.submit(tasks.square, 1);
    const results = view.map(tasks.square, [1, 2], { chunksize: 2 });
    controller.abort(new Error("enough"));
    await assertRejects(() => future.result(), Error, "enough");
    await assertRejects(() => results.toArray(), Error, "enough");
  });

  test(`${name}.with() keeps what it is given as undefined as it was`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const view = executor.with({ signal: AbortSignal.abort(new RangeError("enough")) })
      .with({ signal: undefined, timeout: 5 });
    await assertRejects(() => view.submit(tasks.square, 1).result(), RangeError, "enough");
    const limited = executor.with({ timeout: 20 }).with({ timeout: undefined, priority: 1 });
    await assertRejects(() => limited.submit(tasks.never).result(), TimeoutError, "20 ms");
    const unlimited = limited.with({ timeout: null });
    assertEquals(await unlimited.submit(tasks.square, 2), 4);
  });

  test(`${name}.with() refuses bad options`, async () => {
    await using executor = make({ maxWorkers: 1 });
    assertThrows(() => executor.with({ timeout: -1 }), RangeError);
    assertThrows(() => executor.with({ timeout: NaN }), RangeError);
    assertThrows(() => executor.with({ priority: NaN }), RangeError);
    assertThrows(() => executor.with({ priority: Infinity }), RangeError);
    const refused = (options: object, text: string): void => {
      assertThrows(() => executor.with(options), TypeError, text);
    };
    const signal = new AbortController();
    refused({ signal }, "Cannot submit: signal must be an AbortSignal, got AbortController");
    refused({ transfer: 5 }, "Cannot submit: transfer must be an array, got 5");
  });

  test(`${name}.with(): shutting a view down shuts the executor down`, async () => {
    const executor = make({ maxWorkers: 1 });
    await executor.with({ priority: 1 }).shutdown();
    assertThrows(() => executor.submit(tasks.square, 1), RuntimeError);
  });

  test(`${name}: taskContext() gives each task its own id, also after it has waited`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const futures = [1, 2, 3, 4].map(() => executor.submit(tasks.describeItself));
    const found = await Promise.all(futures);
    assertEquals(new Set(found.map(([id]) => id)).size, 4);
    for (const [, attempt, sameId] of found) assertEquals([attempt, sameId], [1, true]);
  });

  test(`${name}: taskContext().report() shows as the future's progress`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.reportAtGate, gate.parts, 0.5);
    assertEquals(future.progress, 0);
    await gate.entered();
    // The report was made before the task came to the gate; asking for the result makes this thread
    // take it in.
    await assertRejects(() => future.result({ timeout: 0 }), TimeoutError);
    while (traits.isFar && future.progress === 0) await turn();
    assertEquals(future.progress, 0.5);
    gate.open();
    await future;
    for (const fraction of [-0.1, 1.1, NaN]) {
      await assertRejects(() => executor.submit(tasks.report, fraction).result(), RangeError);
    }
  });

  test(`${name}: taskContext() throws outside a task`, async () => {
    await using executor = make({ maxWorkers: 1 });
    await executor.submit(tasks.describeItself);
    assertThrows(() => taskContext(), RuntimeError, "no task runs here");
  });
}
