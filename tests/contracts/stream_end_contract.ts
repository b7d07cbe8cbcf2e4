import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  CancelledError,
  RuntimeError,
  type StreamResult,
  TimeoutError,
  waitSync,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import { inGoodTime, inTime, withTimeLimit } from "../_support/time_limits.ts";
import { Gate, Log, makeEvent } from "./signals.ts";
import * as streams from "./stream_tasks.ts";
import { outcomesOf, type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

/** By default, how many values a task may be ahead. */
const BUFFERSIZE = 1024;

function range(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}

/** Takes the given number of values, then leaves the stream by `break`. */
async function take<T>(stream: StreamResult<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) {
    if (values.push(value) === count) break;
  }
  return values;
}

/** How streams end: left by their consumer, given up, or shut down; and their blocking form. */
export function streamEndContract(suite: Suite): void {
  leaving(suite);
  endings(suite);
  if (suite.traits.blocks) blocking(suite);
  else notBlocking(suite);
}

function leaving({ name, make, traits }: Suite): void {
  test(`${name}.stream(): break closes the function, and waits for that`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    assertEquals(await take(executor.stream(streams.countUntilClosed, log.queue), 3), [0, 1, 2]);
    assertEquals(log.entries, [streams.CLOSED]);
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  test(`${name}.stream(): an error in the loop closes the function, and is thrown`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const fn of [streams.countUntilClosed, streams.failAtClose]) {
      const log = new Log();
      const stream = executor.stream(fn as typeof streams.countUntilClosed, log.queue);
      const error = new Error("of the loop");
      const thrown = await assertRejects(async () => {
        for await (const _ of stream) throw error;
      });
      assertStrictEquals(thrown, error);
      if (fn === streams.countUntilClosed) assertEquals(log.entries, [streams.CLOSED]);
    }
  });

  test(`${name}.stream(): return() resolves once the function was closed`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const iterator = executor.stream(streams.countUntilClosedLater, log.queue, gate.parts)
      [Symbol.asyncIterator]();
    await iterator.next();
    let hasReturned = false;
    const returned = iterator.return!("given").then((result) => {
      hasReturned = true;
      return result;
    });
    await gate.entered();
    await turn();
    assertEquals([hasReturned, log.entries], [false, []]);
    gate.open();
    assertEquals(await returned, { done: true, value: "given" });
    assertEquals(log.entries, [streams.CLOSED]);
    assertEquals((await iterator.next()).done, true);
    assertEquals(await iterator.return!(), { done: true, value: undefined });
  });

  test(`${name}.stream(): throw() closes the function, and rejects with its argument`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    const iterator = executor.stream(streams.countUntilClosed, log.queue)[Symbol.asyncIterator]();
    await iterator.next();
    const error = new Error("thrown in");
    assertStrictEquals(await assertRejects(() => iterator.throw!(error)), error);
    assertEquals(log.entries, [streams.CLOSED]);
  });

  test(`${name}.stream(): the end of an await using block closes the function`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    {
      await using stream = executor.stream(streams.countUntilClosed, log.queue);
      assertEquals((await stream[Symbol.asyncIterator]().next()).value, 0);
    }
    assertEquals(log.entries, [streams.CLOSED]);
    await using ended = executor.stream(streams.count, 2);
    assertEquals(await ended.toArray(), [0, 1]);
  });

  test(`${name}.stream(): what closing the function throws is thrown`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const text = "failed at close";
    await assertRejects(() => take(executor.stream(streams.failAtClose), 2), RangeError, text);
    const iterator = executor.stream(streams.failAtClose)[Symbol.asyncIterator]();
    await iterator.next();
    await assertRejects(() => iterator.return!(), RangeError, text);
    assertEquals((await iterator.return!()).done, true);
  });

  test(`${name}.stream(): an error that comes after break is nobody's`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const iterator = executor.stream(streams.failAtGate, gate.parts)[Symbol.asyncIterator]();
    await iterator.next();
    await gate.entered();
    const returned = iterator.return!();
    gate.open();
    assertEquals((await returned).done, true);
    // Nor is an error reported that came before the consumer left, and that it did not reach.
    for (let i = 0; i < 20; i++) {
      assertEquals(await take(executor.stream(streams.failAfter, 3, 1), 2), [0, 1]);
    }
  });

  test(`${name}.stream(): what a function yields as it is closed is dropped`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    assertEquals(await take(executor.stream(streams.yieldAtClose, log.queue), 2), [0, 1]);
    assertEquals(log.entries, [streams.CLOSED]);
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  test(`${name}.stream(): leaving one that has not started cancels it`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    await gate.entered();
    const stream = executor.stream(streams.recordCall, log.queue, 1);
    const next = stream[Symbol.asyncIterator]().next();
    await stream[Symbol.asyncDispose]();
    assertEquals(await next, { done: true, value: undefined });
    assertEquals(await stream.toArray(), []);
    gate.open();
    assertEquals(await held, 1);
    assertEquals(await executor.stream(streams.recordCall, log.queue, 2).toArray(), [2]);
    assertEquals(log.entries, [2]);
  });

  test(`${name}.stream(): leaving aborts the task's signal, which ends what the function awaits`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    for await (const n of executor.stream(streams.waitForAbort, log.queue, gate.parts)) {
      assertEquals(n, 1);
      await gate.entered();
      break;
    }
    assertEquals(log.entries, [streams.ABORTED, streams.CLOSED]);
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  test(`${name}.stream(): leaving closes an iterator that waits for a value`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const iterator = executor.stream(streams.waitForReturn, log.queue, gate.parts)
      [Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 1);
    await gate.entered();
    assertEquals((await iterator.return!()).done, true);
    assertEquals(log.entries, [streams.CLOSED]);
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  if (traits.blocks) {
    test(`${name}.stream(): leaving while the iterator blocks closes it when it waits for a value`, async () => {
      await using executor = make({ maxWorkers: 1 });
      using gate = new Gate();
      const log = new Log();
      const iterator = executor.stream(streams.blockThenWait, log.queue, gate.parts)
        [Symbol.asyncIterator]();
      assertEquals((await iterator.next()).value, 1);
      await gate.entered();
      const left = iterator.return!();
      gate.open();
      assertEquals((await left).done, true);
      assertEquals(log.entries, [streams.CLOSED]);
      assertEquals(await executor.submit(tasks.square, 2), 4);
    });

    test(`${name}.stream(): leaving aborts the signal of a function that computes`, async () => {
      await using executor = make({ maxWorkers: 1 });
      using gate = new Gate();
      const log = new Log();
      for await (const n of executor.stream(streams.computeUntilAborted, log.queue, gate.parts)) {
        assertEquals(n, 1);
        await gate.entered();
        break;
      }
      assertEquals(log.entries, [streams.ABORTED]);
      assertEquals(await executor.submit(tasks.square, 2), 4);
    });
  }
}

function endings({ name, make }: Suite): void {
  test(`${name}.with({ signal }).stream() ends with the reason after the values so far, and closes the function`, async () => {
    await inGoodTime(async () => {
      await using executor = make({ maxWorkers: 1 });
      const log = new Log();
      const controller = new AbortController();
      const view = executor.with({ signal: controller.signal, buffersize: 4 });
      const iterator = view.stream(streams.countUntilClosed, log.queue)[Symbol.asyncIterator]();
      assertEquals((await iterator.next()).value, 0);
      const reason = new Error("enough");
      controller.abort(reason);
      const outcomes = await outcomesOf({ [Symbol.asyncIterator]: () => iterator });
      assertEquals(outcomes.pop(), ["error", "enough"]);
      assertEquals(outcomes, range(outcomes.length).map((n) => ["value", n + 1]));
      assertEquals((await iterator.return!()).done, true);
      // A worker that is kept from running for long is given up before it can close its stream.
      assertEquals(await inTime(log.queue.get({ timeout: PROMPT_MS })), streams.CLOSED);
      assertEquals(await executor.submit(tasks.square, 2), 4);
      await assertRejects(() => view.stream(streams.count, 1).toArray(), Error, "enough");
    });
  });

  test(`${name}.with({ timeout }).stream() ends with a TimeoutError, and the executor goes on`, async () => {
    await withTimeLimit(300, async (timeout) => {
      await using executor = make({ maxWorkers: 1 });
      using gate = new Gate();
      // A worker is running, and has loaded what streams need, before the time limit starts.
      await executor.stream(streams.count, 1).toArray();
      const stream = executor.with({ timeout }).stream(streams.yieldAroundGate, gate.parts);
      const iterator = stream[Symbol.asyncIterator]();
      assertEquals((await inTime(iterator.next())).value, 1);
      await assertRejects(() => iterator.next(), TimeoutError, `${timeout} ms`);
      assertEquals((await iterator.next()).done, true);
      gate.open();
      assertEquals(await executor.submit(tasks.square, 2), 4);
    });
  });

  test(`${name}.shutdown() waits until an open stream was read`, async () => {
    const executor = make({ maxWorkers: 1 });
    const end = 3 * BUFFERSIZE;
    const stream = executor.stream(streams.count, end);
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    let hasEnded = false;
    const ended = executor.shutdown().then(() => hasEnded = true);
    await turn();
    assertEquals(hasEnded, false);
    assertThrows(() => executor.stream(streams.count, 1), RuntimeError, "after shutdown");
    assertEquals((await stream.toArray()).length, end - 1);
    await ended;
  });

  test(`${name}.shutdown() waits until an open stream was left`, async () => {
    const executor = make({ maxWorkers: 1 });
    const log = new Log();
    const stream = executor.stream(streams.countUntilClosed, log.queue);
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const ended = executor.shutdown({ cancelFutures: true });
    assertEquals((await iterator.next()).value, 1);
    await iterator.return!();
    await ended;
    assertEquals(log.entries, [streams.CLOSED]);
  });

  test(`${name}.shutdown({ cancelFutures }) cancels a stream that has not started`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    executor.submit(tasks.pass, gate.parts, 1);
    await gate.entered();
    const stream = executor.stream(streams.recordCall, log.queue, 1);
    const ended = executor.shutdown({ cancelFutures: true });
    await assertRejects(() => stream.toArray(), CancelledError, "Cannot read stream");
    assertEquals(await stream.toArray(), []);
    gate.open();
    await ended;
    assertEquals(log.entries, []);
  });
}

function blocking({ name, make }: Suite): void {
  test(`${name}: for over stream() blocks for one value after the other`, () => {
    using executor = make({ maxWorkers: 1 });
    assertEquals([...executor.stream(streams.count, 5000)], range(5000));
    assertEquals([...executor.stream(streams.countLater, 20, true)], range(20));
    assertEquals(executor.stream(streams.count, 5000).toArraySync(), range(5000));
    const stream = executor.with({ buffersize: 1 }).stream(streams.count, 20);
    const iterator = stream[Symbol.iterator]();
    assertEquals(iterator.next().value, 0);
    assertStrictEquals(iterator[Symbol.iterator](), iterator);
    assertEquals(stream.toArraySync(), range(20).slice(1));
    assertEquals(iterator.next().done, true);
  });

  test(`${name}: for over stream() throws the error after the values before it`, () => {
    using executor = make({ maxWorkers: 1 });
    const iterator = executor.stream(streams.failAfter, 2, 42)[Symbol.iterator]();
    assertEquals([iterator.next().value, iterator.next().value], [0, 1]);
    assertEquals(assertThrows(() => iterator.next(), tasks.AppError).code, 42);
    assertEquals(iterator.next().done, true);
    const stream = executor.stream(streams.failAfter, 2, 42);
    assertThrows(() => stream.toArraySync(), tasks.AppError);
  });

  test(`${name}: break out of for over stream() blocks until the function was closed`, () => {
    using executor = make({ maxWorkers: 1 });
    const log = new Log();
    for (const n of executor.stream(streams.countUntilClosed, log.queue)) if (n === 2) break;
    assertEquals(log.entries, [streams.CLOSED]);
    const [first] = executor.stream(streams.countUntilClosed, log.queue);
    assertEquals([first, log.entries], [0, [streams.CLOSED, streams.CLOSED]]);
    {
      using stream = executor.stream(streams.countUntilClosed, log.queue);
      assertEquals(stream[Symbol.iterator]().next().value, 0);
    }
    assertEquals(log.entries.length, 3);
    const text = "failed at close";
    assertThrows(
      () => {
        for (const _ of executor.stream(streams.failAtClose)) break;
      },
      RangeError,
      text,
    );
    const iterator = executor.stream(streams.countUntilClosed, log.queue)[Symbol.iterator]();
    iterator.next();
    const error = new Error("thrown in");
    assertStrictEquals(assertThrows(() => iterator.throw!(error)), error);
    assertEquals(log.entries.length, 4);
    assertEquals(executor.submit(tasks.square, 2).resultSync(), 4);
  });

  test(`${name}.shutdownSync() throws where only this thread could take a stream's values`, async () => {
    const executor = make({ maxWorkers: 1 });
    const stream = executor.stream(streams.count);
    assertThrows(
      () => executor.shutdownSync(),
      RuntimeError,
      "a stream waits for this thread to take its values",
    );
    stream[Symbol.dispose]();
    executor.shutdownSync();
    await executor.shutdown();
  });

  test(`${name}: a blocking wait for a task behind streams throws where only this thread could take their values`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const opened = [1, 2].map(() => executor.stream(streams.count));
    for (const stream of opened) stream[Symbol.iterator]().next();
    const future = executor.submit(tasks.square, 3);
    const text = "a stream waits for this thread to take its values";
    assertThrows(() => future.resultSync(), RuntimeError, text);
    assertThrows(() => waitSync([future]), RuntimeError, text);
    assertThrows(() => executor.map(tasks.square, [1]).toArraySync(), RuntimeError, text);
    assertThrows(() => [...executor.stream(streams.count, 3)], RuntimeError, text);
    assertThrows(() => future.resultSync({ timeout: 1 }), TimeoutError);
    opened[0][Symbol.dispose]();
    assertEquals(future.resultSync(), 9);
    opened[1][Symbol.dispose]();
  });

  test(`${name}: a blocking wait for a task behind a stream goes on while something may end the stream`, async () => {
    await using executor = make({ maxWorkers: 1 });
    await using other = make({ maxWorkers: 1 });
    for (const each of [executor, other]) {
      assertEquals(each.submit(tasks.square, 2).resultSync(), 4);
    }
    executor.with({ timeout: 100 }).stream(streams.count);
    assertEquals(executor.submit(tasks.square, 3).resultSync(), 9);
    const controller = new AbortController();
    const { signal } = controller;
    executor.with({ signal }).stream(streams.count);
    using gate = new Gate();
    const late = other.with({ timeout: 100 }).submit(tasks.waitForAbort, gate.parts, makeEvent());
    late.addDoneCallback(() => controller.abort());
    assertEquals(executor.submit(tasks.square, 4).resultSync(), 16);
  });
}

function notBlocking({ name, make }: Suite): void {
  test(`${name}: for over stream() throws, and loses nothing`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const stream = executor.stream(streams.count, 3);
    assertThrows(() => [...stream], RuntimeError, "Cannot block");
    assertThrows(() => stream.toArraySync(), RuntimeError, "Cannot block");
    assertEquals(await stream.toArray(), [0, 1, 2]);
  });
}
