/**
 * The owner's side of a pool of threads or processes: which tasks wait, which run, which workers
 * are lost.
 *
 *   submit()                                      owner's thread
 *      |  encodes the arguments
 *      v
 *   Backlog ------ refill, when there is room ---> TaskRing (shared)
 *                                                     |  workers claim, oldest first
 *                                                     v
 *   Future <------- drain ---- record ring of each <-- worker
 *
 * Each task has an index in the owner's table (see `_pool_tasks.ts`), from submit until its outcome
 * is drained; once published it also has its number in the ring. The owner never waits for a
 * worker, nor a worker for the owner, except for room in a ring.
 *
 * A worker ends in one of four ways, and is out of the crew (see `_crew.ts`) afterwards:
 *   retired    it said so, with nothing in hand: shutdown, `maxTasksPerChild`, `idleTimeout`
 *   lost       it ended itself, or its sign of life went out: its task fails, and by default the
 *              pool is broken
 *   abandoned  its task was given up and does not end: the thread cannot be stopped, and is ignored
 *              from now on
 *   discarded  the pool is broken, or ended its workers
 *
 * A worker that is a process can be killed: it is never abandoned, but lost, and it is in the crew
 * until its end is reported. It may have more than one task in hand (see `_pool_child.ts`), and
 * says at its end which ones.
 *
 * The pool:
 *   open
 *   closing  shutdown(): accepts no more; what was submitted is run
 *   ended    endWorkers(): closing, and no worker is started any more
 *   broken   #break(), failInitializer(), or an initializer that cannot be sent: submit throws.
 *            May be closing too
 *   closed   closing or broken, with no worker and no unsettled task left; final
 *
 * Invariant: the doorbell expects one event for each unsettled task and, once closing, one for each
 * worker. A resting stream spares that of its task and, once closing, that of its worker. (For a
 * daemon pool the doorbell expects nothing.)
 *
 * @module
 */

import { NEVER, nowMs } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { RuntimeError } from "../sync/errors.ts";
import { Catalog } from "./_catalog.ts";
import { chunkOf } from "./_chunk.ts";
import { Crew, type CrewPool } from "./_crew.ts";
import { FunctionNumbers } from "./_function_numbers.ts";
import { NestedTasks, offerPool, withdrawPool } from "./_nested_tasks.ts";
import type { ExecutorObserver, Observable, WorkerFate } from "./_observer.ts";
import { type MailPool, PoolMail } from "./_pool_mail.ts";
import type { PoolSettings, WorkerKind } from "./_pool_options.ts";
import { PoolTasks, type TasksPool } from "./_pool_tasks.ts";
import { type Carrier, CARRIES, formOfChunk, STREAM, TIMED } from "./_protocol.ts";
import { type PoolStream, PoolStreams } from "./_stream_pool.ts";
import { type AnyFunction, errorText, submissionError, type Target, targetOf } from "./_target.ts";
import { submitContextOf } from "./_submit_context.ts";
import { TaskQueue } from "./_task_queue.ts";
import { TaskWatch } from "./_task_watch.ts";
import { NEEDS_EVENT_LOOP } from "./_mailbox.ts";
import type { PoolWorkerHandle } from "./_worker_handle.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import type { ExecutorStats } from "./stats.ts";
import type { StreamSink } from "./stream.ts";
import { dropTransfers } from "./task.ts";

/** Why a wait that blocks this thread would never end, and what to do. */
const STUCK = "a stream waits for this thread to take its values; take them, or leave it first";

/** How often a blocked thread looks whether there is room for the replies that wait for room. */
const REPLY_MS = 2;

/** Why nobody will run a task, after `endWorkers`. */
const ENDED = { reason: "the workers of its pool were ended", cause: undefined };

/** The owner's side of a pool. */
export class WorkerPool
  implements ExecutorBackend, Observable, Source, CrewPool, MailPool, TasksPool {
  readonly concurrency: number;
  readonly chunkMs: number;
  readonly lookMs: number | undefined;
  readonly #settings: PoolSettings;
  readonly #kind: WorkerKind;
  readonly #queue: TaskQueue;
  readonly #catalog = new Catalog();

  readonly #crew: Crew;
  readonly #workers: readonly PoolWorkerHandle[];

  readonly #tasks: PoolTasks;
  readonly #functions = new FunctionNumbers(this.#catalog);
  readonly #nested = new NestedTasks(this);
  readonly #streams = new PoolStreams((change) => this.#letRest(change));
  readonly #mail: PoolMail;

  #broken: { readonly reason: string; readonly cause: unknown } | undefined;
  /** A loss has broken the pool, and fails everything unfinished. */
  #isBreaking = false;
  #closing = false;
  /** The workers were ended: no more are started. */
  #workersEnded = false;
  #closed = false;
  readonly #onClosed = new Set<() => void>();
  /** How many waits for this pool's outcomes block this thread: they can nest. */
  #blocking = 0;

  readonly #watch = new TaskWatch();
  readonly #meter = this.#watch.meter;

  constructor(settings: PoolSettings, kind: WorkerKind) {
    this.#settings = settings;
    this.#kind = kind;
    this.concurrency = settings.maxWorkers;
    this.chunkMs = kind.chunkMs;
    this.lookMs = kind.lookMs;
    this.#queue = new TaskQueue(
      settings.maxWorkers,
      (task) => this.#tasks.leftBacklog(task),
      (news) => this.#workers.forEach((worker) => worker.post(news, [])),
      kind.exports,
    );
    this.#crew = new Crew(this, settings, kind, this.#queue, this.#catalog);
    this.#workers = this.#crew.list;
    this.#tasks = new PoolTasks(this, {
      kind,
      queue: this.#queue,
      streams: this.#streams,
      watch: this.#watch,
      workers: this.#workers,
    });
    this.#mail = new PoolMail(this, {
      kind,
      crew: this.#crew,
      queue: this.#queue,
      tasks: this.#tasks,
      nested: this.#nested,
      streams: this.#streams,
      watch: this.#watch,
    });
    // An initializer that cannot be sent breaks the pool, and the first submit reports it.
    try {
      this.#crew.initialize();
    } catch (error) {
      this.#broken = {
        reason: `its initializer cannot be sent: ${errorText(error)}`,
        cause: error,
      };
    }
    doorbell.add(this);
    if (settings.isDaemon) doorbell.rest();
    offerPool(this);
  }

  /** The pool's name. */
  get name(): string {
    return this.#settings.name;
  }

  /** Says that one more outcome or end of a worker will come, for which the program stays open. */
  #expect(): void {
    if (!this.#settings.isDaemon) doorbell.expect();
  }

  #arrived(): void {
    if (!this.#settings.isDaemon) doorbell.arrived(1);
  }

  /**
   * Changes by `change` the number of expected outcomes and ends for which the program need not
   * stay open.
   */
  #letEnd(change: number): void {
    if (!this.#settings.isDaemon) doorbell.spare(change);
  }

  /**
   * The number of resting streams has changed by `change`: nothing comes from their tasks, nor, at
   * shutdown, from their workers.
   */
  #letRest(change: number): void {
    this.#letEnd(this.#closing ? 2 * change : change);
    if (this.#tasks.unsettled <= this.#streams.resting) this.#crew.stopWatch();
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
    carrier: Carrier,
  ): Future<unknown> {
    return this.#submit(undefined, target, args, options, arity, carrier);
  }

  /** See {@linkcode ExecutorBackend}. */
  stream(
    fn: AnyFunction,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): PoolStream {
    const stream = this.#streams.open(buffersize, sink, true);
    this.#submit(fn, undefined, [stream.id, buffersize, ...args], options, 0, undefined, stream);
    return stream;
  }

  /** Starts a stream of a function that another thread has named, which has the consumer too. */
  streamTarget(
    target: Target,
    args: readonly unknown[],
    options: TaskOptions,
    buffersize: number,
    sink: StreamSink,
    carrier: Carrier,
  ): PoolStream {
    const stream = this.#streams.open(buffersize, sink, false);
    this.#submit(undefined, target, [stream.id, buffersize, ...args], options, 0, carrier, stream);
    return stream;
  }

  #submit(
    fn: AnyFunction | undefined,
    target: Target | undefined,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
    cameWith?: Carrier,
    stream?: PoolStream,
  ): Future<unknown> {
    this.#checkOpen(args);
    const future = this.#tasks.create();
    const task = futureInternals.taskOf(future);
    if (stream !== undefined) this.#streams.add(task, stream, future);
    let form = stream === undefined ? 0 : STREAM;
    const chunk = chunkOf(args, arity);
    if (chunk > 0) {
      form = formOfChunk(arity, chunk);
      this.#tasks.addChunk(task, chunk);
      this.#meter.addCalls(chunk - 1);
    }
    try {
      if (this.#meter.isDue()) {
        const carrier = this.#watch.submitted(
          task,
          (fn ?? target)!,
          chunk,
          future,
          submitContextOf(options),
          cameWith,
        );
        form |= carrier === undefined ? TIMED : TIMED | CARRIES;
        if (carrier !== undefined) args = [...args, carrier];
      }
      options?.signal?.throwIfAborted();
      if (stream !== undefined) target ??= targetOf(fn!, true);
      const number = target !== undefined
        ? this.#catalog.numberOf(target)
        : this.#functions.of(fn!);
      this.#queue.push(task, number, form, args, options);
    } catch (error) {
      dropTransfers(args);
      if (options?.signal?.aborted) this.#watch.fails(task, "given up");
      this.#tasks.drop(task);
      this.#tasks.free(task);
      this.#meter.failed++;
      futureInternals.reject(future, submissionError(error, options?.signal, this.#kind.act));
      return future;
    }
    this.#tasks.queued(future);
    this.#expect();
    if (this.#refuseIfEnded(future)) return future;
    if (!this.#crew.checkPace(this.#functions.streak)) this.#crew.engage();
    if (options !== undefined) this.#tasks.limit(future, options);
    return future;
  }

  /**
   * Refuses a task whose pool ended while the arguments were encoded: one of their getters may have
   * shut the pool down, or blocked while it broke. The task was not in the table then, so nobody
   * else has refused it.
   */
  #refuseIfEnded(future: Future<unknown>): boolean {
    if (this.#broken !== undefined) {
      const { reason, cause } = this.#broken;
      const error = new this.#kind.Broken(`Cannot run task: ${reason}`, { cause });
      this.#tasks.refuse(future, "lost", error);
    } else if (this.#closing) {
      const text = `Cannot submit to ${this.name}: it was shut down meanwhile`;
      this.#tasks.refuse(future, "given up", new RuntimeError(text));
    } else return false;
    return true;
  }

  /** Throws if the pool takes no more tasks; marks on the arguments were for this submit alone. */
  #checkOpen(args: readonly unknown[]): void {
    if (this.#broken === undefined && !this.#closing) return;
    dropTransfers(args);
    if (this.#broken !== undefined) {
      throw new this.#kind.Broken(
        `Cannot submit to ${this.#settings.name}: the pool is broken, ${this.#broken.reason}`,
        { cause: this.#broken.cause },
      );
    }
    throw new RuntimeError(
      `Cannot submit to ${this.#settings.name}: cannot schedule new futures after shutdown`,
    );
  }

  // Workers

  /** See {@linkcode CrewPool}. */
  get mayStartWorkers(): boolean {
    return this.#tasks.unsettled > 0 && !this.#workersEnded;
  }

  /** See {@linkcode CrewPool}. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** See {@linkcode CrewPool}. */
  get isWorking(): boolean {
    return this.#tasks.unsettled > this.#streams.resting;
  }

  /** See {@linkcode CrewPool}. */
  isPending(task: number): boolean {
    return this.#tasks.futureOf(task) !== undefined;
  }

  /** See {@linkcode CrewPool}. */
  started(worker: PoolWorkerHandle): void {
    this.#watch.workerStarted(worker);
    if (this.#closing) this.#expect();
  }

  /** See {@linkcode CrewPool}. */
  startFailed(error: unknown): void {
    this.#break(`a worker could not be started: ${errorText(error)}`, error);
  }

  /** Takes a worker off the list: it ended, or is ignored from now on. */
  #remove(worker: PoolWorkerHandle, fate: WorkerFate, isGone = false): void {
    this.#watch.workerEnded(worker, fate);
    this.#crew.remove(worker, isGone);
    this.#nested.forget(worker);
    if (this.#closing) this.#arrived();
    this.#closeIfOver();
  }

  // Outcomes

  /** See {@linkcode Source}. */
  get hasWork(): boolean {
    if (this.#settings.isDaemon) return false;
    return this.isWorking || (this.#closing && this.#workers.length > this.#streams.resting);
  }

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const worker of this.#workers) {
      if (worker.mail.hasMail) return true;
    }
    return this.#crew.mayEndReaders;
  }

  /** See {@linkcode Source}. */
  drain(untilMs: number): boolean {
    // The readers that end have left room in the arena.
    let found = this.#crew.endReaders();
    for (let i = this.#workers.length - 1; i >= 0; i--) {
      const worker = this.#workers[i];
      // A callback may have removed workers.
      if (worker !== undefined && this.#mail.drain(worker, untilMs)) found = true;
    }
    if (found) {
      this.refill();
      if (!this.#crew.isKeepingUp) this.#crew.engage();
    }
    return found;
  }

  /** See {@linkcode TasksPool}. */
  settled(): void {
    this.#arrived();
    if (this.#tasks.unsettled <= this.#streams.resting) this.#afterLast();
  }

  /** No task is left, except those of streams that rest. */
  #afterLast(): void {
    this.#crew.stopWatch();
    this.refill();
    this.#closeIfOver();
  }

  /** See {@linkcode CrewPool}. */
  refill(): void {
    if (!this.#queue.isPublished) this.#queue.refill();
    if (this.#closing && this.#queue.isPublished) this.#closeRing();
  }

  /** Finds workers for the waiting tasks, after one worker has gone. */
  #serveWaiting(): void {
    this.refill();
    this.#crew.engage();
  }

  /** See {@linkcode TasksPool}. */
  cancel(future: Future<unknown>): boolean {
    return this.#tasks.cancel(future);
  }

  /** See {@linkcode TasksPool}. */
  isRunning(future: Future<unknown>): boolean {
    return !this.#queue.isWaiting(futureInternals.taskOf(future));
  }

  /** See {@linkcode TasksPool}. */
  enterBlocking(): void {
    if (!platform.canBlock) {
      throw new RuntimeError(
        "Cannot block: this thread must not wait; await the future, or wait in a worker",
      );
    }
    this.#blocking++;
  }

  /** See {@linkcode TasksPool}. */
  leaveBlocking(): void {
    this.#blocking--;
  }

  /**
   * See {@linkcode TasksPool}: every worker is held by a stream that rests for this thread, every
   * other task waits for a worker, and nothing is under way that could call this thread's code,
   * which might take values: no deadline of this pool, and no outcome from elsewhere.
   */
  get inVain(): string | undefined {
    const { resting, restingHere } = this.#streams;
    if (restingHere < this.concurrency || this.#tasks.deadlines.firstMs !== NEVER) return undefined;
    if (this.#tasks.claimed > resting || doorbell.expectsMoreThan(this.#expected)) return undefined;
    return `Cannot wait for tasks of ${this.name}: ${STUCK}`;
  }

  /** How many of the unspared events that the doorbell expects are this pool's. */
  get #expected(): number {
    if (this.#settings.isDaemon) return 0;
    const { resting } = this.#streams;
    const ends = this.#closing ? this.#workers.length - resting : 0;
    return this.#tasks.unsettled - resting + ends;
  }

  /** Throws if this thread is about to block for something that only its event loop could bring. */
  #checkServed(): void {
    if (this.#workers.some(({ mail }) => mail.isLate)) throw new RuntimeError(NEEDS_EVENT_LOOP);
    if (this.#workers.some(({ state, isFinishing }) => state.isReady && !isFinishing)) return;
    throw new RuntimeError(
      `Cannot block: no worker of ${this.name} runs yet, and a browser starts none while this thread is blocked; await an outcome first`,
    );
  }

  /** See {@linkcode TasksPool}. */
  abandon(worker: PoolWorkerHandle): void {
    this.#queue.recover(worker);
    this.#remove(worker, "abandoned");
    this.#serveWaiting();
  }

  /** See {@linkcode Source}. */
  get working(): number {
    return Math.min(this.#workers.length, this.#tasks.unsettled);
  }

  /** See {@linkcode Source}. */
  get deadlineMs(): number {
    const { firstMs } = this.#tasks.deadlines;
    // Nobody wakes this thread, if it is blocked, when a worker has made room for replies.
    const isWaiting = this.#workers.some(({ replies }) => replies.isWaiting);
    return isWaiting ? Math.min(firstMs, nowMs() + REPLY_MS) : firstMs;
  }

  /** See {@linkcode Source}. */
  expire(): void {
    for (const { replies } of this.#workers) replies.flush();
    this.#tasks.deadlines.expire();
  }

  /** See {@linkcode Source}. */
  sleeping(isBlocking: boolean): void {
    this.#meter.catchUp();
    if (this.#tasks.unsettled === 0) {
      // Not at the last outcome: the code that awaited it may submit again at once.
      this.#crew.cancelWatch();
      return;
    }
    this.#crew.engageAll();
    if (isBlocking && this.#blocking > 0 && !platform.servesBlocked) this.#checkServed();
    // The end of a process is reported by mail.
    if (this.#kind.exports !== undefined) return;
    if (!isBlocking) this.#crew.watchLater();
  }

  // Losing workers

  /**
   * Takes in that a worker ended without being asked to; see {@linkcode CrewPool} and
   * {@linkcode MailPool}.
   *
   * @param inHand The tasks that it had in hand, if it was able to say so.
   */
  lost(
    worker: PoolWorkerHandle,
    how: string,
    cause: unknown,
    inHand?: readonly number[],
  ): void {
    if (worker.hasEnded) return;
    if (inHand === undefined) {
      this.#mail.drain(worker, NEVER);
      if (worker.hasEnded) return; // Its own mail has said so.
    }
    this.#kind.onEnd?.(cause);
    const wasReady = worker.state.isReady;
    const tasks = [...this.#queue.recover(worker), ...inHand ?? []];
    // The task that it shows may be over, and its index may be another task's by now.
    if (inHand === undefined && this.#crew.isBusy(worker)) tasks.push(worker.state.currentTask);
    this.#watchLoss(worker, inHand?.[0]);
    worker.givenUp?.grace.cancel();
    const { isDismissed } = worker;
    this.#remove(worker, isDismissed ? "discarded" : "lost", true);
    if (isDismissed) {
      const end = this.#broken ?? { reason: `worker "${worker.name}" was ended: ${how}`, cause };
      for (const task of tasks) this.#tasks.failLost(task, end.reason, end.cause);
      this.#failOrphans(end);
      return;
    }
    this.#meter.lost++;
    const reason = `worker "${worker.name}" was lost: ${how}`;
    // A worker that could not even begin would be followed by others, for ever.
    if (!this.#settings.replaceLost || !wasReady) {
      this.#break(reason, cause);
      return;
    }
    for (const task of new Set(tasks)) this.#tasks.failLost(task, reason, cause);
    this.#serveWaiting();
  }

  /** See {@linkcode MailPool}. */
  retired(worker: PoolWorkerHandle): void {
    this.#kind.onEnd?.(undefined);
    this.#remove(worker, "retired");
    this.#failOrphans(this.#broken ?? (this.#workersEnded ? ENDED : undefined));
    this.#crew.engage();
  }

  /**
   * Reports the task that a lost worker ran to the watch; for a process, the first of those in
   * hand.
   */
  #watchLoss(worker: PoolWorkerHandle, inHand?: number): void {
    const task = inHand ?? (this.#crew.isBusy(worker) ? worker.state.currentTask : undefined);
    // A process that was killed because its pool broke reports tasks that have failed already.
    if (task === undefined || !this.isPending(task)) return;
    this.#watch.fails(task, "lost", worker);
  }

  /** Fails everything unfinished and ends all workers. */
  #break(reason: string, cause: unknown): void {
    if (this.#isBreaking) return;
    this.#isBreaking = true;
    this.#broken = { reason, cause };
    this.#crew.retire();
    // An outcome that was reported in time counts. A worker may have reported its end as well,
    // which calls this method again.
    for (const worker of [...this.#workers]) {
      if (!worker.hasEnded) this.#mail.drain(worker, NEVER);
    }
    for (const worker of [...this.#workers]) {
      this.#watchLoss(worker);
      if (worker.child !== undefined) {
        this.#dismiss(worker, "SIGKILL");
        continue;
      }
      worker.givenUp?.grace.cancel();
      if (this.#crew.isBusy(worker)) {
        this.#meter.abandoned++;
        worker.state.abort(worker.state.currentNumber);
      }
      this.#remove(worker, "discarded");
    }
    this.#tasks.failAll(reason, cause);
    this.#closeIfOver();
  }

  /** Sends all processes a signal. */
  signalWorkers(signal: string): void {
    for (const worker of this.#workers) worker.child!.kill(signal);
  }

  /** Ends a process; it is removed once its end is reported. */
  #dismiss(worker: PoolWorkerHandle, signal: string): void {
    worker.isDismissed = true;
    worker.child!.kill(signal);
  }

  /**
   * Ends all processes at once, and takes no more tasks: tasks that have not started are cancelled,
   * those that run fail.
   */
  endWorkers(signal: string): void {
    this.shutdown(true);
    this.#workersEnded = true;
    for (const worker of this.#workers) this.#dismiss(worker, signal);
  }

  /**
   * See {@linkcode MailPool}. As Python does: waiting tasks fail; those that other workers run end
   * normally.
   */
  failInitializer(worker: PoolWorkerHandle, error: unknown): void {
    const reason = `its initializer failed: ${errorText(error)}`;
    this.#broken ??= { reason, cause: error };
    // A process that reports this ends, and reports its end too.
    if (worker.child === undefined) this.#remove(worker, "discarded");
    else worker.isDismissed = true;
    this.#crew.retire();
    this.#tasks.refuseAll(reason, error);
    this.#closeIfOver();
  }

  /**
   * Fails tasks that a process has returned, and that are in nobody's hands, once no worker is left
   * to take them.
   *
   * @param end Why there will be no worker; `undefined` if there may be one.
   */
  #failOrphans(end: { readonly reason: string; readonly cause: unknown } | undefined): void {
    if (end !== undefined && this.#workers.length === 0) {
      this.#tasks.failAll(end.reason, end.cause);
    }
  }

  // Ending

  /** Takes no more tasks; ends the workers when all tasks are done. See `Executor.shutdown`. */
  shutdown(cancelFutures: boolean): void {
    if (!this.#closing) {
      this.#closing = true; // First: a callback of a cancelled future must submit nothing more.
      for (let i = this.#workers.length; i-- > 0;) this.#expect();
      this.#letEnd(this.#streams.resting);
    }
    if (cancelFutures) this.#tasks.cancelAll();
    this.refill();
    this.#closeIfOver();
  }

  /** Makes the workers end once the ring is empty: no further task will come. */
  #closeRing(): void {
    const { ring } = this.#queue;
    if (ring.isClosed) return;
    ring.close();
    this.#crew.wakeAll();
  }

  #closeIfOver(): void {
    if (!this.#closing && this.#broken === undefined) return;
    if (this.#closed || this.#workers.length > 0 || this.#tasks.unsettled > 0) return;
    this.#closed = true;
    this.#crew.close();
    doorbell.remove(this);
    withdrawPool(this);
    this.#kind.close();
    for (const onClosed of this.#onClosed) onClosed();
  }

  /** Calls back once all workers have ended, unless they have; the returned function cancels. */
  onClosed(callback: () => void): () => void {
    this.#onClosed.add(callback);
    return () => void this.#onClosed.delete(callback);
  }

  /** A promise for the end of all workers. */
  whenClosed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.onClosed(resolve));
  }

  /** Blocks until all workers have ended, or the deadline. */
  waitClosedSync(deadlineMs: number = NEVER): void {
    this.enterBlocking();
    try {
      doorbell.waitSync(() => this.#closed || this.#streams.restingHere > 0, deadlineMs);
    } finally {
      this.leaveBlocking();
    }
    if (this.#closed || this.#streams.restingHere === 0) return;
    throw new RuntimeError(`Cannot wait for the end of ${this.name}: ${STUCK}`);
  }

  /** True once all workers have ended, and no more will start. */
  get isClosed(): boolean {
    doorbell.poll();
    return this.#closed;
  }

  /** The process ids of the workers that are processes, as far as they have been started. */
  get pids(): number[] {
    doorbell.poll();
    return this.#workers.map(({ pid }) => pid).filter((pid) => pid !== undefined);
  }

  /** See {@linkcode Observable}. */
  observe(observer: ExecutorObserver): () => void {
    return this.#watch.observe(observer, this.#workers);
  }

  /** See `_submit_context.ts`. */
  submitContext(): unknown {
    return this.#watch.context();
  }

  /** The counts and times at this moment. */
  stats(): ExecutorStats {
    doorbell.poll();
    let running = 0;
    const perWorker = this.#workers.map((worker) => {
      const { state, account, name, pid } = worker;
      const isBusy = this.#crew.isBusy(worker);
      if (isBusy) running++;
      const sinceMs = isBusy ? this.#meter.submittedMsOf(state.currentTask) : undefined;
      return account.statsOf(name, pid, sinceMs, this.#meter.meanMs);
    });
    return this.#meter.stats(perWorker, this.#tasks.unsettled, running);
  }
}
