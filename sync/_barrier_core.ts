/**
 * The core of Barrier: how long a party waits, and how its wait ends. The algorithm is in
 * `_barrier_words.ts`.
 *
 * @module
 */

import { checkTimeout, deadlineAfter } from "../_platform/clock.ts";
import { type Core, registerCore } from "../_memory/core.ts";
import { BARRIER } from "../_memory/layout.ts";
import type { Limits } from "../_memory/seat.ts";
import {
  type Arrival,
  type BarrierWait,
  BarrierWords,
  BROKEN,
  COMPLETE,
  FILLING,
  RETRY,
} from "./_barrier_words.ts";
import { labelOf, type SharedData, SharedWords } from "./_shared.ts";
import { BrokenBarrierError } from "./errors.ts";

/** The kind of Barrier in handles and error texts. */
export const KIND = "Barrier";

/** How a party got through. */
export interface Passage {
  /** How many parties had come before. */
  readonly index: number;
  /** For the party that runs the action: the round, which it then ends by `finish`. */
  readonly round?: number;
}

/** What Barrier calls. */
export interface BarrierCore extends Core {
  /** How many parties make a round. */
  parties(): number;
  /** How many parties are waiting now. */
  waiting(): number;
  /** True while the barrier is broken. */
  isBroken(): boolean;
  /**
   * Waits until all parties have come; throws if they do not come in time, or if the barrier is or
   * becomes broken.
   *
   * @param usesOwnTimeout Whether the barrier's timeout applies, instead of the limits' deadline.
   * @returns `undefined` when the party arrived during an action, which is over now: it has to
   * arrive again.
   */
  wait(usesOwnTimeout: boolean, limits: Limits): Promise<Passage | undefined>;
  /** Like {@linkcode BarrierCore.wait}, but blocks. */
  waitSync(usesOwnTimeout: boolean, deadlineMs: number): Passage | undefined;
  /**
   * Ends the round whose action has run; throws if the action succeeded but the round had been
   * ended before.
   */
  finish(round: number, isWell: boolean): void;
  /** Ends the round in vain for those who wait, and makes the barrier as new. */
  reset(): void;
  /** Breaks the barrier. */
  abort(): void;
}

/** The core for threads that share the memory. */
export class LocalBarrierCore implements BarrierCore {
  readonly name: string | undefined;
  readonly #shared: SharedWords;
  readonly #barrier: BarrierWords;
  readonly #timeout: number | null | undefined;

  constructor(shared: SharedWords, timeout: number | null | undefined) {
    this.name = shared.name;
    this.#shared = shared;
    this.#barrier = new BarrierWords(shared);
    this.#timeout = timeout;
  }

  /** The core of a barrier that another thread has made. */
  static open(data: unknown): LocalBarrierCore {
    const { timeout } = data as SharedData & { readonly timeout: number | null | undefined };
    checkTimeout(timeout);
    return new LocalBarrierCore(SharedWords.open(data, BARRIER.SIZE), timeout);
  }

  /** The core of a new barrier, at which nobody waits. */
  static create(
    parties: number,
    hasAction: boolean,
    timeout: number | null | undefined,
    name: string | undefined,
  ): LocalBarrierCore {
    const shared = SharedWords.create(BARRIER.SIZE, name);
    shared.words[BARRIER.PARTIES] = parties;
    shared.words[BARRIER.HAS_ACTION] = hasAction ? 1 : 0;
    return new LocalBarrierCore(shared, timeout);
  }

  /** See {@linkcode Core}. */
  get data(): unknown {
    return { ...this.#shared.data, timeout: this.#timeout };
  }

  /** See {@linkcode BarrierCore}. */
  parties(): number {
    return this.#shared.words[BARRIER.PARTIES];
  }

  /** See {@linkcode BarrierCore}. */
  waiting(): number {
    return this.#barrier.waiting;
  }

  /** See {@linkcode BarrierCore}. */
  isBroken(): boolean {
    return this.#barrier.state === BROKEN;
  }

  /** See {@linkcode BarrierCore}. */
  async wait(usesOwnTimeout: boolean, limits: Limits): Promise<Passage | undefined> {
    const { signal } = limits;
    const deadlineMs = usesOwnTimeout ? deadlineAfter(this.#timeout) : limits.deadlineMs;
    const { wait, ...passage } = this.#arrive();
    if (wait === undefined) return passage;
    if (!await wait.seat.wait(wait, { deadlineMs, signal })) throw this.#gaveUp();
    return this.#isThrough(wait) ? passage : undefined;
  }

  /** See {@linkcode BarrierCore}. */
  waitSync(usesOwnTimeout: boolean, deadlineMs: number): Passage | undefined {
    const ownDeadlineMs = usesOwnTimeout ? deadlineAfter(this.#timeout) : deadlineMs;
    const { wait, ...passage } = this.#arrive();
    if (wait === undefined) return passage;
    if (!wait.seat.waitSync(wait, ownDeadlineMs)) throw this.#gaveUp();
    return this.#isThrough(wait) ? passage : undefined;
  }

  #arrive(): Arrival {
    const arrival = this.#barrier.arrive();
    if (arrival !== undefined) return arrival;
    throw new BrokenBarrierError(`Cannot wait at ${this.#label}: it is broken; reset() repairs it`);
  }

  /**
   * True when the round is complete, false when the party has to try again; throws if the round
   * failed.
   */
  #isThrough({ grant }: BarrierWait): boolean {
    if (grant === COMPLETE) return true;
    if (grant === RETRY) return false;
    throw this.#wasBroken();
  }

  /** See {@linkcode BarrierCore}. */
  finish(round: number, isWell: boolean): void {
    if (!this.#barrier.finish(round, isWell) && isWell) throw this.#wasBroken();
  }

  /** See {@linkcode BarrierCore}. */
  reset(): void {
    this.#barrier.end(FILLING);
  }

  /** See {@linkcode BarrierCore}. */
  abort(): void {
    this.#barrier.end(BROKEN);
  }

  get #label(): string {
    return labelOf(KIND, this.name);
  }

  #wasBroken(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: it was broken or reset while ${this.parties()} parties gathered`,
    );
  }

  #gaveUp(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: the other parties did not come in time; the barrier is broken`,
    );
  }
}

registerCore<BarrierCore>(KIND, LocalBarrierCore.open, {
  waiting: ["wait"],
  others: ["parties", "waiting", "isBroken", "finish", "reset", "abort"],
});
