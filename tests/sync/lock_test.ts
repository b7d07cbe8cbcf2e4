import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import { Lock, OwnerDiedError, RLock, RuntimeError, Semaphore } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, POOLS_ELSEWHERE, PREFIX, shareProcesses } from "../contracts/elsewhere.ts";
import { lockContract } from "../contracts/lock_contract.ts";
import { assertSound, SHORT_MS } from "../contracts/lock_suite.ts";
import { queued, stateOf, waitersOf } from "./_support.ts";
import { acquireOnce, holdAtGate, keep, release } from "./fixtures/lock_tasks.ts";

shareProcesses(1, 2);

lockContract({
  name: "Lock",
  label: "Lock",
  make: (name) => new Lock({ name }),
  from: (handle) => Lock.from(handle),
  heldText: 'it is held by thread "main"',
});

test("Lock.name is what it was given, also elsewhere", () => {
  assertEquals([new Lock().name, new Lock({}).name], [undefined, undefined]);
  const lock = new Lock({ name: "accounts" });
  assertEquals([lock.name, Lock.from(lock.handle).name], ["accounts", "accounts"]);
  assertEquals(new Lock({ name: "" }).name, "");
});

test("Lock() refuses a name that is no string", () => {
  for (const name of [5, null, {}, Symbol("a")]) {
    assertThrows(
      () => new Lock({ name: name as never }),
      TypeError,
      `Cannot name object: expected a string, got ${describe(name)}`,
    );
  }
});

test("Lock.acquire() and acquireSync() by who holds it wait: it is not reentrant", async () => {
  const lock = new Lock();
  lock.acquireSync();
  assertEquals(lock.acquireSync({ timeout: SHORT_MS }), false);
  assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
  lock.release();
  await lock.run(async () => {
    assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
    assertEquals(lock.acquireSync({ timeout: SHORT_MS }), false);
  });
  await assertSound(lock);
});

test("Lock.release() of a free lock throws RuntimeError and changes nothing", async () => {
  for (const [lock, label] of [[new Lock(), "Lock"], [new Lock({ name: "a" }), 'Lock "a"']]) {
    const free = lock as Lock;
    const text = `Cannot release ${label}: it is not held`;
    assertThrows(() => free.release(), RuntimeError, text);
    free.acquireSync();
    free.release();
    assertThrows(() => free.release(), RuntimeError, text);
    await assertSound(free);
  }
});

for (const elsewhere of ELSEWHERE) {
  test(`Lock.release() of a free lock throws RuntimeError in ${elsewhere.name}`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new Lock();
    await assertRejects(
      () => crew.submit(release, lock).result(),
      RuntimeError,
      "Cannot release Lock: it is not held",
    );
    await assertSound(lock);
  });

  test(`Lock.release() may be called by ${elsewhere.name} or task that did not acquire it`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new Lock();
    lock.acquireSync();
    await crew.submit(release, lock);
    assertEquals(lock.locked(), false);
    await crew.submit(keep, lock);
    assertEquals(lock.locked(), true);
    lock.release();
    await lock.acquire();
    await Promise.resolve().then(() => lock.release());
    await assertSound(lock);
  });

  test(`Lock.release() by ${elsewhere.name} wakes who waits`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new Lock();
    lock.acquireSync();
    const waiting = lock.acquire();
    await crew.submit(release, lock);
    assertEquals(await waiting, true);
    const remote = crew.submit(acquireOnce, lock);
    await queued(lock);
    lock.release();
    assertEquals(await remote, true);
    await assertSound(lock);
  });
}

test("Lock.release() within run() or hold() makes the end of them throw RuntimeError", async () => {
  const lock = new Lock();
  const text = "Cannot release Lock: it is not held";
  await assertRejects(() => lock.run(() => lock.release()), RuntimeError, text);
  assertThrows(() => lock.runSync(() => lock.release()), RuntimeError, text);
  const guard = await lock.hold();
  lock.release();
  assertThrows(() => guard[Symbol.dispose](), RuntimeError, text);
  await assertSound(lock);
});

test("Lock: a newcomer may overtake who was woken, who is handed the lock by the next release", async () => {
  const lock = new Lock();
  lock.acquireSync();
  const first = lock.acquire();
  const second = lock.acquire();
  lock.release();
  // The first waiter is woken, but has not run yet.
  assertEquals(lock.acquireSync({ blocking: false }), true);
  assertEquals(await stateOf(first), "pending");
  assertEquals(waitersOf(lock), 2);
  lock.release();
  assertEquals(lock.acquireSync({ blocking: false }), false);
  assertEquals(await first, true);
  assertEquals(await stateOf(second), "pending");
  lock.release();
  assertEquals(await second, true);
  lock.release();
  await assertSound(lock);
});

test("Lock: who was overtaken and gives up leaves the lock to the next", async () => {
  const lock = new Lock();
  lock.acquireSync();
  const controller = new AbortController();
  const first = lock.acquire({ signal: controller.signal }).catch((error) => error);
  const second = lock.acquire();
  lock.release();
  assertEquals(lock.acquireSync({ blocking: false }), true);
  assertEquals(await stateOf(first), "pending");
  controller.abort("enough");
  assertEquals([await first, waitersOf(lock)], ["enough", 1]);
  lock.release();
  assertEquals(await second, true);
  lock.release();
  await assertSound(lock);
});

for (const elsewhere of ELSEWHERE) {
  test(`Lock.recover() is false for a lock that is free or whose holder, ${elsewhere.name}, is alive`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const lock = new Lock();
    assertEquals([lock.recover(), lock.locked()], [false, false]);
    lock.acquireSync();
    assertEquals(lock.recover(), false);
    lock.release();
    const holding = crew.submit(holdAtGate, lock, gate.pass);
    await gate.entered();
    assertEquals([lock.recover(), lock.locked()], [false, true]);
    gate.open();
    await holding;
    await assertSound(lock);
  });
}

for (const elsewhere of POOLS_ELSEWHERE) {
  test(`Lock: the death of its owner, ${elsewhere.name}, is reported to all who wait or come, until one recovers it`, async () => {
    const lock = new Lock({ name: "accounts" });
    await using pool = elsewhere.pool({
      maxWorkers: 1,
      maxTasksPerChild: 1,
      threadNamePrefix: PREFIX,
    });
    await pool.submit(keep, lock);
    const text =
      'Cannot acquire Lock "accounts": its owner, thread "crew_0", has ended or was given up without releasing it; take it over with recover()';
    await assertRejects(() => lock.acquire(), OwnerDiedError, text);
    await assertRejects(() => lock.acquire({ timeout: 0 }), OwnerDiedError, text);
    await assertRejects(() => lock.acquire({ timeout: 10_000 }), OwnerDiedError, text);
    await assertRejects(() => lock.hold(), OwnerDiedError, text);
    await assertRejects(() => lock.run(() => 1), OwnerDiedError, text);
    assertThrows(() => lock.acquireSync(), OwnerDiedError, text);
    assertThrows(() => lock.acquireSync({ blocking: false }), OwnerDiedError, text);
    assertThrows(() => lock.holdSync(), OwnerDiedError, text);
    assertEquals([lock.locked(), waitersOf(lock)], [true, 0]);
    assertEquals(lock.recover(), true);
    assertEquals([lock.recover(), lock.locked()], [false, true]);
    assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
    lock.release();
    await assertSound(lock);
  });
}

test("Lock.from() refuses the handles of all other classes", () => {
  for (const other of [new RLock(), new Semaphore()]) {
    assertThrows(() => Lock.from(other.handle), TypeError, 'expected a handle of kind "Lock"');
  }
});
