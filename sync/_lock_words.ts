/**
 * The words of a lock, under the cores of Lock, RLock and Condition: who holds it, who waits for it, and how it passes on.
 *
 * Word OWNER: 0 while free, else the id of the thread that holds the lock.
 *
 *   0      -> thread   tryTake() and its kin   a thread for itself
 *   thread -> 0        free()
 *   thread -> thread   free(), to a waiter that was overtaken before
 *   thread -> thread   recover(), from a dead one
 *
 * Word WAITERS: NONE, SOME, or OVERTAKEN when the first of them has been overtaken. Written under the latch.
 * Word WOKEN: the thread that was woken to try its luck and has not done so yet; 0 for none. Set under the latch, cleared by
 * that thread.
 *
 * Fairness: waiters are woken first come, first served, but a woken waiter may find that a thread which came later has taken the
 * lock: passing it on directly would leave it idle for as long as it takes a thread to wake, each time. A waiter that this
 * has happened to waits in front of all others, and the next release hands the lock to it. So nobody is overtaken
 * twice after having been woken.
 *
 * Invariants
 * 1. Who queues sets WAITERS and then tries the lock once more, under the latch. Who releases frees OWNER and then looks at
 *    WAITERS. One of the two sees the other's write: no waiter sleeps beside a free lock unseen.
 * 2. While WOKEN names a living thread nobody else is woken. That thread tries the lock, and if it fails it
 *    clears WOKEN before it queues; so by Invariant 1 either its own second try or a later release serves the list.
 * 3. A lock whose OWNER is dead changes hands by recover() only; whoever finds it so is told.
 *
 * Why the look at WAITERS comes after the release, and not before:
 *
 *   T1: reads WAITERS: NONE
 *   T2:                        queues, sets WAITERS, finds OWNER to be T1, sleeps
 *   T1: frees OWNER, wakes nobody
 *
 * What was written before a release, to whatever shared memory, is seen by whoever acquires the lock afterwards.
 *
 * Source: barging with a hand-over to those who lost is the policy of Go's sync.Mutex, without its clock.
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
 * Looks at a lock that another thread holds before this thread goes to sleep for it, and the longest pause between two of
 * them, in pauses of the processor (about 35 ns each). Each look takes the words' cache line from the holder: the less often,
 * the faster is the one who works. With these, about 20 microseconds.
 */
const LOOKS = platform.cores > 1 ? 14 : 0;
const LONGEST_PAUSE = 64;

/** A lock without rules of its own about who may release it. */
export class LockWords {
  readonly seat: Seat;
  readonly kind: string;
  readonly name: string | undefined;
  /** How error texts call the lock. */
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

  /** Takes the lock; blocks until the deadline for it. */
  takeSync(deadlineMs: number): boolean {
    if (this.#look()) return true;
    const wait = new LockWait(this);
    return this.#begin(wait) || this.seat.waitSync(wait, deadlineMs);
  }

  /**
   * Throws if an async task of this thread holds the lock: it could not release it while the thread is blocked for ever.
   * Call when the thread itself does not hold it.
   */
  checkNotOwn(): void {
    if (this.owner !== this.seat.id) return;
    throw new RuntimeError(
      `Cannot acquire ${this.label}: an async task of this thread holds it, and cannot release it while the thread is blocked; await the promise form instead`,
    );
  }

  /** Throws if an async task of this thread waits for the lock, and would get it while the thread is blocked without it. */
  checkNotAwaited(): void {
    if (load(this.words, LOCK.WAITERS) === NONE) return;
    if (!this.waitingThreads().includes(this.seat.id)) return;
    throw new RuntimeError(
      `Cannot wait: an async task of this thread waits for ${this.label}, and could not release it while the thread is blocked; await the promise form instead`,
    );
  }

  /** Takes the lock, within limits. */
  async take(limits: Limits): Promise<boolean> {
    if (this.tryTake()) return true;
    const wait = new LockWait(this);
    return this.#begin(wait) || await this.seat.wait(wait, limits);
  }

  #remember(): void {
    this.#isRemembered = true;
    rememberLock(this);
  }

  /** Queues a new wait; true when the lock was taken instead, and the wait closed. */
  #begin(wait: LockWait): boolean {
    if (!this.#isRemembered) this.#remember();
    let isQueued = false;
    try {
      isQueued = !this.#queue(wait, false);
    } finally {
      if (!isQueued) {
        wait.isOver = true;
        this.seat.close(wait);
      }
    }
    return !isQueued;
  }

  /** Looks for a moment whether the lock becomes free. */
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
   * @throws {OwnerDiedError} If there is no point in waiting; it is not queued then.
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

  /** Queues a node of a thread that has been waiting for something else. Call with the lock held. */
  adopt(node: number): void {
    this.#latch.take();
    this.#waiters.push(node);
    this.#updateWaiters();
    this.#latch.give();
  }

  /** Puts the node of a wait that was granted the lock in the place of another, who is to have it; false if that is not queued. */
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

  /** Call with the latch held. */
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
    if (isHere) return isAcquired || this.#queue(wait, true);
    this.wakeNext(); // This thread was given up: it takes no lock any more.
    return false;
  }

  /**
   * Frees the lock, or hands it on.
   *
   * @param owner Who is thought to hold it.
   * @returns False when somebody else does, or nobody.
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
    if (isReleased) this.seat.ring(thread);
    return isReleased;
  }

  /** Wakes the waiter that came first to try its luck, unless the lock is taken or another one is about to try. */
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
  }

  /** Grants a free lock to a waiter: itself to one that was overtaken, else a try. Call with the latch held. */
  #grantFree(node: number): number {
    const waiters = this.#waiters;
    const thread = waiters.threadOf(node);
    const wasOvertaken = this.seat.table.words[node + NODE.ARGUMENT] === 1;
    if (wasOvertaken) {
      // If somebody takes it at this very moment, his release hands it on.
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

  #ownerDied(owner: number): OwnerDiedError {
    return new OwnerDiedError(
      `Cannot acquire ${this.label}: its owner, thread "${
        this.seat.table.nameOf(owner)
      }", has ended or was given up without releasing it; take it over with recover()`,
    );
  }

  /** For a waiter, after some thread has died: goes on in the place of a woken one, or throws if the owner is dead. */
  examine(node: number): void {
    if (this.owner === 0) this.wakeNext();
    const deadOwner = this.#deadOwner();
    if (deadOwner !== 0 && this.withdraw(node)) throw this.#ownerDied(deadOwner);
  }

  /** Takes the lock over from a dead owner; false when it is free, or held by a thread that is alive. */
  recover(): boolean {
    const deadOwner = this.#deadOwner();
    return deadOwner !== 0 && replace(this.words, LOCK.OWNER, deadOwner, this.seat.id);
  }

  // For those who look for deadlocks

  /** Its memory, in which there is no other lock: the same for all views that this thread has made of one reference. */
  get buffer(): ArrayBufferLike {
    return this.words.buffer;
  }

  /** How often the owner has acquired the lock; a Lock does not count. */
  get depth(): number {
    return Math.max(1, this.words[LOCK.DEPTH]);
  }

  /** The threads that wait, in their order. */
  waitingThreads(): number[] {
    this.#latch.take();
    const threads = Array.from(this.#waiters.nodes(), (node) => this.#waiters.threadOf(node));
    this.#latch.give();
    return threads;
  }

  /** Who holds the lock, as the end of a sentence. */
  describeOwner(): string {
    const { owner } = this;
    if (owner === 0) return "it is not held";
    return `it is held by thread "${this.seat.table.nameOf(owner)}"`;
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
