/**
 * How far an iterable of this package is, for code that displays it.
 *
 * @module
 */

/** How far a number of tasks, or of items of `map`, are. */
export interface Standing {
  /** Those that are done, whatever came of them. */
  readonly done: number;
  /** The sum of what the others report: half a task for one that is halfway. */
  readonly reported: number;
  /** All of them; `undefined` when that is not known. */
  readonly total: number | undefined;
}

/** The method of an iterable that returns its standing. Not a part of the public types. */
export const STANDING: unique symbol = Symbol("standing");

/** An iterable that knows how far its tasks are, whatever has been handed out of them. */
export interface HasStanding {
  [STANDING](): Standing;
}
