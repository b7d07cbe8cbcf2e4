/**
 * The workers of a pool: how many there are, which of them are woken for a task, and when another
 * one is started.
 *
 * A worker that has run out of tasks sleeps. Publishing a task engages as many workers as there are
 * unclaimed tasks: first sleeping ones, then new ones, up to `maxWorkers`. A worker that is looking
 * for a task at this moment counts as engaged.
 *
 * A worker that looks free may have claimed a task without having shown yet that it runs it:
 *
 *   W: claims task 1        O: sees that task 2 waits and that W is free, starts nobody, and sleeps
 *   W: runs task 1 for an hour; or for ever, if that waits for task 2
 *
 * So an owner that leaves tasks to free workers, and is about to sleep, sets the word ASKED of the
 * task ring. It also does so while tasks wait for room, in the ring or for their arguments: a
 * worker that begins a task makes such room.
 *
 * Invariants
 * 1. The owner sets ASKED, and then looks once more for free workers and for room. A worker that
 *    begins a task shows this (word PHASE), and later gives back the memory of its arguments; after
 *    each of the two it looks at ASKED. If the owner has asked, the worker resets ASKED and wakes
 *    the owner by a record. So either the owner sees what the worker has done, or the worker sees
 *    that the owner has to know.
 * 2. Word WORKERS of the task ring is how many workers are in the list. Workers that do not sleep are
 *    taken for working ones, beside which another one does not spin for long.
 * 3. The waiting tasks are the unclaimed ones in the ring and those that processes have returned
 *    (word RETURNED).
 * 4. A process that has several tasks in hand shows one of them, and never one that it no longer
 *    has.
 * 5. A thread that is abandoned while it reads its arguments is no longer in the list, so nobody
 *    reads its records. When it has given back the memory of the arguments, it resets its word
 *    HELD, and then rings. The owner, before it sleeps, first announces this, and then looks at
 *    that word.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { callAt, nowMs } from "../_platform/clock.ts";
import { TASK_RING } from "../_memory/layout.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import { RuntimeError } from "../sync/errors.ts";
import type { Catalog } from "./_catalog.ts";
import { encodeInitializer, NO_INITIALIZER } from "./_initializer.ts";
import { ownId, ownOrigin } from "./_origin.ts";
import { endAccess, shareAccess } from "./_parent_access.ts";
import type { PoolSettings, WorkerKind } from "./_pool_options.ts";
import type { TaskQueue } from "./_task_queue.ts";
import { isLoading, STARTS_WHILE_LOADING } from "./_thread_self.ts";
import { PoolWorkerHandle } from "./_worker_handle.ts";

/** When tasks are pending for longer than this, the workers are watched for signs of life. */
const WATCH_AFTER_MS = 50;

/** Consecutive submissions of one function between two checks whether the workers keep up. */
const STREAK = 64;

/** What a crew asks its pool, and reports to it. */
export interface CrewPool {
  /** Whether there are tasks for which a worker may be started. */
  readonly mayStartWorkers: boolean;
  /** Whether the pool is broken: then {@linkcode Crew.engage} neither wakes nor starts workers. */
  readonly isBroken: boolean;
  /** Whether tasks are pending other than streams that rest until their consumers want more. */
  readonly isWorking: boolean;
  /** Publishes waiting tasks as far as there is room. */
  refill(): void;
  /** Whether the task with that index has no outcome at the owner yet. */
  isPending(task: number): boolean;
  /** A worker has been started. */
  started(worker: PoolWorkerHandle): void;
  /** A worker could not be started. */
  startFailed(error: unknown): void;
  /** A worker has ended unasked. */
  lost(worker: PoolWorkerHandle, how: string, cause: unknown): void;
}

/** The workers of a pool. */
export class Crew {
  /** The workers, oldest first. */
  readonly list: readonly PoolWorkerHandle[];
  readonly #list: PoolWorkerHandle[] = [];
  readonly #pool: CrewPool;
  readonly #settings: PoolSettings;
  readonly #kind: WorkerKind;
  readonly #queue: TaskQueue;
  readonly #catalog: Catalog;
  /**
   * Threads that were abandoned while reading arguments: each is ended once it has given back the
   * memory of these.
   */
  readonly #readers: PoolWorkerHandle[] = [];
  /** Worker numbers, for the slots' stamps, that are free. */
  readonly #freeNumbers: number[] = [];
  #started = 0;
  /** How many workers of the list take no more tasks; see {@linkcode finish}. */
  #finishing = 0;
  #isStarting = false;
  #initializer = NO_INITIALIZER;
  /** HEAD of the ring when the pace was last checked, and the result. */
  #lastHead = 0;
  #isKeepingUp = false;
  #cancelWatchLater: (() => void) | undefined;

  constructor(
    pool: CrewPool,
    settings: PoolSettings,
    kind: WorkerKind,
    queue: TaskQueue,
    catalog: Catalog,
  ) {
    this.#pool = pool;
    this.#settings = settings;
    this.#kind = kind;
    this.#queue = queue;
    this.#catalog = catalog;
    this.list = this.#list;
    for (let i = MAX_WORKERS; i-- > 0;) this.#freeNumbers.push(i);
  }

  /**
   * Makes each worker call the pool's initializer before its first task.
   *
   * @throws {NotShareableError} When the initializer cannot be sent.
   */
  initialize(): void {
    this.#initializer = encodeInitializer(this.#settings, this.#catalog, this.#kind.exports);
  }

  /** True when one more worker may be started, and there are tasks for it. */
  get #mayStart(): boolean {
    return this.#size < this.#settings.maxWorkers && this.#freeNumbers.length > 0 &&
      this.#pool.mayStartWorkers;
  }

  /** The number of workers that take tasks. */
  get #size(): number {
    return this.#list.length - this.#finishing;
  }

  // Engaging

  /**
   * Checks whether the workers that are awake keep up with a long run of submissions of one
   * function, and records what {@linkcode isKeepingUp} returns. While they do, one more worker
   * would not help: this thread is the one that cannot keep up, and the worker would take processor
   * time from it. Tasks that still wait when this thread goes to sleep get their workers then.
   *
   * @param streak How often the last function has been submitted in a row, not counting the first
   * time.
   * @returns True when the workers keep up, and at least one of them is awake.
   */
  checkPace(streak: number): boolean {
    if (streak % STREAK === 0) {
      const { head } = this.#queue.ring;
      this.#isKeepingUp = streak > 0 && ((head - this.#lastHead) | 0) > STREAK / 4;
      this.#lastHead = head;
    }
    // If all workers sleep, none keeps up.
    return this.#isKeepingUp &&
      load(this.#queue.ring.words, TASK_RING.SLEEPING) < this.#size;
  }

  /** Whether the workers kept up when {@linkcode checkPace} last measured it. */
  get isKeepingUp(): boolean {
    return this.#isKeepingUp;
  }

  /**
   * Engages workers for unclaimed tasks: wakes sleeping ones, and starts one if more are needed and
   * allowed.
   */
  engage(): void {
    const { ring } = this.#queue;
    const { words } = ring;
    // `#waiting` includes tasks taken back until HEAD has passed them. So no worker is started
    // unless some task is unsettled (`mayStartWorkers`).
    const mayStart = this.#mayStart;
    const sleeping = load(words, TASK_RING.SLEEPING);
    if ((!mayStart && sleeping <= 0) || this.#pool.isBroken) return;
    let needed = this.#waiting - load(words, TASK_RING.LOOKING);
    if (needed <= 0) return;
    if (sleeping > 0) {
      for (const worker of this.#list) {
        if (worker.state.wake(ring) && --needed === 0) break;
      }
    }
    if (!mayStart) return;
    let available = 0;
    for (const worker of this.#list) {
      if (!worker.isFinishing && !this.isBusy(worker)) available++;
    }
    // Read again, and last: since the first look, a worker may have claimed a task and become busy.
    if (this.#waiting <= available || this.#isStarting) return;
    this.start();
  }

  /**
   * Engages as many workers as there are tasks for, and makes sure that this thread is woken if
   * these turn out to be too few. Call before this thread sleeps: it looks again only when
   * something has arrived.
   */
  engageAll(): void {
    this.#pool.refill();
    this.#engageAllSeen();
    const forRoom = !this.#queue.isPublished;
    if (!forRoom && (!this.#mayStart || this.#waiting <= 0)) return;
    // Tasks are left to workers that seem to be free, or wait for room.
    if (!this.#queue.ring.ask(forRoom)) return;
    this.#pool.refill();
    this.#engageAllSeen();
  }

  /** The number of tasks that no worker has, without those that wait for room. */
  get #waiting(): number {
    const { ring } = this.#queue;
    return ring.unclaimed + load(ring.words, TASK_RING.RETURNED);
  }

  #engageAllSeen(): void {
    let before: number;
    do {
      before = this.#list.length;
      this.engage();
    } while (this.#list.length > before);
  }

  /**
   * True while the worker runs a task whose outcome has not arrived. A worker that starts, looks
   * for a task or sleeps is not busy: it takes the next one.
   */
  isBusy({ state }: PoolWorkerHandle): boolean {
    if (!state.isRunning) return false;
    const task = state.currentTask;
    return this.#pool.isPending(task) &&
      (this.#queue.numberOf(task) | 0) === state.currentNumber;
  }

  // Coming and going

  /** Starts a worker; if that fails, informs the pool. */
  start(): void {
    // Starting a thread may run microtasks, which may call this again.
    this.#isStarting = true;
    try {
      if (isLoading()) throw new RuntimeError(STARTS_WHILE_LOADING);
      this.#startWorker();
    } catch (error) {
      this.#pool.startFailed(error);
    } finally {
      this.#isStarting = false;
    }
  }

  #startWorker(): void {
    const { workerName, maxTasksPerChild, idleTimeoutMs } = this.#settings;
    const started = this.#started++;
    const name = workerName(started);
    const onError = (message: string): void =>
      this.#pool.lost(worker, `failed: ${message}`, new Error(message));
    const worker: PoolWorkerHandle = new PoolWorkerHandle(
      name,
      this.#freeNumbers.pop()!,
      this.#kind.exports,
      () => this.#kind.startThread(name, onError),
    );
    this.#list.push(worker);
    this.#tellCount();
    worker.start({
      ring: this.#queue.ring.buffer,
      arena: this.#queue.arena.buffer,
      catalog: this.#catalog.buffer,
      owner: ownId(),
      ...this.#initializer.told,
      maxTasks: maxTasksPerChild ?? Infinity,
      idleTimeoutMs,
      buffers: [...this.#queue.buffers.news()],
      // Each process numbers its tasks in a ring of its own.
      firstTaskId: this.#kind.exports === undefined ? 0 : started * 2 ** 32,
      origin: ownOrigin(),
      isHosted: false,
      access: this.#kind.exports === undefined ? shareAccess(worker.id) : undefined,
    });
    this.#pool.started(worker);
  }

  /**
   * Notes that a worker takes no more tasks and only awaits what its tasks delegated to other
   * workers: another worker may take its place.
   */
  finish(worker: PoolWorkerHandle): void {
    worker.isFinishing = true;
    this.#finishing++;
    this.engage();
  }

  /** Tells the workers how many they are: see {@linkcode WorkerState.look}. */
  #tellCount(): void {
    store(this.#queue.ring.words, TASK_RING.WORKERS, this.#list.length);
  }

  /**
   * Takes a worker off the list: it has ended, or is ignored from now on.
   *
   * @param isGone See `end` of the worker.
   */
  remove(worker: PoolWorkerHandle, isGone: boolean): void {
    if (worker.isFinishing) this.#finishing--;
    this.#list.splice(this.#list.indexOf(worker), 1);
    this.#tellCount();
    // No slot has its number in its stamp, nor will any: what the worker had claimed was taken
    // back.
    this.#freeNumbers.push(worker.number);
    worker.end(isGone || worker.callOff());
    if (this.#kind.exports === undefined) endAccess(worker.id);
    // A browser would end the thread on the spot, and the block that it reads would stay in use for
    // ever. If it has ended by itself, that is so anyway.
    if (worker.state.isLeftReading && !isGone) this.#readers.push(worker);
    else worker.terminate();
  }

  /** Whether {@linkcode endReaders} would end a thread. */
  get mayEndReaders(): boolean {
    return this.#readers.some(({ state }) => !state.isLeftReading);
  }

  /**
   * Ends threads that were abandoned while reading, and have finished reading; false if there are
   * none.
   */
  endReaders(): boolean {
    let found = false;
    for (let i = this.#readers.length; i-- > 0;) {
      if (this.#readers[i].state.isLeftReading) continue;
      this.#readers.splice(i, 1)[0].terminate();
      found = true;
    }
    return found;
  }

  /** Tells all workers to claim nothing more. */
  retire(): void {
    for (const { state } of this.#list) state.retire(this.#queue.ring);
  }

  /** Wakes all workers, so that they look at the ring. */
  wakeAll(): void {
    for (const { state } of this.#list) state.wake(this.#queue.ring);
  }

  /** Frees what the crew holds: no worker is left, and none will be started. */
  close(): void {
    this.cancelWatch();
    for (const reader of this.#readers.splice(0)) reader.terminate();
    this.#initializer = NO_INITIALIZER;
  }

  // Signs of life

  /**
   * Checks, after a while, whether tasks are still pending; if so, watches the workers for signs of
   * life.
   */
  watchLater(): void {
    if (this.#cancelWatchLater !== undefined) return;
    // This timer holds the program open: otherwise only the workers may do so, and they may be
    // gone.
    this.#cancelWatchLater = callAt(nowMs() + WATCH_AFTER_MS, () => {
      this.#cancelWatchLater = undefined;
      if (!this.#pool.isWorking) return;
      let isComplete = true;
      for (const worker of this.#list) {
        const onDeath = (): void =>
          this.#pool.lost(worker, "its thread ended without a word", undefined);
        if (!worker.watch(onDeath)) isComplete = false;
      }
      // Workers that start later need no check: the thread that engages them then goes to sleep,
      // and calls this again.
      if (!isComplete) this.watchLater();
    });
  }

  /** Takes back {@linkcode watchLater}. */
  cancelWatch(): void {
    this.#cancelWatchLater?.();
    this.#cancelWatchLater = undefined;
  }

  /** Stops the watches, which hold the event loop open. */
  stopWatch(): void {
    for (const worker of this.#list) worker.stopWatch();
  }
}
