/**
 * The state of a queue: items in shared memory, those who wait to put and to get, and the count of what is not done.
 *
 * Everything changes under one latch, held for a few words: items are encoded before it and decoded after it, and large
 * ones are read where they lie (`_items.ts`).
 *
 * Word STATE: 0 -> CLOSED by shutdown(), never back.
 * Word COUNT: items in the queue. Word UNFINISHED: items put, less those reported done, less those discarded.
 * All words are written plainly, with the latch held; giving the latch back publishes them. Who reads COUNT or STATE without the
 * latch may see what was a moment ago.
 *
 * Invariants, beside those of `_waiters.ts`, on who is woken
 * 1. Who cannot go on is queued under the same hold of the latch under which that was found out: nobody sleeps unseen beside
 *    an item, or beside room.
 * 2. UNFINISHED is COUNT plus what threads have taken and not reported done (`_accounts.ts`). So when it is no more than what
 *    dead threads have, nobody is left to finish it.
 *
 * @module
 */

import { load } from "../_platform/atomics.ts";
import { QUEUE } from "../_memory/layout.ts";
import type { Seat } from "../_memory/seat.ts";
import { Latch, type WaitList } from "../_memory/wait_list.ts";
import { Accounts, type LostItems } from "./_accounts.ts";
import type { Batch } from "./_batch.ts";
import { fullError, lostItemsError } from "./_failures.ts";
import { sizeOf, StoredItems } from "./_items.ts";
import type { Order } from "./_order.ts";
import { type Waiter, Waiters } from "./_waiters.ts";
import type { Full, LostItemsError } from "./errors.ts";

/** STATE of a queue that was shut down; 0 before. */
const CLOSED = 1;

/** MAXSIZE of an unbounded queue. */
const UNBOUNDED = 2 ** 31 - 1;

/** What a queue is. */
export interface QueueParts {
  readonly buffer: SharedArrayBuffer;
  readonly seat: Seat;
  readonly order: Order;
  /** How error texts call it. */
  readonly label: string;
}

/** The state of a queue, as one seat sees it. */
export class QueueState {
  readonly seat: Seat;
  readonly label: string;
  /** Whether items have a key. */
  readonly sorts: boolean;
  readonly #control: Int32Array;
  readonly #items: StoredItems;
  readonly #latch: Latch;
  readonly #accounts: Accounts;
  readonly #waiters: Waiters;

  constructor({ buffer, seat, order, label }: QueueParts) {
    const control = new Int32Array(buffer, 0, QUEUE.SIZE);
    this.seat = seat;
    this.label = label;
    this.sorts = order.sorts;
    this.#control = control;
    this.#items = new StoredItems(buffer, control, order);
    this.#latch = new Latch(control, QUEUE.LATCH);
    this.#accounts = new Accounts(control, seat);
    this.#waiters = new Waiters(control, seat, this.#accounts);
  }

  /** Sets how many items there may be, 0 for any number; call before the queue is shared. */
  limit(maxsize: number): void {
    this.#control[QUEUE.MAXSIZE] = maxsize > 0 && maxsize < UNBOUNDED ? maxsize : UNBOUNDED;
  }

  /** How many items there may be, 0 for any number. */
  get maxsize(): number {
    const maxsize = this.#control[QUEUE.MAXSIZE];
    return maxsize === UNBOUNDED ? 0 : maxsize;
  }

  /** How many items there are. */
  get count(): number {
    return load(this.#control, QUEUE.COUNT);
  }

  /** Items put and not done. */
  get unfinished(): number {
    return load(this.#control, QUEUE.UNFINISHED);
  }

  /** True once nothing can be put any more. */
  get isClosed(): boolean {
    return load(this.#control, QUEUE.STATE) === CLOSED;
  }

  /** True when no item can be put, as far as items are counted. */
  get isFull(): boolean {
    return this.count >= this.#control[QUEUE.MAXSIZE];
  }

  /** Those who wait to get. */
  get getters(): WaitList {
    return this.#waiters.getters;
  }

  /** Those who wait to put. */
  get putters(): WaitList {
    return this.#waiters.putters;
  }

  /** Those who wait for all to be done. */
  get joiners(): WaitList {
    return this.#waiters.joiners;
  }

  #enter(): void {
    this.#latch.take();
    this.#items.sync();
  }

  #leave(): void {
    this.#latch.give();
    this.#waiters.ring();
  }

  // Putting

  /**
   * Throws if an item of the batch can never be put.
   *
   * @throws {RangeError} When it has more words than the queue's memory could hold.
   */
  checkSizes(items: Batch): void {
    const most = this.#items.mostWords;
    for (let i = 0; i < items.count; i++) {
      const size = sizeOf(items, i);
      if (size <= most) continue;
      throw new RangeError(
        `Cannot put into ${this.label}: the item takes ${
          4 * size
        } bytes, and the queue can hold one of ${4 * most} at most; raise capacityBytes`,
      );
    }
  }

  /**
   * Puts items as far as there is room.
   *
   * @param items What to put.
   * @param from The first of them.
   * @param wait Queued when there is no room for one of them.
   * @param wasWoken Whether this is the try of a woken waiter.
   * @returns How many were put; less than 0 when the queue is closed.
   * @throws {TypeError} When one cannot be sorted; those before it were put.
   */
  put(items: Batch, from: number, wait: Waiter | undefined, wasWoken: boolean): number {
    const control = this.#control;
    let at = from;
    let isClosed = false;
    this.#enter();
    try {
      if (wasWoken) this.#waiters.putterTries();
      isClosed = control[QUEUE.STATE] === CLOSED;
      if (!isClosed) {
        while (
          at < items.count && control[QUEUE.COUNT] < control[QUEUE.MAXSIZE] &&
          this.#items.store(items, at)
        ) at++;
        if (at < items.count && wait !== undefined) {
          this.#waiters.queue(this.putters, wait, wasWoken);
        }
      }
    } finally {
      control[QUEUE.UNFINISHED] += at - from;
      if (at > from) this.#waiters.wakeGetters();
      // One that was woken for the room and did not take it, being refused, leaves it to others.
      if (wasWoken && wait?.isQueued !== true) this.#waiters.wakePutters(control[QUEUE.MAXSIZE]);
      this.#leave();
    }
    return isClosed ? -1 : at - from;
  }

  /** Puts a whole number, if nothing is in the way; else it has to go the way of all items, and nothing has changed. */
  putInt(value: number): boolean {
    if (this.sorts) return false;
    const control = this.#control;
    this.#enter();
    const isPut = control[QUEUE.STATE] !== CLOSED &&
      control[QUEUE.COUNT] < control[QUEUE.MAXSIZE] && this.#items.storeInt(value);
    if (isPut) {
      control[QUEUE.UNFINISHED]++;
      this.#waiters.wakeGetters();
    }
    this.#leave();
    return isPut;
  }

  // Getting

  /**
   * Takes items out, as many as there are.
   *
   * @param into Where they go; empty.
   * @param most The most that are wanted.
   * @param wait Queued when there are none.
   * @param wasWoken Whether this is the try of a woken waiter.
   * @returns How many were taken; less than 0 when there are none and the queue is closed.
   */
  take(into: Batch, most: number, wait: Waiter | undefined, wasWoken: boolean): number {
    const control = this.#control;
    this.#enter();
    if (wasWoken) this.#waiters.getterTries();
    let taken = 0;
    while (control[QUEUE.COUNT] > 0 && taken < most && into.hasRoom) {
      this.#items.take(into);
      taken++;
    }
    if (taken > 0) this.#haveTaken(taken);
    else if (control[QUEUE.STATE] === CLOSED) taken = -1;
    else if (wait !== undefined) this.#waiters.queue(this.getters, wait, wasWoken);
    this.#leave();
    return taken;
  }

  /** Takes an item out, if there is one: gives a whole number as it is, and puts others into the batch, which it gives then. */
  takeOne(into: Batch): number | Batch | undefined {
    let taken: number | Batch | undefined;
    this.#enter();
    if (this.#control[QUEUE.COUNT] > 0) {
      taken = this.#items.takeInt();
      if (taken === undefined) {
        into.clear();
        this.#items.take(into);
        taken = into;
      }
      this.#haveTaken(1);
    }
    this.#leave();
    return taken;
  }

  /** Sees to the books, and to those who wait. Call with the latch held. */
  #haveTaken(count: number): void {
    this.#accounts.charge(count);
    this.#waiters.wakePutters(count);
    // Others may have been woken for what this one has taken; and not for what it has left.
    this.#waiters.wakeGetters();
  }

  /** The values of items that were taken; gives back the memory of those that were read where they lie. */
  valuesOf(items: Batch): unknown[] {
    const { held } = items;
    const values: unknown[] = [];
    try {
      for (let i = 0; i < items.count; i++) {
        values.push(this.#items.valueOf(items, i));
      }
    } finally {
      if (held.length > 0) this.#freeHeld(held);
    }
    return values;
  }

  /** The value of the one item that was taken. */
  valueOf(items: Batch): unknown {
    return items.held.length === 0 ? items.valueOf(0) : this.valuesOf(items)[0];
  }

  #freeHeld(blocks: readonly number[]): void {
    this.#enter();
    this.#items.freeHeld(blocks);
    this.#waiters.wakePutters(1);
    this.#leave();
  }

  // Waiting

  /** Takes a waiter out of its list; false when it is not there. */
  withdraw(list: WaitList, node: number): boolean {
    this.#enter();
    const wasQueued = list.remove(node);
    this.#leave();
    return wasQueued;
  }

  /** Puts a waiter that was woken in the place of another, who is to try; false when that one is not queued. */
  exchange(list: WaitList, node: number, other: number): boolean {
    this.#enter();
    const isExchanged = list.exchange(node, other);
    this.#leave();
    return isExchanged;
  }

  /** Wakes anew: one that was woken does not try. */
  wakeAgain(): void {
    this.#enter();
    this.#waiters.wakeAnew();
    this.#waiters.wakeJoiners();
    this.#leave();
  }

  /** For a waiter, after some thread has died. */
  afterDeath(): void {
    this.#enter();
    this.#waiters.lookForDead();
    this.#waiters.wakeJoiners();
    this.#leave();
  }

  // Keeping track

  /** Reports items done that were taken; throws when there are not so many. */
  done(n: number): void {
    const control = this.#control;
    this.#enter();
    const unfinished = control[QUEUE.UNFINISHED];
    if (n <= unfinished) {
      control[QUEUE.UNFINISHED] = unfinished - n;
      this.#accounts.settle(n);
      this.#waiters.wakeJoiners();
    }
    this.#leave();
    if (n > unfinished) {
      throw new RangeError(
        `Cannot call taskDone on ${this.label} for ${n} items: ${unfinished} are unfinished`,
      );
    }
  }

  /** Closes the queue; discards what is in it if asked to. */
  close(discards: boolean): void {
    const control = this.#control;
    this.#enter();
    control[QUEUE.STATE] = CLOSED;
    if (discards) {
      const unfinished = control[QUEUE.UNFINISHED] - control[QUEUE.COUNT];
      control[QUEUE.UNFINISHED] = Math.max(0, unfinished);
      while (control[QUEUE.COUNT] > 0) this.#items.discard();
    }
    this.#waiters.wakeAll();
    this.#waiters.wakeJoiners();
    this.#leave();
  }

  /**
   * Queues the wait unless all is done; true when it is.
   *
   * @throws {LostItemsError} When nobody is left to finish what is not.
   */
  tryJoin(wait: Waiter): boolean {
    this.#enter();
    const unfinished = this.#control[QUEUE.UNFINISHED];
    const lost = this.#accounts.lost();
    const isDone = unfinished === 0;
    const isVain = !isDone && lost.count >= unfinished;
    if (!isDone && !isVain) this.#waiters.queue(this.joiners, wait, false);
    this.#leave();
    if (isVain) throw this.#lostItemsError(lost);
    return isDone;
  }

  // Errors

  /** The error of a put that found no room, after so many that did. */
  fullError(count: number): Full {
    const state = this.isFull
      ? `holds ${this.count} of ${this.maxsize} items`
      : `has used up its memory of ${this.#items.capacityBytes} bytes; raise capacityBytes`;
    return fullError(this.label, state, count);
  }

  #lostItemsError({ count, threads }: LostItems): LostItemsError {
    const names = threads.map((thread) => this.seat.table.nameOf(thread));
    return lostItemsError(this.label, count, names);
  }
}
