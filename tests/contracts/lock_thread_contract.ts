import { assertEquals } from "@std/assert";
import type { AcquireOptions } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { lockQueued, lockWaitersOf, rejectionOf } from "../sync/_support.ts";
import * as tasks from "../sync/fixtures/lock_tasks.ts";
import { ELSEWHERE, type Elsewhere } from "./elsewhere.ts";
import { assertSound, type Lockable, type LockSuite, SHORT_MS } from "./lock_suite.ts";
import { type GatePass, readCell } from "./parts.ts";

/**
 * Registers tests with the main thread and others, of this process or not, each holding and waiting
 * in both forms.
 */
export function lockThreadContract(suite: LockSuite): void {
  for (const elsewhere of ELSEWHERE) together(suite, elsewhere);
}

function together({ name, make }: LockSuite, elsewhere: Elsewhere): void {
  for (const form of ["acquire", "acquireSync"] as const) {
    test(`${name}.${form}() on the main thread waits until ${elsewhere.name} releases`, async () => {
      await using crew = elsewhere.crew(1);
      using gate = elsewhere.gate();
      const lock = make();
      for (let i = 0; i < 3; i++) {
        const moment = crew.whenLockWaiting(lock, 1);
        const holding = crew.submit(tasks.holdUntilWaitedFor, lock, gate.pass, moment);
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
    test(`${name}: ${acquire.name} in ${elsewhere.name} waits until the main thread releases`, async () => {
      await using crew = elsewhere.crew(1);
      const lock = make();
      await lock.acquire();
      assertEquals(await crew.submit(acquire, lock, { timeout: 0 }), false);
      assertEquals(await crew.submit(acquire, lock, { blocking: false }), false);
      assertEquals(await crew.submit(acquire, lock, { timeout: SHORT_MS }), false);
      assertEquals(lockWaitersOf(lock), 0);
      const waiting = crew.submit(acquire, lock);
      await lockQueued(lock);
      lock.release();
      assertEquals(await waiting, true);
      await assertSound(lock);
    });
  }

  type Hold = (lock: Lockable, gate: GatePass) => unknown;
  for (const hold of [tasks.holdAtGate, tasks.holdAtGateSync] as Hold[]) {
    test(`${name}: the main thread polls, times out and aborts during ${hold.name} of ${elsewhere.name}`, async () => {
      await using crew = elsewhere.crew(1);
      using gate = elsewhere.gate();
      const lock = make();
      const holding = crew.submit(hold, lock, gate.pass);
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

  test(`${name} guards a plain number against two ${elsewhere.names} and the main thread, in both forms`, async () => {
    await using crew = elsewhere.crew(2);
    const lock = make();
    const [counter] = elsewhere.cells(1);
    const times = elsewhere.rounds(100);
    const futures = [tasks.countUp, tasks.countUpSync, tasks.countUp, tasks.countUpSync]
      .map((count) => crew.submit(count, lock, counter, times));
    await tasks.countUp(lock, counter, times);
    tasks.countUpSync(lock, counter, times);
    await Promise.all(futures);
    assertEquals(readCell(counter), 6 * times);
    await assertSound(lock);
  });
}
