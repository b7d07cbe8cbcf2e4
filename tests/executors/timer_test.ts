import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  activeCount,
  currentThread,
  NotShareableError,
  Queue,
  RuntimeError,
  setExcepthook,
  Thread,
  ThreadPoolExecutor,
  Timer,
} from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { assertInTime, withTimeLimit } from "../_support/time_limits.ts";
import * as work from "./fixtures/threads.ts";

/** So long that a test that waited for it would fail. */
const LONG_MS = 60_000;

test("Timer calls its function in a thread, after its interval", async () => {
  await withTimeLimit(30, async (interval) => {
    const log: work.Log = new Queue();
    const timer = new Timer(interval, work.put, { args: [log, "time is up"] });
    assertInstanceOf(timer, Thread);
    assertEquals([timer.isAlive(), timer.ident], [false, null]);
    const startMs = performance.now();
    timer.start();
    await timer.started;
    const isOn = timer.isAlive() && log.empty();
    assertEquals(await log.get(), ["time is up"]);
    assert(performance.now() - startMs >= interval);
    await timer.join();
    assertEquals([timer.isAlive(), log.empty(), activeCount()], [false, true, 1]);
    assertInTime(isOn);
  });
});

test("Timer fires also while the thread blocks that has started it", () => {
  const log: work.Log = new Queue();
  const timer = new Timer(5, work.put, { args: [log, 1] });
  timer.start();
  const endMs = performance.now() + 5000;
  while (log.empty() && performance.now() < endMs);
  assertEquals(log.getNowait(), [1]);
  timer.joinSync();
});

test("Timer of 0 or less fires at once", () => {
  const log: work.Log = new Queue();
  for (const interval of [0, -5]) {
    const timer = new Timer(interval, work.put, { args: [log, interval] });
    timer.start();
    timer.joinSync();
    assertEquals(log.getNowait(), [interval]);
  }
});

for (const form of ["join", "joinSync"] as const) {
  test(`Timer.cancel() keeps the function from being called, and ${form} returns at once`, async () => {
    const log: work.Log = new Queue();
    for (const interval of [LONG_MS, Infinity]) {
      const timer = new Timer(interval, work.put, { args: [log] });
      timer.start();
      await timer.started;
      timer.cancel();
      await timer[form]();
      assertEquals([timer.isAlive(), log.empty()], [false, true]);
    }
  });
}

test("Timer.cancel() right after the start, by a thread that never yields", () => {
  const log: work.Log = new Queue();
  const timer = new Timer(LONG_MS, work.put, { args: [log] });
  timer.start();
  timer.cancel();
  timer.joinSync();
  assertEquals([timer.isAlive(), log.empty()], [false, true]);
});

test("Timer.cancel() before the start: the thread starts and ends", async () => {
  const log: work.Log = new Queue();
  const timer = new Timer(0, work.put, { args: [log] });
  timer.cancel();
  timer.start();
  await timer.join();
  assertEquals([timer.isAlive(), log.empty()], [false, true]);
});

test("Timer.cancel() has no effect once the function was called", async () => {
  const log: work.Log = new Queue();
  const timer = new Timer(0, work.put, { args: [log, 1] });
  timer.start();
  await timer.join();
  timer.cancel();
  timer.cancel();
  assertEquals(log.getNowait(), [1]);
  assertThrows(() => timer.start(), RuntimeError, "only be started once");
});

test("Timer.cancel() has no effect while the function runs", async () => {
  const log: work.Log = new Queue();
  const timer = new Timer(0, async (log: work.Log) => {
    log.putSync("begins");
    await new Promise((resolve) => setTimeout(resolve, 20));
    log.putSync("ends");
  }, { args: [log] });
  timer.start();
  await log.get();
  timer.cancel();
  await timer.join();
  assertEquals(log.getNowait(), "ends");
});

test("Timer.cancel() works in another thread that was sent the timer, and in a pool's task", async () => {
  const log: work.Log = new Queue();
  const make = (): Timer<[work.Log]> => {
    const timer = new Timer(LONG_MS, (log: work.Log) => log.putSync("fired"), { args: [log] });
    timer.start();
    return timer;
  };
  const first = make();
  const thread = new Thread({ target: work.cancel, args: [log, first] });
  thread.start();
  first.joinSync();
  await thread.join();
  assertEquals(log.getNowait(), true);

  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const second = make();
  await pool.submit(work.cancel, log, second);
  await second.join();
  assertEquals([log.getNowait(), log.empty()], [true, true]);
});

test("Timer() refuses bad arguments", () => {
  const refused = (make: () => unknown, error: new () => Error, text: string): void => {
    assertThrows(make, error, text);
  };
  refused(() => new Timer(NaN, () => {}), RangeError, "got NaN");
  refused(() => new Timer("5" as unknown as number, () => {}), TypeError, 'got "5"');
  refused(() => new Timer(5, "work" as unknown as () => void), TypeError, 'got "work"');
  const args = 3 as unknown as [];
  refused(() => new Timer(5, () => {}, { args }), TypeError, "args must be an array");
});

test("Timer.start() throws for what cannot be sent", () => {
  const timer = new Timer(5, work.put as never, { args: [() => {}] as never });
  assertThrows(() => timer.start(), NotShareableError, "cannot be cloned");
  assertEquals([timer.isAlive(), activeCount()], [false, 1]);
});

test("Timer, subclass: it cannot override run", () => {
  const alarm = new work.Alarm(5, () => {});
  assertThrows(() => alarm.start(), NotShareableError, "cannot override run");
});

test("Timer names are those of threads, without the name of the function", () => {
  const first = Number(/^Thread-(\d+)$/.exec(new Timer(5, work.put).name)?.[1]);
  assertEquals(new Timer(5, work.put).name, `Thread-${first + 1}`);
  assertEquals(new Timer(5, work.put, { name: "alarm" }).name, "alarm");
});

test("Timer.daemon is inherited, and can be given", () => {
  assertEquals(new Timer(5, () => {}).daemon, currentThread().daemon);
  assertEquals(new Timer(5, () => {}, { daemon: true }).daemon, true);
});

test("Timer.run() waits and calls in the caller", async () => {
  const calls: number[] = [];
  await new Timer(5, (n: number) => calls.push(n), { args: [7] }).run();
  assertEquals(calls, [7]);
  const cancelled = new Timer(LONG_MS, () => calls.push(8));
  const running = cancelled.run();
  cancelled.cancel();
  await running;
  assertEquals(calls, [7]);
});

test("Timer whose function throws tells the hook", async () => {
  const told: string[] = [];
  setExcepthook(({ excValue, thread }) => told.push(`${thread.name}: ${excValue}`));
  const timer = new Timer(0, work.fail, { args: ["no paper"], name: "alarm" });
  timer.start();
  await timer.join();
  setExcepthook(null);
  assertEquals(told, ["alarm: RangeError: no paper"]);
});
