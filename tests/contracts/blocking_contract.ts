import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { doorbell } from "../../_memory/doorbell.ts";
import { SLEEPING } from "../../_memory/thread_table.ts";
import {
  ALL_COMPLETED,
  asCompleted,
  CancelledError,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  RuntimeError,
  TimeoutError,
  waitSync,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate, Log } from "./signals.ts";
import { type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

/** The time limit of a test that only the outcome itself can end. */
const COMES = { timeout: 5_000 };

/** Whether this thread waits for its doorbell asynchronously, by a promise. */
function isAsleep(): boolean {
  return Atomics.load(doorbell["words"], doorbell["index"]) === SLEEPING;
}

export function blockingContract(suite: Suite): void {
  if (suite.traits.blocks) blocking(suite);
  else notBlocking(suite);
}

function blocking({ name, make }: Suite): void {
  test(`${name}: Future.resultSync() and exceptionSync() block until the task is done`, () => {
    using executor = make({ maxWorkers: 1 });
    assertEquals(executor.submit(tasks.square, 3).resultSync(), 9);
    assertEquals(executor.submit(tasks.squareLater, 3).exceptionSync(), null);
    const failed = executor.submit(tasks.fail, "failed");
    const error = assertThrows(() => failed.resultSync(), RangeError, "failed");
    assertStrictEquals(failed.exceptionSync(), error);
  });

  test(`${name}: Future.resultSync() throws falsy values too`, () => {
    using executor = make({ maxWorkers: 1 });
    for (const value of [undefined, null, 0]) {
      const future = executor.submit(tasks.throwValue, value);
      let thrown: unknown[] = [];
      try {
        future.resultSync();
      } catch (error) {
        thrown = [error];
      }
      assertEquals(thrown, [value]);
    }
  });

  test(`${name}: Future.resultSync() takes timeouts`, () => {
    using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, "done");
    for (const timeout of [0, 1, 20]) {
      assertThrows(() => future.resultSync({ timeout }), TimeoutError, "Cannot read result");
      assertThrows(() => future.exceptionSync({ timeout }), TimeoutError);
    }
    for (const timeout of [-1, NaN]) {
      assertThrows(() => future.resultSync({ timeout }), RangeError);
      assertThrows(() => future.exceptionSync({ timeout }), RangeError);
    }
    gate.open();
    assertEquals(future.resultSync({ timeout: null }), "done");
    assertEquals(future.resultSync({ timeout: 0 }), "done");
  });

  test(`${name}: Future.resultSync() of a cancelled future throws CancelledError`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    queued.cancel();
    assertThrows(() => queued.resultSync(), CancelledError);
    assertThrows(() => queued.exceptionSync(), CancelledError);
  });

  test(`${name}: callbacks are called within a blocking wait that sees the completion`, () => {
    using executor = make({ maxWorkers: 1 });
    const seen: number[] = [];
    const first = executor.submit(tasks.square, 2);
    const second = executor.submit(tasks.square, 3);
    for (const future of [first, second]) {
      future.addDoneCallback((done) => seen.push(done.resultSync()));
    }
    second.resultSync();
    assertEquals(seen, [4, 9]);
  });

  test(`${name}: blocking for a future that a callback of a task's completes waits for the task`, () => {
    using executor = make({ maxWorkers: 1 });
    const squareOf = (n: number): { task: Future<number>; copy: Future<number> } => {
      const task = executor.submit(tasks.square, n);
      const copy = new Future<number>();
      task.addDoneCallback(() => copy.setResult(task.resultSync()));
      return { task, copy };
    };
    assertEquals(squareOf(3).copy.resultSync(), 9);
    assertEquals(squareOf(4).copy.exceptionSync(), null);
    const { task, copy } = squareOf(5);
    assertEquals(waitSync([copy, task]).done.size, 2);
    assertEquals([...asCompleted([squareOf(6).copy])].map((f) => f.resultSync()), [36]);
  });

  test(`${name}: blocking for ever throws once no task is left that could complete the future`, () => {
    using executor = make({ maxWorkers: 1 });
    const never = new Future<number>();
    for (const returnWhen of [ALL_COMPLETED, FIRST_EXCEPTION] as const) {
      const futures = [never, executor.submit(tasks.square, 3)];
      assertThrows(() => waitSync(futures, { returnWhen }), RuntimeError, "only this thread");
      assertEquals(futures.map((future) => future.done()), [false, true]);
    }
    const iterator = asCompleted([never, executor.submit(tasks.square, 3)])[Symbol.iterator]();
    assertEquals(iterator.next().value.resultSync(), 9);
    assertThrows(() => iterator.next(), RuntimeError, "only this thread");
    executor.submit(tasks.square, 3);
    assertThrows(() => never.resultSync(), RuntimeError, "only this thread");
  });

  test(`${name}: a loop of resultSync({ timeout: 0 }) that never awaits sees the task's end`, () => {
    using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 3);
    const attempt = (): number | undefined => {
      try {
        return future.resultSync({ timeout: 0 });
      } catch (error) {
        assert(TimeoutError.is(error));
        return undefined;
      }
    };
    let result = attempt();
    while (result === undefined) result = attempt();
    assertEquals(result, 9);
  });

  test(`${name}: what is awaited comes after a blocking wait that timed out`, COMES, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, "done");
    const awaited = future.then((value) => value);
    await gate.entered();
    // The blocking wait begins while the asynchronous one is under way.
    while (!isAsleep()) await turn();
    assertThrows(() => future.resultSync({ timeout: 50 }), TimeoutError);
    gate.open();
    assertEquals(await awaited, "done");
  });

  test(`${name}: waitSync() blocks until what it waits for`, () => {
    using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const finished = executor.submit(tasks.square, 2);
    const failed = executor.submit(tasks.fail, "failed");
    const first = waitSync([held, finished], { returnWhen: FIRST_COMPLETED });
    assertEquals([[...first.done], [...first.notDone]], [[finished], [held]]);
    const exception = waitSync<Future<number>>([held, failed], { returnWhen: FIRST_EXCEPTION });
    assertEquals([...exception.notDone], [held]);
    for (const timeout of [0, 20]) {
      assertEquals([...waitSync([held, finished], { timeout }).notDone], [held]);
    }
    const generate = function* (): Generator<Future<number>> {
      yield held;
      yield held;
    };
    gate.open();
    assertEquals(waitSync(generate()).done.size, 1);
    assertThrows(() => waitSync([held], { timeout: -1 }), RangeError);
    assertThrows(() => waitSync([held], { returnWhen: "ANY" as never }), RangeError);
  });

  test(`${name}: for over asCompleted() blocks for one future after the other`, () => {
    using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const quick = executor.submit(tasks.square, 2);
    const seen: Future<number>[] = [];
    for (const future of asCompleted([held, quick, held])) {
      seen.push(future);
      gate.open();
    }
    assertEquals(seen.map((future) => [quick, held].indexOf(future)), [0, 1]);
  });

  test(`${name}: for over asCompleted() throws when time is up, and can be left early`, () => {
    using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    const iterator = asCompleted([held, queued], { timeout: 20 })[Symbol.iterator]();
    assertThrows(() => iterator.next(), TimeoutError, "2 (of 2) futures unfinished");
    assertEquals(iterator.next().done, true);
    gate.open();
    for (const future of asCompleted([held, queued])) {
      assertEquals(future.resultSync(), 1);
      break;
    }
    assertEquals(queued.resultSync(), 4);
  });

  test(`${name}: for over map() blocks for one result after the other`, () => {
    using executor = make({ maxWorkers: 2 });
    const items = Array.from({ length: 100 }, (_, i) => i);
    const expected = items.map((n) => n * n);
    assertEquals([...executor.map(tasks.square, items)], expected);
    assertEquals([...executor.map(tasks.square, items, { chunksize: 7 })], expected);
    assertEquals([...executor.map(tasks.square, items, { buffersize: 3 })], expected);
    assertEquals(executor.map(tasks.square, items).toArraySync(), expected);
    assertEquals(executor.map(tasks.square, items, { buffersize: 3 }).toArraySync(), expected);
    assertThrows(() => executor.map(tasks.squareEven, [2, 3]).toArraySync(), RangeError, "odd: 3");
  });

  test(`${name}: for over map() goes on after an error, and takes a timeout`, () => {
    using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const iterator = executor.map(tasks.squareEven, [2, 3, 4])[Symbol.iterator]();
    assertEquals(iterator.next().value, 4);
    assertThrows(() => iterator.next(), RangeError, "odd: 3");
    assertEquals(iterator.next().value, 16);
    assertEquals(iterator.next().done, true);
    const held = executor.map(tasks.pass, [gate.parts], [1], { timeout: 20 })[Symbol.iterator]();
    assertThrows(() => held.next(), TimeoutError);
    assertEquals(held.next().done, true);
  });

  test(`${name}: for over map() refuses to wait for an asynchronous input`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const results = executor.map(tasks.square, ReadableStream.from([1, 2]));
    assertThrows(() => results[Symbol.iterator]().next(), RuntimeError, "asynchronous");
    assertEquals(await results.toArray(), [1, 4]);
  });

  test(`${name}.shutdownSync() blocks until all is done`, () => {
    const executor = make({ maxWorkers: 1 });
    const log = new Log();
    const futures = [1, 2, 3].map((n) => executor.submit(tasks.record, log.queue, n));
    executor.shutdownSync({ wait: false });
    assertThrows(() => executor.submit(tasks.square, 1), RuntimeError);
    executor.shutdownSync();
    assertEquals(log.entries, [1, 2, 3]);
    assertEquals(futures.map((future) => future.done()), [true, true, true]);
    executor.shutdownSync({ cancelFutures: true });
  });

  test(`${name}: using blocks until all is done, cancels nothing, and lets errors pass`, () => {
    const log = new Log();
    assertThrows(
      () => {
        using executor = make({ maxWorkers: 1 });
        for (const n of [1, 2, 3]) executor.submit(tasks.record, log.queue, n);
        throw new RangeError("of the block");
      },
      RangeError,
      "of the block",
    );
    assertEquals(log.entries, [1, 2, 3]);
  });
}

function notBlocking({ name, make }: Suite): void {
  test(`${name}: blocking for one of its futures throws RuntimeError and changes nothing`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.squareLater, 3);
    const results = executor.map(tasks.square, [2]);
    assertThrows(() => future.resultSync(), RuntimeError, "Cannot block");
    assertThrows(() => future.resultSync({ timeout: 10 }), RuntimeError, "Cannot block");
    assertThrows(() => future.exceptionSync(), RuntimeError, "Cannot block");
    assertThrows(() => waitSync([future]), RuntimeError, "Cannot block");
    assertThrows(() => asCompleted([future])[Symbol.iterator]().next(), RuntimeError);
    assertThrows(() => results[Symbol.iterator]().next(), RuntimeError, "Cannot block");
    assertThrows(() => results.toArraySync(), RuntimeError, "Cannot block");
    assertEquals(await future, 9);
    assertEquals(await results.toArray(), [4]);
  });

  test(`${name}: the blocking forms poll, and read what is done`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 3);
    assertThrows(() => future.resultSync({ timeout: 0 }), TimeoutError);
    assertThrows(() => future.resultSync({ timeout: -1 }), RangeError);
    assertEquals(waitSync([future], { timeout: 0 }).notDone.size, 1);
    await future;
    assertEquals([future.resultSync(), future.exceptionSync()], [9, null]);
    assertEquals(waitSync([future]).done.size, 1);
    assertEquals([...asCompleted([future])], [future]);
  });

  test(`${name}.shutdownSync() throws RuntimeError while tasks are pending, and not once they are done`, async () => {
    const executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 3);
    assertThrows(() => executor.shutdownSync(), RuntimeError, "Cannot block");
    assertEquals(await future, 9);
    await executor.shutdown();
    executor.shutdownSync();
  });
}
