import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  asCompleted,
  Barrier,
  Condition,
  Event,
  Future,
  Lock,
  Queue,
  RLock,
  Semaphore,
  SimpleQueue,
  ThreadPoolExecutor,
  Value,
  wait,
} from "@concurrent/futures";
import { countedSignal } from "../_support/counted_signal.ts";
import { test } from "../_support/leaks.ts";
import { turn } from "../contracts/suite.ts";

/** Values that are passed where options, or an option, belong. */
// deno-lint-ignore no-explicit-any
type Wrong = any;

/** Calls that get such a value in place of their options, as Python would have it. */
const CALLS: Record<string, (wrong: Wrong) => unknown> = {
  "new Lock()": (wrong) => new Lock(wrong),
  "new RLock()": (wrong) => new RLock(wrong),
  "new Event()": (wrong) => new Event(wrong),
  "new Semaphore()": (wrong) => new Semaphore(1, wrong),
  "new Barrier()": (wrong) => new Barrier(2, wrong),
  "new Value()": (wrong) => new Value("i32", 0, wrong),
  "new SimpleQueue()": (wrong) => new SimpleQueue(wrong),
  "new ThreadPoolExecutor()": (wrong) => new ThreadPoolExecutor(wrong),
  "Lock.acquire()": (wrong) => new Lock().acquire(wrong),
  "Lock.acquireSync()": (wrong) => new Lock().acquireSync(wrong),
  "Semaphore.acquire()": (wrong) => new Semaphore(0).acquire(wrong),
  "Event.wait()": (wrong) => new Event().wait(wrong),
  "Event.waitSync()": (wrong) => new Event().waitSync(wrong),
  "Barrier.wait()": (wrong) => new Barrier(2).wait(wrong),
  "Condition.wait()": (wrong) => {
    const condition = new Condition();
    return condition.run(() => condition.wait(wrong));
  },
  "Queue.get()": (wrong) => new Queue().get(wrong),
  "Queue.getSync()": (wrong) => new Queue().getSync(wrong),
  "Future.result()": (wrong) => new Future().result(wrong),
  "Future.resultSync()": (wrong) => new Future().resultSync(wrong),
  "wait()": (wrong) => wait([new Future()], wrong),
  "asCompleted()": (wrong) => asCompleted([new Future()], wrong),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(
    `${name} refuses what is no options, instead of waiting for ever`,
    { timeout: 5_000 },
    async () => {
      const cases = [[5, "5"], [true, "true"], ["a", '"a"'], [null, "null"], [[5], "Array"]];
      for (const [wrong, shown] of cases) {
        await assertRejects(async () => await call(wrong), TypeError, `got ${shown}`);
      }
    },
  );
}

/** Calls that wait for ever, unless this signal ends them. */
const WAITS: Record<string, (signal: Wrong) => unknown> = {
  "Lock.acquire()": (signal) => held(new Lock()).acquire({ signal }),
  "Lock.hold()": (signal) => held(new Lock()).hold({ signal }),
  "Lock.run()": (signal) => held(new Lock()).run(() => {}, { signal }),
  "RLock.acquire()": (signal) => held(new RLock()).acquire({ signal }),
  "Semaphore.acquire()": (signal) => new Semaphore(0).acquire({ signal }),
  "Event.wait()": (signal) => new Event().wait({ signal }),
  "Barrier.wait()": (signal) => new Barrier(2).wait({ signal }),
  "Condition.wait()": (signal) => {
    const condition = new Condition();
    return condition.run(() => condition.wait({ signal }));
  },
  "Condition.waitFor()": (signal) => {
    const condition = new Condition();
    return condition.run(() => condition.waitFor(() => false, { signal }));
  },
  "Queue.get()": (signal) => new Queue().get({ signal }),
  "Queue.getMany()": (signal) => new Queue().getMany(2, { signal }),
  "Queue.put()": (signal) => full().put(2, { signal }),
  "Queue.putMany()": (signal) => full().putMany([2], { signal }),
  "Queue.join()": (signal) => full().join({ signal }),
  "SimpleQueue.get()": (signal) => new SimpleQueue().get({ signal }),
  "Future.result()": (signal) => new Future().result({ signal }),
  "Future.exception()": (signal) => new Future().exception({ signal }),
  "wait()": (signal) => wait([new Future()], { signal }),
  "asCompleted()": (signal) =>
    asCompleted([new Future()], { signal })[Symbol.asyncIterator]().next(),
};

/** A lock that a thread holds, as its blocking form does. */
function held<L extends Lock | RLock>(lock: L): L {
  lock.acquireSync();
  return lock;
}

function full(): Queue<number> {
  const queue = new Queue<number>(1);
  queue.putNowait(1);
  return queue;
}

/** A signal that is no instance of this realm's class. */
function signalOfAnotherRealm(signal: AbortSignal): AbortSignal {
  return {
    get aborted() {
      return signal.aborted;
    },
    get reason() {
      return signal.reason;
    },
    throwIfAborted: () => signal.throwIfAborted(),
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  } as unknown as AbortSignal;
}

for (const [name, call] of Object.entries(WAITS)) {
  test(
    `${name} refuses what is no signal, such as its controller`,
    { timeout: 5_000 },
    async () => {
      const controller = new AbortController();
      const cases = [[controller, "AbortController"], [5, "5"], [{}, "Object"]];
      for (const [wrong, shown] of cases) {
        const text = `signal must be an AbortSignal, got ${shown}`;
        await assertRejects(async () => await call(wrong), TypeError, text);
      }
      const reason = new Error("enough");
      const ended = assertRejects(
        async () => await call(signalOfAnotherRealm(controller.signal)),
        Error,
      );
      controller.abort(reason);
      assertStrictEquals(await ended, reason);
    },
  );

  test(`${name} listens to a signal once, however many calls have it`, async () => {
    const { controller, signal, listeners, added } = countedSignal();
    const reason = new Error("enough");
    const ended = Array.from(
      { length: 10 },
      () => assertRejects(async () => await call(signal), Error, "enough"),
    );
    await turn();
    assertEquals([listeners(), added()], [1, 1]);
    controller.abort(reason);
    await Promise.all(ended);
    assertEquals(listeners(), 0);
  });
}
