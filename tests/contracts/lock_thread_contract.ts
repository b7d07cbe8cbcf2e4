import { assertEquals } from "@std/assert";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import type { AcquireOptions } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { lockQueued, lockWaitersOf, rejectionOf } from "../sync/_support.ts";
import * as tasks from "../sync/fixtures/lock_tasks.ts";
import { Gate, type GateWords } from "./gate.ts";
import { assertSound, type Lockable, type LockSuite, SHORT_MS } from "./lock_suite.ts";

/** The main thread and workers, each holding and waiting in both forms. */
export function lockThreadContract({ name, make }: LockSuite): void {
  for (const form of ["acquire", "acquireSync"] as const) {
    test(`${name}.${form}() on the main thread waits until a worker releases`, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      using gate = new Gate();
      const lock = make();
      for (let i = 0; i < 3; i++) {
        const holding = pool.submit(tasks.holdUntilWaitedFor, lock, gate.words);
        await gate.entered(i + 1);
        assertEquals(await lock[form](), true);
        assertEquals(lock.locked(), true);
        lock.release();
        await holding;
      }
      await assertSound(lock);
    });
  }

  type Acquire = (lock: Lockable, options?: AcquireOptions) => boolean | Promise<boolean>;
  for (const acquire of [tasks.acquireOnce, tasks.acquireOnceSync] as Acquire[]) {
    test(`${name}: ${acquire.name} in a worker waits until the main thread releases`, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const lock = make();
      await lock.acquire();
      assertEquals(await pool.submit(acquire, lock, { timeout: 0 }), false);
      assertEquals(await pool.submit(acquire, lock, { blocking: false }), false);
      assertEquals(await pool.submit(acquire, lock, { timeout: SHORT_MS }), false);
      assertEquals(lockWaitersOf(lock), 0);
      const waiting = pool.submit(acquire, lock);
      await lockQueued(lock);
      lock.release();
      assertEquals(await waiting, true);
      await assertSound(lock);
    });
  }

  type Hold = (lock: Lockable, gate: GateWords) => unknown;
  for (const hold of [tasks.holdAtGate, tasks.holdAtGateSync] as Hold[]) {
    test(`${name}: the main thread polls, times out and aborts during ${hold.name} of a worker`, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      using gate = new Gate();
      const lock = make();
      const holding = pool.submit(hold, lock, gate.words);
      await gate.entered();
      assertEquals(lock.locked(), true);
      for (const options of [{ blocking: false }, { timeout: 0 }, { timeout: SHORT_MS }]) {
        assertEquals(lock.acquireSync(options), false);
        assertEquals(await lock.acquire(options), false);
      }
      const controller = new AbortController();
      const aborted = rejectionOf(lock.acquire({ signal: controller.signal }));
      controller.abort("enough");
      assertEquals(await aborted, "enough");
      assertEquals(lockWaitersOf(lock), 0);
      gate.open();
      await holding;
      await assertSound(lock);
    });
  }

  test(`${name} guards a plain number against two workers and the main thread, in both forms`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const lock = make();
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const times = 100;
    const futures = [tasks.countUp, tasks.countUpSync, tasks.countUp, tasks.countUpSync]
      .map((count) => pool.submit(count, lock, counter, times));
    await tasks.countUp(lock, counter, times);
    tasks.countUpSync(lock, counter, times);
    await Promise.all(futures);
    assertEquals(counter[0], 6 * times);
    await assertSound(lock);
  });
}
