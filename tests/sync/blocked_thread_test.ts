import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

/** Time that a program has; it needs a fraction of a second. */
const PROGRAM_MS = 5_000;

const HEAD = `
import { Condition, RLock, ThreadPoolExecutor } from ${
  JSON.stringify(new URL("mod.ts", ROOT).href)
};
import { Gate } from ${JSON.stringify(new URL("tests/contracts/gate.ts", ROOT).href)};
import { holdUntilWaitedFor } from ${
  JSON.stringify(new URL("tests/sync/fixtures/lock_tasks.ts", ROOT).href)
};
function attempt(act) {
  try {
    return act();
  } catch (error) {
    return error.name;
  }
}
`;

/** Runs a program; fails if it blocks for ever. */
async function assertEnds(program: string): Promise<void> {
  const { stdout, stderr, timedOut } = await runProgram(HEAD + program, { timeoutMs: PROGRAM_MS });
  assertEquals([timedOut, stderr, stdout.trim().split("\n").at(-1)], [false, "", "end"]);
}

test("RLock.acquireSync() does not block for ever when an async task of this thread is served first", async () => {
  await assertEnds(`
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const lock = new RLock();
    const gate = new Gate();
    pool.submit(holdUntilWaitedFor, lock, gate.words, 2);
    await gate.entered();
    const task = lock.acquire().then(() => lock.release());
    // The worker releases once both wait: the task, which cannot go on while this thread is blocked, and the thread.
    if (attempt(() => lock.acquireSync()) === true) lock.release();
    await task;
    console.log("end");
  `);
});

test("Condition.waitSync() with a timeout does not block for ever when an async task of this thread waits for the lock", async () => {
  await assertEnds(`
    const condition = new Condition();
    condition.acquireSync();
    const task = condition.run(() => "ran");
    // The task is served when the wait releases the lock, and cannot go on while this thread is blocked.
    if (attempt(() => condition.waitSync({ timeout: 10 })) === false) condition.release();
    await task;
    console.log("end");
  `);
});
