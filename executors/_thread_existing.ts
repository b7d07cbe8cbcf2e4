/**
 * What the constructor of `Thread` accepts besides the options that users write.
 *
 * @module
 */

import { home, type Seat, seatOf } from "../_memory/seat.ts";
import { FLAG } from "../_memory/thread_table.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Event } from "../sync/event.ts";
import type { ThreadOptions } from "./thread.ts";

/** The name of the main thread, and its name in the table until it is renamed. */
const MAIN_NAME = "MainThread";
const MAIN_NAME_IN_TABLE = "main";

/** Describes to the constructor a thread that exists already. */
export class ExistingThread {
  /** The thread's name, as messages show it. */
  readonly name: string;
  /** Its name in the table, where long names are cut off. */
  readonly nameInTable: string;
  /** Whether the program ends without waiting for it. */
  readonly daemon: boolean;
  /**
   * The calling thread's seat in the table that the thread is in; `undefined` when that table is
   * not known here.
   */
  readonly seat: Seat | undefined;
  /** Its id in that table. */
  readonly id: number | null;
  /** Whether a `Thread` started it. */
  readonly isStarted: boolean;
  /** What the thread calls; set in that thread itself only. */
  readonly target: (() => unknown) | undefined;

  /**
   * @param name Its whole name, if that is known.
   * @param flags Bits of `FLAG`.
   * @param target What the thread calls; set in that thread itself only.
   */
  constructor(
    seat: Seat | undefined,
    id: number | null,
    name: string | undefined,
    flags: number,
    target?: () => unknown,
  ) {
    const table = seat?.table;
    const isHere = table !== undefined && id !== null;
    const isMain = !isHere || id === table.main;
    const inTable = isHere && table.isAlive(id) ? table.nameOf(id) : name ?? MAIN_NAME_IN_TABLE;
    this.nameInTable = inTable;
    if (isMain && inTable === MAIN_NAME_IN_TABLE) this.name = MAIN_NAME;
    else this.name = name?.startsWith(inTable) ? name : inTable;
    this.seat = seat;
    this.id = id;
    this.target = target;
    this.isStarted = (flags & FLAG.STARTED) !== 0;
    // As in Python: all that is known of a thread that no `Thread` has started is that nobody waits
    // for it.
    this.daemon = !isMain && (!this.isStarted || (flags & FLAG.DAEMON) !== 0);
  }
}

/** What stands for a thread while its object crosses. */
export interface ThreadData {
  /**
   * The name of the table of threads that it is in; not a reference, which only a message could
   * carry.
   */
  readonly table: string;
  readonly id: number;
  readonly name: string;
  /** Bits of `FLAG`. */
  readonly flags: number;
}

/**
 * Describes a thread whose object was sent here.
 *
 * @throws {NotShareableError} When the thread is in a table that the calling thread does not know.
 */
export function existingOf({ table, id, name, flags }: ThreadData): ExistingThread {
  const seat = seatOf(table);
  if (seat !== undefined) return new ExistingThread(seat, id, name, flags);
  throw new NotShareableError(
    `Cannot receive thread "${name}": it belongs to a program that this thread shares no memory with`,
  );
}

/**
 * Whether a `Thread` made here is a daemon by default: if this thread is one, except that threads
 * made by a pool's task are not.
 */
export function isDaemonHere(): boolean {
  const { table, id } = home();
  const flags = table.flagsOf(id);
  if ((flags & FLAG.WORKER) !== 0) return false;
  return new ExistingThread(home(), id, undefined, flags).daemon;
}

/** What a thread waits for before it calls its target. */
export interface Delay {
  /** How long it waits, in milliseconds. */
  readonly intervalMs: number;
  /** Ends the wait when it is set, and the thread with it. */
  readonly finished: Event;
  /** The `run` that does this waiting; if the object has another, a subclass has overridden it. */
  readonly run: () => unknown;
}

/** The options of a thread that waits first: what `Timer` passes to the constructor. */
export class DelayedThread<A extends unknown[]> implements ThreadOptions<A> {
  /** See {@linkcode ThreadOptions}. */
  readonly target: (...args: A) => unknown;
  /** See {@linkcode ThreadOptions}. */
  readonly args: readonly [...A] | undefined;
  /** See {@linkcode ThreadOptions}. */
  readonly name: string | undefined;
  /** See {@linkcode ThreadOptions}. */
  readonly daemon: boolean | null | undefined;
  /** What the thread waits for. */
  readonly delay: Delay;

  constructor(target: (...args: A) => unknown, options: ThreadOptions<A>, delay: Delay) {
    this.target = target;
    this.args = options.args;
    this.name = options.name;
    this.daemon = options.daemon;
    this.delay = delay;
  }
}
