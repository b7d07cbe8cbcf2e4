/** What the parts of the executor contract share. */

import type { Executor } from "../../executors/mod.ts";

/** Makes an executor of the kind under test. */
export type ExecutorFactory = (options: { maxWorkers: number }) => Executor;

/** In what executors may differ. */
export interface ExecutorTraits {
  /** Whether a thread may block for the futures. */
  readonly blocks: boolean;
  /** Whether arguments and results are copies. */
  readonly clones: boolean;
  /** Whether a SharedArrayBuffer in arguments and results is the same memory. */
  readonly sharesMemory: boolean;
  /** Whether a running task that is given up is told so and may go on, instead of being ended. */
  readonly tellsTasks: boolean;
  /** Whether functions can be streamed. Default `true`. */
  readonly streams?: boolean;
  /** Whether what a task tells takes a while to arrive here. Default `false`. */
  readonly isFar?: boolean;
}

/** One kind of executor under test. */
export interface Suite {
  readonly name: string;
  readonly make: ExecutorFactory;
  readonly traits: ExecutorTraits;
}

/** What `console.error` was told while `body` ran. */
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

/** Lets timers, messages and microtasks that are due have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A source of numbers that counts how far it was read, and notes when it is told that no more is wanted. */
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

/** How each call of `next` ended: `["value", x]`, `["error", text]`, up to the end. */
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
