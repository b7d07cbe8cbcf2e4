/**
 * A cache of the numbers that functions have in a pool's catalog.
 *
 * @module
 */

import type { Catalog } from "./_catalog.ts";
import { type AnyFunction, targetOf } from "./_target.ts";

/** The numbers of the functions that are submitted to a pool. */
export class FunctionNumbers {
  readonly #catalog: Catalog;
  readonly #numbers = new WeakMap<AnyFunction, number>();
  #last: AnyFunction | undefined;
  #lastNumber = 0;
  /** How often the last function has been submitted in a row, not counting the first time. */
  streak = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /**
   * The number of a function.
   *
   * @throws {NotShareableError} When the function cannot be sent.
   */
  of(fn: AnyFunction): number {
    if (fn === this.#last) {
      this.streak++;
      return this.#lastNumber;
    }
    this.streak = 0;
    let number = this.#numbers.get(fn);
    if (number === undefined) {
      number = this.#catalog.numberOf(targetOf(fn));
      this.#numbers.set(fn, number);
    }
    this.#last = fn;
    this.#lastNumber = number;
    return number;
  }
}
