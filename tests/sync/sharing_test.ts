import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { AsyncExecutor, ThreadPoolExecutor } from "../../executors/mod.ts";
import { Barrier, Condition, Lock, NotShareableError } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, POOLS_ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { throughChannel } from "./_support.ts";
import * as tasks from "./fixtures/sharing_tasks.ts";
import {
  classes,
  type Kit,
  kitIn,
  makeKit,
  mark,
  marks,
  unmark,
} from "./fixtures/sharing_tasks.ts";

shareProcesses(1, 2);

const YES = Array(9).fill(true);
const NO = Array(9).fill(false);

/** Shapes of a task's arguments in which objects are found. */
const SHAPES: Record<string, (kit: Kit) => unknown> = {
  "an object": (kit) => kit,
  "an array": (kit) => Object.values(kit),
  "a nested object": (kit) => ({ nested: { other: 1, nested: kit } }),
  "nested arrays": (kit) => [[Object.values(kit)]],
  "a map": (kit) => new Map<string, unknown>([["other", 1], ["kit", kit]]),
  "a set": (kit) => new Set([kit]),
  "all of them": (kit) => new Set([{ nested: [new Map([["kit", [[kit]]]])] }]),
};

/** One shape is enough where each needs a process of its own. */
const LAST_SHAPE = [SHAPES["all of them"]];

for (const elsewhere of ELSEWHERE) {
  test(`all objects cross in the arguments of a task to ${elsewhere.name}, wherever in them they are`, async () => {
    await using crew = elsewhere.crew(1);
    for (const [shape, wrap] of Object.entries(SHAPES)) {
      const kit = makeKit();
      assertEquals(await crew.submit(tasks.inspect, wrap(kit)), [YES, NO], shape);
      mark(kit);
      assertEquals(await crew.submit(tasks.inspect, wrap(kit)), [YES, YES], shape);
      unmark(kit);
      await crew.submit(tasks.markThere, wrap(kit));
      assertEquals(marks(kit), YES, shape);
      await crew.submit(tasks.unmarkThere, wrap(kit));
      assertEquals(marks(kit), NO, shape);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`all objects cross to ${elsewhere.name} as arguments of their own`, async () => {
    await using crew = elsewhere.crew(1);
    const kit = makeKit();
    mark(kit);
    const found = await crew.submit(tasks.inspectArguments, ...Object.values(kit));
    assertEquals(found, [YES, YES]);
    unmark(kit);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`all objects cross to two ${elsewhere.names} as items of map()`, async () => {
    await using crew = elsewhere.crew(2);
    const kits = Array.from({ length: 10 }, makeKit);
    kits.forEach(mark);
    for (const chunksize of [1, 3]) {
      const found = await crew.map(tasks.inspect, kits, { chunksize }).toArray();
      assertEquals(found, kits.map(() => [YES, YES]));
    }
    kits.forEach(unmark);
  });
}

for (const elsewhere of POOLS_ELSEWHERE) {
  test(`all objects cross in the initargs of a pool of ${elsewhere.names}`, async () => {
    for (const wrap of elsewhere.isProcess ? LAST_SHAPE : Object.values(SHAPES)) {
      const kit = makeKit();
      await using pool = elsewhere.pool({
        maxWorkers: 1,
        initializer: tasks.keepKit,
        initargs: [wrap(kit)],
      });
      assertEquals(await pool.submit(tasks.inspectKept), [YES, NO]);
      mark(kit);
      assertEquals(await pool.submit(tasks.inspectKept), [YES, YES]);
      unmark(kit);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`all objects cross in the result of a task from ${elsewhere.name} that was sent them`, async () => {
    await using crew = elsewhere.crew(1);
    for (const [shape, wrap] of Object.entries(SHAPES)) {
      const kit = makeKit();
      const back = kitIn(await crew.submit(tasks.sendBack, wrap(kit)));
      assertEquals([classes(back), marks(back)], [YES, NO], shape);
      mark(kit);
      assertEquals(marks(back), YES, shape);
      unmark(back);
      assertEquals(marks(kit), NO, shape);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`an object of a subclass crosses to ${elsewhere.name} as what it extends, with fields not at all`, async () => {
    class Door extends Lock {
      readonly note = undefined;
      isOpen(): boolean {
        return !this.locked();
      }
    }
    class NamedDoor extends Door {
      readonly label = "front";
    }
    await using crew = elsewhere.crew(1);
    const door = new Door();
    const [lock, barrier] = await crew.submit(
      tasks.sendBack<[Lock, Barrier]>,
      [door, new Barrier(3, { action: () => {} })],
    );
    assert(lock instanceof Lock && !(lock instanceof Door));
    door.acquireSync();
    assertEquals([lock.locked(), barrier.parties], [true, 3]);
    door.release();
    await assertRejects(
      () => crew.submit(tasks.sendBack, { door: new NamedDoor() }).result(),
      NotShareableError,
      '.door would arrive without its field "label"; ' +
        "pass what its class adds as further arguments",
    );
  });
}

test("all objects cross in the result of a task, made there or sent there", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const { nested } = await pool.submit(tasks.makeThere);
  const made = nested.get("kit")!;
  assertEquals([classes(made), marks(made)], [YES, NO]);
  mark(made);
  assertEquals(await pool.submit(tasks.inspect, made), [YES, YES]);
  unmark(made);
  const kit = makeKit();
  const [back] = await pool.submit(tasks.sendBack, [kit]);
  assertEquals(classes(back), YES);
  mark(kit);
  assertEquals(marks(back), YES);
  unmark(kit);
});

test("objects that a worker made live on in other threads after it has ended", async () => {
  let kit: Kit;
  {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    kit = (await pool.submit(tasks.makeThere)).nested.get("kit")!;
  }
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  mark(kit);
  assertEquals(await pool.submit(tasks.inspect, kit), [YES, YES]);
  unmark(kit);
  const counts = await pool.map((kit: Kit) => kit.value.add(1), [kit, kit, kit]).toArray();
  assertEquals(counts.sort((a, b) => a - b), [8, 9, 10]);
});

for (const elsewhere of ELSEWHERE) {
  test(`a lock that is sent twice to ${elsewhere.name} in one call is one lock there`, async () => {
    await using crew = elsewhere.crew(1);
    const lock = new Lock();
    const [, locked] = await crew.submit(tasks.compareLocks, lock, lock, [lock, lock]);
    assertEquals(locked, [true, true, true, true]);
    assertEquals(lock.locked(), false);
    const condition = new Condition(lock);
    assertEquals(await crew.submit(tasks.compareLockOf, condition, lock), true);
    assertEquals(await crew.submit((lock: Lock, other: Lock) => lock === other, lock, lock), true);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`a hundred locks cross to ${elsewhere.name} in one call, and back`, async () => {
    await using crew = elsewhere.crew(1);
    const locks = Array.from({ length: 100 }, () => new Lock());
    assertEquals(await crew.submit(tasks.acquireAll, locks), 100);
    for (const lock of locks.slice(0, 40)) lock.acquireSync();
    assertEquals(await crew.submit(tasks.acquireAll, locks), 60);
    const back = await crew.submit(tasks.sendBack, locks);
    assertEquals(back.map((lock) => lock.locked()), locks.map((lock) => lock.locked()));
  });
}

test("an AsyncExecutor passes objects as they are", async () => {
  await using executor = new AsyncExecutor();
  const lock = new Lock();
  assertStrictEquals(await executor.submit(tasks.sendBack, lock), lock);
  lock.acquireSync();
  assert(await executor.submit(tasks.isLocked, lock));
  lock.release();
});

test("handles of all objects cross by postMessage, alone and nested", async () => {
  const kit = makeKit();
  mark(kit);
  for (const object of Object.values(kit)) {
    const { kind, data } = await throughChannel(object.handle);
    assertEquals(kind, object.handle.kind);
    assert((data as { buffer: unknown }).buffer instanceof SharedArrayBuffer);
  }
  const [{ inner }] = await throughChannel([{ inner: kit.lock.handle }]);
  assertEquals(Lock.from(inner).locked(), true);
  unmark(kit);
});
