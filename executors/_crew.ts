/**
 * The workers of a pool: how many there are, which of them are woken for a task, and when another one is started.
 *
 * A worker that has run out of tasks sleeps; who publishes a task engages as many as there are tasks that nobody has claimed:
 * first those that sleep, then new ones, up to the most that there may be. A worker that looks for a task at this moment
 * counts as engaged.
 *
 * A worker that is seen to be free may have claimed a task, and not shown yet that it runs it:
 *
 *   W: claims task 1        O: sees that task 2 waits and that W is free, starts nobody, and sleeps
 *   W: runs task 1 for an hour; or for ever, if that waits for task 2
 *
 * So an owner that leaves tasks to workers that are free, and is about to sleep, sets the word ASKED of the task ring. It does
 * the same where tasks wait for room in the ring, or for that of arguments, which a worker makes that begins a task.
 *
 * Invariants
 * 1. The owner sets ASKED before it looks once more who is free, and for room. A worker that begins a task shows that it does
 *    (word PHASE), and later that its arguments are read, each before it looks at ASKED; where that asks for it, it resets
 *    it and wakes the owner by a record. So either the owner sees what the worker has done, or the worker sees that the
 *    owner has to know.
 * 2. Tasks that wait are those in the ring and those that processes have returned (word RETURNED).
 * 3. A process that has several tasks in hand shows one of them, and none that it has no more.
 * 4. A thread that is given up while it reads its arguments is not in the list, so nobody takes in a record of its. It resets its
 *    word HELD when it has given their memory back, and then rings; the owner says that it sleeps, and then looks at that word.
 *
 * @module
 */

import { load } from "../_platform/atomics.ts";
import { callAt, nowMs } from "../_platform/clock.ts";
import { TASK_RING } from "../_memory/layout.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import { RuntimeError } from "../sync/errors.ts";
import type { Catalog } from "./_catalog.ts";
import { encodeInitializer, NO_INITIALIZER } from "./_initializer.ts";
import { ownOrigin } from "./_origin.ts";
import type { PoolSettings, WorkerKind } from "./_pool_options.ts";
import type { TaskQueue } from "./_task_queue.ts";
import { isLoading, STARTS_WHILE_LOADING } from "./_thread_self.ts";
import { PoolWorkerHandle } from "./_worker_handle.ts";
import { THREAD_ID } from "./_worker_link.ts";

/** Tasks pending for longer than this have their workers' signs of life watched. */
const WATCH_AFTER_MS = 50;

/** Submissions of one function in a row between two looks at whether the workers keep up. */
const STREAK = 64;

/** What a crew asks its pool, and tells it. */
export interface CrewPool {
  /** Whether there are tasks for which a worker may be started. */
  readonly mayStartWorkers: boolean;
  /** Whether all workers are to be left alone. */
  readonly isBroken: boolean;
  /** Whether tasks are pending that may come to an end. */
  readonly isWorking: boolean;
  /** Publishes waiting tasks as far as there is room. */
  refill(): void;
  /** Whether the task of that index has no outcome here. */
  isPending(task: number): boolean;
  /** A worker has been started. */
  started(worker: PoolWorkerHandle): void;
  /** A worker could not be started. */
  startFailed(error: unknown): void;
  /** A worker has ended without being asked to. */
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
  /** Threads that were given up while they read arguments: they are ended when they have given back the memory of these. */
  readonly #readers: PoolWorkerHandle[] = [];
  /** Numbers that workers' stamps may have. */
  readonly #freeNumbers: number[] = [];
  #started = 0;
  /** How many of them take no more tasks; see {@linkcode finish}. */
  #finishing = 0;
  #isStarting = false;
  #initializer = NO_INITIALIZER;
  /** HEAD of the ring at the last look, and what was found. */
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
   * Has each worker call the pool's initializer before its first task.
   *
   * @throws {NotShareableError} When that cannot be sent.
   */
  initialize(): void {
    this.#initializer = encodeInitializer(this.#settings, this.#catalog, this.#kind.exports);
  }

  /** True when there may be one more, and there are tasks for it. */
  get #mayStart(): boolean {
    return this.#size < this.#settings.maxWorkers && this.#freeNumbers.length > 0 &&
      this.#pool.mayStartWorkers;
  }

  /** How many there are that take tasks. */
  get #size(): number {
    return this.#list.length - this.#finishing;
  }

  // Engaging

  /**
   * True while the workers that are awake get through a long row of equal tasks about as fast as they come. One more
   * worker would not make them faster, as this thread is the one that cannot keep up; it would take processor time
   * from it. Whatever waits when this thread goes to sleep gets its worker then.
   *
   * @param streak How often the last function has been submitted in a row.
   */
  checkPace(streak: number): boolean {
    if (streak % STREAK === 0) {
      const { head } = this.#queue.ring;
      this.#isKeepingUp = streak > 0 && ((head - this.#lastHead) | 0) > STREAK / 4;
      this.#lastHead = head;
    }
    // Where all sleep, nobody does.
    return this.#isKeepingUp &&
      load(this.#queue.ring.words, TASK_RING.SLEEPING) < this.#size;
  }

  /** What {@linkcode checkPace} found last. */
  get isKeepingUp(): boolean {
    return this.#isKeepingUp;
  }

  /** Sees to it that unclaimed tasks have workers: wakes sleeping ones, starts one where there may be more. */
  engage(): void {
    const { ring } = this.#queue;
    const { words } = ring;
    // Tasks that were taken back are counted as unclaimed until the ring has passed them.
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
    // Looked at again, and last: a worker may have claimed one, and be busy with it, since.
    if (this.#waiting <= available || this.#isStarting) return;
    this.start();
  }

  /**
   * Engages as many workers as there are tasks for, and sees to it that this thread is woken should that turn out to be too few:
   * nobody will look again before something has come.
   */
  engageAll(): void {
    this.#pool.refill();
    this.#engageAllSeen();
    const forRoom = !this.#queue.isPublished;
    if (!forRoom && (!this.#mayStart || this.#waiting <= 0)) return;
    // Tasks are left to workers that seem to be free, or wait for room in the ring.
    if (!this.#queue.ring.ask(forRoom)) return;
    this.#pool.refill();
    this.#engageAllSeen();
  }

  /** Tasks that no worker has, as far as there is room for them. */
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

  /** True while the worker runs a task whose outcome is not here. One that begins, looks or sleeps takes the next. */
  isBusy({ state }: PoolWorkerHandle): boolean {
    if (!state.isRunning) return false;
    const task = state.currentTask;
    return this.#pool.isPending(task) &&
      (this.#queue.numberOf(task) | 0) === state.currentNumber;
  }

  // Coming and going

  /** Starts a worker; if that fails, the pool is told. */
  start(): void {
    // Starting a thread may run microtasks, and so come back here.
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
    worker.start({
      ring: this.#queue.ring.buffer,
      arena: this.#queue.arena.buffer,
      catalog: this.#catalog.buffer,
      owner: THREAD_ID,
      ...this.#initializer.told,
      maxTasks: maxTasksPerChild ?? Infinity,
      idleTimeoutMs,
      buffers: [...this.#queue.buffers.news()],
      // Each process counts in a ring of its own.
      firstTaskId: this.#kind.exports === undefined ? 0 : started * 2 ** 32,
      origin: ownOrigin(),
      isHosted: false,
    });
    this.#pool.started(worker);
  }

  /** A worker takes no more tasks, and sees through what those that it had have others do: another one may have its place. */
  finish(worker: PoolWorkerHandle): void {
    worker.isFinishing = true;
    this.#finishing++;
    this.engage();
  }

  /**
   * Takes a worker off the list: it ended, or is to be heeded no more.
   *
   * @param isGone See `end` of the worker.
   */
  remove(worker: PoolWorkerHandle, isGone: boolean): void {
    if (worker.isFinishing) this.#finishing--;
    this.#list.splice(this.#list.indexOf(worker), 1);
    // No slot has it in its stamp, nor will have: what the worker has claimed was taken back.
    this.#freeNumbers.push(worker.number);
    worker.end(isGone);
    // A browser would end it on the spot, and what it reads would be in use for ever. One that ends itself does so anyway.
    if (worker.state.isLeftReading && !isGone) this.#readers.push(worker);
    else worker.terminate();
  }

  /** Whether {@linkcode endReaders} would find some. */
  get mayEndReaders(): boolean {
    return this.#readers.some(({ state }) => !state.isLeftReading);
  }

  /** Ends threads that were given up while they read, and do so no more; false if there are none. */
  endReaders(): boolean {
    let found = false;
    for (let i = this.#readers.length; i-- > 0;) {
      if (this.#readers[i].state.isLeftReading) continue;
      this.#readers.splice(i, 1)[0].terminate();
      found = true;
    }
    return found;
  }

  /** Has all of them claim nothing more. */
  retire(): void {
    for (const { state } of this.#list) state.retire(this.#queue.ring);
  }

  /** Has all of them look at the ring. */
  wakeAll(): void {
    for (const { state } of this.#list) state.wake(this.#queue.ring);
  }

  /** There are none left, and will be no more. */
  close(): void {
    this.#cancelWatchLater?.();
    for (const reader of this.#readers.splice(0)) reader.terminate();
    this.#initializer = NO_INITIALIZER;
  }

  // Signs of life

  /** Looks, a while from now, whether tasks are still pending, and watches their workers' signs of life. */
  watchLater(): void {
    if (this.#cancelWatchLater !== undefined) return;
    // It holds the program open: what does so otherwise may be the workers, and those be gone.
    this.#cancelWatchLater = callAt(nowMs() + WATCH_AFTER_MS, () => {
      this.#cancelWatchLater = undefined;
      if (!this.#pool.isWorking) return;
      let isComplete = true;
      for (const worker of this.#list) {
        const onDeath = (): void =>
          this.#pool.lost(worker, "its thread ended without a word", undefined);
        if (!worker.watch(onDeath)) isComplete = false;
      }
      // Whoever comes later is engaged by a thread that then goes to sleep, and comes by here again.
      if (!isComplete) this.watchLater();
    });
  }

  /** Lets the event loop go that the watches hold open. */
  stopWatch(): void {
    for (const worker of this.#list) worker.stopWatch();
  }
}
