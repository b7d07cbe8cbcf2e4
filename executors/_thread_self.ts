/**
 * What the thread in which this code runs knows of itself, if a `Thread` started it; and how
 * modules that must not import the class `Thread` make its objects.
 *
 * @module
 */

import type { ThreadStart } from "./_thread_state.ts";
import type { Thread } from "./thread.ts";

/** What a thread that was started by a `Thread` knows of itself. */
export interface ThreadSelf {
  readonly id: number;
  readonly name: string;
  readonly daemon: boolean;
  /** Id of its host. */
  readonly host: number;
  /** Asks its host to start another thread. */
  start(start: ThreadStart): void;
}

/** What `_thread_list.ts` provides. */
export interface ThreadFactory {
  /** The object for a thread of this program that has, or had, that id. */
  threadOf(id: number, name: string): Thread;
  /**
   * Makes the object for this thread: an instance of a subclass, made without its constructor.
   *
   * @param target What the `run` of the class `Thread` calls.
   * @returns `undefined` when `subclass` is no subclass of `Thread`.
   */
  makeSelf(subclass: unknown, fields: object, target: () => unknown): Thread | undefined;
}

let self: ThreadSelf | undefined;
let factory: ThreadFactory | undefined;
let loads = false;

/**
 * This thread's objects for threads of its own table: those that it has started, and those for
 * which an object was requested.
 */
export const knownThreads: Map<number, Thread> = new Map();

/** Sets what this thread knows of itself. */
export function setSelf(known: ThreadSelf): void {
  self = known;
}

/** What this thread knows of itself; `undefined` when no `Thread` started it. */
export function knownSelf(): ThreadSelf | undefined {
  return self;
}

/** Sets the factory; called by `_thread_list.ts` as it is loaded. */
export function setThreadFactory(made: ThreadFactory): void {
  factory = made;
}

/** What `_thread_list.ts` provides; `undefined` while it is not loaded here. */
export function threadFactory(): ThreadFactory | undefined {
  return factory;
}

/**
 * Why a pool cannot start a worker while its owner is only loading what it will run; see
 * {@linkcode isLoading}.
 */
export const STARTS_WHILE_LOADING =
  'the module that submits is being imported by a worker; what only the program itself should do belongs under if (import.meta.main), in a page under if (typeof document === "object"), or in another module';

/** Whether this thread is loading what it will run, and does nothing else. */
export function isLoading(): boolean {
  return loads;
}

/** Sets {@linkcode isLoading}. */
export function setLoading(now: boolean): void {
  loads = now;
}
