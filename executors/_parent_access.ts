/**
 * The access of a child process's threads to their host, and through it to the parent's objects.
 * The process's own worker has its mail for that. A thread that a task starts, however deep, is
 * given a port to the host instead; when it first uses an object of the parent's, it opens a line:
 * a mailbox each way, between itself and the host.
 *
 * ```text
 *   parent process       child process
 *
 *                               mail            worker: runs the process's tasks
 *   broker of each <--> host  <------->           |  starts
 *   thread                     line, on demand    v
 *                              <------->        thread of a pool's or of a `Thread`
 * ```
 *
 * The host's side is `_process_lines.ts`, the thread's line `_parent_line.ts`.
 *
 * @module
 */

import { ownAccess, type ParentAccess } from "./_origin.ts";

/** The memory of a line. */
export interface LineStart {
  /** Holds the rings, as those of a worker. */
  readonly state: SharedArrayBuffer;
  /** Holds calls, and answers, that are too large for a record. */
  readonly calls: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
  /** Carries what has no room there. */
  readonly port: MessagePort;
  /** The thread's id in the table of threads, and its name. */
  readonly thread: number;
  readonly name: string;
}

/** What a thread says to the host over its port. */
export type AccessMessage =
  /** It starts a thread, which gets the other end of that port. */
  | { readonly kind: "starts"; readonly thread: number; readonly port: MessagePort }
  /** A thread that it has started has ended, or was given up. */
  | { readonly kind: "lost"; readonly thread: number }
  | { readonly kind: "line"; readonly line: LineStart }
  /** It is about to end itself. */
  | { readonly kind: "leaves" };

/**
 * Makes the access of a thread that this one starts, if it has one itself.
 *
 * @param thread The new thread's id in the table of threads.
 */
export function shareAccess(thread: number): ParentAccess | undefined {
  const access = ownAccess();
  if (access === undefined) return undefined;
  const { port1, port2 } = new MessageChannel();
  tellHost(access, { kind: "starts", thread, port: port1 }, [port1]);
  return { port: port2, host: access.host };
}

/** Ends the access of a thread that this one has started, by its id in the table of threads. */
export function endAccess(thread: number): void {
  const access = ownAccess();
  if (access !== undefined) tellHost(access, { kind: "lost", thread });
}

/** Says something to the host. */
export function tellHost(
  { port }: ParentAccess,
  message: AccessMessage,
  transfer: Transferable[] = [],
): void {
  port.postMessage(message, transfer);
}
