/**
 * Every way in which a worker can end settles the futures concerned, at once and with an error that
 * names it.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  BrokenThreadPool,
  type Future,
  NotShareableError,
  tasks,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { runProgram } from "../_support/run.ts";
import {
  assertAllLost,
  assertBroken,
  assertEndedWell,
  assertNames,
  assertPrompt,
  errorOf,
  Gate,
  lockReleased,
  type Loss,
  program,
  startedWorkers,
} from "./_support.ts";
import { UNLOADABLE } from "./_modules.ts";
import * as work from "./_tasks.ts";

const MODES = ["break", "replace"] as const;

/** What the error says of each way to end. */
const ENDS: Record<work.End, Loss> = {
  "close": { says: "called close()" },
  "Deno.exit": { says: "called Deno.exit(3)" },
  "process.exit": { says: "process.exit(4)" },
  "process.reallyExit": { says: "exit(5)" },
  "exit of node:process": { says: "exit(6)" },
  "throw in a timer": {
    says: "threw an error that nobody caught",
    cause: [RangeError, "thrown late"],
  },
  "throw in a microtask": {
    says: "threw an error that nobody caught",
    cause: [RangeError, "thrown in a microtask"],
  },
  "throw of undefined in a timer": { says: "threw an error that nobody caught" },
  "reportError": { says: "threw an error that nobody caught", cause: [RangeError, "reported"] },
  "unhandled rejection": {
    says: "had a promise rejected that nobody handled",
    cause: [RangeError, "rejected"],
  },
  "unhandled rejection with undefined": { says: "had a promise rejected that nobody handled" },
  "unhandled rejection with what cannot be cloned": {
    says: "had a promise rejected that nobody handled",
  },
};

const ENTRIES = Object.entries(ENDS) as [work.End, Loss][];
const KINDS = ENTRIES.filter(([how]) => work.KINDS_OF_END.includes(how));

const TERMINATED: Loss = { says: "ended without a word" };

// A worker that ends while it runs a task, with another one running and more tasks waiting

for (const [how, loss] of ENTRIES) {
  test(`ThreadPoolExecutor breaks when a running worker ends: ${how}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    using held = new Gate();
    using ending = new Gate();
    const futures: Future<unknown>[] = [
      pool.submit(work.hold, held.words),
      pool.submit(work.endInTask, ending.words, how),
    ];
    await Promise.all([held.arrived(), ending.arrived()]);
    for (let i = 0; i < 3; i++) futures.push(pool.submit(work.echo, i));

    const startMs = performance.now();
    ending.open();
    await assertAllLost(futures, startMs, loss);
    assertEquals(pool.stats().lost, 1);
    await assertBroken(pool, loss);
  });
}

for (const [how, loss] of KINDS) {
  test(`ThreadPoolExecutor replaces a running worker that ends: ${how}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2, onWorkerLost: "replace" });
    using held = new Gate();
    using ending = new Gate();
    const healthy = pool.submit(work.hold<string>, held.words, "held");
    const lost = pool.submit(work.endInTask, ending.words, how);
    await Promise.all([held.arrived(), ending.arrived()]);
    const queued = [0, 1, 2].map((i) => pool.submit(work.echo<number>, i));

    const startMs = performance.now();
    ending.open();
    await assertAllLost([lost], startMs, loss);
    assertEquals(await Promise.all(queued), [0, 1, 2]);
    assertEquals(healthy.done(), false);
    held.open();
    assertEquals(await healthy, "held");
    const { lost: count, failed, completed } = pool.stats();
    assertEquals({ count, failed, completed }, { count: 1, failed: 1, completed: 4 });
  });
}

// A worker that is ended by what an earlier task left behind, while it runs another, which does not
// block

for (const [how, loss] of KINDS) {
  for (const onWorkerLost of MODES) {
    test(`ThreadPoolExecutor (${onWorkerLost}) fails the task that runs when an earlier one ends the worker: ${how}`, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
      using ending = new Gate();
      using pending = new Gate();
      assertEquals(await pool.submit(work.endLater, ending.words, how), "armed");
      const lost = pool.submit(work.pend, pending.words);
      await pending.arrived();
      const queued = pool.submit(work.echo<string>, "queued");

      const startMs = performance.now();
      ending.open();
      if (onWorkerLost === "break") {
        await assertAllLost([lost, queued], startMs, loss);
        await assertBroken(pool, loss);
      } else {
        await assertAllLost([lost], startMs, loss);
        assertEquals(await queued, "queued");
      }
      assertEquals(pool.stats().lost, 1);
    });
  }
}

// A worker that ends while it is idle: the next task finds out

/** Makes the only worker of the pool end, and waits until it has ended. */
async function endIdle(pool: ThreadPoolExecutor, how: work.End): Promise<void> {
  const name = crypto.randomUUID();
  using ending = new Gate();
  await pool.submit(work.holdLock, name);
  await pool.submit(work.endLater, ending.words, how);
  ending.open();
  await lockReleased(name);
}

/** The error of a task of a pool that may or may not know yet that it is broken. */
async function submissionError(pool: ThreadPoolExecutor): Promise<Error> {
  let future: Future<unknown>;
  try {
    future = pool.submit(work.echo, 1);
  } catch (error) {
    return error as Error;
  }
  return await errorOf(future);
}

for (const [how, loss] of KINDS) {
  test(`ThreadPoolExecutor says at the next task that an idle worker has ended: ${how}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await endIdle(pool, how);
    const startMs = performance.now();
    assertNames(await submissionError(pool), loss);
    assertPrompt(startMs);
    await assertBroken(pool, loss);
  });

  test(`ThreadPoolExecutor runs the next task elsewhere when an idle worker has ended: ${how}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    await endIdle(pool, how);
    const startMs = performance.now();
    const futures = [1, 2, 3].map((n) => pool.submit(work.echo<number>, n));
    assertEquals(await Promise.all(futures), [1, 2, 3]);
    assertPrompt(startMs);
    assertEquals(pool.stats().lost, 1);
  });

  test(`ThreadPoolExecutor.shutdown() ends when an idle worker has ended: ${how}`, async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await endIdle(pool, how);
    const startMs = performance.now();
    await pool.shutdown();
    assertPrompt(startMs);
    assertEquals(pool.stats().workers, 0);
  });
}

// A worker that reports nothing: only its sign of life shows its end

for (const onWorkerLost of MODES) {
  test(`ThreadPoolExecutor (${onWorkerLost}) notices a running worker that ended without a word`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
    using pending = new Gate();
    const lost = pool.submit(work.pend, pending.words);
    const worker = startedWorkers.at(-1)!;
    await pending.arrived();
    const queued = pool.submit(work.echo<string>, "queued");
    const startMs = performance.now();
    worker.terminate();
    if (onWorkerLost === "break") {
      await assertAllLost([lost, queued], startMs, TERMINATED);
      await assertBroken(pool, TERMINATED);
    } else {
      await assertAllLost([lost], startMs, TERMINATED);
      assertEquals(await queued, "queued");
    }
    assertEquals(pool.stats().lost, 1);
  });

  test(`ThreadPoolExecutor (${onWorkerLost}) notices an idle worker that ended without a word`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
    const name = crypto.randomUUID();
    await pool.submit(work.holdLock, name);
    startedWorkers.at(-1)!.terminate();
    await lockReleased(name);
    const startMs = performance.now();
    if (onWorkerLost === "break") {
      assertNames(await submissionError(pool), TERMINATED);
      assertPrompt(startMs);
      await assertBroken(pool, TERMINATED);
    } else {
      assertEquals(await pool.submit(work.echo<string>, "next"), "next");
      assertPrompt(startMs);
    }
    assertEquals(pool.stats().lost, 1);
  });

  test(`ThreadPoolExecutor (${onWorkerLost}) notices a worker that ended with no room to say so`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
    using ending = new Gate();
    await pool.submit(work.keep, ending.words);
    const lost = pool.submit(work.endWithFullRecords, "close");
    const queued = pool.submit(work.echo<string>, "queued");
    // Blocks this thread, so that the records are not read before the worker has ended.
    while (Atomics.load(ending.words, 1) === 0) Atomics.wait(ending.words, 1, 0);
    const startMs = performance.now();
    assertEquals(BrokenThreadPool.is(await errorOf(lost)), true);
    assertPrompt(startMs);
    if (onWorkerLost === "replace") assertEquals(await queued, "queued");
    assertEquals(pool.stats().lost, 1);
  });
}

test("ThreadPoolExecutor loses workers again and again and finishes what others run", {
  timeout: 40_000,
}, async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, onWorkerLost: "replace" });
  using opened = new Gate();
  opened.open();
  const rounds = 30;
  const lost: Future<unknown>[] = [];
  const kept: Future<number>[] = [];
  for (let i = 0; i < rounds; i++) {
    lost.push(pool.submit(work.endInTask, opened.words, ENTRIES[i % ENTRIES.length][0]));
    for (let j = 0; j < 10; j++) kept.push(pool.submit(work.echo<number>, i));
  }
  const errors = await Promise.all(lost.map(errorOf));
  assertEquals(errors.every((error) => BrokenThreadPool.is(error)), true);
  // A worker that ends late still runs the task that ends it: no other task is lost.
  const outcomes = await Promise.all(kept.map((future) => future.exception()));
  assertEquals(outcomes.filter((error) => error !== null), []);
  assertEquals(pool.stats().lost, rounds);
});

// The waiting thread is blocked: nothing reaches its event loop

for (const [how, { says }] of KINDS) {
  test(`Future.resultSync() throws when the worker ends: ${how}`, async () => {
    const ended = await runProgram(program(`
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const words = gate();
      open(words);
      const future = pool.submit(work.endInTask, words, ${JSON.stringify(how)});
      try {
        future.resultSync({ timeout: 5000 });
      } catch (error) {
        console.log(error.name, error.message.includes(${JSON.stringify(says)}));
      }
      pool.shutdownSync();
      console.log(pool.stats().workers);
    `));
    assertEndedWell(ended, ["BrokenThreadPool true", "0"]);
  });
}

test("Future.resultSync() throws when the worker ended with no room to say so", async () => {
  const ended = await runProgram(program(`
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const words = gate();
    await pool.submit(work.keep, words);
    const future = pool.submit(work.endWithFullRecords, "close");
    while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0);
    try {
      future.resultSync({ timeout: 5000 });
    } catch (error) {
      console.log(error.name);
    }
  `));
  assertEndedWell(ended, ["BrokenThreadPool"]);
});

// Workers that cannot start: in programs of their own, as nothing ends such a pool if it goes wrong

/** A `Worker` whose instances run another program than the pool's. */
const OTHER_PROGRAM = (text: string) => `
  globalThis.Worker = class extends Worker {
    constructor(_address, options) {
      super(${JSON.stringify(`data:text/javascript,${text}`)}, options);
    }
  };
`;

for (const how of ["result", "resultSync"]) {
  const read = how === "result" ? "await future.result" : "future.resultSync";

  test(`Future.${how}() throws when the worker may not read the package`, async () => {
    const { code, stdout, timedOut } = await runProgram(
      program(`
        const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
        const future = pool.submit(work.echo, 1);
        try {
          ${read}({ timeout: 5000 });
        } catch (error) {
          console.log(error.name);
        }
      `),
      { permissions: [] },
    );
    assertEquals({ code, stdout, timedOut }, {
      code: 0,
      stdout: "BrokenThreadPool\n",
      timedOut: false,
    });
  });
}

test(`Future.result() throws when the worker's program throws`, async () => {
  const { code, stdout, timedOut } = await runProgram(program(`
    ${OTHER_PROGRAM("throw new Error('no start')")}
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const future = pool.submit(work.echo, 1);
    try {
      await future.result({ timeout: 5000 });
    } catch (error) {
      console.log(error.name);
    }
  `));
  assertEquals({ code, stdout, timedOut }, {
    code: 0,
    stdout: "BrokenThreadPool\n",
    timedOut: false,
  });
});

test("Executor.submit() fails the future when the runtime starts no thread", async () => {
  const ended = await runProgram(program(`
    globalThis.Worker = class extends Worker {
      constructor() {
        throw new RangeError("no threads left");
      }
    };
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const error = await pool.submit(work.echo, 1).exception({ timeout: 5000 });
    console.log(futures.BrokenThreadPool.is(error), error.message.includes("no threads left"));
    await pool.shutdown();
    console.log(pool.stats().queued);
  `));
  assertEndedWell(ended, ["true true", "0"]);
});

// Modules that cannot be loaded: their tasks fail, and nothing else does

// No worker is lost, so each is tried with one of the two values.
for (const [i, [what, { text, says }]] of Object.entries(UNLOADABLE).entries()) {
  const onWorkerLost = MODES[i % 2];
  test(`ThreadPoolExecutor (${onWorkerLost}) fails only the task whose module ${what}`, async () => {
    await using scratch = await scratchFolder();
    const path = await scratch.write("work.js", text);
    const { run } = tasks<{ run(): void }>(new URL(`file://${path}`).href);
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
    const before = pool.submit(work.echo<number>, 1);
    const failing = [pool.submit(run), pool.submit(run)];
    const after = pool.submit(work.echo<number>, 2);
    for (const future of failing) {
      const error = await errorOf(future);
      assert(NotShareableError.is(error));
      assertStringIncludes(error.message, says);
    }
    assertEquals(await Promise.all([before, after]), [1, 2]);
    assertEquals(await pool.submit(work.echo<number>, 3), 3);
    const { lost, failed, workers } = pool.stats();
    assertEquals({ lost, failed, workers }, { lost: 0, failed: 2, workers: 1 });
  });
}

test("ThreadPoolExecutor fails the task of a module that is not there", async () => {
  const { run } = tasks<{ run(): void }>(import.meta.resolve("../.tmp/nowhere/at_all.ts"));
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const error = await errorOf(pool.submit(run));
  assert(NotShareableError.is(error));
  assertStringIncludes(error.message, "at_all.ts");
  assertEquals(await pool.submit(work.echo<number>, 3), 3);
});

const ENDING_MODULES: Record<string, { text: string; loss: Loss }> = {
  "close()": { text: "close();", loss: { says: "called close()" } },
  "Deno.exit": { text: "Deno.exit(9);", loss: { says: "called Deno.exit(9)" } },
  "an unhandled rejection": {
    text: `Promise.reject(new RangeError("stray")); await new Promise(() => {});`,
    loss: { says: "had a promise rejected", cause: [RangeError, "stray"] },
  },
};

for (const [what, { text, loss }] of Object.entries(ENDING_MODULES)) {
  for (const onWorkerLost of MODES) {
    test(`ThreadPoolExecutor (${onWorkerLost}) loses the worker whose task's module ends it by ${what}`, async () => {
      await using scratch = await scratchFolder();
      const path = await scratch.write("work.js", `${text} export function run() {}`);
      const { run } = tasks<{ run(): void }>(new URL(`file://${path}`).href);
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
      await pool.submit(work.noop);
      const startMs = performance.now();
      const lost = pool.submit(run);
      const queued = pool.submit(work.echo<number>, 2);
      if (onWorkerLost === "break") {
        await assertAllLost([lost, queued], startMs, loss);
        await assertBroken(pool, loss);
      } else {
        await assertAllLost([lost], startMs, loss);
        assertEquals(await queued, 2);
      }
    });
  }
}
