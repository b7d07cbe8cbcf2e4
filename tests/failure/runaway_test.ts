/**
 * A task that does not end is given up. A thread that loops goes on until its process ends: such
 * tests run in programs of their own, which end although a thread still loops.
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { BrokenThreadPool, ThreadPoolExecutor, TimeoutError } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertInTime, inGoodTime, withTimeLimit } from "../_support/time_limits.ts";
import { assertEndedWell, assertPrompt, errorOf, Gate, program, PROMPT_MS } from "./_support.ts";
import * as work from "./_tasks.ts";

/** When a looping task is given up: usually after a worker has begun it, even on a slow machine. */
const GIVE_UP_MS = 1000;

/**
 * The part of a program after its task was given up: it shows what is reported and what goes on.
 */
const AFTERWARDS = `
  console.log(await pool.submit(work.echo, "next").result({ timeout: 20_000 }));
  const { workers, abandoned, lost, queued, completed, failed } = pool.stats();
  console.log(JSON.stringify({ workers, abandoned, lost, queued, completed, failed }));
  await pool.shutdown();
  console.log(pool.stats().workers);
`;

const ABANDONED = [
  "next",
  '{"workers":1,"abandoned":1,"lost":0,"queued":0,"completed":1,"failed":1}',
  "0",
];

/**
 * Asserts what a program prints that gives up `count` tasks at the gate `words` after `timeout`
 * milliseconds, all of them after they have begun.
 */
async function assertGivesUp(count: number, body: string, lines: string[]): Promise<void> {
  await withTimeLimit(GIVE_UP_MS, async (timeout) => {
    const ended = await runProgram(program(`
      const timeout = ${timeout};
      const words = gate();
      ${body}
      console.log(words[1]);
    `));
    const begun = ended.stdout.split("\n").at(-2);
    assertInTime(!(ended.code === 0 && Number(begun) < count));
    assertEndedWell(ended, [...lines, String(count)]);
  });
}

test("Executor.with({ timeout }) gives up an endless task, and the next one runs", async () => {
  await assertGivesUp(
    1,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const startMs = performance.now();
    const error = await pool.with({ timeout }).submit(work.spin, words).exception();
    const elapsedMs = performance.now() - startMs;
    console.log(error.name, elapsedMs > timeout - 1 && elapsedMs < timeout + ${PROMPT_MS});
    ${AFTERWARDS}
  `,
    ["TimeoutError true", ...ABANDONED],
  );
});

test("Executor.with({ signal }) gives up an endless task, and the next one runs", async () => {
  const ended = await runProgram(program(`
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const words = gate();
    const controller = new AbortController();
    const future = pool.with({ signal: controller.signal }).submit(work.spin, words);
    await arrived(words);
    const reason = new RangeError("enough");
    const startMs = performance.now();
    controller.abort(reason);
    console.log(future.done(), await future.exception() === reason);
    console.log(performance.now() - startMs < ${PROMPT_MS});
    ${AFTERWARDS}
  `));
  assertEndedWell(ended, ["true true", "true", ...ABANDONED]);
});

test("Executor.with({ timeout }) gives up an endless task while its thread is blocked", async () => {
  await assertGivesUp(
    1,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const future = pool.with({ timeout }).submit(work.spin, words);
    try {
      future.resultSync({ timeout: 20_000 });
    } catch (error) {
      console.log(error.message.includes(timeout + " ms"));
    }
    console.log(pool.submit(work.echo, "next").resultSync({ timeout: 20_000 }));
    pool.shutdownSync();
    console.log(pool.stats().abandoned);
  `,
    ["true", "next", "1"],
  );
});

test("ThreadPoolExecutor keeps a pool of its size while tasks are given up", async () => {
  await assertGivesUp(
    2,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const view = pool.with({ timeout });
    const futures = [view.submit(work.spin, words), view.submit(work.spin, words)];
    const queued = [1, 2, 3, 4].map((n) => pool.submit(work.echo, n));
    for (const future of futures) console.log((await future.exception()).name);
    console.log((await Promise.all(queued)).join());
    const { workers, abandoned } = pool.stats();
    console.log(workers <= 2, abandoned);
  `,
    ["TimeoutError", "TimeoutError", "1,2,3,4", "true 2"],
  );
});

test("ThreadPoolExecutor.shutdown() ends although an abandoned thread loops", async () => {
  await assertGivesUp(
    1,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const future = pool.with({ timeout }).submit(work.spin, words);
    await pool.shutdown();
    console.log(future.done(), pool.stats().workers, pool.stats().abandoned);
  `,
    ["true 0 1"],
  );
});

test("ThreadPoolExecutor.shutdownSync() ends although an abandoned thread loops", async () => {
  await assertGivesUp(
    1,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const future = pool.with({ timeout }).submit(work.spin, words);
    pool.shutdownSync();
    console.log(future.done(), pool.stats().workers, pool.stats().abandoned);
  `,
    ["true 0 1"],
  );
});

test("A program ends although an abandoned thread loops and nobody shut the pool down", async () => {
  await assertGivesUp(
    1,
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.with({ timeout }).submit(work.spin, words).exception();
    console.log("given up");
  `,
    ["given up"],
  );
});

// Tasks that notice

test("A task that polls its signal ends when its pool breaks, as nobody waits for it any more", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const spinning = pool.submit(work.spinUntilAborted, gate.words);
  await gate.arrived();
  pool.submit(work.endInTask, gate.words, "throw in a timer");
  gate.open();
  assertInstanceOf(await errorOf(spinning), BrokenThreadPool);
  await gate.arrived(3);
});

// Their workers are kept

const COOPERATIVE: Record<string, (gate: Int32Array) => unknown> = {
  "polls its signal in a loop": work.spinUntilAborted,
  "listens to its signal's event": work.pendUntilAborted,
};

for (const [what, fn] of Object.entries(COOPERATIVE)) {
  test(`Executor.with({ timeout }) keeps the worker of a task that ${what}`, async () => {
    await withTimeLimit(100, async (timeout) => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const id = await pool.submit(work.identity);
      using gate = new Gate();
      const startMs = performance.now();
      const error = await errorOf(pool.with({ timeout }).submit(fn, gate.words));
      assertPrompt(startMs + timeout);
      assertInstanceOf(error, TimeoutError);
      const same = await pool.submit(work.identity);
      const { workers, abandoned, lost, failed } = pool.stats();
      // Its thread may not get the processor in time to notice.
      assertInTime(gate.count > 0 && abandoned === 0);
      assertEquals(same, id);
      assertEquals({ workers, lost, failed }, { workers: 1, lost: 0, failed: 1 });
    });
  });

  test(`Executor.with({ signal }) keeps the worker of a task that ${what}`, async () => {
    await inGoodTime(async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const id = await pool.submit(work.identity);
      for (let round = 0; round < 5; round++) {
        using gate = new Gate();
        const controller = new AbortController();
        const future = pool.with({ signal: controller.signal }).submit(fn, gate.words);
        await gate.arrived();
        const reason = new RangeError(`enough ${round}`);
        controller.abort(reason);
        assertEquals(future.done(), true);
        assertEquals(await future.exception(), reason);
        const same = await pool.submit(work.identity);
        assertInTime(pool.stats().abandoned === 0);
        assertEquals(same, id);
      }
    });
  });

  test(`ThreadPoolExecutor.shutdown() waits for a task that ${what}`, async () => {
    await withTimeLimit(100, async (timeout) => {
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      await pool.submit(work.identity); // The thread is there, and its modules are loaded.
      using gate = new Gate();
      const future = pool.with({ timeout }).submit(fn, gate.words);
      await pool.shutdown();
      assertInstanceOf(await errorOf(future), TimeoutError);
      const { workers, abandoned } = pool.stats();
      // The task has 50 ms to notice, which its thread may not get on a busy machine.
      assertInTime(gate.count > 0 && abandoned === 0);
      assertEquals(workers, 0);
    });
  });
}

test("Executor.with({ timeout }) takes back a task that waits", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using held = new Gate();
  const first = pool.submit(work.hold<string>, held.words, "held");
  await held.arrived();
  const error = await errorOf(pool.with({ timeout: 50 }).submit(work.echo, 1));
  assertInstanceOf(error, TimeoutError);
  assertEquals(first.done(), false);
  held.open();
  assertEquals(await first, "held");
  assertEquals(pool.stats().abandoned, 0);
});

test("Executor.with({ signal }) does not stop a later task of the same worker", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const controller = new AbortController();
  const view = pool.with({ signal: controller.signal });
  assertEquals(await view.submit(work.echo<number>, 1), 1);
  const running = pool.submit(work.holdAsync<string>, gate.words, "held");
  await gate.arrived();
  controller.abort();
  gate.open();
  assertEquals(await running, "held");
});
