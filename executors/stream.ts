/**
 * What `Executor.stream` takes and gives, and what it needs of whoever runs the task.
 *
 * @module
 */

import type { Future } from "./future.ts";

/**
 * What a function may return that is streamed: a generator, or anything else that can be iterated; or a promise of it.
 *
 * @typeParam T What is yielded.
 */
export type Streamable<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | PromiseLike<Iterable<T> | AsyncIterable<T>>;

/**
 * Values of a stream, in order, each handed out once. All ways of iterating draw from the same values.
 *
 * Who does not take them to the end leaves the stream: by `break` or an error in a loop, by `return()` of an iterator, or at
 * the end of a `using` block. See `Executor.stream`.
 *
 * @typeParam T What the function yields.
 *
 * @example A stream that is left at the end of the block, whatever happens in it
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * await using naturals = pool.stream(function* () {
 *   for (let n = 0;; n++) yield n;
 * });
 * const iterator = naturals[Symbol.asyncIterator]();
 * assertEquals([await iterator.next(), await iterator.next()].map(({ value }) => value), [0, 1]);
 * ```
 */
export interface StreamResult<T> extends AsyncIterable<T>, Iterable<T> {
  /** Iterates without blocking. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
  /** Iterates, blocking this thread where a value is not there yet, and where leaving has to wait. */
  [Symbol.iterator](): IterableIterator<T>;
  /** All values that were not handed out yet; rejects with the stream's error. */
  toArray(): Promise<T[]>;
  /** The same, blocking this thread. */
  toArraySync(): T[];
  /** Leaves the stream, and waits until the function was closed. */
  [Symbol.asyncDispose](): Promise<void>;
  /** The same, blocking this thread. */
  [Symbol.dispose](): void;
}

/** Where the values of a stream go. For those who write executors of their own. */
export interface StreamSink {
  /** Takes the next value. */
  next(value: unknown): void;
  /**
   * Takes the error that ends the values: the function threw it, or it says why a value cannot be read. An error of the future
   * that was not told here is not the function's own, or comes of closing it.
   */
  fail(error: unknown): void;
}

/** A task whose function is iterated where it runs. For those who write executors of their own. */
export interface StreamSource {
  /** Done once the function has ended or was closed, and all its values have been handed to the sink. */
  readonly future: Future<unknown>;
  /** Says that the consumer has taken so many values more, and how many lie before it. */
  taken(count: number, left: number): void;
  /** Cancels the task; if it has started, has its function closed at the next chance. What it yields is not wanted any more. */
  stop(): void;
}
