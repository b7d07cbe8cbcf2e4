/** The tasks of random programs. */

import { task, taskContext } from "../../executors/task_module.ts";
import type { Queue } from "../../queue/mod.ts";
import type { Barrier, Lock, Value } from "../../sync/mod.ts";

export const pause = task(import.meta, async function pause<T>(ms: number, value: T): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return value;
});

export const increment = task(import.meta, function increment(n: number): number {
  return n + 1;
});

export const lengthOf = task(import.meta, function lengthOf(values: Float64Array): number {
  return values.length;
});

export const zeros = task(import.meta, function zeros(length: number): Float64Array {
  return new Float64Array(length);
});

export const meetAsync = task(
  import.meta,
  async function meetAsync(barrier: Barrier): Promise<void> {
    await barrier.wait();
  },
);

export const putAll = task(import.meta, function putAll(queue: Queue<number>, end: number): void {
  for (let n = 0; n < end; n++) queue.putSync(n);
});

export const sumOf = task(import.meta, function sumOf(queue: Queue<number>, end: number): number {
  let sum = 0;
  for (let i = 0; i < end; i++) sum += queue.getSync();
  return sum;
});

export const sumOfAsync = task(
  import.meta,
  async function sumOfAsync(queue: Queue<number>, end: number): Promise<number> {
    let sum = 0;
    for (let i = 0; i < end; i++) sum += await queue.get();
    return sum;
  },
);

export const addLocked = task(
  import.meta,
  async function addLocked(lock: Lock, value: Value<"i32">): Promise<void> {
    using _ = await lock.hold();
    value.value++;
  },
);

export const addLockedSync = task(
  import.meta,
  function addLockedSync(lock: Lock, value: Value<"i32">): void {
    using _ = lock.holdSync();
    value.value++;
  },
);

/** Loops until its signal aborts. */
export const spinUntilAborted = task(import.meta, function spinUntilAborted(): void {
  const { signal } = taskContext();
  while (!signal.aborted);
});

/** Ways in which a task can end its worker. */
export type End = "close" | "exit" | "late throw" | "rejection" | "kill";

function end(how: End): void {
  if (how === "close") self.close();
  else if (how === "exit") Deno.exit(0);
  else if (how === "kill") Deno.kill(Deno.pid, "SIGKILL");
  else if (how === "rejection") Promise.reject(new Error("rejected"));
  else {
    setTimeout(() => {
      throw new Error("thrown late");
    }, 0);
  }
}

/** Ends its worker. */
export const endNow = task(import.meta, async function endNow(how: End): Promise<void> {
  end(how);
  await new Promise(() => {});
});

/** Ends its worker a while after it has returned. */
export const endLater = task(import.meta, function endLater(how: End, ms: number): void {
  setTimeout(() => end(how), ms);
});
