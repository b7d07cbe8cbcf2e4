/**
 * What the package needs of a runtime, and which runtime provides it here. Nothing outside this folder names
 * `Deno`, `process` or `Worker`.
 *
 * @module
 */

import { createBrowserPlatform, isBrowser } from "./browser.ts";
import { createDenoPlatform, isDeno } from "./deno.ts";
import { createNodePlatform, isNode } from "./node.ts";

/** Keeps the event loop open while somebody waits for another thread. */
export interface LoopHold {
  /** Holds the loop open until {@linkcode release}. Not counted: the caller counts. */
  hold(): void;
  /** Lets the loop end. */
  release(): void;
}

/** How a worker is started. */
export interface WorkerOptions {
  /** What it begins with: the name of an entry, see `entry.ts`. */
  readonly entry: string;
  /** Address of the file that registers the entry. */
  readonly module: string;
  /** Address of a bundle made for such a worker, where the bundler makes one. Only browsers ask for it. */
  readonly bundle?: string;
  /** The worker's name, shown in error texts and debuggers. */
  readonly name: string;
  /** Called when the runtime itself reports an error that ended the worker. */
  readonly onError: (message: string) => void;
}

/** A started worker. It never holds the event loop open by itself. */
export interface WorkerThread {
  /** Sends a message, which {@linkcode Platform.onOwnMessage} takes in the worker. */
  post(message: unknown, transfer: Transferable[]): void;
  /** Ends the worker. A runtime may be unable to stop a thread that computes or blocks; it goes on unheeded. */
  terminate(): void;
  /**
   * Resolves once the worker has ended, whatever ended it; or once the signal aborts. Says which.
   *
   * @param name What the worker holds; see {@linkcode Platform.holdName}.
   */
  whenGone(name: string, signal: AbortSignal): Promise<boolean>;
  /** Whether that is so by now. */
  isGone(name: string): Promise<boolean>;
}

/** The workers of this thread, for a thread that blocks. */
export interface WatchedWorkers {
  /** How many are not known to have ended; those that were terminated do not count. */
  readonly size: number;
  /** Has the failure told of those that have: at the second look, as what they said before is heard between the two. */
  examine(): void;
}

/** A place where the value of the current async context is kept. */
export interface AsyncContext<T> {
  run<R>(value: T, fn: () => R): R;
  get(): T | undefined;
}

/** How a thread came to its end by itself. */
export interface ThreadEnd {
  /** What it did, as the end of a sentence: "called Deno.exit(3)". */
  readonly how: string;
  /** The uncaught error, when that was it. */
  readonly error: unknown;
  /** Whether an uncaught error was it. */
  readonly isFailure: boolean;
}

/** A constructor of errors, with whatever parameters. */
// deno-lint-ignore ban-types
export type ErrorClass = Function & { readonly prototype: Error };

/** The program's standard error, as far as a display of progress needs it. */
export interface StandardError {
  /** Whether it is a terminal. */
  readonly isTerminal: boolean;
  /** Columns and rows of the terminal; zeros where they are not known. */
  size(): { readonly columns: number; readonly rows: number };
  /** Writes all of it, at once; what cannot be written any more is dropped. */
  write(text: string): void;
}

/** One runtime. */
export interface Platform {
  /** Processors that threads may run on. */
  readonly cores: number;
  /** Whether this is the thread that the program begins in. */
  readonly isMainThread: boolean;
  /** What this thread is called: by its starter, where the runtime tells. */
  readonly threadName: string;
  /** Whether this thread may block. */
  readonly canBlock: boolean;
  /** Whether a worker starts, and messages arrive, while the thread that is to start it, or to get them, is blocked. */
  readonly servesBlocked: boolean;
  /** Whether {@linkcode createAsyncContext} follows code past its first `await`. */
  readonly keepsContext: boolean;
  /** Holds the event loop of this thread open. */
  readonly loopHold: LoopHold;
  /** Starts a worker. */
  startWorker(options: WorkerOptions): WorkerThread;
  /** Where a worker can end without a word, and its starter sees that in its event loop only. */
  readonly workers?: WatchedWorkers;
  /** Calls back in a later turn of the event loop, timers and input having had their chance. */
  nextTurn(callback: () => void): void;
  /**
   * The oldest message that was sent to a port, boxed; `undefined` when it has not arrived. That can happen in browsers only,
   * where it takes a turn of the event loop: then `onLate` is called once, when a message is there.
   */
  receive(port: MessagePort, onLate: () => void): { message: unknown } | undefined;
  /** A promise for the next message that comes on a port. */
  nextMessage(port: MessagePort): Promise<unknown>;
  /** Calls back once, a while later; does not hold the program open for it. The returned function cancels. */
  background(ms: number, callback: () => void): () => void;
  /** A value per async context. */
  createAsyncContext<T>(): AsyncContext<T>;

  /** In a worker: calls back with each message sent to it. Keeps the worker's event loop open. */
  onOwnMessage(callback: (message: unknown) => void): void;
  /**
   * In a worker: holds `name` for as long as this thread lives, as a sign of life; calls back once it does. See
   * {@linkcode WorkerThread.whenGone}.
   */
  holdName(name: string, onHeld: () => void): void;
  /**
   * In a worker: calls back at the moment that this thread is about to end by itself (exit, close, uncaught
   * error, unhandled rejection), before it does. Errors end this thread only; its starter does not see them.
   */
  containThreadEnd(callback: (end: ThreadEnd) => void): void;
  /**
   * In a worker that somebody else has started: calls back at that moment; without effect in the main thread. An error that
   * a listener of the worker's own has in hand counts if the listener was added before this call.
   */
  beforeThreadEnd(callback: () => void): void;
  /** In a worker: ends this thread quietly. */
  endThread(): void;

  /** The address of the module that the program began with, in its main thread; `undefined` where that says nothing. */
  readonly mainModule: string | undefined;
  /** The number of this process. */
  readonly pid: number;

  readonly standardError: StandardError;
  /** Classes of errors that the runtime has beside the language's, by their full names. */
  readonly errorClasses: Readonly<Record<string, ErrorClass>>;
  /** An environment variable; `undefined` too where it may not be read. Never asks for the permission. */
  environment(name: string): string | undefined;
}

function choose(): Platform {
  if (isDeno()) return createDenoPlatform();
  if (isNode()) return createNodePlatform();
  // Last: other runtimes may have what browsers have.
  if (isBrowser()) return createBrowserPlatform();
  throw new Error(
    "Cannot load @concurrent/futures: this runtime is not supported; run it with Deno 2.9, Node 20.16 or later, or in a browser",
  );
}

/** The runtime that this thread runs on. */
export const platform: Platform = choose();
