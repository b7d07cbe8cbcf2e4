/**
 * A process that holds locks, has taken items, or waits, is killed or ends: all who wait and all
 * who come later learn what it held, its waits are withdrawn, and the objects still work.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  debugLocks,
  Event,
  type Future,
  Lock,
  LostItemsError,
  OwnerDiedError,
  Process,
  ProcessPoolExecutor,
  type ProcessPoolOptions,
  Queue,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
  Value,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { until } from "../_support/processes.ts";
import type { End } from "../_support/process_tasks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { Gate } from "../contracts/signals.ts";
import {
  assertSound as assertQueueSound,
  queued,
  type Side,
  waitersOf as waitersAt,
} from "../queue/_support.ts";
import * as work from "./_process_sync_tasks.ts";
import { assertPrompt, errorOf } from "./_support.ts";
import {
  assertNamesOwner,
  assertOwnerDied,
  assertUsable,
  lockOf,
  newName,
  thrownBy,
} from "./_sync_support.ts";
import { acquireAll, acquireSync, awaitAll, meet, waitFor } from "./_sync_tasks.ts";
import { type AnyLock, type Waitable, waitersOf } from "./_waiters.ts";

shareProcesses(2);

const PROCESSES = ELSEWHERE[1];

/** The name of the first worker of {@linkcode makeOwner}'s pools. */
const OWNER = "owner_0";

function makeOwner(options: ProcessPoolOptions = {}): ProcessPoolExecutor {
  return new ProcessPoolExecutor({
    maxWorkers: 1,
    threadNamePrefix: "owner",
    onWorkerLost: "replace",
    ...options,
  });
}

/** Kills the processes of a pool from outside. */
function kill(pool: ProcessPoolExecutor): void {
  for (const pid of pool.pids) Deno.kill(pid, "SIGKILL");
}

/** Ignores the outcome of a task whose end is no news. */
function forget(future: Future<unknown>): void {
  future.exception();
}

/** Every kind of object that has an owner. */
function makeLocks(): AnyLock[] {
  return [
    new Lock({ name: newName() }),
    new RLock({ name: newName() }),
    new Condition(new RLock({ name: newName() })),
    new Condition(new Lock({ name: newName() })),
    new Value("i32", 0, { name: newName() }).getLock(),
  ];
}

// Owners

/** A way in which a process ends while it holds locks. */
interface Death {
  readonly options?: ProcessPoolOptions;
  /**
   * Makes a process of the pool acquire the locks and come to the gate; returns what makes it end
   * then.
   */
  begin(pool: ProcessPoolExecutor, locks: AnyLock[], gate: Gate): () => void;
}

function endsItself(how: End): Death {
  return {
    begin: (pool, locks, gate) => {
      forget(pool.submit(work.holdAndEnd, locks, gate.parts, how));
      return () => gate.open();
    },
  };
}

function isKilled(
  submit: (pool: ProcessPoolExecutor, locks: AnyLock[], gate: Gate) => Future<unknown>,
  by: (pool: ProcessPoolExecutor) => void = kill,
): Death {
  return {
    begin: (pool, locks, gate) => {
      forget(submit(pool, locks, gate));
      return () => by(pool);
    },
  };
}

/**
 * The task returns without releasing the locks, and the process is asked to end, or ends by itself.
 */
function retires(
  options: ProcessPoolOptions,
  afterwards: (pool: ProcessPoolExecutor) => void = () => {},
): Death {
  return {
    options,
    begin: (pool, locks, gate) => {
      pool.submit(work.holdAndReturn, locks, gate.parts);
      return () => {
        gate.open();
        afterwards(pool);
      };
    },
  };
}

const spin: Parameters<typeof isKilled>[0] = (pool, locks, gate) =>
  pool.submit(work.holdAndSpin, locks, gate.parts);

const DEATHS: Record<string, Death> = {
  "is killed, computing": isKilled(spin),
  "is killed, awaiting": isKilled((pool, locks, gate) =>
    pool.submit(work.holdAndPend, locks, gate.parts)
  ),
  "is killed, within run()": isKilled((pool, locks, gate) =>
    pool.submit(work.runAndPend, locks, gate.parts)
  ),
  "is killed, blocked for another lock": isKilled((pool, locks, gate) => {
    const other = new Lock();
    other.acquireSync();
    return pool.submit(work.holdAndBlock, locks, gate.parts, other);
  }),
  "kills itself": endsItself("kill"),
  "calls Deno.exit()": endsItself("exit 3"),
  "calls close()": endsItself("close"),
  "throws in a timer": endsItself("throw in a timer"),
  "is ended by killWorkers()": isKilled(spin, (pool) => pool.killWorkers()),
  "is ended by terminateWorkers()": isKilled(spin, (pool) => pool.terminateWorkers()),
  "breaks its pool": { ...isKilled(spin), options: { onWorkerLost: "break" } },
  "is given up": {
    begin: (pool, locks, gate) => {
      const controller = new AbortController();
      const limited = pool.with({ signal: controller.signal });
      forget(limited.submit(work.holdAndSpin, locks, gate.parts));
      return () => controller.abort();
    },
  },
  "has run as many tasks as it may": retires({ maxTasksPerChild: 1 }),
  "was idle for too long": retires({ idleTimeout: 10 }),
  "ends with its pool": retires({}, (pool) => pool.shutdown({ wait: false })),
};

for (const [i, [how, death]] of Object.entries(DEATHS).entries()) {
  test(`An owner dies: the process ${how}`, async () => {
    using gate = new Gate();
    const pool = makeOwner(death.options);
    const locks = makeLocks();
    await using threads = new ThreadPoolExecutor({ maxWorkers: locks.length + 1 });
    await using crew = PROCESSES.crew(2);
    const end = death.begin(pool, locks, gate);
    await gate.entered();

    // For one of the locks, a blocked process waits.
    const chosen = locks[i % locks.length];
    const awaiting = [threads.submit(acquireAll, locks), crew.submit(acquireAll, locks)];
    const blocked = locks.map((lock) => threads.submit(acquireSync, lock));
    const blockedThere = crew.submit(acquireSync, chosen);
    const here = locks.map((lock) => thrownBy(() => lock.acquire()));
    const expected = locks.map((lock) => lock === chosen ? 5 : 4);
    await until(() => locks.every((lock, i) => waitersOf(lockOf(lock)) === expected[i]));
    assertEquals(locks.map((lock) => lockOf(lock).recover()), locks.map(() => false));

    end();
    const texts = await Promise.all(awaiting);
    for (const [i, lock] of locks.entries()) {
      assertOwnerDied(await errorOf(blocked[i]), lock, OWNER);
      assertOwnerDied(await here[i], lock, OWNER);
      for (const those of texts) assertNamesOwner(those[i], lock, OWNER);
    }
    assertOwnerDied(await errorOf(blockedThere), chosen, OWNER);
    assertEquals(locks.map((lock) => waitersOf(lockOf(lock))), locks.map(() => 0));

    const newcomers = await crew.submit(acquireAll, locks);
    for (const [i, lock] of locks.entries()) {
      assertEquals(lock.locked(), true);
      assertOwnerDied(await thrownBy(() => lock.acquireSync()), lock, OWNER);
      assertOwnerDied(await thrownBy(() => lock.acquire({ timeout: 10 })), lock, OWNER);
      assertOwnerDied(await errorOf(crew.submit(acquireSync, lock)), lock, OWNER);
      assertNamesOwner(newcomers[i], lock, OWNER);
    }
    // Each lock is taken over by one of several: this thread, another one, or a process.
    for (const lock of locks) {
      const inner = lockOf(lock);
      using start = new Gate();
      using end = new Gate();
      const futures = [
        threads.submit(work.recoverAtGate, inner, start.parts, end.parts),
        ...[1, 2].map(() => crew.submit(work.recoverAtGate, inner, start.parts, end.parts)),
      ];
      await start.entered(3);
      start.open();
      const isMine = inner.recover();
      await end.entered(3);
      assertEquals([inner.recover(), inner.locked()], [false, true]);
      end.open();
      if (isMine) lock.release();
      const found = [isMine, ...await Promise.all(futures)];
      assertEquals(found.filter((isOwner) => isOwner).length, 1, `${found}`);
      await assertUsable(lock);
      assertEquals(await crew.submit(acquireSync, lock), true);
    }
    gate.open();
    await pool.shutdown();
  });
}

test("An owner dies: main, blocked for the lock, is told at once", async () => {
  for (const make of [() => new Lock(), () => new RLock()]) {
    const lock = make();
    await using pool = makeOwner();
    await using threads = new ThreadPoolExecutor({ maxWorkers: 1 });
    await threads.submit(() => 1);
    using gate = new Gate();
    forget(pool.submit(work.holdAndSpin, [lock], gate.parts));
    await gate.entered();
    threads.submit((pid: number) => Deno.kill(pid, "SIGKILL"), pool.pids[0]);
    const startMs = performance.now();
    assertInstanceOf(await thrownBy(() => lock.acquireSync()), OwnerDiedError);
    assertPrompt(startMs);
    assertEquals(lock.recover(), true);
    lock.release();
    await assertUsable(lock);
  }
});

test("An owner dies: a Process", async () => {
  const locks = makeLocks();
  using gate = new Gate();
  const process = new Process({
    target: work.holdAndSpin,
    args: [locks, gate.parts],
    name: "owner_0",
  });
  process.start();
  await gate.entered();
  const here = locks.map((lock) => thrownBy(() => lock.acquire()));
  process.kill();
  for (const [i, lock] of locks.entries()) {
    assertOwnerDied(await here[i], lock, OWNER);
    assertEquals(lockOf(lock).recover(), true);
    lock.release();
    await assertUsable(lock);
  }
  await process.join();
});

for (const make of [() => new RLock({ name: newName() }), () => new Lock({ name: newName() })]) {
  test(`Condition of ${make().constructor.name}: when a process that holds its lock is killed, who was notified is told, and the others go on waiting`, async () => {
    const condition = new Condition(make());
    await using crew = PROCESSES.crew(2);
    await using pool = makeOwner();
    using gate = new Gate();
    const notified = crew.submit(waitFor, condition);
    await until(() => waitersOf(condition) === 1);
    const waiting = crew.submit(waitFor, condition);
    await until(() => waitersOf(condition) === 2);
    forget(pool.submit(work.notifyAndEnd, condition, gate.parts));
    await gate.entered();
    assertEquals([waitersOf(condition), waitersOf(condition.lock)], [1, 1]);
    gate.open();
    assertOwnerDied(await errorOf(notified), condition, OWNER);
    assertEquals([waitersOf(condition), waiting.done()], [1, false]);
    assertEquals(condition.lock.recover(), true);
    condition.notify();
    condition.release();
    assertEquals(await waiting, "got it");
    await assertUsable(condition);
  });
}

test("Condition.wait() in a process, given up while a dead thread owns the lock, is told of that and not of its signal", async () => {
  const condition = new Condition(new Lock({ name: newName() }));
  await using crew = PROCESSES.crew(2);
  await using pool = makeOwner();
  using gate = new Gate();
  using aborting = new Gate();
  const waiting = crew.submit(work.waitAborted, condition, aborting.parts);
  await until(() => waitersOf(condition) === 1);
  forget(pool.submit(work.holdAndEnd, [condition], gate.parts, "kill"));
  await gate.entered();
  aborting.open();
  // By now it has left the condition, and waits for the lock.
  await until(() => waitersOf(condition.lock) === 1);
  gate.open();
  assertOwnerDied(await errorOf(waiting), condition, OWNER);
  assertEquals(condition.lock.recover(), true);
  condition.release();
  await assertUsable(condition);
});

test("Semaphore: permits of a process that was killed are lost, and others may release them", async () => {
  await using pool = makeOwner();
  const semaphore = new Semaphore(1);
  forget(pool.submit(work.block, semaphore));
  await until(() => semaphore.getValue() === 0);
  const waiting = semaphore.acquire();
  kill(pool);
  await until(() => pool.stats().lost === 1);
  assertEquals(waitersOf(semaphore), 1);
  semaphore.release();
  assertEquals(await waiting, true);
  assertEquals(waitersOf(semaphore), 0);
});

// Waiters

/** Objects for which every thread has to wait until `serve` is called. */
class Awaited {
  readonly lock = new Lock({ name: newName() });
  readonly rlock = new RLock({ name: newName() });
  readonly semaphore = new Semaphore(0);
  readonly event = new Event();
  readonly condition = new Condition(new RLock({ name: newName() }));
  readonly conditionOfLock = new Condition(new Lock({ name: newName() }));
  readonly all: Record<string, Waitable> = {
    "Lock": this.lock,
    "RLock": this.rlock,
    "Semaphore": this.semaphore,
    "Event": this.event,
    "Condition": this.condition,
    "Condition of a Lock": this.conditionOfLock,
  };

  constructor() {
    this.lock.acquireSync();
    this.rlock.acquireSync();
  }

  /** Lets one waiter have each of the objects. */
  serve(): void {
    for (const object of Object.values(this.all)) {
      if (object instanceof Condition) object.runSync(() => object.notify());
      else if (object instanceof Event) object.set();
      else if (waitersOf(object) > 0) (object as Lock).release();
    }
  }

  /** Asserts that nobody waits, and that nothing is held but what was held at first. */
  async assertQuiet(): Promise<void> {
    for (const lock of [this.lock, this.rlock]) if (lock.locked()) lock.release();
    const all = Object.values(this.all);
    assertEquals(all.map(waitersOf), all.map(() => 0));
    assertEquals(this.semaphore.getValue(), 0);
    for (const lock of [this.lock, this.rlock, this.condition, this.conditionOfLock]) {
      await assertUsable(lock);
    }
    const names = all.map(({ handle }) => (handle.data as { name?: string }).name);
    const left = debugLocks().filter(({ name }) => name !== undefined && names.includes(name));
    assertEquals(left, []);
  }
}

for (const kind of Object.keys(new Awaited().all)) {
  test(`A waiter dies: a process that blocks for a ${kind} is killed; who waits behind it goes on`, async () => {
    const objects = new Awaited();
    const object = objects.all[kind];
    await using crew = PROCESSES.crew(2);
    await using pool = makeOwner();
    forget(pool.submit(work.block, object));
    await until(() => waitersOf(object) === 1);
    const next = crew.submit(waitFor, object);
    await until(() => waitersOf(object) === 2);
    kill(pool);
    await until(() => waitersOf(object) === 1);
    assertEquals(next.done(), false);
    objects.serve();
    assertEquals(await next, "got it");
    await objects.assertQuiet();
  });
}

for (const [how, isDeaf] of [["awaits", false], ["computes", true]] as const) {
  test(`A waiter dies: a process whose promises wait is killed while it ${how}; who waits behind it goes on`, async () => {
    const objects = new Awaited();
    const all = Object.values(objects.all);
    await using crew = PROCESSES.crew(2);
    await using pool = makeOwner();
    using gate = new Gate();
    forget(pool.submit(work.awaitEach, all, isDeaf, gate.parts));
    await until(() => all.every((object) => waitersOf(object) === 1));
    gate.open();
    const next = crew.submit(awaitAll, all);
    await until(() => all.every((object) => waitersOf(object) === 2));
    kill(pool);
    await until(() => all.every((object) => waitersOf(object) === 1));
    assertEquals(next.done(), false);
    objects.serve();
    assertEquals(await next, "got them");
    await objects.assertQuiet();
  });
}

test("A waiter dies: what a process was granted and had no time to see is that of a dead owner", async () => {
  const lock = new Lock({ name: newName() });
  lock.acquireSync();
  await using pool = makeOwner();
  using gate = new Gate();
  forget(pool.submit(work.awaitEach, [lock], true, gate.parts));
  await until(() => waitersOf(lock) === 1);
  gate.open();
  lock.release();
  await until(() => waitersOf(lock) === 0 && lock.locked());
  const next = thrownBy(() => lock.acquire());
  kill(pool);
  assertOwnerDied(await next, lock, OWNER);
  assertEquals(lock.recover(), true);
  lock.release();
  await assertUsable(lock);
});

// Barriers

for (const order of ["before", "after"]) {
  test(`Barrier breaks when a process that waits there is killed, ${order} others have come`, async () => {
    const barrier = new Barrier(4);
    await using crew = PROCESSES.crew(2);
    await using pool = makeOwner();
    forget(pool.submit(work.block, barrier));
    await until(() => barrier.nWaiting === 1);
    const gather = (): Promise<unknown>[] => [
      errorOf(crew.submit(meet, barrier)),
      thrownBy(() => barrier.wait()),
    ];
    let others = order === "after" ? gather() : [];
    await until(() => barrier.nWaiting === 1 + others.length);
    kill(pool);
    if (order === "before") {
      await until(() => barrier.broken || pool.stats().lost === 1);
      others = gather();
    }
    for (const error of await Promise.all(others)) assertInstanceOf(error, BrokenBarrierError);
    assertEquals([barrier.broken, barrier.nWaiting, waitersOf(barrier)], [true, 0, 0]);
    barrier.reset();
    const round = [1, 2].map(() => crew.submit(meet, barrier).result());
    const places = await Promise.all([...round, barrier.wait(), barrier.wait()]);
    assertEquals(places.sort(), [0, 1, 2, 3]);
  });
}

for (const blocks of [true, false]) {
  test(`Barrier breaks when the process of its action is killed, ${blocks ? "blocked" : "awaiting"}`, async () => {
    const barrier = new Barrier(3, { action: () => {} });
    await using crew = PROCESSES.crew(2);
    await using pool = makeOwner();
    using gate = new Gate();
    const others = [errorOf(crew.submit(meet, barrier)), thrownBy(() => barrier.wait())];
    await until(() => barrier.nWaiting === 2);
    forget(pool.submit(work.actAndDie, barrier, gate.parts, blocks));
    await gate.entered();
    gate.open();
    for (const error of await Promise.all(others)) assertInstanceOf(error, BrokenBarrierError);
    assertEquals([barrier.broken, waitersOf(barrier)], [true, 0]);
    await assertRejects(() => barrier.wait(), BrokenBarrierError);
  });
}

// Queues

/** A queue at which a caller has to wait on the given side. */
function makeBusy(side: Side): Queue<unknown> {
  const queue = new Queue<unknown>(1);
  if (side !== "getters") queue.putSync(0);
  return queue;
}

for (const [side, ways] of Object.entries(work.WAYS) as [Side, readonly string[]][]) {
  for (const how of ways) {
    test(`Queue: a process that waits in ${how} is killed, takes and puts nothing, and the next is served`, async () => {
      const queue = makeBusy(side);
      await using pool = makeOwner();
      forget(pool.submit(work.waitAtQueue, queue, how));
      await queued(queue, side);
      const next = side === "getters"
        ? queue.get()
        : side === "putters"
        ? queue.put(1)
        : queue.join();
      assertEquals(waitersAt(queue, side), 2);
      kill(pool);
      await queued(queue, side, 1);
      if (side === "getters") {
        queue.putSync(7);
        assertEquals(await next, 7);
      } else if (side === "putters") {
        assertEquals(queue.getSync(), 0);
        await next;
        assertEquals(queue.getSync(), 1);
      } else {
        queue.getSync();
        queue.taskDone();
        await next;
      }
      await assertQueueSound(queue);
    });
  }
}

test("Queue: an item that was on its way to a process when that was killed is lost, and join() says so", async () => {
  const queue = new Queue<unknown>({ name: "jobs" });
  await using pool = makeOwner();
  using gate = new Gate();
  forget(pool.submit(work.getDeaf, queue, gate.parts));
  await gate.entered();
  await queued(queue, "getters");
  queue.putSync(1);
  await until(() => queue.qsize() === 0);
  const joined = thrownBy(() => queue.join());
  await queued(queue, "joiners");
  kill(pool);
  const error = await joined;
  assertInstanceOf(error, LostItemsError);
  assertEquals(error.count, 1);
  assert(error.message.includes(`"${OWNER}"`), error.message);
  queue.taskDone();
  await queue.join();
  await assertQueueSound(queue);
});

test(
  "Objects survive processes that are killed at any moment of their calls",
  { timeout: 60_000 },
  async () => {
    const queue = new Queue<unknown>();
    const lock = new Lock();
    await using pool = makeOwner();
    for (let i = 0; i < 15; i++) {
      using gate = new Gate();
      forget(pool.submit(work.churn, queue, lock, gate.parts));
      await gate.entered();
      const startMs = performance.now();
      const delayMs = 2 + 1.7 * i;
      while (performance.now() - startMs < delayMs) await Promise.resolve();
      kill(pool);
      await until(() => pool.stats().lost === i + 1);
      if (lock.locked()) assertEquals(lock.recover(), true);
      if (lock.locked()) lock.release();
      // Each round puts at most one item more than it has taken.
      const count = queue.qsize();
      assert(count <= 2, `${count} items`);
      for (const item of queue.empty() ? [] : queue.getManySync(10)) {
        assertEquals((item as { bytes: Uint8Array }).bytes.length, 20_000);
      }
    }
    await assertUsable(lock);
    await assertQueueSound(queue);
  },
);
