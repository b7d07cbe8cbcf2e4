/**
 * What the thread that this code runs in knows of itself, if a `Thread` started it; and how thread objects are made by those
 * who must not import their class.
 *
 * @module
 */

import type { ThreadStart } from "./_thread_state.ts";
import type { Thread } from "./thread.ts";

/** What a thread knows of itself that was started by a `Thread`. */
export interface ThreadSelf {
  readonly id: number;
  readonly name: string;
  readonly daemon: boolean;
  /** Has its host start another thread. */
  start(start: ThreadStart): void;
}

/** What `_thread_list.ts` can do. */
export interface ThreadFactory {
  /** The object for a thread of this program that has, or had, that id. */
  threadOf(id: number, name: string): Thread;
  /**
   * The object for this thread: one of a subclass, made without its constructor.
   *
   * @param target What the `run` of the class `Thread` calls.
   * @returns `undefined` when that is no subclass.
   */
  makeSelf(subclass: unknown, fields: object, target: () => unknown): Thread | undefined;
}

let self: ThreadSelf | undefined;
let factory: ThreadFactory | undefined;
let loads = false;

/** The objects of this thread for threads of its own table: those that it has started, and those that it was asked for. */
export const knownThreads: Map<number, Thread> = new Map();

/** Says what this thread is. */
export function setSelf(known: ThreadSelf): void {
  self = known;
}

/** What this thread is; `undefined` when no `Thread` started it. */
export function knownSelf(): ThreadSelf | undefined {
  return self;
}

/** Called by `_thread_list.ts` when it is loaded. */
export function setThreadFactory(made: ThreadFactory): void {
  factory = made;
}

/** What `_thread_list.ts` can do; `undefined` while it is not loaded here. */
export function threadFactory(): ThreadFactory | undefined {
  return factory;
}

/** What a pool says whose owner is loading what it is to run: see {@linkcode isLoading}. */
export const STARTS_WHILE_LOADING =
  "the module that submits is being imported by a worker; what only the program itself should do belongs under if (import.meta.main), or in another module";

/** Whether this thread is loading what it is to run, and nothing else. */
export function isLoading(): boolean {
  return loads;
}

/** Says when {@linkcode isLoading} holds. */
export function setLoading(now: boolean): void {
  loads = now;
}
