/**
 * One call of `stream`, from the consumer's side.
 *
 *   function --> StreamDriver --> backend --> StreamRun --> iterators
 *            (_stream_driver.ts)    ^             |
 *                                   +-- taken, stop
 *
 * States:
 *
 *   OPEN -> OVER         fail(), or the future is done   values still here are handed out, then
 *                                                        the error once, then the end
 *   OPEN, OVER -> LEFT   leave()                         values still here are dropped; only the
 *                                                        end is handed out
 *
 * Invariants
 * 1. While a reader waits for a value, none is here, and all that were handed out have been
 *    reported as taken. So a task that waits for its values to be taken has a consumer that is busy
 *    elsewhere.
 * 2. A stream that the program has dropped is left: the task's side holds only the run for good,
 *    never the object that the program has. A wait for a value holds that object.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { blockUntil } from "./_blocking.ts";
import { CancelledError } from "./errors.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import type { StreamResult, StreamSink, StreamSource } from "./stream.ts";

/** How many values a task may be ahead of its consumer by default. Large ones count for more. */
const DEFAULT_BUFFERSIZE = 1024;

/**
 * The remaining values are moved to the front once this many, and more than half of all, have been
 * handed out.
 */
const MOST_GAPS = 1024;

/** A reader that waits for a value. */
interface Waiter {
  readonly resolve: (result: IteratorResult<unknown>) => void;
  readonly reject: (error: unknown) => void;
  /** What must not be collected meanwhile (Invariant 2). */
  readonly keeper: object;
}

/** One call of `stream`. */
class StreamRun implements StreamSink {
  readonly #source: StreamSource;
  /** Values that have come and were not handed out, from `#head` on. */
  #values: unknown[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #isOver = false;
  #isLeft = false;
  /** What is thrown once the values have been handed out. */
  #failure: { readonly error: unknown } | undefined;
  /** Whether the function's own error was reported. */
  #hasFailed = false;
  /** What closing the function threw, until it is rethrown to a caller. */
  #closingFailure: { readonly error: unknown } | undefined;

  constructor(open: (sink: StreamSink) => StreamSource) {
    this.#source = open(this);
    futureInternals.whenDone(this.#source.future, (future) => this.#settle(future));
  }

  // From the task

  /** See {@linkcode StreamSink}. */
  next(value: unknown): void {
    if (this.#isOver || this.#isLeft) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#values.push(value);
      return;
    }
    waiter.resolve({ done: false, value });
    this.#source.taken(1, 0);
  }

  /** See {@linkcode StreamSink}. */
  fail(error: unknown): void {
    this.#hasFailed = true;
    this.#end(error);
  }

  #settle(future: Future<unknown>): void {
    // The registration would keep this run alive for as long as anything that the run holds keeps
    // the stream.
    dropped.unregister(this);
    const error = futureInternals.hasFailed(future)
      ? { error: futureInternals.outcomeOf(future) }
      : undefined;
    if (this.#isLeft) {
      if (!this.#hasFailed) this.#closingFailure = error;
    } else if (future.cancelled()) {
      this.#end(new CancelledError("Cannot read stream: its task was cancelled"));
    } else if (error !== undefined && !this.#hasFailed) {
      this.#end(error.error);
    } else {
      this.#isOver = true;
      this.#endWaits();
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = { error };
    this.#endWaits();
  }

  #endWaits(): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      try {
        resolve(this.#takeEnd());
      } catch (error) {
        reject(error);
      }
    }
  }

  // To the consumer

  get #isReady(): boolean {
    return this.#head < this.#values.length || this.#isOver || this.#isLeft;
  }

  /** The next value, or the end. Call when ready. */
  #take(): IteratorResult<unknown> {
    const values = this.#values;
    if (this.#head === values.length) return this.#takeEnd();
    const value = values[this.#head];
    values[this.#head++] = undefined;
    const left = values.length - this.#head;
    if (left === 0) {
      values.length = this.#head = 0;
    } else if (this.#head >= MOST_GAPS && this.#head > left) {
      values.splice(0, this.#head);
      this.#head = 0;
    }
    this.#source.taken(1, left);
    return { done: false, value };
  }

  #takeEnd(): IteratorResult<unknown> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined && !this.#isLeft) throw failure.error;
    return { done: true, value: undefined };
  }

  /** Takes all values that are here. */
  takeAll(into: unknown[]): void {
    const count = this.#values.length - this.#head;
    if (count === 0) return;
    for (let i = this.#head; i < this.#values.length; i++) into.push(this.#values[i]);
    this.#values.length = this.#head = 0;
    this.#source.taken(count, 0);
  }

  /** A promise for the next value, which holds `keeper`. */
  read(keeper: object): Promise<IteratorResult<unknown>> {
    if (!this.#isReady) {
      return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject, keeper }));
    }
    try {
      return Promise.resolve(this.#take());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The next value; blocks until it has come. */
  readSync(): IteratorResult<unknown> {
    if (!this.#isReady) blockUntil(() => this.#isReady, NEVER, [this.#source.future], false);
    return this.#take();
  }

  // Leaving

  /** Leaves the stream: no more values are wanted. */
  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#values = [];
    this.#head = 0;
    this.#endWaits();
    if (!this.#source.future.done()) this.#source.stop();
  }

  /** Leaves the stream, and waits until the function is closed; rejects with what closing threw. */
  async close(): Promise<void> {
    this.leave();
    const { future } = this.#source;
    if (!future.done()) {
      // Not resolved with the future itself: the promise would adopt its outcome.
      await new Promise<void>((resolve) => futureInternals.whenDone(future, () => resolve()));
    }
    this.#throwClosingFailure();
  }

  /** Leaves the stream, and blocks until the function is closed; throws what closing threw. */
  closeSync(): void {
    this.leave();
    const { future } = this.#source;
    if (!future.done()) blockUntil(() => future.done(), NEVER, [future], false);
    this.#throwClosingFailure();
  }

  #throwClosingFailure(): void {
    const failure = this.#closingFailure;
    this.#closingFailure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}

/**
 * Leaves streams that the program has dropped: otherwise their tasks would wait for ever, and
 * occupy their workers.
 */
const dropped = new FinalizationRegistry<StreamRun>((run) => run.leave());

/** A stream as the program has it (Invariant 2). */
class Stream implements StreamResult<unknown> {
  readonly #run: StreamRun;

  constructor(run: StreamRun) {
    this.#run = run;
    dropped.register(this, run, run);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    const iterator: AsyncIterableIterator<unknown> = {
      next: () => this.#run.read(this),
      return: async (value) => {
        await this.#run.close();
        return { done: true, value };
      },
      throw: async (error) => {
        await this.#run.close();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  [Symbol.iterator](): IterableIterator<unknown> {
    const iterator: IterableIterator<unknown> = {
      next: () => this.#run.readSync(),
      return: (value) => {
        this.#run.closeSync();
        return { done: true, value };
      },
      throw: (error) => {
        this.#run.closeSync();
        throw error;
      },
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  async toArray(): Promise<unknown[]> {
    const values: unknown[] = [];
    for (;;) {
      this.#run.takeAll(values);
      const { done, value } = await this.#run.read(this);
      if (done) return values;
      values.push(value);
    }
  }

  toArraySync(): unknown[] {
    const values: unknown[] = [];
    for (;;) {
      this.#run.takeAll(values);
      const { done, value } = this.#run.readSync();
      if (done) return values;
      values.push(value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run.close();
  }

  [Symbol.dispose](): void {
    this.#run.closeSync();
  }
}

/** Submits a function whose values are streamed. */
export function startStream(
  backend: ExecutorBackend,
  options: TaskOptions | undefined,
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
): StreamResult<unknown> {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot stream: expected a function, got ${describe(fn)}`);
  }
  const buffersize = options?.buffersize ?? DEFAULT_BUFFERSIZE;
  return new Stream(
    new StreamRun((sink) => backend.stream(fn, args, options, buffersize, sink)),
  );
}
