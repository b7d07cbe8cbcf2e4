import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { TimeoutError } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { lockWaitersOf, rejectionOf, stateOf, turns } from "../sync/_support.ts";
import { assertSound, type LockSuite, SHORT_MS } from "./lock_suite.ts";

/** Registers the tests of `hold`, `run` and their blocking twins. */
export function lockGuardContract({ name, label, make, heldText }: LockSuite): void {
  test(`${name}.hold() and holdSync() release at the end of the block, also after an error`, async () => {
    const lock = make();
    {
      using _ = await lock.hold();
      assertEquals(lock.locked(), true);
    }
    assertEquals(lock.locked(), false);
    {
      using _ = lock.holdSync();
      assertEquals(lock.locked(), true);
    }
    assertEquals(lock.locked(), false);
    await assertRejects(
      async () => {
        using _ = await lock.hold();
        throw new RangeError("of the block");
      },
      RangeError,
      "of the block",
    );
    assertThrows(
      () => {
        using _ = lock.holdSync();
        throw new RangeError("of the block");
      },
      RangeError,
      "of the block",
    );
    await assertSound(lock);
  });

  test(`${name}.hold() waits until release()`, async () => {
    const lock = make();
    const first = await lock.hold();
    const waiting = lock.hold();
    assertEquals(lockWaitersOf(lock), 1);
    first[Symbol.dispose]();
    const second = await waiting;
    assertEquals(lock.locked(), true);
    second[Symbol.dispose]();
    await assertSound(lock);
  });

  test(`${name}: a guard that is disposed of again does nothing`, async () => {
    const lock = make();
    for (const guard of [await lock.hold(), lock.holdSync]) {
      const held = typeof guard === "function" ? lock.holdSync() : guard;
      held[Symbol.dispose]();
      assertEquals(lock.locked(), false);
      held[Symbol.dispose]();
      await lock.acquire();
      held[Symbol.dispose]();
      assertEquals(lock.locked(), true);
      lock.release();
    }
    await assertSound(lock);
  });

  test(`${name}.hold(), run() and their twins throw TimeoutError when time is up`, async () => {
    for (const called of [undefined, "accounts"]) {
      const lock = make(called);
      const what = called === undefined ? label : `${label} "${called}"`;
      await lock.acquire();
      let calls = 0;
      for (const timeout of [0, SHORT_MS]) {
        const text = `Cannot acquire ${what} within ${timeout} ms: ${heldText}`;
        await assertRejects(() => lock.hold({ timeout }), TimeoutError, text);
        await assertRejects(() => lock.run(() => calls++, { timeout }), TimeoutError, text);
        assertThrows(() => lock.holdSync({ timeout }), TimeoutError, text);
        assertThrows(() => lock.runSync(() => calls++, { timeout }), TimeoutError, text);
      }
      assertEquals([calls, lock.locked(), lockWaitersOf(lock)], [0, true, 0]);
      lock.release();
      await assertSound(lock);
    }
  });

  test(`${name}.hold() and run() reject with the reason of a signal that aborts`, async () => {
    const lock = make();
    await lock.acquire();
    const controller = new AbortController();
    const { signal } = controller;
    let calls = 0;
    const waits = [lock.hold({ signal }), lock.run(() => calls++, { signal })].map(rejectionOf);
    assertEquals(lockWaitersOf(lock), 2);
    const reason = new Error("enough");
    controller.abort(reason);
    for (const wait of waits) assertStrictEquals(await wait, reason);
    assertEquals([calls, lockWaitersOf(lock)], [0, 0]);
    lock.release();
    await assertSound(lock);
  });

  test(`${name}.run() holds it around the function, until what that returns has settled`, async () => {
    const lock = make();
    assertEquals(await lock.run(() => lock.locked()), true);
    let finish = (_: string): void => {};
    const running = lock.run(() => new Promise<string>((resolve) => finish = resolve));
    await turns();
    assertEquals(lock.locked(), true);
    const next = lock.run(() => "next");
    assertEquals(await stateOf(next), "pending");
    finish("done");
    assertEquals([await running, await next], ["done", "next"]);
    await assertSound(lock);
  });

  test(`${name}.runSync() holds it around the function, and gives what that returns`, async () => {
    const lock = make();
    const result = { locked: false };
    assertStrictEquals(
      lock.runSync(() => {
        result.locked = lock.locked();
        return result;
      }),
      result,
    );
    assertEquals([result.locked, lock.locked()], [true, false]);
    await assertSound(lock);
  });

  test(`${name}.run() and runSync() release and pass errors on when the function fails`, async () => {
    const lock = make();
    const fail = (): never => {
      throw new RangeError("of the function");
    };
    await assertRejects(() => lock.run(fail), RangeError, "of the function");
    // deno-lint-ignore require-await
    await assertRejects(() => lock.run(async () => fail()), RangeError, "of the function");
    assertThrows(() => lock.runSync(fail), RangeError, "of the function");
    for (const falsy of [undefined, null, 0]) {
      assertStrictEquals(await rejectionOf(lock.run(() => Promise.reject(falsy))), falsy);
    }
    await assertSound(lock);
  });

  test(`${name}.run(): async tasks of one thread exclude each other`, async () => {
    const lock = make();
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(Array.from({ length: 20 }, (_, i) =>
      lock.run(async () => {
        most = Math.max(most, ++inside);
        for (let j = 0; j < i % 4; j++) await Promise.resolve();
        order.push(i);
        inside--;
      })));
    assertEquals(most, 1);
    assertEquals(order, Array.from({ length: 20 }, (_, i) => i));
    await assertSound(lock);
  });
}
