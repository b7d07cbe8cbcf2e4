/** The tasks of the tests of progress. */

import { task, taskContext } from "@concurrent/futures/task";
import type { Executor, Future } from "@concurrent/futures";
import { burn, echo, hold } from "./_tasks.ts";

/** Computes for the given time, and returns the value. */
export const burnFor = task(import.meta, function burnFor<T>(ms: number, value: T): T {
  burn(ms);
  return value;
});

/** Blocks until the gate opens; the value only makes the arguments large. */
export const holdWith = task(
  import.meta,
  function holdWith(gate: Int32Array, _value: Uint8Array): void {
    hold(gate);
  },
);

/** Opens the gate; the value only makes the arguments large. */
export const openWith = task(
  import.meta,
  function openWith(gate: Int32Array, _value: Uint8Array): void {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  },
);

/** Adds one to the word. */
export const count = task(import.meta, function count(word: Int32Array): void {
  Atomics.add(word, 0, 1);
  Atomics.notify(word, 0);
});

/** Yields texts of the given length. */
export const texts = task(
  import.meta,
  function* texts(count: number, length: number): Generator<string> {
    for (let i = 0; i < count; i++) yield "y".repeat(length);
  },
);

const text = task(import.meta, function text(length: number): string {
  return "x".repeat(length);
});

/**
 * The total length of many texts that another pool makes, taken when all of them must have been
 * there for long.
 */
export const sumOfNested = task(
  import.meta,
  function sumOfNested(pool: Executor, count: number, length: number): number {
    const futures = Array.from({ length: count }, () => pool.submit(text, length));
    burn(300);
    return futures.reduce((sum, future) => sum + future.resultSync().length, 0);
  },
);

/**
 * Blocks for a task of its own pool; a callback that runs during this blocks for a task of another
 * pool.
 */
export const blockTwice = task(
  import.meta,
  function blockTwice(own: Executor, other: Executor): number {
    other.submit(burnFor<number>, 100, 0).addDoneCallback(() => {
      other.submit(burnFor<number>, 20, 0).resultSync();
    });
    return own.submit(echo<number>, 1).resultSync();
  },
);

/** Blocks for a task of its own pool while other tasks already do so. */
export const blockLate = task(import.meta, function blockLate(own: Executor): string {
  burn(400);
  try {
    own.submit(echo<number>, 1).resultSync();
    return "no error";
  } catch (error) {
    return (error as Error).message;
  }
});

/**
 * Blocks for a future that a callback of its own pool's task should complete; returns the outcome.
 */
export const blockForCallback = task(
  import.meta,
  function blockForCallback(own: Executor): number | string {
    // All futures have the same class; the module of tasks must not load it itself.
    const future = own.submit(echo<number>, 1);
    const copy = new (future.constructor as new () => Future<number>)();
    future.addDoneCallback(() => copy.setResult(future.resultSync() + 1));
    try {
      return copy.resultSync();
    } catch (error) {
      return (error as Error).message;
    }
  },
);

/** Once the gate is open, blocks for a task of its own pool; returns the outcome. */
export const blockFor = task(
  import.meta,
  function blockFor(own: Executor, gate: Int32Array, timeout: number | null): string {
    hold(gate);
    try {
      return String(own.submit(echo<number>, 1).resultSync({ timeout }));
    } catch (error) {
      return (error as Error).name;
    }
  },
);

/** What a task of {@linkcode act} does. */
export type Act = "nothing" | "wait" | "report and wait" | "open";

/** Whether the file exists. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * In a process: reports that it is here, and waits at the gate, or opens it, or does nothing. Both
 * are files, as the pool knows of tasks with shared objects that they may wait for each other.
 */
export const act = task(import.meta, function act(what: Act, here?: string, gate?: string): void {
  perform(what, here, gate);
});

/**
 * Like {@linkcode act}, by another name: tasks are sent ahead only behind tasks of the same
 * function.
 */
export const actElse = task(
  import.meta,
  function actElse(what: Act, here?: string, gate?: string): void {
    perform(what, here, gate);
  },
);

function perform(what: Act, here: string | undefined, gate: string | undefined): void {
  if (here !== undefined) Deno.writeTextFileSync(here, "");
  if (what === "open") Deno.writeTextFileSync(gate!, "");
  if (what === "report and wait") {
    const { report } = taskContext();
    // Each report makes its parent check what else could be sent here.
    for (let i = 0; i < 100; i++) {
      burn(3);
      report(i / 100);
    }
  }
  if (what !== "nothing" && what !== "open") {
    while (!exists(gate!)) burn(1);
  }
}
