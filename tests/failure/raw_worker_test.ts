/**
 * Locks and their kin in workers that belong to no pool, and what such a worker leaves behind when
 * it ends.
 */

import { assertEquals } from "@std/assert";
import {
  Condition,
  type Future,
  type Handle,
  Lock,
  RLock,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { markClosed, test } from "../_support/leaks.ts";
import { assertPrompt, errorOf, Gate, PROMPT_MS, until } from "./_support.ts";
import { runProgram } from "../_support/run.ts";
import { comesAbout, withTimeLimit } from "../_support/time_limits.ts";
import {
  assertOwnerDied,
  assertUsable,
  lockOf,
  newName,
  syncProgram,
  thrownBy,
} from "./_sync_support.ts";
import * as work from "./_sync_tasks.ts";
import type { Order } from "./_raw_worker.ts";
import type { End } from "./_tasks.ts";
import { type AnyLock, waitersOf } from "./_waiters.ts";

const RAW_WORKER = import.meta.resolve("./_raw_worker.ts");

/** A worker that belongs to no pool. */
class RawWorker {
  readonly #worker: Worker;
  #onAnswer: (answer: unknown) => void = () => {};

  constructor(name: string) {
    this.#worker = new Worker(RAW_WORKER, { type: "module", name });
    this.#worker.onmessage = ({ data }): void => this.#onAnswer(data);
    // An error that is not caught in the worker would end the tests.
    this.#worker.onerror = (event): void => event.preventDefault();
  }

  /** Makes the worker do something; resolves with its answer. */
  do(order: Order): Promise<unknown> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
      this.#worker.postMessage(order);
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
    markClosed(this.#worker);
  }
}

const KINDS: Record<string, () => AnyLock> = {
  "Lock": () => new Lock({ name: newName() }),
  "RLock": () => new RLock({ name: newName() }),
  "Condition": () => new Condition(new RLock({ name: newName() })),
};

const ENDS: End[] = [
  "close",
  "Deno.exit",
  "process.exit",
];

/**
 * The runtime reports these ends whatever the program does, so they are tried in programs of their
 * own.
 */
const LOUD_ENDS: End[] = [
  "throw in a timer",
  "throw in a microtask",
  "reportError",
  "unhandled rejection",
];

for (const [kind, make] of Object.entries(KINDS)) {
  for (const how of ENDS) {
    test(`${kind}: an owner dies that is a worker of no pool: ${how}`, async () => {
      const lock = make();
      await using others = new ThreadPoolExecutor({ maxWorkers: 2 });
      using owner = new RawWorker("raw owner");
      await owner.do({ act: "acquire", handle: lock.handle, how: "Sync" });
      const blocked = others.submit(work.acquireSync, lock);
      const awaiting = others.submit((lock: Lock) => lock.acquire(), lock as Lock);
      const here = thrownBy(() => lock.acquire());
      await until(() => waitersOf(lockOf(lock)) === 3);
      assertEquals(lockOf(lock).recover(), false);

      const startMs = performance.now();
      owner.do({ act: "end", how });
      assertOwnerDied(await errorOf(blocked), lock, "raw owner");
      assertOwnerDied(await errorOf(awaiting), lock, "raw owner");
      assertOwnerDied(await here, lock, "raw owner");
      assertPrompt(startMs);
      assertOwnerDied(await thrownBy(() => lock.acquireSync()), lock, "raw owner");

      const recovered = await Promise.all(
        [1, 2].map(() => others.submit((lock: Lock) => lock.recover(), lockOf(lock) as Lock)),
      );
      const isMine = lockOf(lock).recover();
      assertEquals([...recovered, isMine].filter((won) => won).length, 1);
    });
  }

  test(`${kind}: a waiter dies that is a worker of no pool, and the next one is served`, async () => {
    const lock = make();
    lock.acquireSync();
    await using others = new ThreadPoolExecutor({ maxWorkers: 1 });
    using waiter = new RawWorker("raw waiter");
    await waiter.do({ act: "await", handle: lock.handle });
    await until(() => waitersOf(lockOf(lock)) === 1);
    const next = others.submit(work.acquireSync, lock);
    await until(() => waitersOf(lockOf(lock)) === 2);
    waiter.do({ act: "end", how: "Deno.exit" });
    await until(() => waitersOf(lockOf(lock)) === 1);
    lock.release();
    assertEquals(await next, true);
    await assertUsable(lock);
  });

  test(`${kind}: workers of no pool wait for each other and for pools, in both forms`, async () => {
    const lock = make();
    await using others = new ThreadPoolExecutor({ maxWorkers: 1 });
    using first = new RawWorker("first");
    using second = new RawWorker("second");
    for (const how of ["Sync", "promise"] as const) {
      assertEquals(await first.do({ act: "acquire", handle: lock.handle, how }), true);
      const waiting = second.do({ act: "acquire", handle: lock.handle, how });
      await until(() => waitersOf(lockOf(lock)) === 1);
      assertEquals(await first.do({ act: "release" }), "released");
      assertEquals(await waiting, true);
      const pooled = others.submit(work.acquireSync, lock);
      await until(() => waitersOf(lockOf(lock)) === 1);
      assertEquals(await second.do({ act: "release" }), "released");
      assertEquals(await pooled, true);
    }
    await assertUsable(lock);
  });
}

for (const how of LOUD_ENDS) {
  test(`An owner dies that is a worker of no pool: ${how}`, async () => {
    const { code, stdout, timedOut } = await runProgram(syncProgram(`
      const lock = new Lock({ name: "accounts" });
      const owner = new Worker(${
      JSON.stringify(RAW_WORKER)
    }, { type: "module", name: "raw owner" });
      owner.onerror = (event) => event.preventDefault();
      const held = new Promise((resolve) => owner.onmessage = resolve);
      owner.postMessage({ act: "acquire", handle: lock.handle, how: "Sync" });
      await held;
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const waits = [pool.submit(sync.acquireSync, lock), lock.acquire()];
      while (waitersOf(lock) < 2) await new Promise((resolve) => setTimeout(resolve, 2));
      owner.postMessage({ act: "end", how: ${JSON.stringify(how)} });
      for (const { reason } of await Promise.allSettled(waits)) {
        console.log(reason.name, /"accounts".*"raw owner"/.test(reason.message));
      }
      console.log(lock.recover());
    `));
    assertEquals({ code, stdout, timedOut }, {
      code: 0,
      stdout: "OwnerDiedError true\nOwnerDiedError true\ntrue\n",
      timedOut: false,
    });
  });
}

test("A worker of no pool that handles its errors goes on as the owner of what it holds", async () => {
  const lock = new Lock({ name: newName() });
  using owner = new RawWorker("raw owner");
  await owner.do({ act: "acquire", handle: lock.handle, how: "Sync" });
  assertEquals(await owner.do({ act: "handle errors, and throw" }), "handled");
  assertEquals(lock.recover(), false, "its owner is alive");
  assertEquals(await lock.acquire({ timeout: 5 }), false);
  const waiting = lock.acquire();
  await until(() => waitersOf(lock) === 1);
  await owner.do({ act: "release" });
  assertEquals(await waiting, true);
  lock.release();
  await assertUsable(lock);
});

// A lock that such a worker has made brings the worker's own table of threads along: this thread
// and its workers take second seats in that table.

/** A lock made by a worker of no pool, when this thread already has a table of its own. */
async function lockFrom(maker: RawWorker): Promise<Lock> {
  new Lock();
  return Lock.from(await maker.do({ act: "make" }) as Handle);
}

test("Lock made by a worker of no pool: passes between it, this thread and a pool's workers", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using maker = new RawWorker("maker");
  const lock = await lockFrom(maker);
  await maker.do({ act: "acquire", handle: lock.handle, how: "Sync" });
  const blocked = [1, 2].map(() => pool.submit(work.acquireSync, lock));
  const here = lock.acquire();
  await until(() => waitersOf(lock) === 3);
  await maker.do({ act: "release" });
  assertEquals(await here, true);
  lock.release();
  assertEquals(await Promise.all(blocked), [true, true]);
  await assertUsable(lock);
});

const SECOND_SEAT_DEATHS: Record<
  string,
  (pool: ThreadPoolExecutor, lock: Lock, gate: Gate, timeout: number) => Future<unknown>
> = {
  "calls close()": (pool, lock, gate) => pool.submit(work.holdAndEnd, [lock], gate.words, "close"),
  "has run as many tasks as it may": (pool, lock, gate) =>
    pool.submit(work.holdAndReturn, [lock], gate.words),
  "is given up": (pool, lock, gate, timeout) =>
    pool.with({ timeout }).submit(work.holdAndSpin, [lock], gate.words),
};

for (const [how, begin] of Object.entries(SECOND_SEAT_DEATHS)) {
  test(`Lock made by a worker of no pool: an owner dies, whose worker ${how}`, async () => {
    await withTimeLimit(1000, async (timeout) => {
      using maker = new RawWorker("maker");
      const lock = await lockFrom(maker);
      await using pool = new ThreadPoolExecutor({
        maxWorkers: 1,
        threadNamePrefix: "owner",
        maxTasksPerChild: 1,
      });
      using gate = new Gate();
      const holding = begin(pool, lock, gate, timeout);
      await comesAbout(holding, () => gate.count > 0);
      const here = thrownBy(() => lock.acquire({ timeout: timeout + PROMPT_MS }));
      if (how !== "is given up") {
        await until(() => waitersOf(lock) === 1);
        gate.open();
      }
      const error = await here;
      gate.open();
      await pool.shutdown();
      assertOwnerDied(error, lock, "owner_0");
      assertEquals(lock.recover(), true);
      lock.release();
      await assertUsable(lock);
    });
  });
}

test("Lock made by a worker of no pool: a thread that is given up does not stay blocked for it", async () => {
  using maker = new RawWorker("maker");
  const lock = await lockFrom(maker);
  await maker.do({ act: "acquire", handle: lock.handle, how: "Sync" });
  const report = new Int32Array(new SharedArrayBuffer(8));
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.waitTwice, lock, report);
  await until(() => waitersOf(lock) === 1);
  controller.abort();
  await until(() => pool.stats().abandoned === 1);
  try {
    await until(() => report[work.ENDED] === 2);
  } finally {
    await maker.do({ act: "release" });
    await pool.shutdown();
  }
});
