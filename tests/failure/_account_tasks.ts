/** The tasks of the tests of what a pool keeps. */

import {
  currentThread,
  type Event,
  getIdent,
  type SimpleQueue,
  task,
  taskContext,
  ThreadPoolExecutor,
} from "@concurrent/futures";

const LONGEST_MS = 20_000;

/** Blocks by computing until a flag is set. */
export function spin(flags: Int32Array, index: number): void {
  const endMs = performance.now() + LONGEST_MS;
  while (Atomics.load(flags, index) === 0) {
    if (performance.now() > endMs) throw new Error(`flag ${index} was not set`);
  }
}

/** Blocks until a flag is set, without taking processor time. */
export function wait(flags: Int32Array, index: number): void {
  Atomics.wait(flags, index, 0, LONGEST_MS);
  if (Atomics.load(flags, index) === 0) throw new Error(`flag ${index} was not set`);
}

/** Sets a flag, and wakes the threads that wait for it. */
export function set(flags: Int32Array, index: number): void {
  Atomics.store(flags, index, 1);
  Atomics.notify(flags, index);
}

/** Sets a flag, waits for the next one, and sets the one after that. */
export const flag = task(import.meta, function flag(flags: Int32Array, index: number): void {
  Atomics.store(flags, index, 1);
  spin(flags, index + 1);
  Atomics.store(flags, index + 2, 1);
});

export const idle = task(import.meta, function idle(): void {});

export const make = task(import.meta, function make(size: number): Uint8Array {
  return new Uint8Array(size);
});

/**
 * Makes another pool return something, does not take it, and waits for a flag; then ends the thread
 * if `isLast`.
 */
export const leaveReply = task(
  import.meta,
  function leaveReply(
    other: ThreadPoolExecutor,
    size: number,
    flags: Int32Array,
    isLast: boolean,
  ): void {
    other.submit(make, size);
    wait(flags, 0);
    if (isLast) close();
  },
);

/**
 * Leaves a callback that reports progress once the event is set; returns the name of its thread.
 */
export const reportLater = task(
  import.meta,
  function reportLater(go: Event, told: SimpleQueue<number>): string {
    const { report } = taskContext()!;
    go.wait().then(() => {
      report(0.77);
      told.putSync(1);
    });
    return currentThread().name;
  },
);

/** Puts the name of its thread, and waits. */
export const holdAt = task(
  import.meta,
  async function holdAt(names: SimpleQueue<string>, open: Event): Promise<void> {
    names.putSync(currentThread().name);
    await open.wait();
  },
);

/** Asks for its signal only when that has aborted. */
export const follow = task(
  import.meta,
  function follow(entered: Event, open: Event, found: SimpleQueue<boolean>): void {
    entered.set();
    open.waitSync();
    found.putSync(AbortSignal.any([taskContext()!.signal]).aborted);
  },
);

/** Throws in all processes but the first that calls it. */
export const createOnce = task(import.meta, function createOnce(file: string): void {
  Deno.writeTextFileSync(file, "", { createNew: true });
});

export const compute = task(import.meta, function compute(ms: number): number {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  return ms;
});

/** Words of tasks that end their pool: how many have begun, and a flag. */
export const BEGUN = 0;
export const CLOSES = 1;

/** Ends its thread once the flag is set, if it is the first that begins; the others never end. */
export const closeFirst = task(import.meta, function closeFirst(words: Int32Array): Promise<void> {
  if (Atomics.add(words, BEGUN, 1) === 0) {
    wait(words, CLOSES);
    close();
  }
  return new Promise(() => {});
});

/** Words of a place below another: a flag that ends its work, and the idents of both threads. */
export const ENDS = 0;
export const ABOVE = 1;
export const BELOW = 2;

/** Computes in a worker of its own pool, and closes its thread meanwhile. */
export const closeAbove = task(
  import.meta,
  async function closeAbove(words: Int32Array): Promise<void> {
    Atomics.store(words, ABOVE, getIdent());
    new ThreadPoolExecutor({ maxWorkers: 1 }).submit(computeBelow, words);
    while (Atomics.load(words, BELOW) === 0) await new Promise((go) => setTimeout(go, 1));
    self.close();
  },
);

/** Says that it runs, and computes until the flag is set. */
export const computeBelow = task(import.meta, function computeBelow(words: Int32Array): void {
  Atomics.store(words, BELOW, getIdent());
  spin(words, ENDS);
});
