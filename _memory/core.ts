/**
 * The cores of shared objects: what does the work, apart from the class that users see.
 *
 * A public class keeps what can only be done where it is called: it checks arguments, finds the async context, runs the
 * user's functions, makes guards. All that touches the object's words is in its core, which the class reaches through an
 * interface only. So an object of another process needs a stub of its core and nothing else: the public class, its error
 * texts and its documentation are the same.
 *
 * ```text
 *   shared memory of this process        memory of another process
 *
 *   Lock                                 Lock
 *     | acquireSync(deadline)              | acquireSync(deadline)
 *   core  -->  words                     stub  -- name, arguments -->  core, opened there  -->  words
 * ```
 *
 * Rules for the interface of a core
 * 1. Apart from `data` and `name` there are only methods. Arguments and results are values that structured clone carries;
 *    errors are thrown.
 * 2. A method that may wait comes in two forms: `x(..., limits)` returns a promise, and `xSync(..., deadlineMs)` blocks. The
 *    stub's `xSync` lets `x` run at the other side. So what the two do differently depends on an argument, not on the
 *    form. The names of these methods, without `Sync`, are registered with the kind. All other methods never wait.
 * 3. A core acts for the seat that it was opened with, for ever: one thread may open the same object for several seats.
 *
 * **Parts.** An object that is a part of another, as a Value's lock, can be reached through it: the whole's core gives the
 * handle of the part, and in another process `"<name of the whole>/<name of the part>"` stands for it; see
 * {@linkcode partOf}.
 *
 * @module
 */

import type { Handle } from "./handle.ts";
import type { Limits } from "./seat.ts";

/** What does the work of a shared object; see above. */
export interface Core {
  /** The data of the object's {@linkcode Handle}. */
  readonly data: unknown;
  /** The object's name, if it was given one. */
  readonly name: string | undefined;
}

/** The core of an object with parts. */
export interface WholeCore extends Core {
  /** What stands for a part. Only for those who share the memory. */
  part(name: string): Handle;
}

/** What stands for an object of another process; the data of its handle here. */
export interface RemoteData {
  /** What the other process finds the object by. */
  readonly remote: string;
  /** The object's name, if it was given one. */
  readonly name?: string;
}

/** Makes the stub of a core. */
export type OpenRemote = (kind: string, data: RemoteData) => Core;

/** Opens the core of an object of this thread's that comes back from another process; `undefined` when it is none. */
export type OpenReturned = (data: RemoteData) => Core | undefined;

/** A call for a thread of another process. */
export interface CoreCall {
  readonly core: Core;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** A call that a promise of such a thread has made, and what came of it; the thread may not have heard. */
export interface Promised extends CoreCall {
  readonly hasThrown: boolean;
  readonly value: unknown;
}

/** What a blocking call got from a promise. */
export interface PassedOn {
  readonly value: unknown;
  /** Has the promise wait for it again; left out, its call is made again. */
  readonly again?: (limits: Limits) => Promise<unknown>;
}

/** The core of an object whose waits hand out what only one can have. */
export interface PassingCore extends Core {
  /**
   * Has a blocking call have what a promise got from this core for the same thread of another process, which cannot go on with
   * that while it is blocked; see `Seat.#cedes`. `undefined` where it is of no use to the call. Only for those who share the
   * memory.
   */
  passOn(promised: Promised, blocked: CoreCall): PassedOn | undefined;
}

/** Whether a promise got something by the same method of the same object that a blocking call has called. */
export function isAlike(promised: Promised, { core, method }: CoreCall): boolean {
  return !promised.hasThrown && promised.core === core && promised.method === method;
}

/** How the cores of a kind are made. */
interface Opener {
  readonly open: (data: unknown) => Core;
  readonly waiting: readonly string[];
}

const OPENERS = new Map<string, Opener>();
let openRemote: OpenRemote | undefined;
let openReturned: OpenReturned | undefined;

/**
 * Registers how the core of a kind is made from a handle's data by a thread that shares the memory.
 *
 * @param kind The kind that the objects' handles name.
 * @param open Makes a core for this thread; must not write shared words.
 * @param waiting The methods that may wait, each of which has a twin with `Sync` in its name.
 */
export function registerCore<C extends Core>(
  kind: string,
  open: (data: unknown) => C,
  waiting: readonly (keyof C & string)[] = [],
): void {
  OPENERS.set(kind, { open, waiting });
}

/** The core of an object: made here, or a stub of it where the object belongs to another process. */
export function openCore<C extends Core>(kind: string, data: unknown): C {
  if (!isRemoteData(data)) return openerOf(kind).open(data) as C;
  const returned = openReturned?.(data);
  if (returned !== undefined) return returned as C;
  if (openRemote !== undefined) return openRemote(kind, data) as C;
  throw new Error(
    `Cannot receive ${kind}: it belongs to another process, and only the thread that was sent it from there can use it`,
  );
}

/** The methods of a kind's core that may wait, without their blocking twins. */
export function waitingMethods(kind: string): readonly string[] {
  return openerOf(kind).waiting;
}

/** True when objects of that kind have a core: they belong to the process that they were made in. */
export function hasCore(kind: string): boolean {
  return OPENERS.has(kind);
}

function openerOf(kind: string): Opener {
  const opener = OPENERS.get(kind);
  if (opener !== undefined) return opener;
  throw new Error(`Cannot open "${kind}": its module is not loaded here`);
}

/** Has objects of another process opened so from now on. */
export function setRemoteCores(open: OpenRemote): void {
  openRemote = open;
}

/** Has this thread's own objects found again that come back from another process. */
export function setReturnedCores(open: OpenReturned): void {
  openReturned = open;
}

/** True when the data of a handle stand for an object of another process. */
export function isRemoteData(data: unknown): data is RemoteData {
  return typeof data === "object" && data !== null &&
    typeof (data as Partial<RemoteData>).remote === "string";
}

/** Opens a part of an object. Only for those who share the memory. */
export function openPart(whole: Core, name: string): Core {
  const { kind, data } = (whole as WholeCore).part(name);
  return openCore(kind, data);
}

/** The data of a part's handle, wherever the whole is. */
export function partOf(whole: WholeCore, name: string): unknown {
  const { data } = whole;
  if (!isRemoteData(data)) return whole.part(name).data;
  return { ...data, remote: `${data.remote}/${name}` };
}
