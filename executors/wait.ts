/**
 * Waiting for several futures: `wait`, `waitSync`, `asCompleted`.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import { whenAborted } from "../_platform/aborts.ts";
import { callAt } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { deadlineOf } from "../_platform/options.ts";
import type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
import { blockUntil } from "./_blocking.ts";
import { CompletionRun } from "./_completion_run.ts";
import { type HasStanding, STANDING, type Standing } from "./_standing.ts";
import { type Future, futureInternals } from "./future.ts";

/** Return from `wait` once any future is done. */
export const FIRST_COMPLETED = "FIRST_COMPLETED";
/** Return from `wait` once any future is done with an error, or all are done. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION";
/** Return from `wait` once all futures are done. */
export const ALL_COMPLETED = "ALL_COMPLETED";

/** What {@linkcode wait} waits for: one of the three constants. */
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;

/** Options of {@linkcode wait}. */
export interface WaitForOptions extends WaitOptions {
  /** What is waited for. Default {@linkcode ALL_COMPLETED}. */
  returnWhen?: ReturnWhen | undefined;
}

/** Options of {@linkcode waitSync}. */
export interface WaitForSyncOptions extends WaitSyncOptions {
  /** What is waited for. Default {@linkcode ALL_COMPLETED}. */
  returnWhen?: ReturnWhen | undefined;
}

/**
 * Futures, divided by whether they are done: a pair, whose parts have names as well.
 *
 * @typeParam T What the futures resolve to.
 */
export interface WaitResult<T> extends Readonly<[done: Set<Future<T>>, notDone: Set<Future<T>>]> {
  /** The futures with an outcome: value, error or cancellation. */
  readonly done: Set<Future<T>>;
  /** The other futures. */
  readonly notDone: Set<Future<T>>;
}

/**
 * Waits for futures, which may belong to different executors. Does not block the thread, never
 * cancels anything, and does not throw when the time is up.
 *
 * @param futures Duplicates count once.
 * @param options `timeout` in milliseconds, `signal`, `returnWhen`.
 * @returns Which are done and which are not.
 * @throws {RangeError} For an unknown `returnWhen`, or a negative `timeout`.
 *
 * **Differs from Python:** a cancelled future counts as done at once.
 *
 * @example
 * ```ts
 * import { FIRST_COMPLETED, ThreadPoolExecutor, wait } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const futures = [1, 2, 3].map((n) => pool.submit((n: number) => n * n, n));
 * const { done } = await wait(futures, { returnWhen: FIRST_COMPLETED });
 * assert(done.size >= 1);
 * const [all, none] = await wait(futures);
 * assert(all.size === 3 && none.size === 0);
 * ```
 */
export async function wait<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitForOptions = {},
): Promise<WaitResult<FutureValue<F>>> {
  const deadlineMs = deadlineOf(options);
  const { signal } = options;
  signal?.throwIfAborted();
  const watch = new Watch(futures as Iterable<Future<FutureValue<F>>>, options.returnWhen);
  if (!watch.isOver && options.timeout === 0) doorbell.poll();
  try {
    if (!watch.isOver && options.timeout !== 0) await settled(watch, deadlineMs, signal);
  } finally {
    watch.stop();
  }
  return watch.result();
}

/**
 * The blocking form of {@linkcode wait}: blocks this thread while it waits.
 *
 * @throws {RuntimeError} When a future could not be completed while this thread is blocked.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor, waitSync } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const { done, notDone } = waitSync([pool.submit(() => 1), pool.submit(() => 2)]);
 * assertEquals([done.size, notDone.size], [2, 0]);
 * ```
 */
export function waitSync<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitForSyncOptions = {},
): WaitResult<FutureValue<F>> {
  const deadlineMs = deadlineOf(options);
  const watch = new Watch(futures as Iterable<Future<FutureValue<F>>>, options.returnWhen);
  try {
    const polls = options.timeout === 0;
    if (options.returnWhen === undefined || options.returnWhen === ALL_COMPLETED) {
      // Waits for one after the other, so that it is always known which one this thread waits for.
      for (const future of watch.pending) {
        if (!blockUntil(() => future.done(), deadlineMs, [future], polls)) break;
      }
    } else if (!watch.isOver) {
      blockUntil(() => watch.isOver, deadlineMs, watch.pending, polls);
    }
  } finally {
    watch.stop();
  }
  return watch.result();
}

/** Returns each future once; refuses anything else, such as a promise. */
function setOf<T>(futures: Iterable<Future<T>>): Set<Future<T>> {
  if (
    typeof (futures as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] !==
      "function"
  ) {
    throw new TypeError(
      "Cannot wait: expected futures in an array or another iterable; of a single one, await its result",
    );
  }
  const all = new Set(futures);
  for (const future of all) {
    if (typeof future?.done !== "function") {
      const got = describe(future);
      throw new TypeError(
        `Cannot wait: expected futures, got ${got}; submit its function to an executor`,
      );
    }
    if (!futureInternals.isOwn(future)) {
      throw new TypeError(
        "Cannot wait: a future is of another copy of this package; wait with that copy, or for its promise",
      );
    }
  }
  return all;
}

/** Futures being waited for. */
class Watch<T> {
  readonly #futures: Set<Future<T>>;
  readonly #returnWhen: ReturnWhen;
  readonly #receiver = (future: Future<unknown>): void => this.#arrived(future);
  #pending = 0;
  isOver = false;
  onOver: () => void = () => {};

  constructor(futures: Iterable<Future<T>>, returnWhen: ReturnWhen = ALL_COMPLETED) {
    if (
      returnWhen !== ALL_COMPLETED && returnWhen !== FIRST_COMPLETED &&
      returnWhen !== FIRST_EXCEPTION
    ) {
      throw new RangeError(`Cannot wait: unknown returnWhen ${describe(returnWhen)}`);
    }
    this.#futures = setOf(futures);
    this.#returnWhen = returnWhen;
    // Looks at all of them first, so that those that are done already count, whatever their order.
    for (const future of this.#futures) {
      if (future.done()) this.#isDecisive(future) && (this.isOver = true);
      else this.#pending++;
    }
    if (this.#pending === 0) this.isOver = true;
    if (this.isOver) return;
    for (const future of this.#futures) {
      if (!future.done()) futureInternals.whenDone(future, this.#receiver);
    }
  }

  #isDecisive(future: Future<unknown>): boolean {
    if (this.#returnWhen === FIRST_COMPLETED) return true;
    return this.#returnWhen === FIRST_EXCEPTION && futureInternals.hasFailed(future);
  }

  #arrived(future: Future<unknown>): void {
    if (--this.#pending > 0 && !this.#isDecisive(future)) return;
    this.isOver = true;
    this.onOver();
  }

  /** The futures that are not done. */
  get pending(): Future<T>[] {
    return [...this.#futures].filter((future) => !future.done());
  }

  /** Removes its receiver from all futures. */
  stop(): void {
    for (const future of this.#futures) futureInternals.forget(future, this.#receiver);
  }

  /** Returns which futures are done and which are not. */
  result(): WaitResult<T> {
    const done = new Set<Future<T>>();
    const notDone = new Set<Future<T>>();
    for (const future of this.#futures) (future.done() ? done : notDone).add(future);
    return Object.assign([done, notDone] as const, { done, notDone });
  }
}

/** Resolves once the watch is over or the time is up; rejects when the signal aborts. */
function settled(
  watch: Watch<unknown>,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      stopTimer();
      stopListening();
    };
    const onAbort = (): void => {
      stop();
      reject(signal!.reason);
    };
    watch.onOver = (): void => {
      stop();
      resolve();
    };
    const stopTimer = callAt(deadlineMs, watch.onOver);
    const stopListening = whenAborted(signal, onAbort);
  });
}

/**
 * Hands out futures in the order in which they are done; those that are done already come first.
 * Each is handed out once, and as a future: it is not awaited on the way, so a failed one does not
 * end the loop.
 *
 * The clock starts at the call. Leaving the loop early cancels nothing.
 *
 * @param futures Duplicates count once.
 * @param options `timeout` in milliseconds for all of them; `signal`.
 * @returns The futures: for `for await`, or, blocking this thread, for `for`.
 * @throws {TimeoutError} From the iteration, when time is up: "2 (of 5) futures unfinished".
 *
 * **Differs from Python:** the clock starts at the call, as Python documents but does not do.
 *
 * @example
 * ```ts
 * import { asCompleted, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const futures = [1, 2, 3].map((n) => pool.submit((n: number) => n * n, n));
 * let total = 0;
 * for await (const future of asCompleted(futures)) total += await future;
 * assertEquals(total, 14);
 * ```
 */
export function asCompleted<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitOptions = {},
): CompletedFutures<FutureValue<F>> {
  return new Completion(futures as Iterable<Future<FutureValue<F>>>, options);
}

/** What a future of type `F` resolves to. */
export type FutureValue<F> = F extends Future<infer T> ? T : never;

/**
 * What {@linkcode asCompleted} returns: futures for `for await`, and for `for`, which blocks.
 *
 * This is a union of two identical interfaces. TypeScript caches what a loop over a type hands out;
 * for a type that can be iterated in both forms it caches the wrong answer for `for await`, and for
 * a union it caches nothing. To extend or implement it, use {@linkcode CompletedIterable}.
 */
export type CompletedFutures<T> = CompletedIterable<T> | CompletedIterableToo<T>;

/** Futures that can be iterated in both forms. */
export interface CompletedIterable<T> extends AsyncIterable<Future<T>>, Iterable<Future<T>> {
  /** Iterates without blocking. */
  [Symbol.asyncIterator](): FutureIterator<T>;
  /** Iterates, blocking this thread while no future is done. */
  [Symbol.iterator](): IterableIterator<Future<T>>;
}

/** The same interface under another name; {@linkcode CompletedFutures} says why. */
export interface CompletedIterableToo<T> extends CompletedIterable<T> {}

/**
 * An iterator from which `for await` hands out futures as they are. With an
 * `AsyncIterableIterator`, newer compilers would give their awaited type.
 */
export interface FutureIterator<T> {
  /** Waits for the next future that is done. */
  next(): Promise<IteratorResult<Future<T>, undefined>>;
  /** Ends the iteration. */
  return?(value?: unknown): Promise<IteratorResult<Future<T>, unknown>>;
  /** Returns this iterator. */
  [Symbol.asyncIterator](): FutureIterator<T>;
}

/**
 * Ends runs from which the program wants no more: it may take the first future, and no other. By
 * weak references, so that no run, and with it its futures, is kept for this.
 */
const dropped = new FinalizationRegistry<WeakRef<CompletionRun<unknown>>>((run) => {
  run.deref()?.end();
});

/** What the program has. The futures hold the run only; only a wait for the next one holds this. */
class Completion<T> implements CompletedIterable<T>, HasStanding {
  readonly #run: CompletionRun<T>;

  constructor(futures: Iterable<Future<T>>, options: WaitOptions) {
    const deadlineMs = deadlineOf(options);
    options.signal?.throwIfAborted();
    this.#run = new CompletionRun(setOf(futures), deadlineMs, options);
    dropped.register(this, new WeakRef(this.#run));
  }

  [STANDING](): Standing {
    return this.#run[STANDING]();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Future<T>> {
    const iterator: AsyncIterableIterator<Future<T>> = {
      next: () => this.#run.next(this),
      return: (value) => {
        this.#run.end();
        return Promise.resolve({ done: true, value });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  [Symbol.iterator](): IterableIterator<Future<T>> {
    const iterator: IterableIterator<Future<T>> = {
      next: () => this.#run.nextSync(),
      return: (value) => {
        this.#run.end();
        return { done: true, value };
      },
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }
}
