import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { RuntimeError, TimeoutError } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate, Log, reached } from "./signals.ts";
import { Numbers, outcomesOf, type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

function range(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}

/** The time limit of a test that only a read ahead can end. */
const LATE = { timeout: 30_000 };

export function mapContract({ name, make, traits }: Suite): void {
  test(`${name}.map() gives the results in the order of the inputs`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const expected = range(200).map((n) => n * n);
    assertEquals(await executor.map(tasks.square, range(200)).toArray(), expected);
    assertEquals(await executor.map(tasks.squareLater, range(200)).toArray(), expected);
    const seen: number[] = [];
    for await (const value of executor.map(tasks.square, range(200))) seen.push(value);
    assertEquals(seen, expected);
  });

  test(`${name}.map() gives a result of a slow item before those of fast ones after it`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    const log = new Log();
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 0];
    const results = executor.map(tasks.recordAndHold, [0, 1, 2], [context, context, context], {
      chunksize: 1,
    });
    const iterator = results[Symbol.asyncIterator]();
    const first = iterator.next();
    await gate.entered();
    gate.open();
    assertEquals((await first).value, 0);
    assertEquals(await results.toArray(), [1, 2]);
  });

  test(`${name}.map() takes up to three inputs, to the end of the shortest`, async () => {
    await using executor = make({ maxWorkers: 2 });
    assertEquals(await executor.map(tasks.add, [1, 2, 3], [10, 20]).toArray(), [11, 22]);
    assertEquals(
      await executor.map(tasks.addThree, [1, 2], new Set([10, 20, 30]), new Numbers()).toArray(),
      [11, 23],
    );
    assertEquals(await executor.map(tasks.add, [1, 2], []).toArray(), []);
    assertEquals(
      await executor.map(tasks.add, [1, 2, 3, 4, 5], [1, 1, 1, 1, 1], { chunksize: 2 }).toArray(),
      [2, 3, 4, 5, 6],
    );
  });

  test(`${name}.map() stops at the first input that ends, and reads no further input after it`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const numbers = new Numbers();
    assertEquals(await executor.map(tasks.add, [1, 2], numbers).toArray(), [1, 3]);
    assertEquals([numbers.read, numbers.closed], [2, true]);
  });

  test(`${name}.map() takes anything iterable, and no items`, async () => {
    await using executor = make({ maxWorkers: 1 });
    assertEquals(await executor.map(tasks.echo, "abc").toArray(), ["a", "b", "c"]);
    assertEquals(await executor.map(tasks.echo, new Set([1, 2])).toArray(), [1, 2]);
    assertEquals(await executor.map(tasks.echo, new Float64Array([0.5])).toArray(), [0.5]);
    assertEquals(await executor.map(tasks.echo, new Numbers(3)).toArray(), [0, 1, 2]);
    assertEquals(await executor.map(tasks.echo, []).toArray(), []);
    assertEquals(await executor.map(tasks.echo, later([])).toArray(), []);
  });

  test(`${name}.map() reads all of its inputs before it returns`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const numbers = new Numbers(100);
    const results = executor.map(tasks.square, numbers);
    assertEquals([numbers.read, numbers.closed], [100, true]);
    assertEquals((await results.toArray()).length, 100);
  });

  test(`${name}.map() gives the same results for every chunksize`, async () => {
    await using executor = make({ maxWorkers: 2 });
    for (const chunksize of [1, 2, 3, 7, 8, 1000]) {
      const results = executor.map(tasks.square, range(8), { chunksize });
      assertEquals(await results.toArray(), range(8).map((n) => n * n));
    }
  });

  test(`${name}.map() with buffersize reads so many items ahead and one more for each result`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const numbers = new Numbers();
    const iterator = executor.map(tasks.square, numbers, { buffersize: 4, chunksize: 1 })
      [Symbol.asyncIterator]();
    assertEquals(numbers.read, 4);
    for (let i = 0; i < 10; i++) {
      assertEquals((await iterator.next()).value, i * i);
      assertEquals(numbers.read, 5 + i);
    }
    await iterator.return?.();
    assertEquals([numbers.read, numbers.closed], [14, true]);
  });

  test(`${name}.map() with buffersize takes an infinite source, in chunks too`, async () => {
    await using executor = make({ maxWorkers: 2 });
    for (const options of [{ buffersize: 1 }, { buffersize: 10, chunksize: 4 }]) {
      const numbers = new Numbers();
      const seen: number[] = [];
      for await (const value of executor.map(tasks.square, numbers, options)) {
        if (seen.push(value) === 25) break;
      }
      assertEquals(seen, range(25).map((n) => n * n));
      assert(numbers.closed);
      assert(numbers.read <= 25 + options.buffersize, `${numbers.read}`);
    }
  });

  test(`${name}.map() with buffersize gives all results, in whatever way they are taken`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const expected = range(20).map((n) => n * n);
    for (const options of [{ buffersize: 1 }, { buffersize: 3 }, { buffersize: 7, chunksize: 2 }]) {
      assertEquals(await executor.map(tasks.square, range(20), options).toArray(), expected);
      const iterated = await outcomesOf(executor.map(tasks.square, range(20), options));
      assertEquals(iterated.map(([, value]) => value), expected);
    }
    const all = executor.map(tasks.square, range(20), { buffersize: null });
    assertEquals(await all.toArray(), expected);
  });

  test(`${name}.map() takes asynchronous inputs, alone and beside others`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const expected = range(20).map((n) => n * n);
    assertEquals(await executor.map(tasks.square, later(range(20))).toArray(), expected);
    const iterated = await outcomesOf(executor.map(tasks.square, later(range(20))));
    assertEquals(iterated.map(([, value]) => value), expected);
    for (const options of [{ buffersize: 2 }, { chunksize: 3 }, { buffersize: 5, chunksize: 2 }]) {
      assertEquals(await executor.map(tasks.square, later(range(20)), options).toArray(), expected);
    }
    assertEquals(await executor.map(tasks.add, later([1, 2, 3]), [10, 20]).toArray(), [11, 22]);
  });

  test(`${name}.map() with buffersize reads an asynchronous input no further than that`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const numbers = new Numbers();
    const results = executor.map(tasks.square, later(numbers), { buffersize: 3 });
    const iterator = results[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    assertEquals((await iterator.next()).value, 1);
    await turn();
    assert(numbers.read <= 5, `${numbers.read}`);
    await iterator.return?.();
    await turn();
    assert(numbers.closed);
  });

  test(`${name}.map() sends an item that it read ahead once a worker is free`, LATE, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const [asked, got] = [1, 2].map(() => Promise.withResolvers<void>());
    const source = async function* (): AsyncGenerator<number> {
      yield 0;
      yield 1;
      asked.resolve();
      yield 2;
      await got.promise;
      yield 3;
    };
    const results = executor.map(tasks.pass, range(9).map(() => gate.parts), source());
    await asked.promise;
    gate.open();
    const outcomes: unknown[] = [];
    for await (const value of results) {
      outcomes.push(value);
      if (value === 2) got.resolve();
    }
    assertEquals(outcomes, range(4));
  });

  test(`${name}.map(): an item's error does not end the iteration`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const expected: [string, unknown][] = [
      ["value", 0],
      ["error", "odd: 1"],
      ["value", 4],
      ["error", "odd: 3"],
      ["value", 16],
    ];
    for (const options of [{}, { chunksize: 5 }, { chunksize: 2 }, { buffersize: 2 }]) {
      assertEquals(
        await outcomesOf(executor.map(tasks.squareEven, range(5), options)),
        expected,
        JSON.stringify(options),
      );
    }
    assertEquals(await outcomesOf(executor.map(tasks.squareEven, later(range(5)))), expected);
  });

  test(`${name}.map(): a falsy value that an item throws is its error`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const results = executor.map(tasks.throwValue, [undefined, 0, null], { chunksize: 3 });
    assertEquals(await outcomesOf(results), [["error", undefined], ["error", 0], ["error", null]]);
  });

  test(`${name}.map().toArray() rejects with the first error; the rest can still be taken`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const results = executor.map(tasks.squareEven, [0, 2, 1, 4, 6]);
    await assertRejects(() => results.toArray(), RangeError, "odd: 1");
    assertEquals(await results.toArray(), [16, 36]);
    assertEquals(await results.toArray(), []);
  });

  test(`${name}.map() throws what its source throws`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const source = function* (): Generator<number> {
      yield 1;
      throw new Error("the source failed");
    };
    const numbers = new Numbers();
    assertThrows(() => executor.map(tasks.square, source()), Error, "the source failed");
    assertThrows(() => executor.map(tasks.add, numbers, source()), Error, "the source failed");
    assertEquals(numbers.closed, true);
    assertThrows(
      () => executor.map(tasks.square, source(), { buffersize: 2 }),
      Error,
      "the source failed",
    );
    const lazy = executor.map(tasks.square, source(), { buffersize: 1 });
    assertEquals(await outcomesOf(lazy), [["value", 1], ["error", "the source failed"]]);
  });

  test(`${name}.map() gives the results before the error of an asynchronous source`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const source = async function* (): AsyncGenerator<number> {
      yield 1;
      yield 2;
      throw await Promise.resolve(new Error("the source failed"));
    };
    assertEquals(await outcomesOf(executor.map(tasks.square, source())), [
      ["value", 1],
      ["value", 4],
      ["error", "the source failed"],
    ]);
  });

  test(`${name}.map() sends what an asynchronous source gave of a chunk before it failed`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const source = async function* (): AsyncGenerator<number> {
      yield* range(5);
      throw await Promise.resolve(new Error("the source failed"));
    };
    assertEquals(await outcomesOf(executor.map(tasks.square, source(), { chunksize: 3 })), [
      ...range(5).map((i): [string, unknown] => ["value", i * i]),
      ["error", "the source failed"],
    ]);
  });

  test(`${name}.map() with buffersize sends what its source gave of a chunk before it failed`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    const source = function* (): Generator<number> {
      yield* range(5);
      throw new Error("the source failed");
    };
    const results = executor.map(tasks.recordItem, source(), range(9).map(() => log.queue), {
      buffersize: 4,
      chunksize: 2,
    });
    // All four results are there, so two are taken at once, and make room for two more items.
    await executor.submit(tasks.square, 1);
    await assertRejects(() => results.toArray(), Error, "the source failed");
    assertEquals(log.entries, range(5));
  });

  test(`${name}.map() throws when time is up, is over then, and cancels what has not started`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    // A worker is running before the time limit starts.
    await executor.submit(tasks.square, 1);
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 0];
    const results = executor.map(tasks.recordAndHold, range(6), range(6).map(() => context), {
      chunksize: 1,
      timeout: 30,
    });
    const iterator = results[Symbol.asyncIterator]();
    await gate.entered();
    await assertRejects(async () => void await iterator.next(), TimeoutError, "30 ms");
    assertEquals((await iterator.next()).done, true);
    await reached();
    gate.open();
    await executor.submit(tasks.square, 1);
    assertEquals(log.entries, [0]);
  });

  test(`${name}.map() delivers what is ready after its time is up`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 1];
    // A worker is running before the time limit starts.
    await executor.submit(tasks.square, 1);
    const timeout = 50;
    const results = executor.map(tasks.recordAndHold, range(3), range(3).map(() => context), {
      chunksize: 1,
      timeout,
    });
    const deadlineMs = performance.now() + timeout;
    await gate.entered();
    // Blocking keeps this thread from taking the result in.
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    const remaining = deadlineMs - performance.now() + 5;
    if (remaining > 0) Atomics.wait(nothing, 0, 0, remaining);
    const iterator = results[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    await assertRejects(async () => void await iterator.next(), TimeoutError);
  });

  test(`${name}.map(): a task's own TimeoutError is its item's error`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const errors = [new TimeoutError("of the task"), new TimeoutError("of the next")];
    assertEquals(await outcomesOf(executor.map(tasks.throwValue, errors)), [
      ["error", "of the task"],
      ["error", "of the next"],
    ]);
  });

  test(`${name}.map(): leaving early cancels what has not started`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 1];
    const results = executor.map(tasks.recordAndHold, range(9), range(9).map(() => context), {
      chunksize: 1,
    });
    for await (const value of results) {
      assertEquals(value, 0);
      await gate.entered();
      break;
    }
    await reached();
    gate.open();
    await executor.submit(tasks.square, 1);
    assertEquals(log.entries, [0, 1]);
    assertEquals(await results.toArray(), []);
  });

  test(`${name}.map(): closing an iterator that was not started cancels what has not started`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    executor.submit(tasks.pass, gate.parts, 0);
    await gate.entered();
    const results = executor.map(tasks.recordItem, range(9), range(9).map(() => log.queue), {
      chunksize: 2,
    });
    await results[Symbol.asyncIterator]().return?.();
    await reached();
    gate.open();
    await executor.submit(tasks.square, 1);
    assertEquals(log.entries, []);
  });

  test(`${name}.map() whose executor is shut down gives all results`, async () => {
    const executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    executor.submit(tasks.pass, gate.parts, 0);
    const results = executor.map(tasks.square, range(200));
    const chunked = executor.map(tasks.square, range(200), { chunksize: 7 });
    await gate.entered();
    const closing = executor.shutdown();
    gate.open();
    const expected = range(200).map((n) => n * n);
    assertEquals(await results.toArray(), expected);
    assertEquals(await chunked.toArray(), expected);
    await closing;
  });

  test(`${name}.map() with buffersize delivers its buffer after shutdown, then throws RuntimeError`, async () => {
    const executor = make({ maxWorkers: 1 });
    const results = executor.map(tasks.square, new Numbers(), { buffersize: 3, chunksize: 1 });
    await executor.shutdown();
    assertEquals((await outcomesOf(results)).slice(0, 3), [
      ["value", 0],
      ["value", 1],
      ["value", 4],
    ]);
    const more = await outcomesOf(results);
    assertEquals(more, []);
  });

  test(`${name}.map() with buffersize throws RuntimeError once it has to feed after shutdown`, async () => {
    const executor = make({ maxWorkers: 1 });
    const numbers = new Numbers();
    const results = executor.map(tasks.square, numbers, { buffersize: 1 });
    await executor.shutdown();
    const iterator = results[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    await assertRejects(async () => void await iterator.next(), RuntimeError, "after shutdown");
    assertEquals((await iterator.next()).done, true);
    assert(numbers.closed);
  });

  test(`${name}.map() throws RuntimeError after shutdown, and nothing for no items`, async () => {
    const executor = make({ maxWorkers: 1 });
    await executor.shutdown();
    assertThrows(() => executor.map(tasks.square, [1, 2, 3]), RuntimeError, "after shutdown");
    const numbers = new Numbers();
    assertThrows(
      () => executor.map(tasks.square, numbers, { buffersize: 2 }),
      RuntimeError,
      "after shutdown",
    );
    assert(numbers.closed);
    assertEquals(await executor.map(tasks.square, []).toArray(), []);
    await executor.shutdown();
  });

  test(`${name}.map(): a signal cancels what has not started and ends the iteration`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const context: Parameters<typeof tasks.recordAndHold>[1] = [log.queue, gate.parts, 0];
    const controller = new AbortController();
    const { signal } = controller;
    const results = executor.map(tasks.recordAndHold, range(5), range(5).map(() => context), {
      chunksize: 1,
      signal,
    });
    const iterator = results[Symbol.asyncIterator]();
    await gate.entered();
    const next = iterator.next().catch((error) => error);
    const reason = new Error("enough");
    controller.abort(reason);
    assertStrictEquals(await next, reason);
    assertEquals((await iterator.next()).done, true);
    await reached();
    gate.open();
    await executor.submit(tasks.square, 1);
    assertEquals(log.entries, [0]);
    assertThrows(() => executor.map(tasks.square, [1], { signal }), Error, "enough");
  });

  test(`${name}.map(): a signal that aborts while an asynchronous input is read submits nothing more`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    const item = Promise.withResolvers<number>();
    const source = async function* (): AsyncGenerator<number> {
      yield await item.promise;
    };
    const controller = new AbortController();
    const results = executor.map(tasks.recordItem, source(), [log.queue], {
      signal: controller.signal,
    });
    controller.abort(new Error("enough"));
    item.resolve(1);
    await turn();
    assertEquals(await outcomesOf(results), [["error", "enough"]]);
    await executor.submit(tasks.square, 1);
    assertEquals(log.entries, []);
  });

  test(`${name}.map() refuses bad options and inputs`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const refused = (options: object, errorClass: ErrorConstructor, text: string): void => {
      assertThrows(() => executor.map(tasks.square, [1], options), errorClass, text);
    };
    refused({ chunksize: 0 }, RangeError as never, "chunksize must be 1 or more");
    refused({ chunksize: -1 }, RangeError as never, "chunksize");
    refused({ chunksize: 1.5 }, TypeError as never, "chunksize must be an integer");
    refused({ buffersize: 0 }, RangeError as never, "buffersize must be 1 or more");
    refused({ buffersize: 1.5 }, TypeError as never, "buffersize must be an integer");
    refused({ buffersize: "2" }, TypeError as never, 'buffersize must be an integer, got "2"');
    refused({ chunksize: 2n }, TypeError as never, "chunksize must be an integer, got 2n");
    refused({ timeout: -1 }, RangeError as never, "timeout");
    refused({ timeout: NaN }, RangeError as never, "timeout");
    const signal = new AbortController();
    refused({ signal }, TypeError as never, "signal must be an AbortSignal, got AbortController");
    assertThrows(() => executor.map("square" as never, [1]), TypeError, "expected a function");
    assertThrows(() => executor.map(tasks.square, 5 as never), TypeError);
    assertThrows(() => executor.map(tasks.square, 5 as never, [1] as never), TypeError);
    assertEquals(await executor.map(tasks.square, [2], { timeout: null }).toArray(), [4]);
  });

  if (!traits.sharesMemory) return;

  test(`${name}.map() shares the memory of a SharedArrayBuffer with every item`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const ones = range(40).map(() => 1);
    for (const options of [{}, { chunksize: 1 }, { chunksize: 7 }]) {
      const words = new Int32Array(new SharedArrayBuffer(4));
      const inputs = ones.map(() => words);
      const seen = await executor.map(tasks.addToWord, inputs, ones, options).toArray();
      assertEquals(seen.sort((a, b) => a - b), range(40));
      assertEquals(words[0], 40);
    }
  });
}
