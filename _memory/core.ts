/**
 * The cores of shared objects: the part that does the work, separate from the class that users see.
 *
 * A public class keeps what can only be done where it is called: it checks arguments, finds the
 * async context, runs the user's functions, makes guards. Everything that touches the object's
 * words is in its core, which the class reaches only through an interface. So an object of another
 * process needs a stub of its core and nothing else: the public class, its error texts and its
 * documentation are the same.
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
 * 1. Apart from `data` and `name` there are only methods. Arguments and results are values that
 *    structured clone carries; errors are thrown.
 * 2. A method that may wait comes in two forms: `x(..., limits)` returns a promise, and
 *    `xSync(..., deadlineMs)` blocks. The stub's `xSync` has `x` run in the other process. So any
 *    difference between the two must depend on an argument, not on the form. The names of these
 *    methods, without `Sync`, are registered with the kind, apart from those of the other methods,
 *    none of which waits. Another process can call no other than these.
 * 3. A core always acts for the seat that it was opened with: one thread may open the same object
 *    for several seats.
 *
 * **Parts.** An object that is a part of another, such as a Value's lock, is reached through the
 * whole: the whole's core gives the part's handle, and in another process
 * `"<name of the whole>/<name of the part>"` stands for the part; see {@linkcode partOf}.
 *
 * @module
 */

import type { Handle } from "./handle.ts";
import type { Limits } from "./seat.ts";

/** Does the work of a shared object; see the head of this module. */
export interface Core {
  /** The data of the object's {@linkcode Handle}. */
  readonly data: unknown;
  /** The object's name, if it was given one. */
  readonly name: string | undefined;
}

/** The core of an object with parts. */
export interface WholeCore extends Core {
  /** The handle of a part. Only for callers that share the object's memory. */
  part(name: string): Handle;
}

/** Stands for an object of another process, as the data of its handle here. */
export interface RemoteData {
  /** The name by which the other process finds the object. */
  readonly remote: string;
  /** The object's name, if it was given one. */
  readonly name?: string;
}

/** Makes the stub of a core. */
export type OpenRemote = (kind: string, data: RemoteData) => Core;

/**
 * Opens the core of one of this thread's own objects that comes back from another process;
 * `undefined` when the data name no such object.
 */
export type OpenReturned = (data: RemoteData) => Core | undefined;

/** A call made on behalf of a thread of another process. */
export interface CoreCall {
  readonly core: Core;
  readonly method: string;
  readonly args: readonly unknown[];
}

/**
 * A call by which such a thread waits as a promise, and the call's outcome, of which the thread may
 * not have heard yet.
 */
export interface Promised extends CoreCall {
  readonly hasThrown: boolean;
  readonly value: unknown;
}

/** What a blocking call took over from a promise. */
export interface PassedOn {
  readonly value: unknown;
  /**
   * Makes the promise wait for a value again. It has been overtaken, and keeps its turn: it goes
   * before all that have not been.
   */
  readonly again: (limits: Limits) => Promise<unknown>;
}

/** The core of an object whose waits hand out something that only one waiter can have. */
export interface PassingCore extends Core {
  /**
   * Gives a blocking call what a promise got from this core for the same thread of another process:
   * the thread cannot use it while it is blocked; see `Seat.#cedes`. `undefined` if it is of no use
   * to the blocking call. Only for callers that share the object's memory.
   */
  passOn(promised: Promised, blocked: CoreCall): PassedOn | undefined;
}

/** The core of an object whose state can forbid a call whatever its arguments are. */
export interface CheckingCore extends Core {
  /**
   * Throws if the state forbids a call of the method. Called for a thread of another process that
   * has arguments which cannot be sent: what this throws takes precedence.
   */
  checkCall(method: string): void;
}

/**
 * Whether a promise got something by the same method of the same object as a blocking call is
 * calling.
 */
export function isAlike(promised: Promised, { core, method }: CoreCall): boolean {
  return !promised.hasThrown && promised.core === core && promised.method === method;
}

/** The names of the methods in the interface of a core. */
export interface CoreMethods<Name extends string = string> {
  /** Those that may wait, each of which has a twin with `Sync` in its name. */
  readonly waiting: readonly Name[];
  readonly others: readonly Name[];
}

/** How the cores of a kind are opened. */
interface Opener {
  readonly open: (data: unknown) => Core;
  readonly methods: CoreMethods;
}

const OPENERS = new Map<string, Opener>();
/** The openers of the cores that were opened here. */
const opened = new WeakMap<Core, Opener>();
let openRemote: OpenRemote | undefined;
let openReturned: OpenReturned | undefined;

/**
 * Registers how the core of a kind is made from a handle's data by a thread that shares the memory.
 *
 * @param kind The kind that the objects' handles name.
 * @param open Makes a core for this thread; must not write shared words.
 * @param methods The methods that another process may call.
 */
export function registerCore<C extends Core>(
  kind: string,
  open: (data: unknown) => C,
  methods: CoreMethods<keyof C & string>,
): void {
  OPENERS.set(kind, { open, methods });
}

/** The core of an object: opened here, or a stub if the object belongs to another process. */
export function openCore<C extends Core>(kind: string, data: unknown): C {
  if (!isRemoteData(data)) {
    const opener = openerOf(kind);
    const core = opener.open(data) as C;
    opened.set(core, opener);
    return core;
  }
  const returned = openReturned?.(data);
  if (returned !== undefined) return returned as C;
  if (openRemote !== undefined) return openRemote(kind, data) as C;
  throw new Error(
    `Cannot receive ${kind}: it belongs to another process, and this thread has no way to it; use it in threads that the package has started`,
  );
}

/** The methods of a kind's core, without the blocking twins of those that may wait. */
export function methodsOf(kind: string): CoreMethods {
  return openerOf(kind).methods;
}

/**
 * Throws if another process must not call a method: it would block this thread, or is none of the
 * core's interface.
 *
 * @param core A core that was opened in this thread.
 * @param waits Whether the call may wait, as a promise.
 */
export function checkCallable(core: Core, method: string, waits: boolean): void {
  const { waiting, others } = opened.get(core)!.methods;
  if ((waits ? waiting : others).includes(method)) return;
  throw new TypeError(`Cannot call "${method}": another process may not`);
}

/**
 * True when objects of that kind have a core: such objects belong to the process that made them.
 */
export function hasCore(kind: string): boolean {
  return OPENERS.has(kind);
}

function openerOf(kind: string): Opener {
  const opener = OPENERS.get(kind);
  if (opener !== undefined) return opener;
  throw new Error(`Cannot open "${kind}": its module is not loaded here`);
}

/** Sets how objects of another process are opened from now on. */
export function setRemoteCores(open: OpenRemote): void {
  openRemote = open;
}

/** Sets how this thread's own objects are found again when they come back from another process. */
export function setReturnedCores(open: OpenReturned): void {
  openReturned = open;
}

/** True when a handle's data stand for an object of another process. */
export function isRemoteData(data: unknown): data is RemoteData {
  return typeof data === "object" && data !== null &&
    typeof (data as Partial<RemoteData>).remote === "string";
}

/** Opens a part of an object. Only for callers that share the object's memory. */
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
