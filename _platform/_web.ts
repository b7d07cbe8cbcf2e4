/**
 * What Deno and browsers have in common: workers with a global scope of their own, and Web Locks.
 *
 * @module
 */

import { beginning } from "./entry.ts";
import type { ThreadEnd } from "./mod.ts";
import { soon } from "./timers.ts";

/** Web Locks, which Deno's own types do not know yet. */
interface LockManager {
  request<T>(
    name: string,
    options: { signal?: AbortSignal; ifAvailable?: boolean },
    held: (lock: unknown) => T,
  ): Promise<Awaited<T>>;
}

interface WebGlobals {
  navigator: { locks: LockManager };
  /** Not in a service worker. */
  close?: () => void;
  name?: string;
  WorkerGlobalScope?: new () => unknown;
  onmessage: ((event: MessageEvent) => void) | null;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

const globals = globalThis as unknown as WebGlobals;

/**
 * Whether this thread is a worker. A program may have defined a WorkerGlobalScope of its own, so
 * the name alone says nothing.
 */
export const isWorker: boolean = globals.WorkerGlobalScope !== undefined &&
  globalThis instanceof globals.WorkerGlobalScope;

/** See `Platform`. */
export const threadName: string = isWorker ? globals.name || "worker" : "main";

/** The lock that stands for a name: the program has locks of its own. */
function lockOf(name: string): string {
  return `@concurrent/futures ${name}`;
}

/** Resolves to `true` once no thread holds `name`, or to `false` once the signal aborts. */
export function whenNameIsFree(name: string, signal: AbortSignal): Promise<boolean> {
  return globals.navigator.locks.request(lockOf(name), { signal }, () => true).catch(() => false);
}

/** Whether no thread holds `name`. */
export function isNameFree(name: string): Promise<boolean> {
  const isFree = (lock: unknown): boolean => lock !== null;
  return globals.navigator.locks.request(lockOf(name), { ifAvailable: true }, isFree).catch(() =>
    false
  );
}

/** See `Platform`. Where the host grants no locks, the thread goes on without one. */
export function holdName(name: string, onHeld: () => void): void {
  const held = globals.navigator.locks.request(lockOf(name), {}, () => {
    onHeld();
    return new Promise(() => {});
  });
  held.catch(onHeld);
}

/** See `Platform`. */
export function nextMessage(port: MessagePort): Promise<unknown> {
  return new Promise((resolve, reject) => {
    port.onmessage = (event): void => {
      port.onmessage = port.onmessageerror = null;
      resolve(event.data);
    };
    port.onmessageerror = (): void => {
      port.onmessage = port.onmessageerror = null;
      const why = "it holds an object that this kind of thread cannot have; use that where it is";
      reject(new DOMException(why, "DataCloneError"));
    };
  });
}

/** See `Platform`. */
export function onOwnMessage(callback: (message: unknown) => void): void {
  globals.onmessage = (event): void => callback(event.data);
  const early = beginning?.early.splice(0) ?? [];
  // Not at once: the file that this is in may have code that has not run yet.
  if (early.length > 0) soon(() => early.forEach(callback));
}

/** Reports that this thread is about to end by itself. */
export type ReportEnd = (how: string, failure?: { readonly error: unknown }) => void;

/**
 * Reports, before it happens, every way in which a worker can end itself.
 *
 * @param containsErrors Whether an error ends only this thread, without its starter seeing the
 * error.
 * @param watchMore Makes the runtime's other ways of ending a thread be reported too.
 */
export function onThreadEnd(
  containsErrors: boolean,
  callback: (end: ThreadEnd) => void,
  watchMore: (report: ReportEnd) => void = () => {},
): void {
  let ended = false;
  const report: ReportEnd = (how, failure) => {
    if (ended) return;
    ended = true;
    callback({ how, error: failure?.error, isFailure: failure !== undefined });
  };
  watchMore(report);
  const close = globals.close?.bind(globalThis) ?? (() => {});
  globals.close = (): void => {
    report("called close()");
    close();
  };
  const onError = (event: Event, how: string, error: unknown): void => {
    if (containsErrors) event.preventDefault();
    else if (event.defaultPrevented) return; // The worker's own listener handles it.
    report(how, { error });
    if (containsErrors) close();
  };
  globals.addEventListener("error", (event) => {
    onError(event, "threw an error that nobody caught", (event as ErrorEvent).error);
  });
  globals.addEventListener("unhandledrejection", (event) => {
    const { reason } = event as PromiseRejectionEvent;
    onError(event, "had a promise rejected that nobody handled", reason);
  });
  endThread = close;
}

/**
 * The runtime's `close`, which ends this thread without a report; {@linkcode onThreadEnd} replaces
 * the global one by one that reports.
 */
export let endThread = (): void => globals.close?.();
