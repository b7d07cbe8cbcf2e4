/**
 * Thread: a function, or the `run` of a subclass, in a thread of its own.
 *
 * The code that starts a thread makes its object. Every other thread can have an object for it too,
 * made from the thread's id; the rest comes from the table of threads. The words that all of them
 * share are described in `_thread_state.ts`.
 *
 * @module
 */

import { addressOf } from "../_platform/entry.ts";
import { platform } from "../_platform/mod.ts";
import { checkArray, checkFunction, checkOptions } from "../_platform/options.ts";
import { Encoder } from "../_memory/encoder.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { encode } from "../_memory/message.ts";
import { home, type Seat } from "../_memory/seat.ts";
import { FLAG } from "../_memory/thread_table.ts";
import { NotShareableError, RuntimeError } from "../sync/errors.ts";
import type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
import { ownOrigin } from "./_origin.ts";
import { handleForThread } from "./_pool_handle.ts";
import { type AnyFunction, errorText, type Target, targetOf } from "./_target.ts";
import {
  type Delay,
  DelayedThread,
  ExistingThread,
  isDaemonHere,
  type ThreadData,
} from "./_thread_existing.ts";
import { hostId, startThread } from "./_thread_host.ts";
import { joinThread, joinThreadSync } from "./_thread_join.ts";
import { links } from "./_thread_links.ts";
import { isLoading, knownThreads } from "./_thread_self.ts";
import { ThreadState, type Work } from "./_thread_state.ts";
// Imported only so that caches, lock files and compiled programs contain the workers' module.
import "./_thread_main.ts";
import { dereference, hrefOf, type ModuleMeta, takeArgumentTransfers } from "./task.ts";

/** The kind of a thread in handles. */
export const THREAD_KIND = "Thread";

/**
 * The modules that a thread loads so that it can receive threads and timers: nothing that it
 * imports anyway may import these.
 */
const THREAD_CLASSES: readonly string[] = [
  addressOf(import.meta.url, () => import.meta.resolve("./_thread_list.ts")),
  addressOf(import.meta.url, () => import.meta.resolve("./timer.ts")),
];

/** Options of a {@linkcode Thread}. */
export interface ThreadOptions<A extends unknown[] = unknown[]> {
  /**
   * What the thread calls. It is sent as a task is: as an export marked with `task`, or as its
   * source text, which must be self-contained.
   */
  target?: ((...args: A) => unknown) | undefined;
  /** The target's arguments, cloned by `start`. */
  args?: readonly [...A] | undefined;
  /** The thread's name. Default `Thread-N`, followed by the name of the target in parentheses. */
  name?: string | undefined;
  /**
   * Whether the program ends without waiting for the thread. Default: as in the thread that makes
   * the object; in a pool's task `false`.
   */
  daemon?: boolean | null | undefined;
  /** For a subclass that overrides `run`: `import.meta` of the module that exports it. */
  module?: ModuleMeta | undefined;
}

/**
 * A function, or the `run` of a subclass, in a thread of its own.
 *
 * The thread is a Web Worker: it has modules and global variables of its own, and gets clones of
 * the arguments; shared objects (locks, events, queues, values) and `SharedArrayBuffer`s among them
 * are the same there. It ends when the target has returned, or when the promise that the target
 * returned has settled, and the tasks of pools that it has made are done; it does not wait for
 * timers and requests that are left then. The return value is dropped: for a result, use a queue or
 * a `ThreadPoolExecutor`.
 *
 * An error that the target throws goes to the hook (see {@linkcode setExcepthook}), and so does an
 * uncaught error in a timer or a promise, which ends the thread. Neither ends the program.
 * `close()` and `Deno.exit()` in a thread end that thread alone. A lock that a thread holds when it
 * ends has a dead owner, which is reported to those who want the lock.
 *
 * A program waits for its threads before it ends, but not for daemons, which end with it. A thread
 * goes on when the thread that started it has ended. A pool's worker waits for the threads that its
 * tasks have started; such threads take about a second to start.
 *
 * A started thread can be sent to another thread of the same process, as an argument, and be joined
 * there. The task of a pool can receive it if it is marked with `task` and its module imports
 * `@concurrent/futures`.
 *
 * Semantics: Python's `threading.Thread`.
 *
 * **Differs from Python:** nothing is shared but the shared objects and memory that are sent;
 * `start` does not wait until the thread runs, `started` does; a thread that another thread has
 * started begins when the event loop of the main thread turns, or when the main thread waits in a
 * call of this package; a main thread that ends with an error does not wait for the others. There
 * are no `group`, `kwargs` and `native_id`.
 *
 * @typeParam A The types of the target's arguments.
 *
 * @example
 * ```ts
 * import { Queue, Thread } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = new Queue<number>();
 * const thread = new Thread({
 *   target: (squares: Queue<number>, n: number) => squares.putSync(n * n),
 *   args: [squares, 7],
 * });
 * thread.start();
 * thread.joinSync();
 * assertEquals(squares.getNowait(), 49);
 * ```
 *
 * @example A subclass; its own fields are sent, and its constructor is not called again
 * ```ts ignore
 * import { Thread } from "@concurrent/futures";
 *
 * export class Countdown extends Thread {
 *   readonly from: number;
 *
 *   constructor(from: number) {
 *     super({ module: import.meta });
 *     this.from = from;
 *   }
 *
 *   override run(): void {
 *     for (let n = this.from; n > 0; n--) console.log(n);
 *   }
 * }
 *
 * if (import.meta.main) new Countdown(3).start();
 * ```
 */
export class Thread<A extends unknown[] = unknown[]> {
  /** This thread's seat in the table of threads that also has the other thread. */
  readonly #seat: Seat | undefined;
  /**
   * Set if the object was made for an existing thread; says whether a `Thread` started that one.
   */
  readonly #existing: { readonly isStarted: boolean } | undefined;
  readonly #module: ModuleMeta | undefined;
  readonly #delay: Delay | undefined;
  #target: AnyFunction | undefined;
  #args: readonly unknown[];
  #daemon: boolean;
  #name: string;
  /**
   * The name in the table when it was last read. It is cut there, so it replaces the name only when
   * another thread has changed it.
   */
  #nameInTable: string | undefined;
  #id: number | null;
  #isStarting = false;
  #startPromise: Promise<void> | undefined;
  #settleStart: ((failure?: { readonly error: unknown }) => void) | undefined;
  #startOutcome: { readonly failure?: { readonly error: unknown } } | undefined;

  /**
   * Makes the object; no thread is started yet.
   *
   * @param options The target, its arguments, and the thread's name.
   * @throws {TypeError} When `target` is not a function, or `args` is not an array.
   */
  constructor(options: ThreadOptions<A> = {}) {
    if (options instanceof ExistingThread) {
      const { seat, id, name, nameInTable, daemon, isStarted, target } = options;
      this.#seat = seat;
      this.#existing = { isStarted };
      this.#target = target;
      this.#args = [];
      this.#daemon = daemon;
      this.#name = name;
      this.#id = id;
      this.#nameInTable = nameInTable;
      this.#startOutcome = {};
      return;
    }
    checkOptions("make thread", options, "{ target }");
    const { target, args, module, daemon } = options;
    checkFunction("make thread", "target", target);
    checkArray("make thread", "args", args);
    this.#seat = home();
    this.#target = target as AnyFunction | undefined;
    this.#args = args ?? [];
    this.#module = module;
    this.#delay = options instanceof DelayedThread ? options.delay : undefined;
    this.#daemon = daemon ?? isDaemonHere();
    this.#id = null;
    this.#name = String(options.name ?? "") || this.#defaultName();
  }

  #defaultName(): string {
    const name = `Thread-${this.#seat!.table.nextNumber()}`;
    const of = this.#delay === undefined ? this.#target?.name : undefined;
    return of ? `${name} (${of})` : name;
  }

  /**
   * The thread's name, for people to read. It can be changed at any time; other threads see the
   * first 48 bytes of it.
   */
  get name(): string {
    if (this.isAlive() && this.#id !== null) {
      const inTable = this.#seat!.table.nameOf(this.#id);
      if (inTable !== this.#nameInTable) this.#name = this.#nameInTable = inTable;
    }
    return this.#name;
  }

  set name(name: string) {
    this.#name = String(name);
    if (this.#id === null || !this.isAlive()) return;
    const { table } = this.#seat!;
    table.rename(this.#id, this.#name);
    this.#nameInTable = table.nameOf(this.#id);
  }

  /**
   * The thread's number, unique among the threads that live; `null` before the start, and kept
   * after the end.
   */
  get ident(): number | null {
    return this.#id;
  }

  /**
   * Whether the program ends without waiting for this thread. It can be set until the start.
   *
   * @throws {RuntimeError} When it is set after the start.
   */
  get daemon(): boolean {
    return this.#daemon;
  }

  set daemon(daemon: boolean) {
    if (this.#wasStarted) {
      throw new RuntimeError(
        `Cannot set daemon of thread "${this.name}": it was started already`,
      );
    }
    this.#daemon = Boolean(daemon);
  }

  get #wasStarted(): boolean {
    return this.#existing !== undefined || this.#isStarting;
  }

  /**
   * Starts the thread and returns at once; `await thread.started` waits until it runs, which takes
   * some tens of milliseconds. The arguments, or the fields of a subclass, are cloned now: later
   * changes are not seen by the thread.
   *
   * @throws {RuntimeError} When the thread was started before.
   * @throws {NotShareableError} When the target, arguments or fields cannot be sent, or it is not
   * known which module exports the class. Nothing is started then.
   * @throws {Error} When the runtime does not permit a worker.
   *
   * @example
   * ```ts
   * import { NotShareableError, Thread } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const thread = new Thread({ target: (log: () => void) => log(), args: [() => {}] });
   * assertThrows(() => thread.start(), NotShareableError, "cannot be cloned");
   * ```
   */
  start(): void {
    if (this.#wasStarted) {
      throw new RuntimeError(
        `Cannot start thread "${this.name}": threads can only be started once`,
      );
    }
    if (isLoading()) {
      throw new RuntimeError(
        `Cannot start thread "${this.name}": the module that starts it is being imported by a thread; what only the program itself should do belongs under if (import.meta.main), in a page under if (typeof document === "object")`,
      );
    }
    this.#isStarting = true;
    try {
      this.#start();
    } catch (error) {
      this.#isStarting = false;
      throw error;
    }
    // Both have been sent to the thread.
    this.#target = undefined;
    this.#args = [];
  }

  #start(): void {
    const { table, id: starter } = home();
    const { work, values, fields = {} } = this.#describeWork();
    const { port1, port2 } = new MessageChannel();
    let id: number | undefined;
    try {
      const { classes, sendRest } = this.#send(values, fields, port1);
      id = table.claim(
        this.#name,
        FLAG.STARTED | (this.#daemon ? FLAG.DAEMON : 0),
        hostId(),
      );
      const state = new ThreadState();
      startThread({
        name: this.#name,
        daemon: this.#daemon,
        threads: table.buffer,
        thread: id,
        starter,
        state: state.buffer,
        origin: ownOrigin(),
        work,
        classes,
        port: port2,
      });
      sendRest();
      this.#follow(id, state, port1);
    } catch (error) {
      if (id !== undefined) table.leave(id);
      port1.close();
      port2.close();
      throw error;
    }
  }

  /**
   * Returns the thread's work and the values that have to be sent for it; the fields are among the
   * values.
   */
  #describeWork(): { work: Work; values: readonly unknown[]; fields?: object } {
    const args = this.#args;
    const delay = this.#delay;
    const target = this.#target === undefined ? undefined : targetOf(this.#target);
    if (this.run !== (delay?.run ?? Thread.prototype.run)) {
      const fields = { ...this };
      return { work: this.#describeObject(target), values: [fields, ...args], fields };
    }
    if (delay === undefined || target === undefined) {
      return { work: { kind: "call", target }, values: args };
    }
    const { intervalMs, finished } = delay;
    return { work: { kind: "timer", target, intervalMs }, values: [finished, ...args] };
  }

  #describeObject(target: Target | undefined): Work {
    const { name } = this.constructor;
    const cannot = (why: string): NotShareableError =>
      new NotShareableError(`Cannot start thread "${this.name}": ${why}`);
    if (this.#delay !== undefined) {
      throw cannot("a subclass of Timer cannot override run; make it one of Thread");
    }
    if (name === "") throw cannot("its class has no name; name it as it is exported");
    if (this.#module === undefined) {
      throw cannot(
        `class ${name} overrides run, and it is not known where it is exported; call super({ module: import.meta }) in its constructor`,
      );
    }
    return { kind: "object", url: hrefOf(this.#module.url), name, target };
  }

  /**
   * Sends the values; see `ThreadStart.classes` for what is returned with `sendRest`, which must be
   * called once the thread is started.
   *
   * What may be refused is sent at once, when nothing has been started. All else goes after the
   * thread's port, as `sendRest` does: what a thread has posted to a port before it hands it over,
   * Firefox passes on only when that thread's event loop turns, and until then it may block for the
   * new one.
   */
  #send(
    values: readonly unknown[],
    fields: object,
    port: MessagePort,
  ): { readonly classes: readonly string[] | undefined; readonly sendRest: () => void } {
    const encoder = new Encoder();
    encoder.handleOf = handleForThread;
    let sendRest = (): void => {};
    try {
      const marked = [...values, ...Object.values(fields)];
      const transfers = takeArgumentTransfers(marked, undefined);
      const encoded = encode(encoder, values, transfers);
      const send = (): void => port.postMessage(encoded, [encoded.block, ...transfers ?? []]);
      const isSure = transfers === undefined &&
        encoded.extras.every((extra) => extra instanceof SharedArrayBuffer);
      if (isSure) sendRest = send;
      else send();
    } catch (error) {
      if (NotShareableError.is(error)) throw error;
      throw new NotShareableError(`Cannot start thread "${this.name}": ${errorText(error)}`, {
        cause: error,
      });
    }
    return { classes: encoder.handles > 0 ? THREAD_CLASSES : undefined, sendRest };
  }

  /** Listens to the thread, which has been started. */
  #follow(id: number, state: ThreadState, port: MessagePort): void {
    const { table } = this.#seat!;
    this.#id = id;
    this.#nameInTable = table.nameOf(id);
    knownThreads.set(id, this);
    links.add({
      thread: this,
      id,
      table,
      state,
      port,
      onStarted: (failure) => {
        this.#startOutcome = { failure };
        this.#settleStart?.(failure);
      },
      onEnded: () => {
        if (knownThreads.get(id) === this) knownThreads.delete(id);
      },
    });
  }

  /**
   * A promise that resolves when the thread runs, that is, when it calls its target. If the thread
   * ends before that, for instance because a module cannot be imported, it rejects with the error.
   * The hook gets that error too, so the promise may be ignored.
   *
   * @throws {RuntimeError} Before {@linkcode start}.
   *
   * @example
   * ```ts
   * import { Event, Thread } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const stop = new Event();
   * const thread = new Thread({ target: (stop: Event) => stop.waitSync(), args: [stop] });
   * thread.start();
   * await thread.started;
   * assertEquals(thread.isAlive(), true);
   * stop.set();
   * await thread.join();
   * assertEquals(thread.isAlive(), false);
   * ```
   */
  get started(): Promise<void> {
    if (!this.#wasStarted) {
      throw new RuntimeError(`Cannot wait for thread "${this.name}": it has not been started`);
    }
    if (this.#startPromise === undefined) {
      this.#startPromise = new Promise((resolve, reject) => {
        this.#settleStart = (failure): void => failure ? reject(failure.error) : resolve();
      });
      this.#startPromise.catch(() => {});
      if (this.#startOutcome !== undefined) this.#settleStart!(this.#startOutcome.failure);
    }
    return this.#startPromise;
  }

  /**
   * Calls the target with its arguments: this is what the thread does. A subclass may override it.
   *
   * Called directly, it runs in the calling thread, and only once: the target is forgotten
   * afterwards, as it is after `start`.
   *
   * @returns What the target returns.
   *
   * @example
   * ```ts
   * import { Thread } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const seen: number[] = [];
   * new Thread({ target: (n: number) => seen.push(n), args: [7] }).run();
   * assertEquals(seen, [7]);
   * ```
   */
  run(): unknown {
    const target = this.#target;
    const args = this.#args;
    this.#target = undefined;
    this.#args = [];
    if (target === undefined) return undefined;
    const fn = dereference(target);
    const call = (fn: AnyFunction): unknown => (fn as (...args: unknown[]) => unknown)(...args);
    return fn instanceof Promise ? fn.then(call) : call(fn);
  }

  /** True from the return of `start` until the thread has ended. */
  isAlive(): boolean {
    if (this.#seat === undefined) return true;
    return this.#id !== null && this.#seat.table.isAlive(this.#id);
  }

  /**
   * Waits until the thread has ended or the time is up; `isAlive` says which. Any number of threads
   * and async tasks may join a thread, any number of times. An error that ended the thread is not
   * thrown here: it goes to the hook.
   *
   * The promise keeps the event loop open, even for a daemon.
   *
   * @param options How long to wait, and what ends the wait early.
   * @throws {RuntimeError} Before the start, in the thread itself, and for a thread that no
   * `Thread` has started.
   *
   * @example
   * ```ts
   * import { Thread } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const thread = new Thread({ target: () => {} });
   * thread.start();
   * await thread.join();
   * assertEquals(thread.isAlive(), false);
   * ```
   */
  async join(options: WaitOptions = {}): Promise<void> {
    const { seat, id } = this.#joined();
    await joinThread(seat, id, options);
  }

  /**
   * Blocks this thread until the other one has ended or the time is up. It needs no turn of the
   * event loop: the end of the other thread wakes this one, however it ends.
   *
   * @param options How long to wait.
   * @throws {RuntimeError} As {@linkcode join}; also where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Thread } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const thread = new Thread({ target: () => close() });
   * thread.start();
   * thread.joinSync();
   * assertEquals(thread.isAlive(), false);
   * ```
   */
  joinSync(options: WaitSyncOptions = {}): void {
    const { seat, id } = this.#joined();
    if (options.timeout !== 0 && !platform.canBlock) {
      throw new RuntimeError(
        `Cannot join thread "${this.name}": this thread must not block; await join() instead`,
      );
    }
    joinThreadSync(seat, id, options);
  }

  /** Checks that the thread can be joined here; returns what that needs. */
  #joined(): { seat: Seat; id: number } {
    const seat = this.#seat;
    const id = this.#id;
    if (this.#existing?.isStarted === false || seat === undefined) {
      throw new RuntimeError(
        `Cannot join thread "${this.name}": it was not started by a Thread, so its end is not known`,
      );
    }
    if (id === null) {
      throw new RuntimeError(`Cannot join thread "${this.name}": it has not been started`);
    }
    if (id === seat.id) {
      throw new RuntimeError(`Cannot join thread "${this.name}": it is the current thread`);
    }
    return { seat, id };
  }

  /** Makes the object arrive in another thread as an object for the same thread. */
  [HANDLE](): Handle {
    const seat = this.#seat;
    if (this.#id === null || seat === undefined) {
      throw new NotShareableError(
        `Cannot send thread "${this.name}": it has not been started; start it where it was made`,
      );
    }
    const { STARTED, DAEMON } = FLAG;
    const data: ThreadData = {
      table: seat.table.identity,
      id: this.#id,
      name: this.name,
      flags: (this.#existing?.isStarted === false ? 0 : STARTED) | (this.#daemon ? DAEMON : 0),
    };
    return { kind: THREAD_KIND, data };
  }

  /** Shows as `Thread` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return THREAD_KIND;
  }
}
