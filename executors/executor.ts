/**
 * Executor: what all executors have in common.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { checkArray, checkCount, checkOptions, checkSignal } from "../_platform/options.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { AnyFunction } from "./_target.ts";
import type { Future } from "./future.ts";
import type { Movable } from "./task.ts";
import type { MapInput } from "./_map_inputs.ts";
import { type MapResult, startMap } from "./_map_result.ts";
import { finishMaps, type MapOptions } from "./_map_run.ts";
import { startStream } from "./_stream_run.ts";
import type { Streamable, StreamResult, StreamSink, StreamSource } from "./stream.ts";

/** Options of the tasks submitted through {@linkcode Executor.with}. */
export interface TaskOptions {
  /**
   * Gives the task up when it aborts: its future fails with the signal's reason. A task that has
   * not started is taken back; a running one learns of it through `taskContext().signal`.
   */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds from submit to outcome; after that the task is given up with a `TimeoutError`.
   * With `map`, a chunk is one task: it has this time for all of its items, counted from when it is
   * submitted.
   */
  timeout?: number | null | undefined;
  /**
   * The parts of the arguments that are moved instead of copied. Not with `map`: mark its items
   * with `transfer`.
   */
  transfer?: readonly Movable[] | undefined;
  /**
   * Tasks of higher priority are handed to workers first, equal ones first in, first out. Without
   * it, the priority is 0. In a pool, up to `maxWorkers` tasks that were handed out before keep
   * their turn, and so do those that were sent ahead to a process.
   */
  priority?: number | undefined;
  /**
   * For `stream`: how many values the task may be ahead of the consumer. Default 1024. Large values
   * count for more: those that are ahead take at most 16 MiB together, unless a single value is
   * larger than that. `map` has an option of its own.
   */
  buffersize?: number | undefined;
}

/** How an executor ends. */
export interface ShutdownOptions {
  /** Whether to wait for what was submitted and for the workers' end. Default `true`. */
  wait?: boolean | undefined;
  /** Whether to cancel what has not started. Default `false`: it is still run. */
  cancelFutures?: boolean | undefined;
}

/** What runs the tasks of an {@linkcode Executor}. For authors of other executors. */
export interface ExecutorBackend {
  /** How many tasks run at once, at most. */
  readonly concurrency: number;
  /**
   * How long, in milliseconds, the calls that `map` groups into one chunk should take together; 0
   * for no grouping.
   */
  readonly chunkMs: number;
  /** Checks the task options that only this kind of executor has. */
  checkOptions?(options: TaskOptions): void;
  /**
   * Submits `fn(...args)`. If `arity` is above 0, `args` holds the arguments of many calls, `arity`
   * for each, and the future's value is `[elapsedMs, entries, failed]`: one entry for each call,
   * and the indexes of the entries that are errors.
   */
  submit(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown>;
  /**
   * Submits `fn(...args)`, and has what it returns iterated where it runs, up to `buffersize`
   * values ahead of those that the sink's consumer has taken.
   */
  stream(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): StreamSource;
  /** Accepts no further tasks, and closes once all are done. May be called again. */
  shutdown(cancelFutures: boolean): void;
  /** A promise that resolves once all tasks and workers have ended. */
  whenClosed(): Promise<void>;
  /** Blocks this thread until all tasks and workers have ended. */
  waitClosedSync(): void;
}

/** Assigned by the class, which alone can reach its private fields. */
let readBackend: (executor: Executor) => ExecutorBackend;

/**
 * Runs functions and hands out futures of what they return. The subclasses differ in where the
 * functions run: on this event loop ({@linkcode AsyncExecutor}), on other threads
 * ({@linkcode ThreadPoolExecutor}), in other processes, or on other machines.
 *
 * With `using` it is shut down at the end of the block, which blocks the thread; `await using` does
 * the same without blocking. Neither cancels anything.
 *
 * Semantics: Python's `concurrent.futures.Executor`.
 *
 * @example
 * ```ts
 * import { AsyncExecutor, type Executor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * async function total(executor: Executor): Promise<number> {
 *   const futures = [1, 2, 3].map((n) => executor.submit((n: number) => n * n, n));
 *   return (await Promise.all(futures)).reduce((a, b) => a + b);
 * }
 *
 * await using executor = new AsyncExecutor();
 * assertEquals(await total(executor), 14);
 * ```
 */
export class Executor {
  readonly #backend: ExecutorBackend;
  readonly #options: TaskOptions | undefined;

  static {
    readBackend = (executor) => executor.#backend;
  }

  /** For subclasses: makes an executor of a backend. */
  protected constructor(backend: ExecutorBackend, options?: TaskOptions) {
    this.#backend = backend;
    this.#options = options;
  }

  /**
   * Submits `fn(...args)`; never waits.
   *
   * In another thread or process, what cannot be sent does not throw here: the future fails with a
   * {@linkcode NotShareableError}.
   *
   * @param fn The function; see `task` for how it reaches another thread.
   * @param args Its arguments, cloned at once where it runs on another thread.
   * @returns The future of what it returns, or of what its promise resolves to.
   * @throws {TypeError} When `fn` is not a function.
   * @throws {BrokenExecutor} When the executor is broken.
   * @throws {RuntimeError} When it was shut down.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
   * assertEquals(await pool.submit((a: number, b: number) => a ** b, 2, 10), 1024);
   * ```
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot submit task: expected a function, got ${describe(fn)}`);
    }
    return this.#backend.submit(fn as AnyFunction, args, this.#options, 0) as Future<Awaited<R>>;
  }

  /**
   * Returns a view of this executor, whose tasks are submitted with these options. Shutting down
   * the view shuts down the executor.
   *
   * @param options Added to those that this view has already; where both have the same, the new one
   * counts, unless it is `undefined`. (A `timeout` of `null` takes a limit away.)
   * @returns The view.
   * @throws {RangeError} For a negative `timeout`, a `priority` that is not finite, or a
   * `buffersize` below 1.
   * @throws {TypeError} When `options` is not an object, `timeout` is not a number, `signal` is no
   * signal, `transfer` is not an array, or `buffersize` is not an integer.
   *
   * @example
   * ```ts
   * import { AsyncExecutor, TimeoutError } from "@concurrent/futures";
   * import { assertRejects } from "@std/assert";
   *
   * await using executor = new AsyncExecutor();
   * const forever = executor.with({ timeout: 10 }).submit(() => new Promise(() => {}));
   * await assertRejects(() => forever.result(), TimeoutError);
   * ```
   */
  with(options: TaskOptions): Executor {
    checkOptions("submit", options, "{ timeout: 100 }");
    checkTimeout(options.timeout);
    checkSignal("submit", options.signal);
    checkArray("submit", "transfer", options.transfer);
    const { priority } = options;
    if (priority !== undefined && !Number.isFinite(priority)) {
      throw new RangeError(
        `Cannot submit with priority ${describe(priority)}: expected a finite number`,
      );
    }
    checkCount("stream", "buffersize", options.buffersize);
    this.#backend.checkOptions?.(options);
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    return new Executor(this.#backend, { ...this.#options, ...Object.fromEntries(given) });
  }

  /**
   * Calls `fn` with each item and hands out the results in the order of the inputs. Several inputs
   * are read side by side, up to the end of the shortest.
   *
   * The inputs are read before the call returns, unless `buffersize` is given or an input is
   * asynchronous. Small tasks are sent in chunks, sized by the time that earlier ones took.
   *
   * An item's error is thrown when it is that item's turn, and by itself cancels nothing: the rest
   * can be read with another loop. What has not started is cancelled, and the inputs are closed,
   * when the loop is left by `break` or `return()`, when `timeout` passes while a result is waited
   * for, when `signal` aborts, and, after an error has ended a loop, once nothing refers to the
   * results any more. With `buffersize` or an asynchronous input, items not yet submitted when the
   * executor is shut down are refused.
   *
   * Iterating throws the items' errors, a `TimeoutError` when time is up, and the signal's reason.
   * A signal that has aborted already throws at the call. So does an input that fails while the call
   * reads it; when one fails later, its error comes after the results of all items read before.
   *
   * @param fn The function; see `task` for how it reaches another thread.
   * @param args One to three inputs, then options.
   * @returns The results: for `for await`, or, blocking this thread, for `for`.
   * @throws {RangeError} For a `chunksize` or `buffersize` below 1, or a negative `timeout`.
   * @throws {TypeError} When `fn` is not a function, an input is not iterable, a number is not an
   * integer, `signal` is no signal, or the executor comes from `with({ transfer })`.
   * @throws {BrokenExecutor} When the executor is broken.
   * @throws {RuntimeError} When the executor was shut down.
   *
   * **Differs from Python:** an error does not end the iteration (Python behaves so from 3.16); an
   * item is cloned when its chunk is sent, not at the call; with `buffersize`, the error of an input
   * waits its turn, where Python throws it once it is read and drops the results that are due.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
   * const powers = pool.map((base: number, exponent: number) => base ** exponent, [2, 3, 4], [5, 2, 3]);
   * assertEquals(await powers.toArray(), [32, 9, 64]);
   * ```
   */
  map<A, R>(
    fn: (a: A) => R,
    input: MapInput<A>,
    options?: MapOptions,
  ): MapResult<Awaited<R>>;
  /** Calls `fn` with the items of two inputs side by side. */
  map<A, B, R>(
    fn: (a: A, b: B) => R,
    first: MapInput<A>,
    second: MapInput<B>,
    options?: MapOptions,
  ): MapResult<Awaited<R>>;
  /** Calls `fn` with the items of three inputs side by side. */
  map<A, B, C, R>(
    fn: (a: A, b: B, c: C) => R,
    first: MapInput<A>,
    second: MapInput<B>,
    third: MapInput<C>,
    options?: MapOptions,
  ): MapResult<Awaited<R>>;
  map<R>(fn: (...args: never[]) => R, ...args: unknown[]): MapResult<Awaited<R>> {
    return startMap(this.#backend, this.#options, fn, args) as MapResult<Awaited<R>>;
  }

  /**
   * Submits a function whose values are handed out one by one while it runs: a generator function,
   * synchronous or asynchronous, or a function that returns anything else that can be iterated.
   *
   * The function runs ahead of the consumer by up to as many values as `with({ buffersize })` says,
   * and then waits. Each value is sent as soon as it is yielded, and cloned if the function runs on
   * another thread. An error of the function is thrown after the values that came before it, and so
   * is any other failure of its task, such as the loss of its worker. After that the stream has
   * ended.
   *
   * **Leaving early:** `break`, an error in the loop, `return()` or the end of a `using` block
   * closes the function where it runs, at its next `yield`: its `finally` blocks are run. As with
   * JavaScript's asynchronous generators, leaving waits until it is closed, and throws an error of
   * closing. What the function awaits is not interrupted, but its `taskContext().signal` aborts. A
   * task that has not started is cancelled.
   *
   * **An open stream keeps its worker** until all of its values were taken or it was left. So with
   * one worker, two streams must be read one after the other, and `shutdown` waits for an open
   * stream, for ever if nobody reads it. While the function waits for its consumer, it does not
   * keep the program running, unless its task has a `timeout`, and then no longer than that. A
   * stream that nothing refers to any more is left once it is collected as garbage.
   *
   * @typeParam T What the function yields.
   * @param fn The function; see `task` for how it reaches another thread.
   * @param args Its arguments, cloned at once where it runs on another thread.
   * @returns The values: for `for await`, or, blocking this thread, for `for`.
   * @throws {TypeError} When `fn` is not a function.
   * @throws {BrokenExecutor} When the executor is broken.
   * @throws {RuntimeError} When it was shut down.
   *
   * **Differs from Python:** Python has nothing like it. The value that the function `return`s is
   * dropped, as in a loop.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * function* primes(): Generator<number> {
   *   for (let n = 2;; n++) {
   *     let d = 2;
   *     while (d * d <= n && n % d !== 0) d++;
   *     if (d * d > n) yield n;
   *   }
   * }
   *
   * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
   * const found: number[] = [];
   * for await (const prime of pool.stream(primes)) {
   *   if (prime > 20) break; // closes the generator in the worker
   *   found.push(prime);
   * }
   * assertEquals(found, [2, 3, 5, 7, 11, 13, 17, 19]);
   * ```
   */
  stream<A extends unknown[], T>(
    fn: (...args: A) => Streamable<T>,
    ...args: A
  ): StreamResult<Awaited<T>> {
    return startStream(this.#backend, this.#options, fn as AnyFunction, args) as StreamResult<
      Awaited<T>
    >;
  }

  /**
   * Accepts no further tasks. Those that were submitted are still run, unless `cancelFutures` says
   * otherwise; then the workers end. May be called again.
   *
   * An open stream counts as a running task: it is waited for until its values were taken or it was
   * left. A worker ends only after everything that its tasks have delegated: their threads, their
   * processes, and the tasks of pools that they have made.
   *
   * A pool is shut down by the thread that made it, not by a task that it was sent to. A task on the
   * event loop that shuts its executor down must not await this, since `shutdown` waits for that
   * task too: it calls it with `wait: false`.
   *
   * @returns A promise that resolves once all tasks and workers have ended; with `wait: false`, at
   * once.
   * @throws {RuntimeError} In a task that the pool was sent to.
   *
   * @example
   * ```ts
   * import { ThreadPoolExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
   * const future = pool.submit(() => "done");
   * await pool.shutdown();
   * assertEquals(future.done(), true);
   * ```
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    this.#end(options);
    return options.wait === false ? Promise.resolve() : this.#backend.whenClosed();
  }

  /**
   * The blocking form of {@linkcode shutdown}: blocks this thread until all tasks and workers have
   * ended, unless `wait` is false.
   *
   * @throws {RuntimeError} When a task is pending that only this thread could run, or a stream is
   * open whose values only this thread could take; and in a task that the pool was sent to.
   */
  shutdownSync(options: ShutdownOptions = {}): void {
    this.#end(options);
    if (options.wait !== false) this.#backend.waitClosedSync();
  }

  #end(options: ShutdownOptions): void {
    checkOptions("shut down", options, "{ wait: false }");
    const { cancelFutures = false } = options;
    finishMaps(this.#backend, cancelFutures);
    this.#backend.shutdown(cancelFutures);
  }

  /**
   * Refuses to be sent to another thread: only a pool can be sent, and only to tasks and processes of
   * the thread that made it.
   */
  [HANDLE](): Handle {
    throw new NotShareableError(
      "Cannot send executor: only a pool can be sent, to tasks and processes of the thread that made it, and not what its `with` returned; make one in the task",
    );
  }

  /** Shuts down and waits, without blocking; cancels nothing. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Shuts down and waits, blocking; cancels nothing. */
  [Symbol.dispose](): void {
    this.shutdownSync();
  }
}

/** Returns what runs an executor's tasks; a view has the same backend as its executor. */
export function backendOf(executor: Executor): ExecutorBackend {
  return readBackend(executor);
}
