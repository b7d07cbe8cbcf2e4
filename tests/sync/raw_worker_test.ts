import { assert, assertEquals, assertRejects } from "@std/assert";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import {
  Barrier,
  BoundedSemaphore,
  BrokenBarrierError,
  Condition,
  debugLocks,
  Event,
  type Handle,
  Lock,
  OwnerDiedError,
  RLock,
  RuntimeError,
  Semaphore,
  TimeoutError,
  Value,
} from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";
import type { Lockable } from "../contracts/lock_suite.ts";
import { assertSound, SHORT_MS } from "../contracts/lock_suite.ts";
import { lockQueued, lockWaitersOf, queued, rejectionOf, stateOf, waitersOf } from "./_support.ts";
import { acquireOnce, acquireOnceSync } from "./fixtures/lock_tasks.ts";
import type { RawKind } from "./fixtures/raw_worker.ts";
import { type RawObject, RawWorker } from "./raw_workers.ts";

/** Objects that are acquired and released, and how they are made. */
const LOCKS: {
  kind: RawKind;
  args: unknown[];
  make(): Lockable;
  from(handle: Handle): Lockable;
}[] = [
  { kind: "Lock", args: [], make: () => new Lock(), from: (handle) => Lock.from(handle) },
  { kind: "RLock", args: [], make: () => new RLock(), from: (handle) => RLock.from(handle) },
  {
    kind: "Condition",
    args: [],
    make: () => new Condition(),
    from: (handle) => Condition.from(handle),
  },
  {
    kind: "Semaphore",
    args: [1],
    make: () => new Semaphore(1),
    from: (handle) => Semaphore.from(handle),
  },
  {
    kind: "BoundedSemaphore",
    args: [1],
    make: () => new BoundedSemaphore(1),
    from: (handle) => BoundedSemaphore.from(handle),
  },
];

/** Lets both sides hold and wait in turn, in both forms. */
async function assertShared(here: Lockable, there: RawObject): Promise<void> {
  for (const form of ["acquire", "acquireSync"] as const) {
    // This thread holds.
    await here.acquire();
    assertEquals(await there.call("locked"), true);
    assertEquals(await there.call(form, { timeout: 0 }), false);
    assertEquals(await there.call(form, { blocking: false }), false);
    assertEquals(await there.call(form, { timeout: SHORT_MS }), false);
    assertEquals(lockWaitersOf(here), 0);
    const waiting = there.call(form);
    await lockQueued(here);
    here.release();
    assertEquals([await waiting, here.locked()], [true, true]);
    // The worker holds.
    assertEquals(here.acquireSync({ timeout: SHORT_MS }), false);
    assertEquals(await here.acquire({ timeout: SHORT_MS }), false);
    const controller = new AbortController();
    const aborted = here.acquire({ signal: controller.signal }).catch((error) => error);
    controller.abort("enough");
    assertEquals([await aborted, lockWaitersOf(here)], ["enough", 0]);
    const own = here.acquire();
    await there.call("release");
    assertEquals(await own, true);
    here.release();
    await assertSound(here);
  }
}

for (const { kind, args, make, from } of LOCKS) {
  test(`${kind} of the main thread works with a raw worker, in both forms`, async () => {
    using worker = new RawWorker();
    const lock = make();
    await assertShared(lock, await worker.open(lock));
  });

  test(`${kind} of a raw worker works with the main thread, in both forms`, async () => {
    using worker = new RawWorker();
    const { there, handle } = await worker.make(kind, ...args);
    await assertShared(from(handle), there);
  });

  test(`${kind}: each side's own work with the other, made before they were sent`, async () => {
    using worker = new RawWorker();
    const theirs = await worker.make(kind, ...args);
    const ours = make();
    await assertShared(ours, await worker.open(ours));
    await assertShared(from(theirs.handle), theirs.there);
    await assertShared(ours, await worker.open(ours));
  });
}

for (const { kind, make, from, args } of LOCKS.filter(({ kind }) => kind.endsWith("Lock"))) {
  test(`${kind}.acquireSync() on the main thread waits until a raw worker releases`, async () => {
    using worker = new RawWorker();
    const ours = make();
    const theirs = await worker.make(kind, ...args);
    const pairs = [
      { here: ours, there: await worker.open(ours) },
      { here: from(theirs.handle), there: theirs.there },
    ];
    for (const { here, there } of pairs) {
      await there.call("acquireSync");
      const released = there.whenWaiting(1, "release");
      assertEquals(here.acquireSync(), true);
      await released;
      here.release();
      await assertSound(here);
    }
  });
}

test("RLock of a raw worker has one owner at a time", async () => {
  using worker = new RawWorker("their worker");
  const { there, handle } = await worker.make("RLock");
  const lock = RLock.from(handle);
  await there.call("acquireSync");
  await there.call("acquireSync");
  await assertRejects(
    () => lock.run(() => 1, { timeout: 0 }),
    TimeoutError,
    'Cannot acquire RLock within 0 ms: it is held by thread "their worker"',
  );
  await there.call("release");
  assertEquals(lock.locked(), true);
  await there.call("release");
  await lock.run(() =>
    lock.run(async () => {
      const refused = await rejectionOf(there.call("release")) as Error;
      assertEquals(
        [refused.name, refused.message],
        ["RuntimeError", 'Cannot release RLock: it is held by thread "main"'],
      );
    })
  );
  await assertSound(lock);
});

/** An object made on either side, with its view on the other one. */
async function pairsOf<T extends { handle: Handle }>(
  worker: RawWorker,
  kind: RawKind,
  args: unknown[],
  own: T,
  from: (handle: Handle) => T,
): Promise<{ here: T; there: RawObject }[]> {
  const theirs = await worker.make(kind, ...args);
  return [
    { here: own, there: await worker.open(own) },
    { here: from(theirs.handle), there: theirs.there },
  ];
}

test("Condition of either side: each waits, and is notified by the other", async () => {
  using worker = new RawWorker();
  const make = () => new Condition();
  const pairs = await pairsOf(worker, "Condition", [], make(), (handle) => Condition.from(handle));
  for (const { here, there } of pairs) {
    for (const form of ["wait", "waitSync"]) {
      await there.call("acquireSync");
      const waiting = there.call(form);
      await queued(here);
      await here.run(() => here.notify());
      assertEquals(await waiting, true);
      assertEquals(await there.call(form, { timeout: SHORT_MS }), false);
      await there.call("release");
    }
    const own = here.run(() => here.wait());
    await queued(here);
    await there.call("acquireSync");
    await there.call("notify");
    assertEquals(await stateOf(own), "pending");
    await there.call("release");
    assertEquals(await own, true);
    await assertSound(here);
  }
});

test("Event of either side wakes the other", async () => {
  using worker = new RawWorker();
  const pairs = await pairsOf(worker, "Event", [], new Event(), (handle) => Event.from(handle));
  for (const { here, there } of pairs) {
    for (const form of ["wait", "waitSync"]) {
      const waiting = there.call(form);
      await queued(here);
      here.set();
      here.clear();
      assertEquals(await waiting, true);
      assertEquals(await there.call(form, { timeout: SHORT_MS }), false);
    }
    const own = here.wait();
    await there.call("set");
    assertEquals([await own, here.isSet()], [true, true]);
    here.clear();
    const setting = there.whenWaiting(1, "set");
    assertEquals(here.waitSync(), true);
    await setting;
    here.clear();
  }
});

test("Barrier of either side lets both meet, and breaks for both", async () => {
  using worker = new RawWorker();
  const own = new Barrier(2);
  const pairs = await pairsOf(worker, "Barrier", [2], own, (handle) => Barrier.from(handle));
  for (const { here, there } of pairs) {
    for (const form of ["wait", "waitSync"]) {
      const first = there.call(form);
      await queued(here);
      assertEquals([here.waitSync(), await first], [1, 0]);
      const waiting = here.wait();
      assertEquals([await there.call(form), await waiting], [1, 0]);
      const late = rejectionOf(here.wait());
      await there.call("abort");
      assert(BrokenBarrierError.is(await late));
      here.reset();
      const remote = there.call(form).catch((error) => error.name);
      await queued(here);
      here.abort();
      assertEquals(await remote, "BrokenBarrierError");
      here.reset();
    }
  }
});

test("Semaphore of either side shares its permits", async () => {
  using worker = new RawWorker();
  const own = new Semaphore(2);
  const pairs = await pairsOf(worker, "Semaphore", [2], own, (handle) => Semaphore.from(handle));
  for (const { here, there } of pairs) {
    assertEquals([await there.call("acquire"), here.acquireSync()], [true, true]);
    assertEquals([await there.call("getValue"), here.getValue()], [0, 0]);
    const waits = [there.call("acquire"), there.call("acquire")];
    await queued(here, 2);
    here.release(2);
    assertEquals(await Promise.all(waits), [true, true]);
    const mine = here.acquire();
    await there.call("release", 3);
    assertEquals([await mine, here.getValue()], [true, 2]);
  }
});

test("Value of either side is one number with one lock", async () => {
  using worker = new RawWorker();
  const own = new Value("f64", 1.5);
  const pairs = await pairsOf(worker, "Value", ["f64", 1.5], own, (handle) => Value.from(handle));
  for (const { here, there } of pairs) {
    here.add(1);
    assertEquals([await there.call("add", 2), here.value], [4.5, 4.5]);
    await assertSound(here.getLock());
  }
});

test("objects go from raw worker to raw worker, and on to a pool's worker", async () => {
  using maker = new RawWorker("maker");
  using user = new RawWorker("user");
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "crew" });
  const { there, handle } = await maker.make("Lock", { name: "theirs" });
  const lock = Lock.from(handle);
  const used = await user.open(lock);
  for (const acquire of [acquireOnce, acquireOnceSync] as ((lock: Lock) => unknown)[]) {
    await there.call("acquireSync");
    const remote = pool.submit(acquire, lock);
    await queued(lock, 1);
    const second = used.call("acquire");
    await queued(lock, 2);
    const [state] = debugLocks().filter(({ name }) => name === "theirs");
    assertEquals([state.owner, state.waiters], ["maker", ["crew_0", "user"]]);
    await there.call("release");
    assertEquals([await remote, await second], [true, true]);
    const own = lock.acquire();
    assertEquals(await stateOf(own), "pending");
    await used.call("release");
    assertEquals(await own, true);
    lock.release();
  }
  await assertSound(lock);
});

test("a raw worker waits for its own and for the main thread's at once, and so does the main thread", async () => {
  using worker = new RawWorker();
  const theirs = await worker.make("Event");
  const ours = new Event();
  const oursThere = await worker.open(ours);
  const theirsHere = Event.from(theirs.handle);
  for (const order of [[ours, theirsHere], [theirsHere, ours]]) {
    const waits = [
      theirs.there.call("wait"),
      oursThere.call("wait"),
      ours.wait(),
      theirsHere.wait(),
    ];
    await queued(ours, 2);
    await queued(theirsHere, 2);
    for (const event of order) {
      event.set();
      event.clear();
      await queued(event, 0);
    }
    assertEquals(await Promise.all(waits), [true, true, true, true]);
  }
});

test("a raw worker that ends by itself with a lock is reported as dead", async () => {
  const worker = new Worker(
    `data:text/javascript,${
      encodeURIComponent(`
        import { Lock } from ${JSON.stringify(import.meta.resolve("../../sync/mod.ts"))};
        onmessage = ({ data }) => {
          const lock = data.kind === "Lock" ? Lock.from(data) : new Lock();
          lock.acquireSync();
          postMessage(lock.handle);
          onmessage = () => close();
        };`)
    }`,
    { type: "module", name: "mortal" },
  );
  try {
    const reply = (): Promise<Handle> =>
      new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    const lock = new Lock();
    worker.postMessage(lock.handle);
    await reply();
    assertEquals(lock.locked(), true);
    const waiting = lock.acquire();
    await queued(lock);
    worker.postMessage("end");
    await assertRejects(
      () => waiting,
      OwnerDiedError,
      'Cannot acquire Lock: its owner, thread "mortal", has ended',
    );
    assertEquals([waitersOf(lock), lock.recover()], [0, true]);
    lock.release();
    await assertSound(lock);
  } finally {
    worker.terminate();
  }
});

test("handles that are no handles are refused in a raw worker too", async () => {
  using worker = new RawWorker();
  const { there } = await worker.make("Lock");
  const json = JSON.parse(JSON.stringify(new Lock().handle));
  for (const handle of [json, { kind: "Lock", data: {} }]) {
    const error = await rejectionOf(worker.open({ handle })) as Error;
    assertEquals(error.name, "TypeError");
  }
  assertEquals(await there.call("acquireSync"), true);
  const twice = await rejectionOf(there.call("acquireSync", { timeout: -1 })) as Error;
  assertEquals(twice.name, "RangeError");
  await there.call("release");
  const error = await rejectionOf(there.call("release")) as Error;
  assertEquals([error.name, error.message], [
    RuntimeError.name,
    "Cannot release Lock: it is not held",
  ]);
});

test("a program that waited for its own and for a raw worker's objects at once ends", async () => {
  const { code, stdout, timedOut } = await runProgram(`
    import { Event, ThreadPoolExecutor } from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
    import { RawWorker } from ${JSON.stringify(new URL("tests/sync/raw_workers.ts", ROOT).href)};
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(() => 1);
    {
      using worker = new RawWorker();
      const { there, handle } = await worker.make("Event");
      const ours = new Event();
      const theirs = Event.from(handle);
      const waits = [ours.wait(), theirs.wait()];
      await there.call("set");
      ours.set();
      console.log(await Promise.all(waits));
    }
    // An idle pool does not hold the program, nor does anything else by now.
  `);
  assertEquals([code, stdout.trim(), timedOut], [0, "[ true, true ]", false]);
});
