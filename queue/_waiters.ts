/**
 * The waiters of a queue: to get, to put, and for all items to be done. Call everything but
 * {@linkcode Waiters.ring} with both latches of the queue held.
 *
 * Words WOKEN_GETTERS and WOKEN_PUTTERS: how many waiters were woken to try and have not done so
 * yet.
 *
 * Invariants
 * 1. While getters are queued, at least as many were woken as there are items. A woken getter that
 *    finds nothing, as others were faster, is queued again before all that were not woken, and
 *    behind those that were overtaken like this before it (ARGUMENT is 1). A promise in another
 *    process counts as overtaken when its item was passed on to a blocking call of its own thread.
 *    The same holds for putters and room, as far as room is counted in items. Where memory is
 *    short, a putter whose item is too large for it may stand before others, and wakes them when it
 *    gives up.
 * 2. Nobody waits for a woken waiter that has died: when some thread has died since waiters were
 *    last counted as woken (word DEATHS), none counts as woken any more, and as many are woken
 *    anew, once per death.
 *
 * Why waiters are woken to try, and not handed an item: a thread that ended before it noticed would
 * take the item with it; and while it wakes, for tens of microseconds, nobody else could have the
 * item.
 *
 * @module
 */

import { NODE, QUEUE } from "../_memory/layout.ts";
import type { Seat } from "../_memory/seat.ts";
import { WaitList } from "../_memory/wait_list.ts";
import type { Accounts } from "./_accounts.ts";
import { countOf } from "./_items.ts";

/** What a waiter is granted: a try. */
const TRY = 1;

const GETTERS_LIST = 1;
const PUTTERS_LIST = 2;
const JOINERS_LIST = 3;

/** A waiter. */
export interface Waiter {
  /** Its node in the table of threads. */
  readonly node: number;
  /** Whether it is in a list. */
  isQueued: boolean;
  /** Whether it has had its turn, but others were faster: it goes before all that have not. */
  readonly wasOvertaken: boolean;
}

/** The waiters of a queue, as one seat sees them. */
export class Waiters {
  readonly getters: WaitList;
  readonly putters: WaitList;
  readonly joiners: WaitList;
  readonly #control: Int32Array;
  readonly #seat: Seat;
  readonly #accounts: Accounts;
  /** Threads to ring once the latches are given back. */
  readonly #toRing: number[] = [];

  constructor(control: Int32Array, seat: Seat, accounts: Accounts) {
    this.#control = control;
    this.#seat = seat;
    this.#accounts = accounts;
    this.getters = new WaitList(control, QUEUE.GETTERS, seat, GETTERS_LIST);
    this.putters = new WaitList(control, QUEUE.PUTTERS, seat, PUTTERS_LIST);
    this.joiners = new WaitList(control, QUEUE.JOINERS, seat, JOINERS_LIST);
  }

  /** Rings the threads that were woken; call once the latches are given back. */
  ring(): void {
    if (this.#toRing.length === 0) return;
    // Ringing may lead back here.
    const rung = this.#toRing.splice(0);
    for (const thread of rung) this.#seat.ring(thread);
  }

  /** Queues a waiter; if it was overtaken, before all that were not. */
  queue(list: WaitList, waiter: Waiter): void {
    const { node, wasOvertaken } = waiter;
    const { words } = this.#seat.table;
    if (wasOvertaken) {
      words[node + NODE.ARGUMENT] = 1;
      list.pushBehind(node, (other) => words[other + NODE.ARGUMENT] === 1);
    } else list.push(node);
    waiter.isQueued = true;
  }

  /** Counts a woken getter as trying. After a death fewer may be counted as woken than were. */
  getterTries(): void {
    if (this.#control[QUEUE.WOKEN_GETTERS] > 0) this.#control[QUEUE.WOKEN_GETTERS]--;
  }

  /** Counts a woken putter as trying. */
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

  /** Wakes those who wait for all items to be done, if they are, or never will be. */
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

  /** Keeps Invariant 2: wakes anew once per death. */
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
