/**
 * The state of a queue: items in shared memory, the threads that wait to put and to get, and the
 * count of unfinished items.
 *
 * There are two latches, one for puts and one for takes, each held for a few words only: items are
 * encoded before and decoded after, and large ones are read where they lie (`_items.ts`). Only where
 * memory is short, both are held for a walk over all blocks now and then, at some 4 ns each
 * (Invariant 4 of `_heap.ts`). A put of
 * a small item for which nobody waits needs the latch for puts only, and a take of a small item
 * that is there, while nobody waits, the latch for takes only: producers and consumers do not get
 * into each other's way. Everything else is done with both latches, taken in that order. The verbs
 * tell the two ways apart: items are *added* and *drawn* with one latch, *stored* and *taken* with
 * both. Orders that have no segments do everything with both, so for them the latch for puts stands
 * for both.
 *
 * Words PUTS and TAKES: items ever put, and ever taken or discarded; their difference is the number
 * of items in the queue. They wrap.
 * Words TAKES_SEEN and PUTS_SEEN: the other side's count as this side last saw it; they spare it
 * the other's cache line.
 * Word STATE: 0 -> CLOSED by shutdown(), never back.
 * Word UNFINISHED: items put, less those reported done, less those discarded.
 *
 * All words are written by plain stores, with both latches held or the one in whose line of the
 * layout they are; giving the latches back publishes them. The exception is PUTS: a thread with
 * only the latch for puts writes it atomically, after the items, for threads that have only the
 * latch for takes. Nothing publishes TAKES like this: a thread with only the latch for puts may see
 * it late, and find less room than there is. A thread that reads words without a latch sees what
 * was a moment ago.
 *
 * Invariants, besides those of `_segments.ts`, and those of `_waiters.ts` on who is woken
 * 1. A thread that cannot go on is queued in the same hold of both latches in which it found that
 *    out: nobody sleeps unnoticed while there is an item, or room.
 * 2. Lists of waiters and STATE change with both latches held. So a thread that has one latch and
 *    finds nobody waiting has nobody to wake: a thread that comes to wait afterwards sees what the
 *    first one did.
 * 3. TAKES_SEEN <= TAKES <= PUTS_SEEN <= PUTS: room that was seen is there, and so is an item that
 *    was seen. A thread with both latches brings TAKES_SEEN and PUTS_SEEN up to date first.
 * 4. Seen with both latches held, UNFINISHED is PUTS less TAKES, plus what threads have taken and
 *    not reported done (`_accounts.ts`). So when it is no more than what dead threads have taken,
 *    nobody is left to finish it.
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
  /** What error texts call it. */
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
  /** Whether small items can be put and taken with one latch. */
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

  /**
   * Sets how many items there may be, any number if `maxsize` is 0 or less; call before the queue
   * is shared.
   */
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
      // Nothing was taken meanwhile: the difference is how many there were when PUTS was read.
      if (load(control, QUEUE.TAKES) === takes) return (puts - takes) | 0;
    }
  }

  /** Items put and not reported done or discarded. */
  get unfinished(): number {
    return load(this.#control, QUEUE.UNFINISHED);
  }

  /** True once nothing can be put any more. */
  get isClosed(): boolean {
    return load(this.#control, QUEUE.STATE) === CLOSED;
  }

  /** True when there are `maxsize` items; memory is not looked at. */
  get isFull(): boolean {
    return this.count >= this.#control[QUEUE.MAXSIZE];
  }

  /** The waiters that want to get. */
  get getters(): WaitList {
    return this.#waiters.getters;
  }

  /** The waiters that want to put. */
  get putters(): WaitList {
    return this.#waiters.putters;
  }

  /** The waiters that want all items to be done. */
  get joiners(): WaitList {
    return this.#waiters.joiners;
  }

  // Any call made with a latch held can fail, where the stack overflows. Latches are given back all
  // the same, as the words that say what is in the queue are written last.

  /** Calls a function with both latches held, then rings the threads that it woke. */
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
   * Puts as many items as there is room for.
   *
   * @param items What to put.
   * @param from The index of the first to put.
   * @param wait Queued when there is no room for all of them.
   * @param wasWoken Whether this is the try of a woken waiter.
   * @returns How many were put; less than 0 when the queue is closed.
   * @throws {TypeError} When one cannot be sorted; the items before it were put.
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
          this.#waiters.queue(this.putters, wait);
        }
        return false;
      } finally {
        control[QUEUE.UNFINISHED] += at - first;
        if (at > first) this.#waiters.wakeGetters();
        // A putter that was woken for room but did not use it, being refused, leaves it to others.
        if (wasWoken && wait?.isQueued !== true) this.#waiters.wakePutters(control[QUEUE.MAXSIZE]);
      }
    });
    return isClosed && added === 0 ? -1 : at - from;
  }

  /** Adds items with the latch for puts alone, as far as possible; returns how many. */
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
   * Adds a whole number with the latch for puts alone; false when that is not possible: nothing has
   * changed then, and the number must be put by `put`.
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
   * @param into An empty batch, which they go into.
   * @param most How many are wanted at most.
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

  /** Takes items out with both latches; parameters and result are those of `take`. */
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
      else if (wait !== undefined) this.#waiters.queue(this.getters, wait);
      return taken;
    });
  }

  /**
   * Takes an item out, if there is one: returns a whole number as it is; puts any other item into
   * the batch, and returns the batch.
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

  /**
   * Whether a take with one latch is allowed: no putter waits, which it would have to wake, and no
   * getter, which it would pass over.
   */
  get #mayDraw(): boolean {
    return this.putters.isEmpty && this.getters.isEmpty;
  }

  /** Charges this thread's account, and wakes waiters. Call with both latches held. */
  #haveTaken(count: number): void {
    this.#accounts.charge(count);
    this.#waiters.wakePutters(count);
    // Other getters may have been woken for the items taken here, and none for the items left.
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
      // A putter whose item is too large for the free memory may have stood before others whose
      // items fit.
      if (wasQueued && list === this.putters) {
        this.#waiters.wakePutters(this.#control[QUEUE.MAXSIZE]);
      }
      return wasQueued;
    });
  }

  /**
   * Puts a waiter that was woken in the place of another, which tries in its stead; false when that
   * one is not queued.
   */
  exchange(list: WaitList, node: number, other: number): boolean {
    return this.#hold(() => list.exchange(node, other));
  }

  /** Wakes waiters anew, after one that was woken does not try. */
  wakeAgain(): void {
    this.#hold(() => {
      this.#waiters.wakeAnew();
      this.#waiters.wakeJoiners();
    });
  }

  /**
   * Called for a waiter after some thread has died: wakes in place of dead waiters, and joiners if
   * nobody is left to finish.
   */
  afterDeath(): void {
    this.#hold(() => {
      this.#waiters.lookForDead();
      this.#waiters.wakeJoiners();
    });
  }

  // Keeping track

  /** Reports items done that were taken; throws when fewer than `n` are unfinished. */
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
   * Queues the wait unless all items are done; true when they are.
   *
   * @throws {LostItemsError} When nobody is left to finish the unfinished items.
   */
  tryJoin(wait: Waiter): boolean {
    return this.#hold(() => {
      const unfinished = this.#control[QUEUE.UNFINISHED];
      if (unfinished === 0) return true;
      const lost = this.#accounts.lost();
      if (lost.count >= unfinished) throw this.#lostItemsError(lost);
      this.#waiters.queue(this.joiners, wait);
      return false;
    });
  }

  // Errors

  /** The error of a put that found no room, after `count` items that did. */
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
