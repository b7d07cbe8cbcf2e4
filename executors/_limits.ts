/**
 * A task's own limits: its timeout and its signal.
 *
 * @module
 */

import { whenAborted } from "../_platform/aborts.ts";
import { nowMs } from "../_platform/clock.ts";
import { TimeoutError } from "../sync/errors.ts";
import type { Deadline } from "./_deadlines.ts";
import type { TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";

/** Calls back at a time. */
interface Clock {
  at(atMs: number, run: () => void): Deadline;
}

/** Gives a task up when its signal aborts or its time is up, unless its future is done by then. */
export function limitTask(
  future: Future<unknown>,
  { timeout, signal }: TaskOptions,
  clock: Clock,
  giveUp: (error: unknown) => void,
): void {
  if (signal?.aborted === true) return giveUp(signal.reason);
  const isLimited = timeout !== undefined && timeout !== null && timeout !== Infinity;
  if (!isLimited && signal === undefined) return;
  const deadline = !isLimited ? undefined : clock.at(nowMs() + timeout, () => {
    giveUp(new TimeoutError(`Cannot finish task: it was not done within ${timeout} ms`));
  });
  const stopListening = whenAborted(signal, () => giveUp(signal!.reason));
  futureInternals.whenDone(future, () => {
    stopListening();
    deadline?.cancel();
  });
}
