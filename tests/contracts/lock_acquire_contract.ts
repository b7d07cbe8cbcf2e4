import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { lockWaitersOf, rejectionOf, stateOf, turns } from "../sync/_support.ts";
import { assertSound, BAD_ACQUIRES, BAD_WAITS, type LockSuite, SHORT_MS } from "./lock_suite.ts";

/** Registers the tests of `acquire`, `acquireSync`, `release` and `locked`. */
export function lockAcquireContract(suite: LockSuite): void {
  acquiring(suite);
  givingUp(suite);
  badArguments(suite);
  order(suite);
}

function acquiring({ name, make }: LockSuite): void {
  test(`${name}.acquire() and acquireSync() take what is free, release() frees it`, async () => {
    const lock = make();
    assertEquals(lock.locked(), false);
    assertEquals(await lock.acquire(), true);
    assertEquals(lock.locked(), true);
    lock.release();
    assertEquals(lock.locked(), false);
    assertEquals(lock.acquireSync(), true);
    assertEquals(lock.locked(), true);
    lock.release();
    assertEquals(await lock.acquire({}), true);
    lock.release();
    assertEquals(lock.acquireSync({}), true);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}.acquire() waits until release()`, async () => {
    for (const options of [undefined, {}, { timeout: null }, { timeout: Infinity }]) {
      const lock = make();
      await lock.acquire();
      const waiting = lock.acquire(options);
      assertEquals(lockWaitersOf(lock), 1);
      assertEquals(await stateOf(waiting), "pending");
      lock.release();
      assertEquals(await waiting, true);
      assertEquals([lock.locked(), lockWaitersOf(lock)], [true, 0]);
      lock.release();
      await assertSound(lock);
    }
  });

  test(`${name}.acquire() and acquireSync() with blocking: false or a timeout of 0 do not wait`, async () => {
    const lock = make();
    const polls = [{ blocking: false }, { timeout: 0 }, { blocking: false, timeout: null }];
    await lock.acquire();
    for (const options of polls) {
      assertEquals(lock.acquireSync(options), false);
      assertEquals(await lock.acquire(options), false);
    }
    assertEquals(lockWaitersOf(lock), 0);
    lock.release();
    for (const options of polls) {
      assertEquals(lock.acquireSync(options), true);
      lock.release();
      assertEquals(await lock.acquire(options), true);
      lock.release();
    }
    await assertSound(lock);
  });

  test(`${name}.acquire() and acquireSync() with blocking: true wait as they do without`, async () => {
    const lock = make();
    assertEquals(await lock.acquire({ blocking: true }), true);
    assertEquals(lock.acquireSync({ blocking: true, timeout: SHORT_MS }), false);
    assertEquals(await lock.acquire({ blocking: true, timeout: SHORT_MS }), false);
    const waiting = lock.acquire({ blocking: true });
    lock.release();
    assertEquals(await waiting, true);
    lock.release();
    assertEquals(lock.acquireSync({ blocking: true }), true);
    lock.release();
    await assertSound(lock);
  });
}

function givingUp({ name, make }: LockSuite): void {
  test(`${name}.acquire() and acquireSync() give false once time is up, and leave nothing behind`, async () => {
    const lock = make();
    await lock.acquire();
    for (const timeout of [0.5, SHORT_MS]) {
      let startMs = performance.now();
      assertEquals(await lock.acquire({ timeout }), false);
      assert(performance.now() - startMs >= timeout);
      startMs = performance.now();
      assertEquals(lock.acquireSync({ timeout }), false);
      assert(performance.now() - startMs >= timeout);
    }
    assertEquals([lock.locked(), lockWaitersOf(lock)], [true, 0]);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}.acquire() with a timeout gives true when released in time`, async () => {
    const lock = make();
    await lock.acquire();
    const waiting = lock.acquire({ timeout: 10_000 });
    lock.release();
    assertEquals(await waiting, true);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}.acquire() rejects with the reason of a signal that aborts, and leaves nothing behind`, async () => {
    const lock = make();
    await lock.acquire();
    for (const reason of [new RangeError("enough"), "enough", 0, null]) {
      const controller = new AbortController();
      const waiting = rejectionOf(lock.acquire({ signal: controller.signal }));
      assertEquals(lockWaitersOf(lock), 1);
      controller.abort(reason);
      assertEquals(lockWaitersOf(lock), 0);
      assertStrictEquals(await waiting, reason);
    }
    const controller = new AbortController();
    const waiting = lock.acquire({ signal: controller.signal, timeout: 10_000 });
    controller.abort();
    await assertRejects(() => waiting, DOMException, "abort");
    lock.release();
    await assertSound(lock);
  });

  test(`${name}: a signal that has aborted rejects before anything is touched`, async () => {
    const lock = make();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    let calls = 0;
    const attempts = [
      () => lock.acquire({ signal }),
      () => lock.acquire({ signal, timeout: 0 }),
      () => lock.acquire({ signal, blocking: false }),
      () => lock.hold({ signal }),
      () => lock.run(() => calls++, { signal }),
    ];
    for (const attempt of attempts) {
      assertStrictEquals(await rejectionOf(attempt()), reason);
      assertEquals(lock.locked(), false);
    }
    await lock.acquire();
    for (const attempt of attempts) {
      assertStrictEquals(await rejectionOf(attempt()), reason);
      assertEquals([lock.locked(), lockWaitersOf(lock)], [true, 0]);
    }
    assertEquals(calls, 0);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}: a signal that aborts after the acquisition changes nothing`, async () => {
    const lock = make();
    const controller = new AbortController();
    const { signal } = controller;
    await lock.acquire({ signal });
    const second = lock.acquire({ signal });
    lock.release();
    assertEquals(await second, true);
    controller.abort();
    await turns();
    assertEquals(lock.locked(), true);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}: a signal that aborts in the turn of the release loses nothing`, async () => {
    for (const abortsFirst of [true, false]) {
      const lock = make();
      await lock.acquire();
      const controller = new AbortController();
      const waiting = lock.acquire({ signal: controller.signal }).catch((error) => error);
      if (abortsFirst) controller.abort("enough");
      lock.release();
      if (!abortsFirst) controller.abort("enough");
      const outcome = await waiting;
      assertEquals(outcome === true || outcome === "enough", true);
      assertEquals(lock.locked(), outcome === true);
      if (outcome === true) lock.release();
      await assertSound(lock);
    }
  });

  test(`${name}: whom others before him gave up waiting is served`, async () => {
    const lock = make();
    await lock.acquire();
    const controller = new AbortController();
    const aborted = rejectionOf(lock.acquire({ signal: controller.signal }));
    const first = lock.acquire();
    const late = lock.acquire({ timeout: 1 });
    const second = lock.acquire();
    controller.abort("enough");
    assertEquals([await aborted, await late], ["enough", false]);
    assertEquals(lockWaitersOf(lock), 2);
    lock.release();
    assertEquals(await first, true);
    assertEquals(await stateOf(second), "pending");
    lock.release();
    assertEquals(await second, true);
    lock.release();
    await assertSound(lock);
  });
}

function badArguments({ name, make }: LockSuite): void {
  test(`${name}.acquire() and acquireSync() refuse bad arguments and change nothing`, async () => {
    const free = make();
    const held = make();
    await held.acquire();
    for (const [options, error, text] of [...BAD_WAITS, ...BAD_ACQUIRES]) {
      for (const lock of [free, held]) {
        assertThrows(() => lock.acquireSync(options as never), error, text);
        await assertRejects(() => lock.acquire(options as never), error, text);
        assertEquals([lock.locked(), lockWaitersOf(lock)], [lock === held, 0]);
      }
    }
    held.release();
    await assertSound(free);
    await assertSound(held);
  });

  test(`${name}.hold(), run() and their twins refuse bad timeouts and change nothing`, async () => {
    const lock = make();
    let calls = 0;
    for (const [options, error, text] of BAD_WAITS) {
      const bad = options as never;
      assertThrows(() => lock.holdSync(bad), error, text);
      assertThrows(() => lock.runSync(() => calls++, bad), error, text);
      await assertRejects(() => lock.hold(bad), error, text);
      await assertRejects(() => lock.run(() => calls++, bad), error, text);
    }
    assertEquals(calls, 0);
    await assertSound(lock);
  });
}

function order({ name, make }: LockSuite): void {
  test(`${name}: waiters of one thread are served first come, first served`, async () => {
    const lock = make();
    await lock.acquire();
    const served: number[] = [];
    const waits = Array.from({ length: 40 }, async (_, i) => {
      if (i % 2 === 0) await lock.acquire();
      else assertEquals(await lock.acquire({ timeout: 10_000 }), true);
      served.push(i);
      lock.release();
    });
    assertEquals(lockWaitersOf(lock), 40);
    lock.release();
    await Promise.all(waits);
    assertEquals(served, Array.from({ length: 40 }, (_, i) => i));
    await assertSound(lock);
  });
}
