/**
 * Node, and runtimes that offer its modules as Node does: `node:worker_threads`.
 *
 * The runtime reports the end of a worker only in the event loop of its starter. A starter that
 * blocks is told by the worker itself, just before the end: see {@linkcode onThreadEnd}. For a
 * worker that ends without a word, as when it runs out of memory, a blocked starter looks now and
 * then.
 *
 * @module
 */

import { wait } from "./atomics.ts";
import {
  builtin,
  hasBuiltins,
  type NodeErrorEvent,
  type NodeStream,
  type NodeWorkerThread,
} from "./_node_modules.ts";
import { codeOfScript } from "./entry.ts";
import type {
  AsyncContext,
  LoopHold,
  Platform,
  StandardError,
  ThreadEnd,
  WorkerOptions,
  WorkerThread,
} from "./mod.ts";
import { timers } from "./timers.ts";

/** True in Node. Ask for Deno first, which offers the same modules. */
export function isNode(): boolean {
  return hasBuiltins();
}

/** An interval that practically never fires: it exists to be referenced. */
const IDLE_INTERVAL_MS = 2 ** 31 - 1;

/** A timer, as Node has it. */
interface NodeTimer {
  ref(): void;
  unref(): void;
}

/** Holds the event loop open by a timer. */
class TimerHold implements LoopHold {
  #timer: NodeTimer | undefined;

  hold(): void {
    const { setInterval } = timers;
    this.#timer ??= setInterval(() => {}, IDLE_INTERVAL_MS) as unknown as NodeTimer;
    this.#timer.ref();
  }

  release(): void {
    this.#timer?.unref();
  }
}

/** The message that asks a worker to end. */
const END = "@concurrent/futures.end";

/**
 * The property of a process's global object that names the folder to change to, until it has
 * changed.
 */
const FOLDER = "@concurrent/futures.folder";

const globals = globalThis as { [FOLDER]?: string };

/** Source text that makes a process change to a folder once it has started its first worker. */
export function codeOfFolder(folder: string): string {
  return `globalThis[${JSON.stringify(FOLDER)}] = ${JSON.stringify(folder)};`;
}

/**
 * The environment variable that marks a process as a child, and holds the id of the process that
 * started it. The code that a child begins with removes it; so a process that still finds it was
 * started with its own program in place of that code. It is read whenever that is asked: a module
 * that is loaded ahead of the child's code may have loaded this one.
 */
export const CHILD_OF = "CONCURRENT_FUTURES_CHILD_OF";

/** The first words of a child's code, by which it is found among the process's options. */
const FORGET_PARENT = `delete process.env.${CHILD_OF};`;

/** Source text that removes from the process's options the code that a child was started with. */
const FORGET_OPTIONS =
  `{const a=process.execArgv,i=a.findIndex((c)=>c.startsWith("${FORGET_PARENT}"));if(i>0)a.splice(i-1,2)}`;

/**
 * Source text that removes from a child's environment and options what it was started with: a task
 * that starts a process of its own may pass those on. Elsewhere it has no effect. A worker removes
 * the options only: it shares the environment, and in a process that was started with its own
 * program it would remove the mark of that.
 */
export const FORGET_CODE: string = FORGET_PARENT + FORGET_OPTIONS;

/**
 * Source text with which a worker reports that it has loaded everything that the program's options
 * name.
 */
const SAY_LOADED = `process.getBuiltinModule("node:worker_threads").parentPort.postMessage(0);`;

/** The runtime's internal handle of a worker's thread. */
interface WorkerThreadHandle {
  /**
   * How long the worker's event loop was idle; -1 while the thread has none, at its beginning and
   * after its end.
   */
  loopIdleTime?(): number;
}

/**
 * Whether a worker has an event loop; `undefined` where the runtime does not tell. What it tells by
 * public names is up to date only once the starter's event loop has turned.
 */
function hasLoop(worker: NodeWorkerThread): boolean | undefined {
  const key = Object.getOwnPropertySymbols(worker).find((it) => it.description === "kHandle");
  if (key === undefined) return undefined;
  const handle = (worker as unknown as Record<symbol, WorkerThreadHandle | null>)[key];
  const idleMs = handle?.loopIdleTime?.();
  return idleMs === undefined ? undefined : idleMs >= 0;
}

/** Workers that are not known to have ended, and whose end nobody has asked for. */
const live = new Set<NodeWorker>();

/** A message on its way to a worker. */
type Posted = readonly [message: unknown, transfer: Transferable[]];

class NodeWorker implements WorkerThread {
  readonly #worker: NodeWorkerThread;
  readonly #onError: (message: string) => void;
  #isGone = false;
  #onGone: (() => void) | undefined;
  /** What was seen of the worker before the event loop reports it. */
  #seen: "nothing" | "life" | "death" = "nothing";
  /** Messages to post once this process has changed to its folder. */
  #held: Posted[] | undefined;

  constructor({ entry, module, name, onError }: WorkerOptions) {
    const { Worker, SHARE_ENV } = builtin("node:worker_threads");
    // Not by the option `eval`: such a worker does not load the modules that the program was
    // started with by --import.
    const folder = globals[FOLDER];
    const code = FORGET_OPTIONS + (folder === undefined ? "" : SAY_LOADED) +
      codeOfScript(entry, module);
    // The ending `.mjs` is for the hooks of loaders, which take an address without an ending for
    // CommonJS.
    const address = `data:text/javascript,${encodeURIComponent(`${code}//.mjs`)}`;
    this.#worker = new Worker(new URL(address), { name, env: SHARE_ENV });
    if (folder !== undefined) this.#changeTo(folder);
    this.#onError = onError;
    this.#worker.on("error", (error) => {
      const text = error instanceof Error ? error.message : String(error);
      // The name of the failed call is all that the runtime says, or all that its versions agree
      // on.
      const isLost = text.includes("uv_cwd");
      this.#fail(isLost ? `${text}: the folder that this program works in was removed` : text);
    });
    this.#worker.on("exit", () => {
      live.delete(this);
      this.#isGone = true;
      this.#onGone?.();
    });
    this.#worker.unref();
    live.add(this);
  }

  #fail(text: string): void {
    if (live.delete(this)) this.#onError(text);
  }

  /** See {@linkcode WatchedWorkers}. */
  examine(): void {
    const isAlive = hasLoop(this.#worker);
    if (isAlive === true) this.#seen = "life";
    if (isAlive !== false || this.#seen === "nothing") return;
    if (this.#seen === "death") this.#fail("it ended without a word, perhaps out of memory");
    this.#seen = "death";
  }

  /**
   * Changes this process's folder before the worker runs anything, but not before the worker has
   * loaded everything that the program's options name: the options are read again in each worker,
   * and name files and packages relative to where the program was started.
   */
  #changeTo(folder: string): void {
    globals[FOLDER] = undefined;
    const held: Posted[] = this.#held = [];
    this.#worker.once("message", () => {
      builtin("node:process").chdir(folder);
      this.#held = undefined;
      for (const [message, transfer] of held) this.post(message, transfer);
    });
  }

  post(message: unknown, transfer: Transferable[]): void {
    if (this.#held === undefined) this.#worker.postMessage(message, transfer);
    else this.#held.push([message, transfer]);
  }

  /**
   * Asks the worker to end itself. If the runtime stopped it, it could leave a latch taken, for
   * which others would wait for ever.
   */
  terminate(): void {
    live.delete(this); // Its end is no failure, and a thread that blocks would see it before its event loop tells.
    this.post(END, []);
  }

  /** The runtime itself reports the end, so the name is not needed. */
  whenGone(_name: string, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve(true);
      this.#onGone = () => resolve(true);
      signal.addEventListener("abort", () => resolve(false), { once: true });
    });
  }

  isGone(): Promise<boolean> {
    return Promise.resolve(this.#isGone);
  }
}

/** How long to sleep when a pipe is full, in milliseconds. */
const FULL_PIPE_MS = 1;

function writeAll(file: number, bytes: Uint8Array): void {
  const { writeSync } = builtin("node:fs");
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(file, bytes.subarray(written));
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "EAGAIN") return; // The reader has gone.
      wait(never, 0, 0, FULL_PIPE_MS);
    }
  }
}

/**
 * Makes this worker write at once what it prints. Otherwise the output goes through the main
 * thread: it is lost if the program ends first, and is held back while that thread blocks.
 */
function printAtOnce(): void {
  const process = builtin("node:process");
  // A console on Windows does not read bytes as text in their encoding.
  if (process.platform === "win32") return;
  const streams: [NodeStream, number][] = [[process.stdout, 1], [process.stderr, 2]];
  for (const [stream, file] of streams) {
    stream._writev = null;
    stream._write = (chunk, encoding, done): void => {
      const isText = typeof chunk === "string";
      writeAll(file, isText ? builtin("node:buffer").Buffer.from(chunk, encoding) : chunk);
      done();
    };
  }
}

/**
 * Whether the program is to go on when a promise is rejected that nobody handles: the option for
 * that takes effect only where no listener is. The last one counts, first those of the environment.
 */
function goesOnRejected(): boolean {
  const { env, execArgv } = builtin("node:process");
  const options = [...(env.NODE_OPTIONS ?? "").replaceAll('"', "").split(/\s+/), ...execArgv];
  let mode = "throw";
  options.forEach((option, at) => {
    const [name, value = options[at + 1]] = option.split("=");
    if (name.replaceAll("_", "-") === "--unhandled-rejections") mode = value;
  });
  return ["none", "warn", "warn-with-error-code"].includes(mode);
}

/**
 * Ends this thread; {@linkcode onThreadEnd} replaces it by a function that ends it without a
 * report.
 */
let endThread = (): void => builtin("node:process").exit(0);

/** Reports, before it happens, every way in which a worker can end itself. */
function onThreadEnd(callback: (end: ThreadEnd) => void): void {
  const process = builtin("node:process");
  let ended = false;
  const report = (how: string, failure?: { readonly error: unknown }): void => {
    if (ended) return;
    ended = true;
    callback({ how, error: failure?.error, isFailure: failure !== undefined });
  };
  const exit = process.exit.bind(process);
  process.exit = (code): never => {
    report(`called process.exit(${code ?? process.exitCode ?? 0})`);
    return exit(code);
  };
  const failOn = (event: NodeErrorEvent, how: string): void => {
    // Those that are there already come from what the program was started with (--import, -r). They
    // watch every thread, and know nothing of tasks. One that comes later is a task's own.
    const known = new Set(process.listeners(event));
    const onError = (error: unknown): void => {
      if (process.listeners(event).some((it) => !known.has(it))) return; // A task handles it.
      report(how, { error });
      exit(1);
    };
    known.add(onError);
    process.on(event, onError);
  };
  failOn("uncaughtException", "threw an error that nobody caught");
  if (!goesOnRejected()) failOn("unhandledRejection", "had a promise rejected that nobody handled");
  process.on("exit", (code) => report(`ended by itself, with code ${code}`));
  endThread = (): void => {
    ended = true;
    exit(0);
  };
}

const standardError: StandardError = {
  get isTerminal() {
    return builtin("node:process").stderr.isTTY === true;
  },
  size: () => {
    const { columns = 0, rows = 0 } = builtin("node:process").stderr;
    return { columns, rows };
  },
  write: (text) => {
    const { platform, stderr } = builtin("node:process");
    // A console on Windows does not read bytes as text in their encoding.
    if (platform === "win32" && stderr.isTTY === true) stderr.write(text);
    else writeAll(2, new TextEncoder().encode(text));
  },
};

/** Makes the Node implementation. */
export function createNodePlatform(): Platform {
  const { isMainThread, threadName, parentPort } = builtin("node:worker_threads");
  return {
    cores: builtin("node:os").availableParallelism(),
    isMainThread,
    threadName: isMainThread ? "main" : threadName || "worker",
    canBlock: true,
    servesBlocked: true,
    stopsThreads: false,
    keepsContext: true,
    loopHold: new TimerHold(),
    startWorker: (options) => new NodeWorker(options),
    nextTurn: (callback) => {
      const { setImmediate } = timers;
      setImmediate(callback);
    },
    receive: (port) => builtin("node:worker_threads").receiveMessageOnPort(port),
    nextMessage: (port) =>
      new Promise((resolve) => {
        (port as unknown as NonNullable<typeof parentPort>).once("message", resolve);
      }),
    background: (ms, callback) => {
      const { setTimeout, clearTimeout } = timers;
      const timer = setTimeout(callback, ms);
      (timer as unknown as NodeTimer).unref();
      return () => clearTimeout(timer);
    },
    createAsyncContext<T>(): AsyncContext<T> {
      const storage = new (builtin("node:async_hooks").AsyncLocalStorage)<T>();
      return { run: (value, fn) => storage.run(value, fn), get: () => storage.getStore() };
    },
    onOwnMessage: (callback) => {
      printAtOnce();
      parentPort!.on("message", (message) => message === END ? endThread() : callback(message));
    },
    workers: {
      get size() {
        return live.size;
      },
      examine: () => live.forEach((worker) => worker.examine()),
    },
    // The runtime reports a worker's end, so no name is needed.
    holdName: (_name, onHeld) => onHeld(),
    containThreadEnd: onThreadEnd,
    beforeThreadEnd: (callback) => {
      if (!isMainThread) builtin("node:process").on("exit", () => callback());
    },
    endThread: () => endThread(),
    mainModule: undefined,
    get pid() {
      return builtin("node:process").pid;
    },
    standardError,
    errorClasses: {},
    environment: (name) => builtin("node:process").env[name],
  };
}
