import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  activeChildren,
  cpuCount,
  currentProcess,
  Event,
  Lock,
  NotShareableError,
  Process,
  ProcessPoolExecutor,
  Queue,
  RuntimeError,
  SimpleQueue,
  task,
  Thread,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { assertPrompt } from "../_support/outcomes.ts";
import { isStopped } from "../_support/proc.ts";
import { assertGone, stateOf, until } from "../_support/processes.ts";
import * as starters from "../_support/process_starters.ts";
import * as work from "../_support/process_tasks.ts";
import { runProgram } from "../_support/run.ts";
import { Gate } from "../contracts/signals.ts";

/** Starts a process, and waits until it has ended. */
async function finished<A extends unknown[]>(process: Process<A>): Promise<Process<A>> {
  process.start();
  await process.join();
  return process;
}

/** Asserts that the call throws a RuntimeError with this text. */
function refused(act: () => unknown, text: string): void {
  assertThrows(act, RuntimeError, text);
}

// The life of a process

test("Process runs its target with its arguments, in a process of its own", async () => {
  const seen = new Queue<unknown>();
  const process = new Process({
    target: async (seen: Queue<unknown>, ...args: unknown[]) => {
      await seen.put([args, Deno.pid]);
    },
    args: [seen, 1, "two", { three: [3n] }],
  });
  assertEquals([process.pid, process.ident, process.exitcode], [null, null, null]);
  assertEquals(process.isAlive(), false);
  process.start();
  assertEquals([process.isAlive(), process.exitcode], [true, null]);
  await process.started;
  const { pid } = process;
  assert(pid !== null && pid !== Deno.pid && stateOf(pid) !== undefined);
  assertEquals(process.ident, pid);
  await process.join();
  assertEquals([process.exitcode, process.pid, process.isAlive()], [0, pid, false]);
  assertEquals(seen.getNowait(), [[1, "two", { three: [3n] }], pid]);
  await assertGone([pid]);
  assertEquals(String(process), "[object Process]");
});

test("Process without a target does nothing", async () => {
  assertEquals((await finished(new Process())).exitcode, 0);
});

test("Process.exitcode says how the process ended", async () => {
  const exits: [target: () => unknown, exitcode: number][] = [
    [() => 5, 0],
    [() => new Promise((resolve) => setTimeout(resolve, 10)), 0],
    [() => Deno.exit(), 0],
    [() => Deno.exit(3), 3],
    [() => Deno.exit(300), 44],
    [() => Deno.exit(-1), 255],
    [() => () => "cannot be sent", 0],
    [() => Deno.kill(Deno.pid, "SIGKILL"), -9],
    [() => (Deno.kill(Deno.pid, "SIGTERM"), new Promise(() => {})), -15],
    [() => (Deno.kill(Deno.pid, "SIGUSR2"), new Promise(() => {})), -12],
  ];
  const processes = exits.map(([target]) => new Process({ target }));
  for (const process of processes) process.start();
  await Promise.all(processes.map((process) => process.join()));
  assertEquals(processes.map(({ exitcode }) => exitcode), exits.map(([, exitcode]) => exitcode));
});

test("Process.join() that is given up leaves nothing that holds the program open, nor listens", async () => {
  const { code, stdout, elapsedMs } = await runProgram(`
    import { Process } from "@concurrent/futures";
    const process = new Process({ target: () => new Promise(() => {}), daemon: true });
    process.start();
    await process.started;
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args) => (listeners++, addEventListener.apply(signal, args));
    signal.removeEventListener = (...args) => (listeners--, removeEventListener.apply(signal, args));
    for (let i = 0; i < 3; i++) await process.join({ timeout: 1, signal });
    console.log(listeners);
    const joined = process.join({ timeout: 40_000, signal });
    controller.abort();
    console.log(await joined.catch((error) => error.name));
  `);
  assertEquals([code, stdout], [0, "0\nAbortError\n"]);
  assert(elapsedMs < 30_000, `${elapsedMs} ms`);
});

test("Process.join() that is given up is not kept until the process ends", async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Process } from "@concurrent/futures";
    const process = new Process({ target: () => new Promise(() => {}), daemon: true });
    process.start();
    await process.started;
    const signals = [];
    async function giveUp() {
      const { signal } = new AbortController();
      signals.push(new WeakRef(signal));
      await process.join({ timeout: 1, signal });
    }
    for (let i = 0; i < 20; i++) await giveUp();
    // In this order, as what was looked at is kept until the turn ends. Something may keep the last.
    do {
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
    } while (signals.filter((signal) => signal.deref() !== undefined).length > 2);
    console.log("collected");
    `,
    { permissions: ["-A", "--v8-flags=--expose-gc"], timeoutMs: 15_000 },
  );
  assertEquals([code, stdout, stderr], [0, "collected\n", ""]);
});

test("A Thread hands on where it comes from to what it starts", async () => {
  const seen = new SimpleQueue<unknown>();
  const thread = new Thread({ target: starters.tellOfProcess, args: [seen] });
  thread.start();
  await thread.join();
  assertEquals(seen.getNowait(), 9);

  const process = new Process({ target: starters.tellNameInThread, args: [seen], name: "P" });
  process.start();
  await process.join();
  assertEquals(seen.getNowait(), "P");
});

test("Process.exitcode is 1 after an error, which the process prints on standard error", async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Process, task } from "@concurrent/futures";
    const targets = [
      function fails() { throw new RangeError("thrown at once"); },
      async function rejects() { await null; throw new TypeError("rejected later"); },
      function late() { setTimeout(() => { throw new Error("thrown in a timer"); }); return new Promise(() => {}); },
      function odd() { throw { odd: "no error" }; },
    ];
    for (const target of targets) {
      const process = new Process({ target, name: target.name });
      process.start();
      await process.join();
      console.log(process.exitcode);
    }
  `);
  assertEquals([code, stdout], [0, "1\n1\n1\n1\n"]);
  assertStringIncludes(stderr, "RangeError: thrown at once");
  assertStringIncludes(stderr, "at fails");
  assertStringIncludes(stderr, '"fails"');
  assertStringIncludes(stderr, "TypeError: rejected later");
  assertStringIncludes(stderr, "thrown in a timer");
  assertStringIncludes(stderr, 'odd: "no error"');
});

test("Process prints its error as it is, and what stands for the objects in it", async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Lock, Process } from "@concurrent/futures";
    import * as work from ${JSON.stringify(import.meta.resolve("../_support/process_tasks.ts"))};
    const lock = new Lock({ name: "jobs" });
    for (const target of [work.throwLocks, work.endWithLock]) {
      const process = new Process({ target, args: [lock] });
      process.start();
      await process.join();
      console.log(process.exitcode, lock.locked());
    }
  `);
  assertEquals([code, stdout], [0, "1 false\n1 false\n"]);
  assertStringIncludes(stderr, "RangeError: thrown with locks");
  assertStringIncludes(stderr, "at throwLocks");
  assertStringIncludes(
    stderr,
    'own: "Cannot send Lock to another process: it was made in this one',
  );
  assertStringIncludes(stderr, '[cause]: "Object with SharedArrayBuffer: Cannot send');
  assertStringIncludes(stderr, "RangeError: thrown with a lock");
  assertEquals(stderr.match(/lock: 'Lock "jobs" of the parent process'/g)?.length, 2);
});

test("Process.start() can be called once", async () => {
  const process = new Process({ target: () => {} });
  process.start();
  refused(() => process.start(), "it has been started before");
  await process.join();
  refused(() => process.start(), "it has been started before");
  assertEquals(process.exitcode, 0);
});

test("Process refuses what needs a started process", async () => {
  const process = new Process({ target: () => {}, name: "early" });
  await assertRejects(() => process.join(), RuntimeError, "it has not been started");
  refused(() => process.joinSync(), "it has not been started");
  refused(() => process.terminate(), 'Cannot terminate Process "early"');
  refused(() => process.kill(), "it has not been started");
  await assertRejects(async () => await process.started, RuntimeError, "it has not been started");
  assertEquals([process.isAlive(), process.exitcode, process.pid], [false, null, null]);
  process.close();
  refused(() => process.start(), "it is closed");
});

test("Process() refuses a target that is no function, and arguments that are no array", () => {
  const target = "run" as unknown as () => void;
  assertThrows(() => new Process({ target }), TypeError, "target must be a function");
  for (const args of [5, "ab", null] as unknown[] as [][]) {
    assertThrows(() => new Process({ args }), TypeError, "args must be an array");
  }
});

for (const [end, exitcode] of [["terminate", -15], ["kill", -9]] as const) {
  test(`Process.${end}() ends it, whatever it does, and changes nothing afterwards`, async () => {
    using gate = new Gate();
    const early = new Process({ target: work.pend, args: [gate.parts] });
    early.start();
    early[end]();
    const busy = new Process({ target: work.spin, args: [gate.parts] });
    busy.start();
    await gate.entered();
    const { pid } = busy;
    const startMs = performance.now();
    busy[end]();
    busy[end]();
    await Promise.all([busy.join(), early.join()]);
    assertPrompt(startMs);
    assertEquals([busy.exitcode, early.exitcode], [exitcode, exitcode]);
    assertEquals(busy.isAlive(), false);
    await assertGone([pid!]);
    busy[end]();
    await busy.join();
    assertEquals([busy.exitcode, busy.pid], [exitcode, pid]);
  });
}

test("Process.kill() ends what terminate() could not", async () => {
  using gate = new Gate();
  const process = new Process({ target: work.spin, args: [gate.parts] });
  process.start();
  await gate.entered();
  Deno.kill(process.pid!, "SIGSTOP");
  await until(() => isStopped(process.pid!));
  process.terminate();
  await process.join({ timeout: 50 });
  assertEquals([process.exitcode, process.isAlive()], [null, true]);
  process.kill();
  await process.join();
  assertEquals(process.exitcode, -9);
});

test("Process.exitcode tells of a signal that somebody else sent", async () => {
  using gate = new Gate();
  const process = new Process({ target: work.spin, args: [gate.parts] });
  process.start();
  await gate.entered();
  Deno.kill(process.pid!, "SIGABRT");
  await process.join();
  assertEquals(process.exitcode, -6);
});

test("Process.close() lets go of an ended process, of which only the name is left", async () => {
  using gate = new Gate();
  const process = new Process({ target: work.pend, args: [gate.parts], name: "closed" });
  process.start();
  await gate.entered();
  refused(() => process.close(), "it is still running; join it first");
  process.kill();
  await process.join();
  process.close();
  process.close();
  assertEquals(process.name, "closed");
  refused(() => process.pid, 'Cannot read pid of Process "closed": it is closed');
  refused(() => process.ident, "it is closed");
  refused(() => process.exitcode, "it is closed");
  refused(() => process.daemon, "it is closed");
  refused(() => process.daemon = true, "it is closed");
  refused(() => process.isAlive(), "it is closed");
  refused(() => process.start(), "it is closed");
  refused(() => process.terminate(), "it is closed");
  refused(() => process.kill(), "it is closed");
  refused(() => process.joinSync(), "it is closed");
  await assertRejects(() => process.join(), RuntimeError, "it is closed");
});

test("Process.daemon can be set until the start", async () => {
  const process = new Process({ target: () => {} });
  assertEquals([process.daemon, new Process({ daemon: true }).daemon], [false, true]);
  process.daemon = true;
  process.start();
  refused(() => process.daemon = false, "it has been started");
  assertEquals(process.daemon, true);
  await process.join();
  assertEquals(process.exitcode, 0);
});

test("Process.name is Process-N, or as given, and known in the process", async () => {
  const numbers = [new Process(), new Process()].map(({ name }) => {
    assert(/^Process-\d+$/.test(name), name);
    return Number(name.slice("Process-".length));
  });
  assertEquals(numbers[1], numbers[0] + 1);
  const seen = new SimpleQueue<unknown>();
  const process = new Process({ target: starters.tellName, args: [seen], name: "first" });
  assertEquals(process.name, "first");
  process.name = "second";
  await finished(process);
  assertEquals(seen.getNowait(), { name: "second", pid: process.pid });
  assertEquals(currentProcess(), { name: "MainProcess", pid: Deno.pid });
  assert(/^Process-\d+$/.test(new Process({ name: "" }).name));
});

test("Process.name of one that a process makes tells of both, and so does its thread's name", async () => {
  const seen = new SimpleQueue<string[]>();
  const process = new Process({ target: starters.tellNames, args: [seen] });
  await finished(process);
  const { name } = process;
  assertEquals(seen.getNowait(), [name, `${name}:1`, `${name}:2`]);
});

// started

test("Process.started rejects when the process cannot be started, and exitcode says so", async () => {
  const process = new Process({ target: () => {}, cwd: "/nowhere/at/all" });
  process.start();
  const error = await assertRejects(async () => await process.started, Error);
  assertInstanceOf(error, Error);
  assertStringIncludes(error.message, "Cannot start process: ");
  await process.join();
  const { pid, exitcode } = process;
  assertEquals([pid, exitcode, process.isAlive()], [null, 127, false]);
  await assertRejects(async () => await process.started, Error, "Cannot start process: ");
  assertEquals(activeChildren(), []);
});

test("Process.started can be left alone: why the process could not be started is printed", async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Process } from "@concurrent/futures";
    const process = new Process({ target: () => {}, cwd: "/nowhere/at/all" });
    process.start();
    process.started;
    await process.join();
    console.log(process.exitcode);
  `);
  assertEquals([code, stdout.trim()], [0, "127"], stderr);
  assertStringIncludes(stderr, 'Cannot start Process "Process-1": Error: Cannot start process: ');
});

// join

test("Process.join() may be called by many, with time limits and signals, and again", async () => {
  using gate = new Gate();
  const process = new Process({ target: work.pend, args: [gate.parts] });
  process.start();
  await gate.entered();
  await process.join({ timeout: 0 });
  await process.join({ timeout: 10 });
  assertEquals([process.exitcode, process.isAlive()], [null, true]);
  for (const timeout of [-1, NaN]) await assertRejects(() => process.join({ timeout }), RangeError);

  const controller = new AbortController();
  const aborted = process.join({ signal: controller.signal });
  controller.abort("enough");
  assertEquals(await aborted.catch((reason) => reason), "enough");
  const early = process.join({ signal: AbortSignal.abort("before") });
  assertEquals(await early.catch((reason) => reason), "before");

  const joins = [
    process.join(),
    process.join({ timeout: null }),
    process.join({ timeout: 60_000 }),
    process.join({ signal: new AbortController().signal }),
  ];
  process.kill();
  assertEquals(await Promise.all(joins), [undefined, undefined, undefined, undefined]);
  assertEquals(process.exitcode, -9);
  await process.join();
  await process.join({ timeout: 0 });
});

test("Process.joinSync() blocks until the process has ended, or its time is up", () => {
  const seen = new SimpleQueue<unknown>();
  const quick = new Process({ target: starters.tellName, args: [seen] });
  quick.start();
  quick.joinSync();
  assertEquals([quick.exitcode, seen.qsize()], [0, 1]);
  quick.joinSync();

  const arrived = new Event();
  const endless = new Process({ target: work.setAndSpin, args: [arrived] });
  endless.start();
  arrived.waitSync();
  const startMs = performance.now();
  endless.joinSync({ timeout: 20 });
  endless.joinSync({ timeout: 0 });
  assert(performance.now() - startMs >= 19);
  assertPrompt(startMs);
  assertEquals(endless.exitcode, null);
  endless.kill();
  endless.joinSync();
  assertEquals(endless.exitcode, -9);
});

// Subclasses

test("Process: a subclass that overrides run() runs in the process, with its fields", async () => {
  const results = new SimpleQueue<unknown>();
  const process = new starters.Sum([1, 2, 3], results, "adder");
  await finished(process);
  assertEquals([process.exitcode, results.getNowait()], [0, [6, "adder", process.pid]]);
});

test("Process: a subclass may name its module by a URL object", async () => {
  const results = new SimpleQueue<unknown>();
  const url = new URL("../_support/process_starters.ts", import.meta.url);
  const process = new starters.Sum([1, 2, 3], results, "adder", { url });
  await finished(process);
  assertEquals([process.exitcode, results.getNowait()], [0, [6, "adder", process.pid]]);
});

test("Process: a subclass is itself in the process, and calls its target by super.run()", async () => {
  const seen = new SimpleQueue<unknown>();
  const process = new starters.Teller(seen, "told");
  await finished(process);
  const { pid } = process;
  assertEquals(await seen.getMany(10), [
    ["teller", pid, pid, true, null, true],
    'Cannot start Process "teller": it has been started before',
    'Cannot join Process "teller": it is the current process',
    'Cannot set daemon of Process "teller": it has been started',
    "told",
  ]);
  assertEquals(process.exitcode, 0);
});

test("Process.run() called directly runs here", () => {
  const results = new SimpleQueue<unknown>();
  new starters.Sum([4, 5], results).run();
  assertEquals(results.getNowait(), [9, "MainProcess", Deno.pid]);
  const plain = new Process({ target: (a: number, b: number) => a + b, args: [1, 2] });
  assertEquals([plain.run(), plain.pid, plain.isAlive()], [3, null, false]);
  assertEquals(new Process().run(), undefined);
});

test("Process: a subclass must say where it is exported", () => {
  class Nowhere extends Process {
    override run(): void {}
  }
  assertThrows(
    () => new Nowhere().start(),
    NotShareableError,
    "class Nowhere overrides run() and does not say where it is exported",
  );
  const nameless = new (class extends Process {
    override run(): void {}
  })({ module: import.meta });
  assertThrows(() => nameless.start(), NotShareableError, "its class has no name");
  assertEquals(activeChildren(), []);
});

test("Process: a subclass is not started again by its module's import in the process", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(
    `
    import { Process } from "@concurrent/futures";
    export class Guardless extends Process {
      constructor() {
        super({ module: import.meta, env: { DEPTH: String(depth + 1) } });
      }
      override run() {}
    }
    const depth = Number(Deno.env.get("DEPTH") ?? 0);
    if (depth > 2) Deno.exit(9); // Without this, a failing test would fill the machine.
    const process = new Guardless();
    process.start();
    await process.join();
    console.log(depth, process.exitcode);
  `,
  );
  assertEquals({ code, stdout, timedOut }, { code: 0, stdout: "0 1\n", timedOut: false });
  assertStringIncludes(stderr, "belongs under if (import.meta.main)");
});

// Arguments

test("Process.start() throws when something cannot be sent, and starts nothing", async () => {
  const { port1, port2 } = new MessageChannel();
  const around = { value: 1 };
  const UNSENDABLE: [target: (...args: never[]) => unknown, args: unknown[]][] = [
    [() => {}, [() => {}]],
    [() => {}, [Symbol("odd")]],
    [() => {}, [{ deep: [new WeakMap()] }]],
    [() => {}, [new Int32Array(new SharedArrayBuffer(8))]],
    [() => {}, [port1]],
    [Math.random, []],
    [(() => around.value).bind(null), []],
    [class Target {} as unknown as () => void, []],
  ];
  for (const [target, args] of UNSENDABLE) {
    const process = new Process({ target: target as (...args: unknown[]) => unknown, args });
    const error = assertThrows(() => process.start(), NotShareableError);
    assertEquals(/\btask\b/.test(error.message), false, error.message);
    assertEquals([process.isAlive(), process.pid, process.exitcode], [false, null, null]);
    await assertRejects(() => process.join(), RuntimeError, "it has not been started");
  }
  port1.close();
  port2.close();
  assertEquals(activeChildren(), []);
});

test("Process: arguments are cloned by start()", async () => {
  const seen = new SimpleQueue<unknown>();
  const list = [1, 2];
  const process = new Process({
    target: (seen: SimpleQueue<unknown>, list: number[]) => seen.putNowait(list),
    args: [seen, list],
  });
  list.push(3);
  process.start();
  list.push(4);
  await process.join();
  assertEquals(seen.getNowait(), [1, 2, 3]);
});

test("Process: locks and queues among the arguments are those of this process", async () => {
  const lock = new Lock();
  const queue = new Queue<number>(2);
  const results = new Queue<number>();
  await lock.acquire();
  const consumer = new Process({
    target: async (lock: Lock, queue: Queue<number>, results: Queue<number>) => {
      using _ = lock.holdSync();
      for await (const n of queue) await results.put(n * n);
    },
    args: [lock, queue, results],
  });
  consumer.start();
  await queue.put(1);
  await queue.put(2);
  assertEquals(results.qsize(), 0);
  lock.release();
  for (let n = 3; n <= 6; n++) await queue.put(n);
  queue.shutdown();
  await consumer.join();
  assertEquals(consumer.exitcode, 0);
  assertEquals(Array.from({ length: 6 }, () => results.getNowait()), [1, 4, 9, 16, 25, 36]);
  assertEquals(lock.locked(), false);
});

test("Process: what it puts into a queue without waiting arrives before its end", async () => {
  const targets = [
    (queue: Queue<number>, count: number) => {
      for (let i = 0; i < count; i++) queue.put(i);
    },
    (queue: Queue<number>, count: number) => {
      for (let i = 0; i < count; i++) queue.put(i);
      Deno.exit(0);
    },
  ];
  const count = 3000;
  for (let round = 0; round < 8; round++) {
    for (const target of targets) {
      const queue = new Queue<number>();
      await finished(new Process({ target, args: [queue, count] }));
      assertEquals(queue.qsize(), count);
    }
  }
});

test("Process: env, cwd and permissions are as given", async () => {
  const seen = new SimpleQueue<unknown>();
  const process = new Process({
    target: (seen: SimpleQueue<unknown>) => {
      const state = (name: "net" | "sys"): string => Deno.permissions.querySync({ name }).state;
      seen.putNowait([Deno.env.get("FUTURES_TEST"), Deno.cwd(), state("net"), state("sys")]);
    },
    args: [seen],
    env: { FUTURES_TEST: "here" },
    cwd: "/",
    permissions: { net: false },
  });
  await finished(process);
  assertEquals([process.exitcode, seen.getNowait()], [0, ["here", "/", "prompt", "granted"]]);
});

// Several processes

test("activeChildren() are the processes that have been started and have not ended", async () => {
  assertEquals(activeChildren(), []);
  using gate = new Gate();
  const processes = [1, 2].map(() => new Process({ target: work.pidAtGate, args: [gate.parts] }));
  for (const process of processes) process.start();
  assertEquals(activeChildren(), processes as unknown as Process[]);
  await gate.entered(2);
  processes[0].kill();
  await processes[0].join();
  assertEquals(activeChildren(), [processes[1]] as unknown as Process[]);
  gate.open();
  await until(() => activeChildren().length === 0);
  assertEquals([processes[1].exitcode, processes[1].isAlive()], [0, false]);
});

test("Process: eight at once, each with its own number and exit code", async () => {
  const log = new SimpleQueue<[number, number]>();
  using gate = new Gate();
  const processes = Array.from(
    { length: 8 },
    (_, n) => new Process({ target: work.exitAtGate, args: [gate.parts, log, n] }),
  );
  for (const process of processes) process.start();
  await gate.entered(8);
  const pids = processes.map(({ pid }) => pid!);
  assertEquals(new Set(pids).size, 8);
  gate.open();
  await Promise.all(processes.map((process) => process.join()));
  assertEquals(processes.map(({ exitcode }) => exitcode), [0, 1, 2, 3, 4, 5, 6, 7]);
  const seen = Array.from({ length: 8 }, () => log.getNowait());
  assertEquals(new Map(seen), new Map(pids.map((pid, n) => [n, pid])));
  await assertGone(pids);
});

test("Process: a task in a process can start processes and pools of its own", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const [own, exitcode, inner, name] = await pool.submit(starters.startInner);
  assert(own !== Deno.pid && inner !== own);
  assertEquals([exitcode, name], [7, "inner"]);
});

test("Process: what holds a lock and is killed is reported as its dead owner", async () => {
  const lock = new Lock();
  using gate = new Gate();
  const process = new Process({ target: work.keepLock, args: [gate.parts, lock], name: "holder" });
  process.start();
  await gate.entered();
  assertEquals(lock.locked(), true);
  process.kill();
  await process.join();
  const error = await assertRejects(() => lock.acquire({ timeout: 1000 }), Error);
  assertInstanceOf(error, Error);
  assertStringIncludes(error.message, "holder");
});

test("cpuCount() is the number of processors", () => {
  assertEquals(cpuCount(), navigator.hardwareConcurrency);
});

test("Process: a target marked with task() crosses by its module", async () => {
  const process = new Process({ target: endWith, args: [9] });
  assertEquals((await finished(process)).exitcode, 9);
});

/** Ends its process with the given code. */
export const endWith = task(import.meta, function endWith(code: number): never {
  Deno.exit(code);
});
