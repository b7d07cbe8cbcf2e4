/** The tasks of the locks' failure tests in processes. */

import { task } from "@concurrent/futures/task";
import type { Queue } from "@concurrent/futures/queue";
import { type Barrier, Condition, type Lock, type RLock } from "@concurrent/futures/sync";
import { type End, endAtGate } from "../_support/process_tasks.ts";
import { enterGate, gateOpens, gateOpensSync, type GateParts } from "../contracts/gate_parts.ts";
import { blockFor, take } from "./_lock_acts.ts";
import type { AnyLock, Waitable } from "./_waiters.ts";

function never(): Promise<never> {
  return new Promise(() => {});
}

// Owners

/** Acquires, and ends its process once the gate opens. */
export const holdAndEnd = task(
  import.meta,
  async function holdAndEnd(locks: AnyLock[], gate: GateParts, how: End): Promise<void> {
    take(locks);
    await endAtGate(gate, how);
  },
);

/** Acquires, and returns without releasing once the gate opens. */
export const holdAndReturn = task(
  import.meta,
  function holdAndReturn(locks: AnyLock[], gate: GateParts): void {
    take(locks);
    enterGate(gate);
    gateOpensSync(gate);
  },
);

/** Acquires, and computes for ever. */
export const holdAndSpin = task(
  import.meta,
  function holdAndSpin(locks: AnyLock[], gate: GateParts): never {
    take(locks);
    enterGate(gate);
    for (;;);
  },
);

/** Acquires asynchronously, and never settles. */
export const holdAndPend = task(
  import.meta,
  async function holdAndPend(locks: AnyLock[], gate: GateParts): Promise<never> {
    for (const lock of locks) await lock.acquire();
    enterGate(gate);
    return await never();
  },
);

/** Acquires within `run` calls, and never settles. */
export const runAndPend = task(
  import.meta,
  async function runAndPend(locks: AnyLock[], gate: GateParts): Promise<never> {
    const [first, ...rest] = locks;
    if (first !== undefined) return await first.run(() => runAndPend(rest, gate)) as never;
    enterGate(gate);
    return await never();
  },
);

/** Acquires, and blocks for another object. */
export const holdAndBlock = task(
  import.meta,
  function holdAndBlock(locks: AnyLock[], gate: GateParts, what: Waitable): void {
    take(locks);
    enterGate(gate);
    blockFor(what);
  },
);

/** Acquires, notifies one waiter, and ends its process once the gate opens. */
export const notifyAndEnd = task(
  import.meta,
  async function notifyAndEnd(condition: Condition, gate: GateParts): Promise<void> {
    condition.acquireSync();
    condition.notify();
    await endAtGate(gate, "kill");
  },
);

/**
 * Takes a lock over when the first gate opens, unless another thread does, and releases it when the
 * second opens. Returns whether it has taken it over.
 */
export const recoverAtGate = task(
  import.meta,
  function recoverAtGate(lock: Lock | RLock, start: GateParts, end: GateParts): boolean {
    enterGate(start);
    gateOpensSync(start);
    const isMine = lock.recover();
    enterGate(end);
    gateOpensSync(end);
    if (isMine) lock.release();
    return isMine;
  },
);

// Waiters

/** Blocks for an object that it never gets. */
export const block = task(import.meta, function block(what: Waitable): void {
  blockFor(what);
});

/** Waits asynchronously, with a signal that aborts once the gate opens. */
export const waitAborted = task(
  import.meta,
  async function waitAborted(condition: Condition, gate: GateParts): Promise<void> {
    await condition.acquire();
    const controller = new AbortController();
    const waiting = condition.wait({ signal: controller.signal });
    await gateOpens(gate);
    controller.abort(new Error("given up"));
    await waiting;
  },
);

/**
 * Waits for a condition in two async tasks, one after the other. The first must lose the lock: it
 * comes to the gate then, and once more when its guard has been disposed of after the gate has
 * opened. Returns the outcomes of both.
 */
export const waitTwice = task(
  import.meta,
  async function waitTwice(condition: Condition, gate: GateParts): Promise<string[]> {
    const losing = (async () => {
      using _ = await condition.hold();
      try {
        return String(await condition.wait());
      } catch (error) {
        enterGate(gate);
        await gateOpens(gate);
        return (error as Error).name;
      }
    })();
    losing.then(() => enterGate(gate));
    const waiting = condition.run(async () => String(await condition.wait()));
    return await Promise.all([losing, waiting]);
  },
);

/**
 * Holds a lock by one of the objects that share it, waits for another of them, and must lose the
 * lock: it comes to the gate then, and once more when the guard has been disposed of after the gate
 * has opened. Returns what the wait threw.
 */
export const loseBetween = task(
  import.meta,
  async function loseBetween(
    holds: Lock | RLock | Condition,
    condition: Condition,
    gate: GateParts,
  ): Promise<string> {
    let thrown = "nothing";
    {
      using _ = await holds.hold();
      try {
        await condition.wait();
      } catch (error) {
        thrown = (error as Error).name;
        enterGate(gate);
        await gateOpens(gate);
      }
    }
    enterGate(gate);
    return thrown;
  },
);

/** Waits for each of the objects asynchronously, and for ever. */
export const awaitEach = task(
  import.meta,
  async function awaitEach(objects: Waitable[], isDeaf: boolean, gate: GateParts): Promise<never> {
    for (const what of objects) {
      if (what instanceof Condition) what.run(() => what.wait());
      else if ("acquire" in what) what.acquire();
      else what.wait();
    }
    if (isDeaf) {
      await gateOpens(gate);
      for (;;);
    }
    return await never();
  },
);

// Barriers

/** Comes to the barrier last, with an action that kills its process once the gate opens. */
export const actAndDie = task(
  import.meta,
  async function actAndDie(barrier: Barrier, gate: GateParts, blocks: boolean): Promise<void> {
    if (blocks) {
      barrier.action = () => {
        enterGate(gate);
        gateOpensSync(gate);
        Deno.kill(Deno.pid, "SIGKILL");
      };
      barrier.waitSync();
    } else {
      barrier.action = () => endAtGate(gate, "kill");
      await barrier.wait();
    }
  },
);

// Queues

/** Waits for a queue in the given way, for ever. */
export const waitAtQueue = task(
  import.meta,
  async function waitAtQueue(queue: Queue<unknown>, how: string): Promise<void> {
    await QUEUE_WAITS[how](queue);
  },
);

/** The ways of waiting. */
const QUEUE_WAITS: Record<string, (queue: Queue<unknown>) => unknown> = {
  "get()": (queue) => queue.get(),
  "getSync()": (queue) => queue.getSync(),
  "getMany()": (queue) => queue.getMany(3),
  "getManySync()": (queue) => queue.getManySync(3),
  "put()": (queue) => queue.put("lost"),
  "putSync()": (queue) => queue.putSync("lost"),
  "putMany()": (queue) => queue.putMany(["lost", "lost"]),
  "putManySync()": (queue) => queue.putManySync(["lost", "lost"]),
  "join()": (queue) => queue.join(),
  "joinSync()": (queue) => queue.joinSync(),
};

/** The names of these ways, by what is waited for. */
export const WAYS = {
  getters: ["get()", "getSync()", "getMany()", "getManySync()"],
  putters: ["put()", "putSync()", "putMany()", "putManySync()"],
  joiners: ["join()", "joinSync()"],
} as const;

/**
 * Waits for an item asynchronously, comes to the gate, and computes for ever: the item reaches the
 * process, but not its code.
 */
export const getDeaf = task(
  import.meta,
  function getDeaf(queue: Queue<unknown>, gate: GateParts): never {
    queue.get();
    enterGate(gate);
    for (;;);
  },
);

/** Puts and takes for ever. */
export const churn = task(
  import.meta,
  async function churn(queue: Queue<unknown>, lock: Lock, gate: GateParts): Promise<never> {
    enterGate(gate);
    const item = { bytes: new Uint8Array(20_000), text: "x".repeat(5000) };
    for (let i = 0;; i++) {
      using _ = i % 2 === 0 ? lock.holdSync() : await lock.hold();
      if (i % 3 === 0) queue.putSync(item);
      else await queue.put(item);
      queue.getManySync(2);
    }
  },
);
