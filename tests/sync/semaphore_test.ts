import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import { BoundedSemaphore, Lock, Semaphore } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import {
  ELSEWHERE,
  type Elsewhere,
  POOLS_ELSEWHERE,
  shareProcesses,
} from "../contracts/elsewhere.ts";
import { lockContract } from "../contracts/lock_contract.ts";
import { assertSound, SHORT_MS } from "../contracts/lock_suite.ts";
import { readCell } from "../contracts/parts.ts";
import { queued, stateOf, turns, waitersOf } from "./_support.ts";
import { release } from "./fixtures/lock_tasks.ts";
import {
  enterTogether,
  releaseWhenWaiting,
  takePermit,
  takePermitSync,
} from "./fixtures/sync_tasks.ts";

const CLASSES = [Semaphore, BoundedSemaphore];
const MOST = 2 ** 31 - 1;

shareProcesses(1, 2);

for (const Class of CLASSES) {
  lockContract({
    name: Class.name,
    label: Class.name,
    make: (name) => new Class(1, { name }),
    from: (handle) => Class.from(handle),
    heldText: "no permit is free",
  });

  test(`${Class.name}() has one permit, or as many as it is given`, () => {
    for (const [semaphore, value] of [[new Class(), 1], [new Class(0), 0], [new Class(7), 7]]) {
      const made = semaphore as Semaphore;
      assertEquals([made.getValue(), made.locked()], [value, value === 0]);
    }
    assertEquals(new Class(MOST).getValue(), MOST);
    assertEquals(new Class(undefined).getValue(), 1);
  });

  test(`${Class.name}() refuses values that are no number of permits`, () => {
    const act = `Cannot make ${Class.name}: value must be`;
    for (const value of [-1, 1.5, NaN, Infinity, -Infinity, 2 ** 31]) {
      assertThrows(
        () => new Class(value),
        RangeError,
        `${act} a whole number from 0 to ${MOST}, got ${value}`,
      );
    }
    for (const value of ["1", null, {}, 1n, true]) {
      assertThrows(
        () => new Class(value as never),
        TypeError,
        `${act} a number, got ${describe(value)}`,
      );
    }
    assertThrows(
      () => new Class(1, { name: 5 as never }),
      TypeError,
      "Cannot name object: expected a string, got 5",
    );
  });

  test(`${Class.name}.name is what it was given, also elsewhere`, () => {
    const semaphore = new Class(1, { name: "permits" });
    assertEquals([semaphore.name, Class.from(semaphore.handle).name], ["permits", "permits"]);
    assertEquals(new Class().name, undefined);
  });

  test(`${Class.name} gives as many permits as there are, in either form`, async () => {
    const semaphore = new Class(3);
    assertEquals(semaphore.acquireSync(), true);
    assertEquals(await semaphore.acquire(), true);
    assertEquals([semaphore.getValue(), semaphore.locked()], [1, false]);
    assertEquals(semaphore.acquireSync({ blocking: false }), true);
    assertEquals([semaphore.getValue(), semaphore.locked()], [0, true]);
    assertEquals(semaphore.acquireSync({ blocking: false }), false);
    assertEquals(await semaphore.acquire({ timeout: SHORT_MS }), false);
    semaphore.release(3);
    assertEquals([semaphore.getValue(), semaphore.locked()], [3, false]);
  });

  test(`${Class.name}.release(n) wakes so many, longest waiting first`, async () => {
    const semaphore = new Class(9);
    for (let i = 0; i < 9; i++) semaphore.acquireSync();
    const served: number[] = [];
    const waits = [0, 1, 2, 3, 4].map((i) => semaphore.acquire().then(() => served.push(i)));
    assertEquals(waitersOf(semaphore), 5);
    semaphore.release();
    assertEquals(waitersOf(semaphore), 4);
    await turns();
    assertEquals(served, [0]);
    semaphore.release(3);
    await turns();
    assertEquals([served, waitersOf(semaphore), semaphore.getValue()], [[0, 1, 2, 3], 1, 0]);
    semaphore.release(3);
    await Promise.all(waits);
    assertEquals([served, waitersOf(semaphore), semaphore.getValue()], [[0, 1, 2, 3, 4], 0, 2]);
  });

  test(`${Class.name}.release() refuses bad numbers and changes nothing`, async () => {
    const semaphore = new Class(1);
    semaphore.acquireSync();
    const waiting = semaphore.acquire();
    for (const n of [0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31]) {
      assertThrows(
        () => semaphore.release(n),
        RangeError,
        `Cannot release ${Class.name}: n must be a whole number from 1 to ${MOST}, got ${n}`,
      );
    }
    for (const n of ["1", null, {}, 1n]) {
      assertThrows(
        () => semaphore.release(n as never),
        TypeError,
        `Cannot release ${Class.name}: n must be a number, got ${describe(n)}`,
      );
    }
    assertEquals([semaphore.getValue(), waitersOf(semaphore)], [0, 1]);
    semaphore.release();
    assertEquals(await waiting, true);
    semaphore.release();
    await assertSound(semaphore);
  });

  for (const elsewhere of ELSEWHERE) together(Class, elsewhere);
}

function together(Class: typeof Semaphore | typeof BoundedSemaphore, elsewhere: Elsewhere): void {
  test(`${Class.name}.release() may be called by ${elsewhere.name} that acquired nothing`, async () => {
    await using crew = elsewhere.crew(1);
    const semaphore = new Class(1);
    semaphore.acquireSync();
    await crew.submit(release, semaphore);
    await assertSound(semaphore);
    await crew.submit(takePermitSync, semaphore);
    assertEquals(semaphore.locked(), true);
    semaphore.release();
    await assertSound(semaphore);
  });

  for (const take of [takePermit, takePermitSync] as ((semaphore: Semaphore) => unknown)[]) {
    test(`${Class.name}: ${take.name} in ${elsewhere.names} and waits here share what is released`, async () => {
      await using crew = elsewhere.crew(2);
      const semaphore = new Class(3);
      for (let i = 0; i < 3; i++) semaphore.acquireSync();
      const remote = [crew.submit(take, semaphore)];
      await queued(semaphore);
      const here = semaphore.acquire();
      remote.push(crew.submit(take, semaphore));
      await queued(semaphore, 3);
      semaphore.release();
      assertEquals(await remote[0], true);
      assertEquals([await stateOf(here), waitersOf(semaphore)], ["pending", 2]);
      semaphore.release(2);
      assertEquals([await here, await remote[1]], [true, true]);
      assertEquals([semaphore.getValue(), waitersOf(semaphore)], [0, 0]);
      semaphore.release(3);
      assertEquals(semaphore.getValue(), 3);
    });
  }

  test(`${Class.name}.acquireSync() on the main thread waits until ${elsewhere.name} releases`, async () => {
    await using crew = elsewhere.crew(1);
    const semaphore = new Class(2);
    semaphore.acquireSync();
    semaphore.acquireSync();
    const moment = crew.whenWaiting(semaphore, 1);
    const releasing = crew.submit(releaseWhenWaiting, semaphore, moment, 2);
    assertEquals(semaphore.acquireSync(), true);
    await releasing;
    assertEquals(semaphore.getValue(), 1);
  });

  test(`${Class.name}: no more than its permits are held at once, by two ${elsewhere.names} and this one together`, async () => {
    await using crew = elsewhere.crew(2);
    const semaphore = new Class(2);
    const [inside] = elsewhere.cells(1);
    const times = elsewhere.rounds(100);
    const futures = [1, 2, 3].map(() => crew.submit(enterTogether, semaphore, inside, times));
    const most = [await enterTogether(semaphore, inside, times), ...await Promise.all(futures)];
    assert(Math.max(...most) <= 2, `${most}`);
    assertEquals([semaphore.getValue(), waitersOf(semaphore), readCell(inside)], [2, 0, 0]);
  });
}

test("Semaphore.release() may free more permits than it was made with", async () => {
  const semaphore = new Semaphore(0);
  semaphore.release(2);
  semaphore.release();
  assertEquals(semaphore.getValue(), 3);
  for (let i = 0; i < 3; i++) assertEquals(await semaphore.acquire({ timeout: 0 }), true);
  assertEquals(semaphore.locked(), true);
});

test("Semaphore.release() throws RangeError where there would be more than 2^31 - 1, and changes nothing", () => {
  const semaphore = new Semaphore(MOST, { name: "a" });
  const text = (n: number, free: number) =>
    `Cannot release Semaphore "a" ${n} times: ${free} permits are free, and there are no more than ${MOST}`;
  assertThrows(() => semaphore.release(), RangeError, text(1, MOST));
  semaphore.acquireSync();
  assertThrows(() => semaphore.release(2), RangeError, text(2, MOST - 1));
  assertEquals(semaphore.getValue(), MOST - 1);
  semaphore.release();
  assertEquals(semaphore.getValue(), MOST);
});

for (const elsewhere of ELSEWHERE) {
  test(`BoundedSemaphore.release() throws RangeError beyond what it was made with, here and in ${elsewhere.name}, and changes nothing`, async () => {
    await using crew = elsewhere.crew(1);
    const semaphore = new BoundedSemaphore(3);
    const text = (n: number, free: number) =>
      `Cannot release BoundedSemaphore ${n} times: ${free} permits are free, and there are no more than 3`;
    assertThrows(() => semaphore.release(), RangeError, text(1, 3));
    semaphore.acquireSync();
    assertThrows(() => semaphore.release(2), RangeError, text(2, 2));
    assertEquals(semaphore.getValue(), 2);
    semaphore.release();
    await assertRejects(() => crew.submit(release, semaphore).result(), RangeError, text(1, 3));
    assertThrows(() => BoundedSemaphore.from(semaphore.handle).release(), RangeError, text(1, 3));
    assertEquals(semaphore.getValue(), 3);
    const empty = new BoundedSemaphore(0);
    assertThrows(() => empty.release(), RangeError, "no more than 0");
    assertEquals(empty.acquireSync({ blocking: false }), false);
  });
}

test("BoundedSemaphore is a Semaphore, but their handles are not each other's", () => {
  const semaphore = new Semaphore();
  const bounded = new BoundedSemaphore();
  assert(bounded instanceof Semaphore);
  assert(BoundedSemaphore.from(bounded.handle) instanceof BoundedSemaphore);
  assert(!(Semaphore.from(semaphore.handle) instanceof BoundedSemaphore));
  assertThrows(
    () => Semaphore.from(bounded.handle),
    TypeError,
    'Cannot rebuild Semaphore: expected a handle of kind "Semaphore", got one of "BoundedSemaphore"',
  );
  assertThrows(
    () => BoundedSemaphore.from(semaphore.handle),
    TypeError,
    'Cannot rebuild BoundedSemaphore: expected a handle of kind "BoundedSemaphore", got one of "Semaphore"',
  );
  assertThrows(() => Semaphore.from(new Lock().handle), TypeError, 'got one of "Lock"');
});

for (const elsewhere of POOLS_ELSEWHERE) {
  test(`Semaphore: permits of ${elsewhere.name} that died are lost, and another thread may release them`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    const semaphore = new BoundedSemaphore(1);
    await pool.submit(takePermitSync, semaphore);
    assertEquals(await semaphore.acquire({ timeout: SHORT_MS }), false);
    semaphore.release();
    await assertSound(semaphore);
  });
}
