import { assertEquals, assertThrows } from "@std/assert";
import type { Handle } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { jsonCopy, throughChannel } from "../sync/_support.ts";
import { assertSound, type LockSuite, SHORT_MS } from "./lock_suite.ts";

/** Registers the tests of `handle` and `from`. */
export function lockHandleContract({ name, make, from }: LockSuite): void {
  test(`${name}.from() gives a view of the same state, and changes nothing`, async () => {
    const lock = make("accounts");
    const held = make();
    await held.acquire();
    const views = [from(lock.handle), from(await throughChannel(lock.handle))];
    for (const view of views) {
      assertEquals(view.locked(), false);
      assertEquals(view.acquireSync(), true);
      assertEquals([lock.locked(), views.map((other) => other.locked())], [true, [true, true]]);
      view.release();
      await assertSound(lock);
      await assertSound(view);
    }
    const other = from(held.handle);
    assertEquals([other.locked(), held.locked()], [true, true]);
    assertEquals(await other.acquire({ timeout: SHORT_MS }), false);
    const waiting = other.acquire();
    held.release();
    assertEquals(await waiting, true);
    other.release();
    await assertSound(held);
  });

  test(`${name}.from() of a handle of a handle's view is the same again`, async () => {
    const lock = make();
    const view = from(from(from(lock.handle).handle).handle);
    lock.acquireSync();
    assertEquals(view.locked(), true);
    lock.release();
    await assertSound(view);
  });

  test(`${name}.from() refuses what is no handle of its kind`, async () => {
    const lock = make();
    const { kind } = lock.handle;
    const other = kind === "Lock" ? "RLock" : "Lock";
    const refused = (bad: unknown, text: string): void => {
      assertThrows(() => from(bad as Handle), TypeError, text);
    };
    const start = `Cannot rebuild ${kind}: `;
    refused(null, `${start}expected a handle, got null; pass its "handle"`);
    refused(undefined, `${start}expected a handle, got undefined`);
    refused(5, `${start}expected a handle, got 5`);
    refused("Lock", `${start}expected a handle, got "Lock"`);
    refused({}, `${start}expected a handle, got Object`);
    refused({ kind: 5 }, `${start}expected a handle, got Object`);
    refused(lock, `${start}expected a handle, got the object itself; pass its "handle"`);
    refused(
      { kind: other, data: lock.handle.data },
      `${start}expected a handle of kind "${kind}", got one of "${other}"`,
    );
    const noMemory = `${start}the handle holds no shared memory; was it copied as JSON?`;
    refused(jsonCopy(lock.handle), noMemory);
    refused({ kind }, noMemory);
    refused({ kind, data: null }, noMemory);
    refused({ kind, data: { buffer: new ArrayBuffer(8) } }, noMemory);
    await assertSound(lock);
  });

  test(`${name} shows its kind in logs`, () => {
    const lock = make();
    assertEquals(Object.prototype.toString.call(lock), `[object ${lock.handle.kind}]`);
  });
}
