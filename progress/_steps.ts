/**
 * Iterators that tell a meter how far they are. They pass on what the iterator behind them gives.
 * They are written by hand, because an async generator would take futures for promises and await
 * them.
 *
 * @module
 */

import { display } from "./_display.ts";
import { Meter, type MeterSettings } from "./_meter.ts";
import type { Ending } from "./_text.ts";

/** How many items may pass between two readings of the clock while they come fast. */
const MOST_UNSEEN = 16;
/** Items come fast if less time than this passes between two readings of the clock. */
const FAST_MS = 1;

/** One loop and its meter. */
export class Steps {
  readonly #settings: MeterSettings;
  #meter: Meter | undefined;
  #isOpen = false;
  /** Whether nothing more will come. */
  #isOver = false;
  #handedOut = 0;
  /** Steps until the clock is read again. */
  #unseen = 1;
  #lookedMs = 0;

  constructor(settings: MeterSettings) {
    this.#settings = settings;
  }

  /** Called when the next item is asked for: the loop has finished with those that it was given. */
  protected ask(): void {
    if (!this.#isOpen) this.#open();
    this.#meter!.count = this.#handedOut;
    if (--this.#unseen === 0) this.#look();
  }

  /** Called when an item has come, or the end. */
  protected took(isDone: boolean | undefined): void {
    if (isDone) this.close("complete");
    else this.#handedOut++;
  }

  /**
   * Shows how the loop ended. After a failure the loop may ask for another item; then it goes on.
   */
  protected close(ending: Ending): void {
    if (ending !== "failed") this.#isOver = true;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    display.close(this.#meter!, ending);
  }

  /** Shows that the loop was stopped, if it has not ended already. */
  leave(): void {
    this.close("stopped");
  }

  #open(): void {
    this.#meter ??= new Meter(this.#settings);
    if (this.#isOver) return;
    this.#isOpen = true;
    display.open(this.#meter);
  }

  #look(): void {
    const timeMs = display.look();
    this.#unseen = timeMs - this.#lookedMs < FAST_MS ? MOST_UNSEEN : 1;
    this.#lookedMs = timeMs;
  }

  /** Shows the meter while `take` takes all items at once. */
  async during<R>(take: () => Promise<R>): Promise<R> {
    this.#open();
    try {
      const taken = await take();
      this.close("complete");
      return taken;
    } catch (error) {
      this.close("failed");
      throw error;
    }
  }

  /** Shows the meter while `take` takes all items at once, blocking the thread. */
  duringSync<R>(take: () => R): R {
    this.#open();
    try {
      const taken = take();
      this.close("complete");
      return taken;
    } catch (error) {
      this.close("failed");
      throw error;
    }
  }
}

/** A blocking loop. */
export class SyncSteps<T> extends Steps implements IterableIterator<T> {
  readonly #inner: Iterator<T>;

  constructor(inner: Iterator<T>, settings: MeterSettings) {
    super(settings);
    this.#inner = inner;
  }

  /** See `Iterator`. */
  next(value?: unknown): IteratorResult<T> {
    this.ask();
    return this.#pass(() => this.#inner.next(value as undefined));
  }

  /** See `Iterator`. */
  return(value?: unknown): IteratorResult<T> {
    this.close("stopped");
    return this.#inner.return?.(value) ?? { done: true, value };
  }

  /** See `Iterator`. */
  throw(error?: unknown): IteratorResult<T> {
    return this.#pass(() => {
      if (this.#inner.throw !== undefined) return this.#inner.throw(error);
      this.#inner.return?.();
      throw error;
    });
  }

  /** Returns this iterator. */
  [Symbol.iterator](): this {
    return this;
  }

  #pass(step: () => IteratorResult<T>): IteratorResult<T> {
    let result: IteratorResult<T>;
    try {
      result = step();
    } catch (error) {
      this.close("failed");
      throw error;
    }
    this.took(result.done);
    return result;
  }
}

/** A loop that awaits. */
export class AsyncSteps<T> extends Steps implements AsyncIterableIterator<T> {
  readonly #inner: AsyncIterator<T>;
  readonly #onResult = (result: IteratorResult<T>): IteratorResult<T> => {
    this.took(result.done);
    return result;
  };
  readonly #onError = (error: unknown): never => {
    this.close("failed");
    throw error;
  };

  constructor(inner: AsyncIterator<T>, settings: MeterSettings) {
    super(settings);
    this.#inner = inner;
  }

  /** See `AsyncIterator`. */
  next(value?: unknown): Promise<IteratorResult<T>> {
    this.ask();
    return this.#pass(() => this.#inner.next(value as undefined));
  }

  /** See `AsyncIterator`. */
  async return(value?: unknown): Promise<IteratorResult<T>> {
    this.close("stopped");
    return await this.#inner.return?.(value) ?? { done: true, value };
  }

  /** See `AsyncIterator`. */
  throw(error?: unknown): Promise<IteratorResult<T>> {
    return this.#pass(async () => {
      if (this.#inner.throw !== undefined) return await this.#inner.throw(error);
      await this.#inner.return?.();
      throw error;
    });
  }

  /** Returns this iterator. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Adds one promise for each item, and no closure: an `async` function would cost twice as much.
   */
  #pass(step: () => Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    let result: Promise<IteratorResult<T>>;
    try {
      result = step();
    } catch (error) {
      return this.#onError(error);
    }
    return Promise.resolve(result).then(this.#onResult, this.#onError);
  }
}
