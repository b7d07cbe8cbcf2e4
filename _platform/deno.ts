/**
 * Deno: Web Workers, Web Locks, `node:worker_threads` for reading a port while blocked.
 *
 * @module
 */

import type {
  AsyncContext,
  LoopHold,
  Platform,
  ThreadEnd,
  WorkerOptions,
  WorkerThread,
} from "./mod.ts";

/** True in Deno. */
export function isDeno(): boolean {
  return typeof Deno === "object" && typeof Deno.refTimer === "function";
}

/** An interval that fires never to speak of: it exists to be referenced. */
const IDLE_INTERVAL_MS = 2 ** 31 - 1;

class TimerHold implements LoopHold {
  #timer: ReturnType<typeof setInterval> | undefined;

  hold(): void {
    if (this.#timer === undefined) this.#timer = setInterval(() => {}, IDLE_INTERVAL_MS);
    else Deno.refTimer(Number(this.#timer));
  }

  release(): void {
    if (this.#timer !== undefined) Deno.unrefTimer(Number(this.#timer));
  }

  dispose(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * The method by which `node:worker_threads` references and unreferences a Web Worker. It has no public name;
 * without it an idle pool holds the program open until it is shut down.
 */
const setReferenced = findSetReferenced(Worker.prototype);

function findSetReferenced(prototype: object): symbol | undefined {
  for (let at = prototype; at !== EventTarget.prototype; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertySymbols(at).find((symbol) => !symbol.description);
    if (found !== undefined) return found;
  }
  return undefined;
}

class DenoWorker implements WorkerThread {
  readonly #worker: Worker;

  constructor({ module, name, onError }: WorkerOptions) {
    // A data: entry, because `import.meta.main` is true in the entry only, and because it also works from
    // `jsr:` packages, compiled programs and bundles.
    const entry = `import { main } from ${JSON.stringify(module)}; main();`;
    this.#worker = new Worker(`data:text/javascript,${encodeURIComponent(entry)}`, {
      type: "module",
      name,
    });
    // In the constructor's own turn: an error that finds no handler ends the whole program.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      onError(event.message);
    };
    if (setReferenced !== undefined) {
      (this.#worker as unknown as Record<symbol, (referenced: boolean) => void>)[setReferenced](
        false,
      );
    }
  }

  post(message: unknown, transfer: Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

interface NodeModules {
  "node:worker_threads": {
    receiveMessageOnPort(port: MessagePort): { message: unknown } | undefined;
  };
  "node:async_hooks": {
    AsyncLocalStorage: new <T>() => { run<R>(value: T, fn: () => R): R; getStore(): T | undefined };
  };
}

/** Web Locks, which Deno's own types do not know yet. */
interface LockManager {
  request<T>(name: string, options: { signal?: AbortSignal }, held: () => T): Promise<Awaited<T>>;
}

interface DenoGlobals {
  navigator: { locks: LockManager };
  process: {
    getBuiltinModule<K extends keyof NodeModules>(name: K): NodeModules[K];
    exit(code?: number): never;
    exitCode?: number;
  };
  setImmediate(callback: () => void): unknown;
  close(): void;
  onmessage: ((event: MessageEvent) => void) | null;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

const globals = globalThis as unknown as DenoGlobals;

/** A built-in module of Node, loaded when first asked for: most programs never need one. */
function builtin<K extends keyof NodeModules>(name: K): NodeModules[K] {
  return globals.process.getBuiltinModule(name);
}

function waitForName(name: string, signal: AbortSignal): Promise<boolean> {
  return globals.navigator.locks.request(name, { signal }, () => true).catch(() => false);
}

/** Reports every way in which a worker can end itself, before it does. */
function onThreadEnd(callback: (end: ThreadEnd) => void): void {
  let ended = false;
  const end = (how: string, error?: unknown): void => {
    if (ended) return;
    ended = true;
    callback({ how, error });
  };
  const exit: (code?: number) => never = Deno.exit;
  Deno.exit = (code?: number): never => {
    end(`called Deno.exit(${code ?? Deno.exitCode})`);
    return exit(code);
  };
  const { process } = globals;
  const processExit = process.exit.bind(process);
  process.exit = (code?: number): never => {
    end(`called process.exit(${code ?? process.exitCode ?? 0})`);
    return processExit(code);
  };
  const close = globals.close.bind(globalThis);
  globals.close = (): void => {
    end("called close()");
    close();
  };
  globals.addEventListener("error", (event) => {
    event.preventDefault();
    end("threw an error that nobody caught", (event as ErrorEvent).error);
    close();
  });
  globals.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    end("had a promise rejected that nobody handled", (event as PromiseRejectionEvent).reason);
    close();
  });
  endThread = close;
}

/** `close` as the runtime has it; {@linkcode onThreadEnd} puts a reporting one in its place. */
let endThread = (): void => globals.close();

/** The messages sent to this worker. */
class OwnMessages {
  readonly #arrived: unknown[] = [];
  #waiter: ((message: unknown) => void) | undefined;

  next(): Promise<unknown> {
    // The handler stays: it keeps the worker's event loop open.
    globals.onmessage ??= (event): void => {
      const waiter = this.#waiter;
      this.#waiter = undefined;
      if (waiter === undefined) this.#arrived.push(event.data);
      else waiter(event.data);
    };
    return new Promise((resolve) => {
      if (this.#arrived.length > 0) resolve(this.#arrived.shift());
      else this.#waiter = resolve;
    });
  }
}

const ownMessages = new OwnMessages();

/** Makes the Deno implementation. */
export function createDenoPlatform(): Platform {
  return {
    cores: navigator.hardwareConcurrency,
    canBlock: true,
    loopHold: new TimerHold(),
    startWorker: (options) => new DenoWorker(options),
    nextTurn: (callback) => {
      globals.setImmediate(callback);
    },
    receive: (port) => builtin("node:worker_threads").receiveMessageOnPort(port),
    nextMessage: (port) =>
      new Promise((resolve) => {
        port.onmessage = (event): void => {
          port.onmessage = null;
          resolve(event.data);
        };
      }),
    background: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      Deno.unrefTimer(Number(timer));
      return () => clearTimeout(timer);
    },
    createAsyncContext<T>(): AsyncContext<T> {
      const storage = new (builtin("node:async_hooks").AsyncLocalStorage)<T>();
      return { run: (value, fn) => storage.run(value, fn), get: () => storage.getStore() };
    },
    waitForName,
    nextOwnMessage: () => ownMessages.next(),
    holdName: (name, onHeld) => {
      globals.navigator.locks.request(name, {}, () => {
        onHeld();
        return new Promise(() => {});
      });
    },
    onThreadEnd,
    endThread: () => endThread(),
  };
}
