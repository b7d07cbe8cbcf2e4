/**
 * Waiting tasks leave by priority, and in order within a priority, however many priorities there
 * are and were. Nothing is kept of those that were taken back.
 */

import { assert, assertEquals } from "@std/assert";
import { Event, ThreadPoolExecutor } from "@concurrent/futures";
import { memoryUsage } from "node:process";
import { SLOT } from "../../_memory/task_ring.ts";
import { Backlog } from "../../executors/_backlog.ts";
import { nextMessage } from "../../_platform/_web.ts";
import { platform } from "../../_platform/mod.ts";
import { TaskQueue } from "../../executors/_task_queue.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { randomNumbers } from "../stress/random.ts";

/** Adds a task whose payload is its own number. */
function push(backlog: Backlog, task: number, priority: number): void {
  const { words, start } = backlog.reserve(priority);
  words[start] = task;
  backlog.commit(task, 0, 0, start + 1);
}

/** Removes the next task; returns its number. */
function pull(backlog: Backlog): number {
  const { task, words, start, end } = backlog.peek()!;
  assertEquals([words[start], end - start], [task, 1]);
  backlog.shift();
  return task;
}

Deno.test("Backlog gives tasks by priority, and those of one priority in order", () => {
  const random = randomNumbers(1);
  const backlog = new Backlog();
  const model: { task: number; priority: number }[] = [];
  for (let task = 0; task < 20_000; task++) {
    // It grows and shrinks in turn.
    const isGrowing = task % 4000 < 2000;
    const priority = Math.floor(random() * 40) - 20;
    if (random() < 0.1) backlog.reserve(priority); // Its arguments cannot be sent: it is not committed.
    push(backlog, task, priority);
    const at = model.findIndex((other) => other.priority < priority);
    model.splice(at < 0 ? model.length : at, 0, { task, priority });
    for (let i = random() * (isGrowing ? 1.5 : 3); i > 1 && model.length > 0; i--) {
      assertEquals(pull(backlog), model.shift()!.task);
    }
    assertEquals(backlog.length, model.length);
  }
  while (model.length > 0) assertEquals(pull(backlog), model.shift()!.task);
  assertEquals(backlog.peek(), undefined);
});

Deno.test("Backlog keeps a task that is being written while the others leave", () => {
  const backlog = new Backlog();
  push(backlog, 1, 5);
  const { words, start } = backlog.reserve(5);
  words[start] = 2;
  assertEquals(pull(backlog), 1);
  assertEquals(backlog.peek(), undefined);
  backlog.commit(2, 0, 0, start + 1);
  assertEquals(pull(backlog), 2);
});

Deno.test("Backlog keeps nothing of priorities that no waiting task has", () => {
  const backlog = new Backlog();
  const before = memoryUsage().external;
  for (let task = 0; task < 5000; task++) {
    if (task % 2 === 0) backlog.reserve(task + 0.5);
    push(backlog, task, task);
    pull(backlog);
  }
  const grown = memoryUsage().external - before;
  assert(grown < 50_000_000, `${grown} bytes`);
});

/** A queue of tasks whose workers claim nothing unless told to, and the tasks that were dropped. */
function createQueue(): { queue: TaskQueue; dropped: Set<number> } {
  const dropped = new Set<number>();
  const queue = new TaskQueue(2, (task) => dropped.add(task), () => {}, undefined);
  return { queue, dropped };
}

/** Has a worker claim all tasks; returns them in the order in which they leave. */
function claimAll(queue: TaskQueue): number[] {
  const { ring } = queue;
  const tasks: number[] = [];
  for (;;) {
    const number = ring.claim(1);
    if (number >= 0) {
      tasks.push(ring.words[ring.slotOf(number) + SLOT.TASK]);
      ring.release(number, 1);
    } else {
      queue.refill();
      if (!ring.hasReady()) return tasks;
    }
  }
}

Deno.test("TaskQueue removes tasks that were taken back although none leaves", () => {
  const random = randomNumbers(2);
  const { queue, dropped } = createQueue();
  const waiting = new Map<number, number[]>([[2, []], [1, []], [0, []]]);
  const takenBack: number[] = [];
  for (let task = 0; task < 10_000; task++) {
    const priority = task % 3;
    queue.push(task, 0, 0, [task % 5 === 0 ? new Uint8Array(1000) : task], { priority });
    if (task > 2000 && random() < 0.9) {
      assertEquals(queue.takeBack(task), "left in backlog");
      takenBack.push(task);
    } else if (task > 1) waiting.get(priority)!.push(task);
  }
  queue.refill();
  const left = [...waiting.values()].flat();
  const kept = takenBack.length - dropped.size;
  assert(kept <= left.length, `${kept} kept of ${takenBack.length}, beside ${left.length}`);
  // The first two were in the ring when priorities were first used.
  assertEquals(claimAll(queue), [0, 1, ...left]);
  assertEquals([...dropped].sort((a, b) => a - b), takenBack);
});

Deno.test("TaskQueue keeps a task whose getter has most of the others taken back", () => {
  const { queue, dropped } = createQueue();
  const takeBackAndRefill = {
    get value() {
      for (let task = 10; task < 4000; task++) queue.takeBack(task);
      queue.refill();
      return 1;
    },
  };
  for (let task = 0; task < 4000; task++) queue.push(task, 0, 0, [task], { priority: 1 });
  queue.push(4000, 0, 0, [takeBackAndRefill], { priority: 1 });
  queue.refill();
  assert(dropped.size > 2900, `${dropped.size}`);
  assertEquals(claimAll(queue), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4000]);
  assertEquals(dropped.size, 3990);
});

Deno.test("TaskQueue keeps no room in the arena for tasks that one with a priority overtakes", () => {
  const { queue } = createQueue();
  const { arena } = queue;
  for (let task = 0; task < 10; task++) queue.push(task, 0, 0, [new Uint8Array(1e5)], undefined);
  queue.push(10, 0, 0, [10], { priority: 1 });
  // The first two stay in the ring.
  const block = arena.allocate(arena.largestBlock - 3e5);
  assert(block >= 0);
  arena.release(block);
  assertEquals(claimAll(queue), [0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9]);
});

// Deno keeps a port open whose partner is closed.
const KEEPS_PORT = { sanitizeResources: false };

test("TaskQueue closes its end of a port only where the message is there", KEEPS_PORT, async () => {
  const { servesBlocked } = platform;
  const { close } = MessagePort.prototype;
  const closed = new Set<MessagePort>();
  MessagePort.prototype.close = function () {
    closed.add(this);
    close.call(this);
  };
  const { port1, port2 } = new MessageChannel();
  try {
    for (const serves of [true, false]) {
      Object.assign(platform, { servesBlocked: serves });
      const { queue } = createQueue();
      const { port1: argument, port2: rest } = new MessageChannel();
      queue.push(1, 0, 0, [argument], { transfer: [argument] });
      queue.sendParked(1, (port) => port1.postMessage(port, [port]));
      const worker = await nextMessage(port2) as MessagePort;
      assertEquals(closed.size, serves ? 1 : 0);
      await nextMessage(worker);
      worker.close();
      rest.close();
      closed.clear();
    }
  } finally {
    Object.assign(platform, { servesBlocked });
    MessagePort.prototype.close = close;
    port1.close();
  }
});

test("submit() hands large arguments over intact although a task with a priority goes first", async () => {
  using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const [begun, gate] = [new Event(), new Event()];
  const held = pool.submit(
    (begun: Event, gate: Event) => {
      begun.set();
      gate.waitSync();
    },
    begun,
    gate,
  );
  await begun.wait();
  const order: number[] = [];
  const take = (bytes: Uint8Array, shared?: Uint8Array): number[] => [
    bytes.length,
    bytes.findIndex((byte) => byte !== bytes[0]),
    bytes[0],
    shared?.[0] ?? 0,
  ];
  const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(9);
  const tasks = [1, 2, 3, 4, 5, 6].map((n) => {
    const bytes = new Uint8Array(200_000).fill(n);
    const future = n % 2 === 0 ? pool.submit(take, bytes, shared) : pool.submit(take, bytes);
    future.addDoneCallback(() => order.push(n));
    return future;
  });
  const first = pool.with({ priority: 1 }).submit(take, new Uint8Array(300_000).fill(7));
  first.addDoneCallback(() => order.push(7));
  gate.set();
  await held;
  assertEquals(await first, [300_000, -1, 7, 0]);
  assertEquals(
    await Promise.all(tasks),
    [1, 2, 3, 4, 5, 6].map((n) => [200_000, -1, n, n % 2 === 0 ? 9 : 0]),
  );
  // The first of the others was in the ring already.
  assertEquals(order, [1, 7, 2, 3, 4, 5, 6]);
});

test("submit() keeps no large arguments of tasks that were cancelled behind one that does not end", async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Event, ThreadPoolExecutor } from "@concurrent/futures";
    import { memoryUsage } from "node:process";
    using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [begun, gate] = [new Event(), new Event()];
    const long = pool.submit((begun, gate) => { begun.set(); gate.waitSync(); }, begun, gate);
    await begun.wait();
    const kept = [1, 2, 3].map((priority) => pool.with({ priority }).submit((n) => n, priority));
    const before = memoryUsage().external;
    for (let i = 0; i < 500; i++) pool.submit((a) => a, new Uint8Array(500_000)).cancel();
    for (let i = 0; i < 100 && memoryUsage().external - before > 50_000_000; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    console.log(memoryUsage().external - before <= 50_000_000);
    gate.set();
    console.log(await Promise.all([long, ...kept]));
    `,
    { permissions: ["-A", "--v8-flags=--expose-gc"] },
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout, "true\n[ undefined, 1, 2, 3 ]\n");
});
