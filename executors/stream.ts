/**
 * What `Executor.stream` takes and returns, and what it needs from the backend that runs the task.
 *
 * @module
 */

import type { Future } from "./future.ts";

/**
 * What a streamed function may return: a generator, or anything else that can be iterated; or a
 * promise of one.
 *
 * @typeParam T What is yielded.
 */
export type Streamable<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | PromiseLike<Iterable<T> | AsyncIterable<T>>;

/**
 * The values of a stream, in order, each handed out once. All ways of iterating draw from the same
 * values.
 *
 * A consumer that does not take them to the end leaves the stream: by `break` or an error in a
 * loop, by `return()` of an iterator, or at the end of a `using` block. See `Executor.stream`.
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
  /**
   * Iterates, blocking this thread while the next value has not come, and while leaving has to
   * wait.
   */
  [Symbol.iterator](): IterableIterator<T>;
  /** Collects all values that were not handed out yet; rejects with the stream's error. */
  toArray(): Promise<T[]>;
  /** The same, blocking this thread. */
  toArraySync(): T[];
  /** Leaves the stream, and waits until the function was closed. */
  [Symbol.asyncDispose](): Promise<void>;
  /** The same, blocking this thread. */
  [Symbol.dispose](): void;
}

/** Where the values of a stream go. For authors of other executors. */
export interface StreamSink {
  /** Takes the next value. */
  next(value: unknown): void;
  /**
   * Takes the error that ends the values: one that the function threw, or one that says why a value
   * cannot be read. Any other error of the future is not the function's own, or comes from closing
   * it.
   */
  fail(error: unknown): void;
}

/** A task whose function is iterated where it runs. For authors of other executors. */
export interface StreamSource {
  /**
   * Is done once the function has ended or was closed, and all of its values have been handed to
   * the sink.
   */
  readonly future: Future<unknown>;
  /**
   * Reports that the consumer has taken `count` more values, and that `left` more lie ready for it.
   */
  taken(count: number, left: number): void;
  /**
   * Cancels the task; if it has started, has its function closed at the next opportunity. Its
   * values are ignored from now on.
   */
  stop(): void;
}
