/**
 * Nothing stands still that could go on: a task for which there is room gets it, and a waiter
 * learns when what it waits for has come.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Future, ProcessPoolExecutor, ThreadPoolExecutor } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { assertInTime, comesAbout, inGoodTime, withTimeLimit } from "../_support/time_limits.ts";
import * as work from "./_progress_tasks.ts";
import { Gate, until } from "./_support.ts";
import { burn, echo, endInTask, hold, spinUntilOpen } from "./_tasks.ts";

/** Longer than any of these waits takes. */
const LIMIT_MS = 10_000;

/** Lets processes come to rest; whether they do determines what is tried, but not the result. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The outcome; fails if it does not come in time. */
function soon<T>(future: Future<T>): Promise<T> {
  return future.result({ timeout: LIMIT_MS });
}

// Tasks that wait for room in the ring

test("Progress: a task behind a cancelled one of the same priority runs, though no outcome comes before it", async () => {
  await inGoodTime(async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const urgent = pool.with({ priority: 1 });
    const first = urgent.submit(echo<string>, "first");
    const second = urgent.submit(echo<string>, "second");
    // This holds unless the worker has started already.
    assertInTime(first.cancel());
    assertEquals(await soon(second), "second");
  });
});

test("Progress: a task behind one that is aborted while this thread sleeps runs", async () => {
  await inGoodTime(async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const urgent = pool.with({ priority: 1 });
    const controller = new AbortController();
    const first = urgent.with({ signal: controller.signal }).submit(echo<number>, 1);
    const second = urgent.submit(echo<number>, 2);
    await pause(1); // Less than a worker takes to start, as a rule.
    controller.abort(new Error("not wanted any more"));
    const error = await first.exception();
    assertInTime(error !== null);
    assertStringIncludes(String(error), "not wanted");
    assertEquals(await soon(second), 2);
  });
});

test("Progress: a task runs once the worker before it is abandoned, though the one between was cancelled", async () => {
  await withTimeLimit(200, async (timeout) => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const urgent = pool.with({ priority: 1 });
    using gate = new Gate();
    const endless = urgent.with({ timeout }).submit(spinUntilOpen, gate.words);
    await comesAbout(endless, () => endless.running());
    const cancelled = urgent.submit(echo<number>, 1);
    const last = urgent.submit(echo<number>, 2);
    assert(cancelled.cancel());
    assertStringIncludes(String(await endless.exception()), `${timeout} ms`);
    assertEquals(await soon(last), 2);
  });
});

test("Progress: a large argument is sent once a worker has taken in the one before, though that one's task runs on", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  // Both arguments together are more than the arguments of a pool may take.
  const bytes = 150 * 2 ** 20;
  const waiting = pool.submit(work.holdWith, gate.words, new Uint8Array(bytes));
  const opening = pool.submit(work.openWith, gate.words, new Uint8Array(bytes));
  await soon(opening);
  await soon(waiting);
});

test("Progress: a getter of an argument may take outcomes in, while its task is laid behind many others", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const first = pool.submit(hold, gate.words);
  await until(() => first.running());
  // More tasks than the ring has slots: the last ones are in the backlog.
  const others = Array.from({ length: 1027 }, (_, i) => pool.submit(echo<unknown>, i));
  const last = pool.submit(echo<unknown>, {
    get before(): unknown {
      gate.open();
      return others.at(-1)!.resultSync({ timeout: LIMIT_MS });
    },
  });
  assertEquals(await soon(last), { before: 1026 });
  assertEquals(await soon(pool.submit(echo<number>, 7)), 7);
});

// Threads that block

test("Progress: a worker is woken for a task although many equal ones came before, and this thread then blocks by itself", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const word = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  for (let i = 0; i < 130; i++) await pool.submit(work.count, word);
  burn(300); // The workers fall asleep.
  const last = pool.submit(work.count, word);
  while (Atomics.load(word, 0) < 131) {
    assert(Atomics.wait(word, 0, 130, LIMIT_MS) !== "timed-out", "the task did not run");
  }
  await last;
});

test("Progress: replies reach a task that this thread is blocked for, however many there are", async () => {
  await using own = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
  const [count, length] = [100, 1600];
  const sum = own.submit(work.sumOfNested, other, count, length);
  assertEquals(sum.resultSync({ timeout: LIMIT_MS }), count * length);
});

test("Progress: workers that block for each other are told, though one has been through a wait within its wait", async () => {
  await using own = new ThreadPoolExecutor({ maxWorkers: 2 });
  await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
  const first = own.submit(work.blockTwice, own, other);
  const second = own.submit(work.blockLate, own);
  const firstError = await first.exception({ timeout: LIMIT_MS });
  // Usually this is the second one, which comes later; it is the first if its thread was kept from
  // running for long.
  const [told, rest, expected] = firstError === null
    ? [await soon(second), await first, 1]
    : [String(firstError), await soon(second), "no error"];
  assertStringIncludes(told, "would block");
  assertEquals(rest, expected);
});

test("Progress: a worker that blocks for a callback of its pool's task is told when none is left to run that", async () => {
  await using alone = new ThreadPoolExecutor({ maxWorkers: 1 });
  assertStringIncludes(
    String(await soon(alone.submit(work.blockForCallback, alone))),
    "would block",
  );
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  assertEquals(await soon(pool.submit(work.blockForCallback, pool)), 2);
});

test("Progress: a worker that blocks for a while only is waited for, by those who block for ever", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const patient = pool.submit(work.blockFor, pool, gate.words, null);
  const hasty = pool.submit(work.blockFor, pool, gate.words, 200);
  await gate.arrived(2);
  gate.open();
  assertEquals([await soon(hasty), await soon(patient)], ["TimeoutError", "1"]);
});

// Outcomes

for (const isFirst of [true, false]) {
  const which = isFirst ? "first" : "second";
  test(`Progress: outcomes of a worker are taken in once, though a callback of one has seen the ${which} one break the pool`, async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    await Promise.all([1, 2].map((n) => pool.submit(work.burnFor<number>, 100, n)));
    using held = new Gate();
    using ending = new Gate();
    // The first worker is asked first.
    const holding = isFirst ? undefined : pool.submit(hold, held.words);
    await until(() => holding?.running() ?? true);
    const closing = pool.submit(endInTask, ending.words, "close");
    await until(() => closing.running());
    held.open();
    await holding;
    const first = pool.submit(work.burnFor<number>, 1, 1);
    let third: Future<number> | undefined;
    first.addDoneCallback(() => {
      third = pool.submit(work.burnFor<number>, 20, 3);
      ending.open();
      burn(150); // The second one's outcome arrives, and the news of the lost worker.
      closing.exceptionSync();
    });
    const second = pool.submit(work.burnFor<number>, 50, 2);
    await second.exception({ timeout: LIMIT_MS });
    assertStringIncludes(String(await closing.exception()), "BrokenThreadPool");
    await third!.exception({ timeout: LIMIT_MS });
    await pool.shutdown();
    const { completed, failed, queued } = pool.stats();
    assertEquals([completed + failed, queued], [isFirst ? 6 : 7, 0]);
  });
}

test("Progress: a stream goes on whose consumer asks for more while a value waits for room", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  let taken = 0;
  // Values of this length fill the worker's records long before the credit is used up.
  for await (const _ of pool.with({ buffersize: 1022 }).stream(work.texts, 20_000, 1900)) {
    if (++taken % 100 === 0) burn(4);
  }
  assertEquals(taken, 20_000);
});

// Processes

test("Progress: a process is started for a task that another one has returned", async () => {
  await using scratch = await scratchFolder();
  const path = await scratch.write("path", "");
  await using pool = new ProcessPoolExecutor({ maxWorkers: 3 });
  // These tasks are so short that more of them are sent ahead.
  for (let i = 0; i < 130; i++) await pool.submit(work.act, "nothing");
  assertEquals(pool.stats().workers, 1);
  const [here, gate] = [`${path}.here`, `${path}.gate`];
  const first = pool.submit(work.act, "report and wait", here, gate);
  await until(() => work.exists(here));
  const second = pool.submit(work.act, "open", undefined, gate);
  burn(100); // The first process tells what it does meanwhile, and is sent the second task.
  await soon(second);
  await soon(first);
});

test("Progress: a process that works on one task is not taken to be free for having shown another one last", async () => {
  await using scratch = await scratchFolder();
  const path = await scratch.write("path", "");
  await using pool = new ProcessPoolExecutor({ maxWorkers: 3 });
  for (let i = 0; i < 12; i++) await pool.submit(work.act, "nothing");
  const [first, second, gate] = [`${path}.first`, `${path}.second`, `${path}.gate`];
  const waiting = [pool.submit(work.act, "wait", first, gate)];
  await until(() => work.exists(first));
  await pause(30);
  // This task is sent ahead to the process that waits, is returned, and runs in the next one.
  await soon(pool.submit(work.act, "nothing"));
  await pause(50);
  waiting.push(pool.submit(work.actElse, "wait", second, gate));
  await until(() => work.exists(second));
  await pause(30);
  await soon(pool.submit(work.actElse, "open", undefined, gate));
  await Promise.all(waiting.map(soon));
});
