import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  activeCount,
  currentThread,
  enumerate,
  Event,
  excepthook,
  getIdent,
  Lock,
  mainThread,
  NotShareableError,
  Queue,
  RuntimeError,
  setExcepthook,
  tasks,
  Thread,
  ThreadPoolExecutor,
  Timer,
  transfer,
  Value,
} from "@concurrent/futures";
import { HANDLE } from "../../_memory/handle.ts";
import { typeErrorsOf } from "../_support/compile.ts";
import { countLiveWorkers, markClosed, test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import type { Described } from "./fixtures/threads.ts";
import * as work from "./fixtures/threads.ts";

const FIXTURE = import.meta.resolve("./fixtures/threads.ts");

/** The runtime takes a second to start a worker inside a pool's worker. */
const NESTED = { timeout: 40_000 };

/** What the hook got while it was installed. */
interface Told {
  readonly excValue: unknown;
  readonly thread: Thread;
}

/** Runs a function while another hook is installed, and returns what that hook got. */
async function withHook(fn: () => unknown): Promise<Told[]> {
  const told: Told[] = [];
  setExcepthook((args) => told.push(args));
  try {
    await fn();
  } finally {
    setExcepthook(null);
  }
  return told;
}

/** Runs a function while printing is suppressed, and returns what would have been printed. */
async function silenced(fn: () => unknown): Promise<unknown[][]> {
  const printed: unknown[][] = [];
  const { error } = console;
  console.error = (...args) => printed.push(args);
  try {
    await fn();
  } finally {
    console.error = error;
  }
  return printed;
}

/** Starts a thread and joins it. */
async function runThread(thread: Thread): Promise<void> {
  thread.start();
  await thread.join();
}

/** A thread that runs, and blocks until the event is set. */
async function blocked(
  options: { name?: string; daemon?: boolean } = {},
): Promise<{ thread: Thread; open: Event } & AsyncDisposable> {
  const open = new Event();
  const log: work.Log = new Queue();
  const thread = new Thread({ target: work.block, args: [log, open], ...options });
  thread.start();
  await thread.started;
  return {
    thread,
    open,
    async [Symbol.asyncDispose]() {
      open.set();
      await thread.join();
    },
  };
}

/** Polls until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

// The target

test("Thread.start() has the target called with its arguments, in another thread", async () => {
  const log: work.Log = new Queue();
  const thread = new Thread({ target: work.put, args: [log, 1, "two", { three: [3] }] });
  assertEquals(log.empty(), true);
  thread.start();
  assertEquals(await log.get(), [1, "two", { three: [3] }]);
  await thread.join();
});

test("Thread.start() returns at once; started resolves when the target is called", async () => {
  await inGoodTime(async () => {
    const log: work.Log = new Queue();
    const open = new Event();
    const thread = new Thread({ target: work.block, args: [log, open] });
    assertEquals([thread.isAlive(), thread.ident], [false, null]);
    thread.start();
    const isFirst = log.empty();
    assertEquals(thread.isAlive(), true);
    await thread.started;
    assertEquals(await log.get({ timeout: 5000 }), "runs");
    assertEquals(thread.isAlive(), true);
    open.set();
    await thread.join();
    assertEquals(thread.isAlive(), false);
    await thread.started;
    assertInTime(isFirst);
  });
});

test("Thread runs a target given as source text, and one that was named by tasks()", async () => {
  const log: work.Log = new Queue();
  const here = new Thread({
    target: (log: work.Log, n: number) => log.putSync(n * 2),
    args: [log, 21],
  });
  await runThread(here);
  const named = tasks<typeof import("./fixtures/threads.ts")>(FIXTURE);
  await runThread(new Thread({ target: named.put, args: [log, "named"] }));
  assertEquals([log.getNowait(), log.getNowait()], [42, ["named"]]);
});

test("Thread without a target does nothing, and ends", async () => {
  const thread = new Thread();
  await runThread(thread);
  assertEquals(thread.isAlive(), false);
  await thread.started;
});

test("Thread.start() clones the arguments at the call", async () => {
  const log: work.Log = new Queue();
  const list = [1];
  const thread = new Thread({ target: work.put, args: [log, list] });
  list.push(2);
  thread.start();
  list.push(3);
  await thread.join();
  assertEquals(log.getNowait(), [[1, 2]]);
});

test("Thread shares locks, values and memory among its arguments", async () => {
  const lock = new Lock();
  const value = new Value("i32", 1);
  const memory = new Int32Array(new SharedArrayBuffer(4));
  lock.acquireSync();
  const thread = new Thread({
    target: (lock: Lock, deep: { value: Value<"i32"> }[], memory: Int32Array) => {
      memory[0] = lock.acquireSync({ blocking: false }) ? 1 : 2;
      deep[0].value.add(4);
    },
    args: [lock, [{ value }], memory],
  });
  await runThread(thread);
  assertEquals([value.value, memory[0]], [5, 2]);
  lock.release();
});

test("Thread.start() moves what was marked with transfer()", async () => {
  const log: work.Log = new Queue();
  const values = new Float64Array([1, 2, 4]);
  const thread = new Thread({
    target: work.sum,
    args: [log, transfer(values, [values.buffer])],
  });
  thread.start();
  assertEquals(values.length, 0);
  await thread.join();
  assertEquals(log.getNowait(), 7);
});

test("Thread gets large arguments, and what only a message can carry", async () => {
  const log: work.Log = new Queue();
  const { port1, port2 } = new MessageChannel();
  const bytes = new Uint8Array(3_000_000).fill(7);
  const thread = new Thread({
    target: (log: work.Log, bytes: Uint8Array, port: MessagePort) => {
      port.postMessage("through the port");
      log.putSync([bytes.length, bytes.at(-1)]);
    },
    args: [log, bytes, transfer(port2, [port2])],
  });
  const arrived = new Promise((resolve) => {
    port1.onmessage = ({ data }): void => resolve(data);
  });
  thread.start();
  assertEquals(await arrived, "through the port");
  await thread.join();
  port1.close();
  assertEquals(log.getNowait(), [3_000_000, 7]);
});

test("Thread lives until the promise of its target settles", async () => {
  const log: work.Log = new Queue();
  const open = new Event();
  const thread = new Thread({ target: work.pend, args: [log, open] });
  thread.start();
  assertEquals(await log.get(), "runs");
  await thread.join({ timeout: 5 });
  assertEquals(thread.isAlive(), true);
  open.set();
  await thread.join();
  assertEquals([thread.isAlive(), log.getNowait()], [false, "goes on"]);
});

test("Thread ends with its target, whatever timers and promises that has left", async () => {
  const log: work.Log = new Queue();
  const thread = new Thread({ target: work.leaveTimer, args: [log] });
  await runThread(thread);
  const ticks = log.qsize();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(log.qsize(), ticks);
});

test("Thread() refuses bad options", () => {
  const refused = (options: object, text: string): void => {
    assertThrows(() => new Thread(options), TypeError, text);
  };
  refused(() => {}, "expected options such as { target }, got anonymous function");
  refused({ target: "work" }, 'target must be a function, got "work"');
  refused({ target: null }, "target must be a function");
  refused({ args: 3 }, "args must be an array, got 3");
});

test("Thread.start() throws for what cannot be sent, with nothing started", async () => {
  const refused = (options: object, text: string): void => {
    const workers = countLiveWorkers();
    const threads = activeCount();
    const thread = new Thread(options);
    const error = assertThrows(() => thread.start(), NotShareableError, text);
    assert(NotShareableError.is(error));
    assertEquals([countLiveWorkers(), activeCount()], [workers, threads]);
    assertEquals([thread.isAlive(), thread.ident], [false, null]);
    assertThrows(() => thread.joinSync(), RuntimeError, "it has not been started");
  };
  refused({ target: work.put, args: [() => {}] }, "cannot be cloned");
  refused({ target: work.put, args: [{ deep: [Symbol("odd")] }] }, "[0].deep[0] cannot be cloned");
  refused({ target: Math.abs, args: [1] }, 'function "abs"');
  refused({ target: work.put.bind(null) }, "bound");
  refused({ target: class Counter {} }, "class");
  refused({
    target: function* count() {
      yield 1;
    },
  }, "generator");

  const args = [() => {}];
  const thread = new Thread({ target: (..._: unknown[]) => {}, args });
  assertThrows(() => thread.start(), NotShareableError);
  args.pop();
  await runThread(thread); // Nothing had been started, so it can be tried again.
});

test("Thread.start() sends its values after their port, and before it what may be refused", async () => {
  const ports = MessagePort.prototype.postMessage;
  const workers = Worker.prototype.postMessage;
  const sent: string[] = [];
  MessagePort.prototype.postMessage = function (message: unknown, ...rest: unknown[]): void {
    if (Object.hasOwn(Object(message), "block")) sent.push("values");
    Reflect.apply(ports, this, [message, ...rest]);
  };
  Worker.prototype.postMessage = function (...args: unknown[]): void {
    sent.push("port");
    Reflect.apply(workers, this, args);
  };
  const target = (..._: unknown[]): void => {};
  const bytes = new Uint8Array(8);
  try {
    await runThread(new Thread({ target, args: [1, new Event()] }));
    assertEquals(sent.splice(0), ["port", "values"]);
    await runThread(new Thread({ target, args: [transfer(bytes, [bytes.buffer])] }));
    assertEquals(sent.splice(0), ["values", "port"]);
  } finally {
    MessagePort.prototype.postMessage = ports;
    Worker.prototype.postMessage = workers;
  }
});

test("Thread.start() twice throws, also after the end", async () => {
  const thread = new Thread({ target: () => {} });
  thread.start();
  const twice = 'Cannot start thread "Thread-';
  assertThrows(() => thread.start(), RuntimeError, twice);
  await thread.join();
  const error = assertThrows(() => thread.start(), RuntimeError, twice);
  assertStringIncludes(error.message, "threads can only be started once");
});

test("Thread.run() calls the target in the caller, once", async () => {
  const calls: number[] = [];
  const thread = new Thread({ target: (n: number) => calls.push(n), args: [7] });
  assertEquals([thread.run(), thread.run()], [1, undefined]);
  assertEquals(calls, [7]);
  assertEquals([thread.isAlive(), thread.ident], [false, null]);
  await runThread(thread); // It has nothing to do any more.
  assertEquals(calls, [7]);

  const failing = new Thread({ target: work.fail, args: ["here"] });
  assertThrows(() => failing.run(), RangeError, "here");
  const log: work.Log = new Queue();
  const named = tasks<typeof import("./fixtures/threads.ts")>(FIXTURE);
  await new Thread({ target: named.put, args: [log, "named"] }).run();
  assertEquals(log.getNowait(), ["named"]);
});

// Joining

test("Thread.join() and started throw before the start, and join() gives nothing after the end", async () => {
  const thread = new Thread({ target: () => {} });
  assertThrows(() => thread.joinSync(), RuntimeError, "it has not been started");
  await assertRejects(() => thread.join(), RuntimeError, "it has not been started");
  assertThrows(() => thread.started, RuntimeError, "it has not been started");
  thread.start();
  assertEquals(await thread.join(), undefined);
  assertEquals(await thread.join(), undefined);
  assertEquals(thread.joinSync(), undefined);
});

test("Thread.joinSync() blocks until the end, and needs no turn of the event loop", () => {
  const log: work.Log = new Queue();
  const thread = new Thread({ target: work.put, args: [log, 1] });
  let hasTurned = false;
  const timer = setTimeout(() => hasTurned = true, 0);
  thread.start();
  thread.joinSync();
  clearTimeout(timer);
  assertEquals([thread.isAlive(), hasTurned, log.getNowait()], [false, false, [1]]);
});

test("Thread.join() gives nothing either when the time is up", async () => {
  await using one = await blocked();
  const { thread } = one;
  for (const timeout of [0, 5]) {
    assertEquals(await thread.join({ timeout }), undefined);
    assertEquals(thread.joinSync({ timeout }), undefined);
    assertEquals(thread.isAlive(), true);
  }
  for (const timeout of [-1, NaN]) {
    await assertRejects(() => thread.join({ timeout }), RangeError);
    assertThrows(() => thread.joinSync({ timeout }), RangeError);
  }
});

test("Thread.join() rejects when its signal aborts, and the thread goes on", async () => {
  await using one = await blocked();
  const controller = new AbortController();
  const joined = one.thread.join({ signal: controller.signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => joined, RangeError, "enough");
  await assertRejects(() => one.thread.join({ signal: controller.signal }), RangeError, "enough");
  assertEquals(one.thread.isAlive(), true);
});

test("Thread.join() serves any number of joiners, here and in other threads", async () => {
  const log: work.Log = new Queue();
  const one = await blocked();
  const here = [1, 2, 3].map(() => one.thread.join());
  const others = [work.joinOther, work.joinOtherSync].map((target) => {
    const thread = new Thread({ target, args: [log, one.thread] });
    thread.start();
    return thread;
  });
  await log.get();
  await log.get();
  assertEquals(log.empty(), true);
  one.open.set();
  await Promise.all(here);
  for (const thread of others) thread.joinSync();
  assertEquals([log.getNowait(), log.getNowait()], [["joined", false], ["joined", false]]);
});

test("Thread.join() throws in the thread itself", async () => {
  assertThrows(() => currentThread().joinSync(), RuntimeError);
  await assertRejects(() => currentThread().join(), RuntimeError);
  const log: work.Log = new Queue();
  await runThread(new Thread({ target: work.joinItself, args: [log] }));
  for (const form of [log.getNowait(), log.getNowait()]) {
    assertMatch(String(form), /^RuntimeError: Cannot join thread ".*": it is the current thread$/);
  }
});

// Names, numbers, daemons

test("Thread names are given once in the program, with the name of the target", () => {
  const [one, two, three] = [
    new Thread({ target: work.put }),
    new Thread(),
    new Thread({ target: work.fail, name: "" }),
  ];
  const first = Number(/^Thread-(\d+) \(put\)$/.exec(one.name)?.[1]);
  assertEquals(two.name, `Thread-${first + 1}`);
  assertEquals(three.name, `Thread-${first + 2} (fail)`);
  assertEquals(new Thread({ name: "mine" }).name, "mine");
});

test("Thread names go on being counted in other threads", async () => {
  const log: work.Log = new Queue();
  const before = new Thread();
  const thread = new Thread({
    target: async (log: work.Log) => {
      const { Thread } = await import("@concurrent/futures");
      log.putSync(new Thread().name);
    },
    args: [log],
    name: "maker",
  });
  await runThread(thread);
  const names = [before.name, log.getNowait() as string, new Thread().name];
  const numbers = names.map((name) => Number(name.slice("Thread-".length)));
  assertEquals([numbers[1] - numbers[0], numbers[2] - numbers[1]], [1, 1]);
});

test("Thread.name can be changed at any time, and others see it", async () => {
  const log: work.Log = new Queue();
  const go = new Event();
  const thread = new Thread({ target: work.rename, args: [log, "from inside", go] });
  thread.name = "before";
  assertEquals(thread.name, "before");
  thread.start();
  await log.get();
  assertEquals(thread.name, "from inside");
  thread.name = "from outside";
  assertEquals(enumerate().map(({ name }) => name), ["MainThread", "from outside"]);
  go.set();
  assertEquals(await log.get(), "from outside");
  await thread.join();
  assertEquals(thread.name, "from outside");
  thread.name = "after";
  assertEquals(thread.name, "after");
});

test("Thread.name may be long, in any script", async () => {
  const log: work.Log = new Queue();
  const name = "Ωmega ".repeat(20);
  const thread = new Thread({ target: work.lookAround, args: [log], name });
  await runThread(thread);
  const { self } = log.getNowait() as { self: Described };
  assertEquals([thread.name, self.name], [name, name]);
});

test("Thread.ident is null before the start, unique, and kept after the end", async () => {
  const threads = [1, 2, 3].map(() => new Thread({ target: () => {} }));
  assertEquals(threads.map(({ ident }) => ident), [null, null, null]);
  for (const thread of threads) thread.start();
  const idents = threads.map(({ ident }) => ident);
  assertEquals(new Set([...idents, getIdent()]).size, 4);
  for (const thread of threads) await thread.join();
  assertEquals(threads.map(({ ident }) => ident), idents);
});

test("Thread.daemon can be set before the start only", async () => {
  const thread = new Thread({ target: () => {} });
  assertEquals(thread.daemon, false);
  thread.daemon = true;
  assertEquals(thread.daemon, true);
  assertEquals(new Thread({ daemon: true }).daemon, true);
  assertEquals(new Thread({ daemon: null }).daemon, false);
  thread.start();
  const set = (): void => {
    thread.daemon = false;
  };
  assertThrows(set, RuntimeError, "it was started already");
  await thread.join();
  assertThrows(set, RuntimeError, "it was started already");
  assertEquals(thread.daemon, true);
});

test("Thread.daemon is that of the thread which makes the object, unless it is given", async () => {
  const log: work.Log = new Queue();
  const cases: [boolean, boolean | undefined, boolean][] = [
    [true, undefined, true],
    [false, undefined, false],
    [true, false, false],
    [false, true, true],
  ];
  for (const [daemon, given, expected] of cases) {
    await runThread(new Thread({ target: work.startOther, args: [log, given], daemon }));
    assertEquals(log.getNowait(), ["from the other"]);
    assertEquals(log.getNowait(), [daemon, expected, false]);
  }
});

// Errors of the target

for (const [how, target] of [["throws", work.fail], ["rejects", work.reject]] as const) {
  test(`Thread tells the hook when its target ${how}, before join returns`, async () => {
    const thread = new Thread({ target, args: ["no paper"], name: "printer" });
    const told = await withHook(async () => {
      await runThread(thread);
      assertEquals(await thread.started, undefined);
    });
    assertEquals(told.length, 1);
    const [{ excValue }] = told;
    assertInstanceOf(excValue, RangeError);
    assertEquals(excValue.message, "no paper");
    assertStringIncludes(excValue.stack!, "threads.");
    assertStrictEquals(told[0].thread, thread);
  });

  test(`Thread tells the hook when its target ${how}, also while this thread blocks`, async () => {
    const thread = new Thread({ target, args: ["no paper"] });
    const told = await withHook(() => {
      thread.start();
      thread.joinSync();
      assertEquals(thread.isAlive(), false);
    });
    assertEquals(told.map(({ excValue }) => `${excValue}`), ["RangeError: no paper"]);
  });
}

test("Thread tells the hook of what cannot be sent", async () => {
  const thread = new Thread({ target: work.throwOdd });
  const [{ excValue }] = await withHook(() => runThread(thread));
  assertInstanceOf(excValue, NotShareableError);
  assertStringIncludes(excValue.message, "Cannot send what the thread threw");
});

test("Thread tells the hook of a variable that did not cross", async () => {
  const outside = 3;
  const thread = new Thread({ target: () => outside });
  const [{ excValue }] = await withHook(() => runThread(thread));
  assertInstanceOf(excValue, NotShareableError);
  assertStringIncludes(excValue.message, 'it uses "outside" from around it');
});

test("Thread.started rejects when the target cannot be loaded, and the hook is told", async () => {
  const missing = tasks<{ absent(): void; work(): void }>(FIXTURE);
  const broken = tasks<{ work(): void }>(import.meta.resolve("./fixtures/broken.ts"));
  for (const target of [missing.absent, broken.work]) {
    const thread = new Thread({ target });
    const told = await withHook(async () => {
      thread.start();
      await assertRejects(() => thread.started, NotShareableError);
      thread.joinSync();
    });
    assertEquals(told.length, 1);
    assertInstanceOf(told[0].excValue, NotShareableError);
    assertEquals(thread.isAlive(), false);
  }
});

test("Thread.started rejects when arguments cannot be received", async () => {
  const foreign = { [HANDLE]: () => ({ kind: "Foreign", data: undefined }) };
  const thread = new Thread({ target: (_: unknown) => {}, args: [foreign as unknown] });
  const told = await withHook(async () => {
    thread.start();
    await assertRejects(() => thread.started, Error, 'Cannot receive "Foreign"');
    await thread.join();
  });
  assertEquals(told.length, 1);
});

test("Thread.start() refuses a pool among the arguments and fields, and starts nothing", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const threads = [
    new Thread({ target: (_: unknown) => {}, args: [{ pool }] }),
    new Timer(1, (_: unknown) => {}, { args: [pool as unknown] }),
    Object.assign(new work.Greeter(new Queue(), "all"), { pool }),
  ];
  for (const thread of threads) {
    assertThrows(() => thread.start(), NotShareableError, "make one in the thread");
    assertEquals(thread.ident, null);
  }
});

test("setExcepthook() takes a function, or null for the default hook", async () => {
  assertThrows(() => setExcepthook("print" as unknown as null), TypeError);
  const thread = new Thread({ target: work.fail, args: ["no %s"], name: "100 %d" });
  const printed = await silenced(() => runThread(thread));
  assertEquals(printed.length, 1);
  assertEquals(printed[0].slice(0, 2), ["Exception in thread %s:\n%O", "100 %d"]);
  assertEquals(`${printed[0][2]}`, "RangeError: no %s");
});

test("A hook that throws is reported, with what it was called for", async () => {
  const hooks = [
    () => {
      throw new TypeError("bad hook");
    },
    () => Promise.reject(new TypeError("bad hook")),
  ];
  for (const hook of hooks) {
    const printed = await silenced(async () => {
      setExcepthook(hook);
      await runThread(new Thread({ target: work.fail, args: ["no paper"], name: "printer" }));
      setExcepthook(null);
    });
    assertEquals(printed.map((args) => args.slice(1).map(String)), [
      ["TypeError: bad hook"],
      ["printer", "RangeError: no paper"],
    ]);
  }
});

test("excepthook() calls the hook in force", async () => {
  const args = { excValue: "text", thread: currentThread() };
  const told = await withHook(() => excepthook(args));
  assertEquals(told, [args]);
  const printed = await silenced(() => excepthook(args));
  assertEquals(printed, [["Exception in thread %s:\n%O", "MainThread", "text"]]);
});

// Subclasses

test("Thread, subclass: run is called on an object with the same fields", async () => {
  const log: work.Log = new Queue();
  const thread = new work.Greeter(log, "world");
  thread.extra = { deep: new Map([[1, log]]) };
  thread.start();
  assertEquals(thread.name, "greeter of world");
  assertEquals(await log.get(), {
    says: "Hello world",
    list: [1, 2],
    isShared: true,
    isSelf: true,
    isListed: true,
    isConstructed: false,
    self: { name: "greeter of world", ident: thread.ident, daemon: false, isAlive: true },
  });
  await thread.join();
  assertEquals([thread.list, thread.isConstructed], [[1, 2], true]);
});

test("Thread, subclass: its module may be named by a URL object", async () => {
  const log: work.Log = new Queue();
  const url = new URL("./fixtures/threads.ts", import.meta.url);
  await runThread(new work.Greeter(log, "world", { url }));
  assertEquals((log.getNowait() as { says: string }).says, "Hello world");
});

test("Thread, subclass of a subclass: methods are found at its own class", () => {
  const log: work.Log = new Queue();
  const thread = new work.LoudGreeter(log, "world");
  thread.start();
  thread.joinSync();
  assertEquals((log.getNowait() as { says: string }).says, "HELLO WORLD");
});

test("Thread, subclass: run can be called directly", async () => {
  const log: work.Log = new Queue();
  await new work.Greeter(log, "myself").run();
  const { says, isConstructed } = log.getNowait() as Record<string, unknown>;
  assertEquals([says, isConstructed], ["Hello myself", true]);
});

test("Thread, subclass: run can call the target, once", async () => {
  const log: work.Log = new Queue();
  await runThread(new work.Around(log, 7));
  assertEquals(await log.getMany(9), ["before", [7], "after"]);
});

test("Thread, subclass: start() moves the fields that were marked with transfer()", async () => {
  const log: work.Log = new Queue();
  const thread = new work.Greeter(log, "world");
  const bytes = new Uint8Array(8);
  Object.assign(thread, { bytes: transfer(bytes, [bytes.buffer]) });
  await runThread(thread);
  assertEquals([bytes.length, log.qsize()], [0, 1]);
});

test("Thread.start() throws in a module that is being imported by a thread", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(`
    import { task, Thread } from "@concurrent/futures";
    export const work = task(import.meta, function work() { console.log("never"); });
    const thread = new Thread({ target: work });
    thread.start();
    thread.joinSync();
    console.log("end of main");
  `);
  assertEquals({ code, stdout, timedOut }, {
    code: 0,
    stdout: "end of main\n",
    timedOut: false,
  });
  assertStringIncludes(stderr, "belongs under if (import.meta.main)");
});

test("Thread, subclass that does not override run: the target is called", async () => {
  const log: work.Log = new Queue();
  await runThread(new work.Plain({ target: work.put as never, args: [log, 1] }));
  assertEquals(log.getNowait(), [1]);
});

test("Thread, subclass: what run throws goes to the hook", async () => {
  const thread = new work.FailingGreeter(new Queue(), "no voice");
  const told = await withHook(() => runThread(thread));
  assertEquals(told.map(({ excValue }) => `${excValue}`), ["RangeError: no voice"]);
  assertStrictEquals(told[0].thread, thread);
});

test("Thread, subclass: start() throws when its module is not known, or it has no name", () => {
  const workers = countLiveWorkers();
  assertThrows(() => new work.Homeless().start(), NotShareableError, "module: import.meta");
  assertThrows(() => work.makeNameless().start(), NotShareableError, "has no name");
  assertEquals(countLiveWorkers(), workers);
});

test("Thread, subclass: start() throws for a field that cannot be sent", () => {
  const thread = new work.Greeter(new Queue(), "world");
  thread.extra = { deep: new Map([[1, () => {}]]) };
  const error = assertThrows(() => thread.start(), NotShareableError);
  assertStringIncludes(error.message, "extra.deep.get(1) cannot be cloned");
  assertEquals(thread.isAlive(), false);
});

test("Thread, subclass: started rejects when the module does not export it", async () => {
  for (
    const [thread, text] of [
      [work.makeHidden(), 'has no export "Hidden"'],
      [work.makeImpostor(), '"Taken" of module'],
    ] as const
  ) {
    const told = await withHook(async () => {
      thread.start();
      await assertRejects(() => thread.started, NotShareableError, text);
      await thread.join();
    });
    assertEquals(told.length, 1);
  }
});

// What threads know of each other

test("currentThread(), mainThread() and enumerate() in the main thread", async () => {
  const main = currentThread();
  assertStrictEquals(main, mainThread());
  assertStrictEquals(main, currentThread());
  assertEquals(work.describe(main), {
    name: "MainThread",
    ident: getIdent(),
    daemon: false,
    isAlive: true,
  });
  const set = (): void => {
    main.daemon = true;
  };
  assertThrows(set, RuntimeError);
  assertThrows(() => main.start(), RuntimeError);

  assertEquals(enumerate(), [main]);
  await using one = await blocked({ name: "one" });
  const unstarted = new Thread();
  assertEquals(enumerate().length, 2);
  assert(enumerate().includes(one.thread));
  assertEquals([enumerate().includes(unstarted), activeCount()], [false, 2]);
  one.open.set();
  await one.thread.join();
  assertEquals([enumerate(), activeCount()], [[main], 1]);
});

test("currentThread(), mainThread() and enumerate() in a thread", async () => {
  const log: work.Log = new Queue();
  await using other = await blocked({ name: "other", daemon: true });
  const thread = new Thread({ target: work.lookAround, args: [log], name: "looks" });
  await runThread(thread);
  const self = { name: "looks", ident: thread.ident, daemon: false, isAlive: true };
  const main = { name: "MainThread", ident: getIdent(), daemon: false, isAlive: true };
  assertEquals(log.getNowait(), {
    self,
    isSame: true,
    main,
    ident: thread.ident,
    count: 3,
    all: [main, { ...self, name: "other", ident: other.thread.ident, daemon: true }, self],
    includesSelf: true,
  });
});

test("enumerate() shows a pool's workers as daemons that cannot be joined", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "crew" });
  const log: work.Log = new Queue();
  await pool.submit(work.lookAround, log);
  const dummy = enumerate().find(({ name }) => name === "crew_0")!;
  assertEquals([dummy.isAlive(), dummy.daemon], [true, true]);
  assertStrictEquals(enumerate().find(({ name }) => name === "crew_0"), dummy);
  assertThrows(() => dummy.joinSync(), RuntimeError, "not started by a Thread");
  await assertRejects(() => dummy.join({ timeout: 0 }), RuntimeError, "not started by a Thread");
  assertThrows(() => dummy.start(), RuntimeError);

  const { self, main, all } = log.getNowait() as {
    self: Described;
    main: Described;
    all: Described[];
  };
  assertEquals(self, { name: "crew_0", ident: dummy.ident, daemon: true, isAlive: true });
  assertEquals([main.name, all.length], ["MainThread", 2]);

  await pool.shutdown();
  assertEquals([dummy.isAlive(), enumerate().length], [false, 1]);
});

for (const knowsMain of [true, false]) {
  const what = knowsMain ? "shares something with" : "knows nothing of";
  test(
    `Threads in a worker that somebody else has started, and that ${what} the main thread`,
    NESTED,
    async () => {
      const worker = new Worker(import.meta.resolve("./fixtures/raw_thread_worker.ts"), {
        type: "module",
        name: "raw",
      });
      const answer = new Promise<Record<string, unknown>>((resolve) => {
        worker.onmessage = ({ data }): void => resolve(data);
      });
      worker.postMessage(knowsMain ? { event: new Event().handle } : {});
      const { self, main, all, count, isAlive, daemon } = await answer as {
        self: Described;
        main: Described;
        all: Described[];
        count: number;
        isAlive: boolean;
        daemon: boolean;
      };
      assertEquals([self.name, self.daemon, self.isAlive], ["raw", true, true]);
      assertEquals([main.name, main.daemon, main.isAlive], ["MainThread", false, true]);
      assertEquals(main.ident, knowsMain ? getIdent() : null);
      assertEquals(all.map(({ name }) => name), ["MainThread", "raw"]);
      assertEquals([count, isAlive, daemon], [2, false, true]);
      const isGone = until(() => enumerate().length === 1);
      worker.postMessage("close");
      await isGone;
      markClosed(worker);
    },
  );
}

// Threads that threads start

test("Thread started by a thread: runs, and can be joined, in both forms", async () => {
  const log: work.Log = new Queue();
  for (
    const [target, last] of [[work.startOther, [false, false, false]], [
      work.startOtherSync,
      "joined",
    ]] as const
  ) {
    await runThread(new Thread({ target, args: [log] }));
    assertEquals([log.getNowait(), log.getNowait()], [["from the other"], last]);
  }
});

test("Thread started by a thread: runs also while the main thread blocks", () => {
  const log: work.Log = new Queue();
  const thread = new Thread({ target: work.startOtherSync, args: [log] });
  thread.start();
  thread.joinSync();
  assertEquals([log.getNowait(), log.getNowait()], [["from the other"], "joined"]);
});

test("Thread started by a thread: goes on when that one has ended, and can be joined here", async () => {
  const log: work.Log = new Queue();
  const threads = new Queue<Thread>();
  const open = new Event();
  await runThread(new Thread({ target: work.startAndEnd, args: [threads, log, open] }));
  const grandchild = threads.getNowait();
  assertEquals(await log.get(), "runs");
  assertEquals([grandchild.name, grandchild.isAlive()], ["grandchild", true]);
  assert(enumerate().some(({ ident }) => ident === grandchild.ident));
  await grandchild.join({ timeout: 5 });
  open.set();
  grandchild.joinSync();
  assertEquals([grandchild.isAlive(), activeCount()], [false, 1]);
});

test("Thread started by a thread: that one's hook is told of its error", async () => {
  const log: work.Log = new Queue();
  const told = await withHook(() =>
    runThread(new Thread({ target: work.startFailing, args: [log] }))
  );
  assertEquals(log.getNowait(), ["RangeError: in the grandchild", "grandchild"]);
  assertEquals([log.getNowait(), told], ["joined", []]);
});

test("Thread started by a thread: the main thread's hook is told when that one has ended", async () => {
  const log: work.Log = new Queue();
  const threads = new Queue<Thread>();
  const open = new Event();
  const told = await withHook(async () => {
    await runThread(new Thread({ target: work.startFailingAndEnd, args: [threads, log, open] }));
    const grandchild = threads.getNowait();
    await log.get();
    open.set();
    await grandchild.join();
  });
  assertEquals(told.map(({ excValue, thread }) => [`${excValue}`, thread.name]), [
    ["RangeError: too late", "grandchild"],
  ]);
});

test(
  "Thread started by a pool's task: runs, is no daemon, and can be joined there",
  NESTED,
  async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const log: work.Log = new Queue();
    assertEquals(await pool.submit(work.startInTask, log), [true, false, false]);
    assertEquals(log.getNowait(), ["from a thread of a task"]);
  },
);

test(
  "Thread started by a pool's task as a daemon: ends with the worker, and join notices",
  NESTED,
  async () => {
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const log: work.Log = new Queue();
    const threads = new Queue<Thread>();
    await pool.submit(work.leaveInTask, threads, log, new Event());
    const thread = threads.getNowait();
    assertEquals(thread.isAlive(), true);
    const joined = thread.join();
    await pool.shutdown();
    await joined;
    thread.joinSync();
    assertEquals(thread.isAlive(), false);
  },
);

// Threads as arguments

test("Thread: sent to another thread it can be joined there, and comes back as the same object", async () => {
  const threads = new Queue<Thread>();
  await using one = await blocked({ name: "one" });
  const sender = new Thread({ target: work.sendBack, args: [threads, one.thread, one.open] });
  sender.start();
  assertStrictEquals(await threads.get(), one.thread);
  assertStrictEquals(await threads.get(), sender);

  const log: work.Log = new Queue();
  const joiner = new Thread({ target: work.joinOther, args: [log, one.thread] });
  joiner.start();
  const ident = one.thread.ident;
  assertEquals(await log.get(), [{ name: "one", ident, daemon: false, isAlive: true }, true]);
  one.open.set();
  assertEquals(await log.get(), ["joined", false]);
  await joiner.join();
  await sender.join();
});

test("Thread: sent after its end it is an ended thread there", async () => {
  const log: work.Log = new Queue();
  const ended = new Thread({ target: () => {}, name: "ended" });
  await runThread(ended);
  await runThread(new Thread({ target: work.joinOther, args: [log, ended] }));
  const [described] = log.getNowait() as [Described];
  assertEquals([described.name, described.isAlive, described.ident], [
    "ended",
    false,
    ended.ident,
  ]);
  assertEquals(log.getNowait(), ["joined", false]);
});

test("Thread: cannot be sent before its start", () => {
  const thread = new Thread({ target: (_: unknown) => {}, args: [new Thread() as unknown] });
  assertThrows(() => thread.start(), NotShareableError, "it has not been started");
});

test("Thread: forty of them, four at a time", { timeout: 60_000 }, async () => {
  const value = new Value("i32", 0);
  const target = (value: Value<"i32">) => {
    value.add(1);
  };
  for (let i = 0; i < 10; i++) {
    const threads = [1, 2, 3, 4].map(() => new Thread({ target, args: [value] }));
    for (const thread of threads) thread.start();
    if (i % 2 === 0) { for (const thread of threads) thread.joinSync(); }
    else await Promise.all(threads.map((thread) => thread.join()));
  }
  assertEquals([value.value, activeCount()], [40, 1]);
});

// Types, permissions

test("Thread takes arguments of its target's types", { timeout: 90_000 }, async () => {
  const head = `
    import { Queue, Thread, Timer } from "@concurrent/futures";
    const target = (n: number, queue: Queue<string>) => queue.putSync("a".repeat(n));
    const queue = new Queue<string>();
  `;
  const errors = await typeErrorsOf({
    good: `${head}
      new Thread({ target, args: [1, queue] });
      new Thread({ target: () => {} });
      new Timer(5, target, { args: [1, queue] });
      const all: Thread[] = [new Thread({ target, args: [1, queue] }), new Timer(5, () => {})];
      class Mine extends Thread { override async run(): Promise<void> {} }
      all.push(new Mine());
    `,
    wrongType: `${head} new Thread({ target, args: ["1", queue] });`,
    tooMany: `${head} new Thread({ target, args: [1, queue, 3] });`,
    timer: `${head} new Timer(5, target, { args: ["1", queue] });`,
  });
  assertEquals(errors.good, []);
  for (const name of ["wrongType", "tooMany", "timer"] as const) {
    assertNotEquals(errors[name], [], name);
  }
});

test("Thread.start() throws where reading the package is not permitted", async () => {
  const { code, stdout } = await runProgram(
    `
    import { Thread, activeCount } from "@concurrent/futures";
    const thread = new Thread({ target: () => {} });
    try {
      thread.start();
    } catch (error) {
      console.log(error.message.includes("--allow-read"), activeCount(), thread.isAlive());
    }
  `,
    { permissions: [] },
  );
  assertEquals([code, stdout], [0, "true 1 false\n"]);
});
