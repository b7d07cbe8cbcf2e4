/**
 * A chunk of `map` whose results together exceed `maxResultBytes`, so that its host has reported
 * only the first ones. The other calls are run again, one part after the other, each of as many
 * calls as were reported.
 *
 * @module
 */

import type { ChunkOutcome } from "../_chunk.ts";
import type { NewJob } from "./_engine.ts";

/** The results of such a chunk that were reported so far. */
export class ChunkParts {
  readonly #order: NewJob;
  /** The encoded arguments of all calls. */
  readonly #items: readonly unknown[];
  readonly #entries: unknown[] = [];
  readonly #failed: number[] = [];
  readonly #partMs: number;
  /** The least number of results that one report had. */
  #size = Infinity;
  #parts = 0;

  /**
   * @param order The whole chunk.
   * @param partMs How many milliseconds a chunk should take.
   */
  constructor(order: NewJob, partMs: number) {
    this.#order = order;
    this.#items = JSON.parse(order.data.args);
    this.#partMs = partMs;
  }

  /** Adds the results that were reported of a part. */
  add([, entries, failed]: ChunkOutcome): void {
    const start = this.#entries.length;
    for (const entry of entries) this.#entries.push(entry);
    for (const i of failed) this.#failed.push(start + i);
    this.#size = Math.min(this.#size, entries.length);
    this.#parts++;
  }

  /**
   * The job of the next part, under an id of its own, as the broker still has that of the last
   * part; `undefined` when all results were reported.
   */
  next(): NewJob | undefined {
    const { id, data } = this.#order;
    const start = this.#entries.length * data.arity;
    if (start >= this.#items.length) return undefined;
    const args = JSON.stringify(this.#items.slice(start, start + this.#size * data.arity));
    // As `returns` says, some of these calls have been run before.
    const part = { ...data, args, returns: this.#parts };
    return { ...this.#order, id: `${id}-${this.#parts}`, data: part };
  }

  /**
   * The outcome of the whole chunk. The time in it is such that chunks of a part's size are chosen
   * from now on.
   */
  get outcome(): ChunkOutcome {
    return [this.#partMs * this.#entries.length / this.#size, this.#entries, this.#failed];
  }
}
