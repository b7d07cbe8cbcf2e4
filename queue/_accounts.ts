/**
 * What each thread has taken from a queue and not reported done, so that the items that are lost
 * when a thread dies are known. Call `charge` with the queue's latch for takes held, everything
 * else with both of its latches.
 *
 * The accounts lie one behind the other. Word THREAD: the thread whose account it is, or 0:
 * nobody's, and no account follows. Word TAKEN: items.
 *
 * Invariants
 * 1. An account changes hands only once its thread is dead and TAKEN is 0: lost items stay on
 *    record until somebody reports them done.
 * 2. A thread that finds no free account goes without one, and looks again once another thread has
 *    died. What it takes counts as unfinished all the same, but is never known to be lost.
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
  /** The index of this thread's account. */
  #own = NONE;
  /**
   * Deaths in the table of threads when an account was last looked for in vain. Without it every
   * charge would search again, for ever where nobody reports items done.
   */
  #deathsInVain: number | undefined;

  constructor(words: Int32Array, seat: Seat) {
    this.#words = words;
    this.#seat = seat;
  }

  /** Charges this thread's account with items that it has taken. */
  charge(count: number): void {
    if (this.#own === NONE) this.#look();
    if (this.#own !== NONE) this.#words[this.#own + ACCOUNT.TAKEN] += count;
  }

  /**
   * Takes items that are done off the accounts: off this thread's, then dead threads', then any
   * other's.
   */
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

  /** What dead threads have taken and not reported done. */
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

  /** Looks for an account, unless nothing has changed since the last look in vain (Invariant 2). */
  #look(): void {
    const { deaths } = this.#seat.table;
    if (deaths === this.#deathsInVain) return;
    this.#own = this.#find();
    if (this.#own === NONE) this.#deathsInVain = deaths;
  }

  /**
   * The index of an account for this thread: the one it has, or one that is free (Invariant 1);
   * NONE if there is none.
   */
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
