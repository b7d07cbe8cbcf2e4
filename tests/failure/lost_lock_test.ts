/**
 * A wait of a condition loses its lock to a dead owner: the guards of that wait release nothing,
 * and all other guards release what they hold.
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  Condition,
  Event,
  Lock,
  OwnerDiedError,
  ProcessPoolExecutor,
  RLock,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { Gate } from "../contracts/signals.ts";
import * as work from "./_process_sync_tasks.ts";
import { until } from "./_support.ts";
import { assertOwnerDied, assertUsable, newName, thrownBy } from "./_sync_support.ts";
import { waitersOf } from "./_waiters.ts";

shareProcesses(1);

/** Conditions with either kind of lock. */
const KINDS: Record<string, () => Condition> = {
  "Condition": () => new Condition(new RLock({ name: newName() })),
  "Condition of a Lock": () => new Condition(new Lock({ name: newName() })),
};

/** Makes a thread acquire the lock, notify `n` waiters, and die. */
function dieHolding(pool: ThreadPoolExecutor, condition: Condition, n: number): void {
  pool.submit(
    (condition: Condition, n: number) => {
      condition.acquireSync();
      condition.notify(n);
      self.close();
    },
    condition,
    n,
  );
}

function makeOwner(): ThreadPoolExecutor {
  return new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
}

/**
 * Blocks this thread until its wait for the lock has failed because the owner has died. The code
 * that awaits it does not know that yet.
 */
function blockUntilLost(condition: Condition): void {
  const idle = new Event();
  for (let isDead = false; !isDead;) {
    try {
      condition.acquireSync({ blocking: false }) && condition.release();
    } catch (error) {
      assertInstanceOf(error, OwnerDiedError);
      isDead = true;
    }
  }
  while (waitersOf(condition.lock) > 0) idle.waitSync({ timeout: 1 });
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind}: the guard of a wait that goes on releases the lock, though another wait of the thread has lost it`, async () => {
    const condition = make();
    const pool = makeOwner();
    const wait = () =>
      thrownBy(async () => {
        using _ = await condition.hold();
        return await condition.wait();
      });
    const losing = wait();
    await until(() => waitersOf(condition) === 1);
    const waiting = wait();
    await until(() => waitersOf(condition) === 2);
    dieHolding(pool, condition, 1);
    assertOwnerDied(await losing, condition, "owner_0");
    assertEquals(condition.lock.recover(), true);
    condition.notify();
    condition.release();
    assertEquals(await waiting, "returned true");
    await assertUsable(condition);
    await pool.shutdown();
  });

  test(`${kind}: what blocking code has taken over or acquired, before a wait of the thread hears that it has lost the lock, is not released by that`, async () => {
    const condition = make();
    for (const takesOver of [true, false]) {
      const pool = makeOwner();
      const losing = thrownBy(() => condition.run(() => condition.wait()));
      await until(() => waitersOf(condition) === 1);
      dieHolding(pool, condition, 1);
      blockUntilLost(condition);
      assertEquals(condition.lock.recover(), true);
      if (!takesOver) condition.release();
      {
        using _ = takesOver ? undefined : condition.holdSync();
        assertOwnerDied(await losing, condition, "owner_0");
        assertEquals(condition.locked(), true);
      }
      if (takesOver) condition.release();
      await assertUsable(condition);
      await pool.shutdown();
    }
  });

  test(`${kind}: a process's guards release what they hold, and nothing that a wait of the process has lost`, async () => {
    const condition = make();
    await using crew = ELSEWHERE[1].crew(1);
    await using owner = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    using gate = new Gate();
    using recovered = new Gate();
    const told = crew.submit(work.waitTwice, condition, recovered.parts);
    await until(() => waitersOf(condition) === 2);
    owner.submit(work.notifyAndEnd, condition, gate.parts).exception();
    await gate.entered();
    gate.open();
    await recovered.entered();
    assertEquals(condition.lock.recover(), true);
    condition.notify();
    recovered.open();
    // The guard of the lost wait is disposed of while this thread has the lock.
    await recovered.entered(2);
    assertEquals(condition.locked(), true);
    condition.release();
    assertEquals(await told, ["OwnerDiedError", "true"]);
    await assertUsable(condition);
  });
}

const SHARED_LOCKS: Record<string, (condition: Condition) => Lock | RLock | Condition> = {
  "the lock itself": ({ lock }) => lock,
  "another condition of the lock": ({ lock }) => new Condition(lock),
};

for (const [what, holderOf] of Object.entries(SHARED_LOCKS)) {
  test(`Condition: a process's guard of ${what} knows what a wait of the condition has lost`, async () => {
    const condition = new Condition(new Lock({ name: newName() }));
    await using crew = ELSEWHERE[1].crew(1);
    const pool = makeOwner();
    using gate = new Gate();
    const told = crew.submit(work.loseBetween, holderOf(condition), condition, gate.parts);
    await until(() => waitersOf(condition) === 1);
    dieHolding(pool, condition, 1);
    await gate.entered();
    assertEquals(condition.lock.recover(), true);
    gate.open();
    await gate.entered(2);
    assertEquals(condition.locked(), true);
    condition.release();
    assertEquals(await told, "OwnerDiedError");
    await assertUsable(condition);
    await pool.shutdown();
  });
}

test("RLock: guards within a guard, of which a wait has lost the lock, release nothing either", async () => {
  const condition = new Condition(new RLock({ name: newName() }));
  const pool = makeOwner();
  const [isWaiting, isTold, recovered] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const losing = thrownBy(() =>
    condition.run(async () => {
      using _outer = await condition.hold();
      assertEquals(await condition.wait({ timeout: 1 }), false);
      using _inner = condition.holdSync();
      const waiting = condition.wait();
      isWaiting.resolve();
      try {
        await waiting;
      } finally {
        isTold.resolve();
        await recovered.promise;
      }
    })
  );
  await isWaiting.promise;
  dieHolding(pool, condition, 1);
  await isTold.promise;
  await until(() => condition.lock.recover());
  recovered.resolve();
  const error = await losing;
  assert(OwnerDiedError.is(error), String(error));
  assertEquals(condition.locked(), true);
  condition.release();
  await assertUsable(condition);
  await pool.shutdown();
});

test("A condition's waiters hear of its lock's dead owner, also when that notifies them", async () => {
  const { stdout, stderr } = await runProgram(`
    import { Condition, Lock, ThreadPoolExecutor } from "@concurrent/futures";
    await using waiters = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using owners = new ThreadPoolExecutor({ maxWorkers: 1 });
    const condition = new Condition(new Lock());
    const gates = new Int32Array(new SharedArrayBuffer(8));
    const open = (gate: number) => {
      Atomics.store(gates, gate, 1);
      Atomics.notify(gates, gate);
    };
    const waiting = waiters.submit((condition: Condition, gates: Int32Array) => {
      condition.acquireSync();
      Atomics.store(gates, 1, 2); // The lock is free again once this waits.
      condition.waitSync();
    }, condition, gates);
    while (Atomics.load(gates, 1) !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await owners.submit(() => {}); // So that the task has begun long before its time is up.
    const given = owners.with({ timeout: 1_000 }).submit((condition: Condition, gates: Int32Array) => {
      condition.acquireSync();
      Atomics.wait(gates, 0, 0);
      condition.notify();
      Atomics.wait(gates, 1, 2);
    }, condition, gates);
    console.log((await given.exception())?.name);
    while (owners.stats().abandoned === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    open(0); // Its thread was given up, and notifies only now.
    console.log((await waiting.exception({ timeout: 5_000 }))?.name);
    open(1);
  `);
  assertEquals(stdout.trim().split("\n"), ["TimeoutError", "OwnerDiedError"], stderr);
});
