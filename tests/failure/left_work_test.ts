/**
 * Work that tasks and targets leave to others without waiting for it: it is done before their
 * thread or process ends.
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  Process,
  ProcessPoolExecutor,
  setExcepthook,
  Thread,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { assertGone } from "../_support/processes.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { echo } from "../contracts/tasks.ts";
import * as work from "./_left_tasks.ts";

/** The runtime takes a second to start a worker inside a worker. */
const NESTED = { timeout: 40_000 };

/** Left work, with the files by which it communicates. */
class LeftWork implements AsyncDisposable {
  readonly place: work.Place;
  readonly #folder: AsyncDisposable;

  constructor(folder: AsyncDisposable, path: string) {
    this.#folder = folder;
    this.place = { begun: `${path}.begun`, open: `${path}.open`, done: `${path}.done` };
  }

  /** Resolves once the work has begun. */
  async begun(): Promise<void> {
    await work.appears(this.place.begun);
  }

  /** Lets the work finish. */
  async open(): Promise<void> {
    await Deno.writeTextFile(this.place.open, "");
  }

  /** Lets the work finish, and asserts that it is done when `end` has come. */
  async precedes(end: Promise<void>): Promise<void> {
    await this.begun();
    const isOpen = this.open();
    await end;
    await isOpen;
    assert(await work.exists(this.place.done), "ended before what it has others do");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function leftWork(): Promise<LeftWork> {
  const folder = await scratchFolder();
  return new LeftWork(folder, await folder.write("left", ""));
}

test("Thread ends after what its target has left to a pool", NESTED, async () => {
  await using left = await leftWork();
  const thread = new Thread({ target: work.leave, args: [left.place, "a pool"] });
  thread.start();
  await left.begun();
  assertEquals(thread.isAlive(), true);
  await left.precedes(thread.join());
});

test(
  "Thread ends after what its target has left that comes after something else",
  NESTED,
  async () => {
    await using left = await leftWork();
    const thread = new Thread({ target: work.leaveChain, args: [left.place] });
    thread.start();
    await left.precedes(thread.join());
  },
);

test("Thread does not wait for a stream that nobody reads", NESTED, async () => {
  const thread = new Thread({ target: work.leaveStream });
  thread.start();
  await thread.join();
});

test("Thread tells an error at once, and ends after what its target has left", NESTED, async () => {
  await using left = await leftWork();
  const told = Promise.withResolvers<unknown>();
  setExcepthook(({ excValue }) => told.resolve(excValue));
  const thread = new Thread({ target: work.leaveAndThrow, args: [left.place, "a pool"] });
  thread.start();
  assertInstanceOf(await told.promise, RangeError);
  setExcepthook(null);
  await left.precedes(thread.join());
});

for (const to of ["a thread", "a process"] as const) {
  test(`Process ends after what its target has left to ${to}`, NESTED, async () => {
    await using left = await leftWork();
    const process = new Process({ target: work.leave, args: [left.place, to] });
    process.start();
    await left.begun();
    assertEquals([process.isAlive(), process.exitcode], [true, null]);
    await left.precedes(process.join());
    assertEquals(process.exitcode, 0);
  });
}

test(
  "Process that fails ends after what its target has left, with the code of its failure",
  NESTED,
  async () => {
    await using left = await leftWork();
    const process = new Process({ target: work.leaveAndThrow, args: [left.place, "a thread"] });
    process.start();
    await left.precedes(process.join());
    assertEquals(process.exitcode, 1);
  },
);

test(
  "Process that exits by itself does not wait for what its target has left",
  NESTED,
  async () => {
    await using left = await leftWork();
    const process = new Process({ target: work.leaveAndExit, args: [left.place] });
    process.start();
    await process.join();
    assertEquals(process.exitcode, 3);
  },
);

test("Process that waits for what its target has left can be killed", NESTED, async () => {
  await using left = await leftWork();
  const process = new Process({ target: work.leave, args: [left.place, "a thread"] });
  process.start();
  await left.begun();
  process.kill();
  await process.join();
  assertEquals(process.exitcode, -9);
});

test(
  "ThreadPoolExecutor.shutdown() waits for what tasks have left to threads",
  NESTED,
  async () => {
    await using left = await leftWork();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(work.leave, left.place, "a thread");
    await left.precedes(pool.shutdown());
  },
);

test("ProcessPoolExecutor.shutdown() waits for what tasks have left to pools", NESTED, async () => {
  await using left = await leftWork();
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  await pool.submit(work.leave, left.place, "a pool");
  await left.precedes(pool.shutdown());
});

for (const limit of [{ maxTasksPerChild: 1 }, { idleTimeout: 1 }]) {
  const [name] = Object.keys(limit);
  for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
    test(
      `${Pool.name}: where a worker ends by ${name} and tasks have left something, another takes its place`,
      NESTED,
      async () => {
        await using left = await leftWork();
        const pool = new Pool({ maxWorkers: 1, ...limit });
        await pool.submit(work.leave, left.place, "a thread");
        await left.begun();
        assertEquals(await pool.submit(echo, "goes on"), "goes on");
        assertEquals(await work.exists(left.place.done), false);
        await left.precedes(pool.shutdown());
      },
    );
  }
}

test("ProcessPoolExecutor.shutdown() ends a process that computes on for a task that is over", async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  await pool.submit(work.leaveSpin);
  const { pids } = pool;
  await pool.shutdown();
  await assertGone(pids);
});
