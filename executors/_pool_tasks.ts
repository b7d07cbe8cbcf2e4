/**
 * The unfinished tasks of a pool, and how each comes to its outcome.
 *
 *   create -> queued -> with a worker -> settled: its worker has reported the outcome
 *                |             |
 *                |             +-------> settled: its worker was lost, or the task was given up
 *                +---------------------> settled: taken back
 *
 * Each task has an index, from `create` until no mail can name the task any more; then another task
 * gets the index. That is once its outcome has been reported, or no worker has it. A task that was
 * given up is settled at once, and keeps its index until its worker has ended it or is ignored.
 *
 * Where a task can be when it must be taken back: in the backlog (it is settled, and its index is
 * free again once it has left the backlog), in the ring (a compare-exchange against the claiming
 * workers decides), or with a worker (too late).
 *
 * Invariant: `unsettled` counts the tasks that were queued and whose futures are not done; each is
 * subtracted once, by `#bookOut`.
 *
 * @module
 */

import { nowMs } from "../_platform/clock.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { type ChunkOutcome, errorIn, isChunkOutcome } from "./_chunk.ts";
import { Deadlines } from "./_deadlines.ts";
import type { Runner } from "./_future_internals.ts";
import { limitTask } from "./_limits.ts";
import type { Meter } from "./_meter.ts";
import type { WorkerKind } from "./_pool_options.ts";
import type { PoolStreams } from "./_stream_pool.ts";
import type { TaskQueue } from "./_task_queue.ts";
import type { TaskWatch } from "./_task_watch.ts";
import type { PoolWorkerHandle } from "./_worker_handle.ts";
import type { TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";

/** How long a task that was given up may take to notice before its worker is abandoned. */
const GRACE_MS = 50;

/** What the tasks tell their pool. */
export interface TasksPool extends Runner {
  /** A task was settled. */
  settled(): void;
  /** A thread does not end a task that was given up: the thread is ignored from now on. */
  abandon(worker: PoolWorkerHandle): void;
}

/** The parts of a pool that its tasks deal with. */
export interface TasksParts {
  readonly kind: WorkerKind;
  readonly queue: TaskQueue;
  readonly streams: PoolStreams;
  readonly watch: TaskWatch;
  readonly workers: readonly PoolWorkerHandle[];
}

/** The unfinished tasks of a pool. */
export class PoolTasks {
  /** Deadlines of tasks, and of the grace that workers have to stop them. */
  readonly deadlines = new Deadlines();
  readonly #pool: TasksPool;
  readonly #kind: WorkerKind;
  readonly #queue: TaskQueue;
  readonly #streams: PoolStreams;
  readonly #watch: TaskWatch;
  readonly #meter: Meter;
  readonly #workers: readonly PoolWorkerHandle[];

  /** The futures of tasks that were queued, by index. */
  readonly #futures: (Future<unknown> | undefined)[] = [];
  readonly #free: number[] = [];
  #indexes = 0;
  #unsettled = 0;
  /** Given-up tasks that processes were asked to stop. */
  readonly #stopped = new Set<number>();
  /** How many calls the tasks make that are chunks of `map`. */
  readonly #chunks = new Map<number, number>();

  constructor(pool: TasksPool, { kind, queue, streams, watch, workers }: TasksParts) {
    this.#pool = pool;
    this.#kind = kind;
    this.#queue = queue;
    this.#streams = streams;
    this.#watch = watch;
    this.#meter = watch.meter;
    this.#workers = workers;
  }

  /** How many tasks have no outcome. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** How many of them workers have claimed. */
  get claimed(): number {
    let claimed = 0;
    for (const future of this.#futures) {
      if (future?.done() === false && this.#pool.isRunning(future)) claimed++;
    }
    return claimed;
  }

  /** The future of a task; `undefined` if no task has that index. */
  futureOf(task: number): Future<unknown> | undefined {
    return this.#futures[task];
  }

  /**
   * Makes a future with an index for a task, which is not counted before it is {@linkcode queued}.
   */
  create(): Future<unknown> {
    return futureInternals.create<unknown>(this.#pool, this.#free.pop() ?? this.#indexes++);
  }

  /** Says that a task is a chunk of `map`, of so many calls. */
  addChunk(task: number, calls: number): void {
    this.#chunks.set(task, calls);
  }

  /** Counts a task, which from now on waits for a worker. */
  queued(future: Future<unknown>): void {
    this.#futures[futureInternals.taskOf(future)] = future;
    this.#unsettled++;
  }

  /** Gives a task up when its time is up or its signal aborts. */
  limit(future: Future<unknown>, options: TaskOptions): void {
    const task = futureInternals.taskOf(future);
    limitTask(future, options, this.deadlines, (error) => this.#giveUp(future, task, error));
  }

  /** Removes a task that has never run from the times. Call before its index is freed. */
  drop(task: number): void {
    this.#meter.drop(task, this.#chunks.get(task) ?? 1);
  }

  /** Frees the index of a task that no mail will name any more. */
  free(task: number): void {
    this.#forget(task);
    this.#meter.forget(task);
    this.#free.push(task);
  }

  #forget(task: number): void {
    this.#queue.release(task);
    this.#streams.remove(task);
    this.#chunks.delete(task);
    this.#futures[task] = undefined;
  }

  /** Frees the index of a task that was taken back and has now left the backlog. */
  leftBacklog(task: number): void {
    this.#free.push(task);
  }

  #bookOut(): void {
    this.#unsettled--;
    this.#pool.settled();
  }

  // Outcomes

  /** Takes in the outcome of a task that a worker reports. */
  settle(worker: PoolWorkerHandle, task: number, failed: boolean, value: unknown): void {
    worker.forgetNamed();
    const future = this.#futures[task];
    // The task failed when the pool broke, before its process was dead.
    if (future === undefined) return;
    if (this.#stopped.delete(task)) return this.free(task);
    worker.account.done++;
    if (worker.givenUp?.task === task) {
      // The worker has ended the task in time.
      worker.givenUp.grace.cancel();
      worker.givenUp = undefined;
    }
    const calls = this.#chunks.get(task);
    if (calls !== undefined && !failed && !isChunkOutcome(value, calls)) {
      failed = true;
      value = new TypeError("Cannot read outcome: it is not that of a chunk");
    }
    this.free(task);
    if (future.done()) return; // The future was settled when the task was given up.
    this.#bookOut();
    if (failed || (calls !== undefined && errorIn(value as ChunkOutcome) !== undefined)) {
      this.#meter.failed++;
    } else this.#meter.completed++;
    if (failed) futureInternals.reject(future, value);
    else futureInternals.resolve(future, value);
  }

  // Taking tasks back

  /** Cancels a task that no worker has claimed; false when one has. */
  cancel(future: Future<unknown>): boolean {
    if (!this.#takeBack(future)) return false;
    this.#meter.cancelled++;
    return true;
  }

  /** Cancels all tasks that no worker has claimed. */
  cancelAll(): void {
    for (const future of [...this.#futures]) future?.cancel();
  }

  /** Fails a task that no worker has claimed; false when one has. */
  refuse(future: Future<unknown>, how: "given up" | "lost", error: unknown): boolean {
    if (!this.#takeBack(future)) return false;
    const task = futureInternals.taskOf(future);
    this.#watch.fails(task, how);
    this.#meter.failed++;
    futureInternals.reject(future, error);
    return true;
  }

  /** Takes back a task that no worker has claimed, and counts it as settled; false when one has. */
  #takeBack(future: Future<unknown>): boolean {
    const task = futureInternals.taskOf(future);
    const taken = this.#queue.takeBack(task);
    if (taken === "claimed") return false;
    this.drop(task);
    this.#forget(task);
    if (taken === "taken") this.#free.push(task);
    this.#bookOut();
    // The task has left room, and this thread may be asleep.
    if (!this.#queue.isPublished) doorbell.nudge();
    return true;
  }

  // Giving tasks up

  /** Fails a task that nobody waits for any more, and asks the worker that runs it to stop. */
  #giveUp(future: Future<unknown>, task: number, error: unknown): void {
    doorbell.poll(); // The task may have ended in time.
    if (future.done() || this.refuse(future, "given up", error)) return;
    const number = this.#queue.numberOf(task);
    const worker = this.#workers.find(({ state }) => state.isRunningTask(number));
    if (this.#kind.exports !== undefined) this.#stopProcess(task, number);
    else if (worker !== undefined) this.#stopThread(worker, task, number);
    else {
      // A worker claimed the task this very moment: in an instant it shows that it runs the task,
      // or has finished it.
      this.deadlines.at(nowMs() + 1, () => this.#giveUp(future, task, error));
      return;
    }
    // Not before this attempt succeeds: a stopped stream returns, and at the next attempt that
    // would be its outcome.
    this.#streams.stop(task);
    this.#watch.fails(task, "given up", worker);
    this.#meter.failed++;
    this.#bookOut();
    futureInternals.reject(future, error);
  }

  /**
   * Asks all processes to stop the task, as any may have it in hand; the one that does is killed if
   * it does not stop.
   */
  #stopProcess(task: number, number: number): void {
    this.#stopped.add(task);
    for (const worker of this.#workers) worker.child!.stop(task, number, GRACE_MS);
  }

  /** Asks a thread to stop the task, and abandons the thread if it does not. */
  #stopThread(worker: PoolWorkerHandle, task: number, number: number): void {
    worker.state.abort(number);
    // That is the grace for an earlier task, which the thread has finished by now: its outcome is
    // on its way.
    worker.givenUp?.grace.cancel();
    const grace = this.deadlines.at(nowMs() + GRACE_MS, () => this.#abandon(worker, number));
    worker.givenUp = { task, grace };
  }

  #abandon(worker: PoolWorkerHandle, number: number): void {
    doorbell.poll();
    if (worker.givenUp === undefined || worker.hasEnded) return;
    worker.state.retire(this.#queue.ring);
    // If the task ended at this moment, the worker says RETIRED by itself (invariant 1 of its
    // state).
    if (!worker.state.isRunningTask(number)) return;
    this.#meter.abandoned++;
    this.free(worker.givenUp.task);
    this.#pool.abandon(worker);
  }

  // Losing tasks

  /** Fails a task that was in the hands of a lost worker. */
  failLost(task: number, reason: string, cause: unknown): void {
    const future = this.#futures[task];
    if (future === undefined) return;
    this.#stopped.delete(task);
    if (future.done()) this.free(task); // The task was given up before.
    else this.#fail(future, reason, cause);
  }

  /** Fails all tasks, wherever they are. */
  failAll(reason: string, cause: unknown): void {
    for (const future of [...this.#futures]) {
      if (future !== undefined && !future.done()) this.#fail(future, reason, cause);
    }
  }

  /** Fails all tasks that no worker has claimed. */
  refuseAll(reason: string, cause: unknown): void {
    for (const future of [...this.#futures]) {
      if (future === undefined || future.done()) continue;
      const error = new this.#kind.Broken(`Cannot run task: ${reason}`, { cause });
      this.refuse(future, "lost", error);
    }
  }

  #fail(future: Future<unknown>, reason: string, cause: unknown): void {
    const error = new this.#kind.Broken(`Cannot finish task: ${reason}`, { cause });
    if (this.refuse(future, "lost", error)) return;
    const task = futureInternals.taskOf(future);
    this.#watch.fails(task, "lost");
    this.drop(task);
    this.#meter.failed++;
    this.free(task);
    this.#bookOut();
    futureInternals.reject(future, error);
  }
}
