/**
 * Seats for threads that die within a schedule.
 *
 * Elsewhere a thread keeps its seat from one schedule to the next. One that has left its seat, or was given up, needs
 * another, in a table that looks as the last one did: so the main thread wipes the table, and each thread is
 * seated in it anew, as pools seat their workers.
 *
 * To die is to call `leave` of the seat, as the end of a thread does. To be given up is that another thread calls
 * `retire` of the table, as a pool does; the thread itself runs on.
 *
 * @module
 */

import { THREAD, THREAD_TABLE } from "../../../_memory/layout.ts";
import { adoptSeat, home, type Seat } from "../../../_memory/seat.ts";
import { AWAKE, ThreadTable } from "../../../_memory/thread_table.ts";
import { store } from "../../../_platform/atomics.ts";

/** More than a model takes in one schedule. */
const PLACES = 16;

let table: ThreadTable | undefined;

/** Call in `setUp`: an empty table, in the same memory each time. */
export function wipedTable(): ThreadTable {
  table ??= new ThreadTable();
  // All but its identity, and all places that could have been taken.
  const end = THREAD_TABLE.SIZE + PLACES * THREAD.SIZE;
  table.words.fill(0, THREAD_TABLE.DEATHS, end);
  return table;
}

/** Call in `setUp`, before an object is made: seats the main thread in an empty table. */
export function emptyTable(): void {
  const { buffer } = wipedTable();
  adoptSeat(buffer, new ThreadTable(buffer).claim("main"));
}

/** Call in `open`, before an object is opened: seats this thread. */
export function sit(threads: SharedArrayBuffer, thread: number): Seat {
  return adoptSeat(threads, new ThreadTable(threads).claim(`thread ${thread}`));
}

/**
 * Call in `open`, once an object is open, where a thread may find that it has to wake itself: its event loop turns between
 * schedules, and then goes to sleep by the thread's doorbell.
 */
export function wake(): void {
  const { table, id } = home();
  store(table.words, table.placeOf(id) + THREAD.BELL, AWAKE);
}

/** The table in which an object's threads are seated, by the object's handle. */
export function tableOf({ data }: { readonly data: unknown }): SharedArrayBuffer {
  return (data as { threads: SharedArrayBuffer }).threads;
}

/** What is thrown where a thread has ended. */
class EndedAsleep extends Error {}

/**
 * Runs `act` up to where it first goes to sleep. There this thread ends, as one that is terminated: it stays queued, and gives
 * nothing back. Then its death is told, as its starter would, and it has to touch nothing any more.
 *
 * @returns What `act` returns, should it not sleep: the thread is alive then.
 */
export function endAsleep<R>(act: () => R): R | undefined {
  const seat = home();
  seat.waitSync = (wait): never => {
    seat.close(wait);
    throw new EndedAsleep();
  };
  try {
    return act();
  } catch (error) {
    if (!(error instanceof EndedAsleep)) throw error;
    seat.table.leave(seat.id);
    return undefined;
  } finally {
    Reflect.deleteProperty(seat, "waitSync");
  }
}
