/**
 * Timers and a clock that a test has put in place of the real ones stand still: the package's work
 * with other threads must not.
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AsyncExecutor, Lock, Queue, Thread, ThreadPoolExecutor, TimeoutError } from "../../mod.ts";
import { test } from "../_support/leaks.ts";

/** Far below the time limit of the test. */
const TIMEOUT_MS = 20;

const LIMITS = { timeout: 20_000 };

const globals = globalThis as unknown as Record<string, unknown>;

/** Stops the global timers and the clock until it is disposed of. */
class StoppedTime implements Disposable {
  readonly #now = performance.now;
  readonly #real: ReadonlyMap<string, unknown>;

  constructor() {
    const names = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"];
    this.#real = new Map(names.map((name) => [name, globals[name]]));
    for (const name of names) globals[name] = () => 0;
    const stopped = performance.now();
    performance.now = () => stopped;
  }

  [Symbol.dispose](): void {
    for (const [name, value] of this.#real) globals[name] = value;
    performance.now = this.#now;
  }
}

/** Lets the event loop turn. */
async function turn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(0);
  });
  port1.close();
  port2.close();
}

test("Pools, threads and queues go on while timers and clock are stopped", LIMITS, async () => {
  using _time = new StoppedTime();
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const queue = new Queue<number>();

  // Nothing comes for a while, and then something comes by this thread's event loop.
  const taken = pool.submit((queue: Queue<number>) => queue.getSync(), queue);
  assertEquals(await pool.submit((n: number) => n * n, 12), 144);
  await turn();
  await queue.put(7);
  assertEquals(await taken, 7);

  // More than one turn of the event loop takes in.
  const numbers = Array.from({ length: 20_000 }, (_, i) => i);
  assertEquals(await Promise.all(numbers.map((n) => pool.submit((n: number) => n, n))), numbers);
  assertEquals(await pool.map((n: number) => n, numbers).toArray(), numbers);

  const thread = new Thread({ target: (queue: Queue<number>) => queue.putSync(8), args: [queue] });
  thread.start();
  await thread.join();
  assertEquals(await queue.get(), 8);
  assertEquals(await new AsyncExecutor().submit(async (n: number) => await n, 9), 9);
});

test(
  "Both forms of a wait keep their timeout while timers and clock are stopped",
  LIMITS,
  async () => {
    using _time = new StoppedTime();
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const gate = new Lock();
    await gate.acquire();
    const waiting = pool.submit((gate: Lock) => gate.acquireSync(), gate);

    const options = { timeout: TIMEOUT_MS };
    assertThrows(() => waiting.resultSync(options), TimeoutError);
    await assertRejects(() => waiting.result(options), TimeoutError);
    assertEquals([gate.acquireSync(options), await gate.acquire(options)], [false, false]);
    const endless = new AsyncExecutor().with(options).submit(() => new Promise(() => {}));
    await assertRejects(() => endless.result(), TimeoutError);

    gate.release();
    assertEquals(await waiting, true);
  },
);
