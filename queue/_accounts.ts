/**
 * What each thread has taken from a queue and not reported done, so that what a thread takes along
 * when it dies is known. Charge with the queue's latch for takes held, and call everything else
 * with both of its latches.
 *
 * The accounts lie one behind the other. Word THREAD: whose it is, 0 for nobody's, behind which
 * there are no more. Word TAKEN: items.
 *
 * Invariants
 * 1. An account changes hands only once its thread is dead and TAKEN is 0: what is lost stays on
 *    the books until somebody reports it done.
 * 2. A thread that finds no account free goes without, and looks again once another one has died.
 *    What it takes counts as unfinished all the same, but is never known to be lost.
 *
 * @module
 */

import { ACCOUNT, QUEUE } from "../_memory/layout.ts";
import type { Seat } from "../_memory/seat.ts";

const NONE = 0;

/** What dead threads have taken and not reported done. */
export interface LostItems {
  readonly count: number;
  /** Their ids. */
  readonly threads: readonly number[];
}

/** The accounts of a queue's threads. */
export class Accounts {
  readonly #words: Int32Array;
  readonly #seat: Seat;
  /** Index of this thread's own. */
  #own = NONE;
  /**
   * Deaths in the table of threads when it was looked for in vain: where nobody reports items done,
   * that is for good.
   */
  #deathsInVain: number | undefined;

  constructor(words: Int32Array, seat: Seat) {
    this.#words = words;
    this.#seat = seat;
  }

  /** Books what this thread has taken. */
  charge(count: number): void {
    if (this.#own === NONE) this.#look();
    if (this.#own !== NONE) this.#words[this.#own + ACCOUNT.TAKEN] += count;
  }

  /** Books items as done: this thread's own, then dead threads', then whoever's. */
  settle(count: number): void {
    let left = count;
    if (this.#own !== NONE) left -= this.#settleAt(this.#own, left);
    for (const wantsAlive of [false, true]) {
      for (const at of this.#used()) {
        if (left > 0 && this.#isAlive(at) === wantsAlive) left -= this.#settleAt(at, left);
      }
    }
  }

  #settleAt(at: number, most: number): number {
    const settled = Math.min(most, this.#words[at + ACCOUNT.TAKEN]);
    this.#words[at + ACCOUNT.TAKEN] -= settled;
    return settled;
  }

  /** What dead threads have. */
  lost(): LostItems {
    const threads: number[] = [];
    let count = 0;
    for (const at of this.#used()) {
      const taken = this.#words[at + ACCOUNT.TAKEN];
      if (taken === 0 || this.#isAlive(at)) continue;
      count += taken;
      threads.push(this.#words[at + ACCOUNT.THREAD]);
    }
    return { count, threads };
  }

  /** Looks for an account, unless there can be none (Invariant 2). */
  #look(): void {
    const { deaths } = this.#seat.table;
    if (deaths === this.#deathsInVain) return;
    this.#own = this.#find();
    if (this.#own === NONE) this.#deathsInVain = deaths;
  }

  /** An account for this thread: its own, or one that is free (Invariant 1). */
  #find(): number {
    let end: number = QUEUE.ACCOUNTS;
    let free = NONE;
    for (const at of this.#used()) {
      if (this.#words[at + ACCOUNT.THREAD] === this.#seat.id) return at;
      if (free === NONE && this.#words[at + ACCOUNT.TAKEN] === 0 && !this.#isAlive(at)) free = at;
      end = at + ACCOUNT.SIZE;
    }
    if (free === NONE && end < QUEUE.ACCOUNTS_END) free = end;
    if (free !== NONE) this.#words[free + ACCOUNT.THREAD] = this.#seat.id;
    return free;
  }

  #isAlive(at: number): boolean {
    return this.#seat.table.isAlive(this.#words[at + ACCOUNT.THREAD]);
  }

  /** The accounts that somebody has, or had. */
  *#used(): Generator<number> {
    for (let at: number = QUEUE.ACCOUNTS; at < QUEUE.ACCOUNTS_END; at += ACCOUNT.SIZE) {
      if (this.#words[at + ACCOUNT.THREAD] === 0) return;
      yield at;
    }
  }
}
