/**
 * Every way in which a pool's process can end settles the futures concerned, at once and with an
 * error that names it, and leaves no process behind.
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  BrokenProcessPool,
  Event,
  type Future,
  Lock,
  Process,
  ProcessPoolExecutor,
  SimpleQueue,
} from "@concurrent/futures";
import { type ProcessEnd, processes } from "../../_platform/processes.ts";
import { Encoder } from "../../_memory/encoder.ts";
import { encode } from "../../_memory/message.ts";
import { FrameReader, FrameSender } from "../../executors/_frames.ts";
import { payloadOf } from "../../executors/_payload.ts";
import { DOWN, type HostStart, UP } from "../../executors/_process_protocol.ts";
import { KIND } from "../../executors/_protocol.ts";
import { targetOf } from "../../executors/_target.ts";
import { test } from "../_support/leaks.ts";
import { assertGone, until } from "../_support/processes.ts";
import { runProgram } from "../_support/run.ts";
import * as work from "../_support/process_tasks.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, pass } from "../contracts/tasks.ts";
import {
  assertAllLost,
  assertBroken,
  assertGoesOn,
  assertNames,
  endsBy,
  exits,
  lossNoticed,
  MODES,
  type ProcessLoss,
  processProgram,
  refusalOf,
} from "./_process_support.ts";
import { assertEndedWell, assertPrompt, errorOf, PROMPT_MS } from "./_support.ts";

/** What the error says of each way to end. */
const ENDS: Record<work.End, ProcessLoss> = {
  "exit 0": exits(0),
  "exit 3": exits(3),
  "close": exits(0),
  "kill": endsBy("SIGKILL"),
  "throw in a timer": exits(1, [RangeError, "thrown late"]),
  "throw of undefined in a timer": exits(1),
  "unhandled rejection": exits(1, [RangeError, "rejected"]),
};

const ENTRIES = Object.entries(ENDS) as [work.End, ProcessLoss][];

test("ProcessPoolExecutor is told at once of a process that leaves one of its own behind", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  await pool.submit(echo, 0);
  const startMs = performance.now();
  assertNames(await errorOf(pool.submit(work.leaveBehind)), exits(3));
  assertPrompt(startMs);
});

test("A process whose initializer listens for SIGINT, as Ctrl-C sends it, sees its task through", async () => {
  const heard = new Event();
  const initializer = (heard: Event): void => Deno.addSignalListener("SIGINT", () => heard.set());
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, initializer, initargs: [heard] });
  using gate = new Gate();
  const future = pool.submit(pass, gate.parts, 42);
  await gate.entered();
  Deno.kill(pool.pids[0], "SIGINT");
  assertEquals(await heard.wait({ timeout: PROMPT_MS }), true);
  gate.open();
  assertEquals(await future, 42);
});

// A process that ends while it runs a task, with another one running and more tasks waiting

for (const [how, loss] of ENTRIES) {
  test(`ProcessPoolExecutor breaks when a running process ends: ${how}`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
    using held = new Gate();
    using ending = new Gate();
    const futures: Future<unknown>[] = [
      pool.submit(pass, held.parts, "held"),
      pool.submit(work.endAtGate, ending.parts, how),
    ];
    await Promise.all([held.entered(), ending.entered()]);
    for (let i = 0; i < 3; i++) futures.push(pool.submit(echo, i));
    const { pids } = pool;

    const startMs = performance.now();
    ending.open();
    await assertAllLost(futures, startMs, loss);
    assertEquals(pool.stats().lost, 1);
    await assertBroken(pool, loss, pids);
  });

  test(`ProcessPoolExecutor replaces a running process that ends: ${how}`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost: "replace" });
    using held = new Gate();
    using ending = new Gate();
    const healthy = pool.submit(pass<string>, held.parts, "held");
    const lost = pool.submit(work.endAtGate, ending.parts, how);
    await Promise.all([held.entered(), ending.entered()]);
    const queued = [0, 1, 2].map((i) => pool.submit(echo, i));
    const { pids } = pool;

    const startMs = performance.now();
    ending.open();
    await assertAllLost([lost], startMs, loss);
    assertEquals(await Promise.all(queued), [0, 1, 2]);
    assertEquals(healthy.done(), false);
    held.open();
    assertEquals(await healthy, "held");
    const { lost: count, failed, completed } = pool.stats();
    assertEquals({ count, failed, completed }, { count: 1, failed: 1, completed: 4 });
    await assertGoesOn(pool, pids);
  });
}

// A process that is ended by what an earlier task left behind

for (const how of ["exit 3", "throw in a timer", "unhandled rejection"] as const) {
  for (const onWorkerLost of MODES) {
    test(`ProcessPoolExecutor (${onWorkerLost}) fails the task that runs when an earlier one ends the process: ${how}`, async () => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
      using ending = new Gate();
      assertEquals(await pool.submit(work.endLater, ending.parts, how), "armed");
      const lost = pool.submit(work.pend, ending.parts);
      await ending.entered(2);
      const queued = pool.submit(echo, "queued");
      const { pids } = pool;

      const startMs = performance.now();
      ending.open();
      if (onWorkerLost === "break") {
        await assertAllLost([lost, queued], startMs, ENDS[how]);
        await assertBroken(pool, ENDS[how], pids);
      } else {
        await assertAllLost([lost], startMs, ENDS[how]);
        assertEquals(await queued, "queued");
        await assertGoesOn(pool, pids);
      }
    });

    if (how === "exit 3") continue;

    test(`ProcessPoolExecutor (${onWorkerLost}) notices that an idle process ends of an earlier task: ${how}`, async () => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
      using ending = new Gate();
      assertEquals(await pool.submit(work.endLater, ending.parts, how), "armed");
      const { pids } = pool;
      const startMs = performance.now();
      ending.open();
      await lossNoticed(pool, startMs);
      if (onWorkerLost === "break") await assertBroken(pool, ENDS[how], pids);
      else await assertGoesOn(pool, pids);
    });
  }
}

test("ProcessPoolExecutor loses a process that ends by an error with a shared object in it, and no other", async () => {
  await using other = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const held = other.submit(pass, gate.parts, "held");
  await gate.entered();
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const lock = new Lock();
  const error = await errorOf(pool.submit(work.endWithLock, lock));
  assertNames(error, exits(1, [RangeError, "thrown with a lock"]));
  const uncaught = (error.cause as Error).cause as Error & { lock: Lock };
  assertInstanceOf(uncaught.lock, Lock);
  lock.acquireSync();
  assert(uncaught.lock.locked());
  lock.release();
  assertEquals(await pool.submit(echo, "next"), "next");
  gate.open();
  assertEquals(await held, "held");
});

/** How the worker of a process ends, and what is said of it; then the exit code of the process. */
const LAST_WORDS: [how: string, initializer: () => void, word: number, code: number][] = [
  ["retired", () => {}, KIND.RETIRED, 0],
  ["failed to initialize", () => assert(false), KIND.INITIALIZER_FAILED, 0],
  ["exited", () => Deno.exit(3), KIND.ENDED, 3],
];

for (const [how, initializer, word, code] of LAST_WORDS) {
  test(`A process whose worker has ${how} ends once it is told that this has arrived`, async () => {
    const words = new SimpleQueue<number>();
    const ended = Promise.withResolvers<ProcessEnd>();
    const record = new FrameReader();
    const child = await processes.start({
      entry: "process",
      module: import.meta.resolve("../../executors/_process_main.ts"),
      permissions: processes.grant(undefined),
      readable: [],
      env: undefined,
      cwd: undefined,
      config: undefined,
      ready: Promise.resolve(),
      onFrame: (frame) => {
        record.open(frame);
        while (record.next()) {
          if (record.type === UP.NUMBERED || record.a === word) words.putNowait(record.a);
        }
      },
      onWireFrame: () => {},
      onUnreadable: ended.reject,
      onEnd: ended.resolve,
    });
    const channel = new FrameSender(child);
    const say = (type: number, a: number, value: unknown): void => {
      channel.write(type, a, 0, 0, payloadOf(value));
      channel.flush();
    };
    const start: HostStart = {
      name: "process",
      owner: "owner",
      initializer: targetOf(initializer),
      initargs: encode(new Encoder(), []),
      initargsShareObjects: false,
      firstTaskId: 0,
      isAlone: false,
      config: undefined,
    };
    say(DOWN.START, 0, start);
    say(DOWN.CLOSE, 0, undefined);
    assertEquals(await words.get(), word);
    // It answers, so it has not ended.
    const number = 99;
    say(DOWN.FUNCTION, number, targetOf(echo));
    assertEquals(await Promise.race([words.get(), ended.promise]), number);
    say(DOWN.END, 0, undefined);
    assertEquals(await ended.promise, { code, signal: null });
    // The timer that limits the wait for what else may have been said fires before this one.
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
}

test("A process that has ended leaves nothing open in this one", async () => {
  // Keeps alive the thread that serves processes.
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  await pool.submit(echo, 1);
  const runOne = async (): Promise<void> => {
    const process = new Process();
    process.start();
    await process.join();
    assertEquals(process.exitcode, 0);
  };
  const openFiles = (): number => [...Deno.readDirSync("/proc/self/fd")].length;
  await runOne();
  const before = openFiles();
  for (let i = 0; i < 4; i++) await runOne();
  await until(() => openFiles() <= before);
});

// A process that is killed from outside

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  for (const onWorkerLost of MODES) {
    test(`ProcessPoolExecutor (${onWorkerLost}) notices that an idle process is killed: ${signal}`, async () => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
      assertEquals(await pool.submit(echo, 1), 1);
      const { pids } = pool;
      const startMs = performance.now();
      Deno.kill(pids[0], signal);
      await lossNoticed(pool, startMs);
      if (onWorkerLost === "break") await assertBroken(pool, endsBy(signal, pids[0]), pids);
      else await assertGoesOn(pool, pids);
    });

    test(`ProcessPoolExecutor (${onWorkerLost}) notices that a running process is killed: ${signal}`, async () => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
      using gate = new Gate();
      const lost = pool.submit(work.spin, gate.parts);
      await gate.entered();
      const queued = pool.submit(echo, "queued");
      const { pids } = pool;
      const loss = endsBy(signal, pids[0]);
      const startMs = performance.now();
      Deno.kill(pids[0], signal);
      if (onWorkerLost === "break") {
        await assertAllLost([lost, queued], startMs, loss);
        await assertBroken(pool, loss, pids);
      } else {
        await assertAllLost([lost], startMs, loss);
        assertEquals(await queued, "queued");
        await assertGoesOn(pool, pids);
      }
    });
  }
}

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) settles what is submitted at the moment of a kill`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    assertEquals(await pool.submit(echo, 0), 0);
    const { pids } = pool;
    const startMs = performance.now();
    Deno.kill(pids[0], "SIGKILL");
    const futures = [1, 2, 3].map((n) => pool.submit(echo, n));
    if (onWorkerLost === "break") {
      await assertAllLost(futures, startMs, endsBy("SIGKILL", pids[0]));
      await assertBroken(pool, endsBy("SIGKILL", pids[0]), pids);
    } else {
      const errors = await Promise.all(futures.map((future) => future.exception()));
      const failed = errors.filter((error) => error !== null);
      // These are the tasks that the dying process was sent: after one short task, they may be two.
      assert(failed.length <= 2);
      for (const error of failed) assertNames(error, endsBy("SIGKILL", pids[0]));
      await assertGoesOn(pool, pids);
    }
  });

  test(`ProcessPoolExecutor (${onWorkerLost}) notices that a process is killed before it has begun`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    using gate = new Gate();
    const futures = [1, 2].map((n) => pool.submit(pass, gate.parts, n));
    let pids: number[] = [];
    while (pids.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      pids = pool.pids;
    }
    const startMs = performance.now();
    Deno.kill(pids[0], "SIGKILL");
    if (onWorkerLost === "break") {
      await assertAllLost(futures, startMs, endsBy("SIGKILL", pids[0]));
      await assertBroken(pool, endsBy("SIGKILL", pids[0]), pids);
    } else {
      await assertAllLost([futures[0]], startMs, endsBy("SIGKILL", pids[0]));
      gate.open();
      assertEquals(await futures[1], 2);
      await assertGoesOn(pool, pids);
    }
  });

  test(`ProcessPoolExecutor (${onWorkerLost}) notices that a process is killed while it blocks for a lock`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    using gate = new Gate();
    const lock = new Lock();
    await lock.acquire();
    const lost = pool.submit(work.lockSync, gate.parts, lock);
    await gate.entered();
    const { pids } = pool;
    const startMs = performance.now();
    Deno.kill(pids[0], "SIGKILL");
    await assertAllLost([lost], startMs, endsBy("SIGKILL", pids[0]));
    lock.release();
    // The wait of the dead process is gone.
    assertEquals(await lock.acquire({ timeout: PROMPT_MS }), true);
    lock.release();
    if (onWorkerLost === "break") await assertBroken(pool, endsBy("SIGKILL"), pids);
    else await assertGoesOn(pool, pids);
  });
}

test("ProcessPoolExecutor loses a process at any moment of sending a large result, and only that result", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  using gate = new Gate();
  const length = 60_000_000;
  const pids: number[] = [];
  let lost = 0;
  for (const [round, delayMs] of [0, 20, 40, 60, 80, 100, 130].entries()) {
    const future = pool.submit(work.large, gate.parts, length);
    const next = pool.submit(echo, round);
    await gate.entered(round + 1);
    const [pid] = pool.pids;
    pids.push(pid);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const startMs = performance.now();
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const error = await future.exception();
    if (error !== null) {
      assertPrompt(startMs);
      assertNames(error, endsBy("SIGKILL", pid));
      lost++;
      assertEquals(await next, round);
    } else {
      const result = await future;
      assertEquals([result.length, result[0], result.at(-1)], [length, 7, 7]);
      const nextError = await next.exception();
      if (nextError !== null) assertNames(nextError, endsBy("SIGKILL", pid));
    }
    // By then, nothing more is sent to it.
    await until(() => pool.stats().lost > round);
  }
  assert(lost > 0);
  await assertGoesOn(pool, pids);
});

test("ProcessPoolExecutor breaks when a process is killed while it sends a large result", async () => {
  await inGoodTime(async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    using gate = new Gate();
    const lost = pool.submit(work.large, gate.parts, 200_000_000);
    await gate.entered();
    const { pids } = pool;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const startMs = performance.now();
    Deno.kill(pids[0], "SIGKILL");
    // The whole result may have come if this thread was kept from running.
    const error = await lost.exception();
    assertInTime(error !== null);
    await assertAllLost([lost], startMs, endsBy("SIGKILL", pids[0]));
    await assertBroken(pool, endsBy("SIGKILL", pids[0]), pids);
  });
});

test("ProcessPoolExecutor breaks with more tasks than its ring holds, and fails each with an error of its own", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const futures: Future<unknown>[] = [pool.submit(work.pend, gate.parts)];
  await gate.entered();
  for (let i = 0; i < 3000; i++) futures.push(pool.submit(echo, i));
  const cancelled = pool.submit(echo, "cancelled");
  assert(cancelled.cancel());
  const { pids } = pool;
  const startMs = performance.now();
  Deno.kill(pids[0], "SIGKILL");
  await assertAllLost(futures, startMs, endsBy("SIGKILL", pids[0]));
  assert(cancelled.cancelled());
  await assertBroken(pool, endsBy("SIGKILL", pids[0]), pids);
});

test("ProcessPoolExecutor loses processes again and again and finishes what others run", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost: "replace" });
  const rounds = ENTRIES.length;
  const lost: Future<unknown>[] = [];
  const kept: Future<unknown>[] = [];
  for (const [how] of ENTRIES) {
    lost.push(pool.submit(work.endNow, how));
    for (let i = 0; i < 10; i++) kept.push(pool.submit(echo, i));
  }
  const errors = await Promise.all(lost.map(errorOf));
  assertEquals(errors.every((error) => BrokenProcessPool.is(error)), true);
  const outcomes = await Promise.all(kept.map((future) => future.exception()));
  assertEquals(outcomes.filter((error) => error !== null), []);
  assertEquals(pool.stats().lost, rounds);
});

// The waiting thread is blocked: nothing reaches its event loop

for (const how of ["exit 3", "kill", "throw in a timer"] as const) {
  test(`Future.resultSync() throws when the process ends: ${how}`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const future = pool.submit(work.endNow, how);
    let thrown: unknown;
    try {
      future.resultSync({ timeout: 5000 });
    } catch (error) {
      thrown = error;
    }
    assertNames(thrown, ENDS[how]);
    const { pids } = pool;
    pool.shutdownSync();
    await assertGone(pids);
  });
}

for (const onWorkerLost of MODES) {
  test(`ProcessPoolExecutor (${onWorkerLost}) notices that a process blocks and then ends itself`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
    using ending = new Gate();
    const lost = pool.submit(work.endAtGateSync, ending.parts, "exit 3");
    await ending.entered();
    const { pids } = pool;
    const startMs = performance.now();
    ending.open();
    await assertAllLost([lost], startMs, exits(3));
    if (onWorkerLost === "break") await assertBroken(pool, exits(3), pids);
    else await assertGoesOn(pool, pids);
  });
}

// Memory used up: in a program of its own, as the runtime prints a page about it

test("ProcessPoolExecutor loses a process whose memory is used up, and goes on", async () => {
  const { code, stdout } = await runProgram(processProgram(`
    for (const onWorkerLost of ["replace", "break"]) {
      const env = { DENO_V8_FLAGS: "--max-old-space-size=64" };
      const pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost, env });
      await pool.submit(plain.echo, 0);
      const error = await pool.submit(work.exhaust).exception({ timeout: 8000 });
      const { pid, exitCode, signal } = error.cause;
      console.log(error.name, /process \\d+ was ended by SIG(TRAP|ABRT)/.test(error.message));
      console.log(typeof pid, exitCode, signal);
      try {
        console.log(await pool.submit(plain.echo, "next"));
      } catch (error) {
        console.log(error.name);
      }
      await pool.shutdown();
    }
  `));
  const told = ["BrokenProcessPool true", "number null SIGTRAP"];
  assertEquals([code, stdout.split("\n")], [0, [
    ...told,
    "next",
    ...told,
    "BrokenProcessPool",
    "",
  ]]);
});

// Failed futures leave no trace

test("Futures of a broken process pool that nobody asks about leave no trace", async () => {
  assertEndedWell(
    await runProgram(processProgram(`
      const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
      const first = pool.submit(work.endNow, "throw in a timer");
      for (let i = 0; i < 5; i++) pool.submit(plain.echo, i);
      await wait([first]);
      await pool.shutdown();
      console.log("end");
    `)),
    ["end"],
  );
});

test("ProcessPoolExecutor.shutdown() ends when all processes are killed meanwhile", async () => {
  for (const onWorkerLost of MODES) {
    const pool = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost });
    using gate = new Gate();
    const futures = [1, 2].map(() => pool.submit(work.pend, gate.parts));
    await gate.entered(2);
    const { pids } = pool;
    const ended = pool.shutdown();
    const startMs = performance.now();
    for (const pid of pids) Deno.kill(pid, "SIGKILL");
    const errors = await Promise.all(futures.map(errorOf));
    await ended;
    assertPrompt(startMs);
    for (const error of errors) assertNames(error, endsBy("SIGKILL"));
    assertEquals(refusalOf(pool) instanceof Error, true);
    await assertGone(pids);
  }
});
