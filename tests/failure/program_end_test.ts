/** How programs that use pools end: by themselves, with all work done, and without noise. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertEndedWell, program, SHORT_MS } from "./_support.ts";
import type { End } from "./_tasks.ts";

/** Runs the body of a program, and asserts that it ends by itself, soon, with the given lines. */
async function assertPrints(body: string, lines: string[]): Promise<void> {
  const ended = await runProgram(program(body));
  assertEndedWell(ended, lines);
  assert(ended.elapsedMs < SHORT_MS, `It took ${Math.round(ended.elapsedMs)} ms`);
}

test("A program ends by itself with a pool that was never used", async () => {
  await assertPrints(`new ThreadPoolExecutor(); console.log("end");`, ["end"]);
});

test("A program ends by itself with an idle pool that nobody shut down", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    console.log((await Promise.all([1, 2, 3].map((n) => pool.submit(work.echo, n)))).join());
  `,
    ["1,2,3"],
  );
});

test("A program ends by itself with an idle pool that has an idleTimeout", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, idleTimeout: 60_000 });
    console.log(await pool.submit(work.echo, 1));
  `,
    ["1"],
  );
});

test("A program ends by itself after a map on the default executor", async () => {
  await assertPrints(
    `console.log((await futures.map(work.double, [1, 2, 3]).toArray()).join());`,
    ["2,4,6"],
  );
});

test("A program does its queued work before it ends, although nobody waits or shuts down", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log("end of main");
    for (const text of ["one", "two", "three"]) pool.submit(work.print, text, 50);
  `,
    ["end of main", "one", "two", "three"],
  );
});

test("A program does more queued work than the ring holds before it ends", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log("end of main");
    for (let i = 0; i < 3000; i++) pool.submit(work.noop);
    pool.submit(work.print, "last");
  `,
    ["end of main", "last"],
  );
});

test("A program does its queued work after shutdown({ wait: false })", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log("end of main");
    for (const text of ["one", "two"]) pool.submit(work.print, text, 50);
    pool.shutdown({ wait: false });
  `,
    ["end of main", "one", "two"],
  );
});

test("A program runs the done callbacks of its queued work before it ends", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    pool.submit(work.print, "task", 50).addDoneCallback((future) => {
      console.log("callback", future.done());
      pool.submit(work.print, "from the callback");
    });
  `,
    ["task", "callback true", "from the callback"],
  );
});

test("A program does its queued work although main throws", async () => {
  const ended = await runProgram(program(`
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(work.noop);
    const future = pool.submit(work.print, "done", 50);
    try {
      throw new RangeError("main failed");
    } finally {
      await pool.shutdown();
    }
  `));
  assertEquals([ended.code, ended.stdout], [1, "done\n"]);
  assertStringIncludes(ended.stderr, "main failed");
});

test("A program whose main throws ends at once, with its own error", async () => {
  const ended = await runProgram(program(`
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(work.noop);
    for (let i = 0; i < 100; i++) pool.submit(work.print, "queued", 1000);
    throw new RangeError("main failed");
  `));
  assertEquals([ended.code, ended.timedOut], [1, false]);
  assertStringIncludes(ended.stderr, "RangeError: main failed");
  assertEquals(ended.stderr.includes("in worker"), false);
  assert(ended.elapsedMs < SHORT_MS);
});

for (const state of ["queued", "running", "looping"]) {
  test(`Deno.exit() ends a program at once with tasks ${state}`, async () => {
    const ended = await runProgram(program(`
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const words = gate();
      pool.submit(${state === "looping" ? "work.spin" : "work.pend"}, words);
      ${state === "queued" ? "" : "await arrived(words);"}
      for (let i = 0; i < 10; i++) pool.submit(work.print, "queued");
      Deno.exit(7);
    `));
    const { code, stdout, stderr, timedOut, elapsedMs } = ended;
    assertEquals({ code, stdout, stderr, timedOut }, {
      code: 7,
      stdout: "",
      stderr: "",
      timedOut: false,
    });
    assert(elapsedMs < SHORT_MS);
  });
}

// Blocked threads

test("Future.resultSync() on the main thread gets its result, from the first task on", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    console.log(pool.submit(work.echo, "first").resultSync());
    console.log(pool.submit(work.echo, new Int32Array(new SharedArrayBuffer(4))).resultSync().length);
    const large = "x".repeat(3_000_000);
    console.log(pool.submit(work.echo, large).resultSync() === large);
    const bytes = new Uint8Array(20_000_000).fill(7);
    console.log(pool.submit(work.echo, bytes).resultSync().at(-1));
    console.log(pool.submit(work.fail, "text").exceptionSync().message);
  `,
    ["first", "1", "true", "7", "text"],
  );
});

test("map() and asCompleted() with a blocking \`for\` on the main thread", async () => {
  await assertPrints(
    `
    using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    for (const value of pool.map(work.double, [1, 2, 3])) console.log(value);
    const values = [];
    for (const future of asCompleted([4, 5, 6].map((n) => pool.submit(work.double, n)))) {
      values.push(future.resultSync());
    }
    console.log(values.sort((a, b) => a - b).join());
  `,
    ["2", "4", "6", "8,10,12"],
  );
});

test("map() with a blocking \`for\` runs more tasks than rings hold", async () => {
  await assertPrints(
    `
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    let sum = 0;
    for (const value of pool.map(work.double, Array.from({ length: 5000 }, (_, n) => n), { chunksize: 1 })) {
      sum += value;
    }
    console.log(sum);
  `,
    [String(5000 * 4999)],
  );
});

test("A task makes a pool of its own and blocks on its map()", async () => {
  await assertPrints(
    `
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log((await pool.submit(pools.nest, [1, 2, 3])).join());
  `,
    ["2,4,6"],
  );
});

test("A task makes a pool of its own and blocks on its map() while main is blocked", async () => {
  await assertPrints(
    `
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log(pool.submit(pools.nest, [1, 2, 3]).resultSync({ timeout: 10_000 }).join());
  `,
    ["2,4,6"],
  );
});

// Silence

test("Failed futures that nobody asks about leave no trace", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    pool.submit(work.fail, "ignored");
    pool.submit(work.reject, "ignored");
    pool.submit(work.echo, () => {});
    pool.submit(work.throwOdd, "undefined");
    pool.submit(Math.random);
    tasks("data:text/javascript,throw 1").run;
    pool.submit(tasks("data:text/javascript,throw 1").run);
    pool.with({ timeout: 1 }).submit(work.pendUntilAborted, gate());
    pool.submit(work.echo, 1).cancel();
    await pool.submit(work.echo, "end");
    await pool.shutdown();
    console.log("end");
  `,
    ["end"],
  );
});

test("Futures of a broken pool that nobody asks about leave no trace", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const first = pool.submit(work.closeWorker);
    for (let i = 0; i < 5; i++) pool.submit(work.echo, i);
    await wait([first]);
    await pool.shutdown();
    console.log("end");
  `,
    ["end"],
  );
});

const ENDS: End[] = [
  "close",
  "Deno.exit",
  "process.exit",
  "process.reallyExit",
  "exit of node:process",
  "throw in a timer",
  "throw in a microtask",
  "throw of undefined in a timer",
  "reportError",
  "unhandled rejection",
  "unhandled rejection with undefined",
  "unhandled rejection with what cannot be cloned",
];

for (const onWorkerLost of ["break", "replace"]) {
  for (const when of ["running", "idle"]) {
    test(`The runtime prints nothing when a worker ends: ${when}, ${onWorkerLost}`, async () => {
      await assertPrints(
        `
        for (const how of ${JSON.stringify(ENDS)}) {
          const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "${onWorkerLost}" });
          const words = gate();
          open(words);
          const name = crypto.randomUUID();
          if (${when === "idle"}) {
            await pool.submit(work.holdLock, name);
            await pool.submit(work.endLater, words, how);
            await navigator.locks.request(name, () => {});
          } else {
            await pool.submit(work.endInTask, words, how).exception();
          }
          await pool.shutdown();
        }
        console.log("end");
      `,
        ["end"],
      );
    });
  }
}

test("The runtime prints nothing when an initializer or a module fails", async () => {
  await assertPrints(
    `
    for (const initializer of [work.fail, work.reject, work.closeWorker, Math.random]) {
      const pool = new ThreadPoolExecutor({ maxWorkers: 1, initializer, initargs: ["bad start"] });
      try {
        await pool.submit(work.echo, 1).exception();
      } catch {
        // Broken before the first task.
      }
      await pool.shutdown();
    }
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    for (const text of ["throw 1", "syntax error", "import 'nowhere:'", "await Promise.reject(1)"]) {
      await pool.submit(tasks("data:text/javascript," + encodeURIComponent(text)).run).exception();
    }
    console.log("end");
  `,
    ["end"],
  );
});

for (const [onWorkerLost, outcome] of [["break", "BrokenThreadPool"], ["replace", "queued"]]) {
  test(`A program whose worker was lost (${onWorkerLost}) ends although nobody waits for its futures`, async () => {
    await assertPrints(
      `
      const words = gate();
      open(words);
      const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "${onWorkerLost}" });
      pool.submit(work.endInTask, words, "Deno.exit");
      pool.submit(work.echo, "queued").addDoneCallback((future) => {
        console.log(future.exceptionSync()?.name ?? future.resultSync());
      });
    `,
      [outcome],
    );
  });
}
