/**
 * AsyncExecutor: tasks on the calling thread's event loop.
 *
 * @module
 */

import { callAt } from "../_platform/clock.ts";
import { RuntimeError, TimeoutError } from "../sync/errors.ts";
import { ChunkRun } from "./_chunk.ts";
import { nowMs } from "../_platform/clock.ts";
import { checkFraction, runInContext, type TaskContext } from "./context.ts";
import { Executor, type ExecutorBackend, type TaskOptions } from "./executor.ts";
import { type Future, futureInternals, type Runner } from "./future.ts";
import { dereference } from "./task.ts";

/** How an {@linkcode AsyncExecutor} is made. */
export interface AsyncExecutorOptions {
  /** The most tasks under way at a time, from 1. Default 32. */
  maxWorkers?: number;
}

const DEFAULT_MAX_WORKERS = 32;

type Call = (...args: unknown[]) => unknown;

interface Waiting {
  readonly number: number;
  readonly future: Future<unknown>;
  readonly fn: (...args: never[]) => unknown;
  readonly args: readonly unknown[];
  readonly arity: number;
  readonly priority: number;
  readonly controller: AbortController;
}

/** Runs tasks on this thread's event loop. */
class LoopBackend implements ExecutorBackend, Runner {
  readonly concurrency: number;
  readonly chunkMs = 0;
  #waiting: Waiting[] = [];
  /** Index of the first task in `#waiting` that has not been started. */
  #next = 0;
  #running = 0;
  #submitted = 0;
  #scheduled = false;
  #closing = false;
  readonly #onClosed: (() => void)[] = [];

  constructor(concurrency: number) {
    this.concurrency = concurrency;
  }

  submit(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    if (this.#closing) {
      throw new RuntimeError("Cannot submit: cannot schedule new futures after shutdown");
    }
    const future = futureInternals.create<unknown>(this, this.#submitted);
    const controller = new AbortController();
    const waiting: Waiting = {
      number: this.#submitted++,
      future,
      fn,
      args,
      arity,
      priority: options?.priority ?? 0,
      controller,
    };
    if (options !== undefined) limit(waiting, options);
    if (!future.done()) this.#enqueue(waiting);
    return future;
  }

  #enqueue(task: Waiting): void {
    const waiting = this.#waiting;
    let at = waiting.length;
    while (at > this.#next && waiting[at - 1].priority < task.priority) at--;
    waiting.splice(at, 0, task);
    if (this.#scheduled || this.#running >= this.concurrency) return;
    this.#scheduled = true;
    // Not within submit: the caller may still cancel, and gets its future first.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#startTasks();
    });
  }

  #startTasks(): void {
    while (this.#running < this.concurrency && this.#next < this.#waiting.length) {
      const task = this.#waiting[this.#next];
      this.#waiting[this.#next++] = undefined as unknown as Waiting;
      if (task.future.done() || !task.future.setRunningOrNotifyCancel()) continue;
      this.#running++;
      // Not at the end of the task, which may be given up and never end.
      futureInternals.whenDone(task.future, () => {
        this.#running--;
        this.#startTasks();
      });
      run(task);
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    } else if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    this.#closeIfOver();
  }

  cancel(): boolean {
    return true; // A future that is still pending has not been started.
  }

  isRunning(): boolean {
    return false; // Running futures know it themselves.
  }

  leaveBlocking(): void {}

  enterBlocking(): void {
    throw new RuntimeError(
      "Cannot block: the task runs on this thread's event loop, which would stand still; await the future instead",
    );
  }

  shutdown(cancelFutures: boolean): void {
    if (cancelFutures) {
      for (let i = this.#next; i < this.#waiting.length; i++) this.#waiting[i].future.cancel();
    }
    this.#closing = true;
    this.#closeIfOver();
  }

  get #isOver(): boolean {
    if (this.#running > 0) return false;
    return this.#waiting.every((task) => task === undefined || task.future.done());
  }

  #closeIfOver(): void {
    if (!this.#closing || !this.#isOver) return;
    for (const onClosed of this.#onClosed.splice(0)) onClosed();
  }

  whenClosed(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  waitClosedSync(): void {
    if (!this.#isOver) this.enterBlocking();
  }
}

async function run(task: Waiting): Promise<void> {
  const { future } = task;
  try {
    const fn = await dereference(task.fn) as Call;
    futureInternals.resolve(future, await runInContext(contextOf(task), () => call(task, fn)));
  } catch (error) {
    futureInternals.reject(future, error);
  }
}

function call({ args, arity }: Waiting, fn: Call): unknown {
  return arity === 0 ? fn(...args) : callChunk(new ChunkRun(fn, args, arity));
}

async function callChunk(chunk: ChunkRun): Promise<unknown> {
  const startMs = nowMs();
  await chunk.finish(chunk.advance());
  return [nowMs() - startMs, chunk.entries, chunk.failed];
}

function contextOf({ number, future, controller }: Waiting): TaskContext {
  return {
    id: number,
    attempt: 1,
    signal: controller.signal,
    report: (fraction) => {
      checkFraction(fraction);
      futureInternals.setProgress(future, fraction);
    },
  };
}

/** Gives a task up when its signal aborts or its time is up. */
function limit({ future, controller }: Waiting, { signal, timeout }: TaskOptions): void {
  const stop = (error: unknown): void => {
    futureInternals.reject(future, error);
    controller.abort(error);
  };
  if (signal?.aborted) return stop(signal.reason);
  const onAbort = (): void => stop(signal!.reason);
  const stopTimer = timeout === undefined || timeout === null ? undefined : callAt(
    nowMs() + timeout,
    () => stop(new TimeoutError(`Cannot finish task: it was not done within ${timeout} ms`)),
  );
  signal?.addEventListener("abort", onAbort, { once: true });
  futureInternals.whenDone(future, () => {
    stopTimer?.();
    signal?.removeEventListener("abort", onAbort);
  });
}

/**
 * Runs tasks on the calling thread's event loop: concurrent, not parallel. For work that waits, such as requests; what
 * computes belongs in a `ThreadPoolExecutor`. Any function will do, closures too, and nothing is cloned.
 *
 * A task starts in a microtask after `submit`, in the order of submission, as long as fewer than `maxWorkers` are under
 * way; a promise that it returns is awaited.
 *
 * Blocking for one of its futures throws, as the event loop would stand still.
 *
 * A running task whose signal aborts or whose time is up is given up and told so through `taskContext().signal`; its place
 * is free for the next one, even if it goes on.
 *
 * @example
 * ```ts
 * import { AsyncExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using executor = new AsyncExecutor({ maxWorkers: 2 });
 * const greeting = "hello";
 * const future = executor.submit(async (name: string) => `${greeting}, ${await name}`, "world");
 * assertEquals(await future, "hello, world");
 * ```
 */
export class AsyncExecutor extends Executor {
  /**
   * Makes an executor.
   *
   * @throws {RangeError} For a `maxWorkers` below 1.
   * @throws {TypeError} When it is not an integer.
   */
  constructor({ maxWorkers = DEFAULT_MAX_WORKERS }: AsyncExecutorOptions = {}) {
    if (!Number.isInteger(maxWorkers)) {
      throw new TypeError(`Cannot make executor: maxWorkers must be an integer, got ${maxWorkers}`);
    }
    if (maxWorkers < 1) {
      throw new RangeError(
        `Cannot make executor: maxWorkers must be greater than 0, got ${maxWorkers}`,
      );
    }
    super(new LoopBackend(maxWorkers));
  }

  /** Shows as `AsyncExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "AsyncExecutor";
  }
}
