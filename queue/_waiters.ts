/**
 * Who waits for a queue: to get, to put, and for all to be done. Call everything but
 * {@linkcode Waiters.ring} with both latches of the queue held.
 *
 * Words WOKEN_GETTERS and WOKEN_PUTTERS: waiters that were told to try and have not done so yet.
 *
 * Invariants
 * 1. While getters are queued, at least as many were woken as there are items. A woken one that
 *    finds nothing, others having been faster, is queued again before all who were not woken, and
 *    behind those to whom the same happened (ARGUMENT is 1). For putters and room likewise, as far
 *    as room is counted in items; where memory is short, one whose item is too large for what there
 *    is may stand before others, and wakes them when it gives up.
 * 2. Nobody waits for one that was woken and is no more: when some thread has died since waiters
 *    were last counted as woken (word DEATHS), none counts as woken any more, and as many are woken
 *    anew, once a death.
 *
 * Why waiters are told to try, and not handed an item: a thread that ended before it noticed would
 * take the item along; and while it wakes, for tens of microseconds, nobody else could have it.
 *
 * @module
 */

import { NODE, QUEUE } from "../_memory/layout.ts";
import type { Seat } from "../_memory/seat.ts";
import { WaitList } from "../_memory/wait_list.ts";
import type { Accounts } from "./_accounts.ts";
import { countOf } from "./_items.ts";

/** What a waiter is told. */
const TRY = 1;

const GETTERS_LIST = 1;
const PUTTERS_LIST = 2;
const JOINERS_LIST = 3;

/** One who waits. */
export interface Waiter {
  /** Its node in the table of threads. */
  readonly node: number;
  /** Whether it is in a list. */
  isQueued: boolean;
}

/** Those who wait for a queue. */
export class Waiters {
  readonly getters: WaitList;
  readonly putters: WaitList;
  readonly joiners: WaitList;
  readonly #control: Int32Array;
  readonly #seat: Seat;
  readonly #accounts: Accounts;
  /** Threads to be rung once the latches are given back. */
  readonly #toRing: number[] = [];

  constructor(control: Int32Array, seat: Seat, accounts: Accounts) {
    this.#control = control;
    this.#seat = seat;
    this.#accounts = accounts;
    this.getters = new WaitList(control, QUEUE.GETTERS, seat, GETTERS_LIST);
    this.putters = new WaitList(control, QUEUE.PUTTERS, seat, PUTTERS_LIST);
    this.joiners = new WaitList(control, QUEUE.JOINERS, seat, JOINERS_LIST);
  }

  /** Rings those who were woken; call once the latches are given back. */
  ring(): void {
    if (this.#toRing.length === 0) return;
    // Ringing may lead back here.
    const rung = this.#toRing.splice(0);
    for (const thread of rung) this.#seat.ring(thread);
  }

  /** Queues one; if it was woken in vain, before all who were not. */
  queue(list: WaitList, waiter: Waiter, wasWoken: boolean): void {
    if (wasWoken) {
      const { words } = this.#seat.table;
      words[waiter.node + NODE.ARGUMENT] = 1;
      list.pushBehind(waiter.node, (other) => words[other + NODE.ARGUMENT] === 1);
    } else list.push(waiter.node);
    waiter.isQueued = true;
  }

  /** A woken getter tries. After a death fewer may be counted as woken than were. */
  getterTries(): void {
    if (this.#control[QUEUE.WOKEN_GETTERS] > 0) this.#control[QUEUE.WOKEN_GETTERS]--;
  }

  /** A woken putter tries. */
  putterTries(): void {
    if (this.#control[QUEUE.WOKEN_PUTTERS] > 0) this.#control[QUEUE.WOKEN_PUTTERS]--;
  }

  /** Wakes as many getters as there are items for. */
  wakeGetters(): void {
    if (this.getters.isEmpty) return;
    this.lookForDead();
    this.#grantGetters();
  }

  /** Wakes as many putters as there is room for, `most` at most. */
  wakePutters(most: number): void {
    if (this.putters.isEmpty) return;
    this.lookForDead();
    this.#grantPutters(most);
  }

  /** Wakes those who wait for all to be done, if it is, or never will be. */
  wakeJoiners(): void {
    if (this.joiners.isEmpty) return;
    const unfinished = this.#control[QUEUE.UNFINISHED];
    if (unfinished > 0 && unfinished > this.#accounts.lost().count) return;
    while (this.#wakeOne(this.joiners));
  }

  /** Wakes all who wait for items or for room: the queue was closed. */
  wakeAll(): void {
    while (this.#wakeOne(this.putters) || this.#wakeOne(this.getters));
  }

  /** Sees to Invariant 2, once a death. */
  lookForDead(): void {
    if (this.#control[QUEUE.DEATHS] !== this.#seat.table.deaths) this.wakeAnew();
  }

  /** Counts none as woken, and wakes as many as there is something for. */
  wakeAnew(): void {
    const control = this.#control;
    control[QUEUE.DEATHS] = this.#seat.table.deaths;
    control[QUEUE.WOKEN_GETTERS] = control[QUEUE.WOKEN_PUTTERS] = 0;
    this.#grantGetters();
    this.#grantPutters(control[QUEUE.MAXSIZE]);
  }

  #grantGetters(): void {
    const control = this.#control;
    while (control[QUEUE.WOKEN_GETTERS] < countOf(control) && this.#wakeOne(this.getters)) {
      control[QUEUE.WOKEN_GETTERS]++;
    }
  }

  #grantPutters(most: number): void {
    const control = this.#control;
    const room = control[QUEUE.MAXSIZE] - countOf(control) - control[QUEUE.WOKEN_PUTTERS];
    for (let i = Math.min(most, room); i > 0 && this.#wakeOne(this.putters); i--) {
      control[QUEUE.WOKEN_PUTTERS]++;
    }
  }

  #wakeOne(list: WaitList): boolean {
    const node = list.firstAlive();
    if (node === 0) return false;
    this.#toRing.push(list.grant(node, TRY));
    return true;
  }
}
