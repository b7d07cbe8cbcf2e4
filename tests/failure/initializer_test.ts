/** What a failing initializer does to its pool. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  BrokenThreadPool,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  tasks,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import {
  assertAllLost,
  assertBroken,
  assertEndedWell,
  assertPrompt,
  errorOf,
  Gate,
  type Loss,
  program,
} from "./_support.ts";
import * as work from "./_tasks.ts";

const FAILED: Loss = {
  says: "its initializer failed: RangeError: bad start",
  cause: [RangeError, "bad start"],
};

for (const [how, initializer] of [["throws", work.fail], ["rejects", work.reject]] as const) {
  for (const onWorkerLost of ["break", "replace"] as const) {
    test(`ThreadPoolExecutor (${onWorkerLost}) is broken when its initializer ${how}`, async () => {
      await using pool = new ThreadPoolExecutor({
        maxWorkers: 1,
        initializer,
        initargs: ["bad start"],
        onWorkerLost,
      });
      const startMs = performance.now();
      const futures = [1, 2, 3].map((n) => pool.submit(work.echo<number>, n));
      await assertAllLost(futures, startMs, FAILED);
      await assertBroken(pool, FAILED);
    });
  }
}

test("ThreadPoolExecutor is broken when its initializer throws what has no text", async () => {
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    initializer: work.throwOdd,
    initargs: ["what has no text"],
  });
  const error = await errorOf(pool.submit(work.echo<number>, 1));
  assertInstanceOf(error, BrokenThreadPool);
  assertStringIncludes(error.message, "its initializer failed: Object");
  assertEquals<unknown>(error.cause, { toString: 1 });
});

for (const what of ["a function", "a revoked proxy"]) {
  test(`Pools are broken when their initializer throws ${what}, which cannot be sent`, async () => {
    for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      await using pool = new Pool({
        maxWorkers: 1,
        initializer: work.throwOdd,
        initargs: [what],
      });
      const futures = [1, 2].map((n) => pool.submit(work.echo<number>, n));
      for (const future of futures) {
        const { name, message } = await errorOf(future) as Error;
        assertEquals(name, Pool === ThreadPoolExecutor ? "BrokenThreadPool" : "BrokenProcessPool");
        assertStringIncludes(message, "Cannot send what the initializer threw");
      }
    }
  });
}

test("ThreadPoolExecutor fails what waits beyond its ring when the initializer throws", async () => {
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 2,
    initializer: work.fail,
    initargs: ["bad start"],
  });
  const futures = Array.from({ length: 5000 }, (_, n) => pool.submit(work.echo<number>, n));
  await assertAllLost(futures, performance.now(), FAILED);
  await assertBroken(pool, FAILED);
});

test("ThreadPoolExecutor finishes what healthy workers run when another's initializer throws", async () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 2,
    initializer: work.initializeFirst,
    initargs: [words],
  });
  using held = new Gate();
  const healthy = pool.submit(work.hold<string>, held.words, "held");
  await held.arrived();
  const loss: Loss = { says: "its initializer failed", cause: [RangeError, "only one may start"] };
  const startMs = performance.now();
  const queued = [1, 2].map((n) => pool.submit(work.echo<number>, n));
  await assertAllLost(queued, startMs, loss);
  assertEquals(healthy.done(), false);
  held.open();
  assertEquals(await healthy, "held");
  await assertBroken(pool, loss);
});

test("Future.resultSync() throws when the initializer throws", async () => {
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    initializer: work.fail,
    initargs: ["bad start"],
  });
  const future = pool.submit(work.echo<number>, 1);
  let thrown: unknown;
  try {
    future.resultSync({ timeout: 5000 });
  } catch (error) {
    thrown = error;
  }
  assertInstanceOf(thrown, BrokenThreadPool);
  assertStringIncludes(thrown.message, "bad start");
  pool.shutdownSync();
  assertEquals(pool.stats().workers, 0);
});

/** The error with which the pool refuses a task: thrown by submit, or of the future. */
async function refusal(pool: ThreadPoolExecutor): Promise<Error> {
  let future: Future<unknown>;
  try {
    future = pool.submit(work.echo, 1);
  } catch (error) {
    assertInstanceOf(error, Error);
    return error;
  }
  return await errorOf(future);
}

const captured = { text: "from around" };
const UNSENDABLE: Record<string, () => unknown> = {
  "uses a variable from around it": () => captured.text,
  "is native": Math.random,
  "is bound": work.noop.bind(null),
  "is a class": class Start {} as unknown as () => unknown,
};

for (const [what, initializer] of Object.entries(UNSENDABLE)) {
  test(`ThreadPoolExecutor is broken when its initializer ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, initializer });
    const error = await refusal(pool);
    assertInstanceOf(error, BrokenThreadPool);
    assertStringIncludes(error.message, "initializer");
    assert(NotShareableError.is(error.cause));
    await assertBroken(pool, { says: "initializer" });
  });
}

test("ThreadPoolExecutor is broken when its initializer's module cannot be loaded", async () => {
  const { run } = tasks<{ run(): void }>("data:text/javascript,throw new RangeError('no module')");
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, initializer: run });
  const error = await refusal(pool);
  assertInstanceOf(error, BrokenThreadPool);
  assertStringIncludes(error.message, "no module");
  await assertBroken(pool, { says: "initializer" });
});

for (
  const [what, value] of [
    ["a function", () => {}],
    ["a symbol", Symbol("odd")],
    ["a WeakMap", { deep: [new WeakMap()] }],
    ["a promise", Promise.resolve(1)],
  ] as const
) {
  test(`ThreadPoolExecutor is broken when initargs hold what cannot be cloned: ${what}`, async () => {
    await using pool = new ThreadPoolExecutor({
      maxWorkers: 1,
      initializer: work.echo,
      initargs: [value],
    });
    const error = await refusal(pool);
    assertInstanceOf(error, BrokenThreadPool);
    assertStringIncludes(error.message, "initializer");
    assertEquals(pool.stats().workers, 0);
    await assertBroken(pool, { says: "initializer" });
  });
}

test("ThreadPoolExecutor clones initargs when it is made", async () => {
  const by = { value: 3 };
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    initializer: (by: { value: number }) => {
      (globalThis as { found?: number }).found = by.value;
    },
    initargs: [by],
  });
  by.value = 4;
  assertEquals(await pool.submit(() => (globalThis as { found?: number }).found), 3);
});

test("ThreadPoolExecutor hands initargs that only a message can carry to each worker", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 2,
    initializer: (words: Int32Array) => {
      Atomics.add(words, 0, 1);
    },
    initargs: [shared],
  });
  using held = new Gate();
  const futures = [1, 2].map(() => pool.submit(work.hold, held.words));
  await held.arrived(2);
  held.open();
  await Promise.all(futures);
  assertEquals(shared[0], 2);
});

// In programs of their own: a pool that starts workers for ever would disturb the other tests.
for (const onWorkerLost of ["break", "replace"]) {
  test(`ThreadPoolExecutor (${onWorkerLost}) is broken when its initializer calls close()`, async () => {
    const ended = await runProgram(
      program(`
        const pool = new ThreadPoolExecutor({
          maxWorkers: 1,
          initializer: work.closeWorker,
          onWorkerLost: "${onWorkerLost}",
        });
        const pending = [1, 2, 3].map((n) => pool.submit(work.echo, n));
        for (const future of pending) {
          const error = await future.exception({ timeout: 5000 });
          console.log(error.name, error.message.includes("called close()"));
        }
        await pool.shutdown();
        console.log(pool.stats().workers);
      `),
      { timeoutMs: 8000 },
    );
    assertEndedWell(ended, [...Array(3).fill("BrokenThreadPool true"), "0"]);
  });
}

for (
  const [how, initializer] of [
    ["returns", work.initialize],
    ["resolves", work.initializeAsync],
  ] as const
) {
  test(`ThreadPoolExecutor runs an initializer that ${how} once in each worker`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 3, initializer, initargs: [5] });
    using held = new Gate();
    const first = [1, 2, 3].map(() => pool.submit(work.initialized, held.words));
    await held.arrived(3);
    held.open();
    const seen = new Map(await Promise.all(first));
    assertEquals([...seen.values()], [5, 5, 5]);
    const later = await Promise.all(
      Array.from({ length: 30 }, () => pool.submit(work.initialized)),
    );
    for (const [id, count] of later) assertEquals([id, count], [id, seen.get(id) && 5]);
    assertEquals(seen.size, 3);
  });
}

test("ThreadPoolExecutor runs the initializer in a worker that replaces another", async () => {
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    initializer: work.initialize,
    initargs: [5],
    onWorkerLost: "replace",
  });
  const [before, count] = await pool.submit(work.initialized);
  assertEquals(count, 5);
  const startMs = performance.now();
  assert(BrokenThreadPool.is(await errorOf(pool.submit(work.closeWorker))));
  assertPrompt(startMs);
  const [after, again] = await pool.submit(work.initialized);
  assertEquals(again, 5);
  assert(after !== before);
});
