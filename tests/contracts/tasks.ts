/** The tasks of the contracts. Marked with `task`, so that they work in every executor. */

import { registerError, task, taskContext } from "../../executors/task_module.ts";
import type { SimpleQueue } from "../../queue/mod.ts";
import type { Event } from "../../sync/mod.ts";
import { enterGate, gateOpens, type GateParts } from "./gate_parts.ts";

/** An error of an application, with a field of its own. */
export class AppError extends Error {
  override readonly name = "AppError";
  constructor(message: string, readonly code: number) {
    super(message);
  }
}
registerError(AppError);

export const square = task(import.meta, function square(n: number): number {
  return n * n;
});

export const add = task(import.meta, function add(a: number, b: number): number {
  return a + b;
});

export const addThree = task(import.meta, function addThree(a: number, b: number, c: number) {
  return a + b + c;
});

export const echo = task(import.meta, function echo(value: unknown): unknown {
  return value;
});

export const countArguments = task(import.meta, function countArguments(...args: unknown[]) {
  return args.length;
});

export const squareLater = task(import.meta, async function squareLater(n: number) {
  await Promise.resolve();
  return n * n;
});

export const squareThenable = task(
  import.meta,
  function squareThenable(n: number): PromiseLike<number> {
    // deno-lint-ignore no-explicit-any
    return { then: (resolve: any) => resolve(n * n) } as PromiseLike<number>;
  },
);

export const fail = task(import.meta, function fail(message: string): never {
  throw new RangeError(message);
});

export const failLater = task(import.meta, async function failLater(message: string) {
  await Promise.resolve();
  throw new RangeError(message);
});

export const failAsApp = task(import.meta, function failAsApp(code: number): never {
  throw new AppError("the application failed", code);
});

/** Throws the value as it is. */
export const throwValue = task(import.meta, function throwValue(value: unknown): never {
  throw value;
});

/** Fails for odd numbers. */
export const squareEven = task(import.meta, function squareEven(n: number): number {
  if (n % 2 !== 0) throw new RangeError(`odd: ${n}`);
  return n * n;
});

/** Returns the value once the gate is open. */
export const pass = task(import.meta, async function pass<T>(gate: GateParts, value: T) {
  enterGate(gate);
  await gateOpens(gate);
  return value;
});

/** Fails once the gate is open. */
export const failAtGate = task(import.meta, async function failAtGate(gate: GateParts) {
  enterGate(gate);
  await gateOpens(gate);
  throw new RangeError("failed at the gate");
});

/** Writes the number to the log and returns it. */
export const record = task(
  import.meta,
  function record(log: SimpleQueue<number>, value: number): number {
    log.putNowait(value);
    return value;
  },
);

/** Like {@linkcode record}, with its parameters swapped. */
export const recordItem = task(
  import.meta,
  function recordItem(value: number, log: SimpleQueue<number>): number {
    log.putNowait(value);
    return value;
  },
);

/** Writes the number to the log, and waits for the gate if the number is `held`. */
export const recordAndHold = task(
  import.meta,
  async function recordAndHold(
    value: number,
    [log, gate, held]: [SimpleQueue<number>, GateParts, number],
  ) {
    log.putNowait(value);
    if (value === held) {
      enterGate(gate);
      await gateOpens(gate);
    }
    return value;
  },
);

/** Adds to a number in shared memory. */
export const addToWord = task(
  import.meta,
  function addToWord(words: Int32Array<SharedArrayBuffer>, value: number): number {
    return Atomics.add(words, 0, value);
  },
);

/** Never ends. */
export const never = task(import.meta, function never(): Promise<never> {
  return new Promise(() => {});
});

/** Comes to the gate, and sets the event when its signal aborts. */
export const waitForAbort = task(
  import.meta,
  async function waitForAbort(gate: GateParts, stopped: Event) {
    const { signal } = taskContext();
    enterGate(gate);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    if (signal.aborted) stopped.set();
  },
);

/** Returns what the task knows about itself, before and after it has waited. */
export const describeItself = task(
  import.meta,
  async function describeItself(): Promise<
    [id: number | string, attempt: number, sameId: boolean]
  > {
    const { id, attempt } = taskContext();
    await new Promise((resolve) => setTimeout(resolve, 1));
    return [id, attempt, taskContext().id === id];
  },
);

/** Reports progress, comes to the gate, and waits until it is open. */
export const reportAtGate = task(
  import.meta,
  async function reportAtGate(gate: GateParts, fraction: number) {
    taskContext().report(fraction);
    enterGate(gate);
    await gateOpens(gate);
  },
);

export const report = task(import.meta, function report(fraction: number): void {
  taskContext().report(fraction);
});
