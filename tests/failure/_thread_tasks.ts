/** The targets of the threads of `thread_end_test.ts`. */

import { task } from "@concurrent/futures/task";
import type { Queue } from "@concurrent/futures/queue";
import type { Lock } from "@concurrent/futures/sync";
import { currentThread, Thread } from "@concurrent/futures";
import { type End, endInTask, hold } from "./_tasks.ts";

/** Takes a lock, comes to the gate, and once that opens, ends in the given way, or by returning. */
export const holdAndEnd = task(
  import.meta,
  function holdAndEnd(lock: Lock, gate: Int32Array, how: End | "return"): unknown {
    lock.acquireSync();
    return how === "return" ? hold(gate) : endInTask(gate, how);
  },
);

/**
 * Waits for the lock by a promise, which is dropped with the thread; comes to the gate, and returns
 * once it opens.
 */
export const awaitAndReturn = task(
  import.meta,
  function awaitAndReturn(lock: Lock, gate: Int32Array): void {
    lock.acquire();
    hold(gate);
  },
);

/** Prints a line after a while. */
export const print = task(import.meta, async function print(text: string, ms = 0): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.log(text);
});

/** Starts a thread that prints, and ends. */
export const startPrinting = task(
  import.meta,
  function startPrinting(text: string, ms: number): void {
    new Thread({ target: print, args: [text, ms] }).start();
  },
);

export const fail = task(import.meta, function fail(text: string): never {
  throw new RangeError(text);
});

/** Loops for ever. */
export const spin = task(import.meta, function spin(): never {
  for (;;);
});

/** Blocks for ever. */
export const block = task(import.meta, function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});

/** Never settles, without blocking. */
export const pend = task(import.meta, function pend(names: Queue<string>): Promise<never> {
  names.putSync(currentThread().name);
  return new Promise(() => {});
});
