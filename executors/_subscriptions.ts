/**
 * What `then` does on a future: calls back in a microtask after the outcome is known.
 *
 * A promise of its own for each future, and a job for each reaction of it, would be the largest part of the cost of a small
 * task. So a future keeps what `then` was given, and the outcomes of many futures that arrive together are delivered by one
 * microtask.
 *
 * @module
 */

/** What `then` was given, and the promise that it returned. */
export class Subscription {
  readonly #onFulfilled: ((value: unknown) => unknown) | null | undefined;
  readonly #onRejected: ((error: unknown) => unknown) | null | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #isFulfilled = false;
  #outcome: unknown = undefined;

  constructor(
    onFulfilled: ((value: unknown) => unknown) | null | undefined,
    onRejected: ((error: unknown) => unknown) | null | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.#onFulfilled = onFulfilled;
    this.#onRejected = onRejected;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Has the outcome delivered in a microtask, after those before it. */
  deliver(isFulfilled: boolean, outcome: unknown): void {
    this.#isFulfilled = isFulfilled;
    this.#outcome = outcome;
    if (due.push(this) === 1) queueMicrotask(deliverDue);
  }

  /** Calls back, and settles the promise that `then` returned. */
  run(): void {
    const outcome = this.#outcome;
    const callback = this.#isFulfilled ? this.#onFulfilled : this.#onRejected;
    if (typeof callback === "function") {
      try {
        this.#resolve(callback(outcome));
      } catch (error) {
        this.#reject(error);
      }
    } else if (this.#isFulfilled) {
      this.#resolve(outcome);
    } else {
      this.#reject(outcome);
    }
  }
}

/** Outcomes to be delivered, oldest first. */
let due: Subscription[] = [];

function deliverDue(): void {
  // Those that a callback adds are delivered by a microtask of their own, as promises do it.
  const now = due;
  due = [];
  for (const subscription of now) subscription.run();
}
