/**
 * One call of `asCompleted`: futures in the order in which they are done.
 *
 * The futures hold the run until they are done or it is ended, and the run those that are done and
 * not handed out. The object that the program iterates is another one: when that is dropped, the
 * run is ended, so that a future which takes long does not keep the others.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import { whenAborted } from "../_platform/aborts.ts";
import { callAt, NEVER } from "../_platform/clock.ts";
import { TimeoutError } from "../sync/errors.ts";
import type { WaitOptions } from "../sync/options.ts";
import { blockUntil } from "./_blocking.ts";
import { type HasStanding, STANDING, type Standing } from "./_standing.ts";
import { type Future, futureInternals } from "./future.ts";

/** A caller that waits for the next future. */
interface Waiter {
  readonly wake: () => void;
  /** The object that must not be garbage-collected meanwhile. */
  readonly keeper: object;
}

/** One call of `asCompleted`. */
export class CompletionRun<T> implements HasStanding {
  readonly #total: number;
  readonly #timeout: number | null | undefined;
  readonly #deadlineMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #pending = new Set<Future<T>>();
  readonly #receiver = (future: Future<unknown>): void => this.#arrived(future as Future<T>);
  /** The futures that are done and not handed out, from index `#taken` on. */
  #done: Future<T>[] = [];
  #taken = 0;
  #ended = false;
  #waiters: Waiter[] = [];

  constructor(all: ReadonlySet<Future<T>>, deadlineMs: number, { timeout, signal }: WaitOptions) {
    this.#deadlineMs = deadlineMs;
    this.#timeout = timeout;
    this.#signal = signal;
    this.#total = all.size;
    for (const future of all) {
      if (future.done()) {
        this.#done.push(future);
      } else {
        this.#pending.add(future);
        futureInternals.whenDone(future, this.#receiver);
      }
    }
  }

  #arrived(future: Future<T>): void {
    this.#pending.delete(future);
    this.#done.push(future);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { wake } of waiters) wake();
  }

  get #isReady(): boolean {
    return this.#taken < this.#done.length || this.#ended || this.#pending.size === 0;
  }

  /** Takes the next future. To be called only when ready. */
  #take(): IteratorResult<Future<T>> {
    if (this.#ended || this.#taken === this.#done.length) {
      this.end();
      return { done: true, value: undefined };
    }
    const value = this.#done[this.#taken];
    // Lets the future be collected once the caller has dropped it.
    this.#done[this.#taken++] = undefined as unknown as Future<T>;
    return { done: false, value };
  }

  /** Hands out nothing more, and lets go of the futures. */
  end(): void {
    this.#ended = true;
    this.#done = [];
    this.#taken = 0;
    for (const future of this.#pending) futureInternals.forget(future, this.#receiver);
    this.#wake();
  }

  #timeUp(): TimeoutError {
    const unfinished = this.#pending.size;
    this.end();
    return new TimeoutError(
      `${unfinished} (of ${this.#total}) futures unfinished after ${this.#timeout} ms`,
    );
  }

  /** The next future that is done; holds `keeper` while it has to wait. */
  async next(keeper: object): Promise<IteratorResult<Future<T>>> {
    if (!this.#isReady && this.#deadlineMs !== NEVER) doorbell.poll();
    while (!this.#isReady) {
      const inTime = await this.#changed(keeper);
      if (!inTime && !this.#isReady) throw this.#timeUp();
    }
    return this.#take();
  }

  /**
   * Resolves to true once a future is done, to false when the time is up first. Rejects when the
   * signal aborts.
   */
  #changed(keeper: object): Promise<boolean> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        stopTimer();
        stopListening();
      };
      const onAbort = (): void => {
        stop();
        // Before `end`, which would end this wait without an error.
        reject(signal!.reason);
        this.end();
      };
      const stopTimer = callAt(this.#deadlineMs, () => {
        stop();
        resolve(false);
      });
      const stopListening = whenAborted(signal, onAbort);
      this.#waiters.push({
        keeper,
        wake: () => {
          stop();
          resolve(true);
        },
      });
      if (signal?.aborted) onAbort();
    });
  }

  /** The next future that is done; blocks until there is one. */
  nextSync(): IteratorResult<Future<T>> {
    if (!this.#isReady) {
      const isReady = blockUntil(
        () => this.#isReady,
        this.#deadlineMs,
        [...this.#pending],
        this.#timeout === 0,
      );
      if (!isReady) throw this.#timeUp();
    }
    return this.#take();
  }

  /** See {@linkcode HasStanding}. */
  [STANDING](): Standing {
    let reported = 0;
    for (const future of this.#pending) reported += future.progress;
    return { done: this.#total - this.#pending.size, reported, total: this.#total };
  }
}
