/**
 * The core of Semaphore and BoundedSemaphore, the permits: how many are free, who waits for one,
 * and how they pass on.
 *
 * Word VALUE: free permits.
 * Word BOUND: the most that may be free.
 * Word WAITERS: 1 while somebody is queued. Written under the latch.
 * Word WOKEN: how many waiters were woken to try for a permit and have not done so yet. Written
 * under the latch.
 * Word DEATHS: how many threads had died when WOKEN was last written. Written under the latch.
 *
 *   VALUE n -> n - 1   tryAcquire()   a thread for itself
 *   VALUE n -> n + k   release(k)
 *   VALUE n -> n - 1   serve()        for a waiter that was overtaken before, which is granted OWNED
 *
 * Fairness: waiters are woken first come, first served, but a woken waiter may find that a thread
 * which came later has taken the permit. Keeping the permit for the woken waiter would leave it
 * idle for as long as a thread takes to wake, each time. A waiter that was overtaken like this
 * waits in front of all that were not, and the next permit that is passed on is granted to it. A
 * promise in another process whose permit was passed on to a blocking call of its own thread counts
 * as overtaken too.
 *
 * Invariants
 * 1. A waiter that queues sets WAITERS and then tries once more, under the latch. A releaser adds
 *    to VALUE and then looks at WAITERS. One of the two sees the other's write: no waiter sleeps
 *    unnoticed while a permit is free.
 * 2. While somebody is queued, no more permits are free than WOKEN says, except those whose
 *    releaser has yet to look at WAITERS. A woken waiter takes itself out of WOKEN and takes a
 *    permit in one step under the latch. If there is none, others were quicker, and it queues again
 *    by Invariant 1.
 * 3. A woken waiter that dies leaves WOKEN too high. So WOKEN is valid only until the next death,
 *    after which it counts as 0, and every waiter sees to it that free permits are passed on
 *    (`examine`). The deaths are counted before a waiter is found alive and woken, so that its own
 *    is not among them. A WOKEN that is too low only wakes a waiter in vain.
 *
 * @module
 */

import { load, replace, store } from "../_platform/atomics.ts";
import {
  type Core,
  type CoreCall,
  isAlike,
  type PassedOn,
  type PassingCore,
  type Promised,
  registerCore,
} from "../_memory/core.ts";
import { NODE, SEMAPHORE } from "../_memory/layout.ts";
import { type Limits, type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { labelOf, SharedWords } from "./_shared.ts";

/** The kind of Semaphore in handles and error texts. */
export const KIND = "Semaphore";
/** The kind of BoundedSemaphore in handles and error texts. */
export const BOUNDED_KIND = "BoundedSemaphore";

/** What a waiter is granted: a try at a permit, or a permit. */
const TRY = 1;
const OWNED = 2;

/** What Semaphore calls. */
export interface SemaphoreCore extends Core {
  /** Takes a permit if one is free. */
  tryAcquire(): boolean;
  /** Takes a permit, within limits; false when time was up first. */
  acquire(limits: Limits): Promise<boolean>;
  /** Like {@linkcode SemaphoreCore.acquire}, but blocks. */
  acquireSync(deadlineMs: number): boolean;
  /**
   * Frees permits, and passes them on to waiters; throws, and changes nothing, if more would be
   * free than BOUND.
   */
  release(permits: number): void;
  /** How many permits are free. */
  value(): number;
}

/** The core for threads that share the memory. */
export class LocalSemaphoreCore implements SemaphoreCore, PassingCore {
  readonly seat: Seat;
  readonly name: string | undefined;
  readonly #kind: string;
  readonly #shared: SharedWords;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #waiters: WaitList;

  constructor(kind: string, shared: SharedWords) {
    const { words, seat, name } = shared;
    this.seat = seat;
    this.name = name;
    this.#kind = kind;
    this.#shared = shared;
    this.#words = words;
    this.#latch = new Latch(words, SEMAPHORE.LATCH);
    this.#waiters = new WaitList(words, SEMAPHORE.LIST, seat, 1);
  }

  /** The core of a semaphore that another thread has made. */
  static open(kind: string, data: unknown): LocalSemaphoreCore {
    return new LocalSemaphoreCore(kind, SharedWords.open(data, SEMAPHORE.SIZE));
  }

  /** The core of a new semaphore. */
  static create(
    kind: string,
    value: number,
    bound: number,
    name: string | undefined,
  ): LocalSemaphoreCore {
    const shared = SharedWords.create(SEMAPHORE.SIZE, name);
    store(shared.words, SEMAPHORE.VALUE, value);
    store(shared.words, SEMAPHORE.BOUND, bound);
    return new LocalSemaphoreCore(kind, shared);
  }

  /** See {@linkcode Core}. */
  get data(): unknown {
    return this.#shared.data;
  }

  /** The semaphore's memory: the same for all views that this thread has made of one reference. */
  get buffer(): ArrayBufferLike {
    return this.#words.buffer;
  }

  /** See {@linkcode SemaphoreCore}. */
  value(): number {
    return load(this.#words, SEMAPHORE.VALUE);
  }

  /** See {@linkcode SemaphoreCore}. */
  tryAcquire(): boolean {
    const words = this.#words;
    for (;;) {
      const value = load(words, SEMAPHORE.VALUE);
      if (value === 0) return false;
      if (replace(words, SEMAPHORE.VALUE, value, value - 1)) return true;
    }
  }

  /** See {@linkcode SemaphoreCore}. */
  acquire(limits: Limits): Promise<boolean> {
    return this.tryAcquire() ? Promise.resolve(true) : this.#acquireContended(limits);
  }

  async #acquireContended(limits: Limits, wasOvertaken = false): Promise<boolean> {
    const wait = this.#begin(wasOvertaken);
    return wait === undefined || await this.seat.wait(wait, limits);
  }

  /** See {@linkcode PassingCore}. */
  passOn(promised: Promised, blocked: CoreCall): PassedOn | undefined {
    if (promised.value !== true || !isAlike(promised, blocked)) return undefined;
    return { value: true, again: (limits) => this.#acquireContended(limits, true) };
  }

  /** See {@linkcode SemaphoreCore}. */
  acquireSync(deadlineMs: number): boolean {
    if (this.tryAcquire()) return true;
    const wait = this.#begin(false);
    return wait === undefined || this.seat.waitSync(wait, deadlineMs);
  }

  /** See {@linkcode SemaphoreCore}. */
  release(permits: number): void {
    if (this.tryRelease(permits)) return;
    const bound = this.#words[SEMAPHORE.BOUND];
    throw new RangeError(
      `Cannot release ${
        labelOf(this.#kind, this.name)
      } ${permits} times: ${this.value()} permits are free, and there are no more than ${bound}`,
    );
  }

  /** Does what `release` does; false if more permits would be free than BOUND. */
  tryRelease(permits: number): boolean {
    const words = this.#words;
    let value: number;
    do {
      value = load(words, SEMAPHORE.VALUE);
      if (value + permits > words[SEMAPHORE.BOUND]) return false;
    } while (!replace(words, SEMAPHORE.VALUE, value, value + permits));
    if (load(words, SEMAPHORE.WAITERS) !== 0) this.serve();
    return true;
  }

  /** Passes free permits on to waiters. */
  serve(): void {
    for (const thread of this.#latch.hold(() => this.#grantFree())) this.seat.ring(thread);
  }

  /** Queues a wait; `undefined` when a permit was taken after all. */
  #begin(wasOvertaken: boolean): SemaphoreWait | undefined {
    const wait = new SemaphoreWait(this);
    this.#latch.hold(() => {
      wait.isOver = wasOvertaken ? this.#queueAgain(wait.node) : this.#queue(wait.node);
    });
    if (!wait.isOver) return wait;
    this.seat.close(wait);
    return undefined;
  }

  /** Queues a node; true when a permit was taken instead. Call with the latch held. */
  #queue(node: number): boolean {
    this.#waiters.push(node);
    return this.#tryQueued(node);
  }

  /**
   * Tries once more for a node that was just queued (Invariant 1), and takes the node out if that
   * succeeds. Call with the latch held.
   */
  #tryQueued(node: number): boolean {
    store(this.#words, SEMAPHORE.WAITERS, 1);
    if (!this.tryAcquire()) return false;
    this.#remove(node);
    return true;
  }

  /** Takes what a waiter was granted; false when the wait has to go on. */
  granted({ node }: SemaphoreWait, grant: number): boolean {
    if (grant === OWNED) return true;
    return this.#latch.hold(() => {
      // This thread was given up: other waiters serve the permit in its place (Invariant 3).
      if (!this.seat.isHere) return false;
      this.#countWoken(-1);
      return this.tryAcquire() || this.#queueAgain(node);
    });
  }

  /**
   * Queues a node that was overtaken; true when a permit was taken instead. Call with the latch
   * held.
   */
  #queueAgain(node: number): boolean {
    this.seat.table.words[node + NODE.ARGUMENT] = 1;
    this.#waiters.pushBehind(node, (other) => this.#wasOvertaken(other));
    return this.#tryQueued(node);
  }

  /** Grants free permits to waiters; returns the threads to ring. Call with the latch held. */
  #grantFree(): ReadonlySet<number> {
    const waiters = this.#waiters;
    const threads = new Set<number>();
    for (;;) {
      const woken = this.#countWoken(0); // Not after firstAlive() (Invariant 3).
      const node = waiters.firstAlive();
      if (node === 0) break;
      if (this.#wasOvertaken(node)) {
        if (!this.tryAcquire()) break;
        threads.add(waiters.grant(node, OWNED));
      } else {
        if (this.value() <= woken) break;
        this.#words[SEMAPHORE.WOKEN] = woken + 1;
        threads.add(waiters.grant(node, TRY));
      }
    }
    if (waiters.isEmpty) store(this.#words, SEMAPHORE.WAITERS, 0);
    return threads;
  }

  #wasOvertaken(node: number): boolean {
    return this.seat.table.words[node + NODE.ARGUMENT] === 1;
  }

  /**
   * Adds to WOKEN, starting from 0 after a death, and returns it (Invariant 3). Call with the latch
   * held.
   */
  #countWoken(change: number): number {
    const words = this.#words;
    const { deaths } = this.seat.table;
    const isCurrent = words[SEMAPHORE.DEATHS] === deaths;
    words[SEMAPHORE.DEATHS] = deaths;
    words[SEMAPHORE.WOKEN] = Math.max(0, (isCurrent ? words[SEMAPHORE.WOKEN] : 0) + change);
    return words[SEMAPHORE.WOKEN];
  }

  /** Takes a node out of the list; false when it is not there. */
  withdraw(node: number): boolean {
    return this.#latch.hold(() => this.#remove(node));
  }

  /**
   * Puts the node of a wait that was granted a permit in the place of another node, which gets the
   * permit; false if that one is not queued.
   */
  cede(node: number, other: number): boolean {
    this.seat.table.words[node + NODE.ARGUMENT] = 0;
    return this.#latch.hold(() => this.#waiters.exchange(node, other));
  }

  /** Takes a node out of the list; false when it is not there. Call with the latch held. */
  #remove(node: number): boolean {
    const wasQueued = this.#waiters.remove(node);
    if (this.#waiters.isEmpty) store(this.#words, SEMAPHORE.WAITERS, 0);
    return wasQueued;
  }
}

/** A wait for a permit. */
class SemaphoreWait extends Wait {
  readonly #core: LocalSemaphoreCore;

  constructor(core: LocalSemaphoreCore) {
    super(core.seat);
    this.#core = core;
  }

  /** See {@linkcode Wait}. */
  granted(grant: number): boolean {
    return this.#core.granted(this, grant);
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#core.withdraw(this.node);
  }

  /** See {@linkcode Wait}. */
  giveBack(): void {
    this.#core.tryRelease(1);
  }

  /** See {@linkcode Wait}. */
  override get object(): unknown {
    return this.#core.buffer;
  }

  /** See {@linkcode Wait}. */
  override cede(blocked: Wait): boolean {
    return this.#core.cede(this.node, blocked.node);
  }

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#core.serve();
    return false;
  }
}

for (const kind of [KIND, BOUNDED_KIND]) {
  registerCore<SemaphoreCore>(kind, (data) => LocalSemaphoreCore.open(kind, data), {
    waiting: ["acquire"],
    others: ["tryAcquire", "release", "value"],
  });
}
