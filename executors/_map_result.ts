/**
 * The results of `map`, as the program sees them.
 *
 * A loop that ends by an error does not close its iterator: `for await` does not call `return`
 * after `next` has rejected, and a program that drops an iterator does not either. The run would
 * keep its inputs open, and go on reading them, for nobody. So when results are dropped after
 * reading them has begun, their run is ended, as Python ends a generator that nobody refers to any
 * more. A run whose results nobody has begun to read is not ended: its items run to the end.
 *
 * Futures, inputs and signals hold the run only, never the object that the program has; only a wait
 * for a result holds that object.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { checkCount, checkSignal } from "../_platform/options.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { isInput, type MapInput } from "./_map_inputs.ts";
import { type MapOptions, MapRun } from "./_map_run.ts";
import { type HasStanding, STANDING, type Standing } from "./_standing.ts";

/**
 * Results of `map`, in order, each handed out once. Both ways of iterating draw from the same
 * results.
 *
 * Leaving a loop by `break` or `return` cancels what has not started, and closes the inputs. After
 * a loop that an error has ended, another loop can read the rest; without one, the same happens
 * once nothing refers to the results any more.
 *
 * @typeParam T What the function returns.
 */
export interface MapResult<T> extends AsyncIterable<T>, Iterable<T> {
  /** Iterates without blocking. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
  /** Iterates, blocking this thread while the next result is not there yet. */
  [Symbol.iterator](): IterableIterator<T>;
  /**
   * All results that were not handed out yet. Rejects with the first error; the results after it
   * can still be read.
   */
  toArray(): Promise<T[]>;
  /** All results that were not handed out yet, like {@linkcode toArray}, blocking this thread. */
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

  /** Returns the run; from now on it is ended when the results are dropped. */
  #begin(): MapRun {
    const run = this.#run;
    if (this.#isBegun) return run;
    this.#isBegun = true;
    if (run.isOver) return run;
    dropped.register(this, run, run);
    // The registration would otherwise keep the run alive for as long as anything that the run
    // holds keeps the results alive.
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
      next: () => this.#run.readSync(), // Through this object, so that the iterator keeps it alive.
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
    throw new TypeError(`Cannot map: expected a function, got ${describe(fn)}`);
  }
  const last = args[args.length - 1];
  const hasOptions = args.length > 0 && !isInput(last);
  const options = (hasOptions ? last ?? {} : {}) as MapOptions;
  const inputs = hasOptions ? args.slice(0, -1) : args;
  checkOptions(options);
  for (const input of inputs) {
    if (!isInput(input)) {
      throw new TypeError(`Cannot map: expected an iterable, got ${describe(input)}`);
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
    throw new TypeError(`Cannot map: expected options or an iterable, got ${describe(options)}`);
  }
  checkTimeout(options.timeout);
  checkSignal("map", options.signal);
  checkCount("map", "chunksize", options.chunksize);
  checkCount("map", "buffersize", options.buffersize ?? undefined);
}
