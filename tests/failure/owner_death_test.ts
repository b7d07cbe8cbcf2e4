/**
 * The thread that holds a lock dies: all threads that wait, and all that come later, get an error,
 * one of them takes the lock over, and what the dead thread does later changes nothing.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  Condition,
  type Future,
  Lock,
  OwnerDiedError,
  RLock,
  RuntimeError,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
  Value,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { comesAbout, withTimeLimit } from "../_support/time_limits.ts";
import { assertPrompt, errorOf, Gate, until } from "./_support.ts";
import {
  assertNamesOwner,
  assertOwnerDied,
  assertUsable,
  lockOf,
  newName,
  textOf,
  thrownBy,
} from "./_sync_support.ts";
import * as own from "./_pool_tasks.ts";
import * as work from "./_sync_tasks.ts";
import { closeWorker, type End } from "./_tasks.ts";
import { type AnyLock, waitersOf } from "./_waiters.ts";

/** Every kind of object that has an owner. */
const KINDS: Record<string, () => AnyLock> = {
  "Lock": () => new Lock({ name: newName() }),
  "RLock": () => new RLock({ name: newName() }),
  "Condition": () => new Condition(new RLock({ name: newName() })),
  "Condition of a Lock": () => new Condition(new Lock({ name: newName() })),
};

function makeLocks(): AnyLock[] {
  return Object.values(KINDS).map((make) => make());
}

/** A way in which a worker dies while it holds locks. */
interface Death {
  readonly options?: ThreadPoolOptions;
  /**
   * Makes a worker of the pool acquire the locks and come to the gate; returns what makes it die
   * then.
   */
  begin(pool: ThreadPoolExecutor, locks: AnyLock[], gate: Gate): () => void;
}

function endsItself(how: End): Death {
  return {
    begin: (pool, locks, gate) => {
      pool.submit(work.holdAndEnd, locks, gate.words, how);
      return () => gate.open();
    },
  };
}

/**
 * The task returns without releasing the locks, and the worker is asked to end, or ends by itself.
 */
function retires(
  options: ThreadPoolOptions,
  afterwards: (pool: ThreadPoolExecutor) => void = () => {},
): Death {
  return {
    options,
    begin: (pool, locks, gate) => {
      pool.submit(work.holdAndReturn, locks, gate.words);
      return () => {
        gate.open();
        afterwards(pool);
      };
    },
  };
}

/** The task is aborted, but does not end. */
function isGivenUp(
  submit: (pool: ThreadPoolExecutor, locks: AnyLock[], gate: Gate) => Future<unknown>,
  options: ThreadPoolOptions = {},
): Death {
  return {
    options,
    begin: (pool, locks, gate) => {
      const controller = new AbortController();
      const limited = pool.with({ signal: controller.signal }) as ThreadPoolExecutor;
      submit(limited, locks, gate);
      return () => controller.abort();
    },
  };
}

const DEATHS: Record<string, Death> = {
  "calls close()": endsItself("close"),
  "calls Deno.exit()": endsItself("Deno.exit"),
  "calls process.exit()": endsItself("process.exit"),
  "throws in a timer": endsItself("throw in a timer"),
  "has an unhandled rejection": endsItself("unhandled rejection"),
  "has run as many tasks as it may": retires({ maxTasksPerChild: 1 }),
  "was idle for too long": retires({ idleTimeout: 10 }),
  "ends with its pool": retires({}, (pool) => pool.shutdown({ wait: false })),
  "is given up, spinning": isGivenUp((pool, locks, gate) =>
    pool.submit(work.holdAndSpin, locks, gate.words)
  ),
  "is given up, awaiting": isGivenUp((pool, locks, gate) =>
    pool.submit(work.holdAndPend, locks, gate.words)
  ),
  "is given up, blocked outside of the package": isGivenUp((pool, locks, gate) =>
    pool.submit(work.holdAndReturn, locks, gate.words)
  ),
  "is given up, blocked for another lock": isGivenUp((pool, locks, gate) => {
    const other = new Lock();
    other.acquireSync();
    return pool.submit(work.holdAndWait, locks, gate.words, other);
  }),
  "is given up, blocked for a task": {
    options: { maxWorkers: 2 },
    begin: (pool, locks, gate) => {
      const controller = new AbortController();
      pool.with({ signal: controller.signal })
        .submit(work.holdAndNest, locks, gate.words, pool);
      return () => controller.abort();
    },
  },
};

// What happens to the pool makes no difference to the lock, so each way is tried with one of the
// two values.
for (const [i, [how, death]] of Object.entries(DEATHS).entries()) {
  const onWorkerLost = (["break", "replace"] as const)[i % 2];
  test(`An owner dies: the worker (${onWorkerLost}) ${how}`, async () => {
    using gate = new Gate();
    const pool = new ThreadPoolExecutor({
      maxWorkers: 1,
      threadNamePrefix: "owner",
      onWorkerLost,
      ...death.options,
    });
    await assertDeathIsTold("owner_0", gate, (locks) => death.begin(pool, locks, gate));
    gate.open();
    await pool.shutdown();
  });
}

test("An owner dies: another worker of its pool ends, and the pool is broken", async () => {
  using gate = new Gate();
  const pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "owner" });
  await assertDeathIsTold("owner_0", gate, (locks) => {
    pool.submit(work.holdAndSpin, locks, gate.words);
    return () => pool.submit(closeWorker);
  });
  gate.open();
  await pool.shutdown();
});

/** Ways in which a worker ends that has started another one, which holds the locks. */
const DEATHS_ABOVE: Record<string, Death> = {
  "that its pool is in retires": {
    begin: (pool, locks, gate) => {
      pool.submit(own.haveHeld, locks, gate.words, "a pool");
      return () => {
        pool.shutdown({ wait: false });
        gate.open();
      };
    },
  },
  "that its pool is in is given up": isGivenUp((pool, locks, gate) =>
    pool.submit(own.haveHeld, locks, gate.words, "a pool")
  ),
  "that has started it as a Thread is given up": isGivenUp((pool, locks, gate) =>
    pool.submit(own.haveHeld, locks, gate.words, "a Thread")
  ),
};

for (const [how, death] of Object.entries(DEATHS_ABOVE)) {
  test(`An owner dies: the worker ${how}`, async () => {
    using gate = new Gate();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, ...death.options });
    await assertDeathIsTold("inner_0", gate, (locks) => death.begin(pool, locks, gate));
    gate.open();
    await pool.shutdown();
  });
}

/**
 * Lets a thread die that holds locks of every kind, and asserts that waiters and newcomers learn of
 * it, in all forms, and that the locks can be taken over.
 */
async function assertDeathIsTold(
  owner: string,
  gate: Gate,
  begin: (locks: AnyLock[]) => () => void,
): Promise<void> {
  const locks = makeLocks();
  await using others = new ThreadPoolExecutor({
    maxWorkers: locks.length + 1,
    threadNamePrefix: "other",
  });
  const kill = begin(locks);
  await gate.arrived();

  const blocked = locks.map((lock) => others.submit(work.acquireSync, lock));
  const awaiting = others.submit(work.acquireAll, locks);
  const here = locks.map((lock) => thrownBy(() => lock.acquire()));
  await until(() => locks.every((lock) => waitersOf(lockOf(lock)) === 3));
  assertEquals(locks.map((lock) => lockOf(lock).recover()), locks.map(() => false));

  const startMs = performance.now();
  kill();
  const texts = await awaiting;
  for (const [i, lock] of locks.entries()) {
    assertOwnerDied(await errorOf(blocked[i]), lock, owner);
    assertNamesOwner(texts[i], lock, owner);
    assertOwnerDied(await here[i], lock, owner);
  }
  assertPrompt(startMs);
  assertEquals(locks.map((lock) => waitersOf(lockOf(lock))), locks.map(() => 0));

  for (const lock of locks) {
    assertEquals(lock.locked(), true);
    await assertNewcomersAreTold(lock, owner, others);
    await assertOneRecovers(lock, others);
  }
}

async function assertNewcomersAreTold(
  lock: AnyLock,
  owner: string,
  others: ThreadPoolExecutor,
): Promise<void> {
  assertOwnerDied(await thrownBy(() => lock.acquire()), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.acquire({ timeout: 10 })), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.acquire({ blocking: false })), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.hold()), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.run(() => 1)), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.acquireSync()), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.acquireSync({ timeout: 10 })), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.acquireSync({ blocking: false })), lock, owner);
  assertOwnerDied(await thrownBy(() => lock.holdSync()), lock, owner);
  assertOwnerDied(await errorOf(others.submit(work.acquireSync, lock)), lock, owner);
  const [text] = await others.submit(work.acquireAll, [lock]);
  assertNamesOwner(text, lock, owner);
}

/**
 * Asserts that exactly one of several threads recovers the lock, and that it is a lock like any
 * other afterwards.
 */
async function assertOneRecovers(lock: AnyLock, others: ThreadPoolExecutor): Promise<void> {
  const inner = lockOf(lock);
  using start = new Gate();
  using end = new Gate();
  const futures = [1, 2, 3].map(() =>
    others.submit(work.recoverAtGate, inner, start.words, end.words)
  );
  await start.arrived(3);
  start.open();
  const isMine = inner.recover();
  await end.arrived(3);

  assertEquals(inner.recover(), false, "its owner is alive");
  const next = lock.acquire();
  await until(() => waitersOf(inner) === 1);
  end.open();
  if (isMine) lock.release();
  const found = [isMine, ...await Promise.all(futures)];
  assertEquals(found.filter((isOwner) => isOwner).length, 1, `${found}`);
  assertEquals(await next, true);
  lock.release();

  await assertUsable(lock);
  assertEquals(await others.submit(work.acquireSync, lock), true);
  assertEquals(await others.submit(work.acquireAll, [lock]), ["acquired"]);
}

test("An owner dies: its task's time is up", async () => {
  await withTimeLimit(1000, async (timeout) => {
    const lock = new Lock({ name: newName() });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
    using gate = new Gate();
    const future = pool.with({ timeout }).submit(work.holdAndSpin, [lock], gate.words);
    await comesAbout(future, () => gate.count > 0);
    const error = await thrownBy(() => lock.acquire());
    assertOwnerDied(error, lock, "owner_0");
    assertStringIncludes(textOf(await future.exception()), `${timeout} ms`);
  });
});

test("An owner dies: a Value's own lock tells it too", async () => {
  const value = new Value("i32", 0, { name: newName() });
  const pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
  pool.submit((value: Value<"i32">) => {
    value.getLock().acquireSync();
    self.close();
  }, value);
  await until(() => value.getLock().locked());
  assertOwnerDied(await thrownBy(() => value.getLock().acquire()), value.getLock(), "owner_0");
  assertEquals(value.getLock().recover(), true);
  value.getLock().release();
  await pool.shutdown();
});

// Threads that wait for a condition

for (const kind of ["Condition", "Condition of a Lock"]) {
  test(`${kind}: when its lock's owner dies, who was notified is told, and the others go on waiting`, async () => {
    const condition = KINDS[kind]() as Condition;
    await using others = new ThreadPoolExecutor({ maxWorkers: 3 });
    const notified = others.submit(work.waitFor, condition);
    await until(() => waitersOf(condition) === 1);
    const waiting = others.submit(work.waitFor, condition);
    await until(() => waitersOf(condition) === 2);
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
    pool.submit((condition: Condition) => {
      condition.acquireSync();
      condition.notify();
      self.close();
    }, condition);
    assertOwnerDied(await errorOf(notified), condition, "owner_0");
    assertEquals(waitersOf(condition), 1);
    assertEquals(waiting.done(), false);
    assertEquals(condition.lock.recover(), true);
    condition.notify();
    condition.release();
    assertEquals(await waiting, "got it");
    await assertUsable(condition);
    await pool.shutdown();
  });

  test(`${kind}: run() around a wait rejects with what became of the owner, and releases nothing`, async () => {
    const condition = KINDS[kind]() as Condition;
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
    const waiting = thrownBy(() => condition.run(() => condition.wait()));
    await until(() => waitersOf(condition) === 1);
    pool.submit((condition: Condition) => {
      condition.acquireSync();
      condition.notify();
      self.close();
    }, condition);
    const error = await waiting;
    await pool.shutdown();
    assertEquals(condition.locked(), true);
    assertEquals(condition.lock.recover(), true);
    condition.release();
    assert(OwnerDiedError.is(error), `got ${textOf(error)}`);
  });
}

for (const kind of ["Condition", "Condition of a Lock"]) {
  test(`${kind}: guards of waits that have lost the lock leave it to the task that has taken it over`, async () => {
    const condition = KINDS[kind]() as Condition;
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
    const recovered = Promise.withResolvers<void>();
    const waits = [Promise.resolve(), recovered.promise].map((ending) =>
      thrownBy(async () => {
        using _ = await condition.hold();
        try {
          await condition.wait();
        } finally {
          await ending;
        }
      })
    );
    await until(() => waitersOf(condition) === 2);
    pool.submit((condition: Condition) => {
      condition.acquireSync();
      condition.notifyAll();
      self.close();
    }, condition);
    assertOwnerDied(await waits[0], condition, "owner_0");
    assertEquals(condition.lock.recover(), true);
    recovered.resolve();
    assertOwnerDied(await waits[1], condition, "owner_0");
    assertEquals(condition.locked(), true);
    condition.release();
    await assertUsable(condition);
    await pool.shutdown();
  });
}

// What a thread does after it was given up

const RELEASES: work.Release[] = [
  "release()",
  "the end of a using block",
  "the end of runSync()",
];

for (const [kind, make] of Object.entries(KINDS)) {
  for (const how of RELEASES) {
    test(`${kind}: ${how} in a thread that was given up is an error, and the new owner keeps it`, async () => {
      const lock = make();
      const report = new Int32Array(new SharedArrayBuffer(8));
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      using gate = new Gate();
      const controller = new AbortController();
      pool.with({ signal: controller.signal })
        .submit(work.holdAndRelease, lock, gate.words, report, how);
      await gate.arrived();
      controller.abort();
      await until(() => lockOf(lock).recover());
      gate.open();
      await until(() => report[work.ENDED] + report[work.WRONG] === 1);
      const isLocked = lock.locked();
      assertEquals([report[work.ENDED], report[work.WRONG], isLocked], [1, 0, true]);
      assertEquals(
        await pool.submit((lock: Lock) => lock.acquireSync({ blocking: false }), lock as Lock),
        false,
      );
      lock.release();
      await assertUsable(lock);
    });
  }

  test(`${kind}: release() in a thread that was given up is an error when nobody holds it any more`, async () => {
    const lock = make();
    const report = new Int32Array(new SharedArrayBuffer(8));
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    using gate = new Gate();
    const controller = new AbortController();
    pool.with({ signal: controller.signal })
      .submit(work.holdAndRelease, lock, gate.words, report, "release()");
    await gate.arrived();
    controller.abort();
    await until(() => lockOf(lock).recover());
    lock.release();
    gate.open();
    await until(() => report[work.ENDED] + report[work.WRONG] === 1);
    assertEquals([...report], [1, 0]);
    await assertUsable(lock);
  });
}

test("Lock: what a thread acquires that was given up before, it holds as a dead one", async () => {
  const lock = new Lock({ name: newName() });
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "owner" });
  using gate = new Gate();
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.spinAndAcquire, lock, gate.words);
  await gate.arrived();
  controller.abort();
  await until(() => pool.stats().abandoned === 1);
  gate.open();
  await gate.arrived(2);
  assertOwnerDied(await thrownBy(() => lock.acquire()), lock, "owner_0");
  assertEquals(lock.recover(), true);
  lock.release();
  await assertUsable(lock);
});

test("Lock.release() of a lock that was recovered and released twice is an error", async () => {
  const lock = new Lock({ name: newName() });
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
  await pool.submit((lock: Lock) => lock.acquireSync(), lock);
  await until(() => lock.recover());
  lock.release();
  const error = await thrownBy(() => lock.release());
  assert(RuntimeError.is(error), textOf(error));
  await assertUsable(lock);
});
