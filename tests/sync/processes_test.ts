/**
 * What is particular to objects that tasks in other processes use: what crosses, what does not, and
 * for how long.
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { NotShareableError, ProcessPoolExecutor, ThreadPoolExecutor } from "../../executors/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { Condition, Lock, RLock, Semaphore, Value } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertInTime, comesAbout, withTimeLimit } from "../_support/time_limits.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { assertSound, type Lockable } from "../contracts/lock_suite.ts";
import { Gate } from "../contracts/signals.ts";
import { waitersOf } from "../queue/_support.ts";
import { lockQueued, lockWaitersOf, until } from "./_support.ts";
import * as lockTasks from "./fixtures/lock_tasks.ts";
import * as pools from "./fixtures/pool_tasks.ts";
import * as tasks from "./fixtures/process_tasks.ts";

shareProcesses(1, 2);

/** Long enough for what is released here to be granted to a process. */
const DEAF_MS = 60;

/** All objects that one party can hold at a time. */
const LOCKS: Record<string, () => Lockable> = {
  "Lock": () => new Lock(),
  "RLock": () => new RLock(),
  "Condition": () => new Condition(),
  "Condition of a Lock": () => new Condition(new Lock()),
  "Semaphore": () => new Semaphore(1),
};

// A thread that blocks for what its own promises wait for

for (const [kind, make] of Object.entries(LOCKS)) {
  for (const elsewhere of ELSEWHERE) {
    test(`${kind}: ${elsewhere.name} that blocks goes before its own promise that waits`, async () => {
      await using crew = elsewhere.crew(1);
      using gate = new Gate();
      const lock = make();
      lock.acquireSync();
      const blocking = crew.submit(tasks.blockBesideOwn, lock, gate.parts);
      await lockQueued(lock, 2);
      lock.release();
      assertEquals(await blocking, ["thread", "promise"]);
      await assertSound(lock);
    });

    for (const [when, looks] of [["before", false], ["before it looked", true]] as const) {
      test(`${kind}: ${elsewhere.name} that blocks goes before its own promise that was granted the lock ${when}`, async () => {
        await using crew = elsewhere.crew(1);
        using gate = new Gate();
        const lock = make();
        lock.acquireSync();
        const blocking = crew.submit(tasks.blockAfterOwn, lock, gate.parts, DEAF_MS, looks);
        await gate.entered();
        await until(() => lockWaitersOf(lock) > 0);
        lock.release();
        assertEquals((await blocking).slice(-2), ["thread", "promise"]);
        await assertSound(lock);
      });
    }
  }

  for (const elsewhere of ELSEWHERE) {
    test(`${kind}: promises of ${elsewhere.name} keep their order when its own thread goes before them`, async () => {
      await using crew = elsewhere.crew(1);
      const lock = make();
      assertEquals(await crew.submit(tasks.orderOfOwn, lock), ["thread", "first", "second"]);
      if (lock instanceof Condition) {
        assertEquals(await crew.submit(tasks.orderAfterWait, lock), ["thread", "first", "second"]);
      }
      await assertSound(lock);
    });
  }

  test(`${kind}: promises and the threads of two processes and this one contend, and nobody is left out`, async () => {
    await using crew = ELSEWHERE[1].crew(2);
    const lock = make();
    const number = new Value("i32");
    const there = [1, 2].map(() => crew.submit(tasks.contend, lock, number, 40));
    const held = [await tasks.contend(lock, number, 40), ...await Promise.all(there)];
    assertEquals(number.value, held.reduce((sum, n) => sum + n));
    await assertSound(lock);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Lock: a promise in ${elsewhere.name} that was granted the lock and is aborted keeps it, or leaves it to the thread`, async () => {
    await withTimeLimit(200, async (timeout) => {
      await using crew = elsewhere.crew(1);
      using gate = new Gate();
      const lock = new Lock();
      lock.acquireSync();
      const blocking = crew.submit(tasks.blockAfterAborted, lock, gate.parts, DEAF_MS, timeout);
      await gate.entered();
      await comesAbout(blocking, () => lockWaitersOf(lock) > 0);
      lock.release();
      const [isMine, outcome, isLocked] = await blocking;
      // The promise has not got it either if its time was up before this thread has released.
      assertInTime(isMine === true || outcome !== "reason");
      assert(outcome === "reason" || (outcome === true && !isMine), `${outcome} ${isMine}`);
      assertEquals(isLocked, false);
      await assertSound(lock);
    });
  });

  test(`Queue: ${elsewhere.name} that blocks goes before its own promise to which an item was on its way`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = new Queue<number>();
    using gate = new Gate();
    const getting = crew.submit(tasks.getAfterOwn, queue, gate.parts, DEAF_MS);
    await gate.entered();
    await until(() => waitersOf(queue, "getters") > 0);
    queue.putSync(1);
    await gate.entered(2);
    queue.putSync(2);
    assertEquals(await getting, [1, 2]);
  });

  for (const many of [false, true]) {
    test(`Queue: promises of ${elsewhere.name} keep their order when its own thread goes before them: get${many ? "Many" : ""}()`, async () => {
      await using crew = elsewhere.crew(1);
      assertEquals(await crew.submit(tasks.orderOfGets, new Queue<number>(), many), [1, 2, 3]);
    });
  }

  test(`Queue: ${elsewhere.name} that blocks goes before its own promise to which items were on their way`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = new Queue<number>();
    using gate = new Gate();
    const getting = crew.submit(tasks.getManyAfterOwn, queue, gate.parts, DEAF_MS);
    await gate.entered();
    await until(() => waitersOf(queue, "getters") > 0);
    queue.putManySync([1, 2]);
    await gate.entered(2);
    queue.putSync(3);
    assertEquals(await getting, [[1, 2], [3]]);
  });
}

/** Ways to have a condition and another object with the same lock. */
const SHARERS: Record<string, () => [condition: Condition, same: Condition | Lock | RLock]> = {
  "itself": () => {
    const condition = new Condition();
    return [condition, condition];
  },
  "itself, over a Lock": () => {
    const condition = new Condition(new Lock());
    return [condition, condition];
  },
  "its RLock": () => {
    const condition = new Condition();
    return [condition, condition.lock];
  },
  "its Lock": () => {
    const lock = new Lock();
    return [new Condition(lock), lock];
  },
  "another condition of its lock": () => {
    const lock = new RLock();
    return [new Condition(lock), new Condition(lock)];
  },
};

/** How a promise of a wait settles. */
const TOLD: Record<tasks.WaitEnd, unknown> = {
  "is notified": true,
  "times out": false,
  "is aborted": "reason",
};

for (const elsewhere of ELSEWHERE) {
  for (const [what, make] of Object.entries(SHARERS)) {
    for (const end of Object.keys(TOLD) as tasks.WaitEnd[]) {
      test(`Condition: ${elsewhere.name} that blocks for ${what} goes before its own promise whose wait ${end}`, async () => {
        await using crew = elsewhere.crew(1);
        const [condition, same] = make();
        for (const depth of condition.lock instanceof Lock ? [1] : [1, 3]) {
          using gate = new Gate();
          const blocking = crew.submit(
            tasks.blockAfterWait,
            condition,
            same,
            gate.parts,
            DEAF_MS,
            end,
            depth,
          );
          await gate.entered();
          if (end === "is notified") await condition.run(() => condition.notify());
          assertEquals(await blocking, ["thread", "promise", TOLD[end], true, false]);
          await assertSound(condition);
        }
      });
    }
  }
}

// One object, several parties

for (const [kind, make] of Object.entries(LOCKS)) {
  test(`${kind} is one lock for this thread, a worker and two processes at the same time`, async () => {
    await using threads = ELSEWHERE[0].crew(1);
    await using processes = ELSEWHERE[1].crew(2);
    const lock = make();
    const number = new Value("i32");
    const times = 40;
    const futures = [
      threads.submit(lockTasks.countUp, lock, number, times),
      threads.submit(lockTasks.countUpSync, lock, number, times),
      processes.submit(lockTasks.countUp, lock, number, times),
      processes.submit(lockTasks.countUpSync, lock, number, times),
    ];
    await lockTasks.countUp(lock, number, times);
    lockTasks.countUpSync(lock, number, times);
    await Promise.all(futures);
    assertEquals(number.value, 6 * times);
    await assertSound(lock);
  });
}

// What comes back

test("An object that a process sends back is another view of the same, its parts too", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  for (const condition of [new Condition(), new Condition(new Lock({ name: "a" }))]) {
    const value = new Value("i32", 5);
    const back = await crew.submit(tasks.sendBackParts, condition, value);
    assert(back.condition !== condition && back.lock !== condition.lock);
    assertInstanceOf(back.lock, condition.lock.constructor as typeof Lock);
    assertEquals(back.lock.name, condition.lock.name);
    condition.acquireSync();
    assertEquals([back.condition.locked(), back.lock.locked()], [true, true]);
    back.condition.notifyAll();
    back.lock.release();
    value.getLock().acquireSync();
    assertEquals([back.valueLock.locked(), back.value.add(1), value.value], [true, 6, 6]);
    back.valueLock.release();
    const again = await crew.submit(tasks.sendBackParts, back.condition, back.value);
    again.value.value = 7;
    assertEquals([value.value, value.getLock().locked()], [7, false]);
    await assertSound(condition);
  }
});

for (const how of ["alone", "nested", "queue", "event"]) {
  test(`An object that was made in a process cannot be returned from it: ${how}`, async () => {
    // Tried as the first task of a process, and again once the process knows of shared objects.
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const text = "it was made in this one; make it in the parent, and send it from there";
    await assertRejects(
      () => pool.submit(tasks.returnOwn, how).result(),
      NotShareableError,
      text,
    );
    await pool.submit(tasks.lockedThere, new Lock());
    await assertRejects(
      () => pool.submit(tasks.returnOwn, how).result(),
      NotShareableError,
      text,
    );
    // The task's own error without the object is better than an error about the object.
    await assertRejects(() => pool.submit(tasks.throwOwn, how).result(), Error, "mine");
    assertEquals(await pool.submit(tasks.lockedThere, new Lock()), false);
  });
}

test("Objects cannot be put into a queue by a process, as little as by a thread", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  const queue = new Queue<unknown>();
  const texts = await crew.submit(tasks.putObjects, queue, new Lock());
  assertEquals(texts, [
    "NotShareableError: Cannot send Lock to another process: it was made in this one; make it in the parent, and send it from there",
    "NotShareableError: Cannot put into Queue: a Lock goes to another thread by a message only; send it as an argument of a task",
    "NotShareableError: Cannot put into Queue: a Queue goes to another thread by a message only; send it as an argument of a task",
  ]);
  assertEquals(queue.qsize(), 0);
});

test("What processes cannot share is refused by the call that would carry it, and all goes on", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  const queue = new Queue<unknown>();
  const texts = await crew.submit(tasks.putUnsendable, queue, new Value("i32", 1));
  const refused = (what: string, why: string) =>
    `NotShareableError: Cannot send ${what} to another process: ${why}`;
  const memory = (place: string) =>
    refused(
      `SharedArrayBuffer${place}`,
      "processes share no memory: send a copy, or use a Value or a Queue",
    );
  assertEquals(texts, [
    memory(""),
    memory(" at deep.buffer"),
    memory(" at [1]"),
    refused("MessagePort", "only threads can be sent one"),
    memory(""),
    memory(""),
    "no error: 0",
    "no error: 2",
  ]);
});

test("A process can send on what it was sent to its threads, but not to its processes, and says so", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  assertEquals(await crew.submit(pools.sendOn, new Lock()), [
    "no error: false",
    "NotShareableError: Cannot send Lock on: it belongs to the parent of this process; have the parent send it",
    "no error: false",
  ]);
});

test("A process shares objects of its own with threads and processes of its own", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  const each = [true, true, "object"];
  // An object that a grandchild has made cannot be sent.
  assertEquals(await crew.submit(pools.shareOwn), [...each, true, true, "string"]);
});

for (const blocks of [false, true]) {
  test(`A process has pools of this thread use its objects, and is sent them back, ${blocks ? "blocking" : "awaiting"}`, async () => {
    await using threads = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using processes = new ProcessPoolExecutor({ maxWorkers: 2 });
    const lock = new Lock();
    for (const pool of [threads, processes]) {
      const seen = await processes.submit(tasks.submitThere, pool, lock, blocks);
      assertEquals(seen, [true, true, false]);
    }
    assertEquals(await threads.submit(tasks.submitThere, processes, lock, blocks), [
      true,
      true,
      false,
    ]);
    await assertSound(lock);
  });
}

test("A process is sent back a condition by a pool of this thread", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using crew = ELSEWHERE[1].crew(1);
  assertEquals(await crew.submit(tasks.sendBackThere, pool, new Condition()), [true, false]);
});

test("A wait that a process aborts at once ends, however new the object is", async () => {
  await using crew = ELSEWHERE[1].crew(1);
  for (let i = 0; i < 20; i++) {
    const lock = new Lock();
    lock.acquireSync();
    assertEquals(await crew.submit(tasks.abortAtOnce, lock), "reason");
    lock.release();
    await assertSound(lock);
  }
});

for (const elsewhere of ELSEWHERE) {
  test(`What a task in ${elsewhere.name} transfers with its result arrives, and is taken from there`, async () => {
    await using crew = elsewhere.crew(1);
    for (const length of [10, 100_000, 10_000_000]) {
      const { bytes } = await crew.submit(tasks.giveBytes, length);
      assert(bytes.length === length && bytes.every((byte) => byte === 7));
      const { hadBytes } = await crew.submit(tasks.giveBytes, 1);
      assertEquals(hadBytes, 0);
    }
  });
}

// For how long

/** A program that drops its objects. */
function dropping(body: string): string {
  return `
import { Lock, ProcessPoolExecutor, SimpleQueue } from "@concurrent/futures";
import * as tasks from ${JSON.stringify(import.meta.resolve("./fixtures/process_tasks.ts"))};
import * as pools from ${JSON.stringify(import.meta.resolve("./fixtures/pool_tasks.ts"))};
const pool = new ProcessPoolExecutor({ maxWorkers: 1, env: { DENO_V8_FLAGS: "--expose-gc" } });
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
let dropped = 0;
const registry = new FinalizationRegistry(() => dropped++);
async function send(uses) {
  const [lock, queue] = [new Lock(), new SimpleQueue()];
  registry.register(lock);
  registry.register(queue);
  await pool.submit(tasks.keepObjects, lock, queue, uses);
}
async function drop() {
  while (dropped < 2) {
    gc();
    await turn();
  }
  await turn();
}
const say = async (promise) => console.log(await promise.then(String, (error) => error.name + ": " + error.message));
${body}
await pool.shutdown();
`;
}

const LET_GO =
  "NotShareableError: Cannot receive value: NotShareableError: Cannot receive object that a process sends back: this thread has let go of it; keep it meanwhile";

const GC = { permissions: ["-A", "--v8-flags=--expose-gc"] };

test("A process goes on using what it keeps and has used, after this one has dropped it", async () => {
  const { stdout, stderr, code } = await runProgram(
    dropping(`
await send(true);
await drop();
await say(pool.submit(tasks.useKept).result());
await say(pool.submit(tasks.useKept).result());
await say(pool.submit(pools.useKeptInThread).result());
await say(pool.submit(tasks.returnKept).result());
const other = new ProcessPoolExecutor({ maxWorkers: 1 });
await say(pool.submit(tasks.submitKept, other).result());
await other.shutdown();
await pool.submit(tasks.forgetKept);
await say(pool.submit(tasks.lockedThere, new Lock()).result());
`),
    GC,
  );
  const used = "no error: true,no error: undefined,no error: ";
  assertEquals([stderr, code], ["", 0]);
  assertEquals(stdout.split("\n"), [
    `${used}0,2,no error: undefined`,
    `${used}2,no error: undefined`,
    "no error: true",
    LET_GO,
    LET_GO,
    "false",
    "",
  ]);
});

test("A process that keeps what it has never used is told that this one has dropped it", async () => {
  const { stdout, stderr, code } = await runProgram(
    dropping(`
await send(false);
await drop();
await say(pool.submit(tasks.useKept).result());
await say(pool.submit(tasks.lockedThere, new Lock()).result());
`),
    GC,
  );
  const gone =
    "NotShareableError: Cannot use object of another process: that one has let go of it; have it keep the object, or send it again";
  assertEquals([stderr, code], ["", 0]);
  assertEquals(stdout.split("\n"), [[gone, gone, gone, gone].join(","), "false", ""]);
});

test("A process goes on using a condition of which it has used only the lock, after this one has dropped it", async () => {
  const { stdout, stderr, code } = await runProgram(
    dropping(`
import { Condition } from "@concurrent/futures";
await (async () => {
  const condition = new Condition(new Lock());
  registry.register(condition);
  registry.register(condition.lock);
  await pool.submit(tasks.keepCondition, condition);
})();
await drop();
await say(pool.submit(tasks.notifyKept).result());
`),
    GC,
  );
  assertEquals([stderr, code, stdout], ["", 0, "notified\n"]);
});

test("Objects that were sent to a process are dropped here once nobody uses them", async () => {
  const { stdout, stderr, code } = await runProgram(
    dropping(`
await send(true);
await pool.submit(tasks.forgetKept);
await drop();
console.log("dropped");
`),
    GC,
  );
  assertEquals([stderr, code, stdout], ["", 0, "dropped\n"]);
});
