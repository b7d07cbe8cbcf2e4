/** ProcessPoolExecutor.terminateWorkers() and killWorkers(): at any time, and again. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BrokenProcessPool,
  CancelledError,
  type Future,
  ProcessPoolExecutor,
  RuntimeError,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { isStopped } from "../_support/proc.ts";
import { assertGone, pendingSignals, until } from "../_support/processes.ts";
import * as work from "../_support/process_tasks.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, pass } from "../contracts/tasks.ts";
import {
  assertBroken,
  assertNames,
  assertShutsDown,
  endsBy,
  exits,
  MODES,
} from "./_process_support.ts";
import { assertPrompt, errorOf, PROMPT_MS } from "./_support.ts";

const SIGTERM = 15;

const WAYS = [["terminateWorkers", "SIGTERM"], ["killWorkers", "SIGKILL"]] as const;

/** Asserts that the pool takes no more tasks, like one that was shut down. */
function assertShutDown(pool: ProcessPoolExecutor): void {
  const error = assertThrows(() => pool.submit(echo, 1), RuntimeError);
  assertStringIncludes((error as Error).message, "after shutdown");
  assertEquals(BrokenProcessPool.is(error), false);
}

for (const [end, signal] of WAYS) {
  for (const onWorkerLost of MODES) {
    test(`ProcessPoolExecutor.${end}() (${onWorkerLost}) fails what runs and cancels what waits`, async () => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost });
      using gate = new Gate();
      const running = [
        pool.submit(work.spin, gate.parts) as Future<unknown>,
        pool.submit(pass, gate.parts, 1),
      ];
      await gate.entered(2);
      const queued = [1, 2, 3].map((n) => pool.submit(echo, n));
      const called: Future<unknown>[] = [];
      queued[0].addDoneCallback((future) => called.push(future));
      const { pids } = pool;
      assertEquals(pids.length, 2);

      const startMs = performance.now();
      pool[end]();
      assert(queued.every((future) => future.cancelled()));
      assertEquals(called, [queued[0]]);
      assertShutDown(pool);
      const errors = await Promise.all(running.map(errorOf));
      assertPrompt(startMs);
      for (const [i, error] of errors.entries()) {
        assertNames(error, { ...endsBy(signal), says: signal });
        assert(pids.includes((error.cause as { pid?: number }).pid!), `${i}`);
      }
      assertEquals(new Set(errors).size, 2);
      pool[end]();
      await pool.shutdown();
      assertPrompt(startMs);
      await assertGone(pids, PROMPT_MS);
      const { cancelled, failed, workers, lost } = pool.stats();
      assertEquals({ cancelled, failed, workers, lost }, {
        cancelled: 3,
        failed: 2,
        workers: 0,
        lost: 0,
      });
    });
  }

  test(`ProcessPoolExecutor.${end}() cancels what map() has not submitted`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    using gate = new Gate();
    const held = pool.submit(pass, gate.parts, 1);
    await gate.entered();
    const results = pool.map(echo, Array.from({ length: 50 }, (_, i) => i));
    pool[end]();
    assertNames(await errorOf(held), { ...endsBy(signal), says: signal });
    for (let i = 0; i < 50; i++) await assertRejects(() => results.toArray(), CancelledError);
    assertEquals(await results.toArray(), []);
  });

  test(`ProcessPoolExecutor.${end}() ends idle processes`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    assertEquals(await pool.submit(echo, 1), 1);
    const { pids } = pool;
    pool[end]();
    pool[end]();
    assertShutDown(pool);
    await assertShutsDown(pool, pids);
    pool[end]();
  });

  test(`ProcessPoolExecutor.${end}() of a pool without processes shuts it down`, async () => {
    const pool = new ProcessPoolExecutor();
    pool[end]();
    assertShutDown(pool);
    await pool.shutdown();
    pool[end]();
    const shut = new ProcessPoolExecutor();
    await shut.shutdown();
    shut[end]();
  });

  test(`ProcessPoolExecutor.${end}() of a broken pool changes nothing`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
    using gate = new Gate();
    const other = pool.submit(pass, gate.parts, 1);
    const lost = pool.submit(work.endAtGate, gate.parts, "exit 3");
    await gate.entered(2);
    const { pids } = pool;
    gate.open();
    assertNames(await errorOf(lost), exits(3));
    pool[end]();
    // Whether the other task passed the gate in time is left to chance.
    const error = await other.exception();
    if (error !== null) assertNames(error, exits(3));
    pool[end]();
    await assertBroken(pool, exits(3), pids);
  });

  test(`ProcessPoolExecutor.${end}() ends processes that are being started`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
    using gate = new Gate();
    const futures = [1, 2, 3].map((n) => pool.submit(pass, gate.parts, n));
    const startMs = performance.now();
    pool[end]();
    for (const future of futures) {
      const outcome = await future.exception().catch((error) => error);
      // The task was either taken by a process that was then ended, or not taken at all.
      assert(CancelledError.is(outcome) || BrokenProcessPool.is(outcome), String(outcome));
    }
    await pool.shutdown();
    assertPrompt(startMs);
  });

  test(`ProcessPoolExecutor.${end}() after shutdown({ wait: false }) ends what still runs`, async () => {
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    using gate = new Gate();
    const running = pool.submit(work.spin, gate.parts);
    const queued = pool.submit(echo, 1);
    await gate.entered();
    pool.shutdown({ wait: false });
    const { pids } = pool;
    pool[end]();
    assert(queued.cancelled());
    assertNames(await errorOf(running), { ...endsBy(signal), says: signal });
    await assertShutsDown(pool, pids);
  });
}

test("ProcessPoolExecutor.shutdown() ends a process that is told to end and does not", async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  assertEquals(await pool.submit(echo, 3), 3);
  const [pid] = pool.pids;
  Deno.kill(pid, "SIGSTOP"); // It hears nothing any more.
  await until(() => isStopped(pid));
  await pool.shutdown();
  await assertGone([pid]);
  const { lost, completed } = pool.stats();
  assertEquals({ lost, completed }, { lost: 0, completed: 1 });
});

test("ProcessPoolExecutor.killWorkers() ends a process that does not heed terminateWorkers()", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const running = pool.submit(work.spin, gate.parts);
  await gate.entered();
  const { pids } = pool;
  Deno.kill(pids[0], "SIGSTOP");
  await until(() => isStopped(pids[0]));
  pool.terminateWorkers();
  await until(() => pendingSignals(pids[0]).includes(SIGTERM));
  assertEquals([isStopped(pids[0]), running.done()], [true, false]);
  const startMs = performance.now();
  pool.killWorkers();
  assertNames(await errorOf(running), endsBy("SIGKILL", pids[0]));
  assertPrompt(startMs);
  await assertShutsDown(pool, pids);
});
