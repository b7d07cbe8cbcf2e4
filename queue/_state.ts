/**
 * The state of a queue: items in shared memory, those who wait to put and to get, and the count of
 * what is not done.
 *
 * Two latches, each held for a few words: items are encoded before and decoded after, and large
 * ones are read where they lie (`_items.ts`). Who puts a small item where nobody waits for it takes
 * the latch for puts only, and who takes one that is there the latch for takes: they do not get
 * into each other's way. Everything else is done with both, taken in that order. Orders that have
 * no segments do everything with both, so that the latch for puts is enough.
 *
 * Words PUTS and TAKES: items ever put, and ever taken or discarded; what is between them is in the
 * queue. They wrap.
 * Word STATE: 0 -> CLOSED by shutdown(), never back.
 * Word UNFINISHED: items put, less those reported done, less those discarded. All words are written
 * plainly, with the latch held that their line in the layout goes with, or both; giving the latches
 * back publishes them. But for PUTS: who has only the latch for puts writes it atomically, behind
 * the items, for those who have only the other one. Who reads TAKES so may see it late, and find
 * less room than there is. Who reads words without a latch sees what was a moment ago.
 *
 * Invariants, beside those of `_waiters.ts`, on who is woken, and of `_segments.ts`
 * 1. Who cannot go on is queued under the same hold of both latches under which that was found out:
 *    nobody sleeps unseen beside an item, or beside room.
 * 2. Lists of waiters and STATE change with both latches held. So who has one of them and finds
 *    nobody waiting has nobody to wake: who comes to wait afterwards sees what it did.
 * 3. TAKES_SEEN <= TAKES <= PUTS: who has seen room, has it. PUTS_SEEN <= PUTS: who has seen an
 *    item, has it. For takes with both latches do not move PUTS_SEEN, TAKES may be ahead of it.
 * 4. UNFINISHED is PUTS less TAKES, plus what threads have taken and not reported done
 *    (`_accounts.ts`), as who has both latches sees it. So when it is no more than what dead
 *    threads have, nobody is left to finish it.
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
import { countOf, sizeOf, StoredItems } from "./_items.ts";
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
  /** Whether some is done with one latch. */
  readonly #hasTwoLatches: boolean;
  readonly #putLatch: Latch;
  readonly #takeLatch: Latch;
  readonly #accounts: Accounts;
  readonly #waiters: Waiters;

  constructor({ buffer, seat, order, label }: QueueParts) {
    const control = new Int32Array(buffer, 0, QUEUE.SIZE);
    this.seat = seat;
    this.label = label;
    this.sorts = order.sorts;
    this.#control = control;
    this.#items = new StoredItems(buffer, control, order);
    this.#hasTwoLatches = this.#items.areSegmented;
    this.#putLatch = new Latch(control, QUEUE.PUT_LATCH);
    this.#takeLatch = new Latch(control, QUEUE.TAKE_LATCH);
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
    const control = this.#control;
    for (;;) {
      const takes = load(control, QUEUE.TAKES);
      const puts = load(control, QUEUE.PUTS);
      // Nothing was taken meanwhile: so many there were when PUTS was read.
      if (load(control, QUEUE.TAKES) === takes) return (puts - takes) | 0;
    }
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

  // What is done with a latch held can fail at any call, where the stack ends. Latches are given
  // back all the same: words that say what there is are written last.

  /** Does something with both latches held. */
  #hold<R>(act: () => R): R {
    this.#putLatch.take();
    try {
      if (this.#hasTwoLatches) this.#takeLatch.take();
      try {
        this.#items.sync();
        this.#items.look();
        return act();
      } finally {
        if (this.#hasTwoLatches) this.#takeLatch.give();
      }
    } finally {
      this.#putLatch.give();
      this.#waiters.ring();
    }
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
    const added = this.#hasTwoLatches && wait === undefined ? this.#add(items, from) : 0;
    if (from + added === items.count) return added;
    const control = this.#control;
    const first = from + added;
    let at = first;
    const isClosed = this.#hold(() => {
      try {
        if (wasWoken) this.#waiters.putterTries();
        if (control[QUEUE.STATE] === CLOSED) return true;
        while (
          at < items.count && countOf(control) < control[QUEUE.MAXSIZE] &&
          this.#items.store(items, at)
        ) at++;
        if (at < items.count && wait !== undefined) {
          this.#waiters.queue(this.putters, wait, wasWoken);
        }
        return false;
      } finally {
        control[QUEUE.UNFINISHED] += at - first;
        if (at > first) this.#waiters.wakeGetters();
        // One that was woken for the room and did not take it, being refused, leaves it to others.
        if (wasWoken && wait?.isQueued !== true) this.#waiters.wakePutters(control[QUEUE.MAXSIZE]);
      }
    });
    return isClosed && added === 0 ? -1 : at - from;
  }

  /** Puts items by the latch for puts alone, as far as that goes; how many. */
  #add(items: Batch, from: number): number {
    this.#putLatch.take();
    try {
      if (!this.#mayAdd) return 0;
      this.#items.sync();
      return this.#items.add(items, from);
    } finally {
      this.#putLatch.give();
    }
  }

  /**
   * Puts a whole number by the latch for puts alone; if that cannot be, it has to go the way of all
   * items, and nothing has changed.
   */
  putInt(value: number): boolean {
    if (!this.#hasTwoLatches) return false;
    this.#putLatch.take();
    try {
      if (!this.#mayAdd) return false;
      this.#items.sync();
      return this.#items.addInt(value);
    } finally {
      this.#putLatch.give();
    }
  }

  get #mayAdd(): boolean {
    return this.#control[QUEUE.STATE] !== CLOSED && this.getters.isEmpty;
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
    if (!this.#hasTwoLatches || wait !== undefined) {
      return this.#takeStored(into, most, wait, wasWoken);
    }
    let wanted = most;
    let drawn = 0;
    this.#takeLatch.take();
    try {
      if (this.#mayDraw) {
        const items = this.#items;
        items.sync();
        wanted = Math.min(most, items.there(most));
        if (wanted > 0) drawn = items.draw(into, wanted);
        else if (this.#control[QUEUE.STATE] === CLOSED) drawn = wanted = -1;
        if (drawn > 0) this.#accounts.charge(drawn);
      }
    } finally {
      this.#takeLatch.give();
    }
    if (drawn === wanted || (drawn > 0 && !into.hasRoom)) return drawn;
    const stored = this.#takeStored(into, most - drawn, undefined, false);
    return drawn === 0 ? stored : drawn + Math.max(0, stored);
  }

  /** Takes items out with both latches. */
  #takeStored(into: Batch, most: number, wait: Waiter | undefined, wasWoken: boolean): number {
    const control = this.#control;
    return this.#hold(() => {
      if (wasWoken) this.#waiters.getterTries();
      let taken = 0;
      while (taken < most && into.hasRoom && countOf(control) > 0) {
        this.#items.take(into);
        taken++;
      }
      if (taken > 0) this.#haveTaken(taken);
      else if (control[QUEUE.STATE] === CLOSED) taken = -1;
      else if (wait !== undefined) this.#waiters.queue(this.getters, wait, wasWoken);
      return taken;
    });
  }

  /**
   * Takes an item out, if there is one: gives a whole number as it is, and puts others into the
   * batch, which it gives then.
   */
  takeOne(into: Batch): number | Batch | undefined {
    if (!this.#hasTwoLatches) return this.#takeOneStored(into);
    let number: number | undefined;
    let drawn = 0;
    let isEmpty = false;
    this.#takeLatch.take();
    try {
      if (this.#mayDraw) {
        const items = this.#items;
        items.sync();
        isEmpty = items.there(1) === 0;
        if (!isEmpty) {
          number = items.drawInt();
          if (number === undefined) {
            into.clear();
            drawn = items.draw(into, 1);
          }
          if (number !== undefined || drawn > 0) this.#accounts.charge(1);
        }
      }
    } finally {
      this.#takeLatch.give();
    }
    if (number !== undefined) return number;
    if (drawn > 0) return into;
    return isEmpty ? undefined : this.#takeOneStored(into);
  }

  #takeOneStored(into: Batch): Batch | undefined {
    into.clear();
    return this.#takeStored(into, 1, undefined, false) > 0 ? into : undefined;
  }

  /** Whether nobody waits who would be woken by a take, or was passed over. */
  get #mayDraw(): boolean {
    return this.putters.isEmpty && this.getters.isEmpty;
  }

  /** Sees to the books, and to those who wait. Call with both latches held. */
  #haveTaken(count: number): void {
    this.#accounts.charge(count);
    this.#waiters.wakePutters(count);
    // Others may have been woken for what this one has taken; and not for what it has left.
    this.#waiters.wakeGetters();
  }

  /**
   * The values of items that were taken; gives back the memory of those that were read where they
   * lie.
   */
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
    this.#hold(() => {
      this.#items.freeHeld(blocks);
      this.#waiters.wakePutters(1);
    });
  }

  // Waiting

  /** Takes a waiter out of its list; false when it is not there. */
  withdraw(list: WaitList, node: number): boolean {
    return this.#hold(() => {
      const wasQueued = list.remove(node);
      // It may have stood, with an item too large for the memory there is, before others that fit.
      if (wasQueued && list === this.putters) {
        this.#waiters.wakePutters(this.#control[QUEUE.MAXSIZE]);
      }
      return wasQueued;
    });
  }

  /**
   * Puts a waiter that was woken in the place of another, who is to try; false when that one is not
   * queued.
   */
  exchange(list: WaitList, node: number, other: number): boolean {
    return this.#hold(() => list.exchange(node, other));
  }

  /** Wakes anew: one that was woken does not try. */
  wakeAgain(): void {
    this.#hold(() => {
      this.#waiters.wakeAnew();
      this.#waiters.wakeJoiners();
    });
  }

  /** For a waiter, after some thread has died. */
  afterDeath(): void {
    this.#hold(() => {
      this.#waiters.lookForDead();
      this.#waiters.wakeJoiners();
    });
  }

  // Keeping track

  /** Reports items done that were taken; throws when there are not so many. */
  done(n: number): void {
    const control = this.#control;
    const unfinished = this.#hold(() => {
      const unfinished = control[QUEUE.UNFINISHED];
      if (n <= unfinished) {
        control[QUEUE.UNFINISHED] = unfinished - n;
        this.#accounts.settle(n);
        this.#waiters.wakeJoiners();
      }
      return unfinished;
    });
    if (n > unfinished) {
      throw new RangeError(
        `Cannot call taskDone on ${this.label} for ${n} items: ${unfinished} are unfinished`,
      );
    }
  }

  /** Closes the queue; discards what is in it if asked to. */
  close(discards: boolean): void {
    const control = this.#control;
    this.#hold(() => {
      control[QUEUE.STATE] = CLOSED;
      if (discards) {
        const unfinished = control[QUEUE.UNFINISHED] - countOf(control);
        control[QUEUE.UNFINISHED] = Math.max(0, unfinished);
        while (countOf(control) > 0) this.#items.discard();
      }
      this.#waiters.wakeAll();
      this.#waiters.wakeJoiners();
    });
  }

  /**
   * Queues the wait unless all is done; true when it is.
   *
   * @throws {LostItemsError} When nobody is left to finish what is not.
   */
  tryJoin(wait: Waiter): boolean {
    return this.#hold(() => {
      const unfinished = this.#control[QUEUE.UNFINISHED];
      if (unfinished === 0) return true;
      const lost = this.#accounts.lost();
      if (lost.count >= unfinished) throw this.#lostItemsError(lost);
      this.#waiters.queue(this.joiners, wait, false);
      return false;
    });
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
