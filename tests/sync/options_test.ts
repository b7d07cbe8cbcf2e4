import { assertRejects } from "@std/assert";
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
import { test } from "../_support/leaks.ts";

/** Values that are passed where options belong. */
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
