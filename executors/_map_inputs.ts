/**
 * The inputs that `map` reads, and how many items go into a task.
 *
 * @module
 */

import { isThenable } from "./_chunk.ts";

/** An input of `map`. */
export type MapInput<T> = Iterable<T> | AsyncIterable<T>;

/** How much larger than one chunk the next may be. */
const GROWTH = 16;
/** The most items in a task when no chunk size is given. */
const MAX_CHUNK = 1 << 16;
/** Chunks in flight per worker: one that runs and one that waits. */
export const IN_FLIGHT_PER_WORKER = 2;

/** Chooses how many items go into a task. */
export class ChunkSizer {
  readonly #fixed: number | undefined;
  readonly #concurrency: number;
  readonly #chunkMs: number;
  #size = 1;

  /**
   * @param chunkMs Milliseconds that a chunk should take: long compared with dispatching it, short
   * for a caller that waits for it.
   */
  constructor(fixed: number | undefined, concurrency: number, chunkMs: number) {
    this.#fixed = fixed;
    this.#concurrency = concurrency;
    this.#chunkMs = chunkMs;
  }

  get isAdaptive(): boolean {
    return this.#fixed === undefined;
  }

  /** Size of the next chunk, when `available` items are left or more may come (`Infinity`). */
  next(available: number): number {
    if (this.#fixed !== undefined) return this.#fixed;
    const share = Math.ceil(available / (IN_FLIGHT_PER_WORKER * this.#concurrency));
    return Math.max(1, Math.min(this.#size, share));
  }

  /** Adapts the size to the time that a chunk took. */
  observe(count: number, elapsedMs: number): void {
    const ideal = Math.floor(this.#chunkMs * count / elapsedMs);
    const limit = Math.min(MAX_CHUNK, Math.max(count, this.#size) * GROWTH);
    this.#size = Math.max(1, Math.min(ideal, limit));
  }
}

/** Reads several inputs in parallel, up to the end of the shortest. */
export class Inputs {
  readonly arity: number;
  readonly isAsync: boolean;
  /** How many items there are to read; `undefined` when only reading to the end tells. */
  readonly length: number | undefined;
  readonly #iterators: (Iterator<unknown> | AsyncIterator<unknown>)[];

  constructor(inputs: readonly MapInput<unknown>[]) {
    this.arity = inputs.length;
    this.isAsync = inputs.some(isAsyncIterable);
    const lengths = inputs.map(lengthOf);
    if (lengths.every((length) => length !== undefined)) this.length = Math.min(...lengths);
    this.#iterators = inputs.map((input) =>
      isAsyncIterable(input) ? input[Symbol.asyncIterator]() : input[Symbol.iterator]()
    );
  }

  /**
   * Appends the next item of each input, or returns false if one has ended; the inputs after that
   * one are then not read.
   */
  pullSync(items: unknown[]): boolean {
    const results: IteratorResult<unknown>[] = [];
    for (const it of this.#iterators as Iterator<unknown>[]) {
      const result = it.next();
      results.push(result);
      if (result.done) break;
    }
    return this.#append(items, results);
  }

  /** Appends the next item of each input, all read at once, or returns false if one has ended. */
  async pull(items: unknown[]): Promise<boolean> {
    return this.#append(items, await Promise.all(this.#iterators.map((it) => it.next())));
  }

  #append(items: unknown[], results: IteratorResult<unknown>[]): boolean {
    if (results.some(({ done }) => done)) {
      this.close();
      return false;
    }
    for (const { value } of results) items.push(value);
    return true;
  }

  /** Closes the inputs. An error of one is logged, as nobody reads results any more. */
  close(): void {
    for (const it of this.#iterators) {
      try {
        const closed: unknown = it.return?.();
        if (isThenable(closed)) closed.then(undefined, logClosing);
      } catch (error) {
        logClosing(error);
      }
    }
  }
}

function logClosing(error: unknown): void {
  console.error("Error in closing an input of map, ignored:", error);
}

/** How many items an iterable has, if that is known without reading it. */
export function lengthOf(iterable: unknown): number | undefined {
  if (Array.isArray(iterable)) return iterable.length;
  if (iterable instanceof Set || iterable instanceof Map) return iterable.size;
  if (ArrayBuffer.isView(iterable) && "length" in iterable) return iterable.length as number;
  return undefined;
}

/** True for a value that `map` can read. */
export function isInput(value: unknown): boolean {
  if (typeof value === "string") return true;
  return typeof value === "object" && value !== null &&
    (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function isAsyncIterable(value: MapInput<unknown>): value is AsyncIterable<unknown> {
  return typeof value === "object" && Symbol.asyncIterator in value;
}
