/**
 * Waiting for a thread's end, from any thread that knows its id.
 *
 * A thread has ended when the table of threads no longer has it as alive: it leaves the table as
 * the last thing that it does, or its host declares it dead. Either wakes all waiting threads.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { deadlineOf } from "../_platform/options.ts";
import { type Seat, Wait } from "../_memory/seat.ts";
import { RuntimeError } from "../sync/errors.ts";
import type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
import { host } from "./_thread_host.ts";
import { links } from "./_thread_links.ts";

/**
 * The most turns of the event loop that messages sent before a thread ended may take to arrive.
 * Most runtimes need none.
 */
const MOST_TURNS = 100;

/**
 * A wait for a thread's end: it is in no list, but checks the table whenever some thread has died.
 */
class JoinWait extends Wait {
  readonly #id: number;

  constructor(seat: Seat, id: number) {
    super(seat);
    this.#id = id;
  }

  /** See {@linkcode Wait}. */
  granted(): boolean {
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return true;
  }

  /** See {@linkcode Wait}. A join holds nothing that could be given back. */
  giveBack(): void {}

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    return !this.seat.table.isAlive(this.#id);
  }
}

/** Resolves when the thread has ended, or the timeout has passed. */
export async function joinThread(seat: Seat, id: number, options: WaitOptions): Promise<void> {
  const deadlineMs = deadlineOf(options);
  options.signal?.throwIfAborted();
  const wait = begin(seat, id, options.timeout);
  if (wait !== undefined) {
    host.countJoiner(id, 1);
    try {
      await seat.wait(wait, { deadlineMs, signal: options.signal });
    } finally {
      host.countJoiner(id, -1);
    }
  }
  catchUp();
  for (let turns = 0; turns < MOST_TURNS && (links.isLate(id) || host.hasLate); turns++) {
    await new Promise<void>((resolve) => platform.nextTurn(resolve));
  }
  // So that no stopped watch is left over, which a check for leaks would find.
  await host.settle();
}

/** Blocks this thread until the other one has ended, or the timeout has passed. */
export function joinThreadSync(seat: Seat, id: number, options: WaitSyncOptions): void {
  const deadlineMs = deadlineOf(options);
  if (deadlineMs === NEVER && !platform.servesBlocked && host.isStarting(id)) {
    throw new RuntimeError(
      "Cannot join thread: it does not run yet, and a browser does not start it while this thread is blocked; await its started first",
    );
  }
  const wait = begin(seat, id, options.timeout);
  if (wait !== undefined) seat.waitSync(wait, deadlineMs);
  catchUp();
}

/** Begins to wait; `undefined` when there is nothing to wait for. */
function begin(seat: Seat, id: number, timeout: number | null | undefined): JoinWait | undefined {
  if (timeout === 0 || !seat.table.isAlive(id)) return undefined;
  const wait = new JoinWait(seat, id);
  // The seat noted the number of dead threads before: a death from now on makes it check again.
  wait.isOver = wait.examine();
  if (!wait.isOver) return wait;
  seat.close(wait);
  return undefined;
}

/** Takes in what the thread said before it ended, and ends its worker. */
function catchUp(): void {
  links.drain();
  host.drain();
}
