/**
 * The core of RLock: a lock with an owner, who may acquire it again.
 *
 * Besides the words of the lock under it (see `_lock_words.ts`) it has two, written by the owner
 * only:
 *
 * Word CONTEXT: which of the owning thread's activities holds the lock: NOBODY, THREAD (its
 * blocking code), TASK (an async task, by `acquire` or `hold`), or the number of a `run` call.
 * Word DEPTH: how often the owner has acquired it.
 *
 * Invariants
 * 1. CONTEXT is NOBODY from before the lock is released until after it is next acquired. So when a
 *    thread is handed the lock for one of its async tasks, no other activity of that thread can
 *    enter before that task has noticed.
 * 2. Code is the owner exactly when OWNER is its thread and CONTEXT is THREAD, or TASK, or a `run`
 *    that it is inside of. It enters again when CONTEXT is THREAD and it blocks, or when it is
 *    inside that `run`; TASK never enters again, as two tasks of one thread cannot be told apart.
 *
 * Not promised: that the lock can be used after it was recovered from a thread that was given up in
 * the very moment in which it acquired or released the lock, as that thread runs on and may write
 * CONTEXT and DEPTH when they are another's.
 *
 * Which `run` calls the code is inside of is known only where the code runs (see `_contexts.ts`),
 * and is passed to the core.
 *
 * @module
 */

import { load, replace } from "../_platform/atomics.ts";
import { NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import {
  type Core,
  type CoreCall,
  type PassedOn,
  type PassingCore,
  type Promised,
  registerCore,
} from "../_memory/core.ts";
import { LOCK } from "../_memory/layout.ts";
import type { Limits } from "../_memory/seat.ts";
import type { Contexts } from "./_contexts.ts";
import { type Held, OwnedLock } from "./_owned_lock.ts";
import { SharedWords } from "./_shared.ts";
import { RuntimeError } from "./errors.ts";

/** The kind of RLock in handles and error texts. */
export const KIND = "RLock";

const NOBODY = -1;
/** The context of a thread's blocking code. */
export const THREAD = 0;
/** The context of an async task. */
export const TASK = -2;

/**
 * What RLock calls. `context` is THREAD, TASK or the number of a `run`; `inside` are the `run`
 * calls around the calling code.
 */
export interface RLockCore extends Core {
  /** Acquires the lock again if one of these `run` calls holds it; false if not. */
  enterAgain(inside: Contexts): boolean;
  /**
   * Takes the lock if it is free, or if THREAD holds it and acquires it again; throws if its owner
   * is dead.
   */
  tryAcquire(context: number): boolean;
  /**
   * Takes the lock like {@linkcode RLockCore.tryAcquire}, but waits within limits; false when time
   * was up first.
   */
  acquire(context: number, limits: Limits): Promise<boolean>;
  /** Like {@linkcode RLockCore.acquire}, but blocks. */
  acquireSync(context: number, deadlineMs: number): boolean;
  /** Releases the lock once; throws if the calling code does not own it. */
  release(inside: Contexts): void;
  /**
   * Releases once what was acquired as a context, called from any context; true when the context
   * still holds the lock.
   */
  releaseAs(context: number): boolean;
  /** Takes the lock over from a dead owner, as THREAD; false when there is none. */
  recover(): boolean;
  /** True while somebody holds it. */
  locked(): boolean;
  /** Says who holds it, as the end of a sentence. */
  describeOwner(): string;
}

/** The core for threads that share the memory. */
export class LocalRLockCore extends OwnedLock implements RLockCore, PassingCore {
  constructor(shared: SharedWords) {
    super(shared, KIND);
  }

  /** The core of a lock that another thread has made. */
  static open(data: unknown): LocalRLockCore {
    return new LocalRLockCore(SharedWords.open(data, LOCK.SIZE));
  }

  /** The core of a new lock, which is free. */
  static create(name: string | undefined): LocalRLockCore {
    const shared = SharedWords.create(LOCK.SIZE, name);
    LocalRLockCore.initialize(shared);
    return new LocalRLockCore(shared);
  }

  /** Makes new words those of a free lock. */
  static initialize({ words }: SharedWords): void {
    words[LOCK.CONTEXT] = NOBODY;
  }

  get #context(): number {
    return this.words[LOCK.CONTEXT];
  }

  get #isMine(): boolean {
    return load(this.words, LOCK.OWNER) === this.me;
  }

  #enter(context: number, depth: number): true {
    this.words[LOCK.CONTEXT] = context;
    this.words[LOCK.DEPTH] = depth;
    return true;
  }

  #deepen(): true {
    this.words[LOCK.DEPTH]++;
    return true;
  }

  /** See {@linkcode RLockCore}. */
  enterAgain(inside: Contexts): boolean {
    return this.#isMine && inside.includes(this.#context) && this.#deepen();
  }

  #enterAgainAs(context: number): boolean {
    return context === THREAD && this.#isMine && this.#context === THREAD && this.#deepen();
  }

  /** See {@linkcode RLockCore}. */
  tryAcquire(context: number): boolean {
    if (this.#enterAgainAs(context)) return true;
    return this.tryOrExplain() && this.#enter(context, 1);
  }

  /** See {@linkcode RLockCore}. */
  acquire(context: number, limits: Limits): Promise<boolean> {
    if (!replace(this.words, LOCK.OWNER, 0, this.me)) {
      return this.#acquireContended(context, limits);
    }
    this.#enter(context, 1);
    return Promise.resolve(true);
  }

  async #acquireContended(context: number, limits: Limits): Promise<boolean> {
    if (this.#enterAgainAs(context)) return true;
    this.#checkReleasable(context, limits.deadlineMs);
    return await this.take(limits) && this.#enter(context, 1);
  }

  /** See {@linkcode RLockCore}. */
  acquireSync(context: number, deadlineMs: number): boolean {
    if (replace(this.words, LOCK.OWNER, 0, this.me)) return this.#enter(context, 1);
    if (this.#enterAgainAs(context)) return true;
    this.#checkReleasable(context, deadlineMs);
    return this.takeSync(deadlineMs) && this.#enter(context, 1);
  }

  /** Throws if blocking for the lock would never end. */
  #checkReleasable(context: number, deadlineMs: number): void {
    if (context === THREAD && deadlineMs === NEVER) this.checkNotOwn();
  }

  /** See {@linkcode RLockCore}. */
  release(inside: Contexts): void {
    if (!this.isOwned(inside)) throw this.#cannotRelease();
    this.#leave();
  }

  /** See {@linkcode RLockCore}. */
  releaseAs(context: number): boolean {
    if (!this.#isMine || this.#context !== context) throw this.#cannotRelease();
    return !this.#leave();
  }

  /** Releases the lock once; true when that has freed it. Call as the owner. */
  #leave(): boolean {
    if (--this.words[LOCK.DEPTH] !== 0) return false;
    this.#leaveAll();
    return true;
  }

  #leaveAll(): void {
    this.#enter(NOBODY, 0); // Before the release (Invariant 1).
    this.free(this.me);
  }

  #cannotRelease(): RuntimeError {
    if (!this.#isMine) return this.cannotRelease();
    return new RuntimeError(
      `Cannot release ${this.label}: it is held by another async task of this thread`,
    );
  }

  /** See {@linkcode RLockCore}. */
  override recover(): boolean {
    return super.recover() && this.#enter(THREAD, 1);
  }

  /** See {@linkcode OwnedLock}. */
  isOwned(inside: Contexts): boolean {
    if (!this.#isMine) return false;
    const context = this.#context;
    // Where async contexts end at the first `await`, code inside a `run` cannot be told from other
    // tasks.
    return context === THREAD || context === TASK || !platform.keepsContext ||
      inside.includes(context);
  }

  /** See {@linkcode OwnedLock}. */
  releaseAll(): Held {
    const held = { context: this.#context, depth: this.words[LOCK.DEPTH] };
    this.#leaveAll();
    return held;
  }

  /** See {@linkcode OwnedLock}. */
  restore({ context, depth }: Held): void {
    this.#enter(context, depth);
  }

  /** See {@linkcode OwnedLock}. */
  handOver([context]: readonly unknown[]): Held {
    const held = { context: this.#context, depth: this.words[LOCK.DEPTH] };
    this.#enter(context as number, 1);
    return held;
  }

  /** See {@linkcode PassingCore}. */
  passOn({ value, args: [context] }: Promised, blocked: CoreCall): PassedOn | undefined {
    if (value !== true || !this.isHeldFor(blocked)) return undefined;
    if (this.#context !== context || this.words[LOCK.DEPTH] !== 1) return undefined;
    this.handOver(blocked.args);
    const again = async (limits: Limits): Promise<boolean> =>
      await this.take(limits, true) && this.#enter(context as number, 1);
    return { value, again };
  }
}

registerCore<RLockCore>(KIND, LocalRLockCore.open, {
  waiting: ["acquire"],
  others: [
    "enterAgain",
    "tryAcquire",
    "release",
    "releaseAs",
    "recover",
    "locked",
    "describeOwner",
  ],
});
