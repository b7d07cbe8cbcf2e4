/**
 * The owner's side of a pool of threads or processes: who waits, who runs, who is lost.
 *
 *   submit()                                      owner's thread
 *      |  encodes the arguments
 *      v
 *   Backlog ------ refill, when there is room ---> TaskRing (shared)
 *                                                     |  workers claim, oldest first
 *                                                     v
 *   Future <------- drain ---- record ring of each <-- worker
 *
 * Each task has an index in the owner's table, from submit until its outcome was drained; once published it also has
 * its number in the ring. The owner never waits for a worker and no worker for the owner, but for room in a ring.
 *
 * Where a task can be when it is to be taken back: in the backlog (its table entry is emptied, and the index is
 * free again once the backlog comes to it), in the ring (a compare-exchange against the claiming workers decides), or
 * with a worker (too late).
 *
 * A worker ends in one of four ways, and is out of `#workers` afterwards:
 *   retired    it said so, with nothing in hand: shutdown, `maxTasksPerChild`, `idleTimeout`
 *   lost       it ended itself, or its sign of life went out: its task fails, and by default the pool is broken
 *   abandoned  its task was given up and does not end: the thread cannot be stopped and goes on unheeded
 *   discarded  the pool is broken
 *
 * A worker that is a process can be killed: it is never abandoned, but lost, and it is in `#workers` until its end was told.
 * It may have more than one task in hand (see `_pool_child.ts`), and says at its end which.
 *
 * @module
 */

import { load } from "../_platform/atomics.ts";
import { NEVER, nowMs } from "../_platform/clock.ts";
import { platform, type WorkerThread } from "../_platform/mod.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import { TASK_RING } from "../_memory/layout.ts";
import { encode, type Encoded } from "../_memory/message.ts";
import { MAX_WORKERS } from "../_memory/task_ring.ts";
import { RuntimeError, TimeoutError } from "../sync/errors.ts";
import { Catalog } from "./_catalog.ts";
import { Deadlines } from "./_deadlines.ts";
import { unsendableExtra } from "./_frames.ts";
import { ownOrigin } from "./_origin.ts";
import { NestedTasks, offerPool, withdrawPool } from "./_nested_tasks.ts";
import { ARITY_SHIFT, CHUNK, type EndReport, KIND } from "./_protocol.ts";
import { type AnyFunction, describe, submissionError, type Target, targetOf } from "./_target.ts";
import { TaskQueue } from "./_task_queue.ts";
import { PoolWorkerHandle, THREAD_ID } from "./_worker_handle.ts";
import type { Exports } from "./_exports.ts";
import type { ChildThread } from "./_process_client.ts";
import type { BrokenExecutor } from "./errors.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { type Future, futureInternals, type Runner } from "./future.ts";

/** How long a task that was given up may take to notice before its worker is abandoned. */
const GRACE_MS = 50;

/** Tasks pending for longer than this have their workers' signs of life watched. */
const WATCH_AFTER_MS = 50;

/** Submissions of one function in a row between two looks at whether the workers keep up. */
const STREAK = 64;

/** Outcomes drained between two looks at the clock. */
const TIMED_EVERY = 32;

/** What a pool's workers are. */
export interface WorkerKind {
  /** The error of a pool that is broken. */
  readonly Broken: new (message: string, options: ErrorOptions) => BrokenExecutor;
  /** How shared objects reach workers that share no memory with this thread; such workers can be killed. */
  readonly exports: Exports | undefined;
  /** See {@linkcode ExecutorBackend}. */
  readonly chunkMs: number;
  /** Starts what takes a worker's messages. */
  startThread(name: string, onError: (message: string) => void): WorkerThread | ChildThread;
  /** The pool has no workers left, and starts no more. */
  close(): void;
  /** A process has been started. */
  onStart?(pid: number): void;
  /** A process has ended; `cause` says how, if it was lost. */
  onEnd?(cause: unknown): void;
}

/** What a pool is made of, checked. */
export interface PoolSettings {
  readonly name: string;
  /** What the worker is called that was started after so many others. */
  readonly workerName: (number: number) => string;
  readonly maxWorkers: number;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
  readonly maxTasksPerChild: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly replaceLost: boolean;
  /** Whether the program may end while tasks are pending. */
  readonly isDaemon: boolean;
}

/** Counts of a pool of threads or processes, at one moment. */
export interface PoolStats {
  /** Workers started and not ended. */
  readonly workers: number;
  /** Workers that run nothing. */
  readonly idle: number;
  /** Tasks that run. */
  readonly running: number;
  /** Tasks that wait. */
  readonly queued: number;
  /** Tasks that returned. */
  readonly completed: number;
  /** Tasks that threw, or were lost or given up. */
  readonly failed: number;
  /** Tasks cancelled before they ran. */
  readonly cancelled: number;
  /** Workers that ended without being asked to. */
  readonly lost: number;
  /** Workers given up with a task that does not end. Their threads may go on using a processor. */
  readonly abandoned: number;
}

/** The owner's side of a pool. */
export class WorkerPool implements ExecutorBackend, Source, Runner {
  readonly concurrency: number;
  readonly chunkMs: number;
  readonly #settings: PoolSettings;
  readonly #kind: WorkerKind;
  readonly #queue: TaskQueue;
  readonly #catalog = new Catalog();

  readonly #workers: PoolWorkerHandle[] = [];
  /** Numbers that workers' stamps may have. */
  readonly #workerNumbers: number[] = [];
  #workersStarted = 0;
  #isStarting = false;

  /** The futures of unfinished tasks, and the indexes that are free. */
  readonly #futures: (Future<unknown> | undefined)[] = [];
  readonly #freeTasks: number[] = [];
  #outstanding = 0;
  readonly #deadlines = new Deadlines();
  /** Tasks given up that a process was asked to stop. */
  readonly #stopped = new Set<number>();

  readonly #functionNumbers = new WeakMap<AnyFunction, number>();
  #lastFunction: AnyFunction | undefined;
  #lastFunctionNumber = 0;
  /** How often the last function has been submitted in a row. */
  #streak = 0;
  /** HEAD of the ring at the last look, and what was found. */
  #lastHead = 0;
  #isKeepingUp = false;
  readonly #nested = new NestedTasks(this);
  #initializer = -1;
  #initargs: Encoded | undefined;
  #initargsShareObjects = false;
  /** Kept as long as workers may be started. */
  #initargsNamed: unknown;

  #broken: { readonly reason: string; readonly cause: unknown } | undefined;
  #closing = false;
  /** The workers were ended: none is started any more. */
  #areEnded = false;
  #closed = false;
  readonly #onClosed: (() => void)[] = [];
  #stopWatchTimer: (() => void) | undefined;

  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  #lost = 0;
  #abandoned = 0;

  constructor(settings: PoolSettings, kind: WorkerKind) {
    this.#settings = settings;
    this.#kind = kind;
    this.concurrency = settings.maxWorkers;
    this.chunkMs = kind.chunkMs;
    this.#queue = new TaskQueue(
      settings.maxWorkers,
      (task) => this.#freeTasks.push(task),
      (news) => this.#workers.forEach((worker) => worker.post(news, [])),
      kind.exports,
    );
    for (let i = Math.min(settings.maxWorkers, MAX_WORKERS); i-- > 0;) this.#workerNumbers.push(i);
    if (settings.initializer !== undefined) {
      // What cannot be sent breaks the pool, and the first submit says so.
      try {
        this.#initializer = this.#catalog.numberOf(targetOf(settings.initializer));
        const encoder = new Encoder();
        encoder.handleOf = kind.exports?.handleOf;
        this.#initargs = encode(encoder, settings.initargs);
        if (kind.exports !== undefined && this.#initargs.extras.length > 0) {
          throw unsendableExtra(this.#initargs.extras[0]);
        }
        this.#initargsNamed = kind.exports?.takeNamed();
        this.#initargsShareObjects = encoder.handles > 0;
      } catch (error) {
        this.#broken = {
          reason: `its initializer cannot be sent: ${describe(error)}`,
          cause: error,
        };
      }
    }
    doorbell.add(this);
    if (settings.isDaemon) doorbell.rest();
    offerPool(settings.name, this);
  }

  /** The pool's name. */
  get name(): string {
    return this.#settings.name;
  }

  /** Says that one more outcome or end is to come, for which the program stays open. */
  #expect(): void {
    if (!this.#settings.isDaemon) doorbell.expect();
  }

  #arrived(): void {
    if (!this.#settings.isDaemon) doorbell.arrived(1);
  }

  // Submitting

  /** See {@linkcode ExecutorBackend}. */
  submit(
    fn: AnyFunction,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    return this.#submit(fn, undefined, args, options, arity);
  }

  /** Submits a function that another thread has named. */
  submitTarget(
    target: Target,
    args: readonly unknown[],
    options: TaskOptions,
    arity: number,
  ): Future<unknown> {
    return this.#submit(undefined, target, args, options, arity);
  }

  #submit(
    fn: AnyFunction | undefined,
    target: Target | undefined,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    this.#checkOpen();
    const task = this.#freeTasks.pop() ?? this.#futures.length;
    const future = futureInternals.create<unknown>(this, task);
    this.#futures[task] = future;
    try {
      options?.signal?.throwIfAborted();
      const number = fn === undefined ? this.#catalog.numberOf(target!) : this.#numberOf(fn);
      const form = arity === 0 ? 0 : CHUNK | (arity << ARITY_SHIFT);
      this.#queue.push(task, number, form, args, options);
    } catch (error) {
      this.#freeTask(task);
      this.#failed++;
      futureInternals.reject(future, submissionError(error, options?.signal));
      return future;
    }
    this.#outstanding++;
    this.#expect();
    if (this.#closing) return this.#refuse(future);
    if (!this.#keepsUp()) this.#engage();
    if (options !== undefined) this.#limit(future, task, options);
    return future;
  }

  /** Takes back a task whose own arguments shut the pool down, by a getter. */
  #refuse(future: Future<unknown>): Future<unknown> {
    this.#takeBack(future);
    this.#failed++;
    futureInternals.reject(
      future,
      new RuntimeError(`Cannot submit to ${this.name}: it was shut down meanwhile`),
    );
    return future;
  }

  #checkOpen(): void {
    if (this.#broken !== undefined) {
      throw new this.#kind.Broken(
        `Cannot submit to ${this.#settings.name}: the pool is broken, ${this.#broken.reason}`,
        { cause: this.#broken.cause },
      );
    }
    if (this.#closing) {
      throw new RuntimeError(
        `Cannot submit to ${this.#settings.name}: cannot schedule new futures after shutdown`,
      );
    }
  }

  #numberOf(fn: AnyFunction): number {
    if (fn === this.#lastFunction) {
      this.#streak++;
      return this.#lastFunctionNumber;
    }
    this.#streak = 0;
    let number = this.#functionNumbers.get(fn);
    if (number === undefined) {
      number = this.#catalog.numberOf(targetOf(fn));
      this.#functionNumbers.set(fn, number);
    }
    this.#lastFunction = fn;
    this.#lastFunctionNumber = number;
    return number;
  }

  // Workers

  /**
   * True while the workers that are awake get through a long row of equal tasks about as fast as they come. One more
   * worker would not make them faster, as this thread is the one that cannot keep up; it would take processor time
   * from it. Whatever waits when this thread goes to sleep gets its worker then.
   */
  #keepsUp(): boolean {
    if (this.#streak % STREAK === 0) {
      const { head } = this.#queue.ring;
      this.#isKeepingUp = this.#streak > 0 && ((head - this.#lastHead) | 0) > STREAK / 4;
      this.#lastHead = head;
    }
    return this.#isKeepingUp;
  }

  /** Sees to it that unclaimed tasks have workers: wakes sleeping ones, starts one where there may be more. */
  #engage(): void {
    const { ring } = this.#queue;
    const { words } = ring;
    // Tasks that were taken back are counted as unclaimed until the ring has passed them.
    const mayStart = this.#workers.length < this.#settings.maxWorkers && this.#outstanding > 0 &&
      !this.#areEnded;
    const sleeping = load(words, TASK_RING.SLEEPING);
    if ((!mayStart && sleeping <= 0) || this.#broken !== undefined) return;
    const { unclaimed } = ring;
    let needed = unclaimed - load(words, TASK_RING.LOOKING);
    if (needed <= 0) return;
    if (sleeping > 0) {
      for (const worker of this.#workers) {
        if (worker.state.wake(ring) && --needed === 0) break;
      }
    }
    if (!mayStart) return;
    let available = 0;
    for (const worker of this.#workers) if (!this.#isBusy(worker)) available++;
    // Looked at again, and last: a worker may have claimed one, and be busy with it, since.
    if (ring.unclaimed <= available || this.#isStarting) return;
    this.#tryStart();
  }

  /** Starts a worker; if that fails, the pool is broken. */
  #tryStart(): void {
    // Starting a thread may run microtasks, and so come back here.
    this.#isStarting = true;
    try {
      this.#startWorker();
    } catch (error) {
      this.#break(`a worker could not be started: ${describe(error)}`, error);
    } finally {
      this.#isStarting = false;
    }
  }

  /** Engages as many workers as there are tasks for: nobody will look again before something has come. */
  #engageAll(): void {
    let before: number;
    do {
      before = this.#workers.length;
      this.#engage();
    } while (this.#workers.length > before);
  }

  /** True while the worker runs a task whose outcome is not here. One that begins, looks or sleeps takes the next. */
  #isBusy({ state }: PoolWorkerHandle): boolean {
    if (!state.isRunning) return false;
    const task = state.currentTask;
    return this.#futures[task] !== undefined &&
      (this.#queue.numberOf(task) | 0) === state.currentNumber;
  }

  #startWorker(): void {
    const { workerName, maxTasksPerChild, idleTimeoutMs } = this.#settings;
    const started = this.#workersStarted++;
    const name = workerName(started);
    const onError = (message: string): void =>
      this.#lose(worker, `failed: ${message}`, new Error(message));
    const worker: PoolWorkerHandle = new PoolWorkerHandle(
      name,
      this.#workerNumbers.pop()!,
      this.#queue.arena,
      this.#kind.exports,
      () => this.#kind.startThread(name, onError),
    );
    this.#workers.push(worker);
    worker.start({
      ring: this.#queue.ring.buffer,
      arena: this.#queue.arena.buffer,
      catalog: this.#catalog.buffer,
      owner: THREAD_ID,
      initializer: this.#initializer,
      initargs: this.#initargs,
      initargsShareObjects: this.#initargsShareObjects,
      maxTasks: maxTasksPerChild ?? Infinity,
      idleTimeoutMs,
      buffers: [...this.#queue.buffers.news()],
      // Each process counts in a ring of its own.
      firstTaskId: this.#kind.exports === undefined ? 0 : started * 2 ** 32,
      origin: ownOrigin(),
      isHosted: false,
    });
    if (this.#closing) this.#expect();
  }

  /** Takes a worker off the list: it ended, or is to be heeded no more. */
  #remove(worker: PoolWorkerHandle, isGone = false): void {
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#workerNumbers.push(worker.number);
    worker.end(isGone);
    this.#nested.forget(worker);
    if (this.#closing) this.#arrived();
    this.#closeIfOver();
  }

  // Outcomes

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const worker of this.#workers) {
      if (worker.mail.hasMail) return true;
    }
    return false;
  }

  /** See {@linkcode Source}. */
  drain(untilMs: number): boolean {
    let found = false;
    for (let i = this.#workers.length - 1; i >= 0; i--) {
      const worker = this.#workers[i];
      // A callback may have removed workers.
      if (worker !== undefined && this.#drainWorker(worker, untilMs)) found = true;
    }
    if (found) {
      this.#refill();
      if (!this.#isKeepingUp) this.#engage();
    }
    return found;
  }

  #drainWorker(worker: PoolWorkerHandle, untilMs: number): boolean {
    const { mail } = worker;
    if (!mail.take()) return false;
    let untilTimed = TIMED_EVERY;
    do {
      const { kind, id, value } = mail;
      mail.value = undefined;
      if (mail.isUnreadable && kind === KIND.SUBMIT) this.#nested.refuse(worker, id, value);
      else if (mail.isUnreadable) this.#settle(worker, id, true, value);
      else this.#handle(worker, kind, id, value);
      if (--untilTimed === 0) {
        if (nowMs() >= untilMs) break;
        untilTimed = TIMED_EVERY;
      }
    } while (mail.take());
    return true;
  }

  #handle(worker: PoolWorkerHandle, kind: number, task: number, value: unknown): void {
    switch (kind) {
      case KIND.RESULT:
        this.#settle(worker, task, false, value);
        break;
      case KIND.ERROR:
        this.#settle(worker, task, true, value);
        break;
      case KIND.FETCH:
        this.#queue.sendParked(task, (port) => worker.post(port, [port]));
        break;
      case KIND.PROGRESS: {
        const future = this.#futures[task];
        if (future !== undefined) futureInternals.setProgress(future, value as number);
        break;
      }
      case KIND.INITIALIZER_FAILED:
        this.#failInitializer(worker, value);
        break;
      case KIND.ENDED: {
        const [how, error, tasks, waiting] = value as EndReport;
        this.#lose(worker, tasks === undefined ? `it ${how}` : how, error, tasks, waiting);
        break;
      }
      case KIND.STARTED:
        worker.pid = value as number;
        this.#kind.onStart?.(worker.pid);
        break;
      case KIND.RETIRED:
        this.#kind.onEnd?.(undefined);
        this.#remove(worker);
        this.#engage();
        this.#serveReturned(value as number | undefined);
        break;
      default:
        this.#nested.handle(worker, kind, task, value);
    }
  }

  /** Takes in the outcome of a task. */
  #settle(worker: PoolWorkerHandle, task: number, failed: boolean, value: unknown): void {
    worker.forgetNamed();
    const future = this.#futures[task]!;
    if (this.#stopped.delete(task)) return this.#freeTask(task);
    if (worker.givenUp?.task === task) {
      // It was settled when it was given up; the worker turned out to be well.
      worker.givenUp.grace.cancel();
      worker.givenUp = undefined;
      this.#freeTask(task);
      return;
    }
    this.#finish(task);
    if (failed) {
      this.#failed++;
      futureInternals.reject(future, value);
    } else {
      this.#completed++;
      futureInternals.resolve(future, value);
    }
  }

  /** Books a task that has an outcome. */
  #finish(task: number): void {
    this.#freeTask(task);
    this.#bookOut();
  }

  #bookOut(): void {
    this.#outstanding--;
    this.#arrived();
    if (this.#outstanding === 0) this.#afterLast();
  }

  #freeTask(task: number): void {
    this.#queue.release(task);
    this.#futures[task] = undefined;
    this.#freeTasks.push(task);
  }

  #afterLast(): void {
    for (const worker of this.#workers) worker.stopWatch();
    this.#refill();
    this.#closeIfOver();
  }

  /** Publishes waiting tasks as far as there is room. */
  #refill(): void {
    if (!this.#queue.isPublished) this.#queue.refill();
    if (this.#closing && this.#queue.isPublished) this.#closeRing();
  }

  // Taking tasks back

  /** See {@linkcode Runner}. */
  cancel(future: Future<unknown>): boolean {
    if (!this.#takeBack(future)) return false;
    this.#cancelled++;
    return true;
  }

  /** See {@linkcode Runner}. */
  isRunning(future: Future<unknown>): boolean {
    return !this.#queue.isWaiting(futureInternals.taskOf(future));
  }

  /** See {@linkcode Runner}. */
  enterBlocking(): void {
    if (platform.canBlock) return;
    throw new RuntimeError(
      "Cannot block: this thread must not wait; await the future, or wait in a worker",
    );
  }

  /** See {@linkcode Runner}. */
  leaveBlocking(): void {}

  /** Takes a task back that no worker has claimed, and books it out; false when one has. */
  #takeBack(future: Future<unknown>): boolean {
    const task = futureInternals.taskOf(future);
    const { isTaken, isGone } = this.#queue.takeBack(task);
    if (!isTaken) return false;
    this.#futures[task] = undefined;
    if (isGone) this.#freeTasks.push(task);
    this.#bookOut();
    return true;
  }

  /** Watches a task's own time limit and signal. */
  #limit(future: Future<unknown>, task: number, { timeout, signal }: TaskOptions): void {
    if (timeout === undefined && signal === undefined) return;
    const stop = (error: unknown): void => this.#giveUp(future, task, error);
    const onAbort = (): void => stop(signal!.reason);
    const isLimited = timeout !== undefined && timeout !== null && timeout !== Infinity;
    const deadline = !isLimited ? undefined : this.#deadlines.at(nowMs() + timeout, () => {
      stop(new TimeoutError(`Cannot finish task: it was not done within ${timeout} ms`));
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    futureInternals.whenDone(future, () => {
      signal?.removeEventListener("abort", onAbort);
      deadline?.cancel();
    });
  }

  /** Fails a task that nobody waits for any more; if a worker runs it, asks it to stop, and abandons it if it does not. */
  #giveUp(future: Future<unknown>, task: number, error: unknown): void {
    doorbell.poll(); // It may have ended in time.
    if (future.done()) return;
    if (this.#takeBack(future)) {
      this.#failed++;
      futureInternals.reject(future, error);
      return;
    }
    if (this.#kind.exports !== undefined) {
      this.#stopped.add(task);
      const number = this.#queue.numberOf(task);
      for (const worker of this.#workers) worker.child!.stop(task, number, GRACE_MS);
      this.#failed++;
      this.#bookOut();
      futureInternals.reject(future, error);
      return;
    }
    const number = this.#queue.numberOf(task);
    const worker = this.#workers.find(({ state }) => state.isRunningTask(number));
    if (worker === undefined) {
      // It was claimed this very moment: in an instant its worker shows that it runs it, or is done.
      this.#deadlines.at(nowMs() + 1, () => this.#giveUp(future, task, error));
      return;
    }
    this.#failed++;
    worker.state.abort(number);
    const grace = this.#deadlines.at(nowMs() + GRACE_MS, () => this.#abandon(worker, number));
    worker.givenUp = { task, grace };
    this.#bookOut();
    futureInternals.reject(future, error);
  }

  /** Gives up a worker whose task was asked to stop and does not. */
  #abandon(worker: PoolWorkerHandle, number: number): void {
    doorbell.poll();
    if (worker.givenUp === undefined || worker.hasEnded) return;
    worker.state.retire(this.#queue.ring);
    // If the task ended at this moment, the worker says RETIRED by itself (invariant 1 of its state).
    if (!worker.state.isRunningTask(number)) return;
    this.#abandoned++;
    this.#freeTask(worker.givenUp.task);
    this.#remove(worker);
    this.#engage();
  }

  /** See {@linkcode Source}. */
  get deadlineMs(): number {
    return this.#deadlines.firstMs;
  }

  /** See {@linkcode Source}. */
  expire(): void {
    this.#deadlines.expire();
  }

  /** See {@linkcode Source}. */
  sleeping(isBlocking: boolean): void {
    if (this.#outstanding === 0) return;
    this.#engageAll();
    // The end of a process is told by mail.
    if (this.#kind.exports !== undefined) return;
    if (!isBlocking && this.#stopWatchTimer === undefined) this.#watchLater();
  }

  // Losing workers

  /** Looks, a while from now, whether tasks are still pending, and watches their workers' signs of life. */
  #watchLater(): void {
    this.#stopWatchTimer = platform.background(WATCH_AFTER_MS, () => {
      this.#stopWatchTimer = undefined;
      if (this.#outstanding === 0) return;
      let isComplete = true;
      for (const worker of this.#workers) {
        const onDeath = (): void =>
          this.#lose(worker, "its thread ended without a word", undefined);
        if (!worker.watch(onDeath)) isComplete = false;
      }
      // Whoever comes later is engaged by a thread that then goes to sleep, and comes by here again.
      if (!isComplete) this.#watchLater();
    });
  }

  /**
   * Books a worker that ended without being asked to.
   *
   * @param inHand The tasks that it had, where it was able to say so.
   * @param waiting How many tasks that processes have returned wait for one to take them.
   */
  #lose(
    worker: PoolWorkerHandle,
    how: string,
    cause: unknown,
    inHand?: readonly number[],
    waiting?: number,
  ): void {
    if (worker.hasEnded) return;
    if (inHand === undefined) {
      this.#drainWorker(worker, NEVER);
      if (worker.hasEnded) return; // It has told so itself.
    }
    this.#kind.onEnd?.(cause);
    const wasReady = worker.state.isReady;
    const tasks = [...this.#queue.ring.recover(worker.number), ...inHand ?? []];
    if (inHand === undefined && worker.state.isRunning) tasks.push(worker.state.currentTask);
    worker.givenUp?.grace.cancel();
    const { isDismissed } = worker;
    this.#remove(worker, true);
    if (isDismissed) {
      const { reason, cause: first } = this.#broken ??
        { reason: `worker "${worker.name}" was ended: ${how}`, cause };
      for (const task of tasks) this.#failLost(task, reason, first);
      // What a process has returned was in nobody's hands.
      if (this.#workers.length === 0) this.#failAll(reason, first);
      return;
    }
    this.#lost++;
    const reason = `worker "${worker.name}" was lost: ${how}`;
    // One that could not even begin would be followed by others, for ever.
    if (!this.#settings.replaceLost || !wasReady) {
      this.#break(reason, cause);
      return;
    }
    for (const task of new Set(tasks)) this.#failLost(task, reason, cause);
    this.#refill();
    this.#engage();
    this.#serveReturned(waiting);
  }

  /** Starts a process, one having ended, if there are tasks that were returned: those are not in the ring. */
  #serveReturned(waiting = 0): void {
    if (waiting === 0 || this.#broken !== undefined || this.#areEnded || this.#isStarting) return;
    if (this.#workers.length < this.#settings.maxWorkers) this.#tryStart();
  }

  /** Fails a task that was in the hands of a worker that is no more. */
  #failLost(task: number, reason: string, cause: unknown): void {
    const future = this.#futures[task];
    if (future === undefined) return;
    this.#stopped.delete(task);
    if (future.done()) this.#freeTask(task); // It was given up before.
    else this.#fail(future, task, reason, cause);
  }

  #fail(future: Future<unknown>, task: number, reason: string, cause: unknown): void {
    if (!this.#takeBack(future)) this.#finish(task);
    this.#failed++;
    futureInternals.reject(
      future,
      new this.#kind.Broken(`Cannot finish task: ${reason}`, { cause }),
    );
  }

  /** Fails everything unfinished and ends all workers. */
  #break(reason: string, cause: unknown): void {
    this.#broken = { reason, cause };
    for (const worker of [...this.#workers]) {
      worker.state.retire(this.#queue.ring);
      if (worker.child !== undefined) {
        this.#dismiss(worker, "SIGKILL");
        continue;
      }
      worker.givenUp?.grace.cancel();
      if (worker.state.isRunning) this.#abandoned++;
      this.#remove(worker);
    }
    this.#failAll(reason, cause);
    this.#closeIfOver();
  }

  #failAll(reason: string, cause: unknown): void {
    for (const [task, future] of [...this.#futures.entries()]) {
      if (future !== undefined && !future.done()) this.#fail(future, task, reason, cause);
    }
  }

  /** Sends all processes a signal. */
  signalWorkers(signal: string): void {
    for (const worker of this.#workers) worker.child!.kill(signal);
  }

  /** Ends a process; it is removed once its end is told. */
  #dismiss(worker: PoolWorkerHandle, signal: string): void {
    worker.isDismissed = true;
    worker.child!.kill(signal);
  }

  /** Ends all processes at once, and takes no more tasks: what has not started is cancelled, what runs fails. */
  endWorkers(signal: string): void {
    this.shutdown(true);
    this.#areEnded = true;
    for (const worker of this.#workers) this.#dismiss(worker, signal);
  }

  /** As Python does: what waits fails, what other workers run ends well. */
  #failInitializer(worker: PoolWorkerHandle, error: unknown): void {
    const reason = `its initializer failed: ${describe(error)}`;
    this.#broken ??= { reason, cause: error };
    // A process that has told so ends, and tells that too.
    if (worker.child === undefined) this.#remove(worker);
    else worker.isDismissed = true;
    for (const { state } of this.#workers) state.retire(this.#queue.ring);
    for (const future of [...this.#futures]) {
      if (future === undefined || future.done() || !this.#takeBack(future)) continue;
      this.#failed++;
      futureInternals.reject(
        future,
        new this.#kind.Broken(`Cannot run task: ${reason}`, { cause: error }),
      );
    }
    this.#closeIfOver();
  }

  // Ending

  /** Takes no more tasks; ends the workers when all is done. See `Executor.shutdown`. */
  shutdown(cancelFutures: boolean): void {
    if (cancelFutures) {
      for (const future of [...this.#futures]) future?.cancel();
    }
    if (this.#closing) return;
    this.#closing = true;
    for (let i = this.#workers.length; i-- > 0;) this.#expect();
    this.#refill();
    this.#closeIfOver();
  }

  /** Has the workers end once the ring is empty: no further task will come. */
  #closeRing(): void {
    const { ring } = this.#queue;
    if (ring.isClosed) return;
    ring.close();
    for (const { state } of this.#workers) state.wake(ring);
  }

  #closeIfOver(): void {
    if (!this.#closing && this.#broken === undefined) return;
    if (this.#closed || this.#workers.length > 0 || this.#outstanding > 0) return;
    this.#closed = true;
    this.#stopWatchTimer?.();
    doorbell.remove(this);
    withdrawPool(this.name);
    this.#initargsNamed = undefined;
    this.#kind.close();
    for (const onClosed of this.#onClosed) onClosed();
  }

  /** A promise for the end of all workers. */
  whenClosed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** Blocks until all workers have ended, or the deadline. */
  waitClosedSync(deadlineMs: number = NEVER): void {
    this.enterBlocking();
    doorbell.waitSync(() => this.#closed, deadlineMs);
  }

  /** True once all workers have ended, and there will be no more. */
  get isClosed(): boolean {
    doorbell.poll();
    return this.#closed;
  }

  /** The numbers of the processes that the workers are, as far as they have been started. */
  get pids(): number[] {
    doorbell.poll();
    return this.#workers.map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  /** The counts of this moment. */
  stats(): PoolStats {
    doorbell.poll();
    const running = this.#workers.filter(({ state }) => state.isRunning).length;
    return {
      workers: this.#workers.length,
      idle: this.#workers.length - running,
      running,
      queued: Math.max(0, this.#outstanding - running),
      completed: this.#completed,
      failed: this.#failed,
      cancelled: this.#cancelled,
      lost: this.#lost,
      abandoned: this.#abandoned,
    };
  }
}
