/**
 * Three threads draw a picture together, row by row: each has a third of the columns. A cell
 * depends on its neighbors in the row above, so the threads meet at a barrier after each row.
 *
 *   deno run -A examples/barrier.ts
 *
 * The last thread to arrive runs the barrier's action, which prints the row that is now complete.
 *
 * It prints, for instance:
 *
 *                   █
 *                  █ █
 *                 █   █
 *                █ █ █ █
 *               █       █
 *              █ █     █ █
 *             █   █   █   █
 *            █ █ █ █ █ █ █ █
 *           █               █
 *          █ █             █ █
 *         █   █           █   █
 *        █ █ █ █         █ █ █ █
 *       █       █       █       █
 *      █ █     █ █     █ █     █ █
 *     █   █   █   █   █   █   █   █
 *    █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █
 *   Thread 0 came first 8, second 2, last 6 times
 *   Thread 1 came first 4, second 8, last 4 times
 *   Thread 2 came first 4, second 6, last 6 times
 *
 * @module
 */

import { Barrier, task, ThreadPoolExecutor } from "@concurrent/futures";

const THREADS = 3;
const ROWS = 16;
const COLUMNS = 33;
const SHARE = COLUMNS / THREADS;

/**
 * Draws a thread's share of each row. Returns, for each row, how many threads had arrived at the
 * barrier before it.
 */
export const draw = task(
  import.meta,
  function draw(cells: Uint8Array, barrier: Barrier, thread: number): number[] {
    let row = 0;
    // A function cannot be sent to another thread, so each thread that may come last sets the
    // action.
    barrier.action = () => print(cells, row);
    const arrivals: number[] = [];
    for (; row < ROWS; row++) {
      const end = (thread + 1) * SHARE;
      for (let column = thread * SHARE; column < end; column++) drawCell(cells, row, column);
      arrivals.push(barrier.waitSync());
    }
    return arrivals;
  },
);

/**
 * Sets a cell if exactly one of its two neighbors above is set; in the first row, only the middle
 * one.
 */
function drawCell(cells: Uint8Array, row: number, column: number): void {
  const middle = (COLUMNS - 1) / 2;
  const isSet = row === 0
    ? column === middle
    : isSetAt(cells, row - 1, column - 1) !== isSetAt(cells, row - 1, column + 1);
  cells[row * COLUMNS + column] = isSet ? 1 : 0;
}

/** Tells whether a cell is set; outside the picture none is. */
function isSetAt(cells: Uint8Array, row: number, column: number): boolean {
  return column >= 0 && column < COLUMNS && cells[row * COLUMNS + column] === 1;
}

function print(cells: Uint8Array, row: number): void {
  const line = cells.subarray(row * COLUMNS, (row + 1) * COLUMNS);
  console.log(Array.from(line, (cell) => cell === 1 ? "█" : " ").join("").trimEnd());
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS });
  const cells = new Uint8Array(new SharedArrayBuffer(ROWS * COLUMNS));
  const barrier = new Barrier(THREADS, { action: () => {} });
  const threads = [0, 1, 2].map((thread) => pool.submit(draw, cells, barrier, thread));
  for (const [thread, arrivals] of (await Promise.all(threads)).entries()) {
    const times = [0, 1, 2].map((index) => arrivals.filter((at) => at === index).length);
    console.log(
      `Thread ${thread} came first ${times[0]}, second ${times[1]}, last ${times[2]} times`,
    );
  }
}
