/**
 * The errors of queues, with their texts.
 *
 * @module
 */

import { Empty, Full, LostItemsError, ShutDown } from "./errors.ts";

/**
 * The error of a call to a queue that was shut down; for a put of several items, after `count` were
 * put.
 */
export function shutDownError(label: string, act: "put" | "get", count = 0): ShutDown {
  return Object.assign(new ShutDown(`Cannot ${act}: ${label} was shut down`), { count });
}

/** The error of a get that found nothing. */
export function emptyError(label: string): Empty {
  return new Empty(`Cannot get: ${label} is empty`);
}

/** The error of a put that found no room, after `count` items that did. */
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
