/**
 * Barrier: a number of parties wait for each other, round after round.
 *
 * The algorithm is in `_barrier_words.ts`; here is what goes on in the thread of a party.
 *
 * @module
 */

import { checkTimeout, deadlineAfter } from "../_platform/clock.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { BARRIER } from "../_memory/layout.ts";
import { checkMayBlock } from "./_acquire.ts";
import {
  type Arrival,
  type BarrierWait,
  BarrierWords,
  BROKEN,
  COMPLETE,
  FILLING,
  RETRY,
} from "./_barrier_words.ts";
import { dataOf, SharedWords } from "./_shared.ts";
import { BrokenBarrierError, RuntimeError } from "./errors.ts";
import type { WaitOptions, WaitSyncOptions } from "./options.ts";

const KIND = "Barrier";

const MOST_PARTIES = 2 ** 31 - 1;

/** What a barrier is made with, beside the number of parties. */
export interface BarrierOptions {
  /** Called once a round, by the last party to arrive, before any of them goes on. */
  action?: () => unknown;
  /** Milliseconds that a party waits if its `wait` does not say otherwise. */
  timeout?: number | null;
  /** Shown in error texts. */
  name?: string;
}

/**
 * A meeting point for a fixed number of parties, threads or async tasks: each waits until all have come, then all go on.
 * It can be used again at once, any number of times.
 *
 * It can be sent to any task in its arguments, and used there and here in both forms. After a round each party sees all that the
 * others had written to shared memory before they came.
 *
 * **Broken:** when one party gives up, by its timeout or its signal, or its thread dies, or the action throws, or somebody calls
 * `abort`, then all who wait and all who come get a {@linkcode BrokenBarrierError}, until `reset`.
 *
 * **Action:** a function stays in the thread that made it. So the last party to arrive must have one in its own view: set
 * {@linkcode Barrier.action} in each thread, to the same function. A barrier that was made with an action and ends a round
 * without one throws a {@linkcode RuntimeError} there, and is broken; one that was made without an action runs none.
 *
 * Semantics: Python's `threading.Barrier`.
 *
 * **Differs from Python:** timeouts are in milliseconds; `abort` and `reset` do not wait for a running action, whose round they end; the
 * death of a party is noticed.
 *
 * @example
 * ```ts
 * import { Barrier, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const barrier = new Barrier(2);
 * const meet = (barrier: Barrier): number => barrier.waitSync();
 * const arrivals = await Promise.all([pool.submit(meet, barrier), pool.submit(meet, barrier)]);
 * assertEquals(arrivals.sort(), [0, 1]);
 * ```
 */
export class Barrier {
  /** What this thread runs when it is the last to arrive; see the class. */
  action: (() => unknown) | undefined;
  readonly #shared: SharedWords;
  readonly #barrier: BarrierWords;
  readonly #timeout: number | null | undefined;

  static {
    registerHandle(KIND, (data) => Barrier.#open(data));
  }

  static #open(data: unknown): Barrier {
    const { timeout } = data as { timeout: number | null | undefined };
    const shared = SharedWords.open(data, BARRIER.SIZE);
    return new Barrier(shared as never, { timeout });
  }

  /**
   * Makes a barrier at which nobody waits.
   *
   * @param parties How many have to come.
   * @param options The action, the parties' timeout, the barrier's name.
   * @throws {RangeError} When there are less than 1 or a fractional number of parties, or the timeout is negative.
   */
  constructor(parties: number, options?: BarrierOptions);
  constructor(parties: number | SharedWords, options: BarrierOptions = {}) {
    const { action, timeout, name } = options;
    checkTimeout(timeout);
    if (parties instanceof SharedWords) {
      this.#shared = parties;
    } else {
      checkParties(parties);
      if (action !== undefined && typeof action !== "function") {
        throw new TypeError(
          `Cannot make Barrier: action must be a function, got ${typeof action}`,
        );
      }
      this.#shared = SharedWords.create(BARRIER.SIZE, name);
      this.#shared.words[BARRIER.PARTIES] = parties;
      this.#shared.words[BARRIER.HAS_ACTION] = action === undefined ? 0 : 1;
    }
    this.action = action;
    this.#timeout = timeout;
    this.#barrier = new BarrierWords(this.#shared);
  }

  /** The barrier's name, if it was given one. */
  get name(): string | undefined {
    return this.#shared.name;
  }

  /** How many parties have to come. */
  get parties(): number {
    return this.#shared.words[BARRIER.PARTIES];
  }

  /** How many parties wait now; 0 while the barrier is broken, or its action runs. Not reliable: it may have changed when you read it. */
  get nWaiting(): number {
    return this.#barrier.waiting;
  }

  /** True while the barrier is broken. */
  get broken(): boolean {
    return this.#barrier.state === BROKEN;
  }

  /**
   * Waits until all parties have come. The promise holds the event loop open.
   *
   * @param options How long to wait, and what ends the wait early; either breaks the barrier. Without a timeout, the
   * barrier's own counts. Only waiting for the others is timed, not the action.
   * @returns How many parties had come before, 0 to `parties - 1`, each once a round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   *
   * @example
   * ```ts
   * import { Barrier } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const order: string[] = [];
   * const barrier = new Barrier(2, { action: () => order.push("all are here") });
   * const party = async (name: string) => {
   *   order.push(name);
   *   await barrier.wait();
   * };
   * await Promise.all([party("a"), party("b")]);
   * assertEquals(order, ["a", "b", "all are here"]);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<number> {
    for (;;) {
      const limits = { deadlineMs: this.#deadlineOf(options), signal: options.signal };
      options.signal?.throwIfAborted();
      const arrival = this.#arrive();
      if (arrival.kind === "complete") return arrival.index;
      if (arrival.kind === "act") return await this.#act(arrival.index, arrival.round);
      if (!await this.#barrier.seat.wait(arrival.wait, limits)) throw this.#gaveUp();
      if (this.#isThrough(arrival.wait)) return arrival.index;
    }
  }

  /**
   * Blocks this thread until all parties have come.
   *
   * @param options How long to wait; a timeout breaks the barrier. Without one, the barrier's own counts.
   * @returns How many parties had come before, 0 to `parties - 1`, each once a round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   * @throws {RuntimeError} Where the host forbids blocking; or when the action is missing here, or is async.
   *
   * @example
   * ```ts
   * import { Barrier, BrokenBarrierError } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const barrier = new Barrier(2);
   * assertThrows(() => barrier.waitSync({ timeout: 5 }), BrokenBarrierError);
   * ```
   */
  waitSync(options: WaitSyncOptions = {}): number {
    checkMayBlock(`wait at ${this.#label}`);
    for (;;) {
      const deadlineMs = this.#deadlineOf(options);
      const arrival = this.#arrive();
      if (arrival.kind === "complete") return arrival.index;
      if (arrival.kind === "act") return this.#actSync(arrival.index, arrival.round);
      if (!this.#barrier.seat.waitSync(arrival.wait, deadlineMs)) throw this.#gaveUp();
      if (this.#isThrough(arrival.wait)) return arrival.index;
    }
  }

  /** Makes the barrier as new: those who wait get a {@linkcode BrokenBarrierError}. Never waits. */
  reset(): void {
    this.#barrier.end(FILLING);
  }

  /** Breaks the barrier until `reset`: those who wait, and who come, get a {@linkcode BrokenBarrierError}. Never waits. */
  abort(): void {
    this.#barrier.end(BROKEN);
  }

  /** What stands for this barrier in a message to a raw `Worker`; see {@linkcode Barrier.from}. */
  get handle(): Handle {
    const { kind, data } = this.#shared.handle(KIND);
    return { kind, data: { ...(data as object), timeout: this.#timeout } };
  }

  /**
   * Rebuilds a barrier from a handle, without an action. Only those who post messages themselves need it: in the arguments of
   * a task, barriers cross by themselves.
   *
   * @throws {TypeError} When it is no handle of a Barrier.
   *
   * @example
   * ```ts
   * import { Barrier } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const barrier = new Barrier(3);
   * assertEquals(Barrier.from(barrier.handle).parties, 3);
   * ```
   */
  static from(handle: Handle): Barrier {
    return Barrier.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode Barrier.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Barrier` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  get #label(): string {
    return this.#shared.label(KIND);
  }

  #deadlineOf({ timeout = this.#timeout }: WaitSyncOptions): number {
    return deadlineAfter(timeout ?? this.#timeout);
  }

  #arrive(): Arrival {
    const arrival = this.#barrier.arrive();
    if (arrival !== undefined) return arrival;
    throw new BrokenBarrierError(`Cannot wait at ${this.#label}: it is broken; reset() repairs it`);
  }

  /** True when the round is complete, false when the party has to try again. */
  #isThrough({ grant }: BarrierWait): boolean {
    if (grant === COMPLETE) return true;
    if (grant === RETRY) return false;
    throw this.#wasBroken();
  }

  async #act(index: number, round: number): Promise<number> {
    let isWell = false;
    try {
      await this.#actionHere()();
      isWell = true;
    } finally {
      this.#finish(round, isWell);
    }
    return index;
  }

  #actSync(index: number, round: number): number {
    let isWell = false;
    try {
      const result = this.#actionHere()();
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
        throw new RuntimeError(
          `Cannot wait at ${this.#label}: its action is async, and the thread is blocked; await wait() instead`,
        );
      }
      isWell = true;
    } finally {
      this.#finish(round, isWell);
    }
    return index;
  }

  #finish(round: number, isWell: boolean): void {
    if (!this.#barrier.finish(round, isWell) && isWell) throw this.#wasBroken();
  }

  #actionHere(): () => unknown {
    if (this.action !== undefined) return this.action;
    throw new RuntimeError(
      `Cannot run the action of ${this.#label}: it is not here; set barrier.action in each thread that waits`,
    );
  }

  #wasBroken(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: it was broken or reset while ${this.parties} parties gathered`,
    );
  }

  #gaveUp(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: the other parties did not come in time; the barrier is broken`,
    );
  }
}

function checkParties(parties: unknown): void {
  if (typeof parties !== "number") {
    throw new TypeError(`Cannot make Barrier: parties must be a number, got ${typeof parties}`);
  }
  if (!Number.isInteger(parties) || parties < 1 || parties > MOST_PARTIES) {
    throw new RangeError(
      `Cannot make Barrier: parties must be a whole number from 1 up, got ${parties}`,
    );
  }
}
