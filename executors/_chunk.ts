/**
 * Several calls of one function as one task: what `map` sends.
 *
 * @module
 */

/**
 * What a chunk returns: milliseconds it took; one entry a call, the value or the error; the numbers of the calls whose
 * entry is an error.
 */
export type ChunkOutcome = [elapsedMs: number, entries: unknown[], failed: number[]];

/** The error that a call of a chunk has thrown, the first if several have; boxed. */
export function errorIn(
  [, entries, failed]: ChunkOutcome,
): { readonly error: unknown } | undefined {
  return failed.length === 0 ? undefined : { error: entries[failed[0]] };
}

/** True for what has to be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** A chunk under way. The calls follow one another; an error of one leaves the others alone. */
export class ChunkRun {
  readonly entries: unknown[];
  readonly failed: number[] = [];
  readonly #call: (...args: unknown[]) => unknown;
  readonly #items: readonly unknown[];
  readonly #arity: number;
  #next = 0;

  /** @param items The arguments of all calls, one after another, `arity` each. */
  constructor(call: (...args: unknown[]) => unknown, items: readonly unknown[], arity: number) {
    this.#call = call;
    this.#items = items;
    this.#arity = arity;
    this.entries = new Array<unknown>(items.length / arity);
  }

  /** Calls until a call returns a promise, which is returned and to be given to {@linkcode take}; or to the end. */
  advance(): PromiseLike<unknown> | undefined {
    const call = this.#call;
    const items = this.#items;
    const arity = this.#arity;
    const { entries } = this;
    for (; this.#next < entries.length; this.#next++) {
      const i = this.#next;
      try {
        const value = arity === 1
          ? call(items[i])
          : call(...items.slice(i * arity, (i + 1) * arity));
        if (isThenable(value)) return value;
        entries[i] = value;
      } catch (error) {
        this.fail(i, error);
      }
    }
    return undefined;
  }

  /** Awaits what {@linkcode advance} returned, and goes on to the end. */
  async finish(pending: PromiseLike<unknown> | undefined): Promise<void> {
    while (pending !== undefined) {
      const i = this.#next;
      try {
        this.entries[i] = await pending;
      } catch (error) {
        this.fail(i, error);
      }
      this.#next++;
      pending = this.advance();
    }
  }

  /** How far the chunk is, when the call under way is that far. */
  share(fraction: number): number {
    // A report may come late, from what a call has left behind.
    return Math.min(1, (this.#next + fraction) / this.entries.length);
  }

  /** Makes the entry of a call an error. */
  fail(i: number, error: unknown): void {
    this.entries[i] = error;
    this.failed.push(i);
  }
}
