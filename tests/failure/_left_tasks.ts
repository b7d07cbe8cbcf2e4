/** What the tasks of `left_work_test.ts` have others do. They tell each other by files, which reach any process. */

import { Process, task, Thread, ThreadPoolExecutor } from "@concurrent/futures";

/** Where left work says that it has begun, waits until it may go on, and says that it is done. */
export interface Place {
  readonly begun: string;
  readonly open: string;
  readonly done: string;
}

/** Whether the file is there. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Resolves once the file is there. */
export async function appears(path: string): Promise<void> {
  while (!await exists(path)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Comes to the place, and says that it is done once it may. */
export const finishLater = task(import.meta, async function finishLater(place: Place) {
  await Deno.writeTextFile(place.begun, "");
  await appears(place.open);
  await Deno.writeTextFile(place.done, "");
});

/** Who is to do it. */
export type Other = "a thread" | "a process" | "a pool";

/** Has it done, and does not wait for that. */
export const leave = task(import.meta, function leave(place: Place, to: Other): void {
  if (to === "a pool") new ThreadPoolExecutor({ maxWorkers: 1 }).submit(finishLater, place);
  else {
    const other = to === "a thread" ? Thread : Process;
    new other({ target: finishLater, args: [place] }).start();
  }
});

/** The same, and throws. */
export const leaveAndThrow = task(
  import.meta,
  function leaveAndThrow(place: Place, to: Other): never {
    leave(place, to);
    throw new RangeError("left");
  },
);

/** The same, and exits with code 3 once it has begun. */
export const leaveAndExit = task(import.meta, async function leaveAndExit(place: Place) {
  leave(place, "a thread");
  await appears(place.begun);
  setTimeout(() => Deno.exit(3), 0);
});

/** Has something else done first, and that when it is over; waits for neither. */
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

/** Leaves a stream of which nobody takes anything, nor will. */
export const leaveStream = task(import.meta, function leaveStream(): void {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  kept.push(pool.stream(count));
});

/** Leaves a computation that never ends to a timer. */
export const leaveSpin = task(import.meta, function leaveSpin(): void {
  setTimeout(() => {
    for (;;);
  }, 0);
});
