import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

/** Time limit of a program, which needs a fraction of a second. */
const PROGRAM_MS = 10_000;

const HEAD = `
import {
  Condition,
  Event,
  Lock,
  ProcessPoolExecutor,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
} from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
import { Gate } from ${JSON.stringify(new URL("tests/contracts/gate.ts", ROOT).href)};
import { holdUntilAllWait } from ${
  JSON.stringify(new URL("tests/sync/fixtures/lock_tasks.ts", ROOT).href)
};
import { queued } from ${JSON.stringify(new URL("tests/sync/_support.ts", ROOT).href)};
`;

/**
 * Runs a program of its own, as it might block for ever; fails if it does so, or prints anything
 * but these lines.
 */
async function assertPrints(lines: string[], program: string): Promise<void> {
  const { stdout, stderr, timedOut } = await runProgram(HEAD + program, { timeoutMs: PROGRAM_MS });
  assertEquals([timedOut, stderr, stdout.trim().split("\n")], [false, "", lines]);
}

/** How each lock is made, by its name in the tests' titles. */
const LOCKS = {
  Lock: "new Lock()",
  RLock: "new RLock()",
  Condition: "new Condition()",
  Semaphore: "new Semaphore(1)",
};

const CONDITIONS = {
  "Condition of an RLock": "new Condition()",
  "Condition of a Lock": "new Condition(new Lock())",
};

for (const [name, made] of Object.entries(LOCKS)) {
  test(`${name}.acquireSync() goes before the async tasks of its thread, which could not release`, async () => {
    await assertPrints(
      ["thread true", "task", "thread true", "task"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      for (const options of [undefined, { timeout: 5000 }]) {
        const lock = ${made};
        const gate = new Gate();
        const holding = pool.submit(holdUntilAllWait, lock, gate.words, 2);
        await gate.entered();
        const task = lock.run(() => console.log("task"));
        // The worker releases once both wait.
        console.log("thread", lock.acquireSync(options));
        lock.release();
        await task;
        await holding;
      }
    `,
    );
  });
}

for (const [name, made] of Object.entries(CONDITIONS)) {
  const kind = made.includes("new Lock()") ? "Lock" : "RLock";

  test(`${name}.waitSync() throws RuntimeError, with the lock, where an async task of its thread waits for that`, async () => {
    await assertPrints(
      [
        `RuntimeError: Cannot wait: an async task of this thread waits for ${kind}, and could not release it while the thread is blocked; await the promise form instead`,
        "task",
        "false",
      ],
      `
      const condition = ${made};
      condition.acquireSync();
      const task = condition.run(() => console.log("task"));
      try {
        condition.waitSync();
      } catch (error) {
        console.log(String(error));
      }
      condition.release();
      await task;
      condition.acquireSync();
      console.log(condition.waitSync({ timeout: 10 }));
      condition.release();
    `,
    );
  });

  for (const pool of ["ThreadPoolExecutor", "ProcessPoolExecutor"]) {
    test(`${name}.waitSync() throws RuntimeError once an async task of its thread has got the lock, and leaves its guard nothing to release (${pool})`, async () => {
      await assertPrints(
        [
          `RuntimeError: Cannot acquire ${kind}: an async task of this thread holds it, and cannot release it while the thread is blocked; await the promise form instead`,
          "task true",
          "false",
        ],
        `
        const condition = ${made};
        const isAwaited = new Event();
        await using pool = new ${pool}({ maxWorkers: 1 });
        const outcome = pool.submit(async (condition, isAwaited) => {
          const task = condition.run(() => condition.wait());
          await isAwaited.wait();
          const outcome = [];
          try {
            using _ = condition.holdSync();
            condition.waitSync();
          } catch (error) {
            outcome.push(String(error));
          }
          outcome.push("task " + await task);
          return outcome;
        }, condition, isAwaited);
        await queued(condition);
        isAwaited.set();
        await queued(condition, 2);
        // The one that is notified is the task, which cannot go on while its thread is blocked.
        await condition.run(() => condition.notify());
        for (const line of await outcome) console.log(line);
        console.log(condition.locked());
      `,
      );
    });
  }

  test(`${name}.waitSync() that lost the lock to an async task leaves it to that, and to no other guard but its own`, async () => {
    await assertPrints(
      ["RuntimeError", "true", "false true", "false"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const condition = ${made};
      const older = condition.hold().then(async (guard) => {
        await condition.wait();
        return guard;
      });
      await pool.submit(() => {});
      let taken;
      // Called while this thread is blocked in the wait.
      pool.submit(() => {}).addDoneCallback(() => taken = condition.hold());
      try {
        using _ = condition.holdSync();
        condition.waitSync();
      } catch (error) {
        console.log(error.name);
      }
      console.log(condition.locked());
      {
        using _ = await taken;
        condition.notify();
      }
      const guard = await older;
      console.log(condition.acquireSync({ blocking: false }), condition.locked());
      guard[Symbol.dispose]();
      console.log(condition.locked());
    `,
    );
  });

  test(`${name}.waitSync() that lost the lock to an async task, without a guard, has no later guard release nothing`, async () => {
    await assertPrints(
      ["RuntimeError", "true", "false"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const condition = ${made};
      condition.acquireSync();
      let taken;
      // Called while this thread is blocked in the wait.
      pool.submit(() => {}).addDoneCallback(() => taken = condition.acquire());
      try {
        condition.waitSync();
      } catch (error) {
        console.log(error.name);
      }
      if (taken === undefined) throw new Error("not called");
      console.log(condition.locked());
      await taken;
      condition.release();
      {
        using _ = condition.holdSync();
      }
      console.log(condition.locked());
    `,
    );
  });
}

for (const [name, made] of Object.entries(CONDITIONS)) {
  test(`${name}: waitSync() goes on after a callback that blocks while it holds the lock`, async () => {
    await assertPrints(
      ["true"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const condition = ${made};
      {
        using _ = condition.holdSync();
        // The task has the lock once this thread waits.
        const entered = pool.submit((condition) => condition.runSync(() => {}), condition);
        entered.addDoneCallback(() => {
          using _ = condition.holdSync();
          const sleep = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
          pool.submit(sleep).resultSync();
          condition.notify();
        });
        console.log(condition.waitSync());
      }
    `,
    );
  });
}

for (const made of ["new Lock()", "new RLock()", "new Semaphore(1)"]) {
  test(`${made}: a thread goes before its async task, also while a callback blocks for something else`, async () => {
    await assertPrints(
      ["thread true", "task"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
      const lock = ${made};
      const [held, inCallback, released] = [new Event(), new Event(), new Event()];
      const holding = pool.submit((lock, held, inCallback, released) => {
        lock.acquireSync();
        held.set();
        inCallback.waitSync();
        lock.release();
        released.set();
      }, lock, held, inCallback, released);
      await held.wait();
      const task = lock.run(() => console.log("task"));
      // Called while the thread waits for the lock.
      pool.submit(() => {}).addDoneCallback(() => {
        inCallback.set();
        released.waitSync();
      });
      console.log("thread", lock.acquireSync());
      lock.release();
      await task;
      await holding;
    `,
    );
  });
}

for (const [name, made] of Object.entries(CONDITIONS)) {
  test(`${name}: waitSync() is notified beside an async task, also while a callback blocks for something else`, async () => {
    await assertPrints(
      ["true", "true"],
      `
      await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
      const condition = ${made};
      const [inCallback, notified] = [new Event(), new Event()];
      const task = condition.run(() => condition.wait());
      await queued(condition);
      const notifying = pool.submit((condition, inCallback, notified) => {
        inCallback.waitSync();
        condition.runSync(() => condition.notifyAll());
        notified.set();
      }, condition, inCallback, notified);
      {
        using _ = condition.holdSync();
        pool.submit(() => {}).addDoneCallback(() => {
          inCallback.set();
          notified.waitSync();
        });
        console.log(condition.waitSync());
      }
      console.log(await task);
      await notifying;
    `,
    );
  });
}
