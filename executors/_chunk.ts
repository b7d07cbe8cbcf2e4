/**
 * Several calls of one function as one task, as `map` submits them.
 *
 * @module
 */

/**
 * What a chunk returns: the milliseconds that it took; one entry per call, its value or its error;
 * the indexes of the calls whose entry is an error.
 */
export type ChunkOutcome = [elapsedMs: number, entries: unknown[], failed: number[]];

/** How many calls a task makes if it is a chunk of `map`, otherwise 0. */
export function chunkOf(args: readonly unknown[], arity: number): number {
  return arity === 0 ? 0 : args.length / arity;
}

/**
 * True for the outcome of a chunk of so many calls, or of the first of them. What another process
 * says can be anything.
 */
export function isChunkOutcome(value: unknown, calls: number): value is ChunkOutcome {
  if (!Array.isArray(value)) return false;
  const [elapsedMs, entries, failed] = value;
  return typeof elapsedMs === "number" && Array.isArray(entries) && Array.isArray(failed) &&
    entries.length > 0 && entries.length <= calls && failed.length <= entries.length;
}

/** The first error that a call of a chunk has thrown, boxed; `undefined` if none has. */
export function errorIn(
  [, entries, failed]: ChunkOutcome,
): { readonly error: unknown } | undefined {
  return failed.length === 0 ? undefined : { error: entries[failed[0]] };
}

/** True for a value that has to be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/**
 * A chunk under way. The calls run one after another; an error of one does not affect the others.
 */
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

  /**
   * Makes calls to the end, or until one returns a promise; that promise is returned, and must be
   * given to {@linkcode finish}.
   */
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

  /** Awaits what {@linkcode advance} returned, and runs the remaining calls to the end. */
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

  /** The progress of the chunk, when `fraction` of the present call is done. */
  share(fraction: number): number {
    // A report may come late, from asynchronous work that a finished call has left running.
    return Math.min(1, (this.#next + fraction) / this.entries.length);
  }

  /** Records the error of a call. */
  fail(i: number, error: unknown): void {
    this.entries[i] = error;
    this.failed.push(i);
  }
}
