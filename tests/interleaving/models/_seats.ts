/**
 * Seats for threads that die within a schedule.
 *
 * Elsewhere, a thread keeps its seat from one schedule to the next. A thread that has left its
 * seat, or was given up, needs another seat, in a table that looks as it did before: so the main
 * thread wipes the table, and each thread is seated in it anew, as pools seat their workers.
 *
 * A thread dies by calling `leave` of the seat, as the end of a thread does. It is given up when
 * another thread calls `declareDead` of the table, as a pool does; the thread itself runs on.
 *
 * @module
 */

import { doorbell } from "../../../_memory/doorbell.ts";
import { THREAD, THREAD_TABLE } from "../../../_memory/layout.ts";
import { adoptSeat, home, type Seat } from "../../../_memory/seat.ts";
import { AWAKE, ThreadTable } from "../../../_memory/thread_table.ts";
import { store } from "../../../_platform/atomics.ts";

/** More places than the threads of a model take in one schedule. */
const PLACES = 16;

let table: ThreadTable | undefined;

/** Call it in `setUp`: returns an empty table, in the same memory each time. */
export function wipedTable(): ThreadTable {
  table ??= new ThreadTable();
  // Wipes everything but the table's identity, including all places that could have been taken.
  const end = THREAD_TABLE.SIZE + PLACES * THREAD.SIZE;
  table.words.fill(0, THREAD_TABLE.DEATHS, end);
  return table;
}

/** Call it in `setUp`, before an object is made: seats the main thread in an empty table. */
export function emptyTable(): void {
  const { buffer } = wipedTable();
  adoptSeat(buffer, new ThreadTable(buffer).claim("main"));
}

/** Call it in `open`, before an object is opened: seats this thread. */
export function sit(threads: SharedArrayBuffer, thread: number): Seat {
  return adoptSeat(threads, new ThreadTable(threads).claim(`thread ${thread}`));
}

/**
 * Call it in `open`, once an object is open, where a thread may find that it has to wake itself.
 * Its event loop turns when its part is done, and would go to sleep at the thread's doorbell then:
 * beside the steps of other threads, or after them.
 */
export function wake(): void {
  doorbell.nudge = (): void => {};
  const { table, id } = home();
  store(table.words, table.placeOf(id) + THREAD.BELL, AWAKE);
}

/** The table in which the threads of an object are seated, from the object's handle. */
export function tableOf({ data }: { readonly data: unknown }): SharedArrayBuffer {
  return (data as { threads: SharedArrayBuffer }).threads;
}

/** Thrown where a thread ends. */
class EndedAsleep extends Error {}

/**
 * Runs `act` until it first goes to sleep. This thread ends there, as a terminated one does: it
 * stays queued, and gives nothing back. Its death is then reported, as its starter would do, and
 * after that it must not touch anything.
 *
 * @returns What `act` returns if it does not sleep: the thread is still alive then.
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
