/**
 * A value that cannot be sent fails one future, and the pool lives on. Errors arrive as they were
 * thrown.
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  AsyncExecutor,
  BrokenThreadPool,
  type Future,
  NotShareableError,
  Process,
  RuntimeError,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { outcomesOf } from "../contracts/suite.ts";
import { errorOf, Gate } from "./_support.ts";
import * as work from "./_tasks.ts";

/** Asserts that the pool runs tasks on the worker that it had before. */
async function assertLives(pool: ThreadPoolExecutor): Promise<void> {
  assertEquals(await pool.submit(work.echo<string>, "next"), "next");
  const { workers, lost, queued, abandoned } = pool.stats();
  assertEquals({ workers, lost, queued, abandoned }, {
    workers: 1,
    lost: 0,
    queued: 0,
    abandoned: 0,
  });
}

/**
 * Asserts that a task that was submitted while another one's arguments were read has settled: it
 * ran, or it was refused for that reason. What matters is that the arguments of neither got into
 * the other.
 */
async function assertRanOrRefused(future: Future<unknown>, value: unknown): Promise<void> {
  const error = await future.exception();
  if (error === null) assertEquals(await future, value);
  else assertInstanceOf(error, NotShareableError);
}

/** Results that cannot be cloned, and what the error names. */
const UNSENDABLE_RESULTS: Record<string, string> = {
  "a function": "function",
  "a symbol": "Symbol(odd)",
  "a WeakMap": "WeakMap",
  "a promise in an object": "Promise",
  "a function in an array": "function",
  "a getter that throws": "getter failed",
  "a getter that throws what has no text": "Cannot send",
  "a revoked proxy": "Cannot send",
};

for (const [what, says] of Object.entries(UNSENDABLE_RESULTS)) {
  test(`ThreadPoolExecutor fails only the task that returns ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [before, failing, after] = [
      pool.submit(work.echo<number>, 1),
      pool.submit(work.giveBack, what),
      pool.submit(work.echo<number>, 2),
    ];
    const error = await errorOf(failing);
    assertInstanceOf(error, NotShareableError);
    assertStringIncludes(error.message, says);
    assertEquals(await Promise.all([before, after]), [1, 2]);
    await assertLives(pool);
  });
}

/** Arguments that cannot be cloned. */
const UNSENDABLE: Record<string, [value: unknown, says: string]> = {
  "a function": [() => {}, "function"],
  "a symbol": [Symbol("odd"), "Symbol(odd)"],
  "a WeakMap": [new WeakMap(), "WeakMap"],
  "a promise in an object": [{ deep: { promise: Promise.resolve(1) } }, "deep.promise"],
  "a function in a Map": [new Map([["on", () => {}]]), "function"],
  "a generator": [(function* () {})(), "Generator"],
  "a getter that throws": [
    {
      get value() {
        throw new RangeError("getter failed");
      },
    },
    "getter failed",
  ],
  "a getter that throws what has no text": [
    {
      get value() {
        throw Object.create(null);
      },
    },
    "Cannot submit task",
  ],
  "a proxy whose trap throws": [
    new Proxy({}, {
      ownKeys() {
        throw new RangeError("trap failed");
      },
    }),
    "trap failed",
  ],
};

for (const [what, [value, says]] of Object.entries(UNSENDABLE)) {
  test(`ThreadPoolExecutor fails only the task whose argument is ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [before, failing, after] = [
      pool.submit(work.echo<number>, 1),
      pool.submit(work.echo<unknown>, value),
      pool.submit(work.echo<number>, 2),
    ];
    assertEquals(failing.done(), true);
    const error = await errorOf(failing);
    assertInstanceOf(error, NotShareableError);
    assertStringIncludes(error.message, says);
    assertEquals(await Promise.all([before, after]), [1, 2]);
    await assertLives(pool);
  });

  test(`ThreadPoolExecutor fails only the task, beyond the ring, whose argument is ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    using held = new Gate();
    const first = pool.submit(work.hold, held.words);
    await held.arrived();
    const before = Array.from({ length: 3000 }, (_, n) => pool.submit(work.echo<number>, n));
    const failing = pool.submit(work.echo<unknown>, value);
    const after = Array.from({ length: 10 }, (_, n) => pool.submit(work.echo<number>, n));
    assertInstanceOf(await errorOf(failing), NotShareableError);
    held.open();
    await first;
    assertEquals(await Promise.all(before), before.map((_, n) => n));
    assertEquals(await Promise.all(after), after.map((_, n) => n));
    await assertLives(pool);
  });

  test(`Executor.map() fails only the item that is ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const results = pool.map(work.echo<unknown>, [1, value, 3], { chunksize: 1 });
    const iterator = results[Symbol.asyncIterator]();
    assertEquals(await iterator.next(), { done: false, value: 1 });
    let thrown: unknown;
    try {
      await iterator.next();
    } catch (error) {
      thrown = error;
    }
    assertInstanceOf(thrown, NotShareableError);
    assertEquals(await iterator.next(), { done: false, value: 3 });
    assertEquals((await iterator.next()).done, true);
    await assertLives(pool);
  });
}

for (const [what, says] of Object.entries(UNSENDABLE_RESULTS)) {
  test(`Executor.map() fails only the item, of a chunk, whose result is ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const results = pool.map(work.giveBack, ["0", what, "null"], { chunksize: 3 });
    const iterator = results[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    let thrown: unknown;
    try {
      await iterator.next();
    } catch (error) {
      thrown = error;
    }
    assertInstanceOf(thrown, NotShareableError);
    assertStringIncludes(thrown.message, says);
    assertEquals((await iterator.next()).value, null);
    assertEquals((await iterator.next()).done, true);
    await assertLives(pool);
  });
}

/** Returns what the task throws, as the future has it. */
async function thrownBy(
  fn: (which: string) => unknown,
  which: string,
): Promise<{ error: unknown }> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const after = () => assertLives(pool);
  try {
    await pool.submit(fn, which);
  } catch (error) {
    await after();
    return { error };
  }
  throw new Error(`The task that throws ${which} did not fail`);
}

const THROWS = [["throws", work.throwOdd], ["rejects with", work.rejectOdd]] as const;

for (const [how, fn] of THROWS) {
  const name = (what: string) => `Future of a task that ${how} ${what}`;

  for (
    const [what, value] of [
      ["undefined", undefined],
      ["null", null],
      ["0", 0],
      ["a string", "text"],
      ["an object", { reason: "plain" }],
    ] as const
  ) {
    test(`${name(what)} fails with that very value`, async () => {
      assertEquals(await thrownBy(fn, what), { error: value });
    });
  }

  test(`${name("an error with causes")} has the whole chain`, async () => {
    const { error } = await thrownBy(fn, "an error with causes");
    assertInstanceOf(error, Error);
    assertEquals(error.message, "outer");
    assertInstanceOf(error.cause, TypeError);
    assertEquals(error.cause.message, "middle");
    assertInstanceOf(error.cause.cause, RangeError);
    assertEquals(error.cause.cause.message, "inner");
  });

  test(`${name("an error with properties")} has them`, async () => {
    const { error } = await thrownBy(fn, "an error with properties");
    assertInstanceOf(error, Error);
    assertEquals<object>({ ...error }, { status: 418, headers: new Map([["a", 1]]) });
  });

  test(`${name("an error")} has the stack of where it was thrown`, async () => {
    const { error } = await thrownBy(fn, "an error with properties");
    assertInstanceOf(error, Error);
    assertStringIncludes(error.stack!, "_tasks.ts");
  });

  test(`${name("an AggregateError")} has its errors`, async () => {
    const { error } = await thrownBy(fn, "an AggregateError");
    assertInstanceOf(error, AggregateError);
    assertEquals(error.message, "many");
    const [one, two, three] = error.errors;
    assertInstanceOf(one, TypeError);
    assertEquals(one.message, "one");
    assertInstanceOf(two, work.KnownError);
    assertEquals(two.code, 2);
    assertEquals(three, "three");
  });

  test(`${name("a registered error")} is of its class`, async () => {
    const { error } = await thrownBy(fn, "a registered error");
    assertInstanceOf(error, work.KnownError);
    assertEquals([error.name, error.message, error.code], ["KnownError", "known 7", 7]);
  });

  test(`${name("an error of an unknown class")} keeps its name`, async () => {
    const { error } = await thrownBy(fn, "an error of an unknown class");
    assertInstanceOf(error, RangeError);
    assertEquals([error.name, error.message], ["UnknownError", "who"]);
  });

  test(`${name("an error that is its own cause")} is its own cause`, async () => {
    const { error } = await thrownBy(fn, "an error that is its own cause");
    assertInstanceOf(error, Error);
    assertEquals(error.message, "circle");
    assert(error.cause === error);
  });

  test(`${name("a DOMException")} is one`, async () => {
    const { error } = await thrownBy(fn, "a DOMException");
    assertInstanceOf(error, DOMException);
    assertEquals([error.name, error.message], ["NotAllowedError", "not now"]);
  });

  // Parts of an error that cannot be sent must not hide what went wrong.
  for (
    const [what, text] of [
      ["an error with a function", "listening"],
      ["an error with a toString of its own", "speaking"],
      ["an error with a WeakMap as cause", "weak"],
      ["an error with a getter that throws", "guarded"],
    ] as const
  ) {
    test(`${name(what)} keeps class and text, and can be printed`, async () => {
      const { error } = await thrownBy(fn, what);
      assertInstanceOf(error, RangeError);
      assertEquals(error.message, text);
      assertStringIncludes(String(error), text);
      assertStringIncludes(Deno.inspect(error), text);
    });
  }

  test(`${name("an error whose message is an object")} fails`, async () => {
    const { error } = await thrownBy(fn, "an error whose message is an object");
    assert(error instanceof Error);
  });

  for (const [what, says] of Object.entries(UNSENDABLE_RESULTS)) {
    test(`${name(what)} fails with an error that says so`, async () => {
      const { error } = await thrownBy(fn, what);
      assertInstanceOf(error, NotShareableError);
      assertStringIncludes(error.message, says);
    });
  }
}

test("Future of a function, sent as its source text, that throws a revoked proxy fails with an error that says so", async () => {
  const { error } = await thrownBy(() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    throw proxy;
  }, "a revoked proxy");
  assertInstanceOf(error, NotShareableError);
  assertStringIncludes(error.message, "revoked");
});

test("Executor.map() keeps what each item of a chunk throws", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const whats = ["undefined", "null", "0", "a registered error", "a symbol", "an object"];
  const iterator = pool.map(work.throwOdd, whats, { chunksize: 3 })[Symbol.asyncIterator]();
  const thrown: unknown[] = [];
  for (const _ of whats) {
    try {
      await iterator.next();
    } catch (error) {
      thrown.push(error);
    }
  }
  assertEquals(thrown.length, whats.length);
  assertEquals(thrown.slice(0, 3), [undefined, null, 0]);
  assertInstanceOf(thrown[3], work.KnownError);
  assertInstanceOf(thrown[4], NotShareableError);
  assertEquals(thrown[5], { reason: "plain" });
  await assertLives(pool);
});

test("Executor.submit() takes arguments whose getter submits another task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (let round = 0; round < 20; round++) {
    const inner: Future<unknown>[] = [];
    const outer = pool.submit(work.echo<unknown>, {
      before: "outer before",
      get value() {
        inner.push(pool.submit(work.echo<string>, "inner"));
        return round;
      },
      after: ["outer after"],
    });
    assertEquals(await outer, { before: "outer before", value: round, after: ["outer after"] });
    assertEquals(inner.length, 1);
    await assertRanOrRefused(inner[0], "inner");
  }
  await assertLives(pool);
});

test("Executor.submit() takes large arguments whose getter submits another large task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const text = "x".repeat(20_000);
  const inner: Future<unknown>[] = [];
  const outer = pool.submit(work.echo<unknown>, {
    text,
    get value() {
      inner.push(pool.submit(work.echo<string>, `inner ${text}`));
      return 1;
    },
    numbers: new Float64Array(5000).fill(2),
  });
  assertEquals(await outer, { text, value: 1, numbers: new Float64Array(5000).fill(2) });
  await assertRanOrRefused(inner[0], `inner ${text}`);
  await assertLives(pool);
});

test("Executor.submit() takes arguments, beyond the ring, whose getter submits another task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using held = new Gate();
  const first = pool.submit(work.hold, held.words);
  await held.arrived();
  const filling = Array.from({ length: 3000 }, (_, n) => pool.submit(work.echo<number>, n));
  const inner: Future<unknown>[] = [];
  const outer = pool.submit(work.echo<unknown>, {
    get value() {
      inner.push(pool.submit(work.echo<string>, "inner"));
      return "outer";
    },
    after: [1, 2, 3],
  });
  held.open();
  await first;
  assertEquals(await outer, { value: "outer", after: [1, 2, 3] });
  await assertRanOrRefused(inner[0], "inner");
  assertEquals(await Promise.all(filling), filling.map((_, n) => n));
  await assertLives(pool);
});

test("What a runtime has made and cannot send is refused, and does not arrive as an empty object", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const made = {
    URL: new URL("https://example.com"),
    Headers: new Headers(),
    Request: new Request("https://example.com"),
    Response: new Response("text"),
    AbortSignal: new AbortController().signal,
    "Array Iterator": [1].values(),
  };
  for (const [name, value] of Object.entries(made)) {
    const { message } = await errorOf(pool.submit(work.echo, { deep: [value] }));
    assertStringIncludes(message, `${name} at [0].deep[0] cannot be cloned`);
  }
  const { message } = await errorOf(pool.submit(() => ({ url: new URL("https://example.com") })));
  assertStringIncludes(message, "URL at url cannot be cloned");
  await assertLives(pool);
});

test("What can only be moved is refused unless it is, with its place and what to do", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const says = (place: string) =>
    `${place} can only be moved, to one task; mark its argument or result: `;
  const { port1, port2 } = new MessageChannel();
  const port = await errorOf(pool.submit(work.echo<unknown>, { list: [1, { port1 }] }));
  const stream = await errorOf(pool.submit(() => ({ list: [new ReadableStream()] })));
  assertStringIncludes(
    port.message,
    `MessagePort at ${says("[0].list[1].port1")}transfer(value, [port])`,
  );
  assertStringIncludes(
    stream.message,
    `ReadableStream at ${says("list[0]")}transfer(value, [stream])`,
  );
  port1.close();
  port2.close();
  await assertLives(pool);
});

test("A port that one call of a chunk returns without moving it fails that call alone", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const results = pool.map(work.openPort, [true, false, true], { chunksize: 3 });
  const outcomes = await outcomesOf(results);
  assertEquals(outcomes.map(([kind]) => kind), ["value", "error", "value"]);
  for (const [kind, value] of outcomes) if (kind === "value") (value as MessagePort).close();
  await assertLives(pool);
});

test("A port in an error is replaced by a text, and the error arrives", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const error = await errorOf(pool.submit(() => {
    throw Object.assign(new RangeError("mine"), { port: new MessageChannel().port1 });
  })) as RangeError & { port: unknown };
  assertEquals([error.name, error.message], ["RangeError", "mine"]);
  assertStringIncludes(String(error.port), "MessagePort can only be moved");
  await assertLives(pool);
});

test("Futures, executors and processes are refused, and the error says what to do", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const own = {
    "await it": pool.submit(work.echo, 1),
    "make one in the task": new AsyncExecutor(),
    "what its `with` returned": pool.with({ timeout: 1000 }),
    "send its pid": new Process(),
  };
  for (const [remedy, value] of Object.entries(own)) {
    const error = await errorOf(pool.submit(work.echo<unknown>, [value]));
    assertInstanceOf(error, NotShareableError);
    assertStringIncludes(error.message, remedy);
  }
  await assertLives(pool);
});

for (const cancelFutures of [false, true]) {
  test(`Executor.submit() takes arguments whose getter shuts the pool down, with cancelFutures ${cancelFutures}`, async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    using held = new Gate();
    const running = pool.submit(work.hold<string>, held.words, "ran");
    await held.arrived();
    const queued = pool.submit(work.echo<string>, "queued");
    let closed: Promise<void> | undefined;
    const future = pool.submit(work.echo<unknown>, {
      get value() {
        closed = pool.shutdown({ cancelFutures });
        return 1;
      },
    });
    const error = await errorOf(future);
    assertInstanceOf(error, RuntimeError);
    assertStringIncludes(error.message, "it was shut down meanwhile");
    assertEquals([queued.cancelled(), pool.stats().queued], [cancelFutures, cancelFutures ? 0 : 1]);
    held.open();
    assertEquals(await running, "ran");
    await closed;
    const { workers, completed, cancelled, failed } = pool.stats();
    assertEquals([workers, failed], [0, 1]);
    assertEquals([completed, cancelled], cancelFutures ? [1, 1] : [2, 0]);
  });
}

test("Executor.submit() fails a task whose arguments see its pool break, by a getter that waits for that", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using ending = new Gate();
  ending.open();
  const dying = pool.submit(work.endInTask, ending.words, "Deno.exit");
  const future = pool.submit(work.echo<unknown>, {
    get value() {
      dying.exceptionSync();
      return 1;
    },
  });
  assertInstanceOf(await errorOf(future), BrokenThreadPool);
  assertEquals(pool.stats().queued, 0);
});

test("Executor.submit() fails a task whose argument was transferred before", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const { buffer } = new Uint8Array(8);
  assertEquals((await pool.with({ transfer: [buffer] }).submit(work.echo, buffer)).byteLength, 8);
  assertEquals(buffer.detached, true);
  assertInstanceOf(
    await errorOf(pool.with({ transfer: [buffer] }).submit(work.echo, buffer)),
    NotShareableError,
  );
  await assertLives(pool);
});

test("Executor.submit() has room for large arguments after others were refused for a getter that detaches them", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const BYTES = 16 * 1024 * 1024;
  // More than the pool's shared memory can hold together.
  for (let i = 0; i < 20; i++) {
    const buffer = new ArrayBuffer(BYTES);
    const refused = pool.submit(work.echo<unknown>, {
      buffer,
      after: {
        get moved() {
          return structuredClone(buffer, { transfer: [buffer] }).byteLength;
        },
      },
    });
    assertInstanceOf(await errorOf(refused), NotShareableError);
  }
  const echoed = await pool.submit(work.echo<ArrayBuffer>, new ArrayBuffer(BYTES));
  assertEquals(echoed.byteLength, BYTES);
  await assertLives(pool);
});

test("Executor.submit() and map() fail each task whose result cannot be sent, though their worker has no room to say so", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const ran = new Int32Array(new SharedArrayBuffer(4));
  await pool.submit(work.countUnsendable, ran).exception();
  const futures = Array.from({ length: 2000 }, () => pool.submit(work.countUnsendable, ran));
  const mapped = pool.map(work.countUnsendable, new Array(200).fill(ran), { chunksize: 1 });
  // This waits until no more tasks run, as this thread takes in no outcomes.
  for (let before = -1; before !== ran[0];) {
    before = ran[0];
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  for (const future of futures) assertInstanceOf(await future.exception(), NotShareableError);
  const steps = mapped[Symbol.asyncIterator]();
  for (let i = 0; i < 200; i++) {
    assertInstanceOf(await steps.next().catch((error) => error), NotShareableError);
  }
  await assertLives(pool);
});
