/**
 * What `then` on a future does: it calls back in a microtask after the outcome is known.
 *
 * A promise for each future, and a job for each of its reactions, would be the largest part of the
 * cost of a small task. So a future keeps what `then` was given, and one microtask delivers the
 * outcomes of many futures that arrive together. Nor is the promise that `then` returns made before
 * a method of it is called: `await` on a future never calls one.
 *
 * States of a subscription:
 *
 *   WAITING              -> FULFILLED, REJECTED   deliver()   the outcome is known
 *   FULFILLED, REJECTED  -> SETTLED               run()       the callback was called, if there is
 *                                                             one for the outcome
 *
 * Invariant: a subscription that is SETTLED without a promise has a plain value. An error gets its
 * promise at once, so that it is reported as unhandled unless it is handled; so does a thenable, as
 * its `then` must be called at once.
 *
 * @module
 */

import { soon } from "../_platform/timers.ts";
import { callIn, type Context, contextHere } from "../sync/_contexts.ts";
import { isThenable } from "./_chunk.ts";

type Callback = ((outcome: unknown) => unknown) | null | undefined;

const WAITING = 0;
const FULFILLED = 1;
const REJECTED = 2;
const SETTLED = 3;

/** Why a promise fails that would follow itself, and so never settle. */
const CYCLE =
  "Cannot settle promise: the callback that settles it has returned it; return something else";

/** What `then` was given, and what it returned: a promise, as far as its methods go. */
export class Subscription implements Promise<unknown> {
  readonly #onFulfilled: Callback;
  readonly #onRejected: Callback;
  /**
   * The asynchronous context in which the callbacks run, as with a promise: that of the call of
   * `then`.
   */
  readonly #context: Context | undefined = contextHere();
  #state = WAITING;
  /** The future's outcome; in SETTLED, the result of the callback. */
  #value: unknown = undefined;
  #promise: Promise<unknown> | undefined = undefined;
  /** Settles `#promise`, if it was made before there was anything to settle it with. */
  #settle: ((outcome: unknown) => void) | undefined = undefined;

  constructor(onFulfilled: Callback, onRejected: Callback) {
    this.#onFulfilled = onFulfilled;
    this.#onRejected = onRejected;
  }

  /** Delivers the outcome in a microtask, after those before it. */
  deliver(isFulfilled: boolean, outcome: unknown): void {
    this.#state = isFulfilled ? FULFILLED : REJECTED;
    this.#value = outcome;
    if (due.push(this) === 1) soon(deliverDue);
  }

  /** Calls back, and settles. */
  run(): void {
    const isFulfilled = this.#state === FULFILLED;
    const callback = isFulfilled ? this.#onFulfilled : this.#onRejected;
    this.#state = SETTLED;
    try {
      if (typeof callback === "function") {
        this.#value = callIn(this.#context, callback, this.#value);
        if (this.#value === this) throw new TypeError(CYCLE);
      } else if (!isFulfilled) return this.#fail(this.#value);
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#settle !== undefined) this.#settle(this.#value);
    else this.#follow();
  }

  /** Follows the callback's value, if that has a `then`, which must be called once, and now. */
  #follow(): void {
    try {
      if (isThenable(this.#value)) this.#promise = Promise.resolve(this.#value);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#value = undefined;
    const rejected = Promise.reject(error);
    if (this.#settle !== undefined) this.#settle(rejected);
    else this.#promise = rejected;
  }

  /** The promise that this object stands for. */
  #asked(): Promise<unknown> {
    if (this.#promise !== undefined) return this.#promise;
    this.#promise = this.#state === SETTLED
      ? Promise.resolve(this.#value)
      : new Promise((resolve) => this.#settle = resolve);
    return this.#promise;
  }

  then<A = unknown, B = never>(
    onFulfilled?: ((value: unknown) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#asked().then(onFulfilled, onRejected) as Promise<A | B>;
  }

  catch<B = never>(
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<unknown> {
    return this.#asked().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<unknown> {
    return this.#asked().finally(onFinally);
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }
}

/** Outcomes to be delivered, oldest first. */
let due: Subscription[] = [];

function deliverDue(): void {
  // Subscriptions that a callback adds are delivered by a microtask of their own, as with promises.
  const now = due;
  due = [];
  for (const subscription of now) subscription.run();
}
