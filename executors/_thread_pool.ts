/**
 * The owner's side of a thread pool: who waits, who runs, who is lost.
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
 * @module
 */

import { load } from "../_platform/atomics.ts";
import { callAt, NEVER, nowMs } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { Arena, createArenaBuffer } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import { TASK_RING, WORD_BYTES } from "../_memory/layout.ts";
import { encode, type Encoded, externBaseOf, takeSpilled } from "../_memory/message.ts";
import { MAX_WORKERS, OwnedTaskRing, PAYLOAD_WORDS, SLOT } from "../_memory/task_ring.ts";
import { RuntimeError } from "../sync/errors.ts";
import { Backlog } from "./_backlog.ts";
import { Catalog } from "./_catalog.ts";
import { ARITY_SHIFT, CHUNK, KIND, PLACE } from "./_protocol.ts";
import { type AnyFunction, describe, targetOf } from "./_target.ts";
import { PoolWorkerHandle } from "./_worker_handle.ts";
import { BrokenThreadPool, NotShareableError, TimeoutError } from "./errors.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { type Future, futureInternals, type Runner } from "./future.ts";
import { takeArgumentTransfers } from "./task.ts";

/** How long a task that was given up may take to notice before its worker is abandoned. */
const GRACE_MS = 50;

/** Tasks pending for longer than this have their workers' signs of life watched. */
const WATCH_AFTER_MS = 50;

/** Outcomes drained between two looks at the clock. */
const TIMED_EVERY = 32;

/** Stands in `#numbers` for a task that is in the backlog. */
const IN_BACKLOG = -1;

/** What a pool is made of, checked. */
export interface ThreadPoolSettings {
  readonly name: string;
  readonly threadNamePrefix: string;
  readonly maxWorkers: number;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: readonly unknown[];
  readonly maxTasksPerChild: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly replaceLost: boolean;
}

/** Counts of a pool; see {@linkcode ThreadPoolExecutor.stats}. */
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

/** A point in time at which something is to be done, also while this thread is blocked. */
export interface Deadline {
  readonly atMs: number;
  readonly run: () => void;
  readonly cancelTimer: () => void;
}

/** The owner's side of a thread pool. */
export class ThreadPool implements ExecutorBackend, Source, Runner {
  readonly concurrency: number;
  readonly prefersChunks = true;
  readonly #settings: ThreadPoolSettings;
  readonly #ring = new OwnedTaskRing();
  readonly #arena = new Arena(createArenaBuffer());
  readonly #catalog = new Catalog();
  readonly #encoder = new Encoder();
  readonly #decoder = new Decoder();
  #backlog = new Backlog();
  /** The most tasks to be in the ring unclaimed; small once priorities are used. */
  #window = Infinity;

  readonly #workers: PoolWorkerHandle[] = [];
  /** Numbers that workers' stamps may have. */
  readonly #workerNumbers: number[] = [];
  #workersStarted = 0;

  /** The table of tasks: futures, numbers in the ring, and the indexes that are free. */
  readonly #futures: (Future<unknown> | undefined)[] = [];
  readonly #numbers: number[] = [];
  readonly #freeTasks: number[] = [];
  #outstanding = 0;

  /** Arguments that only a message can carry, posted already, by task. */
  readonly #parked = new Map<number, MessagePort>();
  readonly #deadlines = new Set<Deadline>();

  readonly #functionNumbers = new WeakMap<AnyFunction, number>();
  #lastFunction: AnyFunction | undefined;
  #lastFunctionNumber = 0;
  #initializer = -1;
  #initargs: Encoded | undefined;

  #broken: { readonly reason: string; readonly cause: unknown } | undefined;
  #closing = false;
  #closed = false;
  readonly #onClosed: (() => void)[] = [];
  #stopWatchTimer: (() => void) | undefined;

  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  #lost = 0;
  #abandoned = 0;

  constructor(settings: ThreadPoolSettings) {
    this.#settings = settings;
    this.concurrency = settings.maxWorkers;
    for (let i = Math.min(settings.maxWorkers, MAX_WORKERS); i-- > 0;) this.#workerNumbers.push(i);
    if (settings.initializer !== undefined) {
      // What cannot be sent breaks the pool, and the first submit says so.
      try {
        this.#initializer = this.#catalog.numberOf(targetOf(settings.initializer));
        this.#initargs = encode(this.#encoder, settings.initargs);
      } catch (error) {
        this.#broken = {
          reason: `its initializer cannot be sent: ${describe(error)}`,
          cause: error,
        };
      }
    }
    doorbell.add(this);
  }

  // Submitting

  /** Has `fn(...args)` run by a worker; with `arity`, `fn` for each `arity` of the args. */
  submit(
    fn: AnyFunction,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    this.#checkOpen();
    const task = this.#freeTasks.pop() ?? this.#futures.length;
    const future = futureInternals.create<unknown>(this, task);
    this.#futures[task] = future;
    this.#numbers[task] = IN_BACKLOG;
    try {
      options?.signal?.throwIfAborted();
      this.#enqueue(
        task,
        this.#numberOf(fn),
        arity === 0 ? 0 : CHUNK | (arity << ARITY_SHIFT),
        args,
        options,
      );
    } catch (error) {
      this.#freeTask(task);
      this.#failed++;
      futureInternals.reject(future, submissionError(error, options?.signal));
      return future;
    }
    this.#outstanding++;
    doorbell.expect();
    this.#engage();
    if (options !== undefined) this.#limit(future, task, options);
    if (this.#stopWatchTimer === undefined) this.#watchLater();
    return future;
  }

  #checkOpen(): void {
    if (this.#broken !== undefined) {
      throw new BrokenThreadPool(
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
    if (fn === this.#lastFunction) return this.#lastFunctionNumber;
    let number = this.#functionNumbers.get(fn);
    if (number === undefined) {
      number = this.#catalog.numberOf(targetOf(fn));
      this.#functionNumbers.set(fn, number);
    }
    this.#lastFunction = fn;
    this.#lastFunctionNumber = number;
    return number;
  }

  #enqueue(
    task: number,
    functionNumber: number,
    form: number,
    args: readonly unknown[],
    options: TaskOptions | undefined,
  ): void {
    const priority = options?.priority ?? 0;
    const transfers = takeArgumentTransfers(args, options?.transfer);
    if (priority !== 0 && this.#window === Infinity) this.#narrowWindow();
    if (this.#backlog.length > 0) this.#refill();
    const encoder = this.#encoder;
    const slot = this.#backlog.length === 0 ? this.#freeSlot() : -1;
    if (slot >= 0) {
      const { words, bytes } = this.#ring;
      const start = slot + SLOT.PAYLOAD;
      const end = encoder.encodeList(args, words, bytes, start, start + PAYLOAD_WORDS, transfers);
      if (end >= 0) {
        this.#publish(slot, task, functionNumber, form | PLACE.INLINE);
        return;
      }
      if (this.#mustPark()) {
        this.#park(task, transfers);
        this.#publish(slot, task, functionNumber, form | PLACE.MESSAGE);
        return;
      }
      if (this.#placeBlock(slot, encoder.blockBytes, encoder.spillWords * WORD_BYTES)) {
        encoder.copyTo(this.#arena.words, this.#arena.bytes, words[slot + SLOT.PAYLOAD]);
        encoder.reset();
        this.#publish(slot, task, functionNumber, form | PLACE.BLOCK);
        return;
      }
      // The arena is full: the task waits until others have been claimed.
      const { start: at } = this.#backlog.reserve(priority);
      this.#backlog.commit(task, functionNumber, form | PLACE.BLOCK, at, takeSpilled(encoder));
      return;
    }
    const { words, bytes, start } = this.#backlog.reserve(priority);
    const end = encoder.encodeList(args, words, bytes, start, start + PAYLOAD_WORDS, transfers);
    if (end >= 0) {
      this.#backlog.commit(task, functionNumber, form | PLACE.INLINE, end);
    } else if (this.#mustPark()) {
      this.#park(task, transfers);
      this.#backlog.commit(task, functionNumber, form | PLACE.MESSAGE, start);
    } else {
      this.#backlog.commit(task, functionNumber, form | PLACE.BLOCK, start, takeSpilled(encoder));
    }
  }

  /** True when what the encoder has spilled can go neither into a slot nor into the arena. */
  #mustPark(): boolean {
    return this.#encoder.extras.length > 0 || this.#encoder.blockBytes > this.#arena.largestBlock;
  }

  /** Posts the arguments to a port of their own, which the worker that claims the task is given. */
  #park(task: number, transfers: Set<Transferable> | undefined): void {
    const message = takeSpilled(this.#encoder);
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(message, [message.block, ...transfers ?? []]);
    } catch (error) {
      port1.close();
      port2.close();
      throw error;
    }
    this.#parked.set(task, port2);
  }

  /** Has the slot refer to a new block of the arena; false when there is no room. */
  #placeBlock(slot: number, blockBytes: number, wordsBytes: number): boolean {
    const offset = this.#arena.allocate(blockBytes);
    if (offset < 0) return false;
    const { words } = this.#ring;
    words[slot + SLOT.PAYLOAD] = offset;
    words[slot + SLOT.PAYLOAD + 1] = externBaseOf(offset, wordsBytes / WORD_BYTES);
    return true;
  }

  #freeSlot(): number {
    if (this.#window !== Infinity && this.#ring.unclaimed >= this.#window) {
      this.#ring.hasReady(); // passes cancelled tasks
      if (this.#ring.unclaimed >= this.#window) return -1;
    }
    return this.#ring.freeSlot();
  }

  #publish(slot: number, task: number, functionNumber: number, form: number): void {
    const { words } = this.#ring;
    words[slot + SLOT.TASK] = task;
    words[slot + SLOT.FUNCTION] = functionNumber;
    words[slot + SLOT.FORM] = form;
    this.#numbers[task] = this.#ring.publish();
  }

  /** Publishes waiting tasks as far as there is room. */
  #refill(): void {
    const backlog = this.#backlog;
    while (backlog.length > 0) {
      const { task, functionNumber, form, words, start, end, large } = backlog.peek()!;
      if (this.#futures[task] === undefined) {
        backlog.shift();
        this.#freeTask(task);
        continue;
      }
      const slot = this.#freeSlot();
      if (slot < 0) return;
      if (large !== undefined) {
        const { block, externBase } = large;
        if (!this.#placeBlock(slot, block.byteLength, externBase)) return;
        this.#arena.bytes.set(new Uint8Array(block), this.#ring.words[slot + SLOT.PAYLOAD]);
      } else {
        for (let i = start; i < end; i++) {
          this.#ring.words[slot + SLOT.PAYLOAD + i - start] = words[i];
        }
      }
      this.#publish(slot, task, functionNumber, form);
      backlog.shift();
    }
    if (this.#closing) this.#closeRing();
  }

  /**
   * From now on keeps tasks here, where they can be put in order, and at most one a worker in the ring ahead of
   * the workers; takes back what is in the ring beyond that.
   */
  #narrowWindow(): void {
    this.#window = this.#settings.maxWorkers;
    const { words } = this.#ring;
    const old = this.#backlog;
    const backlog = this.#backlog = new Backlog();
    let kept = this.#window;
    for (const number of this.#ring.waiting()) {
      if (kept-- > 0 || !this.#ring.cancel(number)) continue;
      const slot = this.#ring.slotOf(number);
      const task = words[slot + SLOT.TASK];
      const { words: to, start } = backlog.reserve(0);
      to.set(words.subarray(slot + SLOT.PAYLOAD, slot + SLOT.PAYLOAD + PAYLOAD_WORDS), start);
      backlog.commit(
        task,
        words[slot + SLOT.FUNCTION],
        words[slot + SLOT.FORM],
        start + PAYLOAD_WORDS,
      );
      this.#numbers[task] = IN_BACKLOG;
    }
    while (old.length > 0) {
      const { task, functionNumber, form, words, start, end, large } = old.peek()!;
      const { words: to, start: at } = backlog.reserve(0);
      to.set(words.subarray(start, end), at);
      backlog.commit(task, functionNumber, form, at + end - start, large);
      old.shift();
    }
  }

  // Workers

  /** Sees to it that unclaimed tasks have workers: wakes sleeping ones, starts one where there may be more. */
  #engage(): void {
    const { words } = this.#ring;
    const mayStart = this.#workers.length < this.#settings.maxWorkers;
    const sleeping = load(words, TASK_RING.SLEEPING);
    if (!mayStart && sleeping <= 0) return;
    let needed = this.#ring.unclaimed - load(words, TASK_RING.LOOKING);
    if (needed <= 0) return;
    if (sleeping > 0) {
      for (const worker of this.#workers) {
        if (worker.state.wake(this.#ring) && --needed === 0) return;
      }
    }
    if (mayStart) this.#startWorker();
  }

  #startWorker(): void {
    const { threadNamePrefix, maxTasksPerChild, idleTimeoutMs } = this.#settings;
    const worker: PoolWorkerHandle = new PoolWorkerHandle({
      name: `${threadNamePrefix}_${this.#workersStarted++}`,
      number: this.#workerNumbers.pop()!,
      onError: (message) => this.#lose(worker, `failed: ${message}`, new Error(message)),
    });
    worker.start({
      ring: this.#ring.buffer,
      arena: this.#arena.buffer,
      catalog: this.#catalog.buffer,
      bell: doorbell.buffer,
      initializer: this.#initializer,
      initargs: this.#initargs,
      maxTasks: maxTasksPerChild ?? Infinity,
      idleTimeoutMs,
    });
    this.#workers.push(worker);
    if (this.#closing) doorbell.expect();
  }

  /** Takes a worker off the list: it ended, or is to be heeded no more. */
  #remove(worker: PoolWorkerHandle): void {
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#workerNumbers.push(worker.number);
    worker.end();
    if (this.#closing) doorbell.arrived(1);
    this.#closeIfOver();
  }

  // Outcomes

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const worker of this.#workers) {
      if (worker.records.hasRecord()) return true;
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
      if (this.#backlog.length > 0) this.#refill();
      this.#engage();
    }
    return found;
  }

  #drainWorker(worker: PoolWorkerHandle, untilMs: number): boolean {
    const { records } = worker;
    let at = records.peek();
    if (at < 0) return false;
    let untilTimed = TIMED_EVERY;
    do {
      const head = records.words[at];
      const task = records.words[at + 1];
      let kind = head >> KIND.SHIFT;
      let value: unknown;
      try {
        value = worker.read(this.#decoder, head & PLACE.MASK, at);
      } catch (error) {
        value = new NotShareableError(`Cannot receive the task's outcome: ${describe(error)}`, {
          cause: error,
        });
        kind = KIND.ERROR;
      }
      records.advance();
      this.#handle(worker, kind, task, value);
      if (--untilTimed === 0) {
        if (nowMs() >= untilMs) break;
        untilTimed = TIMED_EVERY;
      }
      at = records.peek();
    } while (at >= 0);
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
      case KIND.FETCH: {
        const port = this.#parked.get(task)!;
        this.#parked.delete(task);
        worker.post(port, [port]);
        break;
      }
      case KIND.PROGRESS: {
        const future = this.#futures[task];
        if (future !== undefined) futureInternals.setProgress(future, value as number);
        break;
      }
      case KIND.INITIALIZER_FAILED:
        this.#failInitializer(worker, value);
        break;
      case KIND.ENDED: {
        const [how, , error] = value as [string, boolean, unknown];
        this.#lose(worker, `it ${how}`, error);
        break;
      }
      case KIND.RETIRED:
        this.#remove(worker);
        this.#engage();
        break;
      default:
        throw new Error(`Cannot handle record: unknown kind ${kind}`);
    }
  }

  /** Takes in the outcome of a task. */
  #settle(worker: PoolWorkerHandle, task: number, failed: boolean, value: unknown): void {
    const future = this.#futures[task]!;
    if (worker.givenUp?.task === task) {
      // It was settled when it was given up; the worker turned out to be well.
      worker.givenUp.grace.cancelTimer();
      this.#deadlines.delete(worker.givenUp.grace);
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
    this.#outstanding--;
    doorbell.arrived(1);
    if (this.#outstanding === 0) this.#afterLast();
  }

  #freeTask(task: number): void {
    this.#futures[task] = undefined;
    this.#freeTasks.push(task);
  }

  #afterLast(): void {
    for (const worker of this.#workers) worker.stopWatch();
    if (this.#closing && this.#backlog.length > 0) this.#refill();
    this.#closeIfOver();
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
    const number = this.#numbers[futureInternals.taskOf(future)];
    return number !== IN_BACKLOG && !this.#ring.isWaiting(number);
  }

  /** See {@linkcode Runner}. */
  checkBlocking(): void {
    if (!platform.canBlock) {
      throw new RuntimeError(
        "Cannot block: this thread must not wait; await the future, or wait in a worker",
      );
    }
  }

  /** Takes a task back that no worker has claimed, and books it out; false when one has. */
  #takeBack(future: Future<unknown>): boolean {
    const task = futureInternals.taskOf(future);
    if (this.#futures[task] !== future) return false;
    const number = this.#numbers[task];
    if (number === IN_BACKLOG) {
      // Its index is freed when the backlog comes to it.
      this.#futures[task] = undefined;
      this.#outstanding--;
      doorbell.arrived(1);
      if (this.#outstanding === 0) this.#afterLast();
    } else if (this.#ring.cancel(number)) {
      this.#releaseBlock(number);
      this.#finish(task);
    } else {
      return false;
    }
    this.#parked.get(task)?.close();
    this.#parked.delete(task);
    return true;
  }

  /** Gives back the arena block of a task that nobody will read. */
  #releaseBlock(number: number): void {
    const slot = this.#ring.slotOf(number);
    const { words } = this.#ring;
    if ((words[slot + SLOT.FORM] & PLACE.MASK) === PLACE.BLOCK) {
      this.#arena.release(words[slot + SLOT.PAYLOAD]);
    }
  }

  /** Watches a task's own time limit and signal. */
  #limit(future: Future<unknown>, task: number, { timeout, signal }: TaskOptions): void {
    if (timeout === undefined && signal === undefined) return;
    const stop = (error: unknown): void => this.#giveUp(future, task, error);
    const onAbort = (): void => stop(signal!.reason);
    let deadline: Deadline | undefined;
    if (timeout !== undefined && timeout !== null && timeout !== Infinity) {
      deadline = this.#at(nowMs() + timeout, () => {
        stop(new TimeoutError(`Cannot finish task: it was not done within ${timeout} ms`));
      });
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    futureInternals.whenDone(future, () => {
      signal?.removeEventListener("abort", onAbort);
      if (deadline !== undefined) this.#cancelDeadline(deadline);
    });
  }

  /** Fails a task that nobody waits for any more; if a worker runs it, asks it to stop, and abandons it if it does not. */
  #giveUp(future: Future<unknown>, task: number, error: unknown): void {
    doorbell.poll(); // It may have ended in time.
    if (future.done()) return;
    this.#failed++;
    if (this.#takeBack(future)) {
      futureInternals.reject(future, error);
      return;
    }
    const number = this.#numbers[task];
    const worker = this.#workers.find(({ state }) => state.isRunningTask(number));
    if (worker === undefined) {
      // Claimed this very moment: the worker says in an instant that it runs it, or that it is done.
      this.#failed--;
      this.#at(nowMs() + 1, () => this.#giveUp(future, task, error));
      return;
    }
    worker.state.abort(number);
    const grace = this.#at(nowMs() + GRACE_MS, () => this.#abandon(worker, number));
    worker.givenUp = { task, grace };
    this.#outstanding--;
    doorbell.arrived(1);
    futureInternals.reject(future, error);
    if (this.#outstanding === 0) this.#afterLast();
  }

  /** Gives up a worker whose task was asked to stop and does not. */
  #abandon(worker: PoolWorkerHandle, number: number): void {
    doorbell.poll();
    if (worker.givenUp === undefined || worker.hasEnded) return;
    worker.state.retire(this.#ring);
    // If the task ended at this moment, the worker says RETIRED by itself (invariant 1 of its state).
    if (!worker.state.isRunningTask(number)) return;
    this.#abandoned++;
    this.#freeTask(worker.givenUp.task);
    this.#remove(worker);
    this.#engage();
  }

  #at(atMs: number, run: () => void): Deadline {
    const deadline: Deadline = {
      atMs,
      run: () => {
        this.#deadlines.delete(deadline);
        run();
      },
      cancelTimer: callAt(atMs, () => deadline.run()),
    };
    this.#deadlines.add(deadline);
    return deadline;
  }

  #cancelDeadline(deadline: Deadline): void {
    deadline.cancelTimer();
    this.#deadlines.delete(deadline);
  }

  /** See {@linkcode Source}. */
  get deadlineMs(): number {
    let first = NEVER;
    for (const { atMs } of this.#deadlines) first = Math.min(first, atMs);
    return first;
  }

  /** See {@linkcode Source}. */
  expire(): void {
    const now = nowMs();
    for (const deadline of [...this.#deadlines]) {
      if (deadline.atMs > now) continue;
      deadline.cancelTimer();
      deadline.run();
    }
  }

  // Losing workers

  /** Looks, a while from now, whether tasks are still pending, and watches their workers' signs of life. */
  #watchLater(): void {
    this.#stopWatchTimer = platform.background(WATCH_AFTER_MS, () => {
      this.#stopWatchTimer = undefined;
      if (this.#outstanding === 0) return;
      for (const worker of this.#workers) {
        worker.watch(() => this.#lose(worker, "its thread ended without a word", undefined));
      }
      this.#watchLater();
    });
  }

  /** Books a worker that ended without being asked to. */
  #lose(worker: PoolWorkerHandle, how: string, cause: unknown): void {
    if (worker.hasEnded) return;
    this.#lost++;
    const reason = `worker "${worker.name}" was lost: ${how}`;
    this.#drainWorker(worker, NEVER);
    if (worker.hasEnded) return;
    const tasks = this.#ring.recover(worker.number);
    if (worker.state.isRunning) tasks.push(worker.state.currentTask);
    if (worker.givenUp !== undefined) this.#cancelDeadline(worker.givenUp.grace);
    this.#remove(worker);
    if (!this.#settings.replaceLost) {
      this.#break(reason, cause);
      return;
    }
    for (const task of new Set(tasks)) this.#failLost(task, reason, cause);
    if (this.#backlog.length > 0) this.#refill();
    this.#engage();
  }

  /** Fails a task that was in the hands of a worker that is no more. */
  #failLost(task: number, reason: string, cause: unknown): void {
    const future = this.#futures[task];
    if (future === undefined) return;
    if (future.done()) this.#freeTask(task); // It was given up before.
    else this.#fail(future, task, reason, cause);
  }

  #fail(future: Future<unknown>, task: number, reason: string, cause: unknown): void {
    if (!this.#takeBack(future)) this.#finish(task);
    this.#failed++;
    futureInternals.reject(
      future,
      new BrokenThreadPool(`Cannot finish task: ${reason}`, { cause }),
    );
  }

  /** Fails everything unfinished and ends all workers. */
  #break(reason: string, cause: unknown): void {
    this.#broken = { reason, cause };
    for (const worker of [...this.#workers]) {
      worker.state.retire(this.#ring);
      if (worker.givenUp !== undefined) this.#cancelDeadline(worker.givenUp.grace);
      if (worker.state.isRunning) this.#abandoned++;
      this.#remove(worker);
    }
    for (const [task, future] of [...this.#futures.entries()]) {
      if (future !== undefined && !future.done()) this.#fail(future, task, reason, cause);
    }
    this.#closeIfOver();
  }

  /** As Python does: what waits fails, what other workers run ends well. */
  #failInitializer(worker: PoolWorkerHandle, error: unknown): void {
    const reason = `its initializer failed: ${describe(error)}`;
    this.#broken ??= { reason, cause: error };
    this.#remove(worker);
    for (const { state } of this.#workers) state.retire(this.#ring);
    for (const future of [...this.#futures]) {
      if (future === undefined || future.done() || !this.#takeBack(future)) continue;
      this.#failed++;
      futureInternals.reject(
        future,
        new BrokenThreadPool(`Cannot run task: ${reason}`, { cause: error }),
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
    for (let i = this.#workers.length; i-- > 0;) doorbell.expect();
    if (this.#backlog.length > 0) this.#refill();
    else this.#closeRing();
    this.#closeIfOver();
  }

  /** Has the workers end once the ring is empty: no further task will come. */
  #closeRing(): void {
    this.#ring.close();
    for (const { state } of this.#workers) state.wake(this.#ring);
  }

  #closeIfOver(): void {
    if (!this.#closing && this.#broken === undefined) return;
    if (this.#closed || this.#workers.length > 0 || this.#outstanding > 0) return;
    this.#closed = true;
    this.#stopWatchTimer?.();
    doorbell.remove(this);
    for (const onClosed of this.#onClosed) onClosed();
  }

  /** A promise for the end of all workers. */
  whenClosed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** Blocks until all workers have ended. */
  waitClosedSync(): void {
    this.checkBlocking();
    doorbell.waitSync(() => this.#closed, NEVER);
  }

  /** The counts of this moment. */
  stats(): PoolStats {
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

/** What a failed submission is told: the signal's reason as it is, anything else as not shareable. */
function submissionError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true || NotShareableError.is(error)) return error;
  return new NotShareableError(`Cannot submit task: ${describe(error)}`, { cause: error });
}
