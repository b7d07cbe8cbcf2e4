/**
 * How programs with child processes end: by themselves, with all work done, and with no child left
 * behind.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { isStopped, statOf } from "../_support/proc.ts";
import { assertDead, startProgram, stateOf, until } from "../_support/processes.ts";
import { runProgram } from "../_support/run.ts";
import { processProgram } from "./_process_support.ts";
import { assertEndedWell, PROMPT_MS, SHORT_MS } from "./_support.ts";

/** Runs the body of a program, and asserts that it ends by itself, soon, with the given lines. */
async function assertPrints(body: string, lines: string[]): Promise<void> {
  const ended = await runProgram(processProgram(body));
  assertEndedWell(ended, lines);
  assert(ended.elapsedMs < SHORT_MS, `It took ${Math.round(ended.elapsedMs)} ms`);
}

// What keeps a program running

test("A program ends by itself with an idle process pool that nobody shut down", async () => {
  await assertPrints(
    `
    new ProcessPoolExecutor();
    const pool = new ProcessPoolExecutor({ maxWorkers: 2, idleTimeout: 60_000 });
    console.log((await Promise.all([1, 2, 3].map((n) => pool.submit(plain.square, n)))).join());
  `,
    ["1,4,9"],
  );
});

test("A program ends by itself with an idle process in which a timer runs", async () => {
  await assertPrints(
    `
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    await pool.submit(() => void setInterval(() => {}, 1));
    console.log("end");
  `,
    ["end"],
  );
});

test("A program does its queued work in processes before it ends, although nobody waits or shuts down", async () => {
  await assertPrints(
    `
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    console.log("end of main");
    for (const text of ["one", "two"]) pool.submit(work.print, text, 50);
    pool.submit(work.print, "three", 0).addDoneCallback((future) => {
      console.log("callback", future.done());
      pool.submit(work.print, "from the callback", 0);
    });
  `,
    ["end of main", "one", "two", "three", "callback true", "from the callback"],
  );
});

test("A program does its queued work in processes after shutdown({ wait: false })", async () => {
  await assertPrints(
    `
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    console.log("end of main");
    for (const text of ["one", "two"]) pool.submit(work.print, text, 50);
    pool.shutdown({ wait: false });
  `,
    ["end of main", "one", "two"],
  );
});

test("A program waits for a process that is no daemon", async () => {
  await assertPrints(
    `
    console.log("end of main");
    new Process({ target: work.print, args: ["from the process", 100] }).start();
  `,
    ["end of main", "from the process"],
  );
});

test("A program whose worker was lost ends although nobody waits for its futures", async () => {
  await assertPrints(
    `
    for (const onWorkerLost of ["break", "replace"]) {
      const pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost });
      const lost = pool.submit(work.endNow, "exit 3");
      const queued = pool.submit(plain.echo, "queued");
      queued.addDoneCallback((future) => {
        console.log(onWorkerLost, future.exceptionSync()?.name ?? future.resultSync());
      });
      await wait([lost, queued]);
    }
  `,
    ["break BrokenProcessPool", "replace queued"],
  );
});

// No child outlives its parent

/**
 * A program that starts four children, which compute or wait, and prints their numbers once they do
 * so; `end` is what ends it.
 */
const withChildren = (end: string): string =>
  processProgram(`
    const nothing = Object.fromEntries(
      ["read", "write", "net", "env", "run", "sys", "ffi", "import"].map((kind) => [kind, false]),
    );
    const gate = new Gate();
    const arrived = new futures.Event();
    const busy = new Process({ target: work.spin, args: [gate.parts], daemon: true });
    const confined = new Process({
      target: (arrived) => {
        arrived.set();
        for (;;);
      },
      args: [arrived],
      daemon: true,
      permissions: nothing,
    });
    busy.start();
    confined.start();
    const idle = new ProcessPoolExecutor({ maxWorkers: 1 });
    await idle.submit(work.spinInBackground);
    const pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    const controller = new AbortController();
    const running = pool.with({ signal: controller.signal }).submit(work.spin, gate.parts);
    await gate.entered(2);
    await arrived.wait();
    console.log([busy.pid, confined.pid, idle.pids[0], pool.pids[0]].join());
    ${end}
  `);

/** Parses the numbers of the children. */
function readPids(line: string | undefined): number[] {
  const pids = new Set(line!.split(",").map(Number));
  assertEquals([pids.size, pids.has(NaN)], [4, false]);
  return [...pids];
}

const ENDS: Record<string, { end: string; code: number; says?: string }> = {
  "the end of main": { end: `controller.abort(); idle.terminateWorkers();`, code: 0 },
  "Deno.exit() in a blocked turn": {
    end: `
      try {
        running.resultSync({ timeout: 20 });
      } finally {
        Deno.exit(7);
      }`,
    code: 7,
  },
  "an uncaught error": {
    end: `throw new RangeError("main failed");`,
    code: 1,
    says: "main failed",
  },
};

for (const [how, { end, code, says = "" }] of Object.entries(ENDS)) {
  test(`No process outlives a program that ends by ${how}`, async () => {
    await using program = await startProgram(withChildren(end));
    const pids = readPids(await program.line());
    const status = await program.status;
    const endMs = performance.now();
    await assertDead(pids, PROMPT_MS);
    assert(performance.now() - endMs < PROMPT_MS);
    assertEquals(status.code, code);
    const errors = await program.errors();
    if (says === "") assertEquals(errors, "");
    else assertStringIncludes(errors, says);
  });
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  test(`No process outlives a program that is ended by ${signal}`, async () => {
    await using program = await startProgram(withChildren(`await running;`));
    const pids = readPids(await program.line());
    assert(pids.every((pid) => stateOf(pid) !== undefined));
    program.kill(signal);
    await program.status;
    await assertDead(pids, PROMPT_MS);
    assertEquals(await program.errors(), "");
  });
}

test("No process outlives a program that is killed and has not read all that it was sent", async () => {
  await using program = await startProgram(processProgram(`
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    pool.submit(work.reportToStopped, Deno.pid);
  `));
  const pid = Number(await program.line());
  program.kill("SIGSTOP");
  await until(() => isStopped(program.pid));
  assertEquals(await program.line(), "sent");
  program.kill("SIGKILL");
  await program.status;
  await assertDead([pid], PROMPT_MS);
});

test("No process outlives a program that is killed as it starts them", async () => {
  await using program = await startProgram(processProgram(`
    const pool = new ProcessPoolExecutor({ maxWorkers: 2 });
    for (let i = 0; i < 2; i++) pool.submit(plain.never);
    while (pool.pids.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    console.log(pool.pids.join());
    await new Promise(() => {});
  `));
  const pids = (await program.line())!.split(",").map(Number);
  program.kill("SIGKILL");
  await program.status;
  await assertDead(pids, PROMPT_MS);
});

test("A daemon process is ended with the program, and does not keep it open", async () => {
  await using program = await startProgram(processProgram(`
    const gate = new Gate();
    const process = new Process({ target: work.pend, args: [gate.parts], daemon: true });
    process.start();
    await gate.entered();
    console.log(process.pid);
  `));
  const pid = Number(await program.line());
  assertEquals((await program.status).code, 0);
  await assertDead([pid], PROMPT_MS);
  assertEquals(await program.errors(), "");
});

test("The children of a process end with it", async () => {
  await using program = await startProgram(processProgram(`
    const process = new Process({ target: starters.startChild });
    process.start();
    await process.started;
    console.log(process.pid);
  `));
  const pids = [Number(await program.line()), Number(await program.line())];
  // Either of them may have printed its number first.
  const [first, second] = pids;
  const outer = statOf(first)?.parent === second ? second : first;
  Deno.kill(outer, "SIGKILL");
  await assertDead(pids, PROMPT_MS);
  assertEquals((await program.status).code, 0);
});
