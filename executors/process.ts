/**
 * Process: a function in a process of its own; `currentProcess`, `activeChildren`, `cpuCount`.
 *
 * Each process is run by a pool of its own, with one worker and one task (see `_worker_pool.ts`).
 *
 * @module
 */

import { whenAborted } from "../_platform/aborts.ts";
import { callAt } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { checkArray, checkFunction, checkOptions, deadlineOf } from "../_platform/options.ts";
import type { Permissions } from "../_platform/permissions.ts";
import { processes } from "../_platform/processes.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { HANDLE } from "../_memory/handle.ts";
import { NotShareableError, RuntimeError } from "../sync/errors.ts";
import type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
import { ownOrigin } from "./_origin.ts";
import {
  checkPermissions,
  checkProcesses,
  checkSurroundings,
  ownConfig,
  ProcessClient,
  processExports,
} from "./_process_client.ts";
import { runObject, setMakeSelf } from "./_run_object.ts";
import { type AnyFunction, targetOf } from "./_target.ts";
import { WorkerPool } from "./_worker_pool.ts";
import { BrokenProcessPool } from "./errors.ts";
import { futureInternals } from "./future.ts";
import { hrefOf, type ModuleMeta } from "./task.ts";
// Imported only so that caches, lock files and compiled programs contain these modules, and bundles
// have them ahead of the program.
import "./_process_main.ts";
import "./_process_manager.ts";
import "./_serving.ts";
import "./_worker_main.ts";

/** Options of a {@linkcode Process}. */
export interface ProcessOptions<A extends unknown[] = unknown[]> {
  /**
   * What the process calls: a function marked with `task`, or one that uses nothing from around it.
   */
  target?: ((...args: A) => unknown) | undefined;
  /** The arguments, cloned by `start`. */
  args?: readonly [...A] | undefined;
  /** The name of the process. Default `Process-N`; if `Process-N` makes it, `Process-N:M`. */
  name?: string | undefined;
  /**
   * Whether the program may end before the process; the end of the program then ends it too.
   * Default `false`.
   */
  daemon?: boolean | null | undefined;
  /** For a subclass that overrides `run`: `import.meta` of the module that exports it. */
  module?: ModuleMeta | undefined;
  /** Narrows what the process may do; see `ProcessPoolOptions`. */
  permissions?: Permissions | undefined;
  /** Environment variables of the process, in addition to those of this one. */
  env?: Readonly<Record<string, string>> | undefined;
  /** The working directory of the process. Default: that of this process. */
  cwd?: string | undefined;
}

/** How a process ended, as given in the cause of a lost worker's error. */
interface EndFacts {
  readonly pid?: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Passed to the constructor for the object that represents this process in itself. */
class OwnProcess {
  readonly isDaemon: boolean;
  readonly target: () => unknown;

  constructor(isDaemon: boolean, target: () => unknown) {
    this.isDaemon = isDaemon;
    this.target = target;
  }
}

/** Exit code of a process that could not be started. */
const NOT_STARTED = 127;

let processesMade = 0;
const active = new Set<Process>();

/**
 * A function in a process of its own, with its own memory, modules and globals. Its return value is
 * dropped: let it put results into a `Queue`.
 *
 * Locks, queues and all other objects of `sync` and `queue` may be among the arguments; in the new
 * process each operation on them is a message to this process and its answer. The new process's
 * output goes to the output of this one. It does not outlive this process, however this one ends;
 * the program waits for it unless it is a `daemon`. It ends only after the threads and processes
 * that its target has started, unless they are daemons, and after the tasks of pools that the
 * target has made.
 *
 * A subclass may override `run`. It must be exported under its own name, by the module whose
 * `import.meta` it passes to `super`; its own fields are sent, and its constructor is not called
 * again.
 *
 * Semantics: Python's `multiprocessing.Process` with the start method `spawn`.
 *
 * **Differs from Python:** `start` returns before the process runs (see {@linkcode started});
 * misuse is a `RuntimeError`; timeouts are in milliseconds. The target runs in a thread besides the
 * process's main thread, and that thread has the name of the process. A daemon may start processes,
 * as they end with it. There are no `group`, `kwargs`, `interrupt`, `sentinel` and `authkey`.
 *
 * @typeParam A The types of the target's arguments.
 *
 * @example
 * ```ts
 * import { Process, Queue } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = new Queue<number>();
 * const process = new Process({
 *   target: (squares: Queue<number>, n: number) => squares.put(n * n),
 *   args: [squares, 7],
 * });
 * process.start();
 * await process.join();
 * assertEquals([process.exitcode, squares.getNowait()], [0, 49]);
 * ```
 */
export class Process<A extends unknown[] = unknown[]> {
  /** Without the types of the arguments, so that any `Process<A>` is a `Process`. */
  readonly #options: ProcessOptions;
  /**
   * Whether it is the process that this code runs in: then it is alive, and nothing here can wait
   * for it.
   */
  readonly #isCurrent: boolean;
  #name: string;
  #daemon: boolean;
  #pool: WorkerPool | undefined;
  #pid: number | null = null;
  #exitcode: number | null = null;
  #isClosed = false;
  #settleStarted: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #started: Promise<void> | undefined;
  #startError: { readonly error: unknown } | undefined;

  static {
    setMakeSelf((subclass, fields, isDaemon, target) => {
      if (!((subclass as { prototype?: unknown }).prototype instanceof Process)) return undefined;
      // Calls the constructor of this class only: what those of its subclasses did is in the
      // fields.
      const own = new OwnProcess(isDaemon, target);
      const process = Reflect.construct(Process, [own], subclass as NewableFunction) as Process;
      return Object.assign(process, fields);
    });
  }

  /**
   * Makes a process; {@linkcode start} starts it.
   *
   * @throws {TypeError} When `target` is not a function, `args` is not an array, `permissions`
   * names an unknown kind, or `env` or `cwd` has the wrong type.
   * @throws {RuntimeError} In a browser or a compiled program, which cannot start processes.
   */
  constructor(options: ProcessOptions<A> = {}) {
    this.#isCurrent = options instanceof OwnProcess;
    if (options instanceof OwnProcess) {
      const { name, pid } = currentProcess();
      this.#options = { target: options.target };
      this.#name = name;
      this.#daemon = options.isDaemon;
      this.#pid = pid;
      return;
    }
    checkProcesses("make Process");
    checkOptions("make Process", options, "{ target }");
    const { target, args, daemon } = options;
    checkFunction("make Process", "target", target);
    checkArray("make Process", "args", args);
    const permissions = checkPermissions("make Process", options.permissions);
    checkSurroundings("make Process", options);
    this.#options = { ...options as unknown as ProcessOptions, permissions };
    this.#name = String(options.name ?? "") || defaultName();
    this.#daemon = daemon ?? false;
  }

  /** The name of the process, for people to read. */
  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    this.#name = String(name);
  }

  /**
   * Whether the program may end before the process; the end of the program then ends it too.
   *
   * @throws {RuntimeError} When set after the start.
   */
  get daemon(): boolean {
    this.#checkOpen("read daemon of");
    return this.#daemon;
  }

  set daemon(daemon: boolean) {
    this.#checkOpen("set daemon of");
    if (this.#wasStarted) {
      throw new RuntimeError(`Cannot set daemon of ${this.#label}: it has been started`);
    }
    this.#daemon = Boolean(daemon);
  }

  /** The process id; `null` until the system has started the process. */
  get pid(): number | null {
    this.#checkOpen("read pid of");
    doorbell.poll();
    return this.#pid;
  }

  /** The same as {@linkcode pid}. */
  get ident(): number | null {
    return this.pid;
  }

  /**
   * `null` until the process has ended. Then 0 if the target returned, 1 if it threw, `n` after
   * `Deno.exit(n)`, `-n` if signal number n ended it, and 127 if it could not be started.
   */
  get exitcode(): number | null {
    this.#checkOpen("read exitcode of");
    doorbell.poll();
    return this.#exitcode;
  }

  /**
   * Calls the target. After `start`, the new process calls this; called directly, it runs here. For
   * subclasses to override.
   */
  run(): unknown {
    const { target, args = [] } = this.#options;
    return target?.(...args);
  }

  /**
   * Starts the process; never waits.
   *
   * @throws {RuntimeError} When it has been started before.
   * @throws {NotShareableError} When the target, arguments or fields cannot be sent, or it is not
   * known which module exports the class. Nothing is started then.
   */
  start(): void {
    this.#checkOpen("start");
    if (this.#wasStarted) {
      throw new RuntimeError(`Cannot start ${this.#label}: it has been started before`);
    }
    const [fn, args] = this.#work();
    const { permissions, env, cwd } = this.#options;
    const settings = { permissions, env, cwd, config: ownConfig(), isAlone: true };
    const client = new ProcessClient();
    const pool = new WorkerPool({
      name: this.#name,
      workerName: () => this.#name,
      maxWorkers: 1,
      initializer: undefined,
      initargs: [],
      maxTasksPerChild: undefined,
      idleTimeoutMs: undefined,
      replaceLost: false,
      isDaemon: this.#daemon,
    }, {
      Broken: BrokenProcessPool,
      act: `start ${this.#label}`,
      exports: processExports(),
      chunkMs: 0,
      startThread: (_name, onError) => client.start(settings, onError),
      onStart: (pid) => {
        this.#pid = pid;
        this.#settleStarted?.resolve();
      },
      onEnd: (cause) => this.#end(cause),
      close: () => client.close(),
    });
    const future = pool.submit(fn, args, undefined, 0);
    if (future.done() && futureInternals.hasFailed(future)) {
      pool.shutdown(true);
      throw futureInternals.outcomeOf(future);
    }
    this.#pool = pool;
    pool.shutdown(false);
    active.add(this);
  }

  #work(): [AnyFunction, readonly unknown[]] {
    const { target, args = [], module } = this.#options;
    if (this.run === Process.prototype.run) {
      return [(target ?? (() => {})) as AnyFunction, args];
    }
    const { name } = this.constructor;
    const cannot = (why: string): NotShareableError =>
      new NotShareableError(`Cannot start ${this.#label}: ${why}`);
    if (name === "") throw cannot("its class has no name; name it as it is exported");
    if (module === undefined) {
      throw cannot(
        `class ${name} overrides run() and does not say where it is exported; call super({ module: import.meta })`,
      );
    }
    const superTarget = target && targetOf(target as AnyFunction);
    return [
      runObject as AnyFunction,
      [hrefOf(module.url), name, { ...this }, this.#daemon, superTarget, ...args],
    ];
  }

  #end(cause: unknown): void {
    const facts = cause as Partial<EndFacts> | undefined;
    active.delete(this);
    if (cause === undefined) this.#exitcode = 0;
    else if (typeof facts?.signal === "string") {
      this.#exitcode = -processes.signalNumber(facts.signal);
    } else this.#exitcode = facts?.exitCode ?? NOT_STARTED;
    if (this.#pid !== null) return;
    this.#startError = { error: cause };
    this.#settleStarted?.reject(cause);
    console.error(`Cannot start ${this.#label}:`, cause);
  }

  /**
   * A promise that resolves when the system has started the process. It rejects with the error if
   * the process could not be started; the error is printed too, so the promise can be left alone.
   *
   * @throws {RuntimeError} Before {@linkcode start}.
   */
  get started(): Promise<void> {
    this.#checkStarted("wait for");
    if (this.#started === undefined) {
      this.#started = this.#whenStarted();
      this.#started.catch(() => {});
    }
    return this.#started;
  }

  async #whenStarted(): Promise<void> {
    doorbell.poll();
    if (this.#pid !== null) return;
    if (this.#startError !== undefined) throw this.#startError.error;
    doorbell.expect(); // Holds the program open, which a daemon itself does not.
    try {
      await new Promise<void>((resolve, reject) => this.#settleStarted = { resolve, reject });
    } finally {
      doorbell.arrived(1);
    }
  }

  /** True from `start` until the process has ended. */
  isAlive(): boolean {
    this.#checkOpen("ask");
    return this.#isCurrent || (this.#pool !== undefined && !this.#pool.isClosed);
  }

  /**
   * Waits until the process has ended or the time is up; {@linkcode exitcode} says which. May be
   * called any number of times. An error of the target is not thrown here: the process prints it on
   * standard error.
   *
   * @throws {RuntimeError} Before {@linkcode start}.
   */
  async join(options: WaitOptions = {}): Promise<void> {
    const pool = this.#checkStarted("join");
    const deadlineMs = deadlineOf(options);
    const { signal } = options;
    signal?.throwIfAborted();
    if (pool.isClosed) return;
    doorbell.expect();
    try {
      await new Promise<void>((resolve, reject) => {
        const stop = (): void => {
          stopTimer();
          stopWatching();
          stopListening();
        };
        const onAbort = (): void => (stop(), reject(signal!.reason));
        const onOver = (): void => (stop(), resolve());
        const stopTimer = callAt(deadlineMs, onOver);
        const stopWatching = pool.onClosed(onOver);
        const stopListening = whenAborted(signal, onAbort);
      });
    } finally {
      doorbell.arrived(1);
    }
  }

  /**
   * The blocking form of {@linkcode join}.
   *
   * @throws {RuntimeError} Before {@linkcode start}, or where the host forbids blocking.
   */
  joinSync(options: WaitSyncOptions = {}): void {
    this.#checkStarted("join").waitClosedSync(deadlineOf(options));
  }

  /**
   * Ends the process by SIGTERM, without running its `finally` blocks. Without effect once it has
   * ended. Locks that it holds then have a dead owner, which is reported to those who want them.
   *
   * @throws {RuntimeError} Before {@linkcode start}.
   */
  terminate(): void {
    this.#checkStarted("terminate").signalWorkers("SIGTERM");
  }

  /**
   * Ends the process by SIGKILL, otherwise as {@linkcode terminate}.
   *
   * @throws {RuntimeError} Before {@linkcode start}.
   */
  kill(): void {
    this.#checkStarted("kill").signalWorkers("SIGKILL");
  }

  /**
   * Releases what belongs to a process that has ended; afterwards only its name can be read. May be
   * called again.
   *
   * @throws {RuntimeError} While it runs.
   */
  close(): void {
    if (this.#isClosed) return;
    if (this.isAlive()) {
      throw new RuntimeError(`Cannot close ${this.#label}: it is still running; join it first`);
    }
    this.#isClosed = true;
    this.#pool = undefined;
  }

  get #label(): string {
    return `Process "${this.#name}"`;
  }

  #checkOpen(act: string): void {
    if (this.#isClosed) throw new RuntimeError(`Cannot ${act} ${this.#label}: it is closed`);
  }

  get #wasStarted(): boolean {
    return this.#isCurrent || this.#pool !== undefined;
  }

  #checkStarted(act: string): WorkerPool {
    this.#checkOpen(act);
    if (this.#pool !== undefined) return this.#pool;
    if (this.#isCurrent) {
      throw new RuntimeError(`Cannot ${act} ${this.#label}: it is the current process`);
    }
    throw new RuntimeError(`Cannot ${act} ${this.#label}: it has not been started`);
  }

  /** Refuses to be sent to another thread. */
  [HANDLE](): never {
    throw new NotShareableError(
      "Cannot send Process: it belongs to the thread that made it; send its pid",
    );
  }

  /** Shows as `Process` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "Process";
  }
}

/** `Process-N`; in a process that has such a default name itself, that name, a colon and N. */
function defaultName(): string {
  const number = ++processesMade;
  const { name } = currentProcess();
  return /^Process-[\d:]+$/.test(name) ? `${name}:${number}` : `Process-${number}`;
}

/** What a process can learn about itself. */
export interface CurrentProcess {
  /** `MainProcess`, or the name of the `Process`, or of the pool's worker. */
  readonly name: string;
  /** Its process id. */
  readonly pid: number;
}

/**
 * Returns the name and id of the process that this code runs in.
 *
 * @example
 * ```ts
 * import { currentProcess, ProcessPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(currentProcess(), { name: "MainProcess", pid: Deno.pid });
 * ```
 */
export function currentProcess(): CurrentProcess {
  return { name: ownOrigin().process ?? "MainProcess", pid: platform.pid };
}

/**
 * Returns the processes that this thread has started with {@linkcode Process} and that have not
 * ended.
 *
 * @example
 * ```ts
 * import { activeChildren, Process } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const process = new Process({ target: () => {} });
 * process.start();
 * assertEquals(activeChildren(), [process]);
 * process.joinSync();
 * assertEquals(activeChildren(), []);
 * ```
 */
export function activeChildren(): Process[] {
  doorbell.poll();
  return [...active];
}

/**
 * Returns how many processors there are.
 *
 * @example
 * ```ts
 * import { cpuCount } from "@concurrent/futures";
 * import { assert } from "@std/assert";
 *
 * assert(cpuCount() >= 1);
 * ```
 */
export function cpuCount(): number {
  return platform.cores;
}
