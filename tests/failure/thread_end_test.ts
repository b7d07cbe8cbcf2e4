/**
 * Every way in which a thread can end releases the threads that join it, in both forms, and ends
 * nothing but the thread; and how programs with threads end.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  activeCount,
  Lock,
  NotShareableError,
  Queue,
  RuntimeError,
  setExcepthook,
  tasks,
  Thread,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import {
  assertEndedWell,
  assertPrompt,
  Gate,
  SHORT_MS,
  startedWorkers,
  until,
} from "./_support.ts";
import { assertOwnerDied, assertUsable, newName, thrownBy } from "./_sync_support.ts";
import { type End, endInTask, type endLater, KINDS_OF_END } from "./_tasks.ts";
import { waitersOf } from "./_waiters.ts";
import * as work from "./_thread_tasks.ts";

/** What the hook gets for each way to end; nothing where that is no error. */
const ENDS: Record<End, RegExp | undefined> = {
  "close": undefined,
  "Deno.exit": undefined,
  "process.exit": undefined,
  "process.reallyExit": undefined,
  "exit of node:process": undefined,
  "throw in a timer": /^RangeError: thrown late$/,
  "throw in a microtask": /^RangeError: thrown in a microtask$/,
  "throw of undefined in a timer": /^(undefined|null)$/,
  "reportError": /^RangeError: reported$/,
  "unhandled rejection": /^RangeError: rejected$/,
  "unhandled rejection with undefined": /^undefined$/,
  "unhandled rejection with what cannot be cloned": /Cannot send what the thread threw/,
};

const ENTRIES = Object.entries(ENDS) as [End, RegExp | undefined][];
const KINDS = ENTRIES.filter(([how]) => KINDS_OF_END.includes(how));

/** Runs a function, and returns what the hook gets during the call. */
async function toldTo(fn: () => unknown): Promise<string[]> {
  const told: string[] = [];
  setExcepthook(({ excValue }) => told.push(`${excValue}`));
  try {
    await fn();
  } finally {
    setExcepthook(null);
  }
  return told;
}

function assertTold(told: readonly string[], expected: RegExp | undefined): void {
  assertEquals(told.length, expected === undefined ? 0 : 1, told.join());
  if (expected !== undefined) assertMatch(told[0], expected);
}

for (const form of ["join", "joinSync"] as const) {
  for (const [how, expected] of form === "join" ? ENTRIES : KINDS) {
    test(`Thread.${form}() returns when the thread ends while it runs: ${how}`, async () => {
      using gate = new Gate();
      const thread = new Thread({ target: endInTask, args: [gate.words, how] });
      const told = await toldTo(async () => {
        thread.start();
        await gate.arrived();
        const startMs = performance.now();
        gate.open();
        await thread[form]();
        assertPrompt(startMs);
      });
      assertEquals([thread.isAlive(), activeCount()], [false, 1]);
      assertTold(told, expected);
    });
  }
}

for (const [how, expected] of KINDS) {
  test(`Thread.joinSync() returns when the thread ends, whose start this thread has not seen: ${how}`, async () => {
    using gate = new Gate();
    gate.open();
    const thread = new Thread({ target: endInTask, args: [gate.words, how] });
    const told = await toldTo(() => {
      thread.start();
      thread.joinSync();
    });
    assertEquals(thread.isAlive(), false);
    assertTold(told, expected);
  });

  test(`Thread.join() returns when something ends the thread that its target has left: ${how}`, async () => {
    using gate = new Gate();
    const thread = new Thread({
      target: async (gate: Int32Array, how: End, module: string) => {
        const work: { endLater: typeof endLater } = await import(module);
        await work.endLater(gate, how);
        await new Promise(() => {});
      },
      args: [gate.words, how, import.meta.resolve("./_tasks.ts")],
    });
    const told = await toldTo(async () => {
      thread.start();
      await thread.started;
      gate.open();
      await thread.join();
    });
    assertTold(told, expected);
  });
}

for (const how of [...KINDS_OF_END, "return"] as const) {
  test(`A lock's owner dies that is a Thread: ${how}`, async () => {
    const lock = new Lock({ name: newName() });
    using gate = new Gate();
    const thread = new Thread({
      target: work.holdAndEnd,
      args: [lock, gate.words, how],
      name: "owner",
    });
    await toldTo(async () => {
      thread.start();
      await gate.arrived();
      const waiting = thrownBy(() => lock.acquire());
      await until(() => waitersOf(lock) === 1);
      gate.open();
      assertOwnerDied(await waiting, lock, "owner");
      await thread.join();
    });
    assertOwnerDied(await thrownBy(() => lock.acquireSync()), lock, "owner");
    assertEquals(lock.recover(), true);
    lock.release();
    await assertUsable(lock);
  });
}

test("A lock passes by a Thread that has ended while a promise of it waited", async () => {
  const lock = new Lock({ name: newName() });
  lock.acquireSync();
  using gate = new Gate();
  const thread = new Thread({ target: work.awaitAndReturn, args: [lock, gate.words] });
  thread.start();
  await gate.arrived();
  assertEquals(waitersOf(lock), 1);
  gate.open();
  await thread.join();
  lock.release();
  await assertUsable(lock);
});

for (const daemon of [false, true]) {
  test(`Thread.join() notices that the worker of a ${daemon ? "daemon" : "thread"} is gone without a word`, async () => {
    const names = new Queue<string>();
    const thread = new Thread({ target: work.pend, args: [names], name: "victim", daemon });
    const told = await toldTo(async () => {
      thread.start();
      const worker = startedWorkers.at(-1)!;
      assertEquals(await names.get(), "victim");
      const joined = thread.join();
      worker.terminate();
      await joined;
    });
    assertEquals([thread.isAlive(), activeCount()], [false, 1]);
    assertTold(told, /^RuntimeError: Thread "victim" was lost: its worker ended without a word$/);
  });
}

test("Thread.started rejects when the thread ends before its target is called", async () => {
  const { work } = tasks<typeof import("./_closes_at_import.ts")>(
    import.meta.resolve("./_closes_at_import.ts"),
  );
  const thread = new Thread({ target: work, name: "early" });
  const told = await toldTo(async () => {
    thread.start();
    const error = await assertRejects(() => thread.started, RuntimeError);
    assertStringIncludes(error.message, '"early": it ended before its target was called');
    thread.joinSync();
  });
  assertEquals([thread.isAlive(), told], [false, []]);
});

test("Thread: an error that cannot be received is told all the same", async () => {
  const thread = new Thread({
    target: () => {
      throw Object.assign(new RangeError("with a handle"), {
        [Symbol.for("@concurrent/futures.handle")]: () => ({ kind: "of no class", data: 1 }),
      });
    },
  });
  let excValue: unknown;
  setExcepthook((args) => excValue = args.excValue);
  thread.start();
  await thread.join();
  setExcepthook(null);
  assertInstanceOf(excValue, NotShareableError);
  assertStringIncludes(excValue.message, "Cannot receive what the thread threw");
});

// The end of programs

/** A program with the tasks of this folder. */
function program(body: string): string {
  return `
import { Event, Queue, setExcepthook, Thread, ThreadPoolExecutor, Timer } from "@concurrent/futures";
import * as work from ${JSON.stringify(import.meta.resolve("./_thread_tasks.ts"))};
if (import.meta.main) {
${body}
}
`;
}

async function assertPrints(body: string, lines: string[]): Promise<void> {
  const ended = await runProgram(program(body));
  assertEndedWell(ended, lines);
  assert(ended.elapsedMs < SHORT_MS, `It took ${Math.round(ended.elapsedMs)} ms`);
}

test("A program waits for its threads", async () => {
  await assertPrints(
    `
    console.log("end of main");
    for (const ms of [50, 250]) new Thread({ target: work.print, args: ["a thread", ms] }).start();
  `,
    ["end of main", "a thread", "a thread"],
  );
});

test("A program waits for threads that its threads have started", async () => {
  await assertPrints(
    `
    console.log("end of main");
    new Thread({ target: work.startPrinting, args: ["from the grandchild", 100] }).start();
  `,
    ["end of main", "from the grandchild"],
  );
});

test("A program waits for a timer, and not for one that is a daemon", async () => {
  await assertPrints(
    `
    console.log("end of main");
    new Timer(100, work.print, { args: ["time is up"] }).start();
    new Timer(60_000, work.print, { args: ["never"], daemon: true }).start();
  `,
    ["end of main", "time is up"],
  );
});

for (const kind of ["print", "spin", "block", "pend"]) {
  test(`A program does not wait for daemons: one that ${kind}s`, async () => {
    const args = { print: '["never", 60_000]', pend: "[new Queue()]" }[kind] ?? "[]";
    await assertPrints(
      `
      const thread = new Thread({ target: work.${kind}, args: ${args}, daemon: true });
      thread.start();
      await thread.started;
      console.log("end of main", thread.isAlive());
    `,
      ["end of main true"],
    );
  });
}

test("A program does not end by a thread that fails, and its exit code is 0", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(program(`
    const thread = new Thread({ target: work.fail, args: ["no paper"], name: "printer" });
    thread.start();
    await thread.join();
    new Thread({ target: work.fail, args: ["no ink"], name: "other printer" }).start();
    new Thread({
      target: () => { setTimeout(() => { throw new TypeError("too late"); }); return new Promise(() => {}); },
      name: "timer",
    }).start();
    new Thread({ target: work.print, args: ["goes on", 300] }).start();
  `));
  assertEquals({ code, stdout, timedOut }, { code: 0, stdout: "goes on\n", timedOut: false });
  for (
    const text of [
      "Exception in thread printer:\nRangeError: no paper\n    at fail (",
      "Exception in thread other printer:\nRangeError: no ink\n    at fail (",
      "Exception in thread timer:\nTypeError: too late\n    at ",
    ]
  ) assertStringIncludes(stderr, text);
  assertEquals(stderr.match(/Exception in thread/g)?.length, 3);
  assertEquals(stderr.includes("Uncaught"), false);
});

test("A program tells its hook of a thread that fails after the end of main", async () => {
  await assertPrints(
    `
    setExcepthook(({ excValue, thread }) => console.log(thread.name, String(excValue)));
    new Thread({ target: work.fail, args: ["no paper"], name: "printer" }).start();
    console.log("end of main");
  `,
    ["end of main", "printer RangeError: no paper"],
  );
});

for (const call of ["Deno.exit(7)", "close()"]) {
  test(`A program goes on when a thread calls ${call}`, async () => {
    await assertPrints(
      `
      const thread = new Thread({ target: () => ${call} });
      thread.start();
      thread.joinSync();
      console.log("goes on");
      new Thread({ target: () => ${call} }).start();
    `,
      ["goes on"],
    );
  });
}

test("A program in which main calls Deno.exit() ends at once, threads and all", async () => {
  const { code, stdout, stderr, elapsedMs } = await runProgram(program(`
    for (const target of [work.spin, work.block]) new Thread({ target }).start();
    const thread = new Thread({ target: work.print, args: ["never", 60_000] });
    thread.start();
    await thread.started;
    Deno.exit(7);
  `));
  assertEquals({ code, stdout, stderr }, { code: 7, stdout: "", stderr: "" });
  assert(elapsedMs < SHORT_MS);
});

test("A program that joins by blocking needs no event loop, and no permission but to read", async () => {
  const { code, stdout, stderr } = await runProgram(
    program(`
      const thread = new Thread({ target: work.print, args: ["in the thread", 20] });
      thread.start();
      thread.joinSync();
      console.log("joined", thread.isAlive());
    `),
    { permissions: ["--allow-read"] },
  );
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "in the thread\njoined false\n",
    stderr: "",
  });
});

test("A program with an idle pool and an ended thread ends by itself", async () => {
  await assertPrints(
    `
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(() => 1);
    const thread = new Thread({ target: () => {} });
    thread.start();
    await thread.join();
    console.log("end of main");
  `,
    ["end of main"],
  );
});
