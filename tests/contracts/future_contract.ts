import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CancelledError, type Future, TimeoutError } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { UnhandledRejections } from "../_support/unhandled.ts";
import { Gate, Log, reached } from "./signals.ts";
import { errorsLogged, type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

export function futureContract({ name, make }: Suite): void {
  test(`${name}: Future.running() is true from the start of the task to its end`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const first = executor.submit(tasks.pass, gate.parts, 1);
    const second = executor.submit(tasks.square, 2);
    await gate.entered();
    assertEquals([first.running(), first.done(), first.state], [true, false, "running"]);
    assertEquals([second.running(), second.done(), second.state], [false, false, "pending"]);
    gate.open();
    assertEquals(await second, 4);
    assertEquals([first.running(), first.done(), first.state], [false, true, "finished"]);
  });

  test(`${name}: Future.cancel() takes back a queued task, which never runs`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.record, log.queue, 2);
    const after = executor.submit(tasks.record, log.queue, 3);
    await gate.entered();
    assertEquals([queued.cancel(), queued.cancel()], [true, true]);
    assertEquals([queued.cancelled(), queued.done(), queued.running()], [true, true, false]);
    await reached();
    gate.open();
    await Promise.all([held, after]);
    assertEquals(log.entries, [3]);
    await assertRejects(() => queued.result(), CancelledError);
    await assertRejects(() => queued.exception(), CancelledError);
    await assertRejects(async () => await queued, CancelledError);
  });

  test(`${name}: Future.cancel() right after submit() cancels before the task starts, or says false`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const log = new Log();
    const future = executor.submit(tasks.record, log.queue, 1);
    const cancelled = future.cancel();
    await executor.submit(tasks.record, log.queue, 2);
    assertEquals(log.entries, cancelled ? [2] : [1, 2]);
    assertEquals(future.cancelled(), cancelled);
  });

  test(`${name}: Future.cancel() of a running task is false and has no effect`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, "kept");
    await gate.entered();
    assertEquals([future.cancel(), future.cancelled(), future.running()], [false, false, true]);
    gate.open();
    assertEquals(await future, "kept");
  });

  test(`${name}: Future.cancel() of a task that is done is false and has no effect`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const finished = executor.submit(tasks.square, 2);
    const failed = executor.submit(tasks.fail, "failed");
    await Promise.allSettled([finished, failed]);
    assertEquals([finished.cancel(), failed.cancel()], [false, false]);
    assertEquals(await finished, 4);
    await assertRejects(() => failed.result(), RangeError, "failed");
  });

  test(`${name}: Future.cancel() frees no more than its own place in the queue`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const log = new Log();
    executor.submit(tasks.pass, gate.parts, 0);
    const queued = [1, 2, 3, 4, 5, 6].map((n) => executor.submit(tasks.record, log.queue, n));
    await gate.entered();
    for (const future of queued) if (queued.indexOf(future) % 2 === 0) future.cancel();
    await reached();
    gate.open();
    await Promise.allSettled(queued);
    assertEquals(log.entries, [2, 4, 6]);
  });

  test(`${name}: Future.addDoneCallback() calls in order, repeated functions again, each with the future`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, 1);
    const seen: [string, Future<number>][] = [];
    const first = (done: Future<number>): void => void seen.push(["first", done]);
    future.addDoneCallback(first);
    future.addDoneCallback((done) => void seen.push(["second", done]));
    future.addDoneCallback(first);
    await gate.entered();
    assertEquals(seen.length, 0);
    gate.open();
    await future;
    assertEquals(seen.map(([who]) => who), ["first", "second", "first"]);
    for (const [, done] of seen) assertStrictEquals(done, future);
  });

  test(`${name}: Future.addDoneCallback() calls at once when the task is done`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.fail, "failed");
    await future.exception();
    let calls = 0;
    future.addDoneCallback(() => calls++);
    assertEquals(calls, 1);
  });

  test(`${name}: a callback added by a callback is called before the remaining ones`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 2);
    const seen: string[] = [];
    future.addDoneCallback((done) => {
      seen.push("first");
      done.addDoneCallback(() => seen.push("inner"));
    });
    future.addDoneCallback(() => seen.push("second"));
    await future;
    assertEquals(seen, ["first", "inner", "second"]);
  });

  test(`${name}: a callback that throws is logged, and the others are called`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const error = new Error("thrown by a callback");
    const seen: string[] = [];
    const logged = await errorsLogged(async () => {
      const future = executor.submit(tasks.square, 2);
      future.addDoneCallback(() => {
        throw error;
      });
      future.addDoneCallback(() => seen.push("second"));
      assertEquals(await future, 4);
      future.addDoneCallback(() => {
        throw error;
      });
    });
    assertEquals(seen, ["second"]);
    assertEquals(logged.length, 2);
    for (const call of logged) assert(call.includes(error));
  });

  test(`${name}: cancel() calls the callbacks, within the call and once`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    const seen: boolean[] = [];
    queued.addDoneCallback((future) => seen.push(future.cancelled()));
    queued.cancel();
    assertEquals(seen, [true]);
    queued.cancel();
    gate.open();
    await executor.submit(tasks.square, 3);
    assertEquals(seen, [true]);
  });

  test(`${name}: a future is awaited, and combined, as a promise`, async () => {
    await using executor = make({ maxWorkers: 2 });
    const futures = [1, 2, 3].map((n) => executor.submit(tasks.square, n));
    assertEquals(await Promise.all(futures), [1, 4, 9]);
    const seen: string[] = [];
    const failed = executor.submit(tasks.fail, "failed");
    const caught = await failed.finally(() => seen.push("finally")).catch(() => "caught");
    assertEquals([caught, ...seen], ["caught", "finally"]);
    assertEquals(await futures[0].then((value) => value + 1), 2);
  });

  test(`${name}: Future.result() and exception() take timeouts`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, "done");
    for (const timeout of [0, 1, 20]) {
      await assertRejects(() => future.result({ timeout }), TimeoutError, "Cannot read result");
      await assertRejects(() => future.exception({ timeout }), TimeoutError);
    }
    for (const timeout of [-1, -Infinity, NaN]) {
      await assertRejects(() => future.result({ timeout }), RangeError);
      await assertRejects(() => future.exception({ timeout }), RangeError);
    }
    await assertRejects(() => future.result({ timeout: "1" as never }), TypeError);
    assert(!future.done());
    const waits = [null, undefined, Infinity, 10_000].map((timeout) => future.result({ timeout }));
    gate.open();
    assertEquals(await Promise.all(waits), ["done", "done", "done", "done"]);
    assertEquals(await future.result({ timeout: 0 }), "done");
    assertEquals(await future.exception({ timeout: 0 }), null);
  });

  test(`${name}: a signal ends a wait for a result and leaves the task alone`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const future = executor.submit(tasks.pass, gate.parts, "done");
    const controller = new AbortController();
    const reason = new Error("enough");
    const waits = [
      future.result({ signal: controller.signal }),
      future.exception({ signal: controller.signal }),
    ].map((wait) => wait.catch((error) => error));
    controller.abort(reason);
    for (const wait of waits) assertStrictEquals(await wait, reason);
    const late = await future.result({ signal: controller.signal }).catch((error) => error);
    assertStrictEquals(late, reason);
    await gate.entered();
    // From far away, this news may come by another way than the gate's.
    while (!future.running()) await turn();
    gate.open();
    assertEquals(await future, "done");
  });

  test(`${name}: a failed future that nobody asks about is no unhandled rejection`, async () => {
    using unhandled = new UnhandledRejections();
    {
      await using executor = make({ maxWorkers: 1 });
      executor.submit(tasks.fail, "unheard");
      executor.submit(tasks.failLater, "unheard");
      await executor.submit(tasks.square, 2);
      await turn();
    }
    assertEquals(unhandled.reasons, []);
  });
}
