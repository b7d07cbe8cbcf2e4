/**
 * Barrier: a number of parties wait for each other, round after round.
 *
 * The algorithm is in `_barrier_words.ts`; this file has the action, which runs in the thread of a
 * party.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { checkFunction, checkOptions, deadlineOf } from "../_platform/options.ts";
import { openCore } from "../_memory/core.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { checkMayBlock, isAsync } from "./_acquire.ts";
import { type BarrierCore, KIND, LocalBarrierCore } from "./_barrier_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import { RuntimeError } from "./errors.ts";
import type { WaitOptions, WaitSyncOptions } from "./options.ts";

const MOST_PARTIES = 2 ** 31 - 1;

/** What a barrier is made with, beside the number of parties. */
export interface BarrierOptions {
  /** Called once a round, by the last party to arrive, before any party goes on. */
  action?: (() => unknown) | undefined;
  /**
   * Milliseconds that a party waits if its `wait` is given no timeout; `undefined` and `null` wait
   * for ever.
   */
  timeout?: number | null | undefined;
  /** Shown in error texts. */
  name?: string | undefined;
}

/**
 * A meeting point for a fixed number of parties, threads or async tasks: each waits until all have
 * come, then all go on. It can be used again at once, any number of times.
 *
 * It can be sent to any task in its arguments, and used on both sides in both forms. After a round
 * each party sees all that the others had written to shared memory before they arrived.
 *
 * **Broken:** when one party gives up, by its timeout or its signal, or its thread dies, or the
 * action throws, or somebody calls `abort`, then all parties that wait or arrive get a
 * {@linkcode BrokenBarrierError}, until `reset`.
 *
 * **Action:** a function stays in the thread that made it. So the last party to arrive must have
 * one in its own view: set {@linkcode Barrier.action} in each thread, to the same function. A
 * barrier that was made with an action and ends a round without one throws a
 * {@linkcode RuntimeError} there, and is broken; one that was made without an action runs none.
 *
 * Semantics: Python's `threading.Barrier`.
 *
 * **Differs from Python:** timeouts are in milliseconds; `abort` and `reset` do not wait for a
 * running action, whose round they end; the death of a party breaks the barrier.
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
  readonly #core: BarrierCore;
  #action: (() => unknown) | undefined;

  static {
    registerHandle(KIND, (data) => Barrier.#open(data));
  }

  static #open(data: unknown): Barrier {
    // The constructor's last parameter is not for users.
    const make = Barrier as new (parties: number, options: undefined, core: BarrierCore) => Barrier;
    return new make(0, undefined, openCore(KIND, data));
  }

  /**
   * Makes a barrier at which nobody waits.
   *
   * @param parties How many parties make a round.
   * @param options The action, the parties' timeout, the barrier's name.
   * @throws {RangeError} When the number of parties is less than 1, above 2^31 - 1 or fractional,
   * or the timeout is negative.
   */
  constructor(parties: number, options?: BarrierOptions);
  constructor(parties: number, options?: BarrierOptions, core?: BarrierCore) {
    this.#core = core ?? Barrier.#create(parties, options);
    this.#action = options?.action;
  }

  static #create(parties: number, options: BarrierOptions = {}): BarrierCore {
    checkOptions("make Barrier", options, "{ action: () => {} }");
    const { action, timeout, name } = options;
    checkTimeout(timeout);
    checkParties(parties);
    checkFunction("make Barrier", "action", action);
    return LocalBarrierCore.create(parties, action !== undefined, timeout, name);
  }

  /** What this thread runs when it is the last to arrive; see the class. */
  get action(): (() => unknown) | undefined {
    return this.#action;
  }

  set action(action: (() => unknown) | undefined) {
    this.#action = action;
  }

  /** The barrier's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /** How many parties make a round. */
  get parties(): number {
    return this.#core.parties();
  }

  /**
   * How many parties are waiting now; 0 while the barrier is broken, or its action runs. Not
   * reliable: it may have changed when you read it.
   */
  get nWaiting(): number {
    return this.#core.waiting();
  }

  /** True while the barrier is broken. */
  get broken(): boolean {
    return this.#core.isBroken();
  }

  /**
   * Waits until all parties have come. The promise holds the event loop open.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts. A timeout or an abort breaks the barrier. Without a timeout, the barrier's own applies.
   * Only waiting for the others is timed, not the action.
   * @returns How many parties had arrived before, 0 to `parties - 1`; each number occurs once a
   * round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   * @throws {RuntimeError} When the action is missing here.
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
      const limits = { deadlineMs: deadlineOf(options), signal: options.signal };
      options.signal?.throwIfAborted();
      const passage = await this.#core.wait(usesOwnTimeout(options), limits);
      if (passage === undefined) continue;
      if (passage.round !== undefined) await this.#act(passage.round);
      return passage.index;
    }
  }

  /**
   * Blocks this thread until all parties have come.
   *
   * @param options How long to wait; a timeout breaks the barrier. Without one, the barrier's own
   * applies.
   * @returns How many parties had arrived before, 0 to `parties - 1`; each number occurs once a
   * round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   * @throws {RuntimeError} Where the host forbids blocking; or when the action is missing here, or
   * is async.
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
      const deadlineMs = deadlineOf(options);
      const passage = this.#core.waitSync(usesOwnTimeout(options), deadlineMs);
      if (passage === undefined) continue;
      if (passage.round !== undefined) this.#actSync(passage.round);
      return passage.index;
    }
  }

  /**
   * Makes the barrier as new: parties that wait get a {@linkcode BrokenBarrierError}. Never waits.
   */
  reset(): void {
    this.#core.reset();
  }

  /**
   * Breaks the barrier until `reset`: parties that wait or arrive get a
   * {@linkcode BrokenBarrierError}. Never waits.
   */
  abort(): void {
    this.#core.abort();
  }

  /**
   * A handle that stands for this barrier in a message to a raw `Worker`; see
   * {@linkcode Barrier.from}.
   */
  get handle(): Handle {
    return { kind: KIND, data: this.#core.data };
  }

  /**
   * Rebuilds a barrier from a handle, without an action. Needed only by code that posts messages
   * itself: in the arguments of a task, barriers cross by themselves.
   *
   * @param handle The {@linkcode Barrier.handle} of a barrier.
   * @returns A view of the same barrier.
   * @throws {TypeError} When it is not the handle of a Barrier.
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
    return labelOf(KIND, this.name);
  }

  async #act(round: number): Promise<void> {
    let isWell = false;
    try {
      await this.#actionHere()();
      isWell = true;
    } finally {
      this.#core.finish(round, isWell);
    }
  }

  #actSync(round: number): void {
    let isWell = false;
    try {
      const result = this.#actionHere()();
      if (isAsync(result)) {
        throw new RuntimeError(
          `Cannot wait at ${this.#label}: its action is async, and the thread is blocked; await wait() instead`,
        );
      }
      isWell = true;
    } finally {
      this.#core.finish(round, isWell);
    }
  }

  #actionHere(): () => unknown {
    const { action } = this; // A subclass may have its own.
    if (action !== undefined) return action;
    throw new RuntimeError(
      `Cannot run the action of ${this.#label}: it is not here; set barrier.action in each thread that waits`,
    );
  }
}

/** True when the barrier's own timeout applies. */
function usesOwnTimeout({ timeout }: WaitSyncOptions): boolean {
  return timeout === undefined || timeout === null;
}

function checkParties(parties: unknown): void {
  if (typeof parties !== "number") {
    throw new TypeError(`Cannot make Barrier: parties must be a number, got ${describe(parties)}`);
  }
  if (!Number.isInteger(parties) || parties < 1 || parties > MOST_PARTIES) {
    throw new RangeError(
      `Cannot make Barrier: parties must be a whole number from 1 to ${MOST_PARTIES}, got ${parties}`,
    );
  }
}
