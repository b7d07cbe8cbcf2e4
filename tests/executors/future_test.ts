import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  CancelledError,
  Future,
  InvalidStateError,
  RuntimeError,
  TimeoutError,
} from "../../executors/mod.ts";
import { futureInternals } from "../../executors/_future_internals.ts";
import { RLock } from "../../sync/mod.ts";
import { errorsLogged, turn } from "../contracts/suite.ts";
import { test } from "../_support/leaks.ts";
import { UnhandledRejections } from "../_support/unhandled.ts";

/** A future in each of its states. */
const STATES = {
  pending: () => new Future<number>(),
  running() {
    const future = new Future<number>();
    future.setRunningOrNotifyCancel();
    return future;
  },
  cancelled() {
    const future = new Future<number>();
    future.cancel();
    return future;
  },
  "cancelled and notified"() {
    const future = STATES.cancelled();
    future.setRunningOrNotifyCancel();
    return future;
  },
  finished() {
    const future = new Future<number>();
    future.setResult(7);
    return future;
  },
  "finished with an error"() {
    const future = new Future<number>();
    future.setException(new RangeError("failed"));
    return future;
  },
};

type State = keyof typeof STATES;
const NAMES = Object.keys(STATES) as State[];

/** The result of `ask` for a future in each state. */
function inEachState<R>(ask: (future: Future<number>) => R): Record<State, R> {
  return Object.fromEntries(NAMES.map((name) => [name, ask(STATES[name]())])) as Record<State, R>;
}

/** The state after `act`, or the name of the error that it threw. */
function stateAfter(act: (future: Future<number>) => void): Record<State, string> {
  return inEachState((future) => {
    try {
      act(future);
      return future.state;
    } catch (error) {
      return (error as Error).name;
    }
  });
}

test("Future.state names the state", () => {
  for (const name of NAMES) assertEquals(STATES[name]().state, name);
});

test("Future.cancel() is true for pending and cancelled futures and false for others", () => {
  assertEquals(inEachState((future) => future.cancel()), {
    pending: true,
    running: false,
    cancelled: true,
    "cancelled and notified": true,
    finished: false,
    "finished with an error": false,
  });
  assertEquals(stateAfter((future) => future.cancel()), {
    pending: "cancelled",
    running: "running",
    cancelled: "cancelled",
    "cancelled and notified": "cancelled and notified",
    finished: "finished",
    "finished with an error": "finished with an error",
  });
});

test("Future.setRunningOrNotifyCancel() starts, or acknowledges a cancellation, once", () => {
  assertEquals(stateAfter((future) => future.setRunningOrNotifyCancel()), {
    pending: "running",
    running: "RuntimeError",
    cancelled: "cancelled and notified",
    "cancelled and notified": "RuntimeError",
    finished: "RuntimeError",
    "finished with an error": "RuntimeError",
  });
  assertEquals(STATES.pending().setRunningOrNotifyCancel(), true);
  assertEquals(STATES.cancelled().setRunningOrNotifyCancel(), false);
});

test("Future.setResult() and setException() complete what is not done", () => {
  const expected = {
    cancelled: "InvalidStateError",
    "cancelled and notified": "InvalidStateError",
    finished: "InvalidStateError",
    "finished with an error": "InvalidStateError",
  };
  assertEquals(stateAfter((future) => future.setResult(1)), {
    pending: "finished",
    running: "finished",
    ...expected,
  });
  assertEquals(stateAfter((future) => future.setException(new Error("late"))), {
    pending: "finished with an error",
    running: "finished with an error",
    ...expected,
  });
  assertThrows(() => STATES.finished().setResult(1), InvalidStateError, "the future is finished");
});

test("Future.setException() refuses null and undefined, and takes any other value", () => {
  for (const value of [null, undefined]) {
    assertThrows(() => STATES.pending().setException(value), TypeError, `got ${value}`);
  }
  for (const value of [0, "", false]) {
    const future = STATES.pending();
    future.setException(value);
    assertStrictEquals(future.exceptionSync(), value);
  }
});

test("Future.cancelled(), running() and done() follow the state", () => {
  const ask = inEachState((future) => [future.cancelled(), future.running(), future.done()]);
  assertEquals(ask, {
    pending: [false, false, false],
    running: [false, true, false],
    cancelled: [true, false, true],
    "cancelled and notified": [true, false, true],
    finished: [false, false, true],
    "finished with an error": [false, false, true],
  });
});

test("Future.result() and resultSync() poll with a timeout of 0", async () => {
  for (const name of ["pending", "running"] as const) {
    assertThrows(() => STATES[name]().resultSync({ timeout: 0 }), TimeoutError);
    await assertRejects(() => STATES[name]().result({ timeout: 0 }), TimeoutError);
    assertThrows(() => STATES[name]().exceptionSync({ timeout: 0 }), TimeoutError);
    await assertRejects(() => STATES[name]().exception({ timeout: 0 }), TimeoutError);
  }
  for (const name of ["cancelled", "cancelled and notified"] as const) {
    assertThrows(() => STATES[name]().resultSync({ timeout: 0 }), CancelledError);
    await assertRejects(() => STATES[name]().result({ timeout: 0 }), CancelledError);
    assertThrows(() => STATES[name]().exceptionSync({ timeout: 0 }), CancelledError);
    await assertRejects(() => STATES[name]().exception({ timeout: 0 }), CancelledError);
  }
  assertEquals(STATES.finished().resultSync({ timeout: 0 }), 7);
  assertEquals(STATES.finished().exceptionSync({ timeout: 0 }), null);
  const failed = STATES["finished with an error"]();
  const error = assertThrows(() => failed.resultSync({ timeout: 0 }), RangeError, "failed");
  assertStrictEquals(failed.exceptionSync({ timeout: 0 }), error);
  assertStrictEquals(await failed.exception({ timeout: 0 }), error);
});

test("Future.resultSync() refuses to wait for ever for what only this thread could complete", () => {
  const future = new Future<number>();
  assertThrows(() => future.resultSync(), RuntimeError, "only this thread can complete");
  assertThrows(() => future.exceptionSync({ timeout: null }), RuntimeError);
  assertThrows(() => future.resultSync({ timeout: Infinity }), RuntimeError);
  assertThrows(() => future.resultSync({ timeout: 10 }), TimeoutError, "after 10 ms");
});

test("Future tells all who wait, with any form, of a value", async () => {
  const future = new Future<number>();
  const waits = [
    future.result(),
    future.result({ timeout: 10_000 }),
    future.result({ signal: new AbortController().signal }),
    future.then((value) => value),
    future.finally(() => {}),
    Promise.race([future, new Promise<number>(() => {})]),
  ];
  future.setResult(7);
  assertEquals(await Promise.all(waits), [7, 7, 7, 7, 7, 7]);
});

test("Future tells all who wait, with any form, of an error", async () => {
  const future = new Future<number>();
  const waits = [future.result(), future.then((value) => value), future.finally(() => {})];
  const error = new RangeError("failed");
  const caught = waits.map((wait) => wait.then(() => "value", (e) => e));
  future.setException(error);
  for (const one of caught) assertStrictEquals(await one, error);
  assertStrictEquals(await future.catch((e) => e), error);
  assertEquals(await future.then(null, () => "handled"), "handled");
  assertEquals(await STATES.finished().catch(() => 0), 7);
});

test("Future: cancelling rejects those who wait with CancelledError", async () => {
  const future = new Future<number>();
  const waits = [future.result(), future.exception(), future.then((value) => value)];
  const caught = waits.map((wait) => wait.then(() => "value", (e) => e));
  future.cancel();
  for (const one of caught) assert(CancelledError.is(await one));
});

test("Future: a wait that was given up is not told any more", async () => {
  const future = new Future<number>();
  const controller = new AbortController();
  const aborted = future.result({ signal: controller.signal }).catch((error) => error);
  const late = future.result({ timeout: 1 }).catch((error) => error);
  controller.abort("enough");
  assertEquals(await aborted, "enough");
  assert(TimeoutError.is(await late));
  future.setResult(7);
  assertEquals(await future, 7);
});

test("Future: waits that are given up together take a time in proportion to their number", {
  timeout: 15_000,
}, () => {
  const future = new Future<number>();
  const told: number[] = [];
  const receivers = Array.from({ length: 400_000 }, (_, i) => () => void told.push(i));
  for (const receiver of receivers) futureInternals.whenDone(future, receiver);
  const last = receivers.splice(-2);
  for (const receiver of receivers) futureInternals.forget(future, receiver);
  future.setResult(7);
  assertEquals(told, [receivers.length, receivers.length + last.length - 1]);
});

test("Future.addDoneCallback() calls in order, within the call that completes", () => {
  for (
    const complete of [
      (future: Future<number>) => future.setResult(1),
      (future: Future<number>) => future.setException(new Error("failed")),
      (future: Future<number>) => future.cancel(),
    ]
  ) {
    const future = new Future<number>();
    const seen: string[] = [];
    const twice = (): void => void seen.push("twice");
    future.addDoneCallback(twice);
    future.addDoneCallback((done) => {
      seen.push(done.done() ? "done" : "not done");
      done.addDoneCallback(() => seen.push("inner"));
    });
    future.addDoneCallback(twice);
    complete(future);
    assertEquals(seen, ["twice", "done", "inner", "twice"]);
    future.addDoneCallback(twice);
    assertEquals(seen.length, 5);
  }
});

test("Future.addDoneCallback(): acknowledging a cancellation calls nothing again", () => {
  const future = new Future<number>();
  let calls = 0;
  future.addDoneCallback(() => calls++);
  future.cancel();
  future.setRunningOrNotifyCancel();
  future.cancel();
  assertEquals(calls, 1);
});

test("Future.addDoneCallback() refuses what is no function", () => {
  assertThrows(() => new Future().addDoneCallback(1 as never), TypeError, "expected a function");
});

test("Future: what a callback throws is logged, and the completing call returns", async () => {
  const seen: string[] = [];
  const logged = await errorsLogged(() => {
    const future = new Future<number>();
    future.addDoneCallback(() => {
      throw new Error("first");
    });
    future.addDoneCallback(() => seen.push("second"));
    future.setResult(1);
    future.addDoneCallback(() => {
      throw new Error("late");
    });
    assertEquals(future.resultSync(), 1);
  });
  assertEquals(seen, ["second"]);
  assertEquals(logged.map((call) => (call.at(-1) as Error).message), ["first", "late"]);
});

test("Future.then() returns what behaves as a promise, asked before the outcome or after", async () => {
  const error = new RangeError("thrown");
  const makers: Record<string, (future: Future<number>) => Promise<unknown>> = {
    "a value": (future) => future.then((n) => n + 1),
    "a promise": (future) => future.then((n) => Promise.resolve(n + 1)),
    "a future": (future) => future.then((n) => finishedWith(n + 1)),
    "nothing to call": (future) => future.then().then((n) => n + 1),
    "an error": (future) =>
      future.then(() => {
        throw error;
      }),
    "a promise that rejects": (future) => future.then(() => Promise.reject(error)),
  };
  for (const [what, make] of Object.entries(makers)) {
    const expected = what.includes("error") || what.includes("rejects") ? error : 8;
    for (const isAskedFirst of [true, false]) {
      const future = new Future<number>();
      const returned = make(future);
      const ask = () => [
        Promise.resolve(returned),
        returned.then((value) => value),
        returned.finally(() => {}),
        returned.catch((reason) => Promise.reject(reason)),
      ];
      const early = isAskedFirst ? ask() : [];
      future.setResult(7);
      if (!isAskedFirst) await Promise.resolve(); // So that the callback has been called.
      const asked = [...early, ...ask()].map((promise) => promise.catch((reason) => reason));
      for (const outcome of await Promise.all(asked)) assertStrictEquals(outcome, expected, what);
    }
  }
});

test("Future.then() fails with a TypeError when its callback returns what then() has returned", async () => {
  const states = [
    (future: Future<number>) => future.setResult(1),
    (future: Future<number>) => future.setException(new Error("ignored")),
  ];
  for (const complete of states) {
    for (const isAskedFirst of [true, false]) {
      const future = new Future<number>();
      const returned: Promise<unknown> = future.then(() => returned, () => returned);
      const text = "the callback that settles it has returned it";
      const ask = () => assertRejects(() => returned, TypeError, text);
      const early = isAskedFirst ? ask() : undefined;
      complete(future);
      if (!isAskedFirst) await Promise.resolve(); // So that the callback has been called.
      await Promise.all([early, ask()]);
    }
  }
});

test("Future.then() calls back inside of the lock.run() that it was called in, whoever completes the future", async () => {
  const lock = new RLock();
  const poll = async (): Promise<boolean> => {
    const acquired = await lock.acquire({ blocking: false });
    if (acquired) lock.release();
    return acquired;
  };
  const first = new Future<void>();
  const outside = first.then(poll);
  const second = new Future<void>();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const running = lock.run(async () => {
    first.setResult();
    const inside = second.then(poll);
    await held;
    return await inside;
  });
  assertEquals(await outside, false);
  second.setResult();
  await turn();
  release();
  assertEquals(await running, true);
});

test("Future.then(): what a callback throws is an unhandled rejection unless it is asked for", async () => {
  using unhandled = new UnhandledRejections();
  const errors = ["thrown", "rejected", "in a future"].map((text) => new Error(text));
  const [thrown, rejected, inFuture] = errors;
  finishedWith(1).then(() => {
    throw thrown;
  });
  finishedWith(1).then(() => Promise.reject(rejected));
  finishedWith(1).then(() => {
    const failed = new Future<never>();
    failed.setException(inFuture);
    return failed;
  });
  finishedWith(1).then(() => Promise.reject(new Error("taken"))).catch(() => {});
  await unhandled.reach(errors.length);
  await turn();
  assertEquals(new Set(unhandled.reasons), new Set(errors));
});

function finishedWith(value: number): Future<number> {
  const future = new Future<number>();
  future.setResult(value);
  return future;
}

test("Future: a failed future is an unhandled rejection only once a promise of it was asked for", async () => {
  using unhandled = new UnhandledRejections();
  const silent = new Future<number>();
  silent.addDoneCallback(() => {});
  silent.setException(new Error("unheard"));
  await turn();
  assertEquals(unhandled.reasons, []);
  const asked = new Future<number>();
  asked.then(() => {});
  const error = new Error("heard by nobody");
  asked.setException(error);
  await unhandled.reach(1);
  assertEquals(unhandled.reasons, [error]);
});

test("Future.then(): what its callback returned has a throwing `then`, and all others are told all the same", async () => {
  const first = finishedWith(1);
  const second = finishedWith(2);
  const failing = first.then(() => ({
    get then(): never {
      throw new RangeError("no then");
    },
  }));
  const other = second.then((value) => value);
  assertEquals(await other, 2);
  await assertRejects(() => Promise.resolve(failing), RangeError, "no then");
});

test("Future.setResult() refuses the future itself, which nobody could await", () => {
  const future = new Future<unknown>();
  assertThrows(() => future.setResult(future), TypeError, "its own result");
  assertEquals(future.done(), false);
});

test("Future shows as Future in texts", () => {
  assertEquals(String(new Future()), "[object Future]");
});
