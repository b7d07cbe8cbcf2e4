/**
 * Deno: Web Workers, Web Locks, `node:worker_threads` for reading a port while blocked.
 *
 * @module
 */

import { builtin, type NodeModules } from "./_node_modules.ts";
import {
  endThread,
  holdName,
  isNameFree,
  isWorker,
  nextMessage,
  onOwnMessage,
  onThreadEnd as onWebThreadEnd,
  threadName,
  whenNameIsFree,
} from "./_web.ts";
import { codeOfScript } from "./entry.ts";
import type {
  AsyncContext,
  ErrorClass,
  LoopHold,
  Platform,
  StandardError,
  ThreadEnd,
  WorkerOptions,
  WorkerThread,
} from "./mod.ts";
import { soon, timers } from "./timers.ts";

/** True in Deno. */
export function isDeno(): boolean {
  return typeof Deno === "object" && typeof Deno.refTimer === "function";
}

/** An interval that practically never fires: it exists to be referenced. */
const IDLE_INTERVAL_MS = 2 ** 31 - 1;

/**
 * Holds the event loop open by referencing one of the workers, which costs less than a timer and
 * needs nothing to be loaded; or by a timer while there is no worker.
 */
class WorkerHold implements LoopHold {
  readonly #workers = new Set<DenoWorker>();
  #isHeld = false;
  #anchor: DenoWorker | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Whether a listener for this thread's messages holds the loop open anyway. */
  isListening = false;

  hold(): void {
    if (this.isListening) return;
    this.#isHeld = true;
    [this.#anchor] = this.#workers;
    if (this.#anchor !== undefined) this.#anchor.setReferenced(true);
    else soon(() => this.#holdByTimer());
  }

  /** Call if no worker was started in the turn in which the hold began. */
  #holdByTimer(): void {
    if (!this.#isHeld || this.#anchor !== undefined || this.#timer !== undefined) return;
    const { setInterval } = timers;
    this.#timer = setInterval(() => {}, IDLE_INTERVAL_MS);
  }

  release(): void {
    this.#isHeld = false;
    this.#anchor?.setReferenced(false);
    this.#anchor = undefined;
    if (this.#timer === undefined) return;
    const { clearInterval } = timers;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  add(worker: DenoWorker): void {
    this.#workers.add(worker);
    if (!this.#isHeld || this.#anchor !== undefined) return;
    this.release();
    this.hold();
  }

  remove(worker: DenoWorker): void {
    this.#workers.delete(worker);
    if (!this.#isHeld || this.#anchor !== worker) return;
    this.release();
    this.hold();
  }
}

const loopHold = new WorkerHold();

/**
 * The name of the method by which `node:worker_threads` references and unreferences a Web Worker.
 * It is not public; without it, an idle pool holds the program open until it is shut down.
 */
const SET_REFERENCED = isDeno() ? findSetReferenced() : undefined;

function findSetReferenced(): symbol | undefined {
  let at: object = Worker.prototype;
  for (; at !== EventTarget.prototype; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertySymbols(at).find((symbol) => !symbol.description);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Throws if a worker may not read its module. The worker itself reports that by an event, which a
 * blocked thread never sees.
 */
function checkReadable(module: string): void {
  if (!module.startsWith("file:")) return;
  const { state } = Deno.permissions.querySync({ name: "read", path: new URL(module) });
  if (state === "granted") return;
  throw new Error(
    `Cannot start worker: reading "${module}" is not permitted; run the program with --allow-read`,
  );
}

class DenoWorker implements WorkerThread {
  readonly #worker: Worker;

  constructor({ entry, module, name, onError }: WorkerOptions) {
    checkReadable(module);
    // A data: entry, because `import.meta.main` is true only in the entry, and because it also
    // works from `jsr:` packages, compiled programs and bundles. It uses a dynamic import, as a
    // script does: under `deno test` and `--check`, the types of what an entry imports statically
    // are checked again in each worker, for seconds.
    const code = codeOfScript(entry, module);
    this.#worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, {
      type: "module",
      name,
    });
    // Set before the constructor returns: an error that finds no handler ends the whole program.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      onError(event.message);
    };
    this.setReferenced(false);
    loopHold.add(this);
  }

  /** Sets whether the worker holds the event loop open. */
  setReferenced(isReferenced: boolean): void {
    if (SET_REFERENCED === undefined) return;
    const worker = this.#worker as unknown as Record<symbol, (isReferenced: boolean) => void>;
    worker[SET_REFERENCED](isReferenced);
  }

  post(message: unknown, transfer: Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  /**
   * The runtime does not stop a thread that computes or blocks: it runs on, and is ignored; see
   * {@linkcode WorkerThread}. So it leaves no latch taken, unlike a thread that is stopped; see
   * `NodeWorker.terminate` in `node.ts`.
   */
  terminate(): void {
    loopHold.remove(this);
    this.#worker.terminate();
  }

  whenGone(name: string, signal: AbortSignal): Promise<boolean> {
    return whenNameIsFree(name, signal);
  }

  isGone(name: string): Promise<boolean> {
    return isNameFree(name);
  }
}

/** Reports, before it happens, every way in which a worker can end itself. */
function onThreadEnd(containsErrors: boolean, callback: (end: ThreadEnd) => void): void {
  onWebThreadEnd(containsErrors, callback, (report) => {
    // `process.exit` calls this as well.
    const exit: (code?: number) => never = Deno.exit;
    Deno.exit = (code?: number): never => {
      const exitCode = code ?? Deno.exitCode;
      report(`called Deno.exit(${exitCode}) or process.exit(${exitCode})`);
      return exit(code);
    };
  });
}

const standardError: StandardError = {
  get isTerminal() {
    return Deno.stderr.isTerminal();
  },
  size: () => {
    try {
      return Deno.consoleSize();
    } catch {
      return { columns: 0, rows: 0 };
    }
  },
  write: (text) => {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch {
      // The reader has gone, which is no reason to end the program.
    }
  },
};

/** An environment variable; also `undefined` if it may not be read. */
export function environment(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

type Receive = NodeModules["node:worker_threads"]["receiveMessageOnPort"];

let receiver: Receive | undefined;

function loadReceiver(): Receive {
  return receiver = builtin("node:worker_threads").receiveMessageOnPort;
}

/** Makes the Deno implementation. */
export function createDenoPlatform(): Platform {
  return {
    cores: navigator.hardwareConcurrency,
    isMainThread: !isWorker,
    threadName,
    canBlock: true,
    servesBlocked: true,
    stopsThreads: false,
    keepsContext: true,
    loopHold,
    startWorker: (options) => new DenoWorker(options),
    nextTurn: (callback) => {
      const { setImmediate } = timers;
      setImmediate(callback);
    },
    prepareToReceive: () => {
      if (receiver !== undefined) return false;
      loadReceiver();
      return true;
    },
    receive: (port) => (receiver ?? loadReceiver())(port),
    nextMessage,
    background: (ms, callback) => {
      const { setTimeout, clearTimeout } = timers;
      const timer = setTimeout(callback, ms);
      Deno.unrefTimer(timer);
      return () => clearTimeout(timer);
    },
    createAsyncContext<T>(): AsyncContext<T> {
      const storage = new (builtin("node:async_hooks").AsyncLocalStorage)<T>();
      return { run: (value, fn) => storage.run(value, fn), get: () => storage.getStore() };
    },
    onOwnMessage: (callback) => {
      loopHold.isListening = true;
      onOwnMessage(callback);
    },
    holdName,
    containThreadEnd: (callback) => onThreadEnd(true, callback),
    beforeThreadEnd: (callback) => {
      if (isWorker) onThreadEnd(false, () => callback());
    },
    endThread: () => endThread(),
    // A worker that the package has not started knows only its own module.
    get mainModule() {
      return Deno.mainModule ?? globalThis.location?.href;
    },
    get pid() {
      return Deno.pid;
    },
    standardError,
    errorClasses: Object.fromEntries(
      Object.entries<ErrorClass>(Deno.errors).map(([name, it]) => [`Deno.errors.${name}`, it]),
    ),
    hasClass: (constructor) => Reflect.get(Deno, constructor.name) === constructor,
    environment,
  };
}
