/** Tasks that come one by one take the short way to a process, its wire. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  BrokenProcessPool,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  TimeoutError,
} from "@concurrent/futures";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "../_support/leaks.ts";
import { assertPrompt, errorOf } from "../_support/outcomes.ts";
import { until } from "../_support/processes.ts";
import { assertInTime, comesAbout, inGoodTime, withTimeLimit } from "../_support/time_limits.ts";
import * as work from "../_support/wire_tasks.ts";

/** More tasks than any pool needs to open its wire. */
const MOST_TASKS = 300;

/** Time that a task which has begun has to stop. */
const STOP_GRACE_MS = 100;

/** A pool of one process whose wire is open. */
async function wiredPool(
  options: ConstructorParameters<typeof ProcessPoolExecutor>[0] = {},
): Promise<ProcessPoolExecutor> {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1, ...options });
  for (let i = 0; i < MOST_TASKS; i++) {
    if (await pool.submit(work.isWired)) return pool;
  }
  throw new Error(`none of ${MOST_TASKS} tasks came by the wire`);
}

/** Waits until the task has reported that it runs, and that it came by the wire. */
async function runsOnWire(future: Future<unknown>): Promise<void> {
  await until(() => future.progress > 0);
  assertEquals(future.progress, 0.5, "the task came another way");
}

/**
 * Makes the host send a task once that reports when it runs, so that the worker knows the function.
 * Call it within `inGoodTime`, with a pool that replaces its process: a process that is kept from
 * running for long is ended.
 */
async function makeKnown(pool: ProcessPoolExecutor, fn: () => unknown): Promise<void> {
  const controller = new AbortController();
  const future = pool.with({ signal: controller.signal }).submit(fn as () => boolean);
  await until(() => future.progress > 0);
  controller.abort();
  await until(() => future.done());
  for (let i = 0; i < 2; i++) await pool.submit(work.isWired).exception();
  assertInTime(pool.stats().lost === 0);
}

test("a process gets tasks by the wire that come one by one", async () => {
  await using pool = await wiredPool();
  const values = [1, -0, "text", [undefined, null], { a: new Map([[1, new Date(5)]]) }, 2n ** 70n];
  await pool.submit(work.wiredEcho, 0);
  await pool.submit(work.wiredLater, 0);
  for (const value of values) {
    assertEquals(await pool.submit(work.wiredEcho, value), [value, true]);
    assertEquals(await pool.submit(work.wiredLater, value), [value, true]);
  }
});

test("a blocked program hears of tasks by the wire", async () => {
  await using pool = await wiredPool();
  for (let i = 0; i < 50; i++) {
    assertEquals(pool.submit(work.wiredEcho, i).resultSync(), [i, i > 0]);
  }
});

test("tasks by the wire and by the host, mixed at random, are all done once", async () => {
  await using pool = await wiredPool({ maxWorkers: 2 });
  let seed = 1;
  const ids = new Set<number>();
  let count = 0;
  for (let round = 0; round < 200; round++) {
    seed = seed * 48271 % 2147483647;
    // Usually one alone; sometimes more than one child is sent at once.
    const size = seed % 3 === 0 ? seed % 40 : 1;
    count += size;
    const futures = Array.from({ length: size }, () => pool.submit(work.ownId));
    for (const future of futures) ids.add(await future);
  }
  assertEquals(ids.size, count);
});

test("an outcome by the wire does not overtake what its task has said before", async () => {
  await using pool = await wiredPool();
  await pool.submit(work.reportAndReturn, 1);
  for (let times = 1; times < 40; times++) {
    const future = pool.submit(work.reportAndReturn, times % 4);
    assert(await future);
    assertEquals(future.progress, times % 4 === 0 ? 0 : 1);
  }
});

test("errors, large values, moved ones and what cannot be sent come back from a task by the wire", async () => {
  await using pool = await wiredPool();
  await errorOf(pool.submit(work.failOnWire));
  const error = await errorOf(pool.submit(work.failOnWire));
  assertInstanceOf(error, RangeError);
  assertEquals([error.message, (error.cause as Error).message], ["wired: true", "cause"]);
  for (const length of [0, 10, 5_000, 1 << 21]) {
    await pool.submit(work.isWired);
    assertEquals(await pool.submit(work.giveMoved, length), new Uint8Array(length).fill(7));
  }
  const large = "x".repeat(100_000);
  await pool.submit(work.wiredEcho, "");
  // An argument too large for a slot goes by the host.
  assertEquals((await pool.submit(work.wiredEcho, large))[0], large);
  for (let i = 0; i < 2; i++) {
    const refused = await errorOf(pool.submit(work.giveFunction));
    assert(
      refused instanceof NotShareableError || refused instanceof DOMException,
      String(refused),
    );
  }
  assert(await pool.submit(work.isWired));
});

for (const fn of [work.spinUntilTold, work.pendUntilTold] as const) {
  test(`a task by the wire that is told to stop keeps its process: ${fn.name}`, async () => {
    await inGoodTime(async () => {
      await using pool = await wiredPool({ onWorkerLost: "replace" });
      await makeKnown(pool, fn);
      const { pids } = pool;
      for (let i = 0; i < 5; i++) {
        const controller = new AbortController();
        const future = pool.with({ signal: controller.signal }).submit(fn as () => boolean);
        await runsOnWire(future);
        controller.abort(new RangeError("enough"));
        assertInstanceOf(await errorOf(future), RangeError);
        const next = pool.submit(work.isWired);
        await next.exception();
        assertInTime(pool.stats().lost === 0);
        assert(await next || await pool.submit(work.isWired));
      }
      assertEquals(pool.pids, pids);
    });
  });
}

test("a task by the wire that does not stop is ended with its process, and no other task is lost", async () => {
  await withTimeLimit(100, async (timeout) => {
    await using pool = await wiredPool({ onWorkerLost: "replace" });
    const [pid] = pool.pids;
    // The task loops for ever; it comes by the host the first time, and so ends that process.
    const first = pool.with({ timeout }).submit(work.spinOnWire);
    await comesAbout(first, () => first.progress > 0);
    assertInstanceOf(await errorOf(first), TimeoutError);
    for (let i = 0; i < MOST_TASKS && !await pool.submit(work.isWired); i++);
    assert(!pool.pids.includes(pid));
    const lost = pool.with({ timeout: 3 * timeout }).submit(work.spinOnWire);
    const queued = [1, 2, 3].map((i) => pool.submit(work.wiredEcho, i));
    assertInstanceOf(await errorOf(lost), TimeoutError);
    const startMs = performance.now();
    assertEquals((await Promise.all(queued)).map(([value]) => value), [1, 2, 3]);
    assertPrompt(startMs);
  });
});

test("a task by the wire that is not begun is taken back, and its process stays", async () => {
  const folder = mkdtempSync(`${tmpdir()}/wire-`);
  try {
    await using pool = await wiredPool({ onWorkerLost: "replace" });
    const { pids } = pool;
    await pool.submit(work.leaveFile, `${folder}/first`);
    for (let i = 0; i < 4; i++) {
      const path = `${folder}/${i}`;
      await pool.submit(work.leaveBusyTimer, path);
      await until(() => existsSync(`${path}.begun`));
      const controller = new AbortController();
      const future = pool.with({ signal: controller.signal }).submit(
        work.leaveFile,
        `${path}.unwanted`,
      );
      await until(() => future.running());
      controller.abort(new RangeError("enough"));
      assertInstanceOf(await future.exception(), RangeError);
      // Longer than a task that has begun has to stop.
      await new Promise((resolve) => setTimeout(resolve, 3 * STOP_GRACE_MS));
      // The next task finds it in the worker's hands, or comes behind a task that must not run.
      const early = i % 2 === 0 ? pool.submit(work.wiredEcho, "early") : undefined;
      writeFileSync(path, "");
      if (early !== undefined) assertEquals(await early, ["early", i > 0]);
      assertEquals(await pool.submit(work.wiredEcho, "next"), ["next", true]);
      assertEquals(existsSync(`${path}.unwanted`), false);
    }
    assertEquals([pool.pids, pool.stats().lost], [pids, 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const fn of [work.exitOnWire, work.exitAfter]) {
  test(`a process that ends with a task by the wire is told as any other: ${fn.name}`, async () => {
    await using pool = await wiredPool();
    const future = pool.submit(fn as typeof work.exitOnWire, 3);
    const startMs = performance.now();
    const outcome = await future.exception();
    const error = outcome ?? await errorOf(pool.submit(work.pendUntilTold));
    assertPrompt(startMs);
    assertInstanceOf(error, BrokenProcessPool);
    assertStringIncludes(error.message, "exited with code 3");
  });
}

test("a process that is killed while a task by the wire runs is told at once", async () => {
  await inGoodTime(async () => {
    await using pool = await wiredPool({ onWorkerLost: "replace" });
    await makeKnown(pool, work.spinUntilTold);
    const [pid] = pool.pids;
    const lost = pool.submit(work.spinUntilTold);
    await runsOnWire(lost);
    const startMs = performance.now();
    Deno.kill(pid, "SIGKILL");
    const error = await errorOf(lost);
    assertPrompt(startMs);
    assertInstanceOf(error, BrokenProcessPool);
    assertStringIncludes(error.message, `process ${pid} was ended by SIGKILL`);
  });
});

test("a process that a task starts does not hold the wire of its own process", async () => {
  const folder = mkdtempSync(`${tmpdir()}/wire-`);
  try {
    await using pool = await wiredPool();
    await pool.submit(work.tellFifth, `${folder}/own`);
    await pool.submit(work.tellFifthOfProcess, `${folder}/other`);
    const wire = readFileSync(`${folder}/own`, "utf8");
    assertStringIncludes(wire, "socket");
    assertNotEquals(readFileSync(`${folder}/other`, "utf8"), wire);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("shutdown sees a task by the wire through", async () => {
  const pool = await wiredPool();
  await pool.submit(work.wiredLater, 0);
  const last = pool.submit(work.wiredLater, "last");
  await until(() => last.running() || last.done());
  await pool.shutdown();
  assertEquals((await last)[0], "last");
});
