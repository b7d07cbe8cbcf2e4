/**
 * The main thread is blocked in a wait of the package: its pools continue during the wait, and what
 * it waits for comes.
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  Event,
  Lock,
  OwnerDiedError,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
  TimeoutError,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { comesAbout, withTimeLimit } from "../_support/time_limits.ts";
import { assertPrompt, Gate, until } from "./_support.ts";
import { assertOwnerDied, assertUsable, newName, thrownBy } from "./_sync_support.ts";
import * as pools from "./_pool_tasks.ts";
import * as work from "./_sync_tasks.ts";
import { noop } from "./_tasks.ts";
import { type AnyLock, waitersOf } from "./_waiters.ts";

/** More tasks than fit into the ring between a pool and its workers. */
const MANY = 3000;

/**
 * Time limit of a task that does not end: usually enough for its worker to start on a busy machine.
 */
const TASK_MS = 1000;

/** Longer than any of these waits takes, so that a failure does not hang. */
const LIMIT = { timeout: 15_000 };

const KINDS: Record<string, () => AnyLock> = {
  "Lock": () => new Lock({ name: newName() }),
  "RLock": () => new RLock({ name: newName() }),
  "Condition": () => new Condition(new RLock({ name: newName() })),
};

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind}.acquireSync() on the main thread returns when a worker releases`, async () => {
    const lock = make();
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    using gate = new Gate();
    pool.submit(work.releaseWhenAwaited, lock, gate.words);
    await gate.arrived();
    assertEquals(lock.acquireSync(LIMIT), true);
    assertEquals(lock.locked(), true);
    lock.release();
    await assertUsable(lock);
  });

  test(`${kind}.acquireSync() on the main thread lets its owner's nested task run`, async () => {
    const lock = make();
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    using gate = new Gate();
    const future = pool.submit(work.nestWhenAwaited, lock, gate.words, pool);
    await gate.arrived();
    assertEquals(lock.acquireSync(LIMIT), true);
    lock.release();
    assertEquals(await future, 42);
  });
}

for (const onWorkerLost of ["break", "replace"] as const) {
  for (const how of ["close", "Deno.exit", "throw in a timer"] as const) {
    test(`Lock.acquireSync() on the main thread throws when the owner's worker (${onWorkerLost}) ends: ${how}`, async () => {
      const lock = new Lock({ name: newName() });
      const pool = new ThreadPoolExecutor({
        maxWorkers: 1,
        threadNamePrefix: "owner",
        onWorkerLost,
      });
      const gate = new Gate();
      const future = pool.submit(work.endWhenAwaited, lock, gate.words, how);
      await gate.arrived();
      assertOwnerDied(await thrownBy(() => lock.acquireSync(LIMIT)), lock, "owner_0");
      assertEquals(lock.recover(), true);
      lock.release();
      assertInstanceOf(await future.exception(), Error);
      await pool.shutdown();
    });
  }
}

test("Lock.acquireSync() on the main thread throws when the owner is given up meanwhile", async () => {
  await withTimeLimit(TASK_MS, async (timeout) => {
    const lock = new Lock({ name: newName() });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
    using gate = new Gate();
    const future = pool.with({ timeout }).submit(work.holdAndSpin, [lock], gate.words);
    await comesAbout(future, () => gate.count > 0);
    assertOwnerDied(await thrownBy(() => lock.acquireSync(LIMIT)), lock, "owner_0");
    assert(future.done());
    assert(TimeoutError.is(await future.exception()));
    assertEquals(lock.recover(), true);
    lock.release();
  });
});

test("Lock.acquireSync() on the main thread throws when the owner's worker ends after its task", async () => {
  const lock = new Lock({ name: newName() });
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    idleTimeout: 50,
    threadNamePrefix: "owner",
  });
  await pool.submit(work.own, [lock]);
  assertOwnerDied(await thrownBy(() => lock.acquireSync(LIMIT)), lock, "owner_0");
  assertEquals(lock.recover(), true);
  lock.release();
});

// Pools of the blocked thread continue

test("Event.waitSync() on the main thread: more tasks than the ring holds run, the last of which sets it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const event = new Event();
  for (let i = 0; i < MANY; i++) pool.submit(noop);
  pool.submit(work.set, event);
  assertEquals(event.waitSync(LIMIT), true);
});

test("Semaphore.acquireSync() on the main thread: more tasks than the ring holds release a permit each", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const semaphore = new Semaphore(0);
  for (let i = 0; i < MANY; i++) pool.submit(work.release, semaphore);
  for (let i = 0; i < MANY; i++) assertEquals(semaphore.acquireSync(LIMIT), true);
  assertEquals(semaphore.getValue(), 0);
});

test("Condition.waitForSync() on the main thread: more tasks than the ring holds notify it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const condition = new Condition();
  const count = new Int32Array(new SharedArrayBuffer(4));
  {
    using _ = condition.holdSync();
    for (let i = 0; i < MANY; i++) pool.submit(work.notify, condition, count);
    assertEquals(condition.waitForSync(() => count[0] === MANY, LIMIT), true);
  }
  assertEquals(condition.locked(), false);
});

test("Barrier.waitSync() on the main thread: the other party comes after more tasks than the ring holds", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const barrier = new Barrier(2);
  for (let i = 0; i < MANY; i++) pool.submit(noop);
  const other = pool.submit(work.meet, barrier);
  assertEquals(barrier.waitSync(LIMIT), 0);
  assertEquals(await other, 1);
});

test("Barrier.waitSync() on the main thread throws when the other party's worker ends", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const barrier = new Barrier(3);
  using gate = new Gate();
  gate.open();
  pool.submit(work.meetAndEnd, barrier, gate.words, "Deno.exit");
  const error = await thrownBy(() => barrier.waitSync(LIMIT));
  assertInstanceOf(error, BrokenBarrierError);
  assertEquals(barrier.broken, true);
  await pool.shutdown();
});

test("Event.waitSync() on the main thread settles futures, and calls back, meanwhile", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const event = new Event();
  using gate = new Gate();
  const first = pool.submit(noop);
  first.addDoneCallback(() => gate.open());
  pool.submit(work.setAtGate, event, gate.words); // Needs the callback.
  assertEquals(event.waitSync(LIMIT), true);
  assertEquals(first.done(), true);
});

test("Event.waitSync() on the main thread: another wait of it, as a promise, gets what comes meanwhile", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const semaphore = new Semaphore(0);
  const lock = new Lock();
  const event = new Event();
  lock.acquireSync();
  const permit = semaphore.acquire();
  const next = lock.acquire();
  pool.submit((lock: Lock) => lock.release(), lock);
  pool.submit(work.releaseAndSet, semaphore, event);
  assertEquals(event.waitSync(LIMIT), true);
  assertEquals([waitersOf(semaphore), waitersOf(lock)], [0, 0]);
  assertEquals(await Promise.all([permit, next]), [true, true]);
  assertEquals(semaphore.getValue(), 0);
  lock.release();
  await assertUsable(lock);
});

test("Event.waitSync() on the main thread: the time of its tasks is up meanwhile", async () => {
  await withTimeLimit(TASK_MS, async (timeout) => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const event = new Event();
    using gate = new Gate();
    const stuck = pool.with({ timeout }).submit(work.holdAndSpin, [], gate.words);
    await comesAbout(stuck, () => gate.count > 0);
    // This task can only run on a worker that replaces the first one.
    pool.submit(work.set, event);
    assertEquals(event.waitSync(LIMIT), true);
    assertEquals([stuck.done(), pool.stats().abandoned], [true, 1]);
  });
});

test("Event.waitSync() on the main thread: a lost worker is replaced meanwhile", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const event = new Event();
  pool.submit(() => self.close());
  pool.submit(work.set, event);
  assertEquals(event.waitSync(LIMIT), true);
  assertEquals(pool.stats().lost, 1);
});

test("Waits in the Sync form on the main thread end when their time is up", () => {
  const lock = new Lock();
  lock.acquireSync();
  const condition = new Condition();
  using _ = condition.holdSync();
  const waits: (() => unknown)[] = [
    () => lock.acquireSync({ timeout: 50 }),
    () => new Semaphore(0).acquireSync({ timeout: 50 }),
    () => new Event().waitSync({ timeout: 50 }),
    () => condition.waitSync({ timeout: 50 }),
    () => condition.waitForSync(() => false, { timeout: 50 }),
  ];
  for (const wait of waits) {
    const startMs = performance.now();
    assertEquals(wait(), false);
    assert(performance.now() - startMs >= 49);
    assertPrompt(startMs + 50);
  }
});

// A blocked worker that has a pool of its own

test("Event.waitSync() in a worker: the worker's own pool goes on", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const future = pool.submit(pools.blockOnOwnPool, MANY);
  assertEquals(await future, true);
});

test("Lock: what the workers of a worker hold passes to this thread, and is told when they die", async () => {
  const lock = new Lock({ name: newName() });
  const held = new Event();
  const end = new Event();
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const future = pool.submit(pools.lendToOwnPool, lock, held, end);
  assertEquals(held.waitSync(LIMIT), true);
  const error = thrownBy(() => lock.acquire());
  await until(() => waitersOf(lock) === 1);
  end.set();
  assert(OwnerDiedError.is(await error));
  await future;
  assertEquals(lock.recover(), true);
  lock.release();
  await assertUsable(lock);
});
