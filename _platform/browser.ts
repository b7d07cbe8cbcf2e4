/**
 * Browsers: Web Workers, Web Locks, shared memory where the page is isolated. The main thread must
 * not block.
 *
 * Where a worker finds its code
 *
 * Each worker begins with a `blob:` module of a few lines, because only such a module may import
 * from anywhere: a file on another host, such as a CDN, cannot be a worker's address. The lines
 * import
 *
 * 1. the package's own module, where its modules are files of their own;
 * 2. in a bundle, the file that the package is in. The worker then has the same copy of the
 *    package, and the same addresses of modules, as the page, so tasks are found whatever the
 *    bundler has called them. This is the case with development servers that bundle dependencies
 *    ahead, and with builds in which the package has a file separate from the page's own code;
 * 3. if that file is a script of the document, it holds the page's program, which a worker usually
 *    cannot run; or its address is not known, as some bundlers replace it by that of the file that
 *    they read (`file:`). Then they import a bundle that was made for the worker
 *    (`WorkerOptions.bundle`), if the bundler makes one. Vite does, as it recognises
 *    `new Worker(new URL("...", import.meta.url))`. It is another copy of the package: functions
 *    sent as source text work, but modules of tasks need a file separate from the page's program,
 *    which makes it case 2. What the program can run in a worker it runs there when a task of it
 *    is wanted, so it may not start workers from there, as in case 4;
 * 4. if there is no such bundle, as with esbuild, that script of the document after all. The
 *    program runs again in each worker, up to where it fails for want of a document, which does not
 *    count as an error there. So that it cannot start workers without end, it may not start any.
 *    The same holds for a file that is no script of the document and exports nothing: it is the
 *    program, too, which the page has imported in a script of its own.
 *
 * Two things differ from other runtimes. A worker starts only when the event loop of its starter
 * turns, and a message arrives only when that of its receiver does. And `terminate` stops a thread
 * in the midst of its code, in Chromium after two seconds.
 *
 * @module
 */

import { wait } from "./atomics.ts";
import {
  endThread,
  holdName,
  isNameFree,
  isWorker,
  nextMessage,
  onOwnMessage,
  onThreadEnd,
  threadName,
  whenNameIsFree,
} from "./_web.ts";
import { beginning, codeOfScript, isBundled, isOfProgram, mayBeProgram } from "./entry.ts";
import type { AsyncContext, ErrorClass, Platform, WorkerOptions, WorkerThread } from "./mod.ts";
import { timers } from "./timers.ts";

/**
 * True in browsers, in whatever kind of thread. Other runtimes may have all of this too: ask for
 * them first.
 */
export function isBrowser(): boolean {
  return typeof navigator === "object" && typeof self === "object" &&
    typeof MessageChannel === "function";
}

/** The class of Firefox's errors that the language does not know, such as too deep a recursion. */
const { InternalError } = globalThis as { readonly InternalError?: ErrorClass };

/** The part of a document that names its files. Workers have no document. */
interface Document {
  readonly baseURI: string;
  querySelectorAll(selector: string): Iterable<{ readonly src: string }>;
}

/** Whether a file is a script of the document's own. */
function isProgram(address: string): boolean {
  const { document } = globalThis as { document?: Document };
  if (document === undefined) return false;
  return [...document.querySelectorAll("script[src]")].some(({ src }) => src === address);
}

/**
 * The file that a worker's code comes from, and the lines that import it. They do so dynamically, as
 * a Content-Security-Policy counts a worker's static imports as workers (`worker-src`).
 */
function sourceOf({ entry, module, bundle }: WorkerOptions): { address: string; code: string } {
  if (!isBundled) return { address: module, code: codeOfScript(entry, module) };
  if (beginning !== undefined) {
    const { address, isProgram, program } = beginning;
    return { address, code: codeOfScript(entry, address, isProgram, program) };
  }
  const isForeign = module.startsWith("file:") && location.protocol !== "file:";
  // A script that has no address of its own may have imported the program: the worker finds out.
  if (!isForeign && !isProgram(module)) {
    return { address: module, code: codeOfScript(entry, module, null) };
  }
  if (bundle !== undefined) {
    const { document } = globalThis as { readonly document?: Document };
    const address = new URL(bundle, document?.baseURI ?? location.href).href;
    return { address, code: codeOfScript(entry, address, false, module) };
  }
  if (!isForeign) return { address: module, code: codeOfScript(entry, module, true) };
  throw new Error(
    `Cannot start worker: the bundler has replaced the package's address by "${module}", which no page can load; have it leave import.meta.url as it is`,
  );
}

/**
 * Keeps the errors with which the program fails when a worker runs it again from ending the worker.
 */
function forgiveProgram(): void {
  if (!mayBeProgram()) return;
  const forgive = (event: Event, error: unknown): void => {
    if (!isOfProgram(error)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // Ahead of all other listeners: at the target, capturing ones run first.
  addEventListener("error", (event) => forgive(event, event.error), { capture: true });
  addEventListener("unhandledrejection", (event) => forgive(event, event.reason), {
    capture: true,
  });
}

/** Addresses of the modules that workers begin with, by their code. */
const blobs = new Map<string, string>();

function blobOf(code: string): string {
  let url = blobs.get(code);
  if (url === undefined) {
    url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    blobs.set(code, url);
  }
  return url;
}

/**
 * What a Content-Security-Policy must allow. Firefox counts as a worker's own what its code imports
 * dynamically imports in its turn.
 */
const POLICY = "worker-src blob:, in Firefox also 'self', or the package's host";

class BrowserWorker implements WorkerThread {
  readonly #worker: Worker;

  constructor(options: WorkerOptions) {
    const { address, code } = sourceOf(options);
    if (typeof Worker !== "function") {
      throw new Error(
        "Cannot start worker: there are none in this kind of thread, such as a service worker; start them in the page",
      );
    }
    try {
      this.#worker = new Worker(blobOf(code), { type: "module", name: options.name });
    } catch (error) {
      // So Safari says that a policy forbids it; others do so by an event. All throw for want of a
      // policy for Trusted Types.
      throw new Error(
        `Cannot start worker: ${error}; a Content-Security-Policy may forbid it: it needs ${POLICY}, and a default policy where it requires Trusted Types`,
        { cause: error },
      );
    }
    this.#worker.onerror = (event): void => {
      event.preventDefault();
      const { message } = event;
      // The event of a file that cannot be loaded has no message.
      if (!message) {
        options.onError(
          `its file "${address}" could not be loaded, or a Content-Security-Policy forbids the worker: it needs ${POLICY}`,
        );
      } else if (message.includes("error loading dynamically imported module")) {
        options.onError(`${message}; a Content-Security-Policy may forbid it: it needs ${POLICY}`);
      } else options.onError(message);
    };
  }

  post(message: unknown, transfer: Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  terminate(): void {
    this.#worker.terminate();
  }

  whenGone(name: string, signal: AbortSignal): Promise<boolean> {
    return whenNameIsFree(name, signal);
  }

  isGone(name: string): Promise<boolean> {
    return isNameFree(name);
  }
}

/**
 * Whether this thread may block. Where there is shared memory, and the host lets this thread wait,
 * a wait for a word that differs ends at once.
 */
function mayBlock(): boolean {
  try {
    return wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0) === "not-equal";
  } catch {
    return false;
  }
}

/**
 * Calls back in turns of the event loop to come. With a timer, each turn would take four
 * milliseconds.
 */
class Turns {
  readonly #channel = new MessageChannel();
  readonly #callbacks: (() => void)[] = [];

  constructor() {
    this.#channel.port1.onmessage = (): void => this.#callbacks.shift()!();
  }

  add(callback: () => void): void {
    this.#callbacks.push(callback);
    this.#channel.port2.postMessage(undefined);
  }
}

/**
 * The messages that a port has handed out since it was first asked for one: a browser hands them
 * out only in the event loop.
 */
class Arrivals {
  readonly #messages: unknown[] = [];
  #onLate: (() => void) | undefined;

  constructor(port: MessagePort) {
    port.onmessage = ({ data }): void => {
      this.#messages.push(data);
      const onLate = this.#onLate;
      this.#onLate = undefined;
      onLate?.();
    };
  }

  take(onLate: () => void): { message: unknown } | undefined {
    if (this.#messages.length > 0) return { message: this.#messages.shift() };
    this.#onLate = onLate;
    return undefined;
  }
}

/** A value that code sees until its first `await`: the language does not carry it further. */
class SyncContext<T> implements AsyncContext<T> {
  #value: T | undefined;

  run<R>(value: T, fn: () => R): R {
    const outer = this.#value;
    this.#value = value;
    try {
      return fn();
    } finally {
      this.#value = outer;
    }
  }

  get(): T | undefined {
    return this.#value;
  }
}

/** Makes the implementation for browsers. */
export function createBrowserPlatform(): Platform {
  forgiveProgram();
  const turns = new Turns();
  const arrivals = new WeakMap<MessagePort, Arrivals>();
  return {
    cores: navigator.hardwareConcurrency ?? 1,
    isMainThread: !isWorker,
    threadName,
    canBlock: mayBlock(),
    servesBlocked: false,
    stopsThreads: true,
    keepsContext: false,
    // A page lives until it is left, and a worker as long as it listens.
    loopHold: { hold() {}, release() {} },
    startWorker: (options) => new BrowserWorker(options),
    nextTurn: (callback) => turns.add(callback),
    receive: (port, onLate) => {
      let arrived = arrivals.get(port);
      if (arrived === undefined) arrivals.set(port, arrived = new Arrivals(port));
      return arrived.take(onLate);
    },
    nextMessage,
    background: (ms, callback) => {
      const { setTimeout, clearTimeout } = timers;
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    createAsyncContext: <T>() => new SyncContext<T>(),
    onOwnMessage,
    holdName,
    containThreadEnd: (callback) => onThreadEnd(true, callback),
    beforeThreadEnd: (callback) => {
      if (isWorker) onThreadEnd(false, () => callback());
    },
    endThread: () => endThread(),
    mainModule: undefined,
    pid: 0,
    errorClasses: InternalError === undefined ? {} : { "Firefox.InternalError": InternalError },
    standardError: {
      isTerminal: false,
      size: () => ({ columns: 0, rows: 0 }),
      write() {},
    },
    environment: () => undefined,
  };
}
