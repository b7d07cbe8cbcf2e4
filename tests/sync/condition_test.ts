import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import {
  Condition,
  debugLocks,
  type Handle,
  Lock,
  RLock,
  RuntimeError,
  Semaphore,
} from "../../sync/mod.ts";
import { Future } from "../../executors/future.ts";
import { test } from "../_support/leaks.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { lockContract } from "../contracts/lock_contract.ts";
import { assertSound, BAD_WAITS, SHORT_MS } from "../contracts/lock_suite.ts";
import { writeCell } from "../contracts/parts.ts";
import { jsonCopy, queued, rejectionOf, stateOf, turns, waitersOf } from "./_support.ts";
import * as tasks from "./fixtures/condition_tasks.ts";

shareProcesses(1, 2);

lockContract({
  name: "Condition of an RLock",
  label: "RLock",
  make: (name) => new Condition(new RLock({ name })),
  from: (handle) => Condition.from(handle),
  heldText: 'it is held by thread "main"',
});

lockContract({
  name: "Condition of a Lock",
  label: "Lock",
  make: (name) => new Condition(new Lock({ name })),
  from: (handle) => Condition.from(handle),
  heldText: 'it is held by thread "main"',
});

/** A condition over each kind of lock. */
function makeBoth(): Condition[] {
  return [new Condition(), new Condition(new RLock()), new Condition(new Lock())];
}

function notifyUnder(condition: Condition, n?: number): Promise<void> {
  return condition.run(() => condition.notify(n));
}

/** Starts waits, each of which logs its name when it was notified. */
function startWaits(condition: Condition, names: string[], log: string[]): Promise<boolean>[] {
  return names.map((name) =>
    condition.run(async () => {
      const isNotified = await condition.wait({ timeout: 10_000 });
      log.push(name);
      return isNotified;
    })
  );
}

/** Fails unless the lock is free, nobody waits, and a wait can be notified. */
async function assertWorks(condition: Condition): Promise<void> {
  assertEquals(waitersOf(condition), 0);
  await assertSound(condition);
  const waiting = condition.run(() => condition.wait());
  await queued(condition);
  await notifyUnder(condition);
  assertEquals(await waiting, true);
  assertEquals(waitersOf(condition), 0);
  await assertSound(condition);
}

test("Condition() makes an RLock of its own, or takes the lock that it is given", async () => {
  const own = new Condition();
  assert(own.lock instanceof RLock);
  own.acquireSync();
  assertEquals([own.acquireSync(), own.lock.locked()], [true, true]);
  own.release();
  own.release();
  for (const lock of [new Lock(), new RLock()]) {
    const condition = new Condition(lock);
    assertStrictEquals(condition.lock, lock);
    condition.acquireSync();
    assertEquals(lock.locked(), true);
    lock.release();
    await assertWorks(condition);
  }
});

test("Condition() refuses what is no lock", () => {
  for (const bad of [5, "Lock", {}, new Semaphore(), new Condition(), new Lock().handle]) {
    assertThrows(
      () => new Condition(bad as never),
      TypeError,
      `Cannot make Condition: expected a Lock or an RLock, got ${describe(bad)}`,
    );
  }
});

// wait

test("Condition.wait() and waitSync() without the lock throw RuntimeError and change nothing", async () => {
  for (const condition of makeBoth()) {
    const { kind } = condition.lock.handle;
    const text = `Cannot wait on Condition: its ${kind} is not held here, it is not held`;
    await assertRejects(() => condition.wait(), RuntimeError, text);
    await assertRejects(() => condition.wait({ timeout: 0 }), RuntimeError, text);
    assertThrows(() => condition.waitSync(), RuntimeError, text);
    assertThrows(() => condition.waitSync({ timeout: 0 }), RuntimeError, text);
    await assertRejects(() => condition.waitFor(() => false), RuntimeError, text);
    assertThrows(() => condition.waitForSync(() => false), RuntimeError, text);
    await assertWorks(condition);
  }
});

test("Condition.notify() and notifyAll() without the lock throw RuntimeError and change nothing", async () => {
  for (const condition of makeBoth()) {
    const { kind } = condition.lock.handle;
    const text = `Cannot notify on Condition: its ${kind} is not held here, it is not held`;
    const waiting = condition.run(() => condition.wait());
    await queued(condition);
    assertThrows(() => condition.notify(), RuntimeError, text);
    assertThrows(() => condition.notify(0), RuntimeError, text);
    assertThrows(() => condition.notifyAll(), RuntimeError, text);
    assertEquals(waitersOf(condition), 1);
    await notifyUnder(condition);
    assertEquals(await waiting, true);
    await assertWorks(condition);
  }
});

for (const elsewhere of ELSEWHERE) {
  test(`Condition: another thread holding the lock does not do in ${elsewhere.name}, with a plain Lock neither`, async () => {
    await using crew = elsewhere.crew(1);
    for (const lock of [new Lock({ name: "a" }), new RLock({ name: "a" })]) {
      const condition = new Condition(lock);
      condition.acquireSync();
      const errors = await crew.submit(tasks.misuse, condition);
      const { kind } = lock.handle;
      const state = `its ${kind} "a" is not held here, it is held by thread "main"`;
      const notify = `RuntimeError: Cannot notify on Condition "a": ${state}`;
      const wait = `RuntimeError: Cannot wait on Condition "a": ${state}`;
      assertEquals(errors, [notify, notify, wait, wait, wait, wait]);
      condition.release();
      await assertWorks(condition);
    }
  });
}

test("Condition: an async task outside of the run() that holds the lock may neither wait nor notify", async () => {
  const condition = new Condition();
  let leave = (): void => {};
  const running = condition.run(() => new Promise<void>((resolve) => leave = resolve));
  await turns();
  const text = 'its RLock is not held here, it is held by thread "main"';
  assertThrows(() => condition.notify(), RuntimeError, text);
  await assertRejects(() => condition.wait(), RuntimeError, text);
  assertThrows(() => condition.waitSync(), RuntimeError, text);
  leave();
  await running;
  await assertWorks(condition);
});

test("Condition.wait() releases the lock meanwhile and holds it again afterwards", async () => {
  for (const condition of makeBoth()) {
    await condition.acquire();
    const waiting = condition.wait();
    assertEquals([condition.locked(), waitersOf(condition)], [false, 1]);
    await condition.acquire();
    condition.notify();
    assertEquals(waitersOf(condition), 0);
    assertEquals(await stateOf(waiting), "pending");
    condition.release();
    assertEquals(await waiting, true);
    assertEquals(condition.locked(), true);
    condition.release();
    await assertWorks(condition);
  }
});

test("Condition.wait() and waitSync() give false once time is up, hold the lock, and leave nothing behind", async () => {
  for (const condition of makeBoth()) {
    for (const timeout of [0, SHORT_MS]) {
      await condition.acquire();
      let startMs = performance.now();
      assertEquals(await condition.wait({ timeout }), false);
      assert(performance.now() - startMs >= timeout);
      assertEquals([condition.locked(), waitersOf(condition)], [true, 0]);
      condition.release();
      condition.acquireSync();
      startMs = performance.now();
      assertEquals(condition.waitSync({ timeout }), false);
      assert(performance.now() - startMs >= timeout);
      assertEquals([condition.locked(), waitersOf(condition)], [true, 0]);
      condition.release();
    }
    await assertWorks(condition);
  }
});

test("Condition.wait() whose time is up while another holds the lock settles when it has the lock", async () => {
  for (const condition of makeBoth()) {
    await condition.acquire();
    const waiting = condition.wait({ timeout: 1 });
    await condition.acquire();
    await queued(condition, 0);
    assertEquals(await stateOf(waiting), "pending");
    condition.release();
    assertEquals(await waiting, false);
    assertEquals(condition.locked(), true);
    condition.release();
    await assertWorks(condition);
  }
});

test("Condition.wait() rejects with the reason of a signal that aborts, holding the lock", async () => {
  for (const condition of makeBoth()) {
    const controller = new AbortController();
    const reason = new RangeError("enough");
    await condition.acquire();
    const waiting = rejectionOf(condition.wait({ signal: controller.signal }));
    controller.abort(reason);
    assertEquals(waitersOf(condition), 0);
    assertStrictEquals(await waiting, reason);
    assertEquals(condition.locked(), true);
    // The task owns the lock again: it may notify, wait and release.
    condition.notify();
    assertEquals(await condition.wait({ timeout: 0 }), false);
    condition.release();
    await assertWorks(condition);
  }
});

test("Condition.wait() aborted while another holds the lock rejects when it has the lock", async () => {
  const condition = new Condition();
  const controller = new AbortController();
  const waiting = condition.run(() => condition.wait({ signal: controller.signal }));
  const outcome = waiting.catch((error) => error);
  await queued(condition);
  await condition.acquire();
  controller.abort("enough");
  assertEquals([await stateOf(outcome), waitersOf(condition)], ["pending", 0]);
  condition.release();
  assertEquals(await outcome, "enough");
  await assertWorks(condition);
});

test("Condition: a signal that has aborted rejects before anything is touched", async () => {
  for (const condition of makeBoth()) {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    let calls = 0;
    assertStrictEquals(await rejectionOf(condition.wait({ signal })), reason);
    await condition.acquire();
    assertStrictEquals(await rejectionOf(condition.wait({ signal })), reason);
    assertStrictEquals(await rejectionOf(condition.waitFor(() => calls++, { signal })), reason);
    assertEquals([calls, condition.locked(), waitersOf(condition)], [0, true, 0]);
    condition.release();
    await assertWorks(condition);
  }
});

test("Condition: a signal that aborts after the notification changes nothing", async () => {
  const condition = new Condition();
  const controller = new AbortController();
  const waiting = condition.run(() => condition.wait({ signal: controller.signal }));
  await queued(condition);
  await condition.acquire();
  condition.notify();
  controller.abort("enough");
  condition.release();
  assertEquals(await waiting, true);
  await assertWorks(condition);
});

test("Condition.wait() refuses bad timeouts and changes nothing", async () => {
  for (const condition of makeBoth()) {
    await condition.acquire();
    let calls = 0;
    for (const [options, error, text] of BAD_WAITS) {
      const bad = options as never;
      await assertRejects(() => condition.wait(bad), error, text);
      assertThrows(() => condition.waitSync(bad), error, text);
      await assertRejects(() => condition.waitFor(() => ++calls, bad), error, text);
      assertThrows(() => condition.waitForSync(() => ++calls, bad), error, text);
    }
    assertEquals([calls, condition.locked(), waitersOf(condition)], [0, true, 0]);
    condition.release();
    await assertWorks(condition);
  }
});

test("Condition.wait() takes null, undefined and Infinity as for ever", async () => {
  const condition = new Condition();
  for (const timeout of [null, undefined, Infinity]) {
    const waiting = condition.run(() => condition.wait({ timeout }));
    await queued(condition);
    assertEquals(await stateOf(waiting), "pending");
    await notifyUnder(condition);
    assertEquals(await waiting, true);
  }
  await assertWorks(condition);
});

// Nested locks

test("Condition.waitSync() releases a nested RLock whole and restores its depth", async () => {
  const lock = new RLock({ name: "nested" });
  const condition = new Condition(lock);
  const depth = () => debugLocks().find(({ name }) => name === "nested")?.depth ?? 0;
  for (let i = 0; i < 3; i++) lock.acquireSync();
  assertEquals(condition.waitSync({ timeout: SHORT_MS }), false);
  assertEquals(depth(), 3);
  for (let i = 0; i < 3; i++) lock.release();
  assertEquals(depth(), 0);
  await assertWorks(condition);
});

test("Condition.wait() releases a nested RLock whole and restores its depth, within run() too", async () => {
  const lock = new RLock({ name: "nested in run" });
  const condition = new Condition(lock);
  const depth = () => debugLocks().find(({ name }) => name === "nested in run")?.depth ?? 0;
  for (const timeout of [undefined, SHORT_MS]) {
    const waiting = lock.run(() =>
      lock.run(async () => {
        lock.acquireSync();
        const before = depth();
        const isNotified = await condition.wait({ timeout });
        const after = depth();
        // The task still is inside its runs, where it may enter again.
        assertEquals(lock.acquireSync(), true);
        lock.release();
        lock.release();
        return [before, isNotified, after, depth()];
      })
    );
    await queued(condition);
    assertEquals(lock.locked(), false);
    if (timeout === undefined) await notifyUnder(condition);
    assertEquals(await waiting, [3, timeout === undefined, 3, 2]);
    assertEquals(depth(), 0);
  }
  await assertWorks(condition);
});

test("Condition.waitSync() within run() keeps what run() holds", async () => {
  const condition = new Condition();
  const result = await condition.run(() =>
    condition.run(() => [condition.waitSync({ timeout: SHORT_MS }), condition.locked()])
  );
  assertEquals(result, [false, true]);
  await assertWorks(condition);
});

for (const elsewhere of ELSEWHERE) {
  test(`Condition.waitSync() in ${elsewhere.name} restores the depth when the main thread notifies`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const condition = new Condition();
    const waiting = crew.submit(tasks.waitNestedSync, condition, 3, gate.pass);
    await gate.entered();
    condition.runSync(() => condition.notify());
    assertEquals(await waiting, 3);
    await assertWorks(condition);
  });
}

// waitFor

test("Condition.waitFor() returns what the predicate returned last, true or false", async () => {
  const condition = new Condition();
  const found = { value: 1 };
  for (const value of [found, "text", 7, true]) {
    assertStrictEquals(await condition.waitFor(() => value as unknown), value);
    assertStrictEquals(condition.waitForSync(() => value as unknown), value);
  }
  condition.acquireSync();
  for (const value of [0, "", null, undefined, false, NaN]) {
    assertStrictEquals(condition.waitForSync(() => value, { timeout: 1 }), value);
  }
  condition.release();
  using _ = await condition.hold();
  for (const value of [0, "", null, undefined, false, NaN]) {
    assertStrictEquals(await condition.waitFor(() => value, { timeout: 1 }), value);
  }
});

test("Condition.waitFor() refuses a predicate that returns a promise: it would be taken for true", async () => {
  const condition = new Condition();
  const text = "the predicate returned a promise";
  using _ = await condition.hold();
  const resolved = () => Promise.resolve(false);
  const rejected = () => Promise.reject(new Error("odd"));
  const future = () => new Future<boolean>();
  for (const predicate of [resolved, rejected, future]) {
    await assertRejects(() => condition.waitFor(predicate), TypeError, text);
    assertThrows(() => condition.waitForSync(predicate), TypeError, text);
  }
});

test("Condition.waitFor() needs no lock when the predicate holds at once", async () => {
  const condition = new Condition();
  assertEquals(await condition.waitFor(() => 1), 1);
  assertEquals(condition.waitForSync(() => 1), 1);
  await assertWorks(condition);
});

test("Condition.waitFor() with a timeout of 0 asks twice", async () => {
  const condition = new Condition();
  let calls = 0;
  await condition.run(async () => {
    assertEquals(await condition.waitFor(() => ++calls > 2, { timeout: 0 }), false);
    assertEquals(calls, 2);
    assertEquals(condition.waitForSync(() => ++calls > 4, { timeout: 0 }), false);
    assertEquals(calls, 4);
  });
  await assertWorks(condition);
});

test("Condition.waitFor() asks after each notification, with the lock held", async () => {
  for (const condition of makeBoth()) {
    let count = 0;
    const seen: [number, boolean][] = [];
    const waiting = condition.run(() =>
      condition.waitFor(() => {
        seen.push([count, condition.locked()]);
        return count >= 3 && `after ${count}`;
      })
    );
    for (let i = 0; i < 3; i++) {
      await queued(condition);
      await condition.run(() => {
        count++;
        condition.notify();
      });
    }
    assertEquals(await waiting, "after 3");
    assertEquals(seen, [[0, true], [1, true], [2, true], [3, true]]);
    await assertWorks(condition);
  }
});

test("Condition.waitFor() has one deadline for all of it, however often it is notified", async () => {
  await withTimeLimit(300, async (timeout) => {
    const condition = new Condition();
    const startMs = performance.now();
    let isOver = false;
    const waiting = condition.run(() => condition.waitFor(() => false, { timeout }))
      .finally(() => isOver = true);
    let notified = 0;
    while (!isOver) {
      await notifyUnder(condition);
      notified++;
      await turns();
    }
    assertEquals(await waiting, false);
    // With a deadline for each wait, the end would never have come.
    assert(performance.now() - startMs >= timeout);
    await assertWorks(condition);
    assertInTime(notified > 1);
  });
});

test("Condition.waitFor() passes on what the predicate throws, with the lock held", async () => {
  const condition = new Condition();
  let calls = 0;
  const fail = (): boolean => {
    if (calls++ % 2 === 0) return false;
    throw new RangeError("of the predicate");
  };
  await condition.run(async () => {
    await assertRejects(
      () => condition.waitFor(fail, { timeout: 1 }),
      RangeError,
      "of the predicate",
    );
    assertEquals(condition.locked(), true);
    assertThrows(
      () => condition.waitForSync(fail, { timeout: 1 }),
      RangeError,
      "of the predicate",
    );
    assertEquals(condition.locked(), true);
  });
  await assertWorks(condition);
});

test("Condition.waitFor() rejects with the reason of a signal that aborts, holding the lock", async () => {
  const condition = new Condition();
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = condition.run(async () => {
    const reason = await rejectionOf(condition.waitFor(() => false, { signal }));
    return [reason, condition.locked()];
  });
  await queued(condition);
  await notifyUnder(condition);
  await queued(condition);
  controller.abort("enough");
  assertEquals(await waiting, ["enough", true]);
  await assertWorks(condition);
});

// notify

test("Condition.notify() wakes the one that waits longest, notify(n) so many, notifyAll() all", async () => {
  for (const condition of makeBoth()) {
    const log: string[] = [];
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const waits = startWaits(condition, names, log);
    await queued(condition, 7);
    await notifyUnder(condition);
    await turns();
    assertEquals([log.join(""), waitersOf(condition)], ["a", 6]);
    await notifyUnder(condition, 3);
    await turns();
    assertEquals([log.join(""), waitersOf(condition)], ["abcd", 3]);
    await condition.run(() => condition.notifyAll());
    assertEquals(await Promise.all(waits), names.map(() => true));
    assertEquals(log, names);
    await assertWorks(condition);
  }
});

test("Condition.notify() of 0 or less wakes nobody, of more than wait all of them", async () => {
  const condition = new Condition();
  const log: string[] = [];
  const waits = startWaits(condition, ["a", "b"], log);
  await queued(condition, 2);
  for (const n of [0, -1, -0.5, -Infinity]) await notifyUnder(condition, n);
  await turns();
  assertEquals([log, waitersOf(condition)], [[], 2]);
  await notifyUnder(condition, 1000);
  assertEquals(await Promise.all(waits), [true, true]);
  await assertWorks(condition);
});

test("Condition.notify() refuses what is no number and changes nothing", async () => {
  const condition = new Condition();
  const waiting = condition.run(() => condition.wait());
  await queued(condition);
  await condition.run(() => {
    for (const n of ["1", null, {}, 1n, NaN]) {
      assertThrows(
        () => condition.notify(n as never),
        TypeError,
        `Cannot notify on Condition: expected a number, got ${describe(n)}`,
      );
    }
    assertEquals(waitersOf(condition), 1);
  });
  await notifyUnder(condition);
  assertEquals(await waiting, true);
  await assertWorks(condition);
});

test("Condition.notify() keeps the lock, and is not remembered", async () => {
  for (const condition of makeBoth()) {
    await condition.run(() => {
      condition.notify();
      condition.notifyAll();
      assertEquals(condition.locked(), true);
    });
    assertEquals(await condition.run(() => condition.wait({ timeout: SHORT_MS })), false);
    await assertWorks(condition);
  }
});

test("Condition.notify() twice within one hold wakes two", async () => {
  const condition = new Condition();
  const log: string[] = [];
  const waits = startWaits(condition, ["a", "b", "c"], log);
  await queued(condition, 3);
  await condition.run(() => {
    condition.notify();
    condition.notify();
  });
  await turns();
  assertEquals([log, waitersOf(condition)], [["a", "b"], 1]);
  await notifyUnder(condition);
  await Promise.all(waits);
  await assertWorks(condition);
});

test("Condition.notify() passes over those who gave up, and wakes the next one", async () => {
  for (const condition of makeBoth()) {
    const controller = new AbortController();
    const log: string[] = [];
    const aborted = condition.run(() => condition.wait({ signal: controller.signal }))
      .catch((error) => error);
    const late = condition.run(() => condition.wait({ timeout: 1 }));
    const waits = startWaits(condition, ["a", "b"], log);
    controller.abort("enough");
    assertEquals([await aborted, await late], ["enough", false]);
    await queued(condition, 2);
    await notifyUnder(condition);
    await turns();
    assertEquals(log, ["a"]);
    await notifyUnder(condition);
    await Promise.all(waits);
    assertEquals(log, ["a", "b"]);
    await assertWorks(condition);
  }
});

test("Condition: those who were notified acquire the lock in turn with those who wait for it", async () => {
  const condition = new Condition(new Lock());
  const log: string[] = [];
  const waits = startWaits(condition, ["a", "b"], log);
  await queued(condition, 2);
  await condition.acquire();
  const before = condition.run(() => log.push("before"));
  condition.notifyAll();
  const after = condition.run(() => log.push("after"));
  condition.release();
  await Promise.all([...waits, before, after]);
  assertEquals(log, ["before", "a", "b", "after"]);
  await assertWorks(condition);
});

// Several conditions, views and threads

test("Condition: two conditions on one lock have waiters of their own", async () => {
  for (const lock of [new Lock(), new RLock()]) {
    const full = new Condition(lock);
    const empty = new Condition(lock);
    const log: string[] = [];
    const waits = [...startWaits(full, ["f1", "f2"], log), ...startWaits(empty, ["e1"], log)];
    await queued(full, 2);
    await queued(empty, 1);
    await lock.run(() => empty.notifyAll());
    await turns();
    assertEquals([log, waitersOf(full), waitersOf(empty)], [["e1"], 2, 0]);
    // The owner of one holds the other too.
    await full.run(() => empty.notify());
    await empty.run(() => full.notify());
    await turns();
    assertEquals([log, waitersOf(full)], [["e1", "f1"], 1]);
    await lock.run(() => full.notify());
    assertEquals(await Promise.all(waits), [true, true, true]);
    assertEquals(lock.locked(), false);
    await assertWorks(full);
    await assertWorks(empty);
  }
});

test("Condition.from() gives a view with a view of the lock", async () => {
  for (const condition of makeBoth()) {
    const view = Condition.from(condition.handle);
    assertEquals(view.lock.constructor, condition.lock.constructor);
    const waiting = view.run(() => view.wait());
    await queued(condition);
    await notifyUnder(condition);
    assertEquals(await waiting, true);
    await assertWorks(view);
  }
});

test("Condition.from() refuses what is no handle of a Condition", () => {
  const condition = new Condition();
  for (const bad of [new RLock().handle, new Lock().handle]) {
    assertThrows(() => Condition.from(bad), TypeError, 'expected a handle of kind "Condition"');
  }
  const { kind, data } = condition.handle;
  const rest = { ...(data as { lock: Handle }) };
  const copied = { kind, data: { ...rest, lock: jsonCopy(rest.lock) } };
  assertThrows(() => Condition.from(copied), TypeError, "the handle holds no shared memory");
  for (const lock of [undefined, null, 5, new Semaphore().handle]) {
    assertThrows(() => Condition.from({ kind, data: { ...rest, lock } }), TypeError);
  }
});

for (const form of ["waitOnce", "waitOnceSync"] as const) {
  const wait = tasks[form] as typeof tasks.waitOnce;

  for (const elsewhere of ELSEWHERE) {
    test(`Condition: ${form} in ${elsewhere.names} and waits here are served first come, first served`, async () => {
      await using crew = elsewhere.crew(2);
      for (const condition of makeBoth()) {
        using gate = elsewhere.gate();
        const first = crew.submit(wait, condition, gate.pass);
        await queued(condition);
        const second = condition.run(() => condition.wait());
        await queued(condition, 2);
        const third = crew.submit(wait, condition, gate.pass);
        await queued(condition, 3);
        await notifyUnder(condition);
        assertEquals(await first, [true, true]);
        assertEquals([await stateOf(second), third.done()], ["pending", false]);
        condition.runSync(() => condition.notify());
        assertEquals(await second, true);
        assertEquals(waitersOf(condition), 1);
        await condition.run(() => condition.notifyAll());
        assertEquals(await third, [true, true]);
        await assertWorks(condition);
      }
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`Condition: ${form} in ${elsewhere.name} takes timeouts, and leaves nothing behind`, async () => {
      await using crew = elsewhere.crew(1);
      using gate = elsewhere.gate();
      for (const condition of makeBoth()) {
        for (const timeout of [0, SHORT_MS]) {
          const result = await crew.submit(wait, condition, gate.pass, { timeout });
          assertEquals(result, [false, true]);
        }
        await assertWorks(condition);
      }
    });
  }
}

for (const elsewhere of ELSEWHERE) {
  test(`Condition.waitSync() on the main thread waits until ${elsewhere.name} notifies`, async () => {
    await using crew = elsewhere.crew(1);
    for (const condition of makeBoth()) {
      for (const notify of [tasks.notifyWhenWaiting, tasks.notifyWhenWaitingAsync]) {
        const moment = crew.whenWaiting(condition, 1);
        const there = notify as typeof tasks.notifyWhenWaiting;
        const notifying = crew.submit(there, condition, 1, moment, 1);
        assertEquals(condition.runSync(() => condition.waitSync()), true);
        await notifying;
      }
      await assertWorks(condition);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Condition.wait() on the main thread waits until ${elsewhere.name} notifies exactly so many`, async () => {
    await using crew = elsewhere.crew(1);
    const condition = new Condition();
    const log: string[] = [];
    const waits = startWaits(condition, ["a", "b", "c", "d"], log);
    await crew.submit(tasks.notifyWhenWaiting, condition, 4, crew.whenWaiting(condition, 4), 3);
    await Promise.all(waits.slice(0, 3));
    await turns();
    assertEquals([log, waitersOf(condition)], [["a", "b", "c"], 1]);
    await crew.submit(tasks.notifyWhenWaiting, condition, 1, crew.whenWaiting(condition, 1), 1);
    await waits[3];
    await assertWorks(condition);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Condition.waitFor() sees what two ${elsewhere.names} have written under the lock, in both forms`, async () => {
    await using crew = elsewhere.crew(2);
    const times = elsewhere.rounds(50);
    for (const condition of makeBoth()) {
      const [number] = elsewhere.cells(1);
      const waiting = [tasks.waitForNumber, tasks.waitForNumberSync].map((wait) =>
        crew.submit(wait as typeof tasks.waitForNumber, condition, number, times)
      );
      tasks.countAndNotify(condition, number, times);
      for (const reached of waiting) assertEquals(await reached, times);
      writeCell(number, 0);
      const counting = crew.submit(tasks.countAndNotify, condition, number, times);
      assertEquals(await tasks.waitForNumber(condition, number, times), times);
      await counting;
      writeCell(number, 0);
      crew.submit(tasks.countAndNotify, condition, number, times);
      assertEquals(tasks.waitForNumberSync(condition, number, times), times);
      await assertWorks(condition);
    }
  });
}
