/**
 * The rules that cores keep so that an object can be used from another process (see
 * `_memory/core.ts`). Here, this process plays the other one too: a stub gets nothing of the core
 * but the names of its methods, and copies of arguments and results.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  checkCallable,
  type Core,
  isRemoteData,
  methodsOf,
  openCore,
  type RemoteData,
  setRemoteCores,
  type WholeCore,
} from "../../_memory/core.ts";
import type { Handle } from "../../_memory/handle.ts";
import { Deputy, home, type Limits } from "../../_memory/seat.ts";
import { NEVER, nowMs } from "../../_platform/clock.ts";
import type { ConditionCore, LostLock } from "../../sync/_condition_core.ts";
import type { LockCore } from "../../sync/_lock_core.ts";
import { type RLockCore, TASK, THREAD } from "../../sync/_rlock_core.ts";
import {
  Barrier,
  BoundedSemaphore,
  BrokenBarrierError,
  Condition,
  Event,
  type Guard,
  Lock,
  NotShareableError,
  OwnerDiedError,
  RLock,
  RuntimeError,
  Semaphore,
  TimeoutError,
  Value,
} from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { jsonCopy, queued, type Shared } from "./_support.ts";

const SHORT_MS = 5;

const ENDLESS: Limits = { deadlineMs: NEVER, signal: undefined };

/** The objects that are used from elsewhere, by the identifier in their remote data. */
const owned = new Map<string, Handle>();

/** The methods that stubs were asked to call. */
const calls: string[] = [];

type Method = (...args: unknown[]) => unknown;

/** The handle of an object for another process. */
function remoteOf({ handle }: Shared): Handle {
  const remote = `#${owned.size}`;
  owned.set(remote, handle);
  const { name, lock } = handle.data as { readonly name?: string; readonly lock?: Handle };
  const data = { remote, name };
  // A condition's lock is sent with it.
  return {
    kind: handle.kind,
    data: lock === undefined ? data : { ...data, lock: remoteOf({ handle: lock } as Shared) },
  };
}

/** The core for which a stub stands. */
function openOwned({ remote }: RemoteData): Core {
  const [id, ...parts] = remote.split("/");
  const { kind, data } = owned.get(id)!;
  return parts.reduce<Core>((whole, part) => {
    const handle = (whole as WholeCore).part(part);
    return openCore(handle.kind, handle.data);
  }, openCore(kind, data));
}

/** A stub that checks that the rules are kept. */
function makeStub(kind: string, data: RemoteData): Core {
  const core = openOwned(data) as Core & Record<string, Method>;
  const known: Record<string, unknown> = { data, name: data.name };
  return new Proxy({} as Core, {
    get(_, property) {
      assert(typeof property === "string", `a core is asked for ${String(property)}`);
      if (property in known) return known[property];
      assert(isMethod(core, property), `${kind}: ${property} is no method`);
      return (...args: unknown[]) => call(kind, core, property, args);
    },
    set(_, property) {
      throw new Error(`${kind}: ${String(property)} is written`);
    },
  });
}

function isMethod(core: object, name: string): boolean {
  for (let part = core; part !== null; part = Object.getPrototypeOf(part)) {
    const property = Object.getOwnPropertyDescriptor(part, name);
    if (property !== undefined) return typeof property.value === "function";
  }
  return false;
}

/** Calls a method as if across a process boundary. */
function call(kind: string, core: Record<string, Method>, name: string, args: unknown[]): unknown {
  calls.push(`${kind}.${name}`);
  const { waiting } = methodsOf(kind);
  const twin = name.replace(/Sync$/, "");
  if (waiting.includes(twin)) checkCallable(core as unknown as Core, twin, true);
  else checkCallable(core as unknown as Core, name, false);
  const mayWait = waiting.includes(name);
  if (mayWait) {
    const limits = args.at(-1) as Limits;
    assert("deadlineMs" in limits && "signal" in limits, `${kind}.${name} has no limits`);
    const result = core[name](...structuredClone(args.slice(0, -1)), limits);
    assert(result instanceof Promise, `${kind}.${name} returns no promise`);
    return result.then((value) => structuredClone(value));
  }
  const result = core[name](...structuredClone(args));
  assert(!(result instanceof Promise), `${kind}.${name} is not registered as one that waits`);
  return structuredClone(result);
}

/** The calls of cores that a step makes. */
async function callsOf(step: () => unknown): Promise<string[]> {
  calls.length = 0;
  await step();
  return calls.splice(0);
}

/** Like {@linkcode callsOf}, without the kinds, as one text. */
async function namesOf(step: () => unknown): Promise<string> {
  return (await callsOf(step)).map((call) => call.slice(call.indexOf(".") + 1)).join(" ");
}

/** An object as another process sees it. */
function elsewhere<T>(object: Shared, from: (handle: Handle) => T): T {
  setRemoteCores(makeStub);
  const handle = remoteOf(object);
  const there = from(jsonCopy(handle));
  assertEquals((there as Shared).handle, jsonCopy(handle));
  return there;
}

test("an object of another process is refused where nothing reaches it", () => {
  const handle = remoteOf(new Lock());
  assert(isRemoteData(handle.data));
  assertThrows(
    () => Lock.from(handle),
    Error,
    "Cannot receive Lock: it belongs to another process",
  );
});

test("each method of a core that may wait has a twin that blocks", () => {
  const classes = [Lock, RLock, Condition, Semaphore, BoundedSemaphore, Event];
  const objects = [...classes.map((of) => new of()), new Barrier(2), new Value("i32")];
  for (const { handle: { kind, data } } of objects) {
    const core = openCore(kind, data);
    assertEquals(methodsOf(kind).waiting.length, kind === "Value" ? 0 : 1);
    for (const name of methodsOf(kind).waiting) {
      assert(isMethod(core, name) && isMethod(core, `${name}Sync`), `${kind}.${name}`);
    }
  }
});

test("Lock from elsewhere makes one call of its core each", async () => {
  const lock = new Lock({ name: "accounts" });
  const there = elsewhere(lock, Lock.from);
  assertEquals(there.name, "accounts");
  assertEquals(await namesOf(() => there.acquireSync()), "acquireSync");
  assertEquals(lock.locked(), true);
  assertEquals(await namesOf(() => there.acquireSync({ blocking: false })), "tryAcquire");
  assertEquals(await namesOf(() => there.acquireSync({ timeout: SHORT_MS })), "acquireSync");
  assertEquals(await namesOf(() => there.acquire({ timeout: 0 })), "tryAcquire");
  assertEquals(await namesOf(() => there.acquire({ timeout: SHORT_MS })), "acquire");
  assertEquals(await namesOf(() => there.locked()), "locked");
  assertEquals(await namesOf(() => there.release()), "release");
  assertEquals(await namesOf(() => there.recover()), "recover");
  assertEquals(await namesOf(() => there.acquire()), "acquire");
  there.release();
  assertEquals(await namesOf(() => there.runSync(() => {})), "acquireSync release");
  assertEquals(await namesOf(() => there.run(() => {})), "acquire release");
  assertThrows(() => there.release(), RuntimeError, 'release Lock "accounts": it is not held');
  lock.acquireSync();
  assertThrows(() => there.holdSync({ timeout: 0 }), TimeoutError, 'held by thread "main"');
  const waiting = there.acquire();
  await queued(lock);
  lock.release();
  assertEquals(await waiting, true);
});

test("Lock.acquire() from elsewhere is aborted by its signal", async () => {
  const lock = new Lock();
  lock.acquireSync();
  const controller = new AbortController();
  const waiting = elsewhere(lock, Lock.from).acquire({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
});

test("RLock from elsewhere makes one call of its core each", async () => {
  const lock = new RLock();
  const there = elsewhere(lock, RLock.from);
  assertEquals(await namesOf(() => there.acquireSync()), "acquireSync");
  assertEquals(await namesOf(() => there.acquireSync()), "acquireSync");
  assertEquals(await namesOf(() => there.acquireSync({ timeout: 0 })), "tryAcquire");
  assertEquals(await namesOf(() => there.release()), "release");
  assertEquals(await namesOf(() => there.release()), "release");
  assertEquals(await namesOf(() => there.release()), "release");
  assertEquals(await namesOf(() => there.locked()), "locked");
  assertEquals(await namesOf(() => there.recover()), "recover");
  assertEquals(await namesOf(() => there.acquire()), "acquire");
  assertEquals(await namesOf(() => there.release()), "release");
  assertEquals(await namesOf(() => there.runSync(() => {})), "acquireSync release");
  assertEquals(
    await namesOf(async () => {
      using _ = await there.hold();
    }),
    "acquire releaseAs",
  );
  assertThrows(() => there.release(), RuntimeError, "it is not held");
});

test("RLock.run() from elsewhere is entered again by what it calls, and by nobody else", async () => {
  const lock = new RLock();
  const there = elsewhere(lock, RLock.from);
  const inner = () => there.run(() => there.runSync(() => lock.locked()));
  assertEquals(
    await namesOf(() => there.run(inner)),
    "acquire enterAgain enterAgain release release releaseAs",
  );
  const order: string[] = [];
  await Promise.all(["a", "b"].map((name) =>
    there.run(async () => {
      order.push(`${name} in`);
      await there.run(() => Promise.resolve());
      order.push(`${name} out`);
    })
  ));
  assertEquals(order, ["a in", "a out", "b in", "b out"]);
  assertEquals(lock.locked(), false);
});

test("RLock's core refuses a thread that would block for ever, in both forms", async () => {
  const { kind, data } = new RLock().handle;
  const core = openCore<RLockCore>(kind, data);
  assertEquals(await core.acquire(THREAD, ENDLESS), true);
  assertEquals(await core.acquire(THREAD, ENDLESS), true);
  assertEquals(core.acquireSync(THREAD, NEVER), true);
  for (let i = 0; i < 3; i++) core.release([]);
  assertEquals(await core.acquire(TASK, ENDLESS), true);
  assertThrows(() => core.acquireSync(THREAD, NEVER), RuntimeError, "an async task of this thread");
  await assertRejects(() => core.acquire(THREAD, ENDLESS), RuntimeError, "await the promise form");
  assertEquals(await core.acquire(TASK, { ...ENDLESS, deadlineMs: nowMs() }), false);
  core.release([]);
});

for (const makeLock of [() => new Lock(), () => new RLock()]) {
  const { kind } = makeLock().handle;

  test(`Condition over ${kind} from elsewhere makes one call of its core each`, async () => {
    const condition = new Condition(makeLock());
    const there = elsewhere(condition, Condition.from);
    assertEquals(there.lock[Symbol.toStringTag], kind);
    assertEquals(await callsOf(() => there.acquireSync()), [`${kind}.acquireSync`]);
    assertEquals(condition.locked(), true);
    const late = { timeout: SHORT_MS };
    assertEquals(await callsOf(() => there.waitSync(late)), ["Condition.waitSync"]);
    assertEquals(await callsOf(() => there.wait(late)), ["Condition.wait"]);
    assertEquals(await callsOf(() => there.waitFor(() => true)), []);
    assertEquals(await callsOf(() => there.waitForSync(() => 0, late)), ["Condition.waitSync"]);
    assertEquals(await callsOf(() => there.notify()), ["Condition.notify"]);
    assertEquals(await callsOf(() => there.notifyAll()), ["Condition.notify"]);
    there.release();
    assertEquals(condition.locked(), false);
    await assertRejects(() => there.wait(), RuntimeError, `its ${kind} is not held here`);
  });

  test(`Condition over ${kind} is notified from elsewhere, and notifies there`, async () => {
    const condition = new Condition(makeLock());
    const there = elsewhere(condition, Condition.from);
    for (const [waiter, notifier] of [[condition, there], [there, condition]]) {
      let isReady = false;
      const waiting = waiter.run(() => waiter.waitFor(() => isReady));
      await queued(condition);
      await notifier.run(() => {
        isReady = true;
        notifier.notify();
      });
      assertEquals(await waiting, true);
    }
  });
}

test("Condition's core refuses a thread that would block for ever, in both forms", async () => {
  const condition = new Condition();
  const core = openCore<ConditionCore>("Condition", condition.handle.data);
  const lock = openCore<RLockCore>("RLock", condition.lock.handle.data);
  const soon = () => ({ deadlineMs: nowMs() + SHORT_MS, signal: undefined });
  lock.acquireSync(THREAD, NEVER);
  const waiting = core.wait(true, [], soon());
  await lock.acquire(TASK, soon());
  const { error } = await waiting as LostLock;
  assert(RuntimeError.is(error));
  assertStringIncludes(error.message, "an async task of this thread holds it");
  assertEquals(lock.locked(), true);
  lock.release([]);
});

test("a condition is not made over a lock of another process", () => {
  const there = elsewhere(new Lock({ name: "accounts" }), Lock.from);
  assertThrows(
    () => new Condition(there),
    NotShareableError,
    'Cannot make Condition: its Lock "accounts" belongs to another process',
  );
});

test("Semaphore from elsewhere makes one call of its core each", async () => {
  const semaphore = new Semaphore(1, { name: "permits" });
  const there = elsewhere(semaphore, Semaphore.from);
  assertEquals(await namesOf(() => there.acquireSync()), "acquireSync");
  assertEquals(semaphore.getValue(), 0);
  assertEquals(await namesOf(() => there.acquireSync({ timeout: SHORT_MS })), "acquireSync");
  assertEquals(await namesOf(() => there.acquireSync({ blocking: false })), "tryAcquire");
  assertEquals(await namesOf(() => there.acquire({ timeout: 0 })), "tryAcquire");
  assertEquals(await namesOf(() => there.release(2)), "release");
  assertEquals(await namesOf(() => there.acquire()), "acquire");
  assertEquals(await namesOf(() => there.getValue()), "value");
  assertEquals(await namesOf(() => there.locked()), "value");
  assertEquals(await namesOf(() => there.runSync(() => {})), "acquireSync release");
  assertEquals(await namesOf(() => there.run(() => {})), "acquire release");
});

test("BoundedSemaphore from elsewhere refuses a release too many", async () => {
  const semaphore = new BoundedSemaphore(2, { name: "permits" });
  const there = elsewhere(semaphore, BoundedSemaphore.from);
  assertEquals(await callsOf(() => there.acquire()), ["BoundedSemaphore.acquire"]);
  there.release();
  assertThrows(
    () => there.release(),
    RangeError,
    'Cannot release BoundedSemaphore "permits" 1 times: 2 permits are free, and there are no more than 2',
  );
});

test("Event from elsewhere makes one call of its core each", async () => {
  const event = new Event();
  const there = elsewhere(event, Event.from);
  assertEquals(await namesOf(() => there.wait({ timeout: 0 })), "isSet");
  assertEquals(await namesOf(() => there.waitSync({ timeout: SHORT_MS })), "waitSync");
  assertEquals(await namesOf(() => there.wait({ timeout: SHORT_MS })), "wait");
  const waiting = there.wait();
  await queued(event);
  assertEquals(await namesOf(() => there.set()), "set");
  assertEquals(await waiting, true);
  assertEquals(await namesOf(() => there.isSet()), "isSet");
  assertEquals(await namesOf(() => there.clear()), "clear");
  assertEquals(event.isSet(), false);
});

test("Barrier from elsewhere makes one call of its core each, and one more for the action", async () => {
  const barrier = new Barrier(2, { timeout: SHORT_MS });
  const there = elsewhere(barrier, Barrier.from);
  assertEquals(await namesOf(() => there.parties), "parties");
  assertEquals(await namesOf(() => Promise.all([barrier.wait(), there.wait()])), "wait");
  await assertRejects(() => there.wait(), BrokenBarrierError, "did not come in time");
  assertEquals(await namesOf(() => there.broken), "isBroken");
  assertEquals(await namesOf(() => there.reset()), "reset");
  assertThrows(() => there.waitSync(), BrokenBarrierError, "did not come in time");
  assertThrows(() => there.waitSync({ timeout: NEVER }), BrokenBarrierError, "it is broken");
  there.reset();
  const waiting = there.wait({ timeout: NEVER });
  await queued(barrier);
  assertEquals(await namesOf(() => there.nWaiting), "waiting");
  assertEquals(await namesOf(() => there.abort()), "abort");
  await assertRejects(() => waiting, BrokenBarrierError, "while 2 parties gathered");
});

test("Barrier's action runs elsewhere when the last party is there", async () => {
  const order: string[] = [];
  const barrier = new Barrier(2, { action: () => order.push("here") });
  const there = elsewhere(barrier, Barrier.from);
  there.action = () => order.push("there");
  assertEquals(await namesOf(() => Promise.all([barrier.wait(), there.wait()])), "wait finish");
  const waiting = barrier.wait();
  assertEquals(await namesOf(() => there.waitSync()), "waitSync finish");
  await waiting;
  await Promise.all([there.wait(), barrier.wait()]);
  assertEquals(order, ["there", "there", "here"]);
  there.action = undefined;
  const failing = assertRejects(() => barrier.wait(), BrokenBarrierError);
  await assertRejects(() => there.wait(), RuntimeError, "it is not here");
  await failing;
});

test("Value from elsewhere makes one call of its core each", async () => {
  const value = new Value("i64", 40n, { name: "total" });
  const there = elsewhere(value, Value.from<"i64">);
  assertEquals(await namesOf(() => there.value), "get");
  assertEquals(await namesOf(() => there.value = 41n), "set");
  assertEquals(await namesOf(() => there.add(1n)), "add");
  assertEquals(await namesOf(() => there.type), "type");
  assertEquals(value.value, 42n);
  assertThrows(() => there.add(1 as unknown as bigint), TypeError, "expected a bigint, got 1");
  assertThrows(() => there.value = 2n ** 63n, RangeError, "does not fit");
});

test("Value's lock is reached from elsewhere as a part of it", async () => {
  const value = new Value("i32");
  const there = elsewhere(value, Value.from<"i32">);
  const lock = there.getLock();
  assertStrictEquals(there.getLock(), lock);
  assertEquals(await callsOf(() => lock.acquireSync()), ["RLock.acquireSync"]);
  assertEquals(value.getLock().locked(), true);
  lock.release();
  assertEquals(value.getLock().locked(), false);
});

/** Another thread, in whose name this thread opens cores. */
function makeDeputy(): Deputy & Disposable {
  const { table } = home();
  const deputy = new Deputy("other", table.buffer, table.claim("other"));
  return Object.assign(deputy, { [Symbol.dispose]: () => deputy.leave() });
}

test("Lock's core acts for the seat that it was opened with", async () => {
  using deputy = makeDeputy();
  const lock = new Lock();
  const theirs = deputy.act(() => openCore<LockCore>("Lock", lock.handle.data));
  lock.acquireSync();
  assertEquals(theirs.tryAcquire(), false);
  const waiting = theirs.acquire(ENDLESS);
  lock.release();
  assertEquals(await waiting, true);
  assertEquals(theirs.describeOwner(), 'it is held by thread "other"');
  theirs.release();
});

/** The cores of a condition and of its lock, which act for a deputy. */
function openFor(deputy: Deputy, { handle, lock }: Condition): [ConditionCore, RLockCore] {
  const core = deputy.act(() => openCore<ConditionCore>("Condition", handle.data));
  return [core, deputy.act(() => openCore<RLockCore>("RLock", lock.handle.data))];
}

test("Condition's core and its lock's act for the seat that they were opened with", async () => {
  using deputy = makeDeputy();
  const condition = new Condition();
  const [theirs, theirLock] = openFor(deputy, condition);
  theirLock.acquireSync(THREAD, NEVER);
  assertEquals(condition.acquireSync({ blocking: false }), false);
  const waiting = theirs.wait(false, [], ENDLESS);
  condition.runSync(() => condition.notify());
  assertEquals(await waiting, true);
  assertThrows(() => condition.notify(), RuntimeError, 'held by thread "other"');
  theirLock.release([]);
});

/** Lets another thread acquire the condition's lock, notify all waiters, and die. */
function dieHolding(condition: Condition): void {
  using dying = makeDeputy();
  const [core, lock] = openFor(dying, condition);
  lock.acquireSync(THREAD, NEVER);
  core.notify(Infinity, []);
}

test("Condition's core returns from a wait that has lost the lock, and says how it was lost", async () => {
  using deputy = makeDeputy();
  const condition = new Condition();
  const [theirs, theirLock] = openFor(deputy, condition);
  theirLock.acquireSync(THREAD, NEVER);
  const waiting = theirs.wait(false, [], ENDLESS);
  dieHolding(condition);
  const { error } = await waiting as LostLock;
  assert(OwnerDiedError.is(error));
  assertEquals(theirLock.recover(), true);
  theirLock.release([]);
});

/** A condition's lock and the condition, each as another view. */
const VIEWS: Record<string, (condition: Condition) => [Lock | RLock, Condition]> = {
  "views of one reference": ({ lock, handle }) => [
    lock instanceof Lock ? Lock.from(lock.handle) : RLock.from(lock.handle),
    Condition.from(handle),
  ],
  "a view from elsewhere": (condition) => {
    const there = elsewhere(condition, Condition.from);
    return [there.lock, there];
  },
};

for (const makeLock of [() => new Lock(), () => new RLock()]) {
  const { kind } = makeLock().handle;

  for (const [views, view] of Object.entries(VIEWS)) {
    test(`Condition over ${kind}: a guard knows what a wait has lost, and no other does, by ${views}`, async () => {
      const made = new Condition(makeLock());
      const [lock, condition] = view(made);
      const guards: Guard[] = [];
      const waits: Promise<unknown>[] = [];
      for (let i = 0; i < 3; i++) {
        guards.push(await lock.hold());
        waits.push(condition.wait());
      }
      const losing = waits.map((wait) => assertRejects(() => wait, Error, "its owner"));
      dieHolding(made);
      await Promise.all(losing);
      assertEquals(lock.recover(), true);
      guards.pop()![Symbol.dispose]();
      assertEquals(lock.locked(), true);
      lock.release();
      {
        using _ = await lock.hold();
        guards.pop()![Symbol.dispose]();
        assertEquals(lock.locked(), true);
      }
      assertEquals(lock.locked(), false);
      lock.runSync(() => guards.pop()![Symbol.dispose]());
      assertEquals(lock.locked(), false);
    });

    test(`Condition over ${kind}: a wait that is refused, given up or over leaves the guard what it holds, by ${views}`, async () => {
      const [lock, condition] = view(new Condition(makeLock()));
      await assertRejects(() => condition.wait(), RuntimeError, "is not held here");
      const guard = await lock.hold();
      const controller = new AbortController();
      const { signal } = controller;
      const waiting = assertRejects(() => condition.wait({ signal }), Error, "enough");
      assertEquals(await lock.run(() => lock.locked()), true);
      controller.abort(new Error("enough"));
      await waiting;
      assertEquals(await condition.wait({ timeout: 0 }), false);
      assertEquals(lock.locked(), true);
      guard[Symbol.dispose]();
      assertEquals(lock.locked(), false);
    });
  }
}
