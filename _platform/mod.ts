/**
 * What the package needs of a runtime, and which runtime provides it here. Nothing outside this
 * folder names `Deno`, `process` or `Worker`.
 *
 * @module
 */

import "./dispose_symbols.ts";
import { createBrowserPlatform, isBrowser } from "./browser.ts";
import { createDenoPlatform, isDeno } from "./deno.ts";
import { createNodePlatform, isNode } from "./node.ts";

/** Holds the event loop open while something in this thread waits for another thread. */
export interface LoopHold {
  /** Holds the loop open until {@linkcode release}. Calls are not counted: the caller counts. */
  hold(): void;
  /** Lets the loop end. */
  release(): void;
}

/** How a worker is started. */
export interface WorkerOptions {
  /** The name of the entry that it begins with; see `entry.ts`. */
  readonly entry: string;
  /** Address of the file that registers the entry. */
  readonly module: string;
  /**
   * Address of a bundle made for this worker, where the bundler makes one. Only browsers use it.
   */
  readonly bundle?: string;
  /** The worker's name, shown in error texts and debuggers. */
  readonly name: string;
  /** Called when the runtime itself reports an error that ended the worker. */
  readonly onError: (message: string) => void;
}

/** A started worker. It never holds the event loop open by itself. */
export interface WorkerThread {
  /** Sends a message, which {@linkcode Platform.onOwnMessage} receives in the worker. */
  post(message: unknown, transfer: Transferable[]): void;
  /**
   * Ends the worker. A runtime may be unable to stop a thread that computes or blocks; such a
   * thread runs on, and is ignored.
   */
  terminate(): void;
  /**
   * Resolves to `true` once the worker has ended, for whatever reason, or to `false` once the
   * signal aborts.
   *
   * @param name The name that the worker holds; see {@linkcode Platform.holdName}.
   */
  whenGone(name: string, signal: AbortSignal): Promise<boolean>;
  /** Whether the worker has ended by now. */
  isGone(name: string): Promise<boolean>;
}

/** The workers of this thread, which the thread can look at while it blocks. */
export interface WatchedWorkers {
  /** How many are not known to have ended; those that were terminated do not count. */
  readonly size: number;
  /**
   * Calls `onError` for the workers that have ended: at the second look that finds it so, because
   * what they sent before their end is received between the two.
   */
  examine(): void;
}

/** A place where the value of the current async context is kept. */
export interface AsyncContext<T> {
  run<R>(value: T, fn: () => R): R;
  get(): T | undefined;
}

/** How a thread came to its end by itself. */
export interface ThreadEnd {
  /** How it ended, as the end of a sentence: "called Deno.exit(3)". */
  readonly how: string;
  /** The uncaught error, if that ended it. */
  readonly error: unknown;
  /** Whether an uncaught error ended it. */
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
  /** Writes all of the text at once; what can no longer be written is dropped. */
  write(text: string): void;
}

/** One runtime. */
export interface Platform {
  /** How many processors threads may run on. */
  readonly cores: number;
  /** Whether this is the thread that the program begins in. */
  readonly isMainThread: boolean;
  /** The thread's name: the one that its starter gave it, where the runtime reports that. */
  readonly threadName: string;
  /** Whether this thread may block. */
  readonly canBlock: boolean;
  /**
   * Whether a worker starts while the thread that starts it is blocked, and messages arrive while
   * their receiver is blocked.
   */
  readonly servesBlocked: boolean;
  /**
   * Whether {@linkcode WorkerThread.terminate} stops a thread in the midst of its code. Elsewhere
   * it runs on, up to a step at which it may end.
   */
  readonly stopsThreads: boolean;
  /** Whether {@linkcode createAsyncContext} follows code past its first `await`. */
  readonly keepsContext: boolean;
  /** Holds the event loop of this thread open. */
  readonly loopHold: LoopHold;
  /** Starts a worker. */
  startWorker(options: WorkerOptions): WorkerThread;
  /**
   * The workers of this thread; only on runtimes where a worker can end without a word, and its
   * starter hears of that in its event loop only.
   */
  readonly workers?: WatchedWorkers;
  /** Calls back in a later turn of the event loop, after timers and input have had their chance. */
  nextTurn(callback: () => void): void;
  /**
   * Loads what {@linkcode receive} needs; true if that was not loaded before. Only where other code
   * may run meanwhile: Deno runs microtasks.
   */
  prepareToReceive?(): boolean;
  /**
   * The oldest message that was sent to a port, boxed; `undefined` if it has not arrived yet. That
   * happens only in browsers, where a message takes a turn of the event loop: `onLate` is then
   * called once, when a message has arrived.
   */
  receive(port: MessagePort, onLate: () => void): { message: unknown } | undefined;
  /**
   * A promise for the next message that arrives at a port. In browsers it rejects if the message
   * holds what only other kinds of threads can have, as some of a page's objects.
   */
  nextMessage(port: MessagePort): Promise<unknown>;
  /**
   * Calls back once, after `ms` milliseconds; does not hold the program open for that. The returned
   * function cancels.
   */
  background(ms: number, callback: () => void): () => void;
  /** Makes a place that has one value per async context. */
  createAsyncContext<T>(): AsyncContext<T>;

  /** In a worker: calls back with each message sent to it. Holds the worker's event loop open. */
  onOwnMessage(callback: (message: unknown) => void): void;
  /**
   * In a worker: holds `name` for as long as this thread lives, as a sign of life; calls back once
   * it holds it. See {@linkcode WorkerThread.whenGone}.
   */
  holdName(name: string, onHeld: () => void): void;
  /**
   * In a worker: calls back at the moment that this thread is about to end by itself (exit, close,
   * uncaught error, unhandled rejection), before it does. Errors end this thread only; its starter
   * does not see them.
   */
  containThreadEnd(callback: (end: ThreadEnd) => void): void;
  /**
   * In a worker that the package has not started: calls back when this thread is about to end by
   * itself. Without effect in the main thread. An error that a listener of the worker's own handles
   * is not an end, if that listener was added before this call.
   */
  beforeThreadEnd(callback: () => void): void;
  /** In a worker: ends this thread quietly. */
  endThread(): void;

  /**
   * The address of the module that the program began with, in its main thread; `undefined` on
   * runtimes where it is of no use.
   */
  readonly mainModule: string | undefined;
  /** The number of this process. */
  readonly pid: number;

  readonly standardError: StandardError;
  /** Classes of errors that the runtime has besides the language's, by their full names. */
  readonly errorClasses: Readonly<Record<string, ErrorClass>>;
  /** Whether a class is one of those that the runtime has besides the language's and the Web's. */
  // deno-lint-ignore ban-types
  hasClass?(constructor: Function): boolean;
  /**
   * An environment variable; also `undefined` if it may not be read. Never asks for the permission.
   */
  environment(name: string): string | undefined;
}

function choose(): Platform {
  if (isDeno()) return createDenoPlatform();
  if (isNode()) return createNodePlatform();
  // Last: other runtimes may have what browsers have.
  if (isBrowser()) return createBrowserPlatform();
  throw new Error(
    "Cannot load @concurrent/futures: this runtime is not supported; run it with Deno 2.9, Node 20.16 or 22.3 or later, or in a browser",
  );
}

/** The runtime that this thread runs on. */
export const platform: Platform = choose();
