/** Ends of pools: on request, by an error, by retirement. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BrokenThreadPool,
  CancelledError,
  type Executor,
  type Future,
  RuntimeError,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { OwnedTaskRing } from "../../_memory/task_ring.ts";
import { WorkerState } from "../../executors/_worker_state.ts";
import { test } from "../_support/leaks.ts";
import { errorOf, Gate, until } from "./_support.ts";
import * as work from "./_tasks.ts";

/** A pool with one running task, and several that wait. */
async function busyPool(held: Gate, waiting: number) {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const running = pool.submit(work.hold<string>, held.words, "held");
  await held.arrived();
  const queued = Array.from({ length: waiting }, (_, n) => pool.submit(work.echo<number>, n));
  return { pool, running, queued };
}

/** How many tasks wait: fewer than the ring holds, and more. */
const WAITING = [3, 3000];

for (const waiting of WAITING) {
  test(`ThreadPoolExecutor.shutdown() waits for all of ${waiting} tasks`, async () => {
    using held = new Gate();
    const { pool, running, queued } = await busyPool(held, waiting);
    let isOver = false;
    const closed = pool.shutdown().then(() => isOver = true);
    assertThrows(() => pool.submit(work.noop), RuntimeError, "after shutdown");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals([isOver, running.done()], [false, false]);
    held.open();
    await closed;
    assertEquals([running, ...queued].every((future) => future.done()), true);
    assertEquals(await running, "held");
    assertEquals(await Promise.all(queued), queued.map((_, n) => n));
    assertEquals(pool.stats().workers, 0);
  });

  test(`ThreadPoolExecutor.shutdown({ cancelFutures }) runs what runs and cancels ${waiting} tasks`, async () => {
    using held = new Gate();
    const { pool, running, queued } = await busyPool(held, waiting);
    const closed = pool.shutdown({ cancelFutures: true });
    assertEquals(queued.every((future) => future.cancelled()), true);
    assertEquals(running.done(), false);
    held.open();
    await closed;
    assertEquals(await running, "held");
    const { workers, cancelled, queued: left, completed } = pool.stats();
    assertEquals({ workers, cancelled, left, completed }, {
      workers: 0,
      cancelled: waiting,
      left: 0,
      completed: 1,
    });
  });

  test(`ThreadPoolExecutor.shutdown({ wait: false }) returns at once and ${waiting} tasks still run`, async () => {
    using held = new Gate();
    const { pool, running, queued } = await busyPool(held, waiting);
    await pool.shutdown({ wait: false });
    assertEquals(running.done(), false);
    assertThrows(() => pool.submit(work.noop), RuntimeError);
    held.open();
    assertEquals(await Promise.all(queued), queued.map((_, n) => n));
    await until(() => pool.stats().workers === 0);
  });

  test(`ThreadPoolExecutor.shutdown() can be followed by one that cancels ${waiting} tasks`, async () => {
    using held = new Gate();
    const { pool, running, queued } = await busyPool(held, waiting);
    const first = pool.shutdown();
    const second = pool.shutdown({ cancelFutures: true });
    assertEquals(queued.every((future) => future.cancelled()), true);
    held.open();
    await Promise.all([first, second]);
    assertEquals(await running, "held");
    await pool.shutdown();
    pool.shutdownSync();
    assertEquals(pool.stats().workers, 0);
  });

  test(`ThreadPoolExecutor.shutdownSync() blocks until ${waiting} tasks are done`, async () => {
    await using helper = new ThreadPoolExecutor({ maxWorkers: 1 });
    using held = new Gate();
    const { pool, running, queued } = await busyPool(held, waiting);
    const opener = helper.submit((words: Int32Array) => {
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
    }, held.words);
    pool.shutdownSync();
    assertEquals([running, ...queued].every((future) => future.done()), true);
    assertEquals(pool.stats().workers, 0);
    await opener;
  });
}

test("ThreadPoolExecutor with `using` has done everything at the end of the block", () => {
  const futures: Future<number>[] = [];
  {
    using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    for (let n = 0; n < 100; n++) futures.push(pool.submit(work.double, n));
  }
  assertEquals(
    futures.map((future) => future.resultSync({ timeout: 0 })),
    futures.map((_, n) => 2 * n),
  );
});

test("ThreadPoolExecutor with `await using` has done everything at the end of the block", async () => {
  const futures: Future<number>[] = [];
  {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    for (let n = 0; n < 100; n++) futures.push(pool.submit(work.double, n));
  }
  assertEquals(futures.every((future) => future.done()), true);
  assertEquals(await Promise.all(futures), futures.map((_, n) => 2 * n));
});

test("ThreadPoolExecutor.shutdown() of a pool never used ends at once", async () => {
  for (const options of [{}, { cancelFutures: true }, { wait: false }]) {
    const pool = new ThreadPoolExecutor();
    await pool.shutdown(options);
    assertEquals(pool.stats().workers, 0);
    assertThrows(() => pool.submit(work.noop), RuntimeError, "after shutdown");
  }
  const pool = new ThreadPoolExecutor();
  pool.shutdownSync();
  assertThrows(() => pool.submit(work.noop), RuntimeError, "after shutdown");
});

test("ThreadPoolExecutor.shutdown() of a broken pool ends; submit still says that it is broken", async () => {
  for (const cancelFutures of [false, true]) {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    assert(BrokenThreadPool.is(await errorOf(pool.submit(work.closeWorker))));
    await pool.shutdown({ cancelFutures });
    pool.shutdownSync({ cancelFutures });
    assertThrows(() => pool.submit(work.noop), BrokenThreadPool);
    assertEquals(pool.stats().workers, 0);
  }
});

test("ThreadPoolExecutor.shutdown() under way ends when the pool breaks", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using held = new Gate();
  using ending = new Gate();
  const futures: Future<unknown>[] = [
    pool.submit(work.hold, held.words),
    pool.submit(work.endInTask, ending.words, "close"),
  ];
  await Promise.all([held.arrived(), ending.arrived()]);
  for (let n = 0; n < 3; n++) futures.push(pool.submit(work.echo, n));
  const closed = pool.shutdown();
  ending.open();
  for (const future of futures) assertInstanceOf(await errorOf(future), BrokenThreadPool);
  await closed;
  assertEquals(pool.stats().workers, 0);
});

test("ThreadPoolExecutor.shutdown() under way runs the rest on a new worker when one is lost", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  using ending = new Gate();
  const lost = pool.submit(work.endInTask, ending.words, "close");
  await ending.arrived();
  const queued = [1, 2, 3].map((n) => pool.submit(work.echo<number>, n));
  const closed = pool.shutdown();
  ending.open();
  assertInstanceOf(await errorOf(lost), BrokenThreadPool);
  assertEquals(await Promise.all(queued), [1, 2, 3]);
  await closed;
  assertEquals(pool.stats().workers, 0);
});

test("Executor.submit() from a done callback during shutdown throws", async () => {
  using held = new Gate();
  const { pool, running } = await busyPool(held, 2);
  let thrown: unknown;
  running.addDoneCallback(() => {
    try {
      pool.submit(work.noop);
    } catch (error) {
      thrown = error;
    }
  });
  const closed = pool.shutdown();
  held.open();
  await closed;
  assertInstanceOf(thrown, RuntimeError);
});

test("Executor.submit() from a task fails with a RuntimeError while its pool shuts down, and after", async () => {
  const submit = async (other: Executor, gate: Int32Array): Promise<unknown> => {
    Atomics.wait(gate, 0, 0);
    return await other.submit(() => {}).exception();
  };
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using held = new Gate();
  const other = new ThreadPoolExecutor({ maxWorkers: 1 });
  const running = other.submit(work.hold<string>, held.words, "held");
  await held.arrived();
  const gates = [0, 1].map(() => new Int32Array(new SharedArrayBuffer(4)));
  const errors = gates.map((gate) => pool.submit(submit, other, gate));
  const closed = other.shutdown();
  for (const [i, gate] of gates.entries()) {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const error = await errors[i];
    assertInstanceOf(error, RuntimeError);
    assertStringIncludes(error.message, "after shutdown");
    held.open();
    await closed;
  }
  assertEquals(await running, "held");
});

test("Executor.submit() from a done callback before shutdown is waited for", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const chained: Future<number>[] = [];
  const first = pool.submit(work.echo<number>, 0);
  const grow = (): void => {
    if (chained.length === 20) return;
    const next = pool.submit(work.echo<number>, chained.length);
    chained.push(next);
    next.addDoneCallback(grow);
  };
  first.addDoneCallback(grow);
  await first;
  await until(() => chained.length === 20);
  await pool.shutdown();
  assertEquals(await Promise.all(chained), chained.map((_, n) => n));
});

test("Executor.shutdown() from a done callback ends the pool", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  let closed: Promise<void> | undefined;
  const futures = [1, 2, 3].map((n) => pool.submit(work.echo<number>, n));
  futures[0].addDoneCallback(() => {
    closed = pool.shutdown();
  });
  assertEquals(await Promise.all(futures), [1, 2, 3]);
  await closed;
  assertEquals(pool.stats().workers, 0);
});

test("ThreadPoolExecutor.shutdown({ cancelFutures }) settles those who wait", async () => {
  using held = new Gate();
  const { pool, running, queued } = await busyPool(held, 2);
  const waits = queued.map((future) =>
    future.result().then(() => "a value", (error) => CancelledError.is(error))
  );
  const closed = pool.shutdown({ cancelFutures: true });
  assertEquals(await Promise.all(waits), [true, true]);
  held.open();
  await Promise.all([closed, running]);
  assertEquals(pool.stats().cancelled, 2);
});

// Workers that retire

for (const maxTasksPerChild of [1, 3]) {
  test(`ThreadPoolExecutor({ maxTasksPerChild: ${maxTasksPerChild} }) replaces its worker after so many tasks`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild });
    const rounds = 5;
    const ids = await Promise.all(
      Array.from({ length: rounds * maxTasksPerChild }, () => pool.submit(work.identity)),
    );
    const counts = Map.groupBy(ids, (id) => id);
    assertEquals(
      [...counts.values()].map((ids) => ids.length),
      Array(rounds).fill(maxTasksPerChild),
    );
    assertEquals(pool.stats().lost, 0);
  });
}

test("ThreadPoolExecutor({ maxTasksPerChild }) keeps count while tasks come one by one", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 2 });
  const ids: string[] = [];
  for (let i = 0; i < 8; i++) ids.push(await pool.submit(work.identity));
  assertEquals(new Set(ids).size, 4);
  assertEquals([0, 2, 4, 6].every((i) => ids[i] === ids[i + 1]), true);
});

test("ThreadPoolExecutor({ maxTasksPerChild }) loses no task with several workers", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, maxTasksPerChild: 5 });
  const futures = Array.from({ length: 101 }, (_, n) => pool.submit(work.echo<number>, n));
  assertEquals(await Promise.all(futures), futures.map((_, n) => n));
  const { lost, failed, completed } = pool.stats();
  assertEquals({ lost, failed, completed }, { lost: 0, failed: 0, completed: 101 });
});

test("ThreadPoolExecutor({ maxTasksPerChild }) is shut down with a worker that has had its tasks", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
  assertEquals(await pool.submit(work.echo<number>, 1), 1);
  await pool.shutdown();
  assertEquals(pool.stats().workers, 0);
});

const IDLE_MS = 20;

test("ThreadPoolExecutor({ idleTimeout }) ends idle workers, and starts new ones", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, idleTimeout: IDLE_MS });
  using held = new Gate();
  const futures = [1, 2].map(() => pool.submit(work.holdIdentity, held.words));
  await held.arrived(2);
  held.open();
  const first = await Promise.all(futures);
  await until(() => pool.stats().workers === 0);
  assertEquals(first.includes(await pool.submit(work.identity)), false);
  assertEquals(pool.stats().lost, 0);
});

test("ThreadPoolExecutor({ idleTimeout: 0 }) ends workers that have nothing to do at once, and loses no task", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, idleTimeout: 0 });
  for (let round = 0; round < 5; round++) {
    const futures = Array.from({ length: 20 }, (_, n) => pool.submit(work.echo<number>, n));
    assertEquals(await Promise.all(futures), futures.map((_, n) => n));
    await until(() => pool.stats().workers === 0);
  }
  assertEquals(pool.stats().lost, 0);
});

test("ThreadPoolExecutor({ idleTimeout }) does not end a worker that works", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, idleTimeout: 1 });
  using held = new Gate();
  const future = pool.submit(work.holdAsync<string>, held.words, "held");
  await held.arrived();
  await new Promise((resolve) => setTimeout(resolve, 5 * IDLE_MS));
  assertEquals(pool.stats().workers, 1);
  held.open();
  assertEquals(await future, "held");
});

test("ThreadPoolExecutor({ idleTimeout }) does not end a worker while tasks wait at a busy owner", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, idleTimeout: 1 });
  // With priorities, the worker sees one waiting task at a time.
  const urgent = pool.with({ priority: 1 });
  const futures = Array.from({ length: 5 }, () => urgent.submit(work.identity));
  for (const future of futures) {
    future.addDoneCallback(() => {
      const endMs = performance.now() + IDLE_MS;
      while (performance.now() < endMs);
    });
  }
  assertEquals(new Set(await Promise.all(futures)).size, 1);
});

test("A worker retires after its idleTimeout once no task waits", async () => {
  const state = new WorkerState();
  const ring = new OwnedTaskRing();
  const hold = setInterval(() => {}, 1000);
  try {
    ring.setBacklog(true);
    const slept = state.sleep(ring, 0);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    assertEquals(state.isRetired, false);
    ring.setBacklog(false);
    await slept;
    assertEquals(state.isRetired, true);
  } finally {
    clearInterval(hold);
  }
});

test("A worker that is woken before its idleTimeout leaves no timer behind", async () => {
  const { waitAsync } = Atomics;
  const timeouts = new Set<number | undefined>();
  Atomics.waitAsync = ((words: Int32Array, index: number, value: number, timeout?: number) => {
    timeouts.add(timeout);
    return waitAsync(words, index, value, timeout);
  }) as typeof waitAsync;
  // A worker's port does this: the sleep itself does not hold the event loop open.
  const hold = setInterval(() => {}, 1000);
  try {
    const state = new WorkerState();
    const ring = new OwnedTaskRing();
    for (let i = 0; i < 3; i++) {
      const slept = state.sleep(ring, 60_000);
      assert(state.wake(ring));
      await slept;
    }
    assertEquals(state.isRetired, false);
    await state.sleep(ring, 1);
    assertEquals(state.isRetired, true);
  } finally {
    clearInterval(hold);
    Atomics.waitAsync = waitAsync;
  }
  // What the engine keeps for a timeout stays until that has passed, and nobody sees it. The test
  // runner sees the timers of the event loop.
  assertEquals([...timeouts], [undefined]);
});

test("ThreadPoolExecutor({ idleTimeout }) is shut down after its workers have retired", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1, idleTimeout: 1 });
  assertEquals(await pool.submit(work.echo<number>, 1), 1);
  await until(() => pool.stats().workers === 0);
  await pool.shutdown();
  assertThrows(() => pool.submit(work.noop), RuntimeError);
});

test("ThreadPoolExecutor({ idleTimeout }) loses no task of bursts at the time of retirement", {
  timeout: 60_000,
}, async () => {
  const idleTimeout = 4;
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, idleTimeout });
  const rounds = 200;
  for (let round = 0; round < rounds; round++) {
    const futures = Array.from({ length: 5 }, (_, n) => pool.submit(work.echo<number>, n));
    assertEquals(await Promise.all(futures.map((future) => future.result({ timeout: 5000 }))), [
      0,
      1,
      2,
      3,
      4,
    ]);
    // The pauses go from below the idle timeout to above it, in small steps.
    const pauseMs = idleTimeout - 1.5 + 3 * (round / rounds);
    const endMs = performance.now() + pauseMs;
    while (performance.now() < endMs);
  }
  const { lost, failed, completed } = pool.stats();
  assertEquals({ lost, failed, completed }, { lost: 0, failed: 0, completed: 5 * rounds });
});

test("ThreadPoolExecutor({ idleTimeout }) loses no task that is waited for blocking", {
  timeout: 60_000,
}, () => {
  const idleTimeout = 4;
  using pool = new ThreadPoolExecutor({ maxWorkers: 1, idleTimeout });
  const rounds = 200;
  for (let round = 0; round < rounds; round++) {
    assertEquals(pool.submit(work.echo<number>, round).resultSync({ timeout: 5000 }), round);
    const endMs = performance.now() + idleTimeout - 1.5 + 3 * (round / rounds);
    while (performance.now() < endMs);
  }
  assertEquals(pool.stats().completed, rounds);
});

test("ThreadPoolExecutor.shutdown() with cancelFutures has map() submit nothing more", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using held = new Gate();
  let read = 0;
  function* items(): Generator<Int32Array> {
    for (;; read++) yield held.words;
  }
  const results = pool.map(work.hold, items(), { buffersize: 20, chunksize: 1 });
  await held.arrived();
  const before = read;
  const ended = pool.shutdown({ cancelFutures: true });
  assertEquals(read, before);
  held.open();
  await ended;
  await results[Symbol.asyncIterator]().return?.();
});
