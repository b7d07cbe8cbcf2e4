/** What the parts of the executor contract share. */

import type { Executor } from "../../executors/mod.ts";

/** Makes an executor of the kind under test. */
export type ExecutorFactory = (options: { maxWorkers: number }) => Executor;

/** How executors may differ. */
export interface ExecutorTraits {
  /** Whether a thread may block for the futures. */
  readonly blocks: boolean;
  /** Whether arguments and results are copies. */
  readonly clones: boolean;
  /** Whether a SharedArrayBuffer in arguments and results is the same memory. */
  readonly sharesMemory: boolean;
  /**
   * Whether a running task that is given up is told so and may go on, instead of being ended at
   * once.
   */
  readonly tellsTasks: boolean;
  /** Whether functions can be streamed. Default `true`. */
  readonly streams?: boolean;
  /** Whether it takes a while until news of a task arrives here. Default `false`. */
  readonly isFar?: boolean;
}

/** One kind of executor under test. */
export interface Suite {
  readonly name: string;
  readonly make: ExecutorFactory;
  readonly traits: ExecutorTraits;
}

/** What was passed to `console.error` while `body` ran. */
export async function errorsLogged(body: () => void | Promise<void>): Promise<unknown[][]> {
  const original = console.error;
  const calls: unknown[][] = [];
  console.error = (...args: unknown[]) => void calls.push(args);
  try {
    await body();
  } finally {
    console.error = original;
  }
  return calls;
}

/** Lets timers, messages and microtasks that are due run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A source of numbers that counts how many were read, and notes when it is closed. */
export class Numbers implements Iterable<number> {
  read = 0;
  closed = false;

  constructor(readonly end = Infinity) {}

  *[Symbol.iterator](): Generator<number> {
    try {
      while (this.read < this.end) yield this.read++;
    } finally {
      this.closed = true;
    }
  }
}

/** How each call of `next` ended, up to the end: `["value", x]` or `["error", text]`. */
export async function outcomesOf(results: AsyncIterable<unknown>): Promise<[string, unknown][]> {
  const outcomes: [string, unknown][] = [];
  const iterator = results[Symbol.asyncIterator]();
  for (;;) {
    try {
      const { done, value } = await iterator.next();
      if (done) return outcomes;
      outcomes.push(["value", value]);
    } catch (error) {
      outcomes.push(["error", error instanceof Error ? error.message : error]);
    }
  }
}
