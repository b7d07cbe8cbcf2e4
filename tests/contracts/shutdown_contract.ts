import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CancelledError, type MapResult, RuntimeError, wait } from "../../executors/mod.ts";
import { type HasStanding, STANDING } from "../../executors/_standing.ts";
import { test } from "../_support/leaks.ts";
import { Gate, Log, reached } from "./signals.ts";
import { outcomesOf, type Suite } from "./suite.ts";
import * as tasks from "./tasks.ts";

/** Ways to read results, from the next on. */
const READS: Record<string, (results: MapResult<unknown>) => Promise<unknown>> = {
  "next()": (results) => results[Symbol.asyncIterator]().next(),
  "blocking next()": (results) => attempt(() => results[Symbol.iterator]().next()),
  "toArray()": (results) => results.toArray(),
  "toArraySync()": (results) => attempt(() => results.toArraySync()),
};

function attempt<R>(read: () => R): Promise<R> {
  return new Promise((resolve) => resolve(read()));
}

export function shutdownContract({ name, make }: Suite): void {
  test(`${name}.shutdown() waits for all that was submitted`, async () => {
    const executor = make({ maxWorkers: 1 });
    const futures = [1, 2, 3].map((n) => executor.submit(tasks.squareLater, n));
    await executor.shutdown();
    assertEquals(futures.map((future) => future.done()), [true, true, true]);
    assertEquals(await Promise.all(futures), [1, 4, 9]);
  });

  test(`${name}.shutdown() may be repeated, also of an executor that was never used`, async () => {
    const executor = make({ maxWorkers: 1 });
    await Promise.all([executor.shutdown(), executor.shutdown()]);
    await executor.shutdown({ wait: false });
    await executor.shutdown({ cancelFutures: true });
    assertThrows(() => executor.submit(tasks.square, 1), RuntimeError);
  });

  test(`${name}.shutdown({ wait: false }) returns at once, and queued work still runs`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    await executor.shutdown({ wait: false });
    assertEquals([held.done(), queued.done()], [false, false]);
    assertThrows(() => executor.submit(tasks.square, 3), RuntimeError, "after shutdown");
    gate.open();
    assertEquals([await held, await queued], [1, 4]);
    await executor.shutdown();
  });

  test(`${name}.shutdown({ cancelFutures }) cancels what has not started, and wait() sees it`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = [1, 2, 3].map((n) => executor.submit(tasks.record, log.queue, n));
    await gate.entered();
    const closing = executor.shutdown({ cancelFutures: true });
    assertEquals(queued.map((future) => future.cancelled()), [true, true, true]);
    assertEquals((await wait(queued)).done.size, 3);
    assert(held.running());
    await reached();
    gate.open();
    await closing;
    assertEquals(await held, 1);
    assertEquals(log.entries, []);
  });

  test(`${name}.shutdown(): a later call may still cancel`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    await executor.shutdown({ wait: false });
    await executor.shutdown({ wait: false, cancelFutures: true });
    assert(queued.cancelled());
    gate.open();
    await executor.shutdown();
    assertEquals(await held, 1);
  });

  test(`${name}.shutdown() ends when the futures it waits for are cancelled`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    const closing = executor.shutdown();
    queued.cancel();
    gate.open();
    await closing;
    assert(queued.cancelled());
  });

  test(`${name}.shutdown({ cancelFutures }) cancels what map() has not started`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 0];
    const items = Array.from({ length: 50 }, (_, i) => i);
    const results = executor.map(tasks.recordAndHold, items, items.map(() => context));
    await gate.entered();
    const closing = executor.shutdown({ cancelFutures: true });
    await reached();
    gate.open();
    const iterator = results[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    await assertRejects(async () => void await iterator.next(), CancelledError);
    await closing;
    const rest = await outcomesOf(results);
    assertEquals(rest, Array(48).fill(["error", "Cannot read result: the item was cancelled"]));
    assertEquals(log.entries, [0]);
  });

  for (const [way, read] of Object.entries(READS)) {
    test(`${name}.shutdown({ cancelFutures }) cancels each item of map() once, read by ${way}`, async () => {
      const executor = make({ maxWorkers: 1 });
      using gate = new Gate();
      const held = executor.submit(tasks.pass, gate.parts, 1);
      await gate.entered();
      const results = executor.map(tasks.square, Array.from({ length: 50 }, (_, i) => i));
      const closing = executor.shutdown({ cancelFutures: true });
      gate.open();
      await Promise.all([held, closing]);
      for (let i = 0; i < 50; i++) await assertRejects(() => read(results), CancelledError);
      assertEquals(await results.toArray(), []);
      const standing = (results as unknown as HasStanding)[STANDING]();
      assertEquals(standing, { done: 0, reported: 0, total: 50 });
    });
  }

  test(`${name}: await using waits for all, cancels nothing, and lets errors pass`, async () => {
    const log = new Log();
    await assertRejects(
      async () => {
        await using executor = make({ maxWorkers: 1 });
        for (const n of [1, 2, 3]) executor.submit(tasks.record, log.queue, n);
        throw new RangeError("of the block");
      },
      RangeError,
      "of the block",
    );
    assertEquals(log.entries, [1, 2, 3]);
  });
}
