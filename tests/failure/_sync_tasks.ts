/** The tasks of the locks' failure tests. */

import { task } from "@concurrent/futures/task";
import {
  type Barrier,
  Condition,
  type Event,
  type Lock,
  type RLock,
  RuntimeError,
  type Semaphore,
} from "@concurrent/futures/sync";
import type { Executor, ThreadPoolExecutor } from "@concurrent/futures";
import { blockFor, take } from "./_lock_acts.ts";
import { double, type End, endInTask, hold } from "./_tasks.ts";
import { type AnyLock, type Waitable, waitersOf } from "./_waiters.ts";

/** Words of a gate; see `Gate` in `_support.ts`. */
const OPEN = 0;
const ARRIVED = 1;

/** Words of a report: how many waits threw as they should, and how many things went wrong. */
export const ENDED = 0;
export const WRONG = 1;

/** Time between two looks at what other threads do. */
const POLL_MS = 2;

function arrive(gate: Int32Array): void {
  Atomics.add(gate, ARRIVED, 1);
  Atomics.notify(gate, ARRIVED);
}

function never(): Promise<never> {
  return new Promise(() => {});
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** Computes until the gate opens. */
function spinAt(gate: Int32Array): void {
  while (Atomics.load(gate, OPEN) === 0);
}

// Owners

/** Acquires, and ends its worker once the gate opens. */
export const holdAndEnd = task(
  import.meta,
  function holdAndEnd(locks: AnyLock[], gate: Int32Array, how: End): Promise<never> {
    take(locks);
    return endInTask(gate, how);
  },
);

/** Acquires, and returns without releasing once the gate opens. */
export const holdAndReturn = task(
  import.meta,
  function holdAndReturn(locks: AnyLock[], gate: Int32Array): void {
    take(locks);
    hold(gate);
  },
);

/** Acquires, and computes until the gate opens. */
export const holdAndSpin = task(
  import.meta,
  function holdAndSpin(locks: AnyLock[], gate: Int32Array): void {
    take(locks);
    arrive(gate);
    spinAt(gate);
  },
);

/** Acquires asynchronously, and never settles. */
export const holdAndPend = task(
  import.meta,
  async function holdAndPend(locks: AnyLock[], gate: Int32Array): Promise<never> {
    for (const lock of locks) await lock.acquire();
    arrive(gate);
    return await never();
  },
);

/** Acquires, and blocks for another object. */
export const holdAndWait = task(
  import.meta,
  function holdAndWait(locks: AnyLock[], gate: Int32Array, what: Waitable): void {
    take(locks);
    arrive(gate);
    blockFor(what);
  },
);

/** Acquires, and blocks for a task of the pool, which runs until the gate opens. */
export const holdAndNest = task(
  import.meta,
  function holdAndNest(locks: AnyLock[], gate: Int32Array, pool: ThreadPoolExecutor): void {
    take(locks);
    pool.submit(hold, gate).resultSync();
  },
);

/** Computes until the gate opens, and then acquires. */
export const spinAndAcquire = task(
  import.meta,
  function spinAndAcquire(lock: Lock, gate: Int32Array): void {
    arrive(gate);
    spinAt(gate);
    try {
      lock.acquireSync();
    } finally {
      arrive(gate);
    }
  },
);

/** How an acquired lock is released. */
export type Release = "release()" | "the end of a using block" | "the end of runSync()";

/**
 * Acquires, and releases once the gate opens; counts in the report how that went. The thread may
 * have been given up by then.
 */
export const holdAndRelease = task(
  import.meta,
  function holdAndRelease(
    lock: AnyLock,
    gate: Int32Array,
    report: Int32Array,
    how: Release,
  ): void {
    const body = (): void => {
      arrive(gate);
      spinAt(gate);
    };
    const acts: Record<Release, () => void> = {
      "release()": () => {
        lock.acquireSync();
        body();
        lock.release();
      },
      "the end of a using block": () => {
        using _ = lock.holdSync();
        body();
      },
      "the end of runSync()": () => lock.runSync(body),
    };
    tellFailure(report, acts[how], RuntimeError.is);
  },
);

function tellFailure(
  report: Int32Array,
  act: () => void,
  isExpected: (error: unknown) => boolean,
): void {
  let isRight = false;
  try {
    act();
  } catch (error) {
    isRight = isExpected(error);
  }
  Atomics.add(report, isRight ? ENDED : WRONG, 1);
}

// Threads that come after a death

/** Acquires in blocking form; releases, and returns whether it got the lock. */
export const acquireSync = task(import.meta, function acquireSync(lock: AnyLock): boolean {
  if (!lock.acquireSync({ timeout: 10_000 })) return false;
  lock.release();
  return true;
});

/** Acquires all of the locks at once, asynchronously; returns the outcome of each. */
export const acquireAll = task(import.meta, async function acquireAll(locks: AnyLock[]) {
  const outcomes = await Promise.allSettled(locks.map((lock) => lock.acquire()));
  return outcomes.map((outcome, i) => {
    if (outcome.status === "rejected") return String(outcome.reason.message);
    locks[i].release();
    return "acquired";
  });
});

/**
 * Takes a lock over when the first gate opens, unless another thread does, and releases it when the
 * second opens. Returns whether it has taken it over.
 */
export const recoverAtGate = task(
  import.meta,
  function recoverAtGate(lock: Lock | RLock, start: Int32Array, end: Int32Array): boolean {
    hold(start);
    const isMine = lock.recover();
    hold(end);
    if (isMine) lock.release();
    return isMine;
  },
);

// Waiters

/** Waits asynchronously, and releases a lock that it got. */
async function awaitIt(what: Waitable): Promise<void> {
  if (what instanceof Condition) {
    await what.acquire();
    await what.wait();
    what.release();
  } else if ("acquire" in what) {
    await what.acquire();
    if ("recover" in what) what.release();
  } else {
    await what.wait();
  }
}

/** Waits in blocking form; returns once it got what it waits for. */
export const waitFor = task(import.meta, function waitFor(what: Waitable): string {
  blockFor(what);
  if (what instanceof Condition || "recover" in what) (what as AnyLock).release();
  return "got it";
});

/** Waits for each of the objects asynchronously. */
export const awaitAll = task(import.meta, async function awaitAll(objects: Waitable[]) {
  await Promise.all(objects.map(awaitIt));
  return "got them";
});

function awaitUnheeded(objects: readonly Waitable[]): void {
  for (const object of objects) awaitIt(object).catch(() => {});
}

/** Waits for each of the objects asynchronously, and ends its worker once the gate opens. */
export const awaitAndEnd = task(
  import.meta,
  async function awaitAndEnd(objects: Waitable[], gate: Int32Array, how: End): Promise<never> {
    awaitUnheeded(objects);
    while (!objects.every((object) => waitersOf(object) > 0)) await turn();
    return await endInTask(gate, how);
  },
);

/**
 * Waits for each of the objects asynchronously, and returns once the gate opens, before it got any.
 */
export const awaitAndReturn = task(
  import.meta,
  async function awaitAndReturn(objects: Waitable[], gate: Int32Array): Promise<void> {
    awaitUnheeded(objects);
    while (!objects.every((object) => waitersOf(object) > 0)) await turn();
    hold(gate);
  },
);

/** Waits for each of the objects asynchronously, and computes until the gate opens. */
export const awaitAndSpin = task(
  import.meta,
  async function awaitAndSpin(objects: Waitable[], gate: Int32Array): Promise<void> {
    awaitUnheeded(objects);
    while (!objects.every((object) => waitersOf(object) > 0)) await turn();
    arrive(gate);
    spinAt(gate);
  },
);

/** Waits twice in blocking form, and counts in the report how often it threw. */
export const waitTwice = task(
  import.meta,
  function waitTwice(what: Waitable, report: Int32Array): void {
    for (let i = 0; i < 2; i++) {
      tellFailure(report, () => blockFor(what), isGivenUp);
    }
  },
);

/**
 * Blocks twice for a task of the pool, which runs until the gate opens; counts in the report how
 * often it threw.
 */
export const nestTwice = task(
  import.meta,
  function nestTwice(pool: ThreadPoolExecutor, gate: Int32Array, report: Int32Array): void {
    const future = pool.submit(hold, gate);
    for (let i = 0; i < 2; i++) tellFailure(report, () => future.resultSync(), isGivenUp);
  },
);

function isGivenUp(error: unknown): boolean {
  return error instanceof Error && error.message.includes("given up");
}

/** Waits for a condition in a block that holds its lock; counts in the report that it threw. */
export const waitInBlock = task(
  import.meta,
  function waitInBlock(condition: Condition, report: Int32Array): void {
    tellFailure(report, () => {
      using _ = condition.holdSync();
      condition.waitSync();
    }, () => true);
  },
);

// Barriers

/** Comes to the barrier in blocking form; returns its index. */
export const meet = task(import.meta, function meet(barrier: Barrier): number {
  return barrier.waitSync();
});

/** Comes to the barrier, and ends its worker once the gate opens. */
export const meetAndEnd = task(
  import.meta,
  function meetAndEnd(barrier: Barrier, gate: Int32Array, how: End): Promise<never> {
    barrier.wait().catch(() => {});
    return endInTask(gate, how);
  },
);

/**
 * Comes to the barrier last, in blocking form, with an action that ends its worker once the gate
 * opens.
 */
export const actAndEnd = task(
  import.meta,
  function actAndEnd(barrier: Barrier, gate: Int32Array, how: End): void {
    barrier.action = () => {
      endInTask(gate, how);
    };
    barrier.waitSync();
  },
);

/** Like {@linkcode actAndEnd}, but asynchronous: the action never settles. */
export const actAndEndLater = task(
  import.meta,
  async function actAndEndLater(barrier: Barrier, gate: Int32Array, how: End): Promise<void> {
    barrier.action = () => endInTask(gate, how);
    await barrier.wait();
  },
);

/**
 * Comes to the barrier last, in blocking form, with an action that computes until the gate opens.
 */
export const actAndSpin = task(
  import.meta,
  function actAndSpin(barrier: Barrier, gate: Int32Array): void {
    barrier.action = () => {
      arrive(gate);
      spinAt(gate);
    };
    barrier.waitSync();
  },
);

// For threads that are blocked

/** Blocks until a thread waits for the object. */
function awaitWaiter(object: Waitable): void {
  while (waitersOf(object) === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Acquires, comes to the gate, and releases when another thread waits. */
export const releaseWhenAwaited = task(
  import.meta,
  function releaseWhenAwaited(lock: AnyLock, gate: Int32Array): void {
    lock.acquireSync();
    arrive(gate);
    awaitWaiter(lock instanceof Condition ? lock.lock : lock);
    lock.release();
  },
);

/**
 * Acquires, and comes to the gate; when another thread waits, lets a task of the pool run, and then
 * releases.
 */
export const nestWhenAwaited = task(
  import.meta,
  function nestWhenAwaited(lock: AnyLock, gate: Int32Array, pool: ThreadPoolExecutor): number {
    lock.acquireSync();
    arrive(gate);
    awaitWaiter(lock instanceof Condition ? lock.lock : lock);
    const result = (pool as Executor).submit(double, 21).resultSync();
    lock.release();
    return result;
  },
);

/** Acquires, comes to the gate, and ends its worker when another thread waits. */
export const endWhenAwaited = task(
  import.meta,
  function endWhenAwaited(lock: Lock | RLock, gate: Int32Array, how: End): Promise<never> {
    lock.acquireSync();
    const opened = new Int32Array(new SharedArrayBuffer(8));
    arrive(gate);
    awaitWaiter(lock);
    Atomics.store(opened, OPEN, 1);
    return endInTask(opened, how);
  },
);

/** Sets an event. */
export const set = task(import.meta, function set(event: Event): void {
  event.set();
});

/** Sets an event once the gate opens. */
export const setAtGate = task(
  import.meta,
  function setAtGate(event: Event, gate: Int32Array): void {
    hold(gate);
    event.set();
  },
);

/** Releases a permit. */
export const release = task(import.meta, function release(semaphore: Semaphore): void {
  semaphore.release();
});

/** Adds one to the count, and notifies. */
export const notify = task(
  import.meta,
  function notify(condition: Condition, count: Int32Array): void {
    using _ = condition.holdSync();
    count[0]++;
    condition.notify();
  },
);

/** Releases a permit, and then sets an event. */
export const releaseAndSet = task(
  import.meta,
  function releaseAndSet(semaphore: Semaphore, event: Event): void {
    semaphore.release();
    event.set();
  },
);

/** Blocks for an object that it never gets. */
export const block = task(import.meta, function block(what: Waitable, gate: Int32Array): void {
  arrive(gate);
  blockFor(what);
});

/**
 * Makes its worker, some time after this task has returned, do what ends the waits for these
 * objects, once each of them is waited for.
 */
export const serveLater = task(
  import.meta,
  function serveLater(objects: Waitable[], delayMs: number): void {
    const timer = setInterval(() => {
      if (!objects.every((object) => waitersOf(object) > 0)) return;
      clearInterval(timer);
      setTimeout(() => objects.forEach(serve), delayMs);
    }, POLL_MS);
  },
);

/** Acquires locks that have an owner. */
export const own = task(import.meta, function own(locks: (Lock | RLock)[]): void {
  for (const lock of locks) lock.acquireSync();
});

function serve(object: Waitable): void {
  if (object instanceof Condition) object.runSync(() => object.notify());
  else if ("release" in object) object.release();
  else if ("set" in object) object.set();
  else object.wait();
}
