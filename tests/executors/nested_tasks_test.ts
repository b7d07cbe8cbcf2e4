/** Tasks that submit tasks to the pool that runs them. */

import { assertEquals, assertInstanceOf, assertMatch, assertStrictEquals } from "@std/assert";
import {
  ALL_COMPLETED,
  type Executor,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  NotShareableError,
  Process,
  ProcessPoolExecutor,
  Thread,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { HANDLE } from "../../_memory/handle.ts";
import type { PoolHandle } from "../../executors/_pool_handle.ts";
import { Queue } from "../../queue/mod.ts";
import { Event, RuntimeError } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import "../_support/processes.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import { turn } from "../contracts/suite.ts";
import * as work from "./fixtures/nested.ts";

/** The time limit of a test that only the task's own message can end. */
const TELLS = { timeout: 30_000 };

/** The error of a task that blocks for another one of its pool when no worker is left. */
const IN_VAIN = /^RuntimeError: Cannot wait: all 1 workers of .* would block/;

for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  const { name } = Pool;

  test(`${name}: a task sends the pool on to other tasks of it, in both forms`, async () => {
    await using pool = new Pool({ maxWorkers: 3 });
    assertEquals(await pool.submit(work.descend, pool, 2), 2);
    assertEquals(await pool.submit(work.descendSync, pool, 2), 2);
  });

  test(`${name}: a pool comes back to who made it as itself, also while it is shut down`, async () => {
    const pool = new Pool({ maxWorkers: 1 });
    const future = pool.submit(work.giveBack, pool);
    await pool.shutdown();
    assertStrictEquals(await future, pool);
  });

  test(`${name}: a task listens once to the signal of all that it submits and waits for`, async () => {
    await using pool = new Pool({ maxWorkers: 2 });
    assertEquals(await pool.submit(work.shareSignal, pool, new Event()), [1, 0]);
  });

  test(
    `${name}: a task is given up by the signal of the task that submitted it`,
    TELLS,
    async () => {
      await inGoodTime(async () => {
        await using pool = new Pool({ maxWorkers: 2, onWorkerLost: "replace" });
        const [started, stopped] = [new Event(), new Event()];
        const error = await pool.submit(work.abortInside, pool, started, stopped);
        assertEquals((error as Error).message, "enough");
        assertInTime(await stopped.wait({ timeout: PROMPT_MS }));
      });
    },
  );

  test(`${name}: a pool that a task has made is sent on as any other`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    const answers = new Queue<boolean | number>();
    await pool.submit(work.ownPool, answers);
    assertEquals(await answers.getMany(2), [2, true]);
  });

  test(`${name}: the pool is sent to tasks of its thread's other pools, and to its processes`, async () => {
    await using pool = new Pool({ maxWorkers: 1, threadNamePrefix: "own" });
    for (const Other of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      await using other = new Other({ maxWorkers: 1 });
      assertEquals(await other.submit(work.askWho, pool), "own_0");
      assertEquals(await other.submit(work.askWhoSync, pool), "own_0");
    }
    const answers = new Queue<string>();
    const process = new Process({ target: work.putWho, args: [pool as Executor, answers] });
    process.start();
    await process.join();
    assertEquals(answers.getNowait(), "own_0");
  });

  test(`${name}: a task cannot shut the pool down that it was sent`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    const error = await pool.submit(work.shutDownInside, pool).exception();
    assertInstanceOf(error, RuntimeError);
    assertEquals(await pool.submit(work.nothing), undefined);
  });

  test(`${name}: a task cannot send the pool to tasks of another one of its own`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    const error = await pool.submit(work.sendAstray, pool);
    assertInstanceOf(error, NotShareableError);
    assertEquals(error.message.includes("only to tasks and processes of the thread that"), true);
  });
}

test(
  "A wait in vain ends, though a callback that looks for the task has heard of it first",
  TELLS,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    const words = new Int32Array(new SharedArrayBuffer(4));
    const future = pool.submit(work.blockInVain, pool, other, words);
    await answered(other);
    words[0] = 1;
    assertMatch(await future, IN_VAIN);
  },
);

test(
  "A task cancels another one, and in a callback a third one: each gets its own answer",
  TELLS,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using busy = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using free = new ThreadPoolExecutor({ maxWorkers: 1 });
    const words = new Int32Array(new SharedArrayBuffer(4));
    const future = pool.submit(work.cancelInside, [busy, free], words, new Event());
    while (busy.stats().running === 0) await turn();
    words[0] = 1;
    await answered(free);
    words[0] = 2;
    assertEquals(await future, [false, true]);
  },
);

test(
  "A task waits for one of its pool, with no worker left, or for another pool's: the latter ends the wait",
  TELLS,
  async () => {
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    assertEquals(
      await pool.submit(work.waitForEither, pool, other, FIRST_COMPLETED),
      ["", true, false],
    );
  },
);

for (const returnWhen of [FIRST_EXCEPTION, ALL_COMPLETED] as const) {
  test(
    `A task waits for one of its pool, with no worker left, and for another pool's, ${returnWhen}: it is told when that is done`,
    TELLS,
    async () => {
      await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const [error, ...done] = await pool.submit(work.waitForEither, pool, other, returnWhen);
      assertMatch(error, IN_VAIN);
      assertEquals(done, [true, false]);
    },
  );
}

for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  test(
    `${Pool.name}: a wait in vain ends, though another outcome comes as it begins`,
    TELLS,
    async () => {
      await using pool = new Pool({ maxWorkers: 1 });
      const errors = new Queue<string>();
      for (let i = 0; i < 3; i++) {
        await pool.submit(work.leaveAhead, pool, errors);
        assertMatch(await errors.get(), IN_VAIN);
      }
    },
  );
}

test(
  "A task waits for what the callback of another pool's task completes, while one of its own pool has no worker",
  TELLS,
  async () => {
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [completed, never] = await pool.submit(work.waitForCallback, pool, other);
    assertEquals(completed, "");
    assertMatch(never, IN_VAIN);
  },
);

test(
  "A worker whose wait another pool may end is not one of those that wait for each other",
  TELLS,
  async () => {
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const [begun, start, gate] = [new Event(), new Event(), new Event()];
    const beside = pool.submit(work.waitBeside, pool, other, [begun, start, gate]);
    await begun.wait();
    const either = pool.submit(work.waitForEither, pool, other, FIRST_COMPLETED, [start], gate);
    assertEquals(await beside, "");
    assertEquals((await either)[0], "");
  },
);

test(
  "A worker that takes no more tasks is not one of those that wait for each other",
  TELLS,
  async () => {
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
    const answers = new Queue<string>();
    await pool.submit(work.leaveBlocking, pool, other, answers);
    assertEquals(await answers.get(), "");
  },
);

/**
 * Resolves once a task that a worker has submitted to the pool has run, and its outcome was sent to
 * that worker.
 */
async function answered(pool: ThreadPoolExecutor): Promise<void> {
  while (pool.stats().completed === 0) await turn();
  await turn();
}

test("A pool that a Thread has made is sent on as any other", async () => {
  const answers = new Queue<boolean | number>();
  const thread = new Thread({ target: work.ownPool, args: [answers] });
  thread.start();
  await thread.join();
  assertEquals(await answers.getMany(2), [2, true]);
});

test("A signal of null is none, also to a pool that was sent to a task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const nested = async (pool: ThreadPoolExecutor): Promise<number> => {
    return await pool.with({ signal: null as never }).submit(() => 2);
  };
  assertEquals(await pool.submit(nested, pool), 2);
});

test("A task of a process cannot submit to a pool that it was not sent", async () => {
  await using own = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  // A task of a thread was sent it, which does not matter.
  assertEquals(await own.submit(work.descend, own, 0), 0);
  const { name } = own[HANDLE]().data as PoolHandle;
  assertMatch(
    await pool.submit(work.submitTo, pool, name),
    /^RuntimeError: Cannot submit to ThreadPoolExecutor-\d+: cannot schedule new futures/,
  );
  assertEquals(own.stats().completed, 1);
});
