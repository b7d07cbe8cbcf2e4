/**
 * What a pool makes of its workers' words, step by step: a worker that claims a task, and is late
 * to show that it runs it, does not keep the tasks behind it from other workers; nor does one that
 * is about to sleep.
 */

import { assert, assertAlmostEquals, assertEquals, assertInstanceOf } from "@std/assert";
import { load, store } from "../../_platform/atomics.ts";
import { platform, type WorkerThread } from "../../_platform/mod.ts";
import { clock } from "../../_platform/timers.ts";
import { Arena } from "../../_memory/arena.ts";
import { TASK_RING, WORKER } from "../../_memory/layout.ts";
import { bellOf } from "../../_memory/seat.ts";
import { OwnedTaskRing, SLOT, TaskRing } from "../../_memory/task_ring.ts";
import { ThreadTable } from "../../_memory/thread_table.ts";
import { MailboxWriter } from "../../executors/_mailbox.ts";
import { type PoolOptions, poolSettings } from "../../executors/_pool_options.ts";
import { KIND, type StartMessage } from "../../executors/_protocol.ts";
import { startWorkerThread } from "../../executors/_worker_link.ts";
import { WorkerPool } from "../../executors/_worker_pool.ts";
import { WorkerState } from "../../executors/_worker_state.ts";
import type { ChildThread } from "../../executors/_process_client.ts";
import { BrokenThreadPool } from "../../executors/errors.ts";
import type { Future } from "../../executors/future.ts";
import { test } from "../_support/leaks.ts";
import { Gate, until } from "../failure/_support.ts";
import { hold, noop } from "../failure/_tasks.ts";

/** How many slots the ring has. */
const SLOTS = 1024;

type StartThread = (name: string, onError: (message: string) => void) => WorkerThread;

function makePool(startThread: StartThread, options?: PoolOptions): WorkerPool {
  return new WorkerPool(poolSettings("crew", { maxWorkers: 2, ...options }), {
    Broken: BrokenThreadPool,
    exports: undefined,
    chunkMs: 2,
    startThread,
    close() {},
  });
}

function isAsked(ring: TaskRing): boolean {
  return load(ring.words, TASK_RING.ASKED) === 1;
}

/** A worker whose steps the test does in its place. */
class Puppet implements WorkerThread {
  ring!: TaskRing;
  state!: WorkerState;
  #number = 0;
  #port!: MessagePort;
  #mail!: MailboxWriter;
  readonly fail: (message: string) => void;
  /** The signals that it was sent, as a process. */
  readonly signals: string[] = [];

  constructor(onError: (message: string) => void) {
    this.fail = onError;
  }

  post(start: StartMessage): void {
    this.ring = new TaskRing(start.ring);
    this.state = new WorkerState(start.state);
    this.#number = start.number;
    this.#port = start.port;
    this.#mail = new MailboxWriter(
      this.state.records,
      new Arena(start.results),
      start.port,
      bellOf(new ThreadTable(start.threads), start.ownerThread),
    );
  }

  /** Claims a task without showing that it runs it. */
  claim(): number {
    assert(this.state.mayClaim());
    const number = this.ring.claim(this.#number);
    assert(number >= 0);
    return number;
  }

  /** Shows that it runs the task; returns the task's index. */
  show(number: number): number {
    const task = this.ring.words[this.ring.slotOf(number) + SLOT.TASK];
    this.state.begin(number, task);
    if (this.ring.mustTell()) this.#mail.write(KIND.BEGUN, task, undefined);
    return task;
  }

  /** Gives back the task's slot; returns false if the owner has done so already. */
  release(number: number): boolean {
    return this.ring.release(number, this.#number);
  }

  /** Does both: shows that it runs the task, and gives back the slot. */
  begin(number: number): number {
    const task = this.show(number);
    assert(this.release(number));
    return task;
  }

  /** Writes a task's result. */
  tell(task: number, value: unknown): void {
    this.#mail.write(KIND.RESULT, task, value);
  }

  /** Writes a record of its own end, as a process does. */
  tellEnd(tasks: readonly number[]): void {
    this.#mail.write(KIND.ENDED, 0, ["process 7 was ended", undefined, tasks]);
  }

  terminate(): void {
    this.#port.close();
  }

  whenGone(): Promise<boolean> {
    return new Promise(() => {});
  }

  isGone(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

/**
 * Like {@linkcode Puppet}, in place of a process, which can be killed: the test says when it has
 * ended.
 */
class ChildPuppet extends Puppet implements ChildThread {
  kill(signal: string): void {
    this.signals.push(signal);
  }

  stop(): void {}
}

/** A pool of puppets, and these in the order in which they are started; at most `most` can be. */
function puppetPool(
  options?: PoolOptions,
  most = Infinity,
  Made = Puppet,
): [WorkerPool, Puppet[]] {
  const puppets: Puppet[] = [];
  const pool = makePool((_name, onError) => {
    if (puppets.length >= most) throw new Error("no more threads");
    puppets.push(new Made(onError));
    return puppets.at(-1)!;
  }, options);
  return [pool, puppets];
}

/** A pool of two workers that each run a task. */
function twoRunning(
  Made: typeof Puppet,
): [WorkerPool, { puppet: Puppet; task: number }[], Future<unknown>[]] {
  const [pool, puppets] = puppetPool({}, 2, Made);
  const futures: Future<unknown>[] = [];
  const running = [0, 1].map((i) => {
    futures.push(pool.submit(noop, [], undefined, 0));
    const puppet = puppets[i];
    puppet.state.setReady();
    return { puppet, task: puppet.begin(puppet.claim()) };
  });
  return [pool, running, futures];
}

function dropAll(puppets: readonly Puppet[]): void {
  for (const puppet of puppets) puppet.fail("it was taken off its strings");
}

test("A crew starts a worker for a task that a worker seemed to be free for when its owner fell asleep", async () => {
  const [pool, puppets] = puppetPool();
  const futures = [pool.submit(noop, [], undefined, 0)];
  const [first] = puppets;
  const number = first.claim();
  futures.push(pool.submit(noop, [], undefined, 0));
  await until(() => isAsked(first.ring));
  assertEquals(puppets.length, 1);
  first.begin(number);
  await until(() => puppets.length === 2);
  assertEquals(isAsked(first.ring), false);
  dropAll(puppets);
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenThreadPool);
});

test("A crew starts a worker at once for a task that no worker is free for", async () => {
  const [pool, puppets] = puppetPool();
  const futures = [pool.submit(noop, [], undefined, 0)];
  puppets[0].begin(puppets[0].claim());
  futures.push(pool.submit(noop, [], undefined, 0));
  assertEquals(puppets.length, 2);
  dropAll(puppets);
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenThreadPool);
});

test("A lost worker does not take along a task that has the index of the one it finished last", async () => {
  const [pool, puppets] = puppetPool({ onWorkerLost: "replace" });
  const finished = pool.submit(noop, [], undefined, 0);
  const [first] = puppets;
  first.state.setReady();
  first.tell(first.begin(first.claim()), "finished");
  assertEquals(await finished, "finished");
  const waiting = pool.submit(noop, [], undefined, 0);
  // The worker still shows its last task, as its event loop turns; in that turn, a timer throws.
  first.fail("a timer threw");
  await until(() => puppets.length === 2);
  const second = puppets[1];
  second.tell(second.begin(second.claim()), "waiting");
  assertEquals(await waiting, "waiting");
  dropAll(puppets);
  await pool.whenClosed();
});

for (const isLost of [false, true]) {
  const fate = isLost ? "lost" : "abandoned";
  test(`A worker that is ${fate} as it copies its task neither keeps the slot nor gives back another one's`, async () => {
    const [pool, puppets] = puppetPool({ maxWorkers: 1, onWorkerLost: "replace" });
    const controller = new AbortController();
    const { signal } = controller;
    const first = pool.submit(noop, [], { signal }, 0);
    const [late] = puppets;
    late.state.setReady();
    const number = late.claim();
    late.show(number);
    if (isLost) late.fail("it fell over");
    else controller.abort(new Error("enough"));
    assert(await first.exception());
    await until(() => pool.stats()[fate] === 1);
    // The last task gets this very slot. All of them are run by a worker that has the late one's
    // number.
    for (let i = 1; i <= SLOTS; i++) {
      const future = pool.submit(noop, [], undefined, 0);
      const next = puppets[1];
      const isLast = i === SLOTS;
      if (isLast) assertEquals(late.release(number), false);
      const claimed = next.claim();
      if (isLast) assertEquals(claimed, number + SLOTS);
      if (isLast) assertEquals(late.release(number), false);
      next.tell(next.begin(claimed), i);
      assertEquals(await future, i);
    }
    dropAll(puppets.slice(1));
    pool.shutdown(false);
    await pool.whenClosed();
  });
}

test("What a worker has finished when its pool breaks is finished", async () => {
  const [pool, [first, second], futures] = twoRunning(Puppet);
  first.puppet.tell(first.task, "finished");
  second.puppet.fail("a timer threw");
  assertEquals(await futures[0], "finished");
  assertInstanceOf(await futures[1].exception(), BrokenThreadPool);
  await pool.whenClosed();
});

test("Workers that are lost together break their pool once", async () => {
  const [pool, [first, second], futures] = twoRunning(ChildPuppet);
  for (const { puppet, task } of [first, second]) puppet.tellEnd([task]);
  for (const future of futures) {
    assertInstanceOf(await future.exception(), BrokenThreadPool);
  }
  assertEquals([pool.stats().lost, pool.stats().failed], [2, 2]);
  await pool.whenClosed();
});

test("What a process finishes after its pool has broken, and before it is dead, comes too late", async () => {
  const [pool, [first, second], futures] = twoRunning(ChildPuppet);
  second.puppet.tellEnd([second.task]);
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenThreadPool);
  assertEquals(first.puppet.signals, ["SIGKILL"]);
  first.puppet.tell(first.task, "finished");
  first.puppet.tellEnd([]);
  await pool.whenClosed();
  const { completed, failed } = pool.stats();
  assertEquals([completed, failed], [0, 2]);
});

test("A thread does not block on for a future that fails on its way to sleep", async () => {
  const [pool, puppets] = puppetPool({}, 1);
  pool.submit(noop, [], undefined, 0);
  const number = puppets[0].claim();
  const waiting = pool.submit(noop, [], undefined, 0);
  puppets[0].begin(number);
  // A second worker should be started for it now, which fails, and so the pool breaks.
  const error = waiting.exceptionSync({ timeout: 10_000 });
  assertInstanceOf(error, BrokenThreadPool);
  await pool.whenClosed();
});

test("A worker is counted as asleep before it can be woken", async () => {
  const ring = new OwnedTaskRing();
  ring.publish();
  const state = new WorkerState();
  const words = new Int32Array(state.buffer);
  const seen: number[] = [];
  // The first look at the ring's words is for the count.
  const watched = new Proxy(ring, {
    get: (target, key) => {
      if (key === "words") seen.push(load(words, WORKER.STATE));
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await state.sleep(watched, undefined);
  const awake = load(words, WORKER.STATE);
  assertEquals(seen[0], awake);
  assertEquals(load(ring.words, TASK_RING.SLEEPING), 0);
});

const NEEDS_CORES = { ignore: platform.cores < 2 };

test("A worker spins for longer only while a processor is free beside it", NEEDS_CORES, () => {
  const { now } = clock;
  let nowMs = 0;
  clock.now = () => nowMs;
  const { cores } = platform;
  const ring = new OwnedTaskRing();
  let readyMs = 0;
  ring.hasReady = () => (nowMs += 0.0001) >= readyMs;
  const spinMs = (state: WorkerState, ms: number): number => {
    const startMs = nowMs;
    readyMs = startMs + ms;
    assertEquals(state.look(ring, 0.2), ms !== Infinity);
    return nowMs - startMs;
  };
  try {
    for (
      const [workers, sleeping, expectedMs] of [
        [cores - 1, 0, 0.1],
        [cores + 1, 2, 0.1],
        [cores, 0, 0.02],
        [cores + 1, 1, 0.02],
      ]
    ) {
      const state = new WorkerState();
      store(ring.words, TASK_RING.WORKERS, 1);
      store(ring.words, TASK_RING.SLEEPING, 0);
      for (const ms of [0.015, 0.027, 0.05]) for (let i = 0; i < 30; i++) spinMs(state, ms);
      store(ring.words, TASK_RING.WORKERS, workers);
      store(ring.words, TASK_RING.SLEEPING, sleeping);
      assertAlmostEquals(spinMs(state, Infinity), expectedMs, 0.005);
    }
  } finally {
    clock.now = now;
  }
});

test("A worker that begins a task while others wait tells an owner that has asked, and no other one", async () => {
  let ring: OwnedTaskRing;
  const pool = makePool((name, onError) => {
    const thread = startWorkerThread(name, onError);
    return {
      post: (message, transfer) => {
        if ("ring" in (message as StartMessage)) {
          ring = new OwnedTaskRing((message as StartMessage).ring);
          ring.ask(false);
        }
        thread.post(message, transfer);
      },
      terminate: () => thread.terminate(),
      whenGone: (name, signal) => thread.whenGone(name, signal),
      isGone: () => Promise.resolve(false),
    };
  });
  using gate = new Gate();
  const alone = pool.submit(hold, [gate.words], undefined, 0);
  await gate.arrived();
  assert(isAsked(ring!), "nothing waits");
  const behind = Array.from({ length: 8 }, () => pool.submit(noop, [], undefined, 0));
  await until(() => !isAsked(ring!));
  gate.open();
  await Promise.all([alone, ...behind]);
  pool.shutdown(false);
  await pool.whenClosed();
});
