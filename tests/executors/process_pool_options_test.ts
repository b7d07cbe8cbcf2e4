/** The options of ProcessPoolExecutor, and what is particular to tasks in processes. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  currentProcess,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  SimpleQueue,
  transfer,
  Value,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { stateOf, until } from "../_support/processes.ts";
import * as starters from "../_support/process_starters.ts";
import * as work from "../_support/process_tasks.ts";
import { runProgram } from "../_support/run.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import { refusesBadOptions } from "../contracts/pool_options_contract.ts";
import { Gate } from "../contracts/signals.ts";
import { echo, pass, square } from "../contracts/tasks.ts";

refusesBadOptions("ProcessPoolExecutor", (options) => new ProcessPoolExecutor(options));

test("ProcessPoolExecutor starts processes with the tasks, and names them", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, threadNamePrefix: "crew" });
  using gate = new Gate();
  assertEquals([pool.stats().workers, pool.pids], [0, []]);
  assertEquals(await pool.submit(starters.nameOf), "crew_0");
  assertEquals(pool.stats().workers, 1);
  const held = pool.submit(pass, gate.parts, 1);
  await gate.entered();
  assertEquals([pool.stats().running, pool.stats().queued], [1, 0]);
  assertEquals(await pool.submit(starters.nameOf), "crew_1");
  assertEquals(pool.stats().workers, 2);
  assertEquals(new Set(pool.pids).size, 2);
  for (const pid of pool.pids) assert(pid !== Deno.pid && stateOf(pid) !== undefined);
  gate.open();
  assertEquals(await held, 1);
  assertEquals(currentProcess(), { name: "MainProcess", pid: Deno.pid });
  assertEquals(String(pool), "[object ProcessPoolExecutor]");
});

test("ProcessPoolExecutor names its processes after itself, and uses one for tasks one after the other", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  const name = await pool.submit(starters.nameOf);
  assert(/^ProcessPoolExecutor-\d+_0$/.test(name), name);
  for (let i = 0; i < 5; i++) assertEquals(await pool.submit(starters.nameOf), name);
  assertEquals(pool.stats().workers, 1);
});

// maxTasksPerChild

/** How many of the tasks each process ran, in the order of the processes. */
async function countByProcess(futures: readonly Future<number>[]): Promise<number[]> {
  const counts = new Map<number, number>();
  for (const pid of await Promise.all(futures)) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return [...counts.values()];
}

test("ProcessPoolExecutor: maxTasksPerChild replaces processes, with a backlog too", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, maxTasksPerChild: 1 });
  const counts = await countByProcess([1, 2, 3, 4].map(() => pool.submit(work.pidOf)));
  assertEquals(counts, [1, 1, 1, 1]);
  const [first, second] = [await pool.submit(work.pidOf), await pool.submit(work.pidOf)];
  assert(first !== second);
  await until(() => stateOf(first) === undefined && stateOf(second) === undefined);
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor: maxTasksPerChild counts tasks that are sent ahead", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 40 });
  const futures = Array.from({ length: 100 }, () => pool.submit(work.pidOf));
  assertEquals(await countByProcess(futures), [40, 40, 20]);
});

test("ProcessPoolExecutor: maxTasksPerChild counts tasks that were returned once", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 60 });
  using gate = new Gate();
  // The 50th task holds up those behind it, so that they are returned.
  const futures = Array.from({ length: 80 }, () => pool.submit(work.pidAfterHold, 50, gate.parts));
  await gate.entered();
  await new Promise((resolve) => setTimeout(resolve, 20));
  gate.open();
  assertEquals((await countByProcess(futures))[0], 60);
});

// idleTimeout

test("ProcessPoolExecutor: idleTimeout ends idle processes, and later tasks get others", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, idleTimeout: 30 });
  const pid = await pool.submit(work.pidOf);
  await until(() => pool.stats().workers === 0);
  assertEquals([stateOf(pid), pool.pids], [undefined, []]);
  const next = await pool.submit(work.pidOf);
  assert(next !== pid);
  await until(() => pool.stats().workers === 0);
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor: an idleTimeout of 0 ends processes as soon as they have nothing to do", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, idleTimeout: 0 });
  for (let round = 0; round < 3; round++) {
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    assertEquals(
      await Promise.all(numbers.map((n) => pool.submit(square, n))),
      numbers.map((n) => n * n),
    );
    await until(() => pool.stats().workers === 0);
  }
  assertEquals(pool.stats().lost, 0);
});

test("ProcessPoolExecutor: idleTimeout does not end a process that works, however long", async () => {
  await withTimeLimit(200, async (idleTimeout) => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, idleTimeout });
    // Quick tasks come first: some are sent ahead, and the process waits for more with one in hand.
    const quick = Array.from({ length: 100 }, () => pool.submit(work.pidAfterHold, 0, noGate));
    const [pid] = await Promise.all(quick);
    let idleMs = performance.now();
    const isInTime = () => performance.now() - idleMs < idleTimeout;
    using gate = new Gate();
    const held = pool.submit(work.pidAfterHold, 101, gate.parts);
    await gate.entered();
    assertInTime(isInTime());
    await new Promise((resolve) => setTimeout(resolve, 1.5 * idleTimeout));
    idleMs = performance.now();
    gate.open();
    // The process was not idle for that long, and so still exists.
    const pids = [await held, await pool.submit(work.pidOf)];
    assertInTime(isInTime());
    assertEquals(pids, [pid, pid]);
    await until(() => pool.stats().workers === 0);
  });
});

const noGate = new Gate().parts;

// Sent ahead

test("ProcessPoolExecutor: what cannot follow the task of one process goes to an idle one, though its submitter computes on", async () => {
  const folder = await Deno.makeTempDir();
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  try {
    using both = new Gate();
    const started = [1, 2].map((n) => pool.submit(pass, both.parts, n));
    await both.entered(2);
    both.open();
    await Promise.all(started);
    // Whichever of the two processes holds the task.
    for (let round = 0; round < 4; round++) {
      using gate = new Gate();
      // Quick tasks come first: from then on more may follow the one that holds, so that its
      // process checks for them.
      const quick = Array.from({ length: 100 }, () => pool.submit(work.holdIf, 0, 1, gate.parts));
      await Promise.all(quick);
      const held = pool.submit(work.holdIf, 1, 1, gate.parts);
      await gate.entered();
      const file = `${folder}/${round}`;
      const written = pool.submit(work.writeFile, file);
      const endMs = performance.now() + 5000;
      while (!exists(file)) if (performance.now() > endMs) throw new Error("it was not run");
      gate.open();
      await Promise.all([held, written]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function exists(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

// What crosses

test("ProcessPoolExecutor fails a task that names in transfer what cannot be moved, and no other one", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const samples = new Float64Array([1, 2, 3]);
  const wrong = [samples as unknown as Transferable];
  const large = new Float64Array(100_000);
  for (const value of [samples, large, [samples, "x".repeat(100_000)]]) {
    const refused = pool.with({ transfer: wrong }).submit(echo, value);
    const next = pool.submit(echo, "mine");
    assertInstanceOf(await refused.exception(), NotShareableError);
    assertEquals(await next, "mine");
  }
  assertEquals(samples, new Float64Array([1, 2, 3]));
  // The same holds in the backlog.
  const held = Array.from({ length: 3000 }, (_, n) => pool.submit(echo, n));
  const refused = pool.with({ transfer: wrong }).submit(echo, samples);
  const next = pool.submit(echo, "mine");
  assertInstanceOf(await refused.exception(), NotShareableError);
  assertEquals([await next, (await Promise.all(held)).length], ["mine", 3000]);
});

test("ProcessPoolExecutor: what is named in transfer is copied, and taken from the sender", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const bytes = new Uint8Array(1000).fill(3);
  const large = new Uint8Array(5_000_000).fill(4);
  const view = pool.with({ transfer: [bytes.buffer, large.buffer] });
  assertEquals(await view.submit(work.measure, bytes), [1000, 3, 3]);
  assertEquals([bytes.byteLength, large.byteLength], [0, 0]);
  const other = new Uint8Array(5_000_000).fill(5);
  const future = pool.submit(work.measure, transfer(other, [other.buffer]));
  assertEquals(other.byteLength, 0);
  assertEquals(await future, [5_000_000, 5, 5]);
  assertEquals((await pool.submit(work.fillAndMove, 2_000_000, 6)).at(-1), 6);
});

test("ProcessPoolExecutor fails a task that returns what cannot be moved, and no other one", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  for (const pages of [1, 20]) {
    const refused = pool.submit(work.moveMemory, pages);
    let next: Future<unknown> | undefined;
    // This task gets the index of the one that is over.
    refused.addDoneCallback(() => next = pool.submit(echo, "mine"));
    assertInstanceOf(await refused.exception(), NotShareableError);
    assertEquals(await next, "mine");
  }
});

test("ProcessPoolExecutor sends payloads of all sizes both ways", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const sizes = [0, 1, 31, 32, 4095, 4096, 65_535, 65_536, 70_000, 1 << 20, 5_000_001, 40_000_000];
  for (const size of sizes) {
    const [length, first, last] = await pool.submit(work.measure, new Uint8Array(size).fill(size));
    assertEquals([length, first, last], [
      size,
      size === 0 ? undefined : size & 255,
      size === 0 ? undefined : size & 255,
    ]);
    const back = await pool.submit(work.bytes, size);
    assertEquals([back.length, back.at(0), back.at(-1)], [
      size,
      size === 0 ? undefined : 7,
      size === 0 ? undefined : 7,
    ]);
  }
  const text = "x€".repeat(1_000_000);
  const list = Array.from({ length: 20_000 }, (_, i) => ({ i, name: `item ${i}` }));
  assertStrictEquals(await pool.submit(echo, text), text);
  assertEquals(await pool.submit(echo, list), list);
});

test("ProcessPoolExecutor sends large payloads among small ones, all in their places", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  const futures: Future<unknown>[] = [];
  const expected: unknown[] = [];
  for (let i = 0; i < 60; i++) {
    const size = i % 10 === 0 ? 250_000 * i : i;
    futures.push(pool.submit(work.measure, new Uint8Array(size).fill(i)));
    expected.push([size, size === 0 ? undefined : i, size === 0 ? undefined : i]);
  }
  assertEquals(await Promise.all(futures), expected);
});

test("ProcessPoolExecutor sends 300 MB both ways", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  const size = 300_000_000;
  const sent = pool.submit(work.measure, new Uint8Array(size));
  const back = await pool.submit(work.bytes, size);
  assertEquals(await sent, [size, 0, 0]);
  assertEquals([back.length, back[0], back.at(-1)], [size, 7, 7]);
});

// Many tasks

test("ProcessPoolExecutor runs 20,000 tiny tasks, each result in its place", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  const futures = Array.from({ length: 20_000 }, (_, n) => pool.submit(square, n));
  const results = await Promise.all(futures);
  assertEquals(results.findIndex((value, n) => value !== n * n), -1);
  const { completed, failed, queued } = pool.stats();
  assertEquals({ completed, failed, queued }, { completed: 20_000, failed: 0, queued: 0 });
});

test("ProcessPoolExecutor: a task that suddenly takes long does not hold up those behind it", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const count = 3000;
  const slow = 1000;
  const futures = Array.from(
    { length: count },
    (_, n) => pool.submit(work.holdIf, n, slow, gate.parts),
  );
  await gate.entered();
  // All others end while it waits.
  const others = futures.filter((_, n) => n !== slow);
  const results = await Promise.all(others);
  assertEquals(results, Array.from({ length: count }, (_, n) => n).filter((n) => n !== slow));
  assertEquals([futures[slow].done(), futures[slow].running()], [false, true]);
  gate.open();
  assertEquals(await futures[slow], slow);
});

test("ProcessPoolExecutor: a task of another kind waits for no long one behind which it would be sent", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const quick = Array.from({ length: 300 }, (_, n) => pool.submit(work.holdIf, n, -1, gate.parts));
  await Promise.all(quick);
  const held = pool.submit(work.holdIf, 1, 1, gate.parts);
  await gate.entered();
  for (let n = 0; n < 5; n++) {
    assertEquals(await pool.submit(square, n), n * n);
    assertEquals(await pool.submit(work.holdIf, n, -1, gate.parts), n);
  }
  gate.open();
  assertEquals(await held, 1);
});

test("ProcessPoolExecutor runs tasks of many kinds in turn, in the order of submission", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const log = new SimpleQueue<number>();
  const futures: Future<unknown>[] = [];
  for (let i = 0; i < 400; i++) {
    futures.push(pool.submit(i % 7 < 4 ? work.note : work.noteLater, log, i));
  }
  await Promise.all(futures);
  const seen = Array.from({ length: 400 }, () => log.getNowait());
  assertEquals(seen, Array.from({ length: 400 }, (_, i) => i));
});

test("ProcessPoolExecutor: queued tasks do not run, and can be cancelled one by one", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const log = new SimpleQueue<number>();
  const held = pool.submit(pass, gate.parts, "held");
  await gate.entered();
  const queued = Array.from({ length: 1500 }, (_, n) => pool.submit(work.note, log, n));
  assertEquals(queued.some((future) => future.running()), false);
  assertEquals([held.running(), held.cancel()], [true, false]);
  const cancelled = queued.filter((_, n) => n % 3 === 0);
  assert(cancelled.every((future) => future.cancel()));
  gate.open();
  await Promise.allSettled(queued);
  const ran = Array.from({ length: 1000 }, () => log.getNowait());
  assertEquals(ran, queued.map((_, n) => n).filter((n) => n % 3 !== 0));
  assertEquals(log.empty(), true);
  assertEquals(pool.stats().cancelled, 500);
});

// Contexts

test("ProcessPoolExecutor: taskContext() has ids that no two tasks share, whatever process they run in", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, maxTasksPerChild: 30 });
  using gate = new Gate();
  const held = [1, 2].map(() => pool.submit(work.idAtGate, gate.parts));
  await gate.entered(2);
  const futures = Array.from({ length: 150 }, () => pool.submit(work.idOf));
  gate.open();
  const seen = await Promise.all([...held, ...futures]);
  assertEquals(new Set(seen.map(([id]) => id)).size, seen.length);
  assert(new Set(seen.map(([, pid]) => pid)).size > 2);
  assert(seen.every(([id]) => Number.isSafeInteger(id) && Number(id) >= 0));
});

test("ProcessPoolExecutor: progress shows while the task runs", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const future = pool.submit(work.reportInSteps, gate.parts);
  await gate.entered();
  await until(() => future.progress === 0.25);
  gate.open();
  await future;
  assertEquals(future.progress, 1);
  const error = await assertRejects(() => pool.submit(work.report, 2).result());
  assertInstanceOf(error, RangeError);
});

// Output

test("ProcessPoolExecutor: what two processes print reaches this one's output, no line mixed with another", async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { ProcessPoolExecutor } from "@concurrent/futures";
    import { Gate } from ${JSON.stringify(import.meta.resolve("../contracts/signals.ts"))};
    import * as work from ${JSON.stringify(import.meta.resolve("../_support/process_tasks.ts"))};
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2 });
    const gate = new Gate();
    const futures = ["a", "b"].map((letter) => pool.submit(work.printLines, gate.parts, letter, 500, 1000));
    await gate.entered(2);
    gate.open();
    await Promise.all(futures);
  `);
  assertEquals(code, 0);
  const whole = ["a".repeat(1000), "b".repeat(1000)];
  for (const output of [stdout, stderr]) {
    const lines = output.split("\n");
    assertEquals(lines.pop(), "");
    assertEquals(whole.map((line) => lines.filter((other) => other === line).length), [500, 500]);
    assertEquals(lines.length, 1000);
  }
});

test("ProcessPoolExecutor: a getter of a result may not use the parent's objects, and is told what to do", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const value = new Value("i32", 3);
  const future = pool.submit((value: Value<"i32">) => ({
    get next(): number {
      return value.add(1);
    },
  }), value);
  const error = await future.exception();
  assert(NotShareableError.is(error), String(error));
  assertStringIncludes(error.message, "get it first, and send a plain value");
  assertEquals([value.value, await pool.submit(() => 1)], [3, 1]);
});
