/**
 * Tasks of a pool of processes that nobody waits for any more: those that stop when their signal
 * aborts, and those that do not.
 */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { Event, type Future, Lock, ProcessPoolExecutor, TimeoutError } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { stateOf, until } from "../_support/processes.ts";
import * as work from "../_support/process_tasks.ts";
import { assertInTime, comesAbout, inGoodTime, withTimeLimit } from "../_support/time_limits.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, pass, waitForAbort } from "../contracts/tasks.ts";
import {
  assertAllLost,
  assertBroken,
  assertGoesOn,
  endsBy,
  lossNoticed,
  MODES,
} from "./_process_support.ts";
import { assertPrompt, errorOf, PROMPT_MS } from "./_support.ts";

/** Time limit of tasks that exceed it. */
const LIMIT_MS = 200;

/** Asserts that a process continues whose task was told to stop and could notice that in time. */
async function assertKept(
  pool: ProcessPoolExecutor,
  pid: number,
  isNoticed: () => boolean = () => true,
): Promise<void> {
  // This task is lost with the one before if the process was killed.
  const next = pool.submit(work.pidOf);
  await next.exception();
  assertInTime(pool.stats().lost === 0 && isNoticed());
  assertEquals(await next, pid);
}

/**
 * Gives up a task that stops when told to, and checks that its process is still the same; then
 * calls `then`.
 */
function stoppedWhenTold(
  then: (pool: ProcessPoolExecutor) => Promise<void> = async () => {},
): Promise<void> {
  return inGoodTime(async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    using gate = new Gate();
    const stopped = new Event();
    const controller = new AbortController();
    const told = pool.with({ signal: controller.signal }).submit(waitForAbort, gate.parts, stopped);
    await gate.entered();
    const [pid] = pool.pids;
    controller.abort();
    assertEquals((await errorOf(told)).name, "AbortError");
    await assertKept(pool, pid);
    assert(stopped.isSet());
    await then(pool);
  });
}

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) kills the process of a task that loops beyond its time`, async () => {
    await withTimeLimit(LIMIT_MS, async (timeout) => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost });
      using gate = new Gate();
      const healthy = pool.submit(pass, gate.parts, "held");
      await gate.entered();
      const [, other] = [await pool.submit(echo, 0), pool.pids];
      const submittedMs = performance.now();
      const lost = pool.with({ timeout }).submit(work.spin, gate.parts);
      await comesAbout(lost, () => gate.count === 2 && !lost.done());
      const queued = pool.submit(echo, "queued");
      const { pids } = pool;
      assert(other.every((pid) => pids.includes(pid)));

      assertInstanceOf(await errorOf(lost), TimeoutError);
      const startMs = performance.now();
      assert(startMs - submittedMs < timeout + PROMPT_MS);
      const loss = endsBy("SIGKILL");
      if (onWorkerLost === "break") {
        await assertAllLost([healthy, queued], startMs, loss);
        await assertBroken(pool, { ...loss, says: "as its task was to stop and did not" }, pids);
      } else {
        await lossNoticed(pool, startMs);
        assertEquals(await queued, "queued");
        assertEquals(healthy.done(), false);
        gate.open();
        assertEquals(await healthy, "held");
        await assertGoesOn(pool, pids);
      }
    });
  });

  test(`ProcessPoolExecutor (${onWorkerLost}) kills the process of a task whose signal aborts`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    for (
      const [endless, reason] of [[work.spin, "enough"], [work.pend, new RangeError("enough")]]
    ) {
      using gate = new Gate();
      const controller = new AbortController();
      const view = pool.with({ signal: controller.signal });
      const lost = view.submit(endless as typeof work.spin, gate.parts);
      await gate.entered();
      const queued = pool.submit(echo, "queued");
      const { pids, stats } = { pids: pool.pids, stats: pool.stats() };
      const startMs = performance.now();
      controller.abort(reason);
      assertStrictEquals(await lost.exception(), reason);
      assertPrompt(startMs);
      if (onWorkerLost === "break") {
        await assertAllLost([queued], startMs, endsBy("SIGKILL", pids[0]));
        return await assertBroken(pool, endsBy("SIGKILL", pids[0]), pids);
      }
      await lossNoticed(pool, startMs, stats.lost + 1);
      assertEquals(await queued, "queued");
      assertEquals(stateOf(pids[0]), undefined);
    }
  });
}

test("ProcessPoolExecutor keeps the process of a task that stops when told", async () => {
  await withTimeLimit(LIMIT_MS, async (timeout) => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    using gate = new Gate();
    const pid = await pool.submit(work.pidOf);
    const timedOut = pool.with({ timeout }).submit(work.spinUntilAborted, gate.parts);
    assertInstanceOf(await errorOf(timedOut), TimeoutError);
    await assertKept(pool, pid, () => gate.count > 0);
  });
  await stoppedWhenTold();
});

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) does not end a process that is still starting as a task of it is given up`, async () => {
    using gate = new Gate();
    await using pool = new ProcessPoolExecutor({
      maxWorkers: 1,
      onWorkerLost,
      initializer: pass,
      initargs: [gate.parts, 0],
    });
    const controller = new AbortController();
    const given = pool.with({ signal: controller.signal }).submit(echo, 1);
    await until(() => pool.pids.length === 1);
    controller.abort();
    assertEquals((await errorOf(given)).name, "AbortError");
    gate.open();
    const [pid] = pool.pids;
    assertEquals(await pool.submit(echo, 2), 2);
    assertEquals([pool.pids, pool.stats().lost], [[pid], 0]);
  });
}

test("ProcessPoolExecutor does not kill the next task for the one that was to stop", async () => {
  await stoppedWhenTold(async (pool) => {
    // Each task may have the index of the one before, and runs at the time at which that one would
    // be killed.
    for (let i = 0; i < 4; i++) assertEquals(await pool.submit(work.burn, 20), 20);
    assertEquals(pool.stats().lost, 0);
  });
});

test("ProcessPoolExecutor gives up tasks that wait in the queue without running them", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const held = pool.submit(pass, gate.parts, "held");
  await gate.entered();
  const controller = new AbortController();
  const aborted = pool.with({ signal: controller.signal }).submit(work.endNow, "exit 3");
  const late = pool.with({ timeout: 20 }).submit(work.endNow, "exit 3");
  controller.abort("never mind");
  assertEquals(await aborted.exception(), "never mind");
  assertInstanceOf(await errorOf(late), TimeoutError);
  gate.open();
  assertEquals(await held, "held");
  assertEquals(await pool.submit(echo, "next"), "next");
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor gives up a task that was sent ahead behind a long one without running it", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const calls = 300;
  using gate = new Gate();
  const quick = (count: number): Future<unknown>[] =>
    Array.from({ length: count }, () => pool.submit(work.holdOnce, calls, gate.parts));
  // Quick tasks come first, so that more and more are sent ahead; the last of these holds up the
  // ten that follow.
  const futures = quick(calls);
  const controllers = Array.from({ length: 10 }, () => new AbortController());
  const behind = controllers.map(({ signal }) =>
    pool.with({ signal }).submit(work.holdOnce, calls, gate.parts)
  );
  await gate.entered();
  const startMs = performance.now();
  for (const controller of controllers) controller.abort("not needed");
  for (const future of behind) assertEquals(await future.exception(), "not needed");
  assertPrompt(startMs);
  // The thread that serves both pools handles requests in order: when it answers this one, it has
  // passed the aborts on.
  await using other = new ProcessPoolExecutor({ maxWorkers: 1 });
  assertEquals(await other.submit(echo, "heard"), "heard");
  gate.open();
  await Promise.all(futures);
  // No task that was given up has run.
  assertEquals(await pool.submit(work.holdOnce, 0, gate.parts), calls + 1);
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor kills a process that blocks for a lock, and its place in the line goes with it", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  using gate = new Gate();
  const lock = new Lock();
  await lock.acquire();
  const controller = new AbortController();
  const lost = pool.with({ signal: controller.signal }).submit(work.lockSync, gate.parts, lock);
  await gate.entered();
  const startMs = performance.now();
  controller.abort("enough");
  assertEquals(await lost.exception(), "enough");
  await lossNoticed(pool, startMs);
  lock.release();
  assertEquals(await lock.acquire({ timeout: PROMPT_MS }), true);
  lock.release();
});
