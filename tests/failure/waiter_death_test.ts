/**
 * A thread that waits dies: it leaves nothing behind, and the next waiter gets what the dead one
 * would have got. A thread that is given up does not stay blocked.
 */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Barrier,
  BrokenBarrierError,
  Condition,
  debugLocks,
  Event,
  type Future,
  Lock,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertEndedWell, assertPrompt, errorOf, Gate, OPEN, until } from "./_support.ts";
import { assertUsable, newName, syncProgram } from "./_sync_support.ts";
import * as work from "./_sync_tasks.ts";
import type { End } from "./_tasks.ts";
import { type Waitable, waitersOf } from "./_waiters.ts";

/** Objects for which every thread has to wait until {@linkcode Awaited.serve} is called. */
class Awaited {
  readonly lock = new Lock({ name: newName() });
  readonly rlock = new RLock({ name: newName() });
  readonly semaphore = new Semaphore(0);
  readonly event = new Event();
  readonly condition = new Condition(new RLock({ name: newName() }));
  readonly conditionOfLock = new Condition(new Lock({ name: newName() }));
  readonly all: Waitable[] = [
    this.lock,
    this.rlock,
    this.semaphore,
    this.event,
    this.condition,
    this.conditionOfLock,
  ];

  constructor() {
    this.lock.acquireSync();
    this.rlock.acquireSync();
  }

  /** Waits until `count` threads wait for each of the objects. */
  async have(count: number): Promise<void> {
    await until(() => this.all.every((object) => waitersOf(object) === count));
  }

  /** Lets one waiter have each of the objects. */
  serve(): void {
    this.lock.release();
    this.rlock.release();
    this.semaphore.release();
    this.event.set();
    this.condition.runSync(() => this.condition.notify());
    this.conditionOfLock.runSync(() => this.conditionOfLock.notify());
  }

  /** Asserts that nothing is held and nobody waits. */
  async assertQuiet(): Promise<void> {
    assertEquals(this.all.map(waitersOf), this.all.map(() => 0));
    assertEquals(this.semaphore.getValue(), 0);
    for (const lock of [this.lock, this.rlock, this.condition, this.conditionOfLock]) {
      await assertUsable(lock);
    }
    const names = this.all.map(({ handle }) => (handle.data as { name?: string }).name);
    const left = debugLocks().filter(({ name }) => name !== undefined && names.includes(name));
    assertEquals(left, []);
  }
}

/** A way in which a worker dies while its async tasks wait for objects. */
interface Death {
  readonly options?: ThreadPoolOptions;
  /** Whether the worker itself withdraws its waits. */
  readonly tidies: boolean;
  begin(pool: ThreadPoolExecutor, objects: Waitable[], gate: Gate): () => void;
}

function endsItself(how: End): Death {
  return {
    tidies: true,
    begin: (pool, objects, gate) => {
      pool.submit(work.awaitAndEnd, objects, gate.words, how);
      return () => gate.open();
    },
  };
}

function retires(
  options: ThreadPoolOptions,
  afterwards: (pool: ThreadPoolExecutor) => void = () => {},
): Death {
  return {
    options,
    tidies: true,
    begin: (pool, objects, gate) => {
      pool.submit(work.awaitAndReturn, objects, gate.words);
      return () => {
        gate.open();
        afterwards(pool);
      };
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
  "is given up": {
    tidies: false,
    begin: (pool, objects, gate) => {
      const controller = new AbortController();
      pool.with({ signal: controller.signal }).submit(work.awaitAndSpin, objects, gate.words);
      return () => controller.abort();
    },
  },
};

for (const [how, death] of Object.entries(DEATHS)) {
  for (const next of ["waits", "blocks"]) {
    test(`A waiter dies, whose worker ${how}; who ${next} behind it goes on`, async () => {
      const objects = new Awaited();
      using gate = new Gate();
      const pool = new ThreadPoolExecutor({ maxWorkers: 1, ...death.options });
      await using others = new ThreadPoolExecutor({ maxWorkers: objects.all.length });
      const kill = death.begin(pool, objects.all, gate);
      await gate.arrived();
      await objects.have(1);
      const served: Future<unknown>[] = next === "blocks"
        ? objects.all.map((object) => others.submit(work.waitFor, object))
        : [others.submit(work.awaitAll, objects.all)];
      await objects.have(2);

      kill();
      if (death.tidies) await objects.have(1);
      else await until(() => pool.stats().abandoned === 1);
      assertEquals(served.map((future) => future.done()), served.map(() => false));
      const startMs = performance.now();
      objects.serve();
      await Promise.all(served);
      assertPrompt(startMs);
      gate.open();
      await pool.shutdown();
      await objects.assertQuiet();
    });
  }
}

test("A waiter that was woken for a lock and dies before it tried leaves the turn to the next", async () => {
  const lock = new Lock({ name: newName() });
  lock.acquireSync();
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using others = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.awaitAndSpin, [lock], gate.words);
  await gate.arrived();
  const next = others.submit(work.acquireSync, lock);
  await until(() => waitersOf(lock) === 2);
  lock.release(); // Wakes the one that computes.
  assertEquals(waitersOf(lock), 1);
  assertEquals(next.done(), false);
  controller.abort();
  assertEquals(await next, true);
  gate.open();
  await assertUsable(lock);
});

// Threads that are given up while they block

/** Waits in which a worker can block. */
const BLOCKS: Record<string, () => { object: Waitable; serve: () => void }> = {
  "Lock.acquireSync()": () => {
    const object = new Lock({ name: newName() });
    object.acquireSync();
    return { object, serve: () => object.release() };
  },
  "RLock.acquireSync()": () => {
    const object = new RLock({ name: newName() });
    object.acquireSync();
    return { object, serve: () => object.release() };
  },
  "Semaphore.acquireSync()": () => {
    const object = new Semaphore(0);
    return { object, serve: () => object.release() };
  },
  "Event.waitSync()": () => {
    const object = new Event();
    return { object, serve: () => object.set() };
  },
  "Condition.waitSync()": () => {
    const object = new Condition(new RLock({ name: newName() }));
    return { object, serve: () => object.runSync(() => object.notify()) };
  },
  "Condition.waitSync() with a Lock": () => {
    const object = new Condition(new Lock({ name: newName() }));
    return { object, serve: () => object.runSync(() => object.notify()) };
  },
};

// No worker is lost, so each is tried with one of the two values.
for (const [i, [what, make]] of Object.entries(BLOCKS).entries()) {
  const onWorkerLost = (["break", "replace"] as const)[i % 2];
  test(`${what} throws in a thread that is given up (${onWorkerLost}), and the next waiter is served`, async () => {
    const { object, serve } = make();
    const report = new Int32Array(new SharedArrayBuffer(8));
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost });
    await using others = new ThreadPoolExecutor({ maxWorkers: 1 });
    const controller = new AbortController();
    const future = pool.with({ signal: controller.signal }).submit(
      work.waitTwice,
      object,
      report,
    );
    await until(() => waitersOf(object) === 1);
    const next = others.submit(work.waitFor, object);
    await until(() => waitersOf(object) === 2);

    const startMs = performance.now();
    controller.abort(new RangeError("enough"));
    assertInstanceOf(await errorOf(future), RangeError);
    await until(() => report[work.ENDED] + report[work.WRONG] > 0);
    assertPrompt(startMs);
    await until(() => report[work.ENDED] + report[work.WRONG] === 2);
    assertEquals([...report], [2, 0]);
    assertPrompt(startMs);
    assertEquals(waitersOf(object), 1);
    serve();
    assertEquals(await next, "got it");
    assertEquals(waitersOf(object), 0);
    if (object instanceof Lock || object instanceof RLock || object instanceof Condition) {
      await assertUsable(object);
    }
    if (object instanceof Semaphore) assertEquals(object.getValue(), 0);
  });
}

test("Future.resultSync() of a nested task throws in a thread that is given up", async () => {
  const report = new Int32Array(new SharedArrayBuffer(8));
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.nestTwice, pool, gate.words, report);
  await gate.arrived();
  const startMs = performance.now();
  controller.abort();
  await until(() => report[work.ENDED] + report[work.WRONG] === 2);
  assertEquals([...report], [2, 0]);
  assertPrompt(startMs);
});

test("A blocked wait throws when its pool is broken by another worker", async () => {
  const event = new Event();
  const report = new Int32Array(new SharedArrayBuffer(8));
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  pool.submit(work.waitTwice, event, report);
  await until(() => waitersOf(event) === 1);
  pool.submit(() => self.close());
  await until(() => report[work.ENDED] + report[work.WRONG] === 2);
  assertEquals([...report], [2, 0]);
  assertEquals(waitersOf(event), 0);
  await pool.shutdown();
});

for (const [kind, make] of [["RLock", () => new RLock()], ["Lock", () => new Lock()]] as const) {
  test(`Condition.waitSync() that throws in a thread given up does not release the ${kind} of others`, async () => {
    const condition = new Condition(make());
    const report = new Int32Array(new SharedArrayBuffer(8));
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const controller = new AbortController();
    pool.with({ signal: controller.signal }).submit(work.waitInBlock, condition, report);
    await until(() => waitersOf(condition) === 1);
    condition.acquireSync();
    controller.abort();
    await until(() => report[work.ENDED] + report[work.WRONG] === 1);
    assertEquals([...report], [1, 0]);
    assertEquals(condition.locked(), true);
    condition.release();
    await assertUsable(condition);
  });
}

// Memory that a dead thread's waits have used is used again

// In programs of their own, as nothing ends them if lists of waiters are damaged.
for (const kind of ["RLock", "Lock"]) {
  test(`Condition of ${kind}: a waiter given up after its notification is not taken for a later wait of another thread`, async () => {
    const ended = await runProgram(
      syncProgram(`
      const condition = new Condition(new ${kind}());
      const event = new Event();
      const report = new Int32Array(new SharedArrayBuffer(8));
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const until = async (condition) => {
        while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
      };
      const controller = new AbortController();
      pool.with({ signal: controller.signal }).submit(sync.waitTwice, condition, report);
      await until(() => waitersOf(condition) === 1);
      condition.acquireSync();
      condition.notify(); // From here on it waits for the lock, which stays here.
      controller.abort();
      await until(() => pool.stats().abandoned === 1);
      await until(() => report[0] + report[1] === 2);
      // The worker that follows may use again what the other one has left.
      // Its time may be up before it was seen to wait.
      let later;
      do {
        later = pool.submit((event) => event.waitSync({ timeout: 300 }), event);
        await until(() => waitersOf(event) === 1 || later.done());
      } while (later.done());
      condition.release();
      console.log("event", await later, waitersOf(event), waitersOf(condition.lock));
      condition.acquireSync();
      const next = pool.submit(sync.acquireSync, condition.lock);
      await until(() => waitersOf(condition.lock) === 1);
      condition.release();
      console.log("lock", await next, condition.locked());
      event.set();
      await pool.shutdown();
    `),
      { timeoutMs: 8000 },
    );
    assertEndedWell(ended, ["event false 0 0", "lock true false"]);
  });
}

test("Barrier: a party given up at the gate leaves it, before the memory of its wait is used again", async () => {
  const ended = await runProgram(
    syncProgram(`
    const until = async (condition) => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    let endAction;
    const acting = new Promise((resolve) => endAction = resolve);
    const barrier = new Barrier(1, { action: () => acting });
    const round = barrier.wait();
    const report = new Int32Array(new SharedArrayBuffer(8));
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const controller = new AbortController();
    pool.with({ signal: controller.signal }).submit(sync.waitTwice, barrier, report);
    await until(() => waitersOf(barrier) === 1);
    controller.abort();
    await until(() => report[0] + report[1] === 2);
    console.log("given up", ...report, waitersOf(barrier));
    endAction();
    console.log("round", await round);
    console.log("next", await barrier.wait(), barrier.broken);
    await pool.shutdown();
  `),
    { timeoutMs: 8000 },
  );
  assertEndedWell(ended, ["given up 2 0 0", "round 0", "next 0 false"]);
});

test("Barrier: a party given up during the action is not taken for a later wait of another thread", async () => {
  const barrier = new Barrier(2, { action: () => acting });
  let endAction = (): void => {};
  const acting = new Promise<void>((resolve) => endAction = resolve);
  const event = new Event();
  const report = new Int32Array(new SharedArrayBuffer(8));
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.waitTwice, barrier, report);
  await until(() => waitersOf(barrier) === 1);
  const round = barrier.wait().catch((error) => error);
  controller.abort();
  await until(() => pool.stats().abandoned === 1);
  const later = pool.submit((event: Event) => event.waitSync({ timeout: 10_000 }), event);
  await until(() => waitersOf(event) === 1);
  endAction();
  await round;
  assertEquals(waitersOf(event), 1);
  assertEquals(later.done(), false);
  event.set();
  assertEquals(await later, true);
});

// Barriers

const PARTY_DEATHS: Record<
  string,
  (pool: ThreadPoolExecutor, barrier: Barrier, gate: Gate) => () => void
> = {
  ...Object.fromEntries(
    (["close", "Deno.exit", "throw in a timer", "unhandled rejection"] as const).map((how) => [
      `ends: ${how}`,
      (pool: ThreadPoolExecutor, barrier: Barrier, gate: Gate) => {
        pool.submit(work.meetAndEnd, barrier, gate.words, how);
        return () => gate.open();
      },
    ]),
  ),
  "is given up, blocked": (pool, barrier) => {
    const controller = new AbortController();
    pool.with({ signal: controller.signal }).submit(work.meet, barrier);
    return () => controller.abort();
  },
  "is given up, awaiting": (pool, barrier, gate) => {
    const controller = new AbortController();
    pool.with({ signal: controller.signal }).submit(work.awaitAndSpin, [barrier], gate.words);
    return () => controller.abort();
  },
};

for (const [how, begin] of Object.entries(PARTY_DEATHS)) {
  for (const order of ["before", "after"]) {
    test(`Barrier breaks when a party's worker ${how}, ${order} others have come`, async () => {
      const barrier = new Barrier(4, { name: newName() });
      using gate = new Gate();
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      await using others = new ThreadPoolExecutor({ maxWorkers: 2 });
      const kill = begin(pool, barrier, gate);
      await until(() => barrier.nWaiting === 1);
      const gather = (): [Future<number>, Promise<unknown>] => [
        others.submit(work.meet, barrier),
        barrier.wait().catch((error) => error),
      ];
      let [blocked, here] = [undefined, undefined] as Partial<ReturnType<typeof gather>>;
      if (order === "after") {
        [blocked, here] = gather();
        await until(() => barrier.nWaiting === 3);
      }
      kill();
      if (order === "before") {
        // In either case the death has been noticed, by the barrier itself or by the thread that
        // comes now.
        await until(() => barrier.broken || pool.stats().abandoned + pool.stats().lost > 0);
        [blocked, here] = gather();
      }
      assertInstanceOf(await errorOf(blocked!), BrokenBarrierError);
      assertInstanceOf(await here, BrokenBarrierError);
      assertEquals([barrier.broken, barrier.nWaiting, waitersOf(barrier)], [true, 0, 0]);
      await assertRejects(() => barrier.wait(), BrokenBarrierError);
      gate.open();
      await pool.shutdown();

      barrier.reset();
      const again = new Barrier(3);
      for (const repaired of [barrier, again]) {
        const futures = Array.from(
          { length: 2 },
          () => others.submit(work.meet, repaired),
        );
        const rest = Array.from({ length: repaired.parties - 2 }, () => repaired.wait());
        const indexes = await Promise.all([...futures, ...rest]);
        assertEquals(indexes.sort(), indexes.map((_, i) => i));
      }
    });
  }
}

const ACTION_DEATHS: Record<
  string,
  (pool: ThreadPoolExecutor, barrier: Barrier, gate: Gate) => () => void
> = {
  "ends: Deno.exit": (pool, barrier, gate) => {
    pool.submit(work.actAndEnd, barrier, gate.words, "Deno.exit");
    return () => gate.open();
  },
  "ends: close": (pool, barrier, gate) => {
    pool.submit(work.actAndEnd, barrier, gate.words, "close");
    return () => gate.open();
  },
  "ends, awaiting: process.exit": (pool, barrier, gate) => {
    pool.submit(work.actAndEndLater, barrier, gate.words, "process.exit");
    return () => gate.open();
  },
  "ends, awaiting: throw in a timer": (pool, barrier, gate) => {
    pool.submit(work.actAndEndLater, barrier, gate.words, "throw in a timer");
    return () => gate.open();
  },
  "is given up, spinning": (pool, barrier, gate) => {
    const controller = new AbortController();
    pool.with({ signal: controller.signal }).submit(work.actAndSpin, barrier, gate.words);
    return () => controller.abort();
  },
};

for (const [how, begin] of Object.entries(ACTION_DEATHS)) {
  test(`Barrier breaks when the worker of its action ${how}`, async () => {
    const barrier = new Barrier(3, { action: () => {} });
    using gate = new Gate();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using others = new ThreadPoolExecutor({ maxWorkers: 2 });
    const blocked = others.submit(work.meet, barrier);
    const here = barrier.wait().catch((error) => error);
    await until(() => barrier.nWaiting === 2);
    const kill = begin(pool, barrier, gate);
    await gate.arrived();
    // These two come during the action, and would be the first of the next round.
    const late = others.submit(work.meet, barrier);
    const lateHere = barrier.wait().catch((error) => error);
    const startMs = performance.now();
    kill();
    assertInstanceOf(await errorOf(blocked), BrokenBarrierError);
    assertInstanceOf(await here, BrokenBarrierError);
    assertInstanceOf(await errorOf(late), BrokenBarrierError);
    assertInstanceOf(await lateHere, BrokenBarrierError);
    assertPrompt(startMs);
    assertEquals([barrier.broken, waitersOf(barrier)], [true, 0]);
    gate.open();
    await pool.shutdown();
    barrier.reset();
    const round = [1, 2].map(() => others.submit(work.meet, barrier));
    await until(() => barrier.nWaiting === 2);
    assertEquals(await barrier.wait(), 2);
    assertEquals((await Promise.all(round)).sort(), [0, 1]);
  });
}

test("Barrier: a thread whose action went on after it was given up ends nobody else's round", async () => {
  const barrier = new Barrier(2, { action: () => {} });
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const broken = barrier.wait().catch((error) => error);
  await until(() => barrier.nWaiting === 1);
  const controller = new AbortController();
  pool.with({ signal: controller.signal }).submit(work.actAndSpin, barrier, gate.words);
  await gate.arrived();
  controller.abort();
  assertInstanceOf(await broken, BrokenBarrierError);
  barrier.reset();
  const next = barrier.wait();
  Atomics.store(gate.words, OPEN, 1); // The action returns.
  assertEquals(await barrier.wait({ timeout: 5000 }), 1);
  assertEquals(await next, 0);
});
