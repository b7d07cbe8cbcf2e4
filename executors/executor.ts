/**
 * Executor: what all executors have in common.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { checkOptions } from "../_platform/options.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { AnyFunction } from "./_target.ts";
import type { Future } from "./future.ts";
import type { Movable } from "./task.ts";
import type { MapInput } from "./_map_inputs.ts";
import { type MapResult, startMap } from "./_map_result.ts";
import { finishMaps, type MapOptions } from "./_map_run.ts";
import { checkBuffersize, startStream } from "./_stream_run.ts";
import type { Streamable, StreamResult, StreamSink, StreamSource } from "./stream.ts";

/** Options of the tasks submitted through {@linkcode Executor.with}. */
export interface TaskOptions {
  /**
   * Gives the task up when it aborts: its future fails with the signal's reason. A task that has not started is
   * taken back; a running one is told through `taskContext().signal`.
   */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds from submit to outcome; then the task is given up with a `TimeoutError`. With `map` a chunk is a task: it has
   * that time for all of its items, from when it is sent.
   */
  timeout?: number | null | undefined;
  /** What is moved instead of copied, of the arguments. Not with `map`: mark its items with `transfer`. */
  transfer?: readonly Movable[] | undefined;
  /** Tasks of higher priority are handed to workers first; 0 unless given. */
  priority?: number | undefined;
  /**
   * Of streams: how many values the task may be ahead of those that were taken, 1024 unless given. Large values count for
   * more: together they take no more than 16 MiB, or one of them does. `map` has an option of its own.
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

/** What runs the tasks of an {@linkcode Executor}. For those who write executors of their own. */
export interface ExecutorBackend {
  /** How many tasks run at once, at most. */
  readonly concurrency: number;
  /** How long, in milliseconds, the small tasks should take together that `map` hands over as one; 0 for no such groups. */
  readonly chunkMs: number;
  /** Checks options of tasks that only this kind of executor has. */
  checkOptions?(options: TaskOptions): void;
  /**
   * Has `fn(...args)` run. With `arity` above 0 the args are those of many calls, `arity` each, and the future's value
   * is `[elapsedMs, entries, failed]`: an entry a call, and the numbers of those whose entry is an error.
   */
  submit(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown>;
  /**
   * Has what `fn(...args)` returns iterated, where it runs: as far as `buffersize` values ahead of those that the sink's
   * consumer has taken.
   */
  stream(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): StreamSource;
  /** Accepts nothing more; ends when all is done. Repeatable. */
  shutdown(cancelFutures: boolean): void;
  /** A promise for the end. */
  whenClosed(): Promise<void>;
  /** Blocks until the end. */
  waitClosedSync(): void;
}

/** Assigned by the class, which alone can reach its private fields. */
let readBackend: (executor: Executor) => ExecutorBackend;

/**
 * Runs functions somewhere else and hands out futures of what they return. The classes differ in where: on this event
 * loop ({@linkcode AsyncExecutor}), on other threads ({@linkcode ThreadPoolExecutor}), in other processes, or on other machines.
 *
 * With `using` it is shut down at the end of the block, blocking; with `await using`, without. Neither cancels
 * anything.
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
      throw new TypeError(`Cannot submit task: expected a function, got ${typeof fn}`);
    }
    return this.#backend.submit(fn as AnyFunction, args, this.#options, 0) as Future<Awaited<R>>;
  }

  /**
   * A view of this executor that submits with options. Shutting a view down shuts the executor down.
   *
   * @param options Added to those of this view.
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
    const { priority } = options;
    if (priority !== undefined && !Number.isFinite(priority)) {
      throw new RangeError(`Cannot submit with priority ${priority}: expected a finite number`);
    }
    checkBuffersize(options.buffersize);
    this.#backend.checkOptions?.(options);
    return new Executor(this.#backend, { ...this.#options, ...options });
  }

  /**
   * Calls `fn` with each item, or with the items of several inputs side by side up to the end of the shortest, and hands
   * out the results in the order of the inputs.
   *
   * The inputs are read before the call returns, unless `buffersize` is given or an input is asynchronous. Small
   * tasks are sent in chunks whose size follows the time that they take.
   *
   * An item's error is thrown when it is that item's turn; the iterator goes on with the next one after it. So an error
   * cancels nothing, also where it ends a loop: what was submitted still runs. When its time is up, or when it is left early, by
   * `break` or `return()`, what has not started is cancelled. With `buffersize`, what is not submitted yet when the executor is shut
   * down is refused.
   *
   * @param fn The function; see `task` for how it reaches another thread.
   * @param args One to three inputs, then options.
   * @returns The results: for `for await`, or, blocking this thread, for `for`.
   * @throws {RangeError} For a `chunksize` or `buffersize` below 1, or a negative `timeout`.
   * @throws {RuntimeError} When the executor was shut down.
   *
   * **Differs from Python:** an error does not end the iteration (as from Python 3.16); an item is cloned when its chunk is
   * sent, not at the call.
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
  /** With two inputs. */
  map<A, B, R>(
    fn: (a: A, b: B) => R,
    first: MapInput<A>,
    second: MapInput<B>,
    options?: MapOptions,
  ): MapResult<Awaited<R>>;
  /** With three inputs. */
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
   * Submits a function whose values are handed out one by one while it runs: a generator function, synchronous or not, or one
   * that returns anything else that can be iterated.
   *
   * The function is ahead of the consumer, by as many values as `with({ buffersize })` says, and then waits. Each value is sent
   * as soon as it is there, and cloned where it runs on another thread. An error is thrown after the values that came before it;
   * so is the loss of the worker, and what else becomes of a task. Then the stream has ended.
   *
   * **Leaving early:** `break`, an error in the loop, `return()` or the end of a `using` block close the function where it runs, at
   * its next `yield`: its `finally` blocks are run. As with an asynchronous generator of JavaScript's own, that is waited
   * for; an error in closing is thrown. What the function awaits is not interrupted, but its
   * `taskContext().signal` aborts. A task that has not started is cancelled.
   *
   * **An open stream keeps its worker** until all values were taken, or it was left: so two streams of one worker are
   * read one after the other, and `shutdown` waits for a stream that is open, for ever if nobody reads it. While the function
   * waits for a consumer, it does not keep the program open, unless its task has a `timeout`, and then no longer than that. A
   * stream that the program has dropped is left once it is collected.
   *
   * @typeParam T What the function yields.
   * @param fn The function; see `task` for how it reaches another thread.
   * @param args Its arguments, cloned at once where it runs on another thread.
   * @returns The values: for `for await`, or, blocking this thread, for `for`.
   * @throws {TypeError} When `fn` is not a function.
   * @throws {BrokenExecutor} When the executor is broken.
   * @throws {RuntimeError} When it was shut down.
   *
   * **Differs from Python:** Python has nothing like it. What the function `return`s is dropped, as by a loop.
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
   * Accepts nothing more. What was submitted is run, unless `cancelFutures` says otherwise; then the workers end. May
   * be called again.
   *
   * A stream that is open counts as a task that runs: it is waited for until its values were taken, or it was left. A worker ends
   * after what its tasks have others do: threads, processes and the tasks of pools of their own.
   *
   * A task of the executor must not await it, as that task is waited for too: there `wait: false` is meant.
   *
   * @returns A promise for the end of all tasks and workers; with `wait: false`, one that is fulfilled at once.
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
   * The blocking form of {@linkcode shutdown}: blocks this thread until all tasks and workers have ended, unless `wait`
   * is false.
   *
   * @throws {RuntimeError} When tasks are pending that only this thread could run, or a stream whose values only this
   * thread could take.
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

  /** Sent to another thread, it is refused: only a pool can be sent, and to its own tasks. */
  [HANDLE](): Handle {
    throw new NotShareableError(
      "Cannot send executor: only a pool can be sent, to its own tasks, and not what its `with` returned; make one in the task",
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

/** What runs an executor's tasks: of a view the same as of the executor itself. */
export function backendOf(executor: Executor): ExecutorBackend {
  return readBackend(executor);
}
