/** A worker that claims a task, and shows late that it runs it, does not keep the tasks behind it from their workers. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { load } from "../../_platform/atomics.ts";
import type { WorkerThread } from "../../_platform/mod.ts";
import { Arena } from "../../_memory/arena.ts";
import { TASK_RING } from "../../_memory/layout.ts";
import { bellOf } from "../../_memory/seat.ts";
import { OwnedTaskRing, SLOT, TaskRing } from "../../_memory/task_ring.ts";
import { ThreadTable } from "../../_memory/thread_table.ts";
import { MailboxWriter } from "../../executors/_mailbox.ts";
import { poolSettings } from "../../executors/_pool_options.ts";
import { KIND, type StartMessage } from "../../executors/_protocol.ts";
import { startWorkerThread } from "../../executors/_worker_handle.ts";
import { WorkerPool } from "../../executors/_worker_pool.ts";
import { WorkerState } from "../../executors/_worker_state.ts";
import { BrokenThreadPool } from "../../executors/errors.ts";
import { test } from "../_support/leaks.ts";
import { Gate, until } from "../failure/_support.ts";
import { hold, noop } from "../failure/_tasks.ts";

type StartThread = (name: string, onError: (message: string) => void) => WorkerThread;

function makePool(startThread: StartThread): WorkerPool {
  return new WorkerPool(poolSettings("crew", { maxWorkers: 2 }), {
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

/** A worker that does what the test does in its place, step by step. */
class Puppet implements WorkerThread {
  ring!: TaskRing;
  state!: WorkerState;
  #port!: MessagePort;
  #mail!: MailboxWriter;
  readonly fail: (message: string) => void;

  constructor(onError: (message: string) => void) {
    this.fail = onError;
  }

  post(start: StartMessage): void {
    this.ring = new TaskRing(start.ring);
    this.state = new WorkerState(start.state);
    this.#port = start.port;
    this.#mail = new MailboxWriter(
      this.state.records,
      new Arena(start.results),
      start.port,
      bellOf(new ThreadTable(start.threads), start.ownerThread),
    );
  }

  /** Claims a task, and does not show that it runs it. */
  claim(): number {
    assert(this.state.mayClaim());
    const number = this.ring.claim(0);
    assert(number >= 0);
    return number;
  }

  /** Shows it. */
  begin(number: number): void {
    const task = this.ring.words[this.ring.slotOf(number) + SLOT.TASK];
    this.state.begin(number, task);
    if (this.ring.mustTell()) this.#mail.write(KIND.BEGUN, task, undefined);
  }

  terminate(): void {
    this.#port.close();
  }

  whenGone(): Promise<boolean> {
    return new Promise(() => {});
  }
}

test("A crew starts a worker for a task that a worker seemed to be free for when its owner fell asleep", async () => {
  const puppets: Puppet[] = [];
  const pool = makePool((_name, onError) => {
    puppets.push(new Puppet(onError));
    return puppets.at(-1)!;
  });
  const futures = [pool.submit(noop, [], undefined, 0)];
  const [first] = puppets;
  const number = first.claim();
  futures.push(pool.submit(noop, [], undefined, 0));
  await until(() => isAsked(first.ring));
  assertEquals(puppets.length, 1);
  first.begin(number);
  await until(() => puppets.length === 2);
  assertEquals(isAsked(first.ring), false);
  for (const puppet of puppets) puppet.fail("it was taken off its strings");
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenThreadPool);
});

test("A crew starts a worker at once for a task that no worker is free for", async () => {
  const puppets: Puppet[] = [];
  const pool = makePool((_name, onError) => {
    puppets.push(new Puppet(onError));
    return puppets.at(-1)!;
  });
  const futures = [pool.submit(noop, [], undefined, 0)];
  puppets[0].begin(puppets[0].claim());
  futures.push(pool.submit(noop, [], undefined, 0));
  assertEquals(puppets.length, 2);
  for (const puppet of puppets) puppet.fail("it was taken off its strings");
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenThreadPool);
});

test("A worker that begins a task while others wait tells an owner that has asked, and no other one", async () => {
  let ring: OwnedTaskRing;
  const pool = makePool((name, onError) => {
    const thread = startWorkerThread(name, onError);
    return {
      post: (message, transfer) => {
        if ("ring" in (message as StartMessage)) {
          ring = new OwnedTaskRing((message as StartMessage).ring);
          ring.ask();
        }
        thread.post(message, transfer);
      },
      terminate: () => thread.terminate(),
      whenGone: (name, signal) => thread.whenGone(name, signal),
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
