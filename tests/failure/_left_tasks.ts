/**
 * What the tasks of `left_work_test.ts` delegate to others. They communicate by files, which any
 * process can reach.
 */

import { Process, task, Thread, ThreadPoolExecutor } from "@concurrent/futures";

/**
 * The files by which left work reports that it has begun, waits until it may go on, and reports
 * that it is done.
 */
export interface Place {
  readonly begun: string;
  readonly open: string;
  readonly done: string;
}

/** Whether the file exists. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Resolves once the file exists. */
export async function appears(path: string): Promise<void> {
  while (!await exists(path)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Reports that it has begun, waits until it may go on, and reports that it is done. */
export const finishLater = task(import.meta, async function finishLater(place: Place) {
  await Deno.writeTextFile(place.begun, "");
  await appears(place.open);
  await Deno.writeTextFile(place.done, "");
});

/** To whom the work is left. */
export type Other = "a thread" | "a process" | "a pool";

/** Leaves {@linkcode finishLater} to another thread, process or pool, without waiting for it. */
export const leave = task(import.meta, function leave(place: Place, to: Other): void {
  if (to === "a pool") new ThreadPoolExecutor({ maxWorkers: 1 }).submit(finishLater, place);
  else {
    const other = to === "a thread" ? Thread : Process;
    new other({ target: finishLater, args: [place] }).start();
  }
});

/** Like {@linkcode leave}, but throws then. */
export const leaveAndThrow = task(
  import.meta,
  function leaveAndThrow(place: Place, to: Other): never {
    leave(place, to);
    throw new RangeError("left");
  },
);

/** Leaves the work to a thread, and exits with code 3 once that has begun. */
export const leaveAndExit = task(import.meta, async function leaveAndExit(place: Place) {
  leave(place, "a thread");
  await appears(place.begun);
  setTimeout(() => Deno.exit(3), 0);
});

/** Leaves an empty task to a pool, and the work when that task is over; waits for neither. */
export const leaveChain = task(import.meta, function leaveChain(place: Place): void {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  (async () => {
    await pool.submit(nothing);
    await pool.submit(finishLater, place);
  })();
});

/** Does nothing. */
export const nothing = task(import.meta, function nothing(): void {});

/** Counts for ever. */
export const count = task(import.meta, function* count() {
  for (let n = 0;; n++) yield n;
});

const kept: unknown[] = [];

/** Leaves a stream from which nobody ever takes anything. */
export const leaveStream = task(import.meta, function leaveStream(): void {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  kept.push(pool.stream(count));
});

/** Leaves an endless computation to a timer. */
export const leaveSpin = task(import.meta, function leaveSpin(): void {
  setTimeout(() => {
    for (;;);
  }, 0);
});
