/**
 * AsyncExecutor: tasks on the calling thread's event loop.
 *
 * @module
 */

import { callAt } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { checkInteger, checkOptions } from "../_platform/options.ts";
import { soon } from "../_platform/timers.ts";
import { callIn } from "../sync/_contexts.ts";
import { RuntimeError } from "../sync/errors.ts";
import { chunkOf, ChunkRun } from "./_chunk.ts";
import { nowMs } from "../_platform/clock.ts";
import type { Runner } from "./_future_internals.ts";
import { limitTask } from "./_limits.ts";
import { LoopWatch, type TimedTask } from "./_loop_watch.ts";
import { submitContextOf } from "./_submit_context.ts";
import { type ExecutorObserver, failureOf, type Observable } from "./_observer.ts";
import { checkFraction, runInContext, type TaskContext } from "./context.ts";
import { Executor, type ExecutorBackend, type TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import { StreamDriver } from "./_stream_driver.ts";
import type { StreamSink, StreamSource } from "./stream.ts";
import type { ExecutorStats } from "./stats.ts";
import { dereference, dropTransfers, takeTransfers } from "./task.ts";

/** How an {@linkcode AsyncExecutor} is made. */
export interface AsyncExecutorOptions {
  /** The most tasks under way at a time, at least 1. Default 32. */
  maxWorkers?: number | undefined;
}

const DEFAULT_MAX_WORKERS = 32;

/** How many tasks that will not be started may stay in the queue before it is compacted. */
const MOST_GAPS = 1024;

let executorsMade = 0;

type Call = (...args: unknown[]) => unknown;

interface Waiting {
  readonly number: number;
  readonly future: Future<unknown>;
  fn: (...args: never[]) => unknown;
  args: readonly unknown[];
  /** Whether it is one of the running tasks. */
  isStarted: boolean;
  /** Lets it run, once there is room. */
  begin: () => void;
  readonly arity: number;
  readonly priority: number;
  readonly controller: AbortController;
  /** For a stream: what iterates the function's return value. */
  readonly driver: StreamDriver | undefined;
  readonly timed: TimedTask | undefined;
}

/**
 * Runs tasks on this thread's event loop.
 *
 * Nothing is sent, so nothing moves: marks made by `transfer` are taken from values wherever a pool
 * would do so. Otherwise they would apply when a value is sent elsewhere later, without a mark.
 */
class LoopBackend implements ExecutorBackend, Observable, Runner {
  readonly name: string;
  readonly concurrency: number;
  readonly chunkMs = 0;
  #waiting: Waiting[] = [];
  /** Index of the first task in `#waiting` that has not been started. */
  #next = 0;
  /** How many tasks were taken back since the list was last compacted. */
  #takenBack = 0;
  #running = 0;
  #submitted = 0;
  #scheduled = false;
  #closing = false;
  readonly #onClosed: (() => void)[] = [];
  readonly #watch: LoopWatch;

  constructor(name: string, concurrency: number) {
    this.name = name;
    this.concurrency = concurrency;
    this.#watch = new LoopWatch(name);
  }

  submit(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    return this.#push(fn, args, options, arity, undefined).future;
  }

  stream(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): StreamSource {
    let hasThrown = false;
    const driver = new StreamDriver({
      put: (value) => {
        takeTransfers(value);
        sink.next(value);
        return 1;
      },
      poll() {},
      failing: () => hasThrown = true,
      turn: () => new Promise((resolve) => platform.nextTurn(resolve)),
    }, buffersize);
    const { future, controller } = this.#push(fn, args, options, 0, driver);
    futureInternals.whenDone(future, () => {
      if (hasThrown) sink.fail(futureInternals.outcomeOf(future));
      driver.stop(); // The task may have been given up.
    });
    return {
      future,
      taken: (count) => driver.request(count),
      stop: () => {
        if (future.cancel()) return;
        controller.abort();
        driver.stop();
      },
    };
  }

  #push(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
    driver: StreamDriver | undefined,
  ): Waiting {
    dropTransfers(args);
    if (this.#closing) {
      throw new RuntimeError("Cannot submit: cannot schedule new futures after shutdown");
    }
    const number = this.#submitted++;
    const future = futureInternals.create<unknown>(this, number);
    const controller = new AbortController();
    const waiting: Waiting = {
      number,
      future,
      fn,
      args,
      isStarted: false,
      begin: () => {},
      arity,
      priority: options?.priority ?? 0,
      controller,
      driver,
      timed: this.#watch.add(
        fn,
        chunkOf(args, arity),
        future,
        number,
        submitContextOf(options),
      ),
    };
    // Registered ahead of all callbacks. Not done at the end of the task: a task that was given up
    // may never end.
    futureInternals.whenDone(future, () => this.#settled(waiting));
    if (options !== undefined) {
      limitTask(future, options, TIMERS, (error) => this.#giveUp(waiting, error));
    }
    if (!future.done()) this.#enqueue(waiting);
    return waiting;
  }

  #enqueue(task: Waiting): void {
    const waiting = this.#waiting;
    // Goes behind all tasks of its own or a higher priority: as a rule, behind all tasks.
    let first = this.#next;
    let at = waiting.length;
    if (first < at && waiting[at - 1].priority >= task.priority) first = at;
    while (first < at) {
      const middle = (first + at) >> 1;
      if (waiting[middle].priority < task.priority) at = middle;
      else first = middle + 1;
    }
    waiting.splice(at, 0, task);
    run(task);
    if (this.#scheduled || this.#running >= this.concurrency) return;
    this.#scheduled = true;
    // Not within `submit`: the caller gets the future first, and may still cancel it.
    soon(() => {
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
      task.isStarted = true;
      task.begin();
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    } else if (this.#next > MOST_GAPS && this.#next * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    this.#closeIfOver();
  }

  #settled(task: Waiting): void {
    const { meter } = this.#watch.tasks;
    if (!task.isStarted) {
      if (task.timed === undefined) meter.dropUntimed(chunkOf(task.args, task.arity) || 1);
      // It stays in the queue until its turn comes or the queue is compacted; the function and
      // arguments that it holds do not.
      task.fn = () => {};
      task.args = [];
      if (++this.#takenBack > MOST_GAPS) this.#dropTakenBack();
      return;
    }
    if (failureOf(task.future, task.arity > 0) !== undefined) meter.failed++;
    else meter.completed++;
    this.#running--;
    this.#startTasks();
    if (this.#running === 0) meter.catchUp();
  }

  /** Removes the tasks that were taken back from the queue, once they are half of it. */
  #dropTakenBack(): void {
    if (this.#takenBack * 2 < this.#waiting.length - this.#next) return;
    this.#waiting = this.#waiting.slice(this.#next).filter(({ future }) => !future.done());
    this.#next = this.#takenBack = 0;
  }

  cancel(): boolean {
    this.#watch.tasks.meter.cancelled++;
    return true; // A pending future's task has not been started.
  }

  /** Fails a task that nobody wants any more, and aborts its signal. */
  #giveUp({ future, timed, controller }: Waiting, error: unknown): void {
    timed?.giveUp();
    // If nothing runs it, nothing else will count it.
    if (!future.running()) this.#watch.tasks.meter.failed++;
    futureInternals.reject(future, error);
    controller.abort(error);
  }

  isRunning(): boolean {
    return false; // A running future has that state itself.
  }

  leaveBlocking(): void {}

  enterBlocking(): void {
    throw new RuntimeError(
      "Cannot block: the task runs on this thread's event loop, which would stand still; await the future instead",
    );
  }

  shutdown(cancelFutures: boolean): void {
    this.#closing = true; // First, so that callbacks of cancelled futures cannot submit.
    if (cancelFutures) {
      for (const { future } of this.#waiting.slice(this.#next)) future.cancel();
    }
    this.#closeIfOver();
  }

  get #isOver(): boolean {
    if (this.#running > 0) return false;
    return this.#waiting.every((task) => task === undefined || task.future.done());
  }

  #closeIfOver(): void {
    if (!this.#closing || !this.#isOver) return;
    this.#watch.close();
    for (const onClosed of this.#onClosed.splice(0)) onClosed();
  }

  whenClosed(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  waitClosedSync(): void {
    if (!this.#isOver) this.enterBlocking();
  }

  /** See {@linkcode Observable}. */
  observe(observer: ExecutorObserver): () => void {
    return this.#watch.observe(observer);
  }

  submitContext(): unknown {
    return this.#watch.tasks.context();
  }

  stats(): ExecutorStats {
    return this.#watch.stats(this.#submitted, this.#running);
  }
}

/**
 * Runs a task once it may begin. It is called where the task is submitted, because code after an
 * `await` goes on in the async context of the call. Called by the task that makes room, it would
 * run in the context of that one, and with the locks held there.
 */
async function run(task: Waiting): Promise<void> {
  await new Promise<void>((resolve) => task.begin = resolve);
  const { future, timed } = task;
  try {
    const target = dereference(task.fn);
    const fn = (target instanceof Promise ? await target : target) as Call;
    // It was given up while its module was loaded.
    if (future.done()) return;
    // Each call of a chunk has to begin in the context; where contexts end at an await, it is
    // entered anew.
    const one = platform.keepsContext
      ? fn
      : (...args: unknown[]): unknown => runInContext(context, () => fn(...args));
    const chunk = task.arity === 0 ? undefined : new ChunkRun(one, task.args, task.arity);
    const context = contextOf(task, chunk);
    const plain = (): unknown => chunk === undefined ? fn(...task.args) : callChunk(chunk);
    const { driver } = task;
    const call = driver === undefined ? plain : (): unknown => driver.run(plain);
    const inContext = (): unknown => runInContext(context, call);
    const value = await (timed === undefined ? inContext() : timed.call(inContext));
    timed?.end();
    takeTransfers(value);
    callIn(undefined, () => futureInternals.resolve(future, value), undefined);
  } catch (error) {
    timed?.end();
    callIn(undefined, () => futureInternals.reject(future, error), undefined);
  }
}

async function callChunk(chunk: ChunkRun): Promise<unknown> {
  const startMs = nowMs();
  await chunk.finish(chunk.advance());
  dropTransfers(chunk.entries);
  return [nowMs() - startMs, chunk.entries, chunk.failed];
}

function contextOf(
  { number, future, controller }: Waiting,
  chunk: ChunkRun | undefined,
): TaskContext {
  return {
    id: number,
    attempt: 1,
    signal: controller.signal,
    report: (fraction) => {
      checkFraction(fraction);
      futureInternals.setProgress(future, chunk?.share(fraction) ?? fraction);
    },
  };
}

/** A clock made of timers, which suffice because this thread never blocks for its own tasks. */
const TIMERS = {
  at: (atMs: number, run: () => void): { cancel(): void } => ({ cancel: callAt(atMs, run) }),
};

/**
 * Runs tasks on the calling thread's event loop: concurrently, not in parallel. For work that
 * waits, such as requests; work that computes belongs in a `ThreadPoolExecutor`. Any function will
 * do, closures too, and nothing is cloned.
 *
 * A task starts in a microtask after `submit`, in the order of submission, as long as fewer than
 * `maxWorkers` tasks are under way. If it returns a promise, that is awaited.
 *
 * Blocking for one of its futures throws, as the event loop would stand still.
 *
 * A running task whose signal aborts or whose time is up is given up, and learns of it through
 * `taskContext().signal`. Its place is free for the next task, even if it goes on.
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
  readonly #backend: LoopBackend;

  /**
   * Makes an executor.
   *
   * @throws {RangeError} For a `maxWorkers` below 1.
   * @throws {TypeError} When it is not an integer.
   */
  constructor(options: AsyncExecutorOptions = {}) {
    checkOptions("make executor", options, "{ maxWorkers: 2 }");
    const { maxWorkers = DEFAULT_MAX_WORKERS } = options;
    checkInteger("make executor", "maxWorkers", maxWorkers);
    if (maxWorkers < 1) {
      throw new RangeError(
        `Cannot make executor: maxWorkers must be greater than 0, got ${maxWorkers}`,
      );
    }
    const backend = new LoopBackend(`AsyncExecutor-${executorsMade++}`, maxWorkers);
    super(backend);
    this.#backend = backend;
  }

  /**
   * Returns counts and times of this moment. Tasks that were given up count as failed at once, and
   * are not timed.
   *
   * @example
   * ```ts
   * import { AsyncExecutor } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * await using executor = new AsyncExecutor({ maxWorkers: 1 });
   * const futures = [executor.submit(() => 1), executor.submit(() => 2)];
   * assertEquals(executor.stats().queued, 2);
   * await Promise.all(futures);
   * assertEquals(executor.stats().completed, 2);
   * ```
   */
  stats(): ExecutorStats {
    return this.#backend.stats();
  }

  /** Shows as `AsyncExecutor` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "AsyncExecutor";
  }
}
