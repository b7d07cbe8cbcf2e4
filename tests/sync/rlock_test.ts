import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  debugLocks,
  Lock,
  OwnerDiedError,
  RLock,
  RuntimeError,
  TimeoutError,
} from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, POOLS_ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { lockContract } from "../contracts/lock_contract.ts";
import { assertSound, SHORT_MS } from "../contracts/lock_suite.ts";
import { queued, stateOf, turns, waitersOf } from "./_support.ts";
import { acquireOnce, acquireOnceSync, keep, keepAsTask, release } from "./fixtures/lock_tasks.ts";
import { excludeEachOther, nestRuns, nestSync } from "./fixtures/rlock_tasks.ts";

shareProcesses(1, 2);

lockContract({
  name: "RLock",
  label: "RLock",
  make: (name) => new RLock({ name }),
  from: (handle) => RLock.from(handle),
  heldText: 'it is held by thread "main"',
});

let lockCount = 0;

/** A lock with its own name, and a function for how often it is held. */
function makeCounted(): { lock: RLock; depth: () => number } {
  const name = `counted ${++lockCount}`;
  const lock = new RLock({ name });
  return { lock, depth: () => debugLocks().find((state) => state.name === name)?.depth ?? 0 };
}

const NOT_HELD = "Cannot release RLock: it is not held";
const OTHER_TASK = "Cannot release RLock: it is held by another async task of this thread";
/** What the name of a process's thread begins with, too. */
const OTHER_THREAD = 'Cannot release RLock: it is held by thread "crew_0';

test("RLock.name is what it was given, and must be a string", () => {
  const lock = new RLock({ name: "accounts" });
  assertEquals([lock.name, RLock.from(lock.handle).name], ["accounts", "accounts"]);
  assertEquals([new RLock().name, new RLock({}).name], [undefined, undefined]);
  assertThrows(
    () => new RLock({ name: 5 as never }),
    TypeError,
    "Cannot name object: expected a string, got 5",
  );
});

// The thread as the owner

test("RLock.acquireSync() by its owner enters again at once, with any options", async () => {
  const { lock, depth } = makeCounted();
  const options = [undefined, {}, { blocking: false }, { timeout: 0 }, { timeout: 5 }];
  options.forEach((option, i) => {
    assertEquals(lock.acquireSync(option), true);
    assertEquals(depth(), i + 1);
  });
  assertThrows(() => lock.acquireSync({ timeout: -1 }), RangeError);
  assertThrows(() => lock.acquireSync({ timeout: NaN }), RangeError);
  assertThrows(() => lock.acquireSync({ timeout: "5" as never }), TypeError);
  assertThrows(() => lock.acquireSync({ blocking: false, timeout: 5 }), RangeError);
  assertEquals(depth(), options.length);
  for (let i = options.length; i-- > 0;) {
    lock.release();
    assertEquals([lock.locked(), depth()], [i > 0, i]);
  }
  assertThrows(() => lock.release(), RuntimeError, "it is not held");
  await assertSound(lock);
});

test("RLock.acquireSync(): views of one lock in one thread have one owner", async () => {
  const lock = new RLock();
  const view = RLock.from(lock.handle);
  lock.acquireSync();
  assertEquals(view.acquireSync(), true);
  lock.release();
  assertEquals(lock.locked(), true);
  view.release();
  await assertSound(lock);
});

test("RLock.holdSync() and runSync() nest with acquireSync()", async () => {
  const { lock, depth } = makeCounted();
  {
    using _outer = lock.holdSync();
    assertEquals(depth(), 1);
    {
      using _inner = lock.holdSync({ timeout: 0 });
      assertEquals(lock.runSync(() => [lock.acquireSync(), depth()]), [true, 4]);
      lock.release();
      assertEquals(depth(), 2);
    }
    assertEquals(depth(), 1);
    assertThrows(
      () =>
        lock.runSync(() => {
          throw new RangeError("inner");
        }),
      RangeError,
      "inner",
    );
    assertEquals(depth(), 1);
  }
  await assertSound(lock);
});

test("RLock.acquire() waits while this thread's blocking code holds the lock", async () => {
  const lock = new RLock();
  lock.acquireSync();
  assertEquals(await lock.acquire({ timeout: 0 }), false);
  assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
  const running = lock.run(() => "ran");
  assertEquals(await stateOf(running), "pending");
  lock.release();
  assertEquals(await running, "ran");
  await assertSound(lock);
});

// The async task as the owner

test("RLock.acquire() and hold(): async tasks of one thread exclude each other", async () => {
  const lock = new RLock();
  let inside = 0;
  let most = 0;
  const enter = async (holds: boolean) => {
    if (holds) {
      using _ = await lock.hold();
      most = Math.max(most, ++inside);
      await turns();
      inside--;
    } else {
      await lock.acquire();
      most = Math.max(most, ++inside);
      await turns();
      inside--;
      lock.release();
    }
  };
  await Promise.all([true, false, true, false].map(enter));
  assertEquals(most, 1);
  await assertSound(lock);
});

test("RLock.acquire() outside of run() waits, also when the same task holds the lock", async () => {
  const lock = new RLock();
  await lock.acquire();
  assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
  await assertRejects(() => lock.hold({ timeout: SHORT_MS }), TimeoutError);
  await assertRejects(() => lock.run(() => 1, { timeout: SHORT_MS }), TimeoutError);
  assertEquals(waitersOf(lock), 0);
  lock.release();
  await assertSound(lock);
});

test("RLock.acquireSync() for ever throws RuntimeError while an async task of this thread holds the lock", async () => {
  const lock = new RLock({ name: "a" });
  const text =
    'Cannot acquire RLock "a": an async task of this thread holds it, and cannot release it while the thread is blocked; await the promise form instead';
  const refused = (): void => {
    for (const options of [undefined, {}, { timeout: null }, { timeout: Infinity }]) {
      assertThrows(() => lock.acquireSync(options), RuntimeError, text);
      assertThrows(() => lock.holdSync(options), RuntimeError, text);
      assertThrows(() => lock.runSync(() => 1, options), RuntimeError, text);
    }
    assertEquals(lock.acquireSync({ blocking: false }), false);
    assertEquals(lock.acquireSync({ timeout: 0 }), false);
    assertEquals(lock.acquireSync({ timeout: SHORT_MS }), false);
    assertThrows(() => lock.holdSync({ timeout: SHORT_MS }), TimeoutError);
    assertEquals([lock.locked(), waitersOf(lock)], [true, 0]);
  };
  await lock.acquire();
  refused();
  lock.release();
  {
    using _ = await lock.hold();
    refused();
  }
  let leave = (): void => {};
  const running = lock.run(() => new Promise<void>((resolve) => leave = resolve));
  await turns();
  refused();
  leave();
  await running;
  await assertSound(lock);
});

for (const elsewhere of ELSEWHERE) {
  test(`RLock.acquire(): a task that was handed the lock by ${elsewhere.name} owns it before it has noticed`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const lock = new RLock();
    const holding = crew.submit(nestSync, lock, 1, gate.pass);
    await gate.entered();
    const waiting = lock.acquire();
    gate.open();
    holding.resultSync();
    // The thread has been granted the lock by now, or is about to be; its blocking code must not
    // enter.
    if (lock.acquireSync({ blocking: false })) {
      assertEquals(await stateOf(waiting), "pending");
      lock.release();
    }
    assertEquals(await waiting, true);
    lock.release();
    await assertSound(lock);
  });
}

// run as the owner

test("RLock.run() lets all that it calls and awaits enter again, in either form", async () => {
  const { lock, depth } = makeCounted();
  const depths = await lock.run(async () => {
    const seen = [depth()];
    assertEquals(await lock.acquire(), true);
    seen.push(depth());
    assertEquals(lock.acquireSync(), true);
    assertEquals(lock.acquireSync({ blocking: false }), true);
    assertEquals(await lock.acquire({ timeout: 0 }), true);
    seen.push(depth());
    {
      using _a = await lock.hold();
      using _b = lock.holdSync();
      await turns();
      seen.push(depth());
      seen.push(await lock.run(() => lock.runSync(depth)));
    }
    for (let i = 0; i < 4; i++) lock.release();
    seen.push(depth());
    return seen;
  });
  assertEquals(depths, [1, 2, 5, 7, 9, 1]);
  assertEquals(depth(), 0);
  await assertSound(lock);
});

test("RLock.run() checks its arguments inside of run() too, and changes nothing", async () => {
  const { lock, depth } = makeCounted();
  const reason = new Error("enough");
  await lock.run(async () => {
    await assertRejects(() => lock.acquire({ timeout: -1 }), RangeError);
    await assertRejects(() => lock.acquire({ blocking: false, timeout: 1 }), RangeError);
    await assertRejects(() => lock.hold({ timeout: NaN }), RangeError);
    await assertRejects(() => lock.run(() => 1, { timeout: "1" as never }), TypeError);
    await assertRejects(() => lock.run(() => 1, { signal: AbortSignal.abort(reason) }), Error);
    assertThrows(() => lock.acquireSync({ timeout: -1 }), RangeError);
    await assertRejects(
      () =>
        lock.run(() => {
          throw new RangeError("inner");
        }),
      RangeError,
      "inner",
    );
    assertEquals(depth(), 1);
  });
  await assertSound(lock);
});

test("RLock.run() keeps all other async tasks out, however deep it is nested", async () => {
  const lock = new RLock();
  let inside = 0;
  let most = 0;
  const enter = () =>
    lock.run(async () => {
      most = Math.max(most, ++inside);
      await lock.run(async () => {
        await turns();
        await lock.run(() => turns());
      });
      await turns();
      inside--;
    });
  await Promise.all([enter(), enter(), enter()]);
  assertEquals(most, 1);
  await assertSound(lock);
});

test("RLock.run(): timers and promises started inside belong to it, those of outside do not", async () => {
  const lock = new RLock();
  let outside: Promise<boolean> | undefined;
  let tryOutside = (): void => {};
  new Promise<void>((resolve) => tryOutside = resolve)
    .then(() => outside = lock.acquire({ timeout: 0 }));
  await lock.run(async () => {
    assertEquals(
      await new Promise((resolve) => setTimeout(() => resolve(lock.acquireSync()), 1)),
      true,
    );
    lock.release();
    assertEquals(await Promise.all([1, 2].map((n) => lock.run(() => n))), [1, 2]);
    tryOutside();
    await turns();
    assertEquals(await outside, false);
  });
  await assertSound(lock);
});

test("RLock.run(): what it left running is inside no more, once it has ended", async () => {
  const lock = new RLock();
  let goOn = (): void => {};
  const started = new Promise<void>((resolve) => goOn = resolve);
  let stray: Promise<unknown[]> | undefined;
  await lock.run(() => {
    stray = started.then(async () => [
      await lock.acquire({ timeout: 0 }),
      await lock.acquire({ timeout: SHORT_MS }),
      lock.acquireSync({ blocking: false }),
      await lock.run(() => 1, { timeout: 0 }).catch((error) => error.name),
    ]);
  });
  await lock.run(async () => {
    goOn();
    assertEquals(await stray, [false, false, false, "TimeoutError"]);
  });
  await assertSound(lock);
});

test("RLock.run(): what it left running inside keeps the lock until it has left", async () => {
  const lock = new RLock();
  let leave = (): void => {};
  let inner: Promise<void> | undefined;
  await lock.run(() => {
    inner = lock.run(() => new Promise<void>((resolve) => leave = resolve));
  });
  assertEquals(lock.locked(), true);
  const next = lock.run(() => "next");
  assertEquals(await stateOf(next), "pending");
  leave();
  await inner;
  assertEquals(await next, "next");
  await assertSound(lock);
});

test("RLock.run(): runs of two locks nest, and each lets its own in again", async () => {
  const a = new RLock();
  const b = new RLock();
  const result = await a.run(() =>
    b.run(async () => {
      const again = await a.run(() => b.run(() => [a.locked(), b.locked()]));
      a.acquireSync();
      b.acquireSync();
      a.release();
      b.release();
      return again;
    })
  );
  assertEquals(result, [true, true]);
  await assertSound(a);
  await assertSound(b);
});

test("RLock.run(): tasks started within another lock's run exclude each other", async () => {
  const outer = new RLock();
  const inner = new RLock();
  let inside = 0;
  let most = 0;
  const enter = () =>
    inner.run(async () => {
      most = Math.max(most, ++inside);
      await inner.run(() => outer.run(() => turns()));
      inside--;
    });
  await outer.run(() => Promise.all([enter(), enter(), enter()]));
  assertEquals(most, 1);
  const acquired = await outer.run(async () => {
    await inner.acquire();
    const second = await inner.acquire({ timeout: SHORT_MS });
    inner.release();
    return second;
  });
  assertEquals(acquired, false);
  await assertSound(outer);
  await assertSound(inner);
});

test("RLock.run() within Lock.run(), and the other way about", async () => {
  const plain = new Lock();
  const lock = new RLock();
  assertEquals(await plain.run(() => lock.run(() => lock.runSync(() => 1))), 1);
  assertEquals(await lock.run(() => plain.run(() => lock.runSync(() => 2))), 2);
  await assertSound(plain);
  await assertSound(lock);
});

// Releasing

for (const elsewhere of ELSEWHERE) {
  test(`RLock.release() of a free lock, here and in ${elsewhere.name}, throws RuntimeError and changes nothing`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new RLock();
    assertThrows(() => lock.release(), RuntimeError, NOT_HELD);
    await assertRejects(() => crew.submit(release, lock).result(), RuntimeError, NOT_HELD);
    assertThrows(
      () => new RLock({ name: "a" }).release(),
      RuntimeError,
      'Cannot release RLock "a": it is not held',
    );
    await assertSound(lock);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`RLock.release() of a lock that ${elsewhere.name} holds, and there, throws RuntimeError and changes nothing`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const lock = new RLock();
    const holding = crew.submit(nestSync, lock, 2, gate.pass);
    await gate.entered();
    assertThrows(() => lock.release(), RuntimeError, OTHER_THREAD);
    await lock.run(() => 1, { timeout: 0 }).catch(() => {});
    assertThrows(() => lock.release(), RuntimeError, OTHER_THREAD);
    gate.open();
    assertEquals(await holding, true);
    const text = 'Cannot release RLock: it is held by thread "main"';
    for (const acquire of [() => lock.acquireSync(), () => lock.acquire()]) {
      await acquire();
      await assertRejects(() => crew.submit(release, lock).result(), RuntimeError, text);
      assertEquals(lock.locked(), true);
      lock.release();
    }
    await lock.run(async () => {
      await assertRejects(() => crew.submit(release, lock).result(), RuntimeError, text);
    });
    await assertSound(lock);
  });
}

test("RLock.release() by an async task outside of the run that holds the lock throws RuntimeError", async () => {
  const lock = new RLock();
  let leave = (): void => {};
  const running = lock.run(() => new Promise<void>((resolve) => leave = resolve));
  await turns();
  assertThrows(() => lock.release(), RuntimeError, OTHER_TASK);
  await new RLock().run(() => assertThrows(() => lock.release(), RuntimeError, OTHER_TASK));
  assertEquals(lock.locked(), true);
  leave();
  await running;
  await assertSound(lock);
});

test("RLock: a guard of hold() whose lock has been released throws RuntimeError", async () => {
  const lock = new RLock();
  const guard = await lock.hold();
  lock.release();
  assertThrows(() => guard[Symbol.dispose](), RuntimeError, NOT_HELD);
  const late = await lock.hold();
  lock.release();
  lock.acquireSync();
  assertThrows(() => late[Symbol.dispose](), RuntimeError, OTHER_TASK);
  lock.release();
  await assertSound(lock);
});

test("RLock: guards that are disposed of twice release once, at each depth", async () => {
  const { lock, depth } = makeCounted();
  const outer = lock.holdSync();
  const inner = lock.holdSync();
  inner[Symbol.dispose]();
  inner[Symbol.dispose]();
  assertEquals(depth(), 1);
  outer[Symbol.dispose]();
  outer[Symbol.dispose]();
  assertEquals(depth(), 0);
  await lock.run(async () => {
    const guard = await lock.hold();
    guard[Symbol.dispose]();
    guard[Symbol.dispose]();
    assertEquals(depth(), 1);
  });
  await assertSound(lock);
});

test("RLock.release() too often within run() makes its end throw RuntimeError", async () => {
  const lock = new RLock();
  await assertRejects(() => lock.run(() => lock.release()), RuntimeError, NOT_HELD);
  assertThrows(() => lock.runSync(() => lock.release()), RuntimeError, NOT_HELD);
  await assertSound(lock);
});

// Across threads

for (const elsewhere of ELSEWHERE) {
  test(`RLock: ${elsewhere.name} that nests holds the lock until it has released as often`, async () => {
    await using crew = elsewhere.crew(1);
    for (const nest of [nestSync, nestRuns] as ((l: RLock, n: number, g: unknown) => unknown)[]) {
      using gate = elsewhere.gate();
      const lock = new RLock();
      const nesting = crew.submit(nest, lock, 3, gate.pass);
      await gate.entered();
      assertEquals(lock.acquireSync({ blocking: false }), false);
      assertEquals(await lock.acquire({ timeout: SHORT_MS }), false);
      const waiting = lock.acquire();
      gate.open();
      assertEquals(await nesting, true);
      assertEquals(await waiting, true);
      lock.release();
      await assertSound(lock);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`RLock: ${elsewhere.name} waits until the main thread has released as often as it acquired`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new RLock();
    for (const acquire of [acquireOnce, acquireOnceSync] as ((l: RLock) => unknown)[]) {
      lock.acquireSync();
      lock.acquireSync();
      let remote = crew.submit(acquire, lock);
      await queued(lock);
      lock.release();
      assertEquals([await stateOf(remote.result()), waitersOf(lock)], ["pending", 1]);
      lock.release();
      assertEquals(await remote, true);
      await lock.run(async () => {
        await lock.run(async () => {
          remote = crew.submit(acquire, lock);
          await queued(lock);
        });
        assertEquals([await stateOf(remote.result()), waitersOf(lock)], ["pending", 1]);
      });
      assertEquals(await remote, true);
    }
    await assertSound(lock);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`RLock.run(): async tasks of ${elsewhere.name} exclude each other`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new RLock();
    assertEquals(await crew.submit(excludeEachOther, lock), 1);
    await assertSound(lock);
  });
}

test("RLock.recover() is false while the lock is free or its owner alive", async () => {
  const lock = new RLock();
  assertEquals(lock.recover(), false);
  lock.acquireSync();
  assertEquals(lock.recover(), false);
  lock.release();
  await lock.run(() => assertEquals(lock.recover(), false));
  await assertSound(lock);
});

for (const elsewhere of POOLS_ELSEWHERE) {
  test(`RLock.recover() makes this thread the owner, once, however ${elsewhere.name} that died held it`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    for (const hold of [keep, keepAsTask] as ((lock: RLock) => unknown)[]) {
      const { lock, depth } = makeCounted();
      await pool.submit(hold, lock);
      await assertRejects(() => lock.acquire(), OwnerDiedError, "take it over with recover()");
      await assertRejects(() => lock.run(() => 1), OwnerDiedError);
      assertThrows(() => lock.acquireSync(), OwnerDiedError);
      assertThrows(() => lock.release(), RuntimeError, "it is held by thread");
      assertEquals(lock.recover(), true);
      assertEquals([lock.recover(), depth()], [false, 1]);
      assert(lock.acquireSync());
      lock.release();
      lock.release();
      await assertSound(lock);
    }
  });
}
