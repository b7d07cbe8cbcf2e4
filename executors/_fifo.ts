/**
 * A list that is filled at one end and emptied at the other.
 *
 * @module
 */

/** How many dropped items are kept before the list is moved up. */
const MOST_DROPPED = 1_024;

/** First in, first out. Unlike `Array.shift`, dropping one of very many does not move the others. */
export class Fifo<T> {
  readonly #items: (T | undefined)[] = [];
  #dropped = 0;

  get length(): number {
    return this.#items.length - this.#dropped;
  }

  /** The oldest item; there must be one. */
  get first(): T {
    return this.#items[this.#dropped] as T;
  }

  /** The newest item; `undefined` if there is none. */
  get last(): T | undefined {
    return this.#items.at(-1);
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Drops the oldest item. */
  drop(): void {
    this.#items[this.#dropped++] = undefined;
    if (this.length > 0 && (this.#dropped < MOST_DROPPED || this.#dropped < this.length)) return;
    this.#items.splice(0, this.#dropped);
    this.#dropped = 0;
  }
}
