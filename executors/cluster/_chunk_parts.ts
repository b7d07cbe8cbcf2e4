/**
 * A chunk of `map` whose results took more than one message may, so that its host has told of the first ones only. The others are run
 * again, in parts of as many as were told of, one after the other.
 *
 * @module
 */

import type { ChunkOutcome } from "../_chunk.ts";
import type { NewJob } from "./_engine.ts";

/** What was told of such a chunk so far. */
export class ChunkParts {
  readonly #order: NewJob;
  /** The arguments of all calls, as they are written. */
  readonly #items: readonly unknown[];
  readonly #entries: unknown[] = [];
  readonly #failed: number[] = [];
  readonly #partMs: number;
  /** How many were told of at once, where fewest were. */
  #size = Infinity;
  #parts = 0;

  /**
   * @param order The whole chunk.
   * @param partMs How long a chunk should take.
   */
  constructor(order: NewJob, partMs: number) {
    this.#order = order;
    this.#items = JSON.parse(order.data.args);
    this.#partMs = partMs;
  }

  /** Takes in what was told of a part. */
  add([, entries, failed]: ChunkOutcome): void {
    const start = this.#entries.length;
    for (const entry of entries) this.#entries.push(entry);
    for (const i of failed) this.#failed.push(start + i);
    this.#size = Math.min(this.#size, entries.length);
    this.#parts++;
  }

  /** The job of the next part, under an id of its own as the broker has the last one's yet; `undefined` when all were told of. */
  next(): NewJob | undefined {
    const { id, data } = this.#order;
    const start = this.#entries.length * data.arity;
    if (start >= this.#items.length) return undefined;
    const args = JSON.stringify(this.#items.slice(start, start + this.#size * data.arity));
    // Some of these have been run before.
    const part = { ...data, args, returns: this.#parts };
    return { ...this.#order, id: `${id}-${this.#parts}`, data: part };
  }

  /** What the whole chunk has come to: told to have taken so long that chunks of a part's size are chosen from now on. */
  get outcome(): ChunkOutcome {
    return [this.#partMs * this.#entries.length / this.#size, this.#entries, this.#failed];
  }
}
