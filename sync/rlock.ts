/**
 * RLock: a lock with an owner, who may acquire it again.
 *
 * Beside the words of the lock under it (see `_lock_core.ts`) it has two, written by the owner only:
 *
 * Word CONTEXT: which of the owning thread's activities holds the lock: NOBODY, THREAD (its blocking code), TASK (an async task, by
 * `acquire` or `hold`), or the number of a `run` call.
 * Word DEPTH: how often the owner has acquired it.
 *
 * Invariants
 * 1. CONTEXT is NOBODY from before the lock is released until after it was acquired. So a thread that was handed the lock for one
 *    of its async tasks does not let another of its activities in before that task has noticed.
 * 2. Code is the owner exactly when OWNER is its thread and CONTEXT is THREAD, or TASK, or a `run` that it is inside of.
 *    It enters again when CONTEXT is THREAD and it blocks, or when it is inside that `run`; TASK never enters
 *    again, as two tasks of one thread cannot be told apart.
 *
 * @module
 */

import { load, replace } from "../_platform/atomics.ts";
import { NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { LOCK } from "../_memory/layout.ts";
import {
  type Guard,
  notInTime,
  type Patience,
  patienceOf,
  patienceOfSync,
  ReleasingGuard,
} from "./_acquire.ts";
import { isInContext, newContext, runInContext } from "./_contexts.ts";
import { LockCore } from "./_lock_core.ts";
import { dataOf, SharedWords } from "./_shared.ts";
import { RuntimeError } from "./errors.ts";
import type { LockOptions } from "./lock.ts";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";

const KIND = "RLock";

const NOBODY = -1;
const THREAD = 0;
const TASK = -2;

/** How an RLock was held, kept while a condition waits without it. */
export interface Held {
  readonly context: number;
  readonly depth: number;
}

/** What Condition does with its lock. */
export interface RLockInternals {
  coreOf(lock: RLock): LockCore;
  /** True when the code that runs now owns the lock. */
  isOwned(lock: RLock): boolean;
  /** Releases the lock, however deep; returns how it was held. */
  releaseAll(lock: RLock): Held;
  /** Takes note of how the lock, just acquired again, is held. */
  restore(lock: RLock, held: Held): void;
  /** Makes an RLock of words that are part of another object. */
  initialize(shared: SharedWords): void;
  /** The RLock in such words. */
  within(shared: SharedWords): RLock;
}

/** Assigned by the class, which alone can reach its private fields. */
let internals: RLockInternals;

/**
 * A reentrant lock: its owner may acquire it again, and releases it as often.
 *
 * Who the owner is depends on the form. `acquireSync` makes the **thread** the owner: all its blocking code may acquire it again.
 * `acquire` and `hold` make the calling **async task** the owner: other async tasks of the same thread wait, as
 * other threads do. `run` makes the function that it runs the owner, with everything that this calls and awaits: inside, acquiring
 * again is free, in either form. Async tasks cannot be told apart outside of `run`, so there a second `acquire`
 * waits for the first one's release, also when both are made by the same task.
 *
 * It can be sent to any task in its arguments. Whoever acquires it sees all that was written to shared memory
 * before it was released.
 *
 * **Fairness** and **owner's death** are those of {@linkcode Lock}.
 *
 * Semantics: Python's `threading.RLock`.
 *
 * **Differs from Python:** async tasks of one thread exclude each other; timeouts are in milliseconds, `undefined` and `null` wait for
 * ever; an owner's death is reported.
 *
 * @example
 * ```ts
 * import { RLock } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new RLock();
 * let balance = 100;
 * const withdraw = (sum: number) => lock.run(() => balance -= sum);
 * const transfer = (sum: number) =>
 *   lock.run(async () => {
 *     await withdraw(sum); // enters again
 *     await withdraw(1);
 *   });
 * await Promise.all([transfer(10), transfer(20)]);
 * assertEquals(balance, 68);
 * ```
 */
export class RLock {
  readonly #shared: SharedWords;
  readonly #core: LockCore;
  readonly #words: Int32Array;
  readonly #me: number;

  static {
    const open = (shared: SharedWords): RLock => new RLock(shared);
    internals = {
      coreOf: (lock) => lock.#core,
      isOwned: (lock) => lock.#isOwned(),
      releaseAll: (lock) => lock.#releaseAll(),
      restore: (lock, { context, depth }) => lock.#enter(context, depth),
      initialize: ({ words }) => {
        words[LOCK.CONTEXT] = NOBODY;
      },
      within: open,
    };
    registerHandle(KIND, (data) => open(SharedWords.open(data, LOCK.SIZE)));
  }

  /**
   * Makes a lock that is free.
   *
   * @param options The lock's name.
   */
  constructor(options?: LockOptions);
  constructor(options: LockOptions | SharedWords = {}) {
    const isNew = !(options instanceof SharedWords);
    const shared = isNew ? SharedWords.create(LOCK.SIZE, options.name) : options;
    this.#shared = shared;
    this.#core = new LockCore(shared, KIND);
    this.#words = shared.words;
    this.#me = shared.seat.id;
    if (isNew) internals.initialize(shared);
  }

  /** The lock's name, if it was given one. */
  get name(): string | undefined {
    return this.#shared.name;
  }

  /**
   * Acquires the lock for the async task that calls. The promise settles when the lock is this task's, and holds the event
   * loop open until then. Inside of `run` it enters again at once.
   *
   * @param options How long to wait, and what ends the wait early.
   * @returns True when it was acquired; false when it was not to be had in time, or at once with `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * await lock.acquire();
   * const other = lock.acquire({ timeout: 5 }); // another task of this thread has to wait
   * assertEquals(await other, false);
   * lock.release();
   * ```
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    const patience = patienceOf(`acquire ${this.#core.label}`, options);
    if (this.#isInside()) return this.#enterAgain();
    return await this.#acquireAs(TASK, patience);
  }

  async #acquireAs(context: number, patience: Patience): Promise<boolean> {
    const core = this.#core;
    if (!(patience.polls ? core.tryOrExplain() : await core.acquire(patience))) return false;
    this.#enter(context, 1);
    return true;
  }

  /**
   * Acquires the lock for this thread; blocks it until the lock is free. The owner enters again at once.
   *
   * @param options How long to wait.
   * @returns True when it was acquired; false when it was not to be had in time, or at once with `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} When an async task of this same thread holds the lock, and could not release it while the thread
   * is blocked for ever; and where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * lock.acquireSync();
   * assertEquals(lock.acquireSync(), true);
   * lock.release();
   * assertEquals(lock.locked(), true);
   * lock.release();
   * assertEquals(lock.locked(), false);
   * ```
   */
  acquireSync(options?: AcquireSyncOptions): boolean {
    if (
      options === undefined && platform.canBlock &&
      replace(this.#words, LOCK.OWNER, 0, this.#me)
    ) return this.#enter(THREAD, 1);
    return this.#acquireSyncContended(options);
  }

  #acquireSyncContended(options: AcquireSyncOptions | undefined): boolean {
    const core = this.#core;
    const { polls, deadlineMs } = patienceOfSync(`acquire ${core.label}`, options);
    if (this.#isInside() || this.#isHeldByThread()) return this.#enterAgain();
    if (polls) return core.tryOrExplain() && this.#enter(THREAD, 1);
    if (deadlineMs === NEVER) core.checkNotOwn();
    return core.acquireSync(deadlineMs) && this.#enter(THREAD, 1);
  }

  /**
   * Releases the lock once; as often as it was acquired, and it is free. Never waits.
   *
   * @throws {RuntimeError} When the code that calls does not own it.
   *
   * @example
   * ```ts
   * import { RLock, RuntimeError } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const lock = new RLock({ name: "accounts" });
   * assertThrows(() => lock.release(), RuntimeError, 'Cannot release RLock "accounts": it is not held');
   * ```
   */
  release(): void {
    if (!this.#isOwned()) throw this.#cannotRelease();
    this.#leave();
  }

  /** True while anybody holds the lock. Not reliable: it may have changed when you read it. */
  locked(): boolean {
    return this.#core.owner !== 0;
  }

  /**
   * Acquires the lock for as long as the guard lives. Waits as {@linkcode RLock.acquire} does.
   *
   * @throws {TimeoutError} When it was not to be had in time.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * {
   *   using _ = await lock.hold();
   *   assertEquals(lock.locked(), true);
   * }
   * assertEquals(lock.locked(), false);
   * ```
   */
  async hold(options?: WaitOptions): Promise<Guard> {
    const patience = patienceOf(`acquire ${this.#core.label}`, options);
    if (this.#isInside()) {
      this.#enterAgain();
      return new ReleasingGuard(() => this.#releaseHeld());
    }
    if (!await this.#acquireAs(TASK, patience)) throw this.#notInTime(options);
    return new ReleasingGuard(() => this.#leaveAs(TASK));
  }

  /**
   * Acquires the lock for as long as the guard lives. Blocks as {@linkcode RLock.acquireSync} does.
   *
   * @throws {TimeoutError} When it was not to be had in time.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * {
   *   using _outer = lock.holdSync();
   *   using _inner = lock.holdSync();
   *   assertEquals(lock.locked(), true);
   * }
   * assertEquals(lock.locked(), false);
   * ```
   */
  holdSync(options?: WaitSyncOptions): Guard {
    if (this.acquireSync(options)) return new ReleasingGuard(() => this.#releaseHeld());
    throw this.#notInTime(options);
  }

  /**
   * Holds the lock around a function, sync or async, which owns it with everything that it calls and awaits.
   *
   * @returns What the function returned; it rejects with what the function threw.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * const inner = () => lock.run(() => "in again");
   * assertEquals(await lock.run(async () => await inner()), "in again");
   * ```
   */
  async run<R>(fn: () => R, options?: WaitOptions): Promise<Awaited<R>> {
    const patience = patienceOf(`acquire ${this.#core.label}`, options);
    if (this.#isInside()) {
      this.#enterAgain();
      try {
        return await fn();
      } finally {
        this.#releaseHeld();
      }
    }
    const context = newContext();
    if (!await this.#acquireAs(context, patience)) throw this.#notInTime(options);
    try {
      return await runInContext(context, fn);
    } finally {
      this.#leaveAs(context);
    }
  }

  /**
   * Holds the lock around a function; blocks until it has it.
   *
   * @returns What the function returned.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * assertEquals(lock.runSync(() => lock.runSync(() => lock.locked())), true);
   * ```
   */
  runSync<R>(fn: () => R, options?: WaitSyncOptions): R {
    if (!this.acquireSync(options)) throw this.#notInTime(options);
    try {
      return fn();
    } finally {
      this.#releaseHeld();
    }
  }

  /**
   * Takes the lock over from a thread that has ended, or was given up, without releasing it; see
   * {@linkcode OwnerDiedError}. Never waits. This thread then owns it once, as after `acquireSync`.
   *
   * @returns True when the lock is now this thread's, which then repairs what the lock guards and releases it. False when there was
   * nothing to take over: it is free, or its owner is alive, perhaps because another thread has recovered it.
   */
  recover(): boolean {
    return this.#core.recover() && this.#enter(THREAD, 1);
  }

  /** What stands for this lock in a message to a raw `Worker`; see {@linkcode RLock.from}. */
  get handle(): Handle {
    return this.#shared.handle(KIND);
  }

  /**
   * Rebuilds a lock from a handle. Only those who post messages themselves need it: in the arguments of a task, locks
   * cross by themselves.
   *
   * @throws {TypeError} When it is no handle of an RLock.
   *
   * @example
   * ```ts
   * import { RLock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new RLock();
   * const same = RLock.from(lock.handle);
   * lock.acquireSync();
   * assertEquals(same.locked(), true);
   * ```
   */
  static from(handle: Handle): RLock {
    return new RLock(SharedWords.open(dataOf(handle, KIND), LOCK.SIZE));
  }

  /** See {@linkcode RLock.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `RLock` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  // Ownership

  get #context(): number {
    return this.#words[LOCK.CONTEXT];
  }

  get #isMine(): boolean {
    return load(this.#words, LOCK.OWNER) === this.#me;
  }

  /** True inside of the `run` that holds the lock. */
  #isInside(): boolean {
    return this.#isMine && this.#context > THREAD && isInContext(this.#context);
  }

  #isHeldByThread(): boolean {
    return this.#isMine && this.#context === THREAD;
  }

  #isOwned(): boolean {
    if (!this.#isMine) return false;
    const context = this.#context;
    return context === THREAD || context === TASK || (context > THREAD && isInContext(context));
  }

  #enter(context: number, depth: number): true {
    this.#words[LOCK.CONTEXT] = context;
    this.#words[LOCK.DEPTH] = depth;
    return true;
  }

  #enterAgain(): true {
    this.#words[LOCK.DEPTH]++;
    return true;
  }

  /** Call as the owner. */
  #leave(): void {
    if (--this.#words[LOCK.DEPTH] === 0) this.#releaseAll();
  }

  /** Releases once what was acquired a while ago, unless a condition's wait has lost it since. */
  #releaseHeld(): void {
    if (this.#isOwned()) this.#leave();
    else if (!this.#core.wasLost()) throw this.#cannotRelease();
  }

  /** Releases what was acquired as a context, from wherever. */
  #leaveAs(context: number): void {
    if (this.#isMine && this.#context === context) this.#leave();
    else if (!this.#core.wasLost()) throw this.#cannotRelease();
  }

  #releaseAll(): Held {
    const held = { context: this.#context, depth: this.#words[LOCK.DEPTH] };
    this.#enter(NOBODY, 0); // Before the release (Invariant 1).
    this.#core.release(this.#me);
    return held;
  }

  #cannotRelease(): RuntimeError {
    if (!this.#isMine) return this.#core.cannotRelease();
    return new RuntimeError(
      `Cannot release ${this.#core.label}: it is held by another async task of this thread`,
    );
  }

  #notInTime(options: WaitOptions | undefined): Error {
    return notInTime(`acquire ${this.#core.label}`, options, this.#core.describeOwner());
  }
}

/** What Condition does with its lock. */
export const rlockInternals: RLockInternals = internals;
