/**
 * Ten threads query a database that has a single connection; a lock makes them take turns.
 *
 *   deno run -A examples/sql_lock.ts
 *
 * The program itself holds the connection until all ten threads wait for it. They arrive one after
 * the other, and no other thread comes later, so they are served in that order. No query begins
 * before the previous one has ended.
 *
 * It prints:
 *
 *   Waiting: thread_0 thread_1 thread_2 thread_3 thread_4 thread_5 thread_6 thread_7 thread_8 thread_9
 *
 *   Query 1 starts
 *   Query 1 ends: 100 rows
 *   Query 2 starts
 *   Query 2 ends: 200 rows
 *   Query 3 starts
 *   Query 3 ends: 300 rows
 *   Query 4 starts
 *   Query 4 ends: 400 rows
 *   Query 5 starts
 *   Query 5 ends: 500 rows
 *   Query 6 starts
 *   Query 6 ends: 600 rows
 *   Query 7 starts
 *   Query 7 ends: 700 rows
 *   Query 8 starts
 *   Query 8 ends: 800 rows
 *   Query 9 starts
 *   Query 9 ends: 900 rows
 *   Query 10 starts
 *   Query 10 ends: 1000 rows
 *
 * @module
 */

import { debugLocks, Event, Lock, task, ThreadPoolExecutor } from "@concurrent/futures";

const THREADS = 10;
const LOCK_NAME = "connection";
const LATENCY_MS = 5;

/** Queries the database, as soon as the connection is free. */
export const query = task(import.meta, function query(connection: Lock, number: number): void {
  using _ = connection.holdSync();
  console.log(`Query ${number} starts`);
  const rows = readRows(number);
  console.log(`Query ${number} ends: ${rows} rows`);
});

/** Takes a while, as a database would. Returns the number of rows. */
function readRows(number: number): number {
  new Event().waitSync({ timeout: LATENCY_MS }); // Nobody sets this event.
  return number * 100;
}

/**
 * Returns the names of the threads that wait for the connection, in the order in which they came.
 */
function waiters(): readonly string[] {
  return debugLocks().find(({ name }) => name === LOCK_NAME)?.waiters ?? [];
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS, threadNamePrefix: "thread" });
  const connection = new Lock({ name: LOCK_NAME });
  await connection.acquire();
  const queries = [];
  for (let number = 1; number <= THREADS; number++) {
    queries.push(pool.submit(query, connection, number));
    while (waiters().length < number) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  console.log(`Waiting: ${waiters().join(" ")}\n`);
  connection.release();
  await Promise.all(queries);
}
