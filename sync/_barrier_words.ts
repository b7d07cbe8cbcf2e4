/**
 * The words of a barrier: a number of parties wait for each other, round after round.
 *
 * All words are written under the latch. Word COUNT: parties that wait in this round. Word ROUND: changes whenever a
 * round ends, well or not. Word STATE:
 *
 *   FILLING -> FILLING   wait(), the last party, without an action; reset()
 *   FILLING -> ACTING    wait(), the last party, which runs the action; ACTING names its thread
 *   ACTING  -> FILLING   the same, after the action; reset()
 *   FILLING, ACTING -> BROKEN   abort(); a party that gave up, or died; an action that threw
 *   BROKEN  -> FILLING   reset()
 *
 * The list holds the parties of the round, the gate those who came during an action: they try again after it, and their time
 * counts from then.
 *
 * Invariants
 * 1. The list has COUNT nodes while the barrier is FILLING or ACTING; it is empty while it is BROKEN.
 * 2. A round ends in one step, under the latch: all its parties are told how by their nodes. A party of the next round cannot be
 *    taken for one of this, however slow some are to notice.
 * 3. Who runs an action ends the round only if ROUND is still what it was: `abort` and `reset` end it before.
 * 4. The gate is emptied whenever STATE ceases to be ACTING.
 *
 * Python's fourth state, draining, has no counterpart: it keeps the next round out while the parties of this one read
 * a common result. Here each is told by itself (Invariant 2).
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { BARRIER } from "../_memory/layout.ts";
import { type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import type { SharedWords } from "./_shared.ts";

/** STATE of a barrier at which parties gather. */
export const FILLING = 0;
const ACTING = 1;
/** STATE of a broken barrier. */
export const BROKEN = 2;

/** What a waiter is told: its round is complete, or broken, or the gate is open. */
export const COMPLETE = 1;
const FAILED = 2;
/** See {@linkcode COMPLETE}. */
export const RETRY = 3;

const PARTIES_LIST = 1;
const GATE_LIST = 2;

/** A party's wait. */
export class BarrierWait extends Wait {
  grant = 0;
  readonly #object: BarrierWords;

  constructor(object: BarrierWords) {
    super(object.seat);
    this.#object = object;
  }

  /** See {@linkcode Wait}. */
  granted(grant: number): boolean {
    this.grant = grant;
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#object.leave(this.node);
  }

  /** Too late while an action runs: all parties have come, and who waits at the gate has not come yet. */
  override tryGiveUp(): boolean {
    if (this.isOver) return false;
    this.isOver = this.#object.leave(this.node);
    if (this.isOver) return true;
    return !this.seat.isHere && super.tryGiveUp();
  }

  /** See {@linkcode Wait}. Being told is nothing that could be given back. */
  giveBack(): void {}

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#object.breakIfDeserted();
    return false;
  }
}

/** How an arrival at the barrier goes on: well, if there is nothing more to do. */
export interface Arrival {
  /** How many parties of the round had come before. */
  readonly index: number;
  /** The round whose action is to be run. */
  readonly round?: number;
  /** What is to be waited for; the party has come only after that when it is at the gate. */
  readonly wait?: BarrierWait;
}

/** The steps that are made under the latch. */
export class BarrierWords {
  readonly seat: Seat;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #parties: WaitList;
  readonly #gate: WaitList;
  /** Threads to ring once the latch is given back. */
  readonly #toRing = new Set<number>();
  /** Deaths after which nobody was found missing; none were looked for yet. */
  #deathsSeen = -1;

  constructor({ words, seat }: SharedWords) {
    this.seat = seat;
    this.#words = words;
    this.#latch = new Latch(words, BARRIER.LATCH);
    this.#parties = new WaitList(words, BARRIER.LIST, seat, PARTIES_LIST);
    this.#gate = new WaitList(words, BARRIER.GATE, seat, GATE_LIST);
  }

  get state(): number {
    return load(this.#words, BARRIER.STATE);
  }

  get waiting(): number {
    return this.state === FILLING ? load(this.#words, BARRIER.COUNT) : 0;
  }

  #locked<R>(step: () => R): R {
    try {
      return this.#latch.hold(step);
    } finally {
      for (const thread of this.#toRing) this.seat.ring(thread);
      this.#toRing.clear();
    }
  }

  /** A party arrives; `undefined` when the barrier is broken. */
  arrive(): Arrival | undefined {
    const words = this.#words;
    // Before the latch, which is not held while memory is asked for.
    const wait = new BarrierWait(this);
    const arrival = this.#locked((): Arrival | undefined => {
      this.#breakIfDeserted();
      if (this.state === BROKEN) return undefined;
      if (this.state === ACTING) {
        this.#gate.push(wait.node);
        return { index: -1, wait };
      }
      const index = words[BARRIER.COUNT];
      if (index + 1 < words[BARRIER.PARTIES]) {
        this.#parties.push(wait.node);
        store(words, BARRIER.COUNT, index + 1);
        return { index, wait };
      }
      if (words[BARRIER.HAS_ACTION] === 0) {
        this.#endRound(COMPLETE, FILLING);
        return { index };
      }
      store(words, BARRIER.STATE, ACTING);
      words[BARRIER.ACTING] = this.seat.id;
      return { index, round: words[BARRIER.ROUND] };
    });
    if (arrival?.wait === undefined) {
      wait.isOver = true;
      this.seat.close(wait);
    }
    return arrival;
  }

  /** Ends the round whose action has run; false when it was ended before. */
  finish(round: number, isWell: boolean): boolean {
    return this.#locked(() => {
      if (this.#words[BARRIER.ROUND] !== round) return false;
      this.#endRound(isWell ? COMPLETE : FAILED, isWell ? FILLING : BROKEN);
      return true;
    });
  }

  /** Tells all who wait that it was in vain. */
  end(state: number): void {
    this.#locked(() => this.#endRound(FAILED, state));
  }

  /** Takes out a party that gives up, which breaks the barrier; false when it was told already, or will be after the action. */
  leave(node: number): boolean {
    return this.#locked(() => {
      this.#breakIfDeserted();
      if (this.state === ACTING || !this.#parties.remove(node)) return false;
      this.#endRound(FAILED, BROKEN);
      return true;
    });
  }

  /** Breaks the barrier if a party of the round is dead, or the one that runs the action. */
  breakIfDeserted(): void {
    this.#locked(() => this.#breakIfDeserted());
  }

  // Call these with the latch held.

  #breakIfDeserted(): void {
    const { table } = this.seat;
    if (table.deaths === this.#deathsSeen) return;
    this.#deathsSeen = table.deaths;
    const isDeserted = this.state === ACTING && !table.isAlive(this.#words[BARRIER.ACTING]);
    if (isDeserted || this.#hasDeadParty()) this.#endRound(FAILED, BROKEN);
  }

  #hasDeadParty(): boolean {
    for (const node of this.#parties.nodes()) {
      if (!this.seat.table.isAlive(this.#parties.threadOf(node))) return true;
    }
    return false;
  }

  #endRound(grant: number, state: number): void {
    const words = this.#words;
    this.#grantAll(this.#parties, grant);
    this.#grantAll(this.#gate, RETRY);
    store(words, BARRIER.COUNT, 0);
    store(words, BARRIER.STATE, state);
    words[BARRIER.ROUND]++;
  }

  #grantAll(list: WaitList, grant: number): void {
    for (let node = list.firstAlive(); node !== 0; node = list.firstAlive()) {
      this.#toRing.add(list.grant(node, grant));
    }
  }
}
