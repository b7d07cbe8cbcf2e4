/**
 * The task of a stream, in the worker that runs it: iterates what the function returned, as far as
 * values are wanted.
 *
 * Each value is passed on as soon as it is there, and the next one is not computed before there is
 * room for it.
 *
 *   waits for room     while the credit is used up             ended by request(), stop()
 *   waits for a value  of an asynchronous iterator             ended by the value, stop()
 *   waits to pass on   while the way to the consumer is full   ended by whoever empties it
 *
 * Once the task is stopped, the iterator's `return()` is called as soon as the iterator can take
 * the call, so that its `finally` blocks run; what it yields or throws before that is dropped. What
 * `return()` throws is the task's error.
 *
 * @module
 */

import { nowMs } from "../_platform/clock.ts";
import { isThenable } from "./_chunk.ts";

/** How long the function runs before the event loop may turn. */
const TURN_MS = 5;
/** The most values between two readings of the clock. */
const MOST_BETWEEN_CLOCKS = 64;

/** The way to the consumer. */
export interface StreamOutlet {
  /**
   * Passes a value on, now or when there is room. Returns how much credit the value took.
   *
   * @throws {unknown} When it cannot be sent.
   */
  put(value: unknown): number | Promise<number>;
  /**
   * Takes in what the consumer has said, which calls {@linkcode StreamDriver.request} and
   * {@linkcode StreamDriver.stop}.
   */
  poll(): void;
  /**
   * Says that the function has failed by itself; {@linkcode StreamDriver.run} will reject with its
   * error.
   */
  failing(): void;
  /** A promise for a turn of the event loop. */
  turn(): Promise<void>;
}

/** The methods that synchronous and asynchronous iterators share. */
interface AnyIterator {
  next(): IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>>;
  return?(): unknown;
}

/** Iterates for a consumer. */
export class StreamDriver {
  readonly #outlet: StreamOutlet;
  /** How much may still be passed on; a large value may take it below 0. */
  #credit: number;
  #isStopped = false;
  /** True while the iterator is at a `yield`, or has not begun: it can be closed. */
  #isSuspended = false;
  #onCredit: (() => void) | undefined;
  #onStop: (() => void) | undefined;
  #turnEndMs = 0;
  /** Values from one reading of the clock to the next, and how many of them are left. */
  #clockEvery = 1;
  #untilClock = 1;

  constructor(outlet: StreamOutlet, credit: number) {
    this.#outlet = outlet;
    this.#credit = credit;
  }

  /** Adds to how much may be passed on. */
  request(credit: number): void {
    this.#credit += credit;
    if (this.#credit > 0) this.#onCredit?.();
  }

  /** Makes the iterator close. */
  stop(): void {
    this.#isStopped = true;
    this.#onCredit?.();
    this.#onStop?.();
  }

  /** Runs the task; rejects with its error. */
  async run(call: () => unknown): Promise<void> {
    let iterator: AnyIterator | undefined;
    try {
      const returned = call();
      const iterable = isThenable(returned) ? await returned : returned;
      const asAsync = asyncIteratorOf(iterable);
      iterator = asAsync ?? iteratorOf(iterable);
      this.#isSuspended = true;
      if (await this.#iterate(iterator, asAsync !== undefined)) return;
    } catch (error) {
      if (!this.#isStopped) {
        this.#outlet.failing();
        if (this.#isSuspended) await closeQuietly(iterator!);
        throw error;
      }
      if (!this.#isSuspended) return;
    }
    await iterator!.return?.();
  }

  /** Passes all values on; true at their end, false when the task was stopped first. */
  async #iterate(iterator: AnyIterator, isAsync: boolean): Promise<boolean> {
    const outlet = this.#outlet;
    while (!this.#isStopped) {
      if (this.#credit <= 0) {
        await new Promise<void>((resolve) => this.#onCredit = resolve);
        this.#onCredit = undefined;
        continue;
      }
      this.#isSuspended = false; // An iterator that throws must not be closed.
      const step = iterator.next();
      const result = isAsync ? await this.#unlessStopped(step) : step as IteratorResult<unknown>;
      this.#isSuspended = true;
      if (result === STOPPED) break;
      if (Object(result) !== result) {
        this.#isSuspended = false;
        throw new TypeError(`Cannot read iterator: next() returned ${String(result)}, no object`);
      }
      if (result.done) return true;
      const { value } = result;
      const plain = isThenable(value) ? await this.#unlessStopped(value) : value;
      if (plain === STOPPED) break;
      const cost = outlet.put(plain);
      // Awaited before `#credit` is read, which grows meanwhile.
      const paid = typeof cost === "number" ? cost : await cost;
      this.#credit -= paid;
      outlet.poll();
      if (--this.#untilClock === 0 && this.#isTurnOver()) {
        await outlet.turn();
        this.#turnEndMs = nowMs() + TURN_MS;
      }
    }
    return false;
  }

  /** What a promise resolves to, or {@linkcode STOPPED}, whichever comes first. */
  #unlessStopped<T>(promise: T | PromiseLike<T>): Promise<T | typeof STOPPED> {
    return new Promise((resolve, reject) => {
      this.#onStop = (): void => resolve(STOPPED);
      // The function itself may have blocked, and this thread taken in the stop meanwhile. What
      // becomes of the function's promise is then ignored.
      if (this.#isStopped) this.#onStop();
      if (isThenable(promise)) promise.then(resolve as (value: unknown) => void, reject);
      else resolve(promise);
    });
  }

  /**
   * Reads the clock; true when the event loop must turn. The faster values come, the more of them
   * pass before the clock is read again.
   */
  #isTurnOver(): boolean {
    const remaining = this.#turnEndMs - nowMs();
    this.#clockEvery = remaining > TURN_MS / 2
      ? Math.min(MOST_BETWEEN_CLOCKS, this.#clockEvery * 2)
      : 1;
    this.#untilClock = this.#clockEvery;
    return remaining <= 0;
  }
}

/** Stands for a value that nobody waits for any more. */
const STOPPED: unique symbol = Symbol("stopped");

function asyncIteratorOf(iterable: unknown): AnyIterator | undefined {
  return (iterable as Partial<AsyncIterable<unknown>> | null | undefined)
    ?.[Symbol.asyncIterator]?.() as AnyIterator | undefined;
}

function iteratorOf(iterable: unknown): AnyIterator {
  const iterate = (iterable as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator];
  if (typeof iterate === "function") return iterate.call(iterable) as AnyIterator;
  throw new TypeError(
    `Cannot stream: the function returned ${
      describeKind(iterable)
    }, which cannot be iterated; make it a generator function, or return an array`,
  );
}

function describeKind(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (value === null || typeof value !== "object") return String(value);
  return `an object of ${value.constructor?.name ?? "no class"}`;
}

async function closeQuietly(iterator: AnyIterator): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The first error counts.
  }
}
