import { assertEquals } from "@std/assert";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { Condition, debugLocks, Lock, type LockState, RLock, Value } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate } from "../contracts/gate.ts";
import { lockQueued, queued } from "./_support.ts";
import { holdThenAcquire, stateSeenHere } from "./fixtures/debug_tasks.ts";
import { acquireOnce, acquireOnceSync, holdAtGateSync, keep } from "./fixtures/lock_tasks.ts";

/** Time for which two deadlocked threads can be observed before they give up. */
const DEADLOCK_MS = 10_000;

/** What debugLocks() reports of the locks of that name. */
function statesOf(name: string): LockState[] {
  return debugLocks().filter((state) => state.name === name);
}

/** The state of a lock that the main thread holds once. */
function held(kind: string, name: string, more: Partial<LockState> = {}): LockState {
  return {
    kind,
    name,
    owner: "main",
    isOwnerAlive: true,
    depth: 1,
    waiters: [],
    circle: [],
    ...more,
  };
}

test("debugLocks() tells of locks that are held, and of no others", () => {
  const lock = new Lock({ name: "told" });
  assertEquals(statesOf("told"), []);
  lock.acquireSync();
  assertEquals(statesOf("told"), [held("Lock", "told")]);
  lock.release();
  assertEquals(statesOf("told"), []);
});

test("debugLocks() tells of a lock without a name once this thread has waited for it", async () => {
  const nameless = (): number => debugLocks().filter(({ name }) => name === undefined).length;
  const lock = new Lock();
  lock.acquireSync();
  const before = nameless();
  assertEquals(await lock.acquire({ timeout: 1 }), false);
  assertEquals(nameless(), before + 1);
  lock.release();
  assertEquals(nameless(), before);
});

test("debugLocks() counts how often an RLock is held", async () => {
  const lock = new RLock({ name: "deep" });
  lock.acquireSync();
  lock.acquireSync();
  assertEquals(statesOf("deep"), [held("RLock", "deep", { depth: 2 })]);
  lock.release();
  assertEquals(statesOf("deep"), [held("RLock", "deep")]);
  lock.release();
  await lock.run(() => lock.run(() => assertEquals(statesOf("deep")[0].depth, 2)));
  assertEquals(statesOf("deep"), []);
});

test("debugLocks() tells of the lock of a condition and of a value", () => {
  const condition = new Condition(new RLock({ name: "a condition's" }));
  const value = new Value("i32", 0, { name: "a value's" });
  condition.runSync(() => {
    value.getLock().runSync(() => {
      assertEquals(statesOf("a condition's"), [held("RLock", "a condition's")]);
      assertEquals(statesOf("a value's"), [held("RLock", "a value's")]);
    });
  });
  assertEquals([...statesOf("a condition's"), ...statesOf("a value's")], []);
});

test("debugLocks() names a thread once for each of its tasks that wait", async () => {
  const lock = new Lock({ name: "wanted" });
  await lock.acquire();
  const waits = [lock.acquire(), lock.acquire({ timeout: DEADLOCK_MS })];
  // A thread that waits for what another of its own tasks holds forms a circle alone.
  const circle = ["main"];
  assertEquals(statesOf("wanted"), [
    held("Lock", "wanted", { waiters: ["main", "main"], circle }),
  ]);
  lock.release();
  await waits[0];
  assertEquals(statesOf("wanted"), [held("Lock", "wanted", { waiters: ["main"], circle })]);
  lock.release();
  await waits[1];
  assertEquals(statesOf("wanted"), [held("Lock", "wanted")]);
  lock.release();
  assertEquals(statesOf("wanted"), []);
});

test("debugLocks() does not tell of waits that were given up", async () => {
  const lock = new RLock({ name: "given up" });
  await lock.acquire();
  const controller = new AbortController();
  const aborted = lock.acquire({ signal: controller.signal }).catch((error) => error);
  assertEquals(statesOf("given up")[0].waiters, ["main"]);
  controller.abort("enough");
  assertEquals(statesOf("given up")[0].waiters, []);
  assertEquals(await aborted, "enough");
  assertEquals(await lock.acquire({ timeout: 1 }), false);
  assertEquals(statesOf("given up"), [held("RLock", "given up")]);
  lock.release();
});

test("debugLocks() names the workers that hold and wait, in their order", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "crew" });
  using gate = new Gate();
  const lock = new Lock({ name: "shared" });
  const holding = pool.submit(holdAtGateSync, lock, gate.words);
  await gate.entered();
  const own = lock.acquire();
  const waiting = pool.submit(acquireOnceSync, lock);
  await queued(lock, 2);
  assertEquals(statesOf("shared"), [
    held("Lock", "shared", { owner: "crew_0", waiters: ["main", "crew_1"] }),
  ]);
  gate.open();
  await holding;
  await own;
  assertEquals(statesOf("shared"), [held("Lock", "shared", { waiters: ["crew_1"] })]);
  lock.release();
  await waiting;
  assertEquals(statesOf("shared"), []);
});

test("debugLocks() tells of an owner that has ended", async () => {
  await using pool = new ThreadPoolExecutor({
    maxWorkers: 1,
    maxTasksPerChild: 1,
    threadNamePrefix: "crew",
  });
  const lock = new RLock({ name: "orphan" });
  await pool.submit(keep, lock);
  // This waits until the death is known.
  await lock.acquire().catch(() => {});
  assertEquals(statesOf("orphan"), [
    held("RLock", "orphan", { owner: "crew_0", isOwnerAlive: false }),
  ]);
  lock.recover();
  assertEquals(statesOf("orphan"), [held("RLock", "orphan")]);
  lock.release();
});

test("debugLocks() shows a circle of two threads, from the side of each lock", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "crew" });
  using gate = new Gate();
  const [a, b] = [new Lock({ name: "A" }), new RLock({ name: "B" })];
  a.acquireSync();
  const remote = pool.submit(holdThenAcquire, b, a, gate.words, DEADLOCK_MS);
  await gate.entered();
  const controller = new AbortController();
  const own = b.acquire({ signal: controller.signal }).catch((error) => error);
  assertEquals([statesOf("A")[0].circle, statesOf("B")[0].circle], [[], []]);
  gate.open();
  await queued(a);
  assertEquals(statesOf("A"), [
    held("Lock", "A", { waiters: ["crew_0"], circle: ["main", "crew_0"] }),
  ]);
  assertEquals(statesOf("B"), [
    held("RLock", "B", { owner: "crew_0", waiters: ["main"], circle: ["crew_0", "main"] }),
  ]);
  controller.abort("enough");
  assertEquals([await own, statesOf("A")[0].circle], ["enough", []]);
  a.release();
  assertEquals(await remote, true);
});

test("debugLocks() shows a circle of three threads, and leaves out who waits beside it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 3, threadNamePrefix: "crew" });
  using gate = new Gate();
  const [a, b, c] = ["3a", "3b", "3c"].map((name) => new Lock({ name }));
  const first = pool.submit(holdThenAcquire, a, b, gate.words, DEADLOCK_MS);
  await gate.entered(1);
  const second = pool.submit(holdThenAcquire, b, c, gate.words, DEADLOCK_MS);
  await gate.entered(2);
  c.acquireSync();
  gate.open();
  await queued(b);
  await queued(c);
  const beside = pool.submit(acquireOnce, a);
  await queued(a);
  assertEquals(["3a", "3b", "3c"].map((name) => statesOf(name)[0].circle), [[], [], []]);
  const controller = new AbortController();
  const own = a.acquire({ signal: controller.signal }).catch((error) => error);
  await lockQueued(a, 2);
  const circles = ["3a", "3b", "3c"].map((name) => statesOf(name)[0].circle);
  assertEquals(circles, [
    ["crew_0", "crew_1", "main"],
    ["crew_1", "main", "crew_0"],
    ["main", "crew_0", "crew_1"],
  ]);
  assertEquals(statesOf("3a")[0].waiters, ["crew_2", "main"]);
  controller.abort("enough");
  await own;
  c.release();
  assertEquals(await Promise.all([first, second, beside]), [true, true, true]);
});

test("debugLocks() in a worker tells of what that has made and received", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "crew" });
  const [lock, other] = [new Lock({ name: "sent" }), new Lock({ name: "not sent" })];
  lock.acquireSync();
  other.acquireSync();
  const seen = await pool.submit(stateSeenHere, lock);
  assertEquals(seen, [held("Lock", "sent"), held("Lock", "own", { owner: "crew_0" })]);
  lock.release();
  other.release();
});

test("debugLocks() tells of a lock once, however many views of it this thread has", () => {
  const lock = new Lock({ name: "one of many" });
  const views = [1, 2, 3].map(() => Lock.from(lock.handle));
  lock.acquireSync();
  assertEquals(statesOf("one of many"), [held("Lock", "one of many")]);
  views[0].release();
  const value = new Value("i32", 0, { name: "lock of a value" });
  const view = Value.from<"i32">(value.handle);
  value.getLock().runSync(() => {
    assertEquals(view.getLock().locked(), true);
    assertEquals(statesOf("lock of a value"), [held("RLock", "lock of a value")]);
  });
});
