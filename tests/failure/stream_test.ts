/**
 * Streams whose worker is lost, given up or never read from: the consumer gets the values that came
 * before and then the error, waits for nothing that will not come, and the program ends.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenExecutor,
  BrokenProcessPool,
  BrokenThreadPool,
  ProcessPoolExecutor,
  RuntimeError,
  type StreamResult,
  ThreadPoolExecutor,
  TimeoutError,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { runProgram } from "../_support/run.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import { Gate, Log } from "../contracts/signals.ts";
import * as streams from "../contracts/stream_tasks.ts";
import { square } from "../contracts/tasks.ts";
import { assertEndedWell, SHORT_MS, startedWorkers, until } from "./_support.ts";
import * as work from "./_stream_tasks.ts";

const MODES = ["break", "replace"] as const;

const KINDS = [
  {
    name: "ThreadPoolExecutor",
    Pool: ThreadPoolExecutor,
    Broken: BrokenThreadPool as typeof BrokenExecutor,
    ends: ["close", "exit", "throw in a timer", "unhandled rejection"],
  },
  {
    name: "ProcessPoolExecutor",
    Pool: ProcessPoolExecutor,
    Broken: BrokenProcessPool as typeof BrokenExecutor,
    ends: ["exit", "throw in a timer", "kill"],
  },
] as const;

function range(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}

/** The values of a stream, and the error after them. */
async function readAll<T>(stream: AsyncIterable<T>): Promise<[values: T[], error: unknown]> {
  const values: T[] = [];
  try {
    for await (const value of stream) values.push(value);
  } catch (error) {
    return [values, error];
  }
  return [values, undefined];
}

/** Asserts that the pool continues with another worker, or takes no more tasks. */
async function assertAfterLoss(
  pool: ThreadPoolExecutor | ProcessPoolExecutor,
  goesOn: boolean,
): Promise<void> {
  if (goesOn) assertEquals(await pool.stream(streams.count, 3).toArray(), [0, 1, 2]);
  else assertThrows(() => pool.stream(streams.count, 3), BrokenExecutor);
  await pool.shutdown();
  assertEquals(pool.stats().workers, 0);
}

for (const { name, Pool, Broken, ends } of KINDS) {
  for (const onWorkerLost of MODES) {
    for (const how of ends) {
      test(`${name}.stream() whose function ends its worker gives the values before, then the loss (${how}, ${onWorkerLost})`, async () => {
        const pool = new Pool({ maxWorkers: 1, onWorkerLost });
        const [values, error] = await readAll(pool.stream(work.endAfter, 3, how));
        // When a process is killed, the values that have not left it are lost.
        if (how !== "kill") assertEquals(values, [0, 1, 2]);
        assertEquals(values, range(values.length));
        assert(error instanceof Broken, String(error));
        await assertAfterLoss(pool, onWorkerLost === "replace");
      });
    }

    test(`${name}.stream() whose function ends its worker while it is far ahead gives the values in order (${onWorkerLost})`, async () => {
      const pool = new Pool({ maxWorkers: 1, onWorkerLost });
      for (const how of onWorkerLost === "replace" ? ends : ends.slice(0, 1)) {
        const [values, error] = await readAll(pool.stream(work.endAmid, 5000, how));
        assertEquals(values, range(values.length));
        assert(error instanceof Broken, String(error));
      }
      await assertAfterLoss(pool, onWorkerLost === "replace");
    });
  }

  test(`${name}.stream(): all open ones end where the pool is broken`, async () => {
    const pool = new Pool({ maxWorkers: 2 });
    using gate = new Gate();
    const log = new Log();
    const open = pool.stream(work.blockAtGate, gate.parts, log.queue)[Symbol.asyncIterator]();
    assertEquals((await open.next()).value, 1);
    const queued = pool.stream(streams.count, 1);
    await gate.entered();
    const [, error] = await readAll(pool.stream(work.endAfter, 1, "exit"));
    // The queued stream came first, and may have been read by then.
    assert(error instanceof Broken);
    await assertRejects(() => open.next(), Broken);
    assertEquals((await open.next()).done, true);
    await readAll(queued);
    gate.open();
    await pool.shutdown();
  });

  test(`${name}.stream(): a blocking read of one whose worker ends throws`, () => {
    const pool = new Pool({ maxWorkers: 1 });
    const seen: number[] = [];
    assertThrows(() => {
      for (const n of pool.stream(work.endAfter, 3, "exit")) seen.push(n);
    }, Broken);
    assertEquals(seen, [0, 1, 2]);
    pool.shutdownSync();
  });

  test(`${name}.stream(): leaving one throws where the function ends its worker as it is closed`, async () => {
    const pool = new Pool({ maxWorkers: 1, onWorkerLost: "replace" });
    await assertRejects(async () => {
      for await (const n of pool.stream(work.endAtClose, "exit")) if (n === 2) break;
    }, Broken);
    assertThrows(() => {
      for (const n of pool.stream(work.endAtClose, "exit")) if (n === 2) break;
    }, Broken);
    await assertAfterLoss(pool, true);
  });

  test(`${name}.stream(): break waits for a function that blocks, and closes it then`, async () => {
    await using pool = new Pool({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const iterator = pool.stream(work.blockAtGate, gate.parts, log.queue)[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 1);
    await gate.entered();
    const returned = iterator.return!();
    assertEquals(pool.stats().running, 1);
    gate.open();
    assertEquals((await returned).done, true);
    assertEquals(log.entries, [streams.CLOSED]);
    assertEquals(await pool.submit(square, 2), 4);
  });

  test(`${name}.stream(): break does not wait for a function longer than its task may take`, async () => {
    const pool = new Pool({ maxWorkers: 1, onWorkerLost: "replace" });
    using gate = new Gate();
    const controller = new AbortController();
    const view = pool.with({ signal: controller.signal });
    const iterator = view.stream(work.waitAtClose, gate.parts)[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, 0);
    const returned = iterator.return!();
    await gate.entered();
    const reason = new Error("enough");
    controller.abort(reason);
    await assertRejects(() => returned, Error, "enough");
    gate.open();
    await assertAfterLoss(pool, true);
  });

  test(`${name}.stream() that is given up while its function computes ends, and the pool goes on`, async () => {
    await withTimeLimit(300, async (timeout) => {
      await using pool = new Pool({ maxWorkers: 1, onWorkerLost: "replace" });
      using gate = new Gate();
      // A worker is running before the time limit starts.
      await pool.submit(square, 1);
      const stream = pool.with({ timeout }).stream(work.spinAfterOne, gate.parts);
      const [values, error] = await readAll(stream);
      assert(TimeoutError.is(error), String(error));
      assertInTime(gate.count > 0 && values.length > 0);
      assertEquals(values, [1]);
      if (Pool === ProcessPoolExecutor) return await assertAfterLoss(pool, true);
      assertEquals(await pool.submit(square, 2), 4);
      assertEquals(pool.stats().abandoned, 1);
    });
  });
}

test("ThreadPoolExecutor.stream() notices that a worker which waits for its consumer was terminated", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const stream = pool.with({ buffersize: 4 }).stream(streams.count);
  const iterator = stream[Symbol.asyncIterator]();
  assertEquals((await iterator.next()).value, 0);
  startedWorkers.at(-1)!.terminate();
  const [values, error] = await readAll({ [Symbol.asyncIterator]: () => iterator });
  assertEquals(values, range(values.length).map((n) => n + 1));
  assert(error instanceof BrokenThreadPool && error.message.includes("ended without a word"));
  await assertAfterLoss(pool, false);
});

test("ProcessPoolExecutor.stream() gives what has come of a process that is killed", async () => {
  for (const end of ["kill", "terminate"]) {
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const iterator = pool.stream(work.sayPid)[Symbol.asyncIterator]();
    const pid = (await iterator.next()).value;
    assertEquals(pool.pids, [pid]);
    assertEquals((await iterator.next()).value, 0);
    if (end === "kill") Deno.kill(pid, "SIGKILL");
    else pool.terminateWorkers();
    const [values, error] = await readAll({ [Symbol.asyncIterator]: () => iterator });
    assertEquals(values, range(values.length).map((n) => n + 1));
    assert(error instanceof BrokenProcessPool);
    await pool.shutdown();
  }
});

test("ProcessPoolExecutor.stream(): a blocked reader hears that the process was killed", () => {
  using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const iterator = pool.stream(work.sayPid)[Symbol.iterator]();
  Deno.kill(iterator.next().value, "SIGKILL");
  let expected = 0;
  assertThrows(() => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      assertEquals(next.value, expected++);
    }
  }, BrokenProcessPool);
});

test("A stream that was not read makes a blocking end of its pool an error, from using too", async () => {
  let stream: StreamResult<number> | undefined;
  let pool: ThreadPoolExecutor | undefined;
  assertThrows(
    () => {
      using own = new ThreadPoolExecutor({ maxWorkers: 1 });
      pool = own;
      stream = own.stream(streams.count);
    },
    RuntimeError,
    "take them, or leave it first",
  );
  await stream![Symbol.asyncDispose]();
  await pool!.shutdown();
  await until(() => pool!.stats().workers === 0);
});

// The end of programs

/** Runs the body of a program, and asserts that it ends by itself, soon, with the given lines. */
async function assertPrints(body: string, lines: string[]): Promise<void> {
  const ended = await runProgram(`
import { AsyncExecutor, ProcessPoolExecutor, ThreadPoolExecutor } from "@concurrent/futures";
import * as streams from ${JSON.stringify(import.meta.resolve("../contracts/stream_tasks.ts"))};
import * as work from ${JSON.stringify(import.meta.resolve("./_stream_tasks.ts"))};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
if (import.meta.main) {
${body}
}
`);
  assertEndedWell(ended, lines);
  assert(ended.elapsedMs < SHORT_MS, `It took ${Math.round(ended.elapsedMs)} ms`);
}

for (const name of ["ThreadPoolExecutor", "ProcessPoolExecutor", "AsyncExecutor"]) {
  test(`A program ends that never reads a stream: ${name}`, async () => {
    await assertPrints(
      `
      const pool = new ${name}({ maxWorkers: 1 });
      globalThis.kept = pool.stream(streams.count);
      console.log("end of main");
    `,
      ["end of main"],
    );
  });

  test(`A program ends that has read a part of a stream, a while ago: ${name}`, async () => {
    await assertPrints(
      `
      const pool = new ${name}({ maxWorkers: 1 });
      const iterator = pool.stream(streams.count)[Symbol.asyncIterator]();
      for (let n = 0; n < 2000; n++) await iterator.next();
      // Longer than it takes until its worker is watched.
      await pause(200);
      console.log((await iterator.next()).value);
      globalThis.kept = iterator;
    `,
      ["2000"],
    );
  });

  test(`A program ends that has shut down a pool with a stream that it does not read: ${name}`, async () => {
    await assertPrints(
      `
      const pool = new ${name}({ maxWorkers: 2 });
      const iterator = pool.stream(streams.count)[Symbol.asyncIterator]();
      await iterator.next();
      console.log((await pool.submit(streams.giveBack, [1])).length);
      pool.shutdown().then(() => console.log("not reached"));
      globalThis.kept = iterator;
      console.log("end of main");
    `,
      ["1", "end of main"],
    );
  });

  test(`A program that waits for a value stays open until it has come: ${name}`, async () => {
    await assertPrints(
      `
      const pool = new ${name}({ maxWorkers: 1 });
      const iterator = pool.with({ buffersize: 1 }).stream(streams.count)[Symbol.asyncIterator]();
      iterator.next().then(async ({ value }) => {
        console.log(value);
        await pause(50);
        for (let n = 0; n < 3; n++) console.log((await iterator.next()).value);
        await iterator.return();
        console.log("closed");
      });
    `,
      ["0", "1", "2", "3", "closed"],
    );
  });
}

test("A program ends although a stream that it reads in a shut down pool rested for a while", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const iterator = pool.stream(streams.count, 5000)[Symbol.asyncIterator]();
    await iterator.next();
    await pause(100);
    const ended = pool.shutdown();
    await pause(100);
    let count = 1;
    while (!(await iterator.next()).done) count++;
    await ended;
    console.log(count, pool.stats().workers);
  `,
    ["5000 0"],
  );
});

test("A program whose stream's worker is lost while nobody reads it ends", async () => {
  await assertPrints(
    `
    for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      const pool = new Pool({ maxWorkers: 1 });
      globalThis.kept = pool.stream(work.endAfter, 3, "exit");
    }
    console.log("end of main");
  `,
    ["end of main"],
  );
});
