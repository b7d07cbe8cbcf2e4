import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import {
  AsyncExecutor,
  type ExecutorStats,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { Histogram } from "../../executors/_histogram.ts";
import { Meter, WorkerAccount } from "../../executors/_meter.ts";
import { test } from "../_support/leaks.ts";
import { Gate } from "../contracts/signals.ts";
import { fail, pass, square } from "../contracts/tasks.ts";
import { toil } from "./fixtures/timed.ts";

/** The relative error that a percentile may have. */
const ERROR = 1 / 64;

function typeOf(value: unknown): string {
  return typeof value;
}

/** A clock that stands still until it is set, and the counters that use it. */
class Bench {
  nowMs = 1e12;
  readonly clock = (): number => this.nowMs;
  readonly meter: Meter = new Meter(this.clock);
  readonly worker: WorkerAccount = new WorkerAccount(this.clock);
  timed = 0;
  #tasks = 0;

  /** Submits a task `gapMs` after the one before; it waits for `waitMs` and runs for `runMs`. */
  run(gapMs: number, waitMs: number, runMs: number): void {
    this.nowMs += gapMs;
    const id = this.#tasks++;
    if (!this.meter.isDue()) return;
    this.timed++;
    this.meter.time(id, 1);
    const startMs = this.nowMs + waitMs;
    // The outcome arrives later; the next submission does not wait for it.
    const submittedMs = this.nowMs;
    this.nowMs = startMs + runMs;
    this.meter.ran(this.worker, id, startMs, startMs + runMs);
    this.nowMs = submittedMs;
  }

  get stats(): ExecutorStats {
    return this.meter.stats([], 0, 0);
  }
}

test("Histogram.percentile() is off by at most 1.6 % at any size", () => {
  for (const scale of [0.001, 0.37, 1, 42, 1e4, 1e7]) {
    const histogram = new Histogram();
    const values = Array.from({ length: 1000 }, (_, i) => scale * (1 + i / 7));
    for (const value of values) histogram.add(value, 1);
    for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
      const exact = values[Math.ceil(share * values.length) - 1];
      assertAlmostEquals(histogram.percentile(share), exact, exact * ERROR);
    }
    assertEquals([histogram.count, histogram.max], [1000, values.at(-1)]);
  }
});

test("Histogram counts a value as often as it weighs", () => {
  const histogram = new Histogram();
  histogram.add(1, 98);
  histogram.add(100, 2);
  assertEquals(histogram.count, 100);
  assertAlmostEquals(histogram.percentile(0.98), 1, ERROR);
  assertAlmostEquals(histogram.percentile(0.99), 100, 100 * ERROR);
});

test("Histogram takes nothing, no time and what is beyond all bounds", () => {
  const histogram = new Histogram();
  assertEquals([histogram.percentile(0.5), histogram.max, histogram.count], [0, 0, 0]);
  histogram.add(0, 1);
  histogram.add(-1, 1);
  assertEquals([histogram.percentile(1), histogram.max], [0, 0]);
  histogram.add(1e300, 1);
  assertEquals([histogram.count, histogram.max], [3, 1e300]);
  assert(histogram.percentile(1) > 1e9);
});

test("Meter times every task that comes slowly", () => {
  const bench = new Bench();
  for (let i = 0; i < 500; i++) bench.run(2, 1, 10);
  assertEquals([bench.timed, bench.stats.run.count], [500, 500]);
  assertAlmostEquals(bench.stats.wait.p50, 1, ERROR);
  assertAlmostEquals(bench.stats.run.p99, 10, 10 * ERROR);
});

test("Meter times every task of a burst of a hundred, and of the next one after a pause", () => {
  const bench = new Bench();
  for (let burst = 1; burst <= 3; burst++) {
    for (let i = 0; i < 100; i++) bench.run(0.001, i, i);
    assertEquals([bench.timed, bench.stats.run.count], [100 * burst, 100 * burst]);
    bench.nowMs += 1000;
  }
  assertEquals(bench.stats.run.max, 99);
});

test("Meter times few of the tasks that come fast, and each of them stands for others", () => {
  const bench = new Bench();
  for (let i = 0; i < 100_000; i++) bench.run(0.001, 0.01, 0.001);
  // A burst's, and one per millisecond, for 100 ms.
  assert(bench.timed > 50 && bench.timed < 300, `${bench.timed} were timed`);
  assertEquals(bench.stats.run.count, 100_000);
});

test("Meter sees tasks that come in turns by what share they have", () => {
  const bench = new Bench();
  // Every fourth task takes long; with a fixed distance between samples, only that kind might be
  // seen, or never.
  for (let i = 0; i < 400_000; i++) bench.run(0.002, 0, i % 4 === 0 ? 50 : 0.002);
  const { p50, p90, count } = bench.stats.run;
  assertEquals(count, 400_000);
  assertAlmostEquals(p50, 0.002, 0.002 * ERROR);
  assertAlmostEquals(p90, 50, 50 * ERROR);
});

test("Meter does not have a slow task stand for the fast ones before it", () => {
  const bench = new Bench();
  for (let i = 0; i < 10_000; i++) bench.run(0.001, 0, 0.004);
  for (let i = 0; i < 50; i++) {
    bench.nowMs += 1000;
    bench.meter.catchUp();
    bench.run(0, 0, 1000);
  }
  const { run } = bench.stats;
  assertEquals([run.count, run.max], [10_050, 1000]);
  assertLess(run.p99, 1);
});

test("Meter leaves out what has never run, timed or not, and keeps what that stood for", () => {
  const bench = new Bench();
  const { meter } = bench;
  for (let i = 0; i < 10_000; i++) bench.run(0.001, 0, 0.001);
  let dropped = 0;
  let dropsTimed = false;
  for (let i = 0; i < 10_000 && !dropsTimed; i++) {
    bench.nowMs += 0.001;
    dropsTimed = meter.isDue();
    if (dropsTimed) meter.time(1e6, 1);
    meter.drop(dropsTimed ? 1e6 : 0, 1);
    dropped++;
  }
  assert(dropsTimed && dropped > 1);
  for (let i = 0; i < 10_000; i++) bench.run(0.001, 0, 0.001);
  assertEquals(bench.stats.run.count, 20_000);
});

test("Meter.submittedMsOf() does not take a task for an earlier one that had its index", () => {
  const { meter, worker, clock } = new Bench();
  assert(meter.isDue());
  meter.time(0, 1);
  assertEquals(meter.submittedMsOf(0), clock());
  meter.ran(worker, 0, clock(), clock() + 1);
  assertEquals(meter.submittedMsOf(0), undefined);
  assert(meter.isDue());
  meter.time(0, 1);
  meter.forget(0); // As of a task that is given up, and whose thread goes on with it.
  assertEquals(meter.submittedMsOf(0), undefined);
});

test("Meter leaves out a timed task whose times never come, and keeps what that stood for", () => {
  const bench = new Bench();
  const { meter } = bench;
  for (let i = 0; i < 10_000; i++) bench.run(0.001, 0, 0.001);
  let before = 0;
  while (!meter.isDue()) before++;
  meter.time(1e6, 1);
  meter.forget(1e6);
  for (let i = 0; i < 10_000; i++) bench.run(0.001, 0, 0.001);
  assertEquals(bench.stats.run.count, 20_000 + before);
});

test("Meter counts a chunk as many times as it has calls, each with its share of the time", () => {
  const { meter, worker, clock } = new Bench();
  meter.addCalls(99);
  assert(meter.isDue());
  meter.time(0, 100);
  meter.ran(worker, 0, clock(), clock() + 50);
  const { run } = meter.stats([], 0, 0);
  assertEquals([run.count, run.max], [100, 0.5]);
});

test("WorkerAccount finds out by how much a worker's clock is off", () => {
  const HOUR_MS = 3_600_000;
  for (const offMs of [HOUR_MS, -HOUR_MS, 0]) {
    let nowMs = 1e12;
    const account = new WorkerAccount(() => nowMs);
    for (let i = 0; i < 5; i++) {
      const submittedMs = nowMs;
      const [startMs, endMs] = [nowMs + 2, nowMs + 7];
      nowMs += 9;
      const span = account.book(submittedMs, startMs + offMs, endMs + offMs);
      assert(span.startMs >= submittedMs && span.endMs <= nowMs);
      assertAlmostEquals(span.endMs - span.startMs, 5, 1e-3);
      if (offMs === 0) assertEquals(span, { startMs, endMs });
    }
  }
});

test("WorkerAccount.utilization() counts what runs, and never exceeds 1", () => {
  let nowMs = 1e12;
  const account = new WorkerAccount(() => nowMs);
  assertEquals(account.utilization(undefined, 0), 0);
  const startMs = nowMs;
  nowMs += 25;
  account.book(startMs, startMs, startMs + 25);
  account.done++;
  nowMs += 25;
  assertEquals(account.utilization(undefined, 0), 0.5);
  assertEquals(account.utilization(startMs + 10, 0), 1);
  account.done = 100;
  assertEquals(account.utilization(undefined, 0), 1);
});

const EXECUTORS = [
  ["ThreadPoolExecutor", () => new ThreadPoolExecutor({ maxWorkers: 2 })],
  ["ProcessPoolExecutor", () => new ProcessPoolExecutor({ maxWorkers: 2 })],
  ["AsyncExecutor", () => new AsyncExecutor({ maxWorkers: 2 })],
] as const;

for (const [name, make] of EXECUTORS) {
  const isPool = name !== "AsyncExecutor";

  test(`${name}.stats() of a new executor has nothing`, async () => {
    await using executor = make();
    const nothing = { count: 0, p50: 0, p90: 0, p99: 0, max: 0 };
    assertEquals(executor.stats(), {
      workers: 0,
      idle: 0,
      running: 0,
      queued: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      lost: 0,
      abandoned: 0,
      wait: nothing,
      run: nothing,
      perWorker: [],
    });
  });

  test(`${name}.stats() tells how long calls waited and ran`, async () => {
    await using executor = make();
    const startMs = performance.now();
    const took: number[] = [];
    for (const ms of [5, 2, 8, 2, 3, 6]) took.push(await executor.submit(toil, ms));
    const lastedMs = performance.now() - startMs;
    const { wait, run } = executor.stats();
    assertEquals([wait.count, run.count], [6, 6]);
    // The clock is read around the function, so the function itself has measured less; to a
    // microsecond.
    assert(run.max >= Math.max(...took) - 0.01, `${run.max} is less than ${took}`);
    assert(run.p50 >= took.toSorted((a, b) => a - b)[2] * (1 - ERROR) - 0.01);
    for (const { p50, p90, p99, max } of [wait, run]) {
      assert(0 <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max && max <= lastedMs + 0.01);
    }
  });

  test(`${name}.stats() counts queue, outcomes and calls of chunks`, async () => {
    await using executor = make();
    using gate = new Gate();
    const held = [1, 2].map((n) => executor.submit(pass, gate.parts, n));
    await gate.entered(2);
    const queued = [1, 2, 3].map((n) => executor.submit(square, n));
    const failing = executor.submit(fail, "failed");
    assertEquals([executor.stats().running, executor.stats().queued], [2, 4]);
    queued[0].cancel();
    gate.open();
    await Promise.allSettled([...held, ...queued, failing]);
    await executor.map(square, [1, 2, 3, 4, 5, 6, 7, 8], { chunksize: 4 }).toArray();
    // An item's error is not that of its chunk, which fails nevertheless.
    await executor.map(fail, ["a", "b"], { chunksize: 2 }).toArray().catch(() => {});
    assertEquals(executor.stats().running, 0);
    const { completed, failed, cancelled, run } = executor.stats();
    assertEquals([completed, failed, cancelled], [4 + 2, 1 + 1, 1]);
    assertEquals(run.count, 5 + 8 + 2);
  });

  test(`${name}.stats() sees the one slow task in a burst of a hundred`, async () => {
    await using executor = make();
    const burst = Array.from({ length: 100 }, (_, i) => executor.submit(toil, i === 60 ? 20 : 0));
    const took = await Promise.all(burst);
    const { count, p90, max } = executor.stats().run;
    assertEquals(count, 100);
    assert(max >= took[60] - 0.01 && p90 < 20, `of ${took[60]} ms: at most ${max}, p90 ${p90}`);
  });

  test(`${name}.stats() counts every one of many fast tasks`, async () => {
    await using executor = make();
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 2000 }, (_, i) => executor.submit(square, i)));
    }
    assertEquals(executor.stats().running, 0);
    const { completed, run, wait } = executor.stats();
    assertEquals([completed, run.count, wait.count], [8000, 8000, 8000]);
  });

  test(`${name}.stats() has no times of chunks that were cancelled`, async () => {
    await using executor = make();
    using gate = new Gate();
    const held = [1, 2].map((n) => executor.submit(pass, gate.parts, n));
    await gate.entered(2);
    const items = Array.from({ length: 5000 }, (_, i) => i);
    await executor.map(square, items, { chunksize: 10 })[Symbol.asyncIterator]().return!();
    gate.open();
    await Promise.all(held);
    assertEquals(executor.stats().running, 0);
    const { cancelled, run, wait } = executor.stats();
    assertEquals([cancelled, run.count, wait.count], [500, 2, 2]);
  });

  test(`${name}.stats() has no times of tasks that were refused`, async () => {
    await using executor = make();
    const refusing = executor.with({ signal: AbortSignal.abort(new RangeError("enough")) });
    const futures = Array.from({ length: 1000 }, (_, i) => {
      if (i % 4 === 0) return executor.submit(square, i);
      // To the event loop, nothing is sent.
      return i % 4 > 1 || !isPool ? refusing.submit(square, i) : executor.submit(typeOf, Symbol());
    });
    await Promise.allSettled(futures);
    assertEquals(executor.stats().running, 0);
    const { completed, failed, run, wait } = executor.stats();
    assertEquals([completed, failed, run.count, wait.count], [250, 750, 250, 250]);
  });

  test(`${name}.stats() counts no task as running whose outcome is there`, async () => {
    await using executor = make();
    for (let i = 0; i < 1000; i++) {
      await executor.submit(square, i);
      const { running, queued, completed } = executor.stats();
      assertEquals([running, queued, completed], [0, 0, i + 1]);
    }
  });

  test(`${name}.stats() counts a task given up while it waits as failed`, async () => {
    await using executor = make();
    using gate = new Gate();
    const held = [1, 2].map((n) => executor.submit(pass, gate.parts, n));
    await gate.entered(2);
    const controller = new AbortController();
    const waiting = executor.with({ signal: controller.signal }).submit(square, 2);
    controller.abort(new RangeError("enough"));
    await waiting.exception();
    assertEquals([executor.stats().failed, executor.stats().queued], [1, 0]);
    gate.open();
    await Promise.all(held);
  });

  if (!isPool) continue;

  test(`${name}.stats() tells what each worker has done`, async () => {
    await using executor = make();
    using gate = new Gate();
    const held = executor.submit(pass, gate.parts, 0);
    await gate.entered();
    for (let i = 0; i < 5; i++) await executor.submit(toil, 1);
    const { perWorker, workers } = executor.stats();
    assertEquals(perWorker.length, workers);
    assertEquals(perWorker.map(({ done }) => done).toSorted(), [0, 5]);
    for (const { name, pid, utilization } of perWorker) {
      assert(name.startsWith(executor.stats().perWorker[0].name.slice(0, -1)));
      assertEquals(pid === undefined, executor instanceof ThreadPoolExecutor);
      assert(utilization > 0 && utilization <= 1, `${name} was busy for ${utilization}`);
    }
    if (executor instanceof ProcessPoolExecutor) {
      assertEquals(perWorker.map(({ pid }) => pid), executor.pids);
    }
    gate.open();
    await held;
    assertEquals(executor.stats().running, 0);
    assertEquals(executor.stats().perWorker.reduce((sum, { done }) => sum + done, 0), 6);
  });

  test(`${name}.stats() has no times of tasks that were lost`, async () => {
    await using executor = name === "ThreadPoolExecutor"
      ? new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" })
      : new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    await executor.submit(() => Deno.exit(0)).exception();
    assertEquals(await executor.submit(square, 3), 9);
    const { completed, failed, lost, run } = executor.stats();
    assertEquals([completed, failed, lost, run.count], [1, 1, 1, 1]);
  });
}
