/**
 * Counts: each task has exactly one outcome, and the right one, however many tasks there are and
 * however large.
 */

import { assert, assertEquals } from "@std/assert";
import {
  CancelledError,
  type Future,
  ThreadPoolExecutor,
  TimeoutError,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate } from "../contracts/gate.ts";
import { randomNumbers } from "./random.ts";
import { SCALE } from "./scale.ts";
import { act, back, ends, filled, hold, repeated, twice } from "./tasks.ts";

/** A larger test has proportionally more time. */
const options = { timeout: 20_000 * SCALE };

/** Slots of the ring between a pool and its workers. */
const RING_SLOTS = 1024;

function sumOf(count: number): number {
  return count * (count - 1);
}

test(
  "ThreadPoolExecutor: 200,000 pending futures all settle, each with its own result",
  options,
  async () => {
    const count = 200_000 * SCALE;
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const futures: Future<number>[] = [];
    for (let i = 0; i < count; i++) futures.push(pool.submit(twice, i));
    const results = await Promise.all(futures);
    assert(results.every((value, i) => value === 2 * i));
    assertEquals(results.reduce((sum, value) => sum + value, 0), sumOf(count));
    assertEquals(pool.stats().completed, count);
  },
);

test("ThreadPoolExecutor: 100,000 futures settle for a thread that blocks", options, () => {
  const count = 100_000 * SCALE;
  using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const futures = Array.from({ length: count }, (_, i) => pool.submit(twice, i));
  let sum = 0;
  for (const future of futures) sum += future.resultSync();
  assertEquals(sum, sumOf(count));
});

for (const maxWorkers of [1, 2, 4]) {
  test(`ThreadPoolExecutor with ${maxWorkers} workers loses no task between waves`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers });
    let sum = 0;
    let submitted = 0;
    for (const wave of [1, 2, 3, 10, 1, 100, 1000, RING_SLOTS, RING_SLOTS + 1, 5000, 1]) {
      const futures = Array.from({ length: wave }, () => pool.submit(twice, submitted++));
      for (const value of await Promise.all(futures)) sum += value;
    }
    assertEquals(sum, sumOf(submitted));
    assertEquals(pool.stats().completed, submitted);
  });

  test(
    `ThreadPoolExecutor with ${maxWorkers} workers serves chains of tasks that follow one another`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers });
      const steps = 500 * SCALE;
      const chain = async (start: number): Promise<number> => {
        let value = start;
        for (let i = 0; i < steps; i++) value = (await pool.submit(twice, value)) % 1_000_003;
        return value;
      };
      const starts = [1, 2, 3, 4, 5, 6, 7, 8];
      const expected = starts.map((start) => {
        let value = start;
        for (let i = 0; i < steps; i++) value = (2 * value) % 1_000_003;
        return value;
      });
      assertEquals(await Promise.all(starts.map(chain)), expected);
    },
  );

  test(
    `ThreadPoolExecutor with ${maxWorkers} workers settles a random mix of tasks, cancels and timeouts`,
    options,
    async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers });
      const random = randomNumbers(maxWorkers);
      const count = 4000 * SCALE;
      const limited = pool.with({ timeout: 10 });
      const urgent = pool.with({ priority: 1 });
      const futures: Future<unknown>[] = [];
      const kinds: number[] = [];
      for (let i = 0; i < count; i++) {
        const kind = [0, 0, 0, 1, 2, 3][Math.floor(random() * 6)];
        const executor = random() < 0.1 ? limited : random() < 0.1 ? urgent : pool;
        kinds.push(kind);
        futures.push(executor.submit(act, kind, i));
        if (random() < 0.2) futures[Math.floor(random() * futures.length)].cancel();
        if (random() < 0.01) {
          await futures[Math.floor(random() * futures.length)].exception().catch(() => {});
        }
      }
      const outcomes = await Promise.allSettled(futures);
      let completed = 0;
      let failed = 0;
      let cancelled = 0;
      outcomes.forEach((outcome, i) => {
        if (outcome.status === "fulfilled") {
          completed++;
          assertEquals(outcome.value, i);
          assert(kinds[i] !== 1);
        } else if (CancelledError.is(outcome.reason)) {
          cancelled++;
        } else {
          failed++;
          const { reason } = outcome;
          assert(TimeoutError.is(reason) || (reason as Error).message === `task ${i}`, `${reason}`);
        }
      });
      const stats = pool.stats();
      assertEquals([stats.completed, stats.failed, stats.cancelled], [
        completed,
        failed,
        cancelled,
      ]);
      // A task that was given up has a grace period, which may pass on a busy machine: its worker
      // is replaced then.
      assertEquals([stats.queued, stats.lost], [0, 0]);
      assertEquals(await pool.submit(twice, 21), 42);
    },
  );
}

test("ThreadPoolExecutor keeps the order of a backlog longer than its ring, and cancels within it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  pool.submit(hold, gate.words);
  await gate.entered();
  const order: number[] = [];
  const futures = Array.from({ length: 5 * RING_SLOTS }, (_, i) => {
    const future = pool.submit(twice, i);
    future.addDoneCallback((done) => {
      if (!done.cancelled()) order.push(i);
    });
    return future;
  });
  // Every third task is cancelled, in the ring and in the backlog alike; then new ones follow.
  futures.forEach((future, i) => i % 3 === 0 && assert(future.cancel()));
  const more = Array.from({ length: 2 * RING_SLOTS }, (_, i) => pool.submit(twice, i));
  gate.open();
  await Promise.allSettled(futures);
  assertEquals(order, futures.map((_, i) => i).filter((i) => i % 3 !== 0));
  assertEquals(await Promise.all(more), more.map((_, i) => 2 * i));
});

test("ThreadPoolExecutor: shutdown with cancelFutures settles a backlog longer than its ring", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  pool.submit(hold, gate.words);
  await gate.entered();
  const futures = Array.from({ length: 5 * RING_SLOTS }, (_, i) => pool.submit(twice, i));
  const closing = pool.shutdown({ cancelFutures: true });
  assert(futures.every((future) => future.cancelled()));
  gate.open();
  await closing;
  assertEquals(pool.stats().cancelled, futures.length);
});

for (const [size, bytes, count] of [["100 KB", 100_000, 100], ["5 MB", 5_000_000, 12]] as const) {
  const length = bytes / 8;

  test(`ThreadPoolExecutor sends ${count} arguments of ${size} at once`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const futures = Array.from(
      { length: count },
      (_, i) => pool.submit(ends, new Float64Array(length).fill(i)),
    );
    for (const [i, found] of (await Promise.all(futures)).entries()) {
      assertEquals(found, [i, i, length]);
    }
  });

  test(`ThreadPoolExecutor gives ${count} results of ${size}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const futures = Array.from({ length: count }, (_, i) => pool.submit(filled, length, i));
    for (const [i, values] of (await Promise.all(futures)).entries()) {
      assertEquals([values.length, values[0], values[length - 1]], [length, i, i]);
    }
  });

  test(`ThreadPoolExecutor sends ${size} there and back, one after the other`, () => {
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    for (let i = 0; i < count; i++) {
      const values = pool.submit(back, new Float64Array(length).fill(i)).resultSync();
      assertEquals([values.length, values[0], values[length - 1]], [length, i, i]);
    }
  });
}

test("ThreadPoolExecutor: arguments that wait for room in the arena are sent, cancelled or not", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  pool.submit(hold, gate.words);
  await gate.entered();
  // Together, the arguments are more than an arena may ever hold (256 MiB).
  const length = 12_000_000 / 8;
  const values = new Float64Array(length);
  const futures = Array.from({ length: 26 }, (_, i) => {
    values.fill(i);
    return pool.submit(ends, values);
  });
  futures.forEach((future, i) => i % 2 === 0 && assert(future.cancel()));
  gate.open();
  for (const [i, future] of futures.entries()) {
    if (i % 2 === 1) assertEquals(await future, [i, i, length]);
  }
  assertEquals(await pool.submit(twice, 1), 2);
});

test("ThreadPoolExecutor gives results of every size up to and beyond a record", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const sizes = [0, 1, 1000, 2000, 2030, 2040, 2048, 2049, 2060, 4096, 10_000, 65_536, 300_000];
  const counts = [...sizes, ...Array.from({ length: 300 }, (_, i) => 1900 + i)];
  const futures = counts.map((count) => pool.submit(repeated, "x", count));
  const texts = await Promise.all(futures);
  assertEquals(texts.map((text) => text.length), counts);
  const wide = await pool.submit(repeated, "ü€", 5000);
  assertEquals(wide, "ü€".repeat(5000));
});

test("ThreadPoolExecutor: results that nobody takes wait in the ring of a worker without loss", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  // This thread's event loop does not turn while the workers fill their rings of 256 KiB.
  const futures = Array.from({ length: 900 }, () => pool.submit(repeated, "y", 1500));
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(nothing, 0, 0, 200);
  const texts = await Promise.all(futures);
  assert(texts.every((text) => text.length === 1500));
});
