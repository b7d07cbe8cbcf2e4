/** What a failing initializer does to a pool of processes. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  BrokenProcessPool,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  SimpleQueue,
  tasks,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { assertGone } from "../_support/processes.ts";
import * as work from "../_support/process_tasks.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, failAtGate, pass } from "../contracts/tasks.ts";
import { assertShutsDown, endsBy, exits, MODES, refusalOf } from "./_process_support.ts";
import * as support from "./_process_support.ts";
import { assertPrompt, errorOf } from "./_support.ts";

/** Asserts that the error says that the initializer failed, and why. */
function assertInitializerFailed(error: unknown, text: string): void {
  assertInstanceOf(error, BrokenProcessPool);
  assertStringIncludes(error.message, "its initializer failed: ");
  assertStringIncludes(error.message, text);
  assertInstanceOf(error.cause, Error);
  assertStringIncludes(error.cause.message, text);
}

for (
  const [how, initializer] of [["throws", work.failAtGateSync], ["rejects", failAtGate]] as const
) {
  for (const onWorkerLost of MODES) {
    test(`ProcessPoolExecutor (${onWorkerLost}) is broken when its initializer ${how}`, async () => {
      using gate = new Gate();
      await using pool = new ProcessPoolExecutor({
        maxWorkers: 1,
        initializer,
        initargs: [gate.parts],
        onWorkerLost,
      });
      const futures = [1, 2, 3].map((n) => pool.submit(echo, n));
      await gate.entered();
      const { pids } = pool;
      const startMs = performance.now();
      gate.open();
      const errors = await Promise.all(futures.map(errorOf));
      assertPrompt(startMs);
      for (const error of errors) assertInitializerFailed(error, "failed at the gate");
      assertEquals(new Set(errors).size, 3);
      assertInitializerFailed(refusalOf(pool), "failed at the gate");
      await assertShutsDown(pool, pids);
    });
  }
}

test("ProcessPoolExecutor finishes what healthy processes run when another's initializer throws", async () => {
  const first = new SimpleQueue<number>();
  first.putNowait(1);
  await using pool = new ProcessPoolExecutor({
    maxWorkers: 2,
    initializer: (first: SimpleQueue<number>) => {
      if (first.empty()) throw new RangeError("only one may start");
      first.getNowait();
    },
    initargs: [first],
  });
  using gate = new Gate();
  const healthy = pool.submit(pass<string>, gate.parts, "held");
  await gate.entered();
  const queued = [1, 2].map((n) => pool.submit(echo, n));
  const { pids } = pool;
  for (const error of await Promise.all(queued.map(errorOf))) {
    assertInitializerFailed(error, "only one may start");
  }
  assertEquals(healthy.done(), false);
  gate.open();
  assertEquals(await healthy, "held");
  assertInitializerFailed(refusalOf(pool), "only one may start");
  await assertShutsDown(pool, pids);
});

for (
  const [how, loss] of [
    ["exit 0", exits(0)],
    ["exit 3", exits(3)],
    ["close", exits(0)],
    ["kill", endsBy("SIGKILL")],
    ["throw in a timer", exits(1, [RangeError, "thrown late"])],
  ] as const
) {
  for (const onWorkerLost of MODES) {
    test(`ProcessPoolExecutor (${onWorkerLost}) is broken when its initializer ends the process: ${how}`, async () => {
      using gate = new Gate();
      await using pool = new ProcessPoolExecutor({
        maxWorkers: 1,
        initializer: work.endAtGate,
        initargs: [gate.parts, how],
        onWorkerLost,
      });
      const futures = [1, 2, 3].map((n) => pool.submit(echo, n));
      await gate.entered();
      const { pids } = pool;
      const startMs = performance.now();
      gate.open();
      await support.assertAllLost(futures, startMs, loss);
      assertEquals(pool.stats().lost, 1);
      await support.assertBroken(pool, loss, pids);
    });
  }
}

test("ProcessPoolExecutor (replace) is broken when the initializer of a replacement ends its process", async () => {
  const first = new SimpleQueue<number>();
  first.putNowait(1);
  await using pool = new ProcessPoolExecutor({
    maxWorkers: 1,
    initializer: work.endUnlessFirst,
    initargs: [first, "exit 3"],
    onWorkerLost: "replace",
  });
  assertEquals(await pool.submit(echo, 1), 1);
  const { pids } = pool;
  support.assertNames(await errorOf(pool.submit(work.endNow, "exit 0")), exits(0));
  support.assertNames(await errorOf(pool.submit(echo, 2)), exits(3));
  await support.assertBroken(pool, exits(3), pids);
});

const captured = { text: "from around" };
const UNSENDABLE: Record<string, () => unknown> = {
  "is native": Math.random,
  "is bound": (() => 1).bind(null),
  "uses a variable from around it": () => captured.text,
};

/** The error with which the pool refuses a task: thrown by submit, or of the future. */
async function refusal(pool: ProcessPoolExecutor): Promise<Error> {
  let future: Future<unknown>;
  try {
    future = pool.submit(echo, 1);
  } catch (error) {
    assertInstanceOf(error, Error);
    return error;
  }
  return await errorOf(future);
}

for (const [what, initializer] of Object.entries(UNSENDABLE)) {
  test(`ProcessPoolExecutor is broken when its initializer ${what}`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, initializer });
    const error = await refusal(pool);
    assertInstanceOf(error, BrokenProcessPool);
    assertStringIncludes(error.message, "initializer");
    assert(NotShareableError.is(error.cause));
  });
}

for (
  const [what, value] of [
    ["a function", () => {}],
    ["a WeakMap", { deep: [new WeakMap()] }],
    ["a SharedArrayBuffer", new SharedArrayBuffer(8)],
  ] as const
) {
  test(`ProcessPoolExecutor is broken when initargs hold what cannot be sent: ${what}`, async () => {
    await using pool = new ProcessPoolExecutor({ initializer: echo, initargs: [value] });
    const error = await refusal(pool);
    assertInstanceOf(error, BrokenProcessPool);
    assertStringIncludes(error.message, "its initializer cannot be sent");
    assertEquals(pool.stats().workers, 0);
  });
}

test("ProcessPoolExecutor is broken when its initializer's module cannot be loaded", async () => {
  const { run } = tasks<{ run(): void }>("data:text/javascript,throw new RangeError('no module')");
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, initializer: run });
  assertInitializerFailed(await refusal(pool), "no module");
});

test("ProcessPoolExecutor runs the initializer once in each process, with arguments cloned when it was made", async () => {
  const counts = new SimpleQueue<number>();
  const by = { value: 3 };
  await using pool = new ProcessPoolExecutor({
    maxWorkers: 2,
    initializer: async (by: { value: number }, counts: SimpleQueue<number>) => {
      await Promise.resolve();
      (globalThis as { initialized?: number }).initialized ??= 0;
      (globalThis as { initialized?: number }).initialized! += by.value;
      counts.putNowait(by.value);
    },
    initargs: [by, counts],
    onWorkerLost: "replace",
  });
  by.value = 4;
  using gate = new Gate();
  const held = [1, 2].map(() => pool.submit(work.pidAtGate, gate.parts));
  await gate.entered(2);
  gate.open();
  const pids = await Promise.all(held);
  assertEquals(new Set(pids).size, 2);
  for (let i = 0; i < 5; i++) {
    const [pid, count] = await pool.submit(work.initialized);
    assertEquals([pids.includes(pid), count], [true, 3]);
  }
  await errorOf(pool.submit(work.endNow, "exit 0"));
  await errorOf(pool.submit(work.endNow, "exit 0"));
  const [pid, count] = await pool.submit(work.initialized);
  assertEquals([pids.includes(pid), count], [false, 3]);
  assert(counts.qsize() >= 3);
  await assertGone(pids);
});
