import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { NotShareableError } from "../../executors/mod.ts";
import { Value } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate, Log } from "./signals.ts";
import * as streams from "./stream_tasks.ts";
import { outcomesOf, type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

/**
 * By default, how many values a task may be ahead, and how many bytes these values may have
 * together.
 */
const BUFFERSIZE = 1024;
const MOST_BYTES = 1 << 24;
const MEBIBYTE = 1 << 20;

function range(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}

/** What streams yield, and when. `stream_end_contract.ts` has how they end. */
export function streamContract(suite: Suite): void {
  values(suite);
  errors(suite);
  pace(suite);
}

function values({ name, make, traits }: Suite): void {
  test(`${name}.stream() hands out what a generator function yields, in order`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const seen: number[] = [];
    for await (const n of executor.stream(streams.count, 5)) seen.push(n);
    assertEquals(seen, range(5));
    assertEquals(await executor.stream(streams.count, 5000).toArray(), range(5000));
    assertEquals(await executor.stream(streams.countLater, 5000, false).toArray(), range(5000));
    assertEquals(await executor.stream(streams.countLater, 50, true).toArray(), range(50));
  });

  test(`${name}.stream() takes generator functions that are not marked`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const twice = executor.stream(function* (n: number) {
      yield n;
      yield n;
    }, 1);
    assertEquals(await twice.toArray(), [1, 1]);
    const later = executor.stream(async function* (n: number) {
      yield await Promise.resolve(n);
    }, 2);
    assertEquals(await later.toArray(), [2]);
    const { method } = {
      *method(n: number) {
        yield n;
      },
    };
    assertEquals(await executor.stream(method, 3).toArray(), [3]);
    // A function that can be streamed is still refused by submit() where it would have to be sent.
    if (traits.clones) await assertRejects(() => executor.submit(method, 3).result());
  });

  test(`${name}.stream() takes what returns anything that can be iterated`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const kind of streams.ITERABLE_NAMES) {
      const expected = kind === "nothing" ? [] : kind.endsWith("generator") ? range(3) : [1, 2, 3];
      assertEquals(await executor.stream(streams.giveIterable, kind).toArray(), expected, kind);
    }
  });

  test(`${name}.stream() hands out undefined, null and falsy values as they are`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const values = [undefined, null, 0, "", false, NaN, undefined];
    assertEquals(await executor.stream(streams.yieldAll, ...values).toArray(), values);
    assertEquals(
      await outcomesOf(executor.stream(streams.yieldAll, ...values)),
      values.map((value) => ["value", value]),
    );
    assertEquals(await executor.stream(streams.yieldAll).toArray(), []);
  });

  test(`${name}.stream() hands out what promises come to that are yielded`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    assertEquals(await outcomesOf(executor.stream(streams.yieldPromises, log.queue)), [
      ["value", 1],
      ["error", "rejected"],
    ]);
    assertEquals(log.entries, [streams.CLOSED]);
  });

  if (traits.clones) {
    test(`${name}.stream() clones each value as it is yielded`, async () => {
      await using executor = make({ maxWorkers: 1 });
      assertEquals(await executor.stream(streams.yieldChanging).toArray(), [[0], [1], [2]]);
    });

    test(`${name}.stream() moves what is marked by transfer()`, async () => {
      await using executor = make({ maxWorkers: 1 });
      const found = await executor.stream(streams.yieldMoved).toArray();
      assertEquals(found, [new Float64Array([1]), new Float64Array([2, 2]), [0, 0]]);
    });
  }

  if (traits.sharesMemory) {
    test(`${name}.stream() hands out shared memory itself`, async () => {
      await using executor = make({ maxWorkers: 1 });
      const [words] = await executor.stream(streams.yieldShared).toArray();
      assertEquals(words[0], 7);
    });
  }

  test(`${name}.stream() draws from the same values in all ways of iterating`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const stream = executor.stream(streams.count, 6);
    const first = stream[Symbol.asyncIterator]();
    const second = stream[Symbol.asyncIterator]();
    assertEquals((await first.next()).value, 0);
    assertEquals((await second.next()).value, 1);
    assertStrictEquals(first[Symbol.asyncIterator](), first);
    assertEquals(await stream.toArray(), [2, 3, 4, 5]);
    assertEquals(await stream.toArray(), []);
    assertEquals(await first.next(), { done: true, value: undefined });
  });

  test(`${name}.stream() answers calls of next() that are made at once in turn`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const iterator = executor.stream(streams.countLater, 3, true)[Symbol.asyncIterator]();
    const results = await Promise.all(range(5).map(() => iterator.next()));
    assertEquals(results.map(({ value }) => value), [0, 1, 2, undefined, undefined]);
    assertEquals(results.map(({ done }) => done), [false, false, false, true, true]);
  });

  test(`${name}.stream(): two at once go side by side`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const [a, b] = [1, 2].map(() => executor.stream(streams.count)[Symbol.asyncIterator]());
    for (let n = 0; n < 3000; n++) {
      assertEquals([(await a.next()).value, (await b.next()).value], [n, n]);
    }
    await Promise.all([a.return?.(), b.return?.()]);
  });

  test(`${name}.stream(): taskContext() is that of one task at each step`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const found = await Promise.all(
      [1, 2].map(() => executor.stream(streams.describeItself).toArray()),
    );
    for (const ids of found) assertEquals(ids, ids.map(() => ids[0]));
    assert(found[0][0] !== found[1][0]);
  });
}

function errors({ name, make, traits }: Suite): void {
  test(`${name}.stream() throws the function's error, whole, after the values before it`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const fail of [streams.failAfter, streams.failAfterLater]) {
      const iterator = executor.stream(fail, 3, 42)[Symbol.asyncIterator]();
      for (const n of range(3)) assertEquals((await iterator.next()).value, n);
      const error = await assertRejects(() => iterator.next(), tasks.AppError);
      assertEquals([error.message, error.code], ["the application failed", 42]);
      assertEquals(await iterator.next(), { done: true, value: undefined });
    }
    await assertRejects(() => executor.stream(streams.failAfter, 3, 1).toArray(), tasks.AppError);
    assertEquals(await executor.submit(tasks.square, 2), 4);
  });

  test(`${name}.stream() throws falsy values too`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const value of [undefined, null, 0]) {
      assertEquals(await outcomesOf(executor.stream(streams.throwAfter, value)), [
        ["value", 1],
        ["error", value],
      ]);
    }
  });

  test(`${name}.stream() throws the error of a function that returns nothing to iterate`, async () => {
    await using executor = make({ maxWorkers: 1 });
    await assertRejects(
      () => executor.stream(streams.failAtOnce).toArray(),
      RangeError,
      "failed at once",
    );
    for (const [value, text] of [[7, "7"], [undefined, "undefined"], [{}, "an object of Object"]]) {
      await assertRejects(
        () => executor.stream(streams.giveBack, value).toArray(),
        TypeError,
        `the function returned ${text}, which cannot be iterated`,
      );
    }
  });

  if (traits.clones) {
    test(`${name}.stream() ends with an error where a value cannot be cloned, and closes the function`, async () => {
      await using executor = make({ maxWorkers: 1 });
      const log = new Log();
      const iterator = executor.stream(streams.yieldFunction, log.queue)[Symbol.asyncIterator]();
      assertEquals((await iterator.next()).value, 1);
      const text = "Cannot send a value of the stream";
      await assertRejects(() => iterator.next(), NotShareableError, text);
      assertEquals(log.entries, [streams.CLOSED]);
      assertEquals((await iterator.next()).done, true);
      assertEquals(await executor.submit(tasks.square, 2), 4);
    });

    test(`${name}.stream() ends with an error where the arguments cannot be cloned`, async () => {
      await using executor = make({ maxWorkers: 1 });
      const stream = executor.stream(streams.yieldAll, () => {});
      await assertRejects(() => stream.toArray(), NotShareableError, "cannot be cloned");
      assertEquals(await stream.toArray(), []);
    });
  }

  test(`${name}.stream() refuses what is no function`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const text = "Cannot stream: expected a function, got 5";
    assertThrows(() => executor.stream(5 as never), TypeError, text);
  });
}

function pace({ name, make, traits }: Suite): void {
  test(`${name}.stream() hands out a value while the function works on the next`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const iterator = executor.stream(streams.yieldAroundGate, gate.parts)[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 1);
    await gate.entered();
    const next = iterator.next();
    gate.open();
    assertEquals((await next).value, 2);
    assertEquals((await iterator.next()).done, true);
  });

  if (traits.blocks) {
    test(`${name}.stream() hands out all values that came before one for which the thread blocks`, async () => {
      await using executor = make({ maxWorkers: 1 });
      for (const before of [1, 2, 100, 1000]) {
        using gate = new Gate();
        const iterator = executor.stream(streams.yieldAroundGateSync, gate.parts, before)
          [Symbol.asyncIterator]();
        for (const n of range(before)) assertEquals((await iterator.next()).value, n);
        gate.open();
        assertEquals((await iterator.next()).value, before);
        assertEquals((await iterator.next()).done, true);
      }
    });
  }

  for (const buffersize of [1, 2, 7, undefined]) {
    const most = buffersize ?? BUFFERSIZE;
    test(`${name}.with({ buffersize: ${buffersize} }).stream() is at most ${most} values ahead`, async () => {
      await using executor = make({ maxWorkers: 1 });
      const taken = new Value("i32");
      const end = 3 * most + 20;
      const leads: number[] = [];
      for await (
        const lead of executor.with({ buffersize }).stream(streams.yieldLead, taken, end)
      ) {
        leads.push(lead);
        taken.value = leads.length;
        if (leads.length % most === 0) await turn();
      }
      assertEquals(leads.length, end);
      // The value that the loop works on counts as taken only from its next turn on.
      assert(Math.max(...leads) <= most, `${Math.max(...leads)}`);
    });
  }

  if (traits.clones) {
    test(`${name}.stream() counts large values for more`, async () => {
      await using executor = make({ maxWorkers: 1 });
      for (const [bytes, buffersize] of [[MEBIBYTE, 1024], [MEBIBYTE, 3], [MOST_BYTES * 2, 1024]]) {
        const taken = new Value("i32");
        const most = Math.max(1, Math.min(buffersize, MOST_BYTES / bytes));
        const end = Math.min(40, 2 * most + 2);
        let count = 0;
        const view = executor.with({ buffersize });
        for await (const array of view.stream(streams.yieldLargeLead, taken, end, bytes)) {
          assertEquals(array.byteLength, bytes);
          assert(array[0] <= most, `${bytes} bytes: ${array[0]} ahead`);
          taken.value = ++count;
          await turn();
        }
        assertEquals(count, end);
      }
    });
  }

  test(`${name}.with() refuses a bad buffersize`, async () => {
    await using executor = make({ maxWorkers: 1 });
    for (const buffersize of [0, -1]) {
      assertThrows(() => executor.with({ buffersize }), RangeError, "buffersize must be 1 or more");
    }
    for (const buffersize of [1.5, NaN, Infinity, "2", null]) {
      assertThrows(
        () => executor.with({ buffersize: buffersize as number }),
        TypeError,
        "buffersize must be an integer",
      );
    }
  });
}
