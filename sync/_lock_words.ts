/**
 * The words of a lock, under the cores of Lock, RLock and Condition: who holds it, who waits for
 * it, and how it passes on.
 *
 * Word OWNER: 0 while free, else the id of the thread that holds the lock.
 *
 *   0      -> thread   tryTake(), and its copies in the cores of Lock and RLock: a thread for itself
 *   0      -> thread   wakeNext(), to a waiter that was overtaken before
 *   thread -> 0        free()
 *   thread -> thread   free(), to a waiter that was overtaken before
 *   thread -> thread   recover(), from a dead one
 *
 * Word WAITERS: NONE, SOME, or OVERTAKEN when the first waiter has been overtaken. Written under
 * the latch.
 * Word WOKEN: the thread that was woken to try the lock and has not done so yet; 0 for none. Set
 * under the latch, cleared by that thread.
 *
 * Fairness: waiters are woken first come, first served, but a woken waiter may find that a thread
 * which came later has taken the lock. Handing it to the woken waiter directly would leave it idle
 * for as long as a thread takes to wake, each time. A waiter that was overtaken like this waits in
 * front of all others, and the next release hands the lock to it. Once it stands in front, at most
 * one thread can still come before it: one that takes the lock from a release which had read
 * WAITERS earlier. That thread's own release hands the lock on. A promise in another process whose
 * lock was passed on to a blocking call of its own thread counts as overtaken too.
 *
 * Invariants
 * 1. A waiter that queues sets WAITERS and then tries the lock once more, under the latch. A
 *    releaser frees OWNER and then looks at WAITERS. One of the two sees the other's write: no
 *    waiter sleeps unnoticed while the lock is free.
 * 2. While WOKEN names a living thread nobody else is woken. That thread tries the lock, and if it
 *    fails it clears WOKEN before it queues; so by Invariant 1 either its own second try or a later
 *    release serves the list.
 * 3. A lock whose OWNER is dead is taken over by recover(), or freed by a release() of Lock, which
 *    any thread may call. Until then, whoever tries to acquire it gets an OwnerDiedError.
 * 4. Whoever waits hears of a dead OWNER. After each death all waiters look at OWNER (`examine`).
 *    But a thread may become the owner after they have looked: it has died since it was found alive
 *    and is handed the lock, or it was given up, runs on and takes the lock. While somebody waits,
 *    a free lock has a releaser that is about to wake a waiter, or a woken thread that is about to
 *    try (Invariants 1 and 2). Or the owner was given up, runs on, and moves waiters of a condition
 *    here. So whoever has handed the lock on, has served the list, has moved waiters to it or has
 *    tried in vain looks at OWNER last, and announces its death again: either this look comes after
 *    the death, or the death is announced after OWNER was written and the waiters were moved.
 *
 * Why the look at WAITERS comes after the release, and not before:
 *
 *   T1: reads WAITERS: NONE
 *   T2:                        queues, sets WAITERS, finds OWNER to be T1, sleeps
 *   T1: frees OWNER, wakes nobody
 *
 * What was written before a release, to whatever shared memory, is seen by whoever acquires the
 * lock afterwards.
 *
 * Source: barging, with a hand-over to a waiter that lost, is the policy of Go's sync.Mutex,
 * without its clock.
 *
 * @module
 */

import { load, replace, store } from "../_platform/atomics.ts";
import { platform } from "../_platform/mod.ts";
import { backOff } from "../_platform/park.ts";
import { LOCK, NODE } from "../_memory/layout.ts";
import { type Limits, type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { rememberLock } from "./_known_locks.ts";
import { labelOf, type SharedWords } from "./_shared.ts";
import { OwnerDiedError, RuntimeError } from "./errors.ts";

const NONE = 0;
const SOME = 1;
const OVERTAKEN = 2;

/** What a waiter is granted: a try at the lock, or the lock itself. */
const TRY = 1;
const OWNED = 2;

/**
 * How many times a thread looks at a lock that another thread holds before it goes to sleep, and
 * the longest wait between two looks, in pauses of the processor (about 35 ns each). Each look
 * takes the words' cache line from the holder: the rarer the looks, the faster the holder works.
 * With these values a thread looks for about 20 microseconds.
 */
const LOOKS = platform.cores > 1 ? 14 : 0;
const LONGEST_PAUSE = 64;

/** A lock without rules of its own about who may release it. */
export class LockWords {
  readonly seat: Seat;
  readonly kind: string;
  readonly name: string | undefined;
  /** What error texts call the lock. */
  readonly label: string;
  protected readonly words: Int32Array;
  readonly #latch: Latch;
  readonly #waiters: WaitList;
  #isRemembered = false;

  constructor(shared: SharedWords, kind: string) {
    const { words, seat, name } = shared;
    this.seat = seat;
    this.kind = kind;
    this.name = name;
    this.label = labelOf(kind, name);
    this.words = words;
    this.#latch = new Latch(words, LOCK.LATCH);
    this.#waiters = new WaitList(words, LOCK.LIST, seat, 1);
    if (name !== undefined) this.#remember();
  }

  /** The id of the thread that holds the lock, 0 while it is free. */
  get owner(): number {
    return load(this.words, LOCK.OWNER);
  }

  /** Takes the lock if it is free. */
  tryTake(): boolean {
    return replace(this.words, LOCK.OWNER, 0, this.seat.id);
  }

  /** Takes the lock if it is free; throws if its owner is dead. */
  tryOrExplain(): boolean {
    if (this.tryTake()) return true;
    const deadOwner = this.#deadOwner();
    if (deadOwner !== 0) throw this.#ownerDied(deadOwner);
    return false;
  }

  /** Takes the lock; blocks for it until the deadline. */
  takeSync(deadlineMs: number): boolean {
    if (this.#look()) return true;
    const wait = new LockWait(this);
    return this.#begin(wait, false) || this.seat.waitSync(wait, deadlineMs);
  }

  /**
   * Throws if an async task of this thread holds the lock: the task could not release it while the
   * thread is blocked for ever. Call only where the thread's own blocking code does not hold it.
   */
  checkNotOwn(): void {
    if (this.owner === this.seat.id) throw this.heldByTask();
  }

  /**
   * Throws if an async task of this thread waits for the lock: it would get the lock while the
   * thread is blocked, and could not release it.
   */
  checkNotAwaited(): void {
    if (load(this.words, LOCK.WAITERS) === NONE) return;
    if (!this.waitingThreads().includes(this.seat.id)) return;
    throw new RuntimeError(
      `Cannot wait: an async task of this thread waits for ${this.label}, and could not release it while the thread is blocked; await the promise form instead`,
    );
  }

  /** Takes the lock, within limits; waits in front of all others if it was overtaken before. */
  async take(limits: Limits, wasOvertaken = false): Promise<boolean> {
    if (this.tryTake()) return true;
    const wait = new LockWait(this);
    return this.#begin(wait, wasOvertaken) || await this.seat.wait(wait, limits);
  }

  #remember(): void {
    this.#isRemembered = true;
    rememberLock(this);
  }

  /** Queues a new wait; true when the lock was taken instead, and the wait is closed. */
  #begin(wait: LockWait, wasOvertaken: boolean): boolean {
    if (!this.#isRemembered) this.#remember();
    let isQueued = false;
    try {
      isQueued = !this.#queue(wait, wasOvertaken);
    } finally {
      if (!isQueued) {
        wait.isOver = true;
        this.seat.close(wait);
      }
    }
    return !isQueued;
  }

  /** Watches for a moment whether the lock becomes free, and takes it if so. */
  #look(): boolean {
    let length = 1;
    for (let i = 0; i < LOOKS; i++) {
      if (load(this.words, LOCK.OWNER) === 0 && this.tryTake()) return true;
      length = backOff(length, LONGEST_PAUSE);
    }
    return this.tryTake();
  }

  /**
   * Queues a wait.
   *
   * @returns True when the lock was taken instead.
   * @throws {OwnerDiedError} If the owner is dead; the wait is not queued then.
   */
  #queue({ node }: Wait, wasOvertaken: boolean): boolean {
    const waiters = this.#waiters;
    this.#latch.take();
    this.seat.table.words[node + NODE.ARGUMENT] = wasOvertaken ? 1 : 0;
    if (wasOvertaken) waiters.pushFirst(node);
    else waiters.push(node);
    this.#updateWaiters();
    const isAcquired = this.tryTake(); // Invariant 1.
    const deadOwner = isAcquired ? 0 : this.#deadOwner();
    if (isAcquired || deadOwner !== 0) {
      waiters.remove(node);
      this.#updateWaiters();
    }
    this.#latch.give();
    if (deadOwner !== 0) throw this.#ownerDied(deadOwner);
    return isAcquired;
  }

  /**
   * Queues a node of a thread that has been waiting for something else. Call with the lock held.
   */
  adopt(node: number): void {
    this.#latch.take();
    this.#waiters.push(node);
    this.#updateWaiters();
    this.#latch.give();
  }

  /**
   * Puts the node of a wait that was granted the lock in the place of another node, which gets the
   * lock; false if that one is not queued.
   */
  cede(node: number, other: number): boolean {
    this.#latch.take();
    const isCeded = this.#waiters.exchange(node, other);
    if (isCeded) {
      this.seat.table.words[node + NODE.ARGUMENT] = 0;
      this.#updateWaiters();
    }
    this.#latch.give();
    return isCeded;
  }

  /** Takes a node out of the list; false when it is not there. */
  withdraw(node: number): boolean {
    this.#latch.take();
    const wasQueued = this.#waiters.remove(node);
    if (wasQueued) this.#updateWaiters();
    this.#latch.give();
    return wasQueued;
  }

  /** Writes WAITERS anew from the list. Call with the latch held. */
  #updateWaiters(): void {
    const { first } = this.#waiters;
    const value = first === 0
      ? NONE
      : this.seat.table.words[first + NODE.ARGUMENT] === 1
      ? OVERTAKEN
      : SOME;
    store(this.words, LOCK.WAITERS, value);
  }

  /** Takes what a waiter was granted; false when the wait has to go on. */
  granted(wait: Wait, grant: number): boolean {
    if (grant === OWNED) return true;
    const { isHere } = this.seat;
    const isAcquired = isHere && this.tryTake();
    store(this.words, LOCK.WOKEN, 0); // Not before the try, nor after queueing (Invariant 2).
    if (!isHere) {
      this.wakeNext(); // This thread was given up: it takes no lock any more.
      return false;
    }
    if (isAcquired) return true;
    this.announceDeadOwner();
    return this.#queue(wait, true);
  }

  /**
   * Frees the lock, or hands it on.
   *
   * @param owner The thread that is thought to hold it.
   * @returns False when another thread holds it, or none.
   */
  free(owner: number): boolean {
    if (load(this.words, LOCK.WAITERS) === OVERTAKEN) return this.#handOn(owner);
    if (!replace(this.words, LOCK.OWNER, owner, 0)) return false;
    if (load(this.words, LOCK.WAITERS) !== NONE) this.wakeNext();
    return true;
  }

  #handOn(owner: number): boolean {
    const waiters = this.#waiters;
    this.#latch.take();
    const node = waiters.firstAlive();
    this.#updateWaiters();
    if (load(this.words, LOCK.WAITERS) !== OVERTAKEN) {
      this.#latch.give();
      return this.free(owner);
    }
    const thread = waiters.threadOf(node);
    const isReleased = replace(this.words, LOCK.OWNER, owner, thread);
    if (isReleased) {
      waiters.grant(node, OWNED);
      this.#updateWaiters();
    }
    this.#latch.give();
    if (isReleased) {
      this.seat.ring(thread);
      this.announceDeadOwner();
    }
    return isReleased;
  }

  /**
   * Wakes the first waiter to try the lock, unless the lock is taken or another woken waiter is
   * about to try.
   */
  wakeNext(): void {
    const words = this.words;
    let thread = 0;
    this.#latch.take();
    const woken = load(words, LOCK.WOKEN);
    if (load(words, LOCK.OWNER) === 0 && (woken === 0 || !this.seat.table.isAlive(woken))) {
      const node = this.#waiters.firstAlive();
      if (node !== 0) thread = this.#grantFree(node);
      this.#updateWaiters();
    }
    this.#latch.give();
    if (thread !== 0) this.seat.ring(thread);
    this.announceDeadOwner();
  }

  /**
   * Grants the lock itself to a waiter that was overtaken, and a try to any other; returns the
   * thread to ring, or 0. Call with the latch held, while the lock is free.
   */
  #grantFree(node: number): number {
    const waiters = this.#waiters;
    const thread = waiters.threadOf(node);
    const wasOvertaken = this.seat.table.words[node + NODE.ARGUMENT] === 1;
    if (wasOvertaken) {
      // If another thread takes it at this very moment, its release hands it on.
      return replace(this.words, LOCK.OWNER, 0, thread) ? waiters.grant(node, OWNED) : 0;
    }
    store(this.words, LOCK.WOKEN, thread);
    return waiters.grant(node, TRY);
  }

  // Owners that died

  /** The owner, if it is dead; else 0. */
  #deadOwner(): number {
    const { owner } = this;
    return owner === 0 || this.seat.table.isAlive(owner) ? 0 : owner;
  }

  /** Makes all waiters look again if the owner is dead (Invariant 4). Call without the latch. */
  announceDeadOwner(): void {
    const deadOwner = this.#deadOwner();
    if (deadOwner !== 0) this.seat.table.announceDeath(deadOwner);
  }

  #ownerDied(owner: number): OwnerDiedError {
    return new OwnerDiedError(
      `Cannot acquire ${this.label}: its owner, thread "${
        this.seat.table.nameOf(owner)
      }", has ended or was given up without releasing it; take it over with recover()`,
    );
  }

  /**
   * Called for a waiter after some thread has died: wakes the next waiter if the lock is free, in
   * place of a woken one that may have died; takes the node out and throws if the owner is dead.
   */
  examine(node: number): void {
    if (this.owner === 0) this.wakeNext();
    const deadOwner = this.#deadOwner();
    if (deadOwner !== 0 && this.withdraw(node)) throw this.#ownerDied(deadOwner);
  }

  /**
   * Takes the lock over from a dead owner; false when it is free, or held by a thread that is
   * alive.
   */
  recover(): boolean {
    const deadOwner = this.#deadOwner();
    return deadOwner !== 0 && replace(this.words, LOCK.OWNER, deadOwner, this.seat.id);
  }

  // For debugLocks and error texts

  /**
   * The lock's memory, which holds no other lock: the same for all views that this thread has made
   * of one reference.
   */
  get buffer(): ArrayBufferLike {
    return this.words.buffer;
  }

  /** How often the owner has acquired the lock; a Lock does not count. */
  get depth(): number {
    return Math.max(1, this.words[LOCK.DEPTH]);
  }

  /** The threads that wait, first in line first. */
  waitingThreads(): number[] {
    this.#latch.take();
    const threads = Array.from(this.#waiters.nodes(), (node) => this.#waiters.threadOf(node));
    this.#latch.give();
    return threads;
  }

  /** Says who holds the lock, as the end of a sentence. */
  describeOwner(): string {
    const { owner } = this;
    if (owner === 0) return "it is not held";
    return `it is held by thread "${this.seat.table.nameOf(owner)}"`;
  }

  /** The error of blocking for a lock that an async task of this thread holds. */
  heldByTask(): RuntimeError {
    return new RuntimeError(
      `Cannot acquire ${this.label}: an async task of this thread holds it, and cannot release it while the thread is blocked; await the promise form instead`,
    );
  }

  /** The error of releasing what is not held, or not held by the caller. */
  cannotRelease(): RuntimeError {
    return new RuntimeError(`Cannot release ${this.label}: ${this.describeOwner()}`);
  }
}

/** A wait for a lock. */
export class LockWait extends Wait {
  protected readonly lock: LockWords;

  constructor(lock: LockWords) {
    super(lock.seat);
    this.lock = lock;
  }

  /** See {@linkcode Wait}. */
  granted(grant: number): boolean {
    return this.lock.granted(this, grant);
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.lock.withdraw(this.node);
  }

  /** See {@linkcode Wait}. */
  override get object(): unknown {
    return this.lock.buffer;
  }

  /** See {@linkcode Wait}. */
  override cede(blocked: Wait): boolean {
    return this.lock.cede(this.node, blocked.node);
  }

  /** See {@linkcode Wait}. */
  giveBack(): void {
    this.lock.free(this.seat.id);
  }

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.lock.examine(this.node);
    return false;
  }
}
