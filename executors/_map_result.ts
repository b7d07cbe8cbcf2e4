/**
 * The results of `map`, as the program has them.
 *
 * A loop that throws does not say that it wants no more: `for await` leaves an iterator whose `next` has rejected as it is, and so
 * does whoever drops one. Its run would keep its inputs open, and go on with them, for nobody. So a run whose results were
 * begun to be read, and are dropped, is ended, as Python ends a generator that nobody refers to any more. One that nobody has
 * begun to read is not: its items run to the end.
 *
 * What others hold for good (futures, inputs, signals) is the run, and never the object that the program has; a wait for a result
 * holds that.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { isInput, type MapInput } from "./_map_inputs.ts";
import { type MapOptions, MapRun } from "./_map_run.ts";
import { type HasStanding, STANDING, type Standing } from "./_standing.ts";

/**
 * Results of `map`, in order, each handed out once. Both ways of iterating draw from the same results.
 *
 * A loop that is left by `break` or `return` cancels what has not started, and closes the inputs. One that an error ends can be
 * followed by another one for the rest; without such, the same is done once nothing refers to the results any more.
 *
 * @typeParam T What the function returns.
 */
export interface MapResult<T> extends AsyncIterable<T>, Iterable<T> {
  /** Iterates without blocking. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
  /** Iterates, blocking this thread where a result is not there yet. */
  [Symbol.iterator](): IterableIterator<T>;
  /** All results that were not handed out yet; rejects with the first error, behind which the rest can be read. */
  toArray(): Promise<T[]>;
  /** The same, blocking this thread. */
  toArraySync(): T[];
}

/** Ends runs whose results the program has dropped. */
const dropped = new FinalizationRegistry<MapRun>((run) => run.leave());

class Results implements MapResult<unknown>, HasStanding {
  readonly #run: MapRun;
  #isBegun = false;

  constructor(run: MapRun) {
    this.#run = run;
  }

  /** The run, whose results are read from now on. */
  #begin(): MapRun {
    const run = this.#run;
    if (this.#isBegun) return run;
    this.#isBegun = true;
    if (run.isOver) return run;
    dropped.register(this, run, run);
    // It would keep the run for as long as anything that this holds keeps the results.
    run.onOver = () => dropped.unregister(run);
    return run;
  }

  /** See {@linkcode HasStanding}. */
  [STANDING](): Standing {
    return this.#run[STANDING]();
  }

  /** See {@linkcode MapResult}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    const run = this.#begin();
    const iterator: AsyncIterableIterator<unknown> = {
      next: () => run.read(this),
      return: (value) => {
        run.leave();
        return Promise.resolve({ done: true, value });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** See {@linkcode MapResult}. */
  [Symbol.iterator](): IterableIterator<unknown> {
    const run = this.#begin();
    const iterator: IterableIterator<unknown> = {
      next: () => this.#run.readSync(), // By this object, which lives as long as the iterator.
      return: (value) => {
        run.leave();
        return { done: true, value };
      },
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  /** See {@linkcode MapResult}. */
  async toArray(): Promise<unknown[]> {
    const run = this.#begin();
    const results: unknown[] = [];
    for (;;) {
      const result = run.isReady ? run.takeChunk(results) : await run.read(this);
      if (result === undefined) continue;
      if (result.done) return results;
      results.push(result.value);
    }
  }

  /** See {@linkcode MapResult}. */
  toArraySync(): unknown[] {
    const run = this.#begin();
    const results: unknown[] = [];
    for (;;) {
      const result = run.readSync();
      if (result.done) return results;
      results.push(result.value);
      while (run.isReady && run.takeChunk(results) === undefined);
    }
  }
}

/** Starts a call of `map`; the last argument may be its options. */
export function startMap(
  backend: ExecutorBackend,
  taskOptions: TaskOptions | undefined,
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
): MapResult<unknown> {
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot map: expected a function, got ${typeof fn}`);
  }
  const last = args[args.length - 1];
  const hasOptions = args.length > 0 && !isInput(last);
  const options = (hasOptions ? last ?? {} : {}) as MapOptions;
  const inputs = hasOptions ? args.slice(0, -1) : args;
  checkOptions(options);
  for (const input of inputs) {
    if (!isInput(input)) {
      throw new TypeError(`Cannot map: expected an iterable, got ${typeof input}`);
    }
  }
  if (inputs.length === 0) throw new TypeError("Cannot map: expected at least one iterable");
  if (taskOptions?.transfer !== undefined && taskOptions.transfer.length > 0) {
    throw new TypeError(
      "Cannot map: with({ transfer }) would move all with the first chunk; mark each item instead: transfer(item, [buffer])",
    );
  }
  return new Results(
    new MapRun(backend, taskOptions, fn, inputs as MapInput<unknown>[], options),
  );
}

function checkOptions(options: MapOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot map: expected options or an iterable, got ${options}`);
  }
  checkTimeout(options.timeout);
  checkCount("chunksize", options.chunksize);
  checkCount("buffersize", options.buffersize ?? undefined);
}

function checkCount(name: string, value: number | undefined): void {
  if (value === undefined) return;
  if (!Number.isInteger(value)) {
    throw new TypeError(`Cannot map: ${name} must be an integer, got ${value}`);
  }
  if (value < 1) throw new RangeError(`Cannot map: ${name} must be 1 or more, got ${value}`);
}
