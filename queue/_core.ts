/**
 * What all queues are made of: items in shared memory, those who wait to put and to get, and the count of what is not done.
 *
 * Everything changes under one latch, held for a few words: items are encoded before it and decoded after it, and large
 * ones are read where they lie. They wait in the order's own structure (`_order.ts`), in blocks of the queue's memory (`_heap.ts`).
 *
 * Word STATE: 0 -> CLOSED by shutdown(), never back.
 * Word COUNT: items in the queue. Word UNFINISHED: items put, less those reported done, less those discarded.
 * Words WOKEN_GETTERS and WOKEN_PUTTERS: waiters that were told to try and have not done so yet.
 * Word HELD: blocks of large items that are being read.
 * All words are written plainly, with the latch held; giving the latch back publishes them. Who reads COUNT or STATE without the
 * latch may see what was a moment ago.
 *
 * Invariants
 * 1. Who cannot go on is queued under the same hold of the latch under which that was found out: nobody sleeps unseen beside
 *    an item, or beside room.
 * 2. While getters are queued, at least as many were woken as there are items. A woken one that finds nothing, others having
 *    been faster, is queued before all others. For putters and room likewise, as far as room is counted in items.
 * 3. Nobody waits for one that was woken and is no more: when some thread has died since waiters were last counted as woken
 *    (word DEATHS), none counts as woken any more, and as many are woken anew. Once a death: who was woken in vain is queued
 *    first, so waking all would turn their order round.
 * 4. UNFINISHED is COUNT plus what threads have taken and not reported done (`_accounts.ts`). So when it is no more than what
 *    dead threads have, nobody is left to finish it.
 *
 * Why waiters are told to try, and not handed an item: a thread that ended before it noticed would take the item
 * along; and while it wakes, for tens of microseconds, nobody else could have it.
 *
 * @module
 */

import { load } from "../_platform/atomics.ts";
import { platform } from "../_platform/mod.ts";
import { backOff, Spinner } from "../_platform/park.ts";
import { QUEUE } from "../_memory/layout.ts";
import { type Limits, type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { Accounts, type LostItems } from "./_accounts.ts";
import { type Batch, FORM, readInPlace, SMALL_WORDS } from "./_batch.ts";
import { BLOCK, Heap, SIZE_BITS } from "./_heap.ts";
import type { Order } from "./_order.ts";
import { Empty, Full, LostItemsError, ShutDown } from "./errors.ts";

/** STATE of a queue that was shut down; 0 before. */
const CLOSED = 1;

/** What a waiter is told. */
const TRY = 1;

const GETTERS_LIST = 1;
const PUTTERS_LIST = 2;
const JOINERS_LIST = 3;

/** MAXSIZE of an unbounded queue. */
const UNBOUNDED = 2 ** 31 - 1;

/**
 * Looks at a queue that is empty, or full, before a thread goes to sleep for it, and the shortest and longest pause between
 * two of them, in pauses of the processor (about 35 ns each). Who looks seldom lets the other side work in peace, and finds
 * more than one item.
 */
const LOOKS = platform.cores > 1 ? 10 : 0;
const FIRST_PAUSE = 32;
const LONGEST_PAUSE = 64;

/** What a queue is. */
export interface QueueParts {
  readonly buffer: SharedArrayBuffer;
  readonly seat: Seat;
  readonly order: Order;
  /** How error texts call it. */
  readonly label: string;
}

/** A wait for a queue to change. */
class QueueWait extends Wait {
  /** False until somebody has to wait: a try that goes well needs no place in a list. */
  isQueued = false;
  readonly #core: QueueCore;
  readonly #list: WaitList;

  constructor(core: QueueCore, list: WaitList) {
    super(core.seat);
    this.#core = core;
    this.#list = list;
  }

  /** See {@linkcode Wait}. */
  granted(): boolean {
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#core.withdraw(this.#list, this.node);
  }

  /** See {@linkcode Wait}. */
  override get object(): unknown {
    return this.#list;
  }

  /** See {@linkcode Wait}. */
  override cede(blocked: Wait): boolean {
    return this.#core.exchange(this.#list, this.node, blocked.node);
  }

  /** See {@linkcode Wait}: lets another one try. */
  giveBack(): void {
    this.#core.wakeAgain();
  }

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#core.afterDeath();
    return false;
  }
}

/** Tries; true when there is no need to wait. Queues the wait otherwise. */
type Try = (wait: QueueWait, wasWoken: boolean) => boolean;

/** Items that are put bit by bit. */
class PutRun {
  count = 0;
  readonly #core: QueueCore;
  readonly #items: Batch;
  readonly #before: number;

  constructor(core: QueueCore, items: Batch, before: number) {
    this.#core = core;
    this.#items = items;
    this.#before = before;
  }

  /** Puts what there is room for; true when all is put. */
  advance(wait: QueueWait | undefined, wasWoken: boolean): boolean {
    const count = this.#core.put(this.#items, this.count, wait, wasWoken);
    this.#core.checkOpen(count, this.#before + this.count);
    this.count += count;
    return this.count === this.#items.count;
  }
}

/** The inner part of a queue. */
export class QueueCore {
  readonly seat: Seat;
  readonly label: string;
  /** What a put attempts, for error texts. */
  readonly putting: string;
  /** What a get attempts, for error texts. */
  readonly getting: string;
  readonly #heap: Heap;
  /** The control block, in a view that need not be renewed. */
  readonly #control: Int32Array;
  readonly #order: Order;
  /** Words that the largest item may have. */
  readonly #mostWords: number;
  readonly #latch: Latch;
  readonly #getters: WaitList;
  readonly #putters: WaitList;
  readonly #joiners: WaitList;
  readonly #accounts: Accounts;
  /** Threads to be rung once the latch is given back. */
  readonly #toRing: number[] = [];
  readonly #spinner = new Spinner();

  constructor({ buffer, seat, order, label }: QueueParts) {
    const control = new Int32Array(buffer, 0, QUEUE.SIZE);
    this.seat = seat;
    this.label = label;
    this.putting = `put into ${label}`;
    this.getting = `get from ${label}`;
    this.#heap = new Heap(buffer);
    this.#control = control;
    this.#order = order;
    this.#mostWords = this.#heap.largestBeside(order.ownWords) - BLOCK.HEADER - order.extraWords;
    this.#latch = new Latch(control, QUEUE.LATCH);
    this.#getters = new WaitList(control, QUEUE.GETTERS, seat, GETTERS_LIST);
    this.#putters = new WaitList(control, QUEUE.PUTTERS, seat, PUTTERS_LIST);
    this.#accounts = new Accounts(control, seat);
    this.#joiners = new WaitList(control, QUEUE.JOINERS, seat, JOINERS_LIST);
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

  #enter(): void {
    this.#latch.take();
    this.#heap.sync();
  }

  #leave(): void {
    this.#latch.give();
    const threads = this.#toRing;
    if (threads.length === 0) return;
    // Ringing may lead back here.
    const rung = threads.splice(0);
    for (const thread of rung) this.seat.ring(thread);
  }

  // Putting

  /**
   * Throws if an item of the batch can never be put.
   *
   * @throws {RangeError} When it has more words than the queue's memory could hold.
   */
  checkSizes(items: Batch): void {
    const most = this.#mostWords;
    for (let i = 0; i < items.count; i++) {
      const size = this.#sizeOf(items, i);
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
  put(items: Batch, from: number, wait: QueueWait | undefined, wasWoken: boolean): number {
    const control = this.#control;
    let at = from;
    let isClosed = false;
    this.#enter();
    try {
      if (wasWoken) this.#unwake(QUEUE.WOKEN_PUTTERS);
      isClosed = control[QUEUE.STATE] === CLOSED;
      if (!isClosed) {
        while (at < items.count && this.#store(items, at)) at++;
        if (at < items.count && wait !== undefined) this.#queue(this.#putters, wait, wasWoken);
      }
    } finally {
      control[QUEUE.UNFINISHED] += at - from;
      if (at > from) this.#wakeGetters();
      // One that was woken for the room and did not take it, being refused, leaves it to others.
      if (wasWoken && wait?.isQueued !== true) this.#wakePutters(control[QUEUE.MAXSIZE]);
      this.#leave();
    }
    return isClosed ? -1 : at - from;
  }

  /** Stores an item; false when there is no room. */
  #store(items: Batch, at: number): boolean {
    const control = this.#control;
    const count = control[QUEUE.COUNT];
    if (count >= control[QUEUE.MAXSIZE]) return false;
    const heap = this.#heap;
    const order = this.#order;
    const size = BLOCK.HEADER + order.extraWords + this.#sizeOf(items, at);
    let block = order.prepare(heap, items, at) ? heap.allocate(size) : 0;
    if (block === 0) {
      if (count > 0 || control[QUEUE.HELD] > 0) return false;
      // Nothing is in use: memory that went to items of other sizes can be had again.
      heap.reset();
      control[QUEUE.ORDER] = control[QUEUE.ORDER + 1] = 0;
      block = order.prepare(heap, items, at) ? heap.allocate(size) : 0;
      if (block === 0) return false;
    }
    this.#write(block, items, at);
    order.push(heap, block, items, at);
    control[QUEUE.COUNT] = count + 1;
    return true;
  }

  /** Words of an item, and of its key where that is apart. */
  #sizeOf(items: Batch, at: number): number {
    const size = items.forms[at] === FORM.INT ? 0 : items.sizes[at];
    const { encodedKeys } = items;
    if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return size;
    return ((size + 1) & ~1) + encodedKeys.sizes[at];
  }

  #write(block: number, items: Batch, at: number): void {
    const { words } = this.#heap;
    const form = items.forms[at];
    words[block + BLOCK.META] |= form << SIZE_BITS;
    words[block + BLOCK.A] = items.sizes[at];
    words[block + BLOCK.B] = items.externs[at];
    const start = block + BLOCK.HEADER + this.#order.extraWords;
    let size = 0;
    if (form !== FORM.INT) {
      copyWords(items, at, words, start);
      size = items.sizes[at];
    }
    const { encodedKeys } = items;
    if (encodedKeys === undefined || encodedKeys.forms[at] === FORM.INT) return;
    copyWords(encodedKeys, at, words, start + ((size + 1) & ~1));
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
  take(into: Batch, most: number, wait: QueueWait | undefined, wasWoken: boolean): number {
    const control = this.#control;
    this.#enter();
    if (wasWoken) this.#unwake(QUEUE.WOKEN_GETTERS);
    let count = control[QUEUE.COUNT];
    let taken = 0;
    while (count > 0 && taken < most && into.hasRoom) {
      const block = this.#order.pop(this.#heap);
      control[QUEUE.COUNT] = --count;
      this.#read(block, into);
      taken++;
    }
    if (taken > 0) {
      this.#accounts.charge(taken);
      this.#wakePutters(taken);
      // Others may have been woken for what this one has taken; and not for what it has left.
      this.#wakeGetters();
    } else if (control[QUEUE.STATE] === CLOSED) {
      taken = -1;
    } else if (wait !== undefined) {
      this.#queue(this.#getters, wait, wasWoken);
    }
    this.#leave();
    return taken;
  }

  #read(block: number, into: Batch): void {
    const { words } = this.#heap;
    if (words[block + BLOCK.META] >> SIZE_BITS === FORM.INT) {
      into.takeInt(words[block + BLOCK.A]);
    } else if (words[block + BLOCK.A] <= SMALL_WORDS) {
      const start = block + BLOCK.HEADER + this.#order.extraWords;
      into.takeWords(words, start, words[block + BLOCK.A], words[block + BLOCK.B]);
    } else {
      this.#control[QUEUE.HELD]++;
      into.takeHeld(block);
      return;
    }
    this.#heap.free(block);
  }

  /** The values of items that were taken; gives back the memory of those that were read where they lie. */
  valuesOf(items: Batch): unknown[] {
    const { held } = items;
    const values: unknown[] = [];
    try {
      for (let i = 0; i < items.count; i++) {
        values.push(held[i] === undefined ? items.valueOf(i) : this.#valueIn(held[i]));
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

  #valueIn(block: number): unknown {
    const { words, bytes } = this.#heap;
    const start = block + BLOCK.HEADER + this.#order.extraWords;
    return readInPlace(words, bytes, start, words[block + BLOCK.B]);
  }

  #freeHeld(blocks: readonly number[]): void {
    this.#enter();
    for (const block of blocks) {
      if (block === undefined) continue;
      this.#heap.free(block);
      this.#control[QUEUE.HELD]--;
    }
    this.#wakePutters(1);
    this.#leave();
  }

  // Waiting

  /** Puts the items; waits for room, and blocks this thread meanwhile. Returns how many were put in time. */
  putAllSync(items: Batch, deadlineMs: number, before: number): number {
    const run = new PutRun(this, items, before);
    if (this.#look(() => !this.isFull || this.isClosed) && run.advance(undefined, false)) {
      return run.count;
    }
    this.#retrySync(this.#putters, (wait, wasWoken) => run.advance(wait, wasWoken), deadlineMs);
    return run.count;
  }

  /** Puts the items; waits for room. Returns how many were put in time. */
  async putAll(items: Batch, limits: Limits, before: number): Promise<number> {
    const run = new PutRun(this, items, before);
    await this.#retry(this.#putters, (wait, wasWoken) => run.advance(wait, wasWoken), limits);
    return run.count;
  }

  /** Takes items out; waits for the first, and blocks this thread meanwhile. Returns how many, 0 when time was up. */
  takeSync(into: Batch, most: number, deadlineMs: number): number {
    let count = 0;
    const take = (wait: QueueWait | undefined, wasWoken: boolean): boolean => {
      into.clear();
      count = this.take(into, most, wait, wasWoken);
      if (count < 0) throw this.shutDownError("get");
      return count > 0;
    };
    if (this.#look(() => this.count > 0 || this.isClosed) && take(undefined, false)) return count;
    return this.#retrySync(this.#getters, take, deadlineMs) ? count : 0;
  }

  /** Takes items out; waits for the first. Calls back with them at once, and gives what that returns; or `undefined`. */
  async takeLater<R>(
    into: Batch,
    most: number,
    limits: Limits,
    read: () => R,
  ): Promise<R | undefined> {
    let result: R | undefined;
    const take = (wait: QueueWait, wasWoken: boolean): boolean => {
      into.clear();
      const count = this.take(into, most, wait, wasWoken);
      if (count < 0) throw this.shutDownError("get");
      if (count > 0) result = read();
      return count > 0;
    };
    await this.#retry(this.#getters, take, limits);
    return result;
  }

  /** Blocks until all is done. False when time was up. */
  joinSync(deadlineMs: number): boolean {
    return this.#retrySync(this.#joiners, (wait) => this.#tryJoin(wait), deadlineMs);
  }

  /** Waits until all is done. False when time was up. */
  join(limits: Limits): Promise<boolean> {
    return this.#retry(this.#joiners, (wait) => this.#tryJoin(wait), limits);
  }

  #retrySync(list: WaitList, attempt: Try, deadlineMs: number): boolean {
    for (let wasWoken = false;; wasWoken = true) {
      const wait = new QueueWait(this, list);
      if (this.#isDone(wait, () => attempt(wait, wasWoken))) return true;
      if (!this.seat.waitSync(wait, deadlineMs)) return false;
    }
  }

  async #retry(list: WaitList, attempt: Try, limits: Limits): Promise<boolean> {
    for (let wasWoken = false;; wasWoken = true) {
      const wait = new QueueWait(this, list);
      if (this.#isDone(wait, () => attempt(wait, wasWoken))) return true;
      if (!await this.seat.wait(wait, limits)) return false;
    }
  }

  /** Closes a wait for which there is no need. */
  #isDone(wait: QueueWait, attempt: () => boolean): boolean {
    try {
      return attempt();
    } finally {
      if (!wait.isQueued) {
        wait.isOver = true;
        this.seat.close(wait);
      }
    }
  }

  /** Looks for a moment, so as not to sleep for what is about to come; true when it came. */
  #look(isReady: () => boolean): boolean {
    if (LOOKS === 0 || !this.#spinner.isDue()) return false;
    let length = FIRST_PAUSE;
    for (let i = 0; i < LOOKS; i++) {
      length = backOff(length, LONGEST_PAUSE);
      if (isReady()) return this.#spinner.hit();
    }
    return this.#spinner.miss();
  }

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
    this.#wakeAnew();
    this.#wakeJoiners();
    this.#leave();
  }

  /** For a waiter, after some thread has died (Invariant 3). */
  afterDeath(): void {
    this.#enter();
    this.#lookForDead();
    this.#wakeJoiners();
    this.#leave();
  }

  // Call these with the latch held.

  /** Queues a waiter; one that was woken in vain before all others. */
  #queue(list: WaitList, wait: QueueWait, wasWoken: boolean): void {
    if (wasWoken) list.pushFirst(wait.node);
    else list.push(wait.node);
    wait.isQueued = true;
  }

  /** A woken waiter tries. After a death fewer may be counted as woken than were. */
  #unwake(word: number): void {
    if (this.#control[word] > 0) this.#control[word]--;
  }

  #wakeGetters(): void {
    if (this.#getters.isEmpty) return;
    this.#lookForDead();
    this.#grantGetters();
  }

  /** Wakes as many putters as there is room for, `most` at most. */
  #wakePutters(most: number): void {
    if (this.#putters.isEmpty) return;
    this.#lookForDead();
    this.#grantPutters(most);
  }

  /** Sees to Invariant 3, once a death. */
  #lookForDead(): void {
    if (this.#control[QUEUE.DEATHS] !== this.seat.table.deaths) this.#wakeAnew();
  }

  #wakeAnew(): void {
    const control = this.#control;
    control[QUEUE.DEATHS] = this.seat.table.deaths;
    control[QUEUE.WOKEN_GETTERS] = control[QUEUE.WOKEN_PUTTERS] = 0;
    this.#grantGetters();
    this.#grantPutters(control[QUEUE.MAXSIZE]);
  }

  #grantGetters(): void {
    const control = this.#control;
    while (control[QUEUE.WOKEN_GETTERS] < control[QUEUE.COUNT] && this.#wakeOne(this.#getters)) {
      control[QUEUE.WOKEN_GETTERS]++;
    }
  }

  #grantPutters(most: number): void {
    const control = this.#control;
    const room = control[QUEUE.MAXSIZE] - control[QUEUE.COUNT] - control[QUEUE.WOKEN_PUTTERS];
    for (let i = Math.min(most, room); i > 0 && this.#wakeOne(this.#putters); i--) {
      control[QUEUE.WOKEN_PUTTERS]++;
    }
  }

  /** Wakes those who wait for all to be done, if it is, or never will be. */
  #wakeJoiners(): void {
    if (this.#joiners.isEmpty) return;
    const unfinished = this.#control[QUEUE.UNFINISHED];
    if (unfinished > 0 && unfinished > this.#accounts.lost().count) return;
    while (this.#wakeOne(this.#joiners));
  }

  #wakeOne(list: WaitList): boolean {
    const node = list.firstAlive();
    if (node === 0) return false;
    this.#toRing.push(list.grant(node, TRY));
    return true;
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
      this.#wakeJoiners();
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
      let count = control[QUEUE.COUNT];
      control[QUEUE.UNFINISHED] = Math.max(0, control[QUEUE.UNFINISHED] - count);
      while (count > 0) {
        const block = this.#order.pop(this.#heap);
        control[QUEUE.COUNT] = --count;
        this.#heap.free(block);
      }
    }
    while (this.#wakeOne(this.#putters) || this.#wakeOne(this.#getters));
    this.#wakeJoiners();
    this.#leave();
  }

  #tryJoin(wait: QueueWait): boolean {
    this.#enter();
    const unfinished = this.#control[QUEUE.UNFINISHED];
    const lost = this.#accounts.lost();
    const isDone = unfinished === 0;
    const isVain = !isDone && lost.count >= unfinished;
    if (!isDone && !isVain) this.#queue(this.#joiners, wait, false);
    this.#leave();
    if (isVain) throw this.#lostItemsError(lost);
    return isDone;
  }

  // Errors

  /** The error of a call that the queue's end forbids. */
  shutDownError(act: string): ShutDown {
    return new ShutDown(`Cannot ${act}: ${this.label} was shut down`);
  }

  /**
   * Checks what a put of many came to.
   *
   * @param count How many of a batch were put; less than 0 when the queue is closed.
   * @param wanted How many there are. @param before How many were put before.
   * @returns How many are put in all.
   */
  checkPut(count: number, wanted: number, before: number): number {
    this.checkOpen(count, before);
    if (count < wanted) throw this.fullError(before + count);
    return before + count;
  }

  /** Throws if a put found the queue closed, and its count is less than 0; with how many were put before. */
  checkOpen(count: number, before: number): void {
    if (count < 0) throw Object.assign(this.shutDownError("put"), { count: before });
  }

  /** The error of a get that found nothing. */
  emptyError(): Empty {
    return new Empty(`Cannot get: ${this.label} is empty`);
  }

  /** The error of a put that found no room, after so many that did. */
  fullError(count: number): Full {
    const { maxsize } = this;
    const state = this.isFull
      ? `holds ${this.count} of ${maxsize} items`
      : `has used up its memory of ${this.#heap.buffer.maxByteLength} bytes; raise capacityBytes`;
    return Object.assign(new Full(`Cannot put: ${this.label} is full, it ${state}`), { count });
  }

  #lostItemsError({ count, threads }: LostItems): LostItemsError {
    const names = threads.map((thread) => `"${this.seat.table.nameOf(thread)}"`).join(", ");
    return Object.assign(
      new LostItemsError(
        `Cannot join ${this.label}: ${count} items were taken by threads that ended without taskDone: ${names}`,
      ),
      { count },
    );
  }
}

/** Copies the words of an item of a batch. */
function copyWords(items: Batch, at: number, words: Int32Array, start: number): void {
  const large = items.large[at];
  if (large !== undefined) {
    words.set(large, start);
    return;
  }
  const from = items.starts[at];
  const size = items.sizes[at];
  for (let i = 0; i < size; i++) words[start + i] = items.words[from + i];
}
