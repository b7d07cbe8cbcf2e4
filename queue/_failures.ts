/**
 * The errors of queues, with their texts.
 *
 * @module
 */

import { Empty, Full, LostItemsError, ShutDown } from "./errors.ts";

/**
 * The error of a call that the queue's end forbids; of a put of many, after so many that went well.
 */
export function shutDownError(label: string, act: "put" | "get", count = 0): ShutDown {
  return Object.assign(new ShutDown(`Cannot ${act}: ${label} was shut down`), { count });
}

/** The error of a get that found nothing. */
export function emptyError(label: string): Empty {
  return new Empty(`Cannot get: ${label} is empty`);
}

/** The error of a put that found no room, after so many that did. */
export function fullError(label: string, state: string, count: number): Full {
  return Object.assign(new Full(`Cannot put: ${label} is full, it ${state}`), { count });
}

/** The error of a join that would wait for ever. */
export function lostItemsError(
  label: string,
  count: number,
  threads: readonly string[],
): LostItemsError {
  const names = threads.map((name) => `"${name}"`).join(", ");
  return Object.assign(
    new LostItemsError(
      `Cannot join ${label}: ${count} items were taken by threads that ended without taskDone: ${names}`,
    ),
    { count },
  );
}
