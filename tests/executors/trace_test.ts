import { assert, assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import {
  AsyncExecutor,
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { Recorder } from "../../executors/_trace_recorder.ts";
import { type TaskEvent, type Trace, trace, type WorkerEvent } from "../../executors/trace.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import { until } from "../_support/processes.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, fail, pass, square, squareEven, waitForAbort } from "../contracts/tasks.ts";
import { Event } from "../../sync/mod.ts";
import { marked, submitNested, traceHere } from "./fixtures/timed.ts";

function tasksOf(trace: Trace): TaskEvent[] {
  return trace.events.filter((event) => event.kind === "task");
}

function workersOf(trace: Trace): WorkerEvent[] {
  return trace.events.filter((event) => event.kind === "worker");
}

/** A task's name and outcome. */
function summary({ name, outcome }: TaskEvent): string {
  return `${name} ${outcome}`;
}

/** Checks that a task that has ended is recorded in full. */
function assertRan(event: TaskEvent, trace: Trace): void {
  const { submitted, started, ended, worker, id } = event;
  const what = JSON.stringify(event);
  assert(started !== undefined && ended !== undefined && id !== undefined, what);
  assert(submitted >= 0 && submitted <= started && started <= ended, what);
  const own = workersOf(trace).find(({ name }) => name === worker);
  assert(own !== undefined && own.started <= started, what);
}

const EXECUTORS = [
  ["ThreadPoolExecutor", (maxWorkers: number) => new ThreadPoolExecutor({ maxWorkers })],
  ["ProcessPoolExecutor", (maxWorkers: number) => new ProcessPoolExecutor({ maxWorkers })],
  ["AsyncExecutor", (maxWorkers: number) => new AsyncExecutor({ maxWorkers })],
] as const;

for (const [name, make] of EXECUTORS) {
  test(`trace() of ${name} has an event for each task`, async () => {
    await using executor = make(2);
    using tracing = trace(executor);
    const futures = [1, 2, 3, 4, 5].map((n) => executor.submit(square, n));
    const failing = executor.submit(fail, "failed");
    await Promise.allSettled([...futures, failing]);
    const tasks = tasksOf(tracing);
    assertEquals(tasks.map(summary), [...Array(5).fill("square returned"), "fail threw"]);
    assertEquals(tasks.map(({ calls }) => calls), Array(6).fill(1));
    assertEquals(new Set(tasks.map(({ id }) => id)).size, 6);
    for (const event of tasks) assertRan(event, tracing);
    assertEquals(tracing.dropped, 0);
    assert(tracing.startTime <= Date.now() + 1 && tracing.startTime > Date.now() - 60_000);
  });

  test(`trace() of ${name} has an event for a task whose signal has aborted before`, async () => {
    await using executor = make(1);
    using tracing = trace(executor);
    await executor.with({ signal: AbortSignal.abort() }).submit(square, 1).exception();
    assertEquals(tasksOf(tracing).map(summary), ["square given up"]);
    assertEquals(executor.stats().failed, 1);
  });

  test(`trace() of ${name} names a task as it was marked`, async () => {
    await using executor = make(1);
    using tracing = trace(executor);
    await executor.submit(marked, 1);
    assertEquals(tasksOf(tracing).map(summary), ["marked returned"]);
  });

  test(`trace() of ${name} shows tasks one after another in each worker`, async () => {
    await using executor = make(2);
    using tracing = trace(executor);
    await Promise.all(Array.from({ length: 200 }, (_, i) => executor.submit(square, i)));
    for (const worker of workersOf(tracing)) {
      const own = tasksOf(tracing).filter((event) => event.worker === worker.name)
        .sort((a, b) => a.started! - b.started!);
      for (let i = 1; i < own.length; i++) assertGreaterOrEqual(own[i].started!, own[i - 1].ended!);
    }
    assertEquals(tasksOf(tracing).length, 200);
  });

  test(`trace() of ${name} tells what waits, what runs and what was cancelled`, async () => {
    await using executor = make(1);
    using tracing = trace(executor);
    using gate = new Gate();
    const held = executor.submit(pass, gate.parts, 1);
    await gate.entered();
    const waiting = [executor.submit(square, 1), executor.submit(square, 2)];
    waiting[0].cancel();
    const before = tasksOf(tracing);
    assertEquals(before.map(({ outcome }) => outcome).toSorted(), [
      "cancelled",
      undefined,
      undefined,
    ]);
    gate.open();
    await Promise.all([held, waiting[1]]);
    const after = tasksOf(tracing);
    assertEquals(after.map(summary), ["pass returned", "square cancelled", "square returned"]);
    assertEquals(after[1].started, undefined);
    assert(after[1].ended! >= after[1].submitted);
    // A trace that was returned earlier is a copy.
    assertEquals(before.filter(({ outcome }) => outcome === "returned"), []);
  });

  test(`trace() of ${name} has a chunk of map as one task with its number of calls`, async () => {
    await using executor = make(2);
    using tracing = trace(executor);
    await executor.map(square, [1, 2, 3, 4, 5, 6, 7], { chunksize: 3 }).toArray();
    await executor.map(squareEven, [2, 3], { chunksize: 2 }).toArray().catch(() => {});
    const tasks = tasksOf(tracing);
    assertEquals(tasks.map(({ calls }) => calls), [3, 3, 1, 2]);
    assertEquals(tasks.map(summary), [...Array(3).fill("square returned"), "squareEven threw"]);
    for (const event of tasks) assertRan(event, tracing);
  });

  test(`trace() of ${name} tells of tasks given up while they run and while they wait`, async () => {
    await inGoodTime(async () => {
      await using executor = make(1);
      using tracing = trace(executor);
      using gate = new Gate();
      const stopped = new Event();
      const running = new AbortController();
      const held = executor.with({ signal: running.signal })
        .submit(waitForAbort, gate.parts, stopped);
      await gate.entered();
      const waiting = new AbortController();
      const queued = executor.with({ signal: waiting.signal }).submit(square, 1);
      waiting.abort(new RangeError("enough"));
      running.abort(new RangeError("enough"));
      await Promise.allSettled([held, queued]);
      assertEquals(tasksOf(tracing).map(summary), ["waitForAbort given up", "square given up"]);
      assertEquals(tasksOf(tracing)[1].started, undefined);
      assertInTime(await stopped.wait({ timeout: PROMPT_MS }));
      assertEquals(await executor.submit(square, 2), 4);
      // The worker of the first task is known at the latest when the worker has reported it.
      await until(() => tasksOf(tracing)[0].worker !== undefined);
      const [{ submitted, started, ended }] = tasksOf(tracing);
      assert(submitted <= started! && started! <= ended!);
    });
  });

  for (const others of ["", ", although another one goes on"]) {
    test(`trace() of ${name} stops, and has nothing of what comes then${others}`, async () => {
      await using executor = make(1);
      using gate = new Gate();
      const tracing = trace(executor);
      using _another = others === "" ? undefined : trace(executor);
      const held = executor.submit(pass, gate.parts, 1);
      await gate.entered();
      tracing.stop();
      const stopped = JSON.stringify(tracing.events);
      gate.open();
      await held;
      assertEquals(await executor.submit(square, 3), 9);
      tracing.stop();
      assertEquals(JSON.stringify(tracing.events), stopped);
      assertEquals(tasksOf(tracing).map(summary), ["pass undefined"]);
    });
  }

  test(`trace() of ${name} may be made several times, each with its own`, async () => {
    await using executor = make(1);
    await executor.submit(square, 0);
    const first = trace(executor);
    await executor.submit(square, 1);
    using second = trace(executor);
    await executor.submit(echo, 2);
    first.stop();
    await executor.submit(fail, "failed").exception();
    assertEquals(tasksOf(first).map(summary), ["square returned", "echo returned"]);
    assertEquals(tasksOf(second).map(summary), ["echo returned", "fail threw"]);
    for (const each of [first, second]) {
      for (const event of tasksOf(each)) assertRan(event, each);
    }
  });

  test(`trace() of ${name} keeps the latest maxEvents, and counts the others`, async () => {
    await using executor = make(1);
    using tracing = trace(executor, { maxEvents: 3 });
    for (let i = 0; i < 5; i++) await executor.submit(square, i);
    await executor.submit(echo, 1);
    assertEquals(tasksOf(tracing).map(summary), [
      "square returned",
      "square returned",
      "echo returned",
    ]);
    assertEquals(tracing.dropped, 3);
    const many = Array.from({ length: 10 }, (_, i) => executor.submit(square, i));
    assertEquals(tasksOf(tracing).filter(({ outcome }) => outcome === undefined).length, 3);
    await Promise.all(many);
    assertEquals([tasksOf(tracing).length, tracing.dropped], [3, 3 + 7 + 3]);
  });

  test(`trace() of a view of ${name} records the whole executor, until its end`, async () => {
    const executor = make(1);
    using tracing = trace(executor.with({ priority: 1 }));
    assertEquals(await executor.submit(square, 3), 9);
    await executor.shutdown();
    const [worker, ...others] = workersOf(tracing);
    assertEquals([others, worker.fate], [[], "retired"]);
    assert(worker.ended! >= worker.started);
    assertEquals(worker.pid === undefined, name !== "ProcessPoolExecutor");
  });
}

test("trace() of a thread pool tells of a task that ends its worker", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  using tracing = trace(pool);
  await pool.submit(function leave() {
    close();
  }).exception();
  assertEquals(await pool.submit(square, 3), 9);
  const [lost, next] = tasksOf(tracing);
  const [first, second] = workersOf(tracing);
  assertEquals([summary(lost), lost.worker], ["leave lost", first.name]);
  assertEquals([next.worker, first.fate, second.fate], [second.name, "lost", undefined]);
  assert(lost.submitted <= lost.started! && lost.started! <= lost.ended!);
});

test("trace() of a process pool tells of a task that ends its process, and of those behind it", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using tracing = trace(pool);
  const futures = [
    pool.submit(function leave() {
      Deno.exit(3);
    }),
    pool.submit(square, 1),
  ];
  await Promise.allSettled(futures);
  await until(() => workersOf(tracing)[0].ended !== undefined);
  const [lost, behind] = tasksOf(tracing);
  assertEquals([summary(lost), summary(behind)], ["leave lost", "square lost"]);
  assertEquals(lost.worker, workersOf(tracing)[0].name);
  assertEquals(behind.started, undefined);
  assertEquals(workersOf(tracing).map(({ fate }) => fate), ["lost"]);
});

test("trace() of a process pool that breaks tells of the tasks that its other processes ran", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  using tracing = trace(pool);
  using first = new Gate();
  using second = new Gate();
  const both = [1, 2].map((n) => pool.submit(pass, first.parts, n));
  await first.entered(2);
  first.open();
  await Promise.all(both);
  const running = pool.submit(pass, second.parts, 3);
  await second.entered();
  const leaving = pool.submit(function leave() {
    Deno.exit(3);
  });
  await Promise.allSettled([running, leaving]);
  await until(() => workersOf(tracing).every(({ ended }) => ended !== undefined));
  const lost = tasksOf(tracing).slice(2);
  assertEquals(lost.map(summary), ["pass lost", "leave lost"]);
  assertEquals(new Set(lost.map(({ worker }) => worker)).size, 2);
  for (const { submitted, started, ended } of lost) {
    assert(submitted <= started! && started! <= ended!);
  }
});

for (
  const [what, fate, make] of [
    ["a thread pool tells which worker is abandoned", "abandoned", ThreadPoolExecutor],
    ["a process pool tells which process is killed", "lost", ProcessPoolExecutor],
  ] as const
) {
  test(`trace() of ${what} with a task that was given up`, async () => {
    await using pool = new make({ maxWorkers: 1, onWorkerLost: "replace" });
    using tracing = trace(pool);
    using gate = new Gate();
    const controller = new AbortController();
    const stuck = pool.with({ signal: controller.signal }).submit(pass, gate.parts, 1);
    await gate.entered();
    controller.abort(new RangeError("enough"));
    await stuck.exception();
    assertEquals(await pool.submit(square, 3), 9);
    const [task, next] = tasksOf(tracing);
    const [worker] = workersOf(tracing);
    assertEquals([summary(task), task.worker, worker.fate], ["pass given up", worker.name, fate]);
    assert(next.worker !== worker.name);
    assert(task.submitted <= task.started! && task.started! <= task.ended!);
    assert(task.ended! <= worker.ended!);
  });
}

for (const [name, make] of EXECUTORS.slice(0, 2)) {
  test(`trace() of ${name} has the tasks that its tasks submit`, async () => {
    await using pool = make(2);
    using tracing = trace(pool);
    assertEquals(await pool.submit(submitNested, pool as Executor, 3), 9);
    assertEquals(tasksOf(tracing).map(summary), ["submitNested returned", "square returned"]);
    const [outer, inner] = tasksOf(tracing);
    assert(inner.submitted >= outer.started! && inner.ended! <= outer.ended!);
  });

  test(`trace() of ${name} inside a task says where to trace`, async () => {
    await using pool = make(1);
    assertEquals(
      await pool.submit(traceHere, pool as Executor),
      "RuntimeError: Cannot trace this executor here: it is not one that this thread has made; trace a pool or an AsyncExecutor in the thread that made it",
    );
  });
}

test("trace() keeps no worker that has ended, which has memory of its own, but what is told of it", () => {
  const recorder = new Recorder(10);
  const worker = { name: "pool_0", pid: 7, memory: new SharedArrayBuffer(8) };
  recorder.workerStarted(worker, recorder.startMs);
  recorder.workerEnded(worker, recorder.startMs + 1, "retired");
  const [record] = recorder.workers;
  assertEquals(record, recorder.recordOf(worker));
  assertEquals(record.worker, { name: "pool_0", pid: 7 });
  assertEquals(recorder.workerEvent(record).fate, "retired");
});

test("trace() refuses what is no executor, and bad options", async () => {
  await using executor = new AsyncExecutor();
  assertThrows(() => trace({} as Executor), TypeError, "expected an executor");
  assertThrows(() => trace(executor, { maxEvents: 0 }), RangeError, "maxEvents must be 1 or more");
  assertThrows(() => trace(executor, { maxEvents: 1.5 }), TypeError, "must be an integer");
  const loose = { maxEvents: "5" as unknown as number };
  assertThrows(() => trace(executor, loose), TypeError, 'must be an integer, got "5"');
  assertThrows(() => trace(executor, 5 as never), TypeError, "{ maxEvents: 1000 }, got 5");
  assertThrows(() => trace(executor, null as never), TypeError, "Cannot trace: expected options");
  using tracing = trace(executor);
  assertThrows(() => tracing.toSVG(null as never), TypeError, "{ width: 800 }, got null");
  assertThrows(() => tracing.toSVG({ width: 100 }), RangeError, "width must be 400 or more");
  assertEquals(String(tracing), "[object Trace]");
});
