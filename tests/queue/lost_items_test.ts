/**
 * Items that a thread has taken and not reported done before it ended: join fails because of them,
 * once nothing else is unfinished.
 */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { type Future, ThreadPoolExecutor, type ThreadPoolOptions } from "../../executors/mod.ts";
import { ACCOUNT, QUEUE } from "../../_memory/layout.ts";
import type { Seat } from "../../_memory/seat.ts";
import { LostItemsError, type Queue, RuntimeError } from "../../queue/mod.ts";
import { Accounts } from "../../queue/_accounts.ts";
import { test } from "../_support/leaks.ts";
import { comesAbout, withTimeLimit } from "../_support/time_limits.ts";
import {
  type OwnPool,
  type PoolElsewhere,
  POOLS_ELSEWHERE,
  shareProcesses,
} from "../contracts/elsewhere.ts";
import type { AnyGate } from "../contracts/parts.ts";
import {
  allWaitersOf,
  assertSound,
  BOUNDED,
  drain,
  NOBODY,
  numbers,
  queued,
  type QueueSuite,
  rejectionOf,
  stateOf,
  unfinishedOf,
  until,
  waitersOf,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

shareProcesses(1, 2);

/** A way in which a worker ends that has taken items. */
interface End {
  readonly options?: ThreadPoolOptions;
  /** Whether only a process can end like this. */
  readonly isOfProcesses?: boolean;
  /**
   * Makes the worker take `count` items; it ends once the gate is open or the returned function was
   * called.
   */
  begin(pool: OwnPool, queue: Queue<unknown>, count: number, gate: AnyGate): () => void;
}

/** Ignores the outcome of a task whose end is no news. */
function forget(future: Future<unknown>): void {
  future.exception();
}

const ENDS: Record<string, End> = {
  "calls close()": {
    options: { onWorkerLost: "replace" },
    begin: (pool, queue, count, gate) => {
      forget(pool.submit(tasks.takeAndClose, queue, count, gate.pass));
      return () => gate.open();
    },
  },
  "has run as many tasks as it may": {
    options: { maxTasksPerChild: 1 },
    begin: (pool, queue, count, gate) => {
      pool.submit(tasks.takeAndWait, queue, count, gate.pass);
      return () => gate.open();
    },
  },
  "ends with its pool": {
    begin: (pool, queue, count, gate) => {
      pool.submit(tasks.takeAndWait, queue, count, gate.pass);
      return () => {
        gate.open();
        pool.shutdown({ wait: false });
      };
    },
  },
  "is given up": {
    options: { onWorkerLost: "replace" },
    begin: (pool, queue, count, gate) => {
      const controller = new AbortController();
      forget(
        pool.with({ signal: controller.signal })
          .submit(tasks.takeAndSpin, queue, count, gate.pass),
      );
      return () => controller.abort();
    },
  },
  "is killed": {
    isOfProcesses: true,
    options: { onWorkerLost: "replace" },
    begin: (pool, queue, count, gate) => {
      forget(pool.submit(tasks.takeAndDie, queue, count, gate.pass));
      return () => gate.open();
    },
  },
};

/**
 * The ends for which the gate must open first: while the main thread blocks, another thread has to
 * open it.
 */
const ENDS_AT_GATE = ["calls close()", "has run as many tasks as it may", "is killed"];

/** Fails unless the error says that this many items of the pool's workers are lost. */
function assertLost(error: unknown, count: number, label: string, pool: string): void {
  assertInstanceOf(error, LostItemsError);
  assert(error instanceof RuntimeError && LostItemsError.is(error));
  assertEquals([error.name, error.count], ["LostItemsError", count]);
  const start =
    `Cannot join ${label}: ${count} items were taken by threads that ended without taskDone: `;
  assert(error.message.startsWith(start), error.message);
  const names = error.message.slice(start.length);
  assert(new RegExp(`^"${pool}_\\d+"(, "${pool}_\\d+")*$`).test(names), names);
}

const PREFIX = "taker";

/** Usually enough for a worker that has started to take an item. */
const TASK_MS = 500;

function poolOf({ options }: End, elsewhere: PoolElsewhere): OwnPool {
  return elsewhere.pool({ maxWorkers: 1, threadNamePrefix: PREFIX, ...options });
}

for (const elsewhere of POOLS_ELSEWHERE) {
  for (const suite of BOUNDED) lostItems(suite, elsewhere);
}

function lostItems({ name, make }: QueueSuite<Queue<unknown>>, elsewhere: PoolElsewhere): void {
  for (const [how, end] of Object.entries(ENDS)) {
    if (end.isOfProcesses && !elsewhere.isProcess) continue;

    test(`${name}.join(): ${elsewhere.name} takes items and ${how}; a join that waits rejects, here and in another one`, async () => {
      const pool = poolOf(end, elsewhere);
      await using others = elsewhere.crew(2);
      using gate = elsewhere.gate();
      const queue = make({ name: "jobs" });
      const label = `${name} "jobs"`;
      queue.putManySync([1, 2, 3]);
      const kill = end.begin(pool, queue, 3, gate);
      await gate.entered();
      const joins = [
        queue.join(),
        others.submit(tasks.joinThere, queue).result(),
        others.submit(tasks.joinThereSync, queue).result(),
      ].map(rejectionOf);
      await queued(queue, "joiners", 3);
      assertEquals([queue.qsize(), unfinishedOf(queue)], [0, 3]);
      kill();
      for (const error of await Promise.all(joins)) assertLost(error, 3, label, PREFIX);
      // Later joins fail in the same way.
      assertLost(await rejectionOf(queue.join()), 3, label, PREFIX);
      assertLost(assertThrows(() => queue.joinSync()), 3, label, PREFIX);
      assertEquals(allWaitersOf(queue), NOBODY);
      // Another thread reports them done in place of the dead one.
      queue.taskDone();
      assertLost(await rejectionOf(queue.join()), 2, label, PREFIX);
      await others.submit(tasks.reportDone, queue, 2);
      await queue.join();
      queue.joinSync();
      gate.open();
      await pool.shutdown();
      await assertSound(queue);
    });

    test(`${name}.joinSync() on the main thread throws when ${elsewhere.name} that took items ${how}`, async () => {
      const pool = poolOf(end, elsewhere);
      await using threads = new ThreadPoolExecutor({ maxWorkers: 1 });
      using gate = elsewhere.gate();
      const queue = make();
      queue.putManySync([1, 2]);
      const kill = end.begin(pool, queue, 2, gate);
      await gate.entered();
      // The main thread is blocked when its worker ends: another thread opens the gate.
      if (ENDS_AT_GATE.includes(how)) {
        const opening = threads.submit(tasks.openWhenQueued, queue, "joiners", gate.pass);
        assertLost(assertThrows(() => queue.joinSync()), 2, name, PREFIX);
        await opening;
      } else {
        kill();
        assertLost(assertThrows(() => queue.joinSync()), 2, name, PREFIX);
      }
      gate.open();
      await pool.shutdown();
      queue.taskDone(2);
      await assertSound(queue);
    });
  }

  test(`${name}.join(): ${elsewhere.name} takes an item and runs into the timeout of its task`, async () => {
    await withTimeLimit(TASK_MS, async (timeout) => {
      await using pool = elsewhere.pool({
        maxWorkers: 1,
        onWorkerLost: "replace",
        threadNamePrefix: PREFIX,
      });
      using gate = elsewhere.gate();
      const queue = make();
      queue.putSync(1);
      await pool.submit(tasks.sendBack, "warm");
      const taking = pool.with({ timeout }).submit(tasks.takeAndSpin, queue, 1, gate.pass);
      await comesAbout(taking, () => gate.count > 0);
      assertLost(await rejectionOf(queue.join()), 1, name, PREFIX);
      gate.open();
      await pool.shutdown();
      queue.taskDone();
      await assertSound(queue);
    });
  });

  test(`${name}.join() waits for what else is unfinished before it speaks of items lost with ${elsewhere.name}`, async () => {
    await using pool = elsewhere.pool({
      maxWorkers: 1,
      maxTasksPerChild: 1,
      threadNamePrefix: PREFIX,
    });
    const queue = make();
    queue.putManySync(numbers(4));
    await pool.submit(tasks.getSome, queue, 2);
    await pool.submit(tasks.getSome, make(), 0); // The first worker has ended.
    const joined = queue.join();
    const rejected = rejectionOf(joined);
    assertEquals([await stateOf(joined), waitersOf(queue, "joiners")], ["pending", 1]);
    queue.getNowait();
    queue.taskDone();
    assertEquals([await stateOf(joined), unfinishedOf(queue)], ["pending", 3]);
    queue.getNowait();
    assertEquals(await stateOf(joined), "pending");
    queue.taskDone();
    assertLost(await rejected, 2, name, PREFIX);
  });

  test(`${name}.join(): items that are put again and done by others than ${elsewhere.name} are not lost`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    const queue = make();
    queue.putManySync([1, 2]);
    const seen = await pool.submit(tasks.getSome, queue, 2);
    await until(() => pool.stats().workers === 0);
    assertLost(await rejectionOf(queue.join()), 2, name, "(Thread|Process)PoolExecutor-\\d+");
    queue.putManySync(seen);
    queue.taskDone(2);
    const joined = queue.join();
    assertEquals(await stateOf(joined), "pending");
    drain(queue);
    queue.taskDone(2);
    await joined;
  });

  test(`${name}.join(): ${elsewhere.name} that reported what it took has lost nothing when it ends`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    const queue = make();
    queue.putManySync([1, 2, 3]);
    await pool.submit((queue: Queue<unknown>): void => {
      queue.getSync();
      queue.taskDone();
      queue.getManySync(1);
      queue.taskDone();
    }, queue);
    await until(() => pool.stats().workers === 0);
    const joined = queue.join();
    assertEquals(await stateOf(joined), "pending");
    queue.getNowait();
    queue.taskDone();
    await joined;
    await assertSound(queue);
  });

  test(`${name}.join(): items of several ${elsewhere.names} that ended are counted together, and all are named`, async () => {
    const pool = elsewhere.pool({
      maxWorkers: 2,
      maxTasksPerChild: 1,
      threadNamePrefix: PREFIX,
    });
    using gate = elsewhere.gate();
    const queue = make();
    queue.putManySync(numbers(5));
    const taking = [2, 3].map((n) => pool.submit(tasks.takeAndWait, queue, n, gate.pass));
    await gate.entered(2);
    const rejected = rejectionOf(queue.join());
    gate.open();
    await Promise.all(taking);
    const error = await rejected;
    assertLost(error, 5, name, PREFIX);
    assert((error as Error).message.includes(`"${PREFIX}_0"`), String(error));
    assert((error as Error).message.includes(`"${PREFIX}_1"`), String(error));
    await pool.shutdown();
  });

  test(`${name}.join(): who is alive in ${elsewhere.name} and has taken items is waited for`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1 });
    const queue = make();
    queue.putManySync([1, 2]);
    await pool.submit(tasks.getSome, queue, 2);
    const joined = queue.join();
    assertEquals(await stateOf(joined), "pending");
    await pool.submit(tasks.reportDone, queue);
    assertEquals([await stateOf(joined), unfinishedOf(queue)], ["pending", 1]);
    queue.taskDone();
    await joined;
  });

  test(`${name}.join(): what is in the queue after the last getter, ${elsewhere.name}, died is not lost`, async () => {
    await using pool = elsewhere.pool({ maxWorkers: 1, maxTasksPerChild: 1 });
    const queue = make();
    queue.putManySync(numbers(3));
    await pool.submit(tasks.getSome, queue, 1);
    await until(() => pool.stats().workers === 0);
    const joined = queue.join();
    const rejected = rejectionOf(joined);
    assertEquals(await stateOf(joined), "pending");
    queue.shutdown({ immediate: true });
    assertInstanceOf(await rejected, LostItemsError);
    queue.taskDone();
    await queue.join();
  });
}

test("a thread for which no account is left looks for one once a death, and not with each item", () => {
  const table = { deaths: 0, looks: 0, isAlive: () => ++table.looks < 0 };
  const words = new Int32Array(QUEUE.SIZE);
  const me = 1;
  for (let at: number = QUEUE.ACCOUNTS; at < QUEUE.ACCOUNTS_END; at += ACCOUNT.SIZE) {
    words[at + ACCOUNT.THREAD] = me + at;
    words[at + ACCOUNT.TAKEN] = 1;
  }
  const accounts = new Accounts(words, { id: me, table } as unknown as Seat);
  accounts.charge(1);
  words[QUEUE.ACCOUNTS + ACCOUNT.TAKEN] = 0; // Somebody reports done what one of the dead has taken.
  for (let i = 0; i < 100; i++) accounts.charge(1);
  assertEquals(table.looks, 0);
  table.deaths++;
  accounts.charge(2);
  assertEquals(words[QUEUE.ACCOUNTS + ACCOUNT.THREAD], me);
  assertEquals(words[QUEUE.ACCOUNTS + ACCOUNT.TAKEN], 2);
});
