/**
 * What the constructor of `Thread` is given beside options that users write.
 *
 * @module
 */

import { home, type Seat, seatOf } from "../_memory/seat.ts";
import { FLAG } from "../_memory/thread_table.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Event } from "../sync/event.ts";
import type { ThreadOptions } from "./thread.ts";

/** What the main thread is called, and what it is called in the table until somebody names it. */
const MAIN_NAME = "MainThread";
const MAIN_NAME_IN_TABLE = "main";

/** A thread that is there already, as the constructor is told of it. */
export class ExistingThread {
  /** How messages call the thread. */
  readonly name: string;
  /** What it is called in the table, where names are cut. */
  readonly nameInTable: string;
  /** Whether the program ends without waiting for it. */
  readonly daemon: boolean;
  /** This thread's seat in the table that the thread is in; `undefined` when it is in none that is known here. */
  readonly seat: Seat | undefined;
  /** Its id in that table. */
  readonly id: number | null;
  /** Whether a `Thread` started it. */
  readonly isStarted: boolean;
  /** What it calls, in that thread itself. */
  readonly target: (() => unknown) | undefined;

  /**
   * @param name Its whole name, where that is known.
   * @param flags Bits of `FLAG`.
   * @param target What it calls, in that thread itself.
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
    // As in Python: of a thread that nobody here has started nothing is known but that nobody waits for it.
    this.daemon = !isMain && (!this.isStarted || (flags & FLAG.DAEMON) !== 0);
  }
}

/** What stands for a thread while it crosses. */
export interface ThreadData {
  /** Which table of threads it is in. No reference to it, which only a message could carry. */
  readonly table: string;
  readonly id: number;
  readonly name: string;
  /** Bits of `FLAG`. */
  readonly flags: number;
}

/**
 * What is known of a thread that was sent here.
 *
 * @throws {NotShareableError} When it is in a table that this thread knows nothing of.
 */
export function existingOf({ table, id, name, flags }: ThreadData): ExistingThread {
  const seat = seatOf(table);
  if (seat !== undefined) return new ExistingThread(seat, id, name, flags);
  throw new NotShareableError(
    `Cannot receive thread "${name}": it belongs to a program that this thread shares no memory with`,
  );
}

/** Whether a thread is a daemon that is made here: as this thread is; but what a pool's task makes is none. */
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
  /** The `run` that waits so; another one in its place is that of a subclass. */
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
  /** What it waits for. */
  readonly delay: Delay;

  constructor(target: (...args: A) => unknown, options: ThreadOptions<A>, delay: Delay) {
    this.target = target;
    this.args = options.args;
    this.name = options.name;
    this.daemon = options.daemon;
    this.delay = delay;
  }
}
