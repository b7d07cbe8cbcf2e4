/**
 * The words of a barrier: a number of parties wait for each other, round after round.
 *
 * All words are written under the latch. Word COUNT: parties that wait in this round. Word ROUND:
 * changes whenever a round ends, well or not. Word STATE:
 *
 *   FILLING -> FILLING   wait(), the last party, without an action; reset()
 *   FILLING -> ACTING    wait(), the last party, which runs the action; ACTING names its thread
 *   ACTING  -> FILLING   finish(), by that party, after the action; reset()
 *   FILLING, ACTING -> BROKEN   abort(); a party that gave up, or died; an action that threw
 *   BROKEN  -> FILLING   reset()
 *
 * The list holds the parties of the round. The gate holds parties that arrived during an action:
 * they try again after it, and their timeout starts then.
 *
 * Invariants
 * 1. The list has COUNT nodes while the barrier is FILLING or ACTING; it is empty while it is
 *    BROKEN.
 * 2. A round ends in one step, under the latch: the node of each of its parties is granted how it
 *    ended. A party of the next round cannot be taken for one of this round, however slow some are
 *    to notice.
 * 3. The party that runs an action ends the round only if ROUND is still what it was: `abort` and
 *    `reset` may have ended it before.
 * 4. The gate is emptied whenever STATE ceases to be ACTING.
 * 5. A party whose thread was given up leaves both lists at once, during an action too: its node is
 *    used again for the thread's next wait. In the round, that breaks the barrier.
 *
 * Python's fourth state, draining, has no counterpart: it keeps the next round out while the
 * parties of this one read a common result. Here each party gets its result in its own node
 * (Invariant 2).
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

/** What a waiter is granted: its round is complete, or has failed, or the gate is open. */
export const COMPLETE = 1;
const FAILED = 2;
/** The grant of a party at the gate: the action is over, try again. */
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
    return this.#object.withdraw(this.node);
  }

  /**
   * Fails while an action runs: all parties of the round have come, and a party at the gate has not
   * arrived yet. But a thread that was given up waits no longer (Invariant 5).
   */
  override tryGiveUp(): boolean {
    if (this.isOver) return false;
    this.isOver = this.#object.leave(this.node);
    if (this.isOver) return true;
    return !this.seat.isHere && super.tryGiveUp();
  }

  /** See {@linkcode Wait}. Does nothing: how a round ended cannot be given back. */
  giveBack(): void {}

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#object.breakIfDeserted();
    return false;
  }
}

/**
 * How a party goes on after it has arrived: through at once, unless there is an action to run or a
 * wait.
 */
export interface Arrival {
  /** How many parties of the round had come before. */
  readonly index: number;
  /** The round whose action this party must run. */
  readonly round?: number;
  /** What the party must wait for; at the gate, it has not arrived before that wait is over. */
  readonly wait?: BarrierWait;
}

/**
 * The words of a barrier, as one thread sees them, and the steps that are made under their latch.
 */
export class BarrierWords {
  readonly seat: Seat;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #parties: WaitList;
  readonly #gate: WaitList;
  /** Threads to ring once the latch is given back. */
  readonly #toRing = new Set<number>();
  /** How many threads had died when dead parties were last looked for; -1 before the first look. */
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
    // Made before the latch is taken, which is not held while memory is allocated.
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

  /** Ends the round in vain for all who wait. */
  end(state: number): void {
    this.#locked(() => this.#endRound(FAILED, state));
  }

  /**
   * Takes out a party that gives up in time, which breaks the barrier; false when its wait was
   * granted already, or will be after the action.
   */
  leave(node: number): boolean {
    return this.#locked(() => {
      this.#breakIfDeserted();
      if (this.state === ACTING || !this.#parties.remove(node)) return false;
      this.#endRound(FAILED, BROKEN);
      return true;
    });
  }

  /**
   * Takes out a party whose thread was given up, in whatever state the barrier is; that breaks the
   * barrier, unless the party was at the gate. False when its node is in neither list.
   */
  withdraw(node: number): boolean {
    return this.#locked(() => {
      if (this.#gate.remove(node)) return true;
      if (!this.#parties.remove(node)) return false;
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
