/**
 * RLock: a lock with an owner, who may acquire it again.
 *
 * `_rlock_core.ts` defines what it means to own the lock; this file finds out which `run` calls the
 * code is inside of.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { nameIn } from "../_platform/options.ts";
import { openCore } from "../_memory/core.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import {
  type Guard,
  notInTime,
  type Patience,
  patienceOf,
  patienceOfSync,
  ReleasingGuard,
} from "./_acquire.ts";
import { Context, contextsHere } from "./_contexts.ts";
import { type Hold, Holds } from "./_holds.ts";
import { KIND, LocalRLockCore, type RLockCore, TASK, THREAD } from "./_rlock_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import { RuntimeError } from "./errors.ts";
import type { LockOptions } from "./lock.ts";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";

/**
 * The holds of a lock, for conditions. Assigned by the class, as only the class can reach its
 * private fields.
 */
export let holdsOfRLock: (lock: RLock) => Holds;

/**
 * A reentrant lock: its owner may acquire it again, and must release it as often.
 *
 * Who the owner is depends on the form. `acquireSync` makes the **thread** the owner: all its
 * blocking code may acquire it again. `acquire` and `hold` make the calling **async task** the
 * owner: other async tasks of the same thread wait, as other threads do. `run` makes the function
 * that it runs the owner, together with everything that the function calls and awaits: inside,
 * acquiring again succeeds at once, in either form. Async tasks cannot be told apart outside of
 * `run`, so there a second `acquire` waits for the first one's release, even when both are made by
 * the same task.
 *
 * In a browser they cannot be told apart inside of `run` either: acquiring again there throws
 * before the first `await`, and waits after it. The blocking forms, in workers, are reentrant as
 * everywhere else.
 *
 * It can be sent to any task in its arguments. Whoever acquires it sees all that was written to
 * shared memory before it was released.
 *
 * **Fairness** and **owner's death** are those of {@linkcode Lock}. Blocking for a lock that an
 * async task of the same thread holds throws a {@linkcode RuntimeError}, unless there is a timeout.
 *
 * Semantics: Python's `threading.RLock`.
 *
 * **Differs from Python:** async tasks of one thread exclude each other; timeouts are in
 * milliseconds, `undefined` and `null` wait for ever; an owner's death is reported.
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
  readonly #core: RLockCore;
  /** Made when first needed: a lock that was never held by a guard needs none. */
  #madeHolds: Holds | undefined;

  static {
    holdsOfRLock = (lock) => lock.#holds;
    registerHandle(KIND, (data) => RLock.#open(data));
  }

  static #open(data: unknown): RLock {
    // The constructor's last parameter is not for users.
    const make = RLock as new (options: undefined, core: RLockCore) => RLock;
    return new make(undefined, openCore(KIND, data));
  }

  /**
   * Makes a lock that is free.
   *
   * @param options The lock's name.
   */
  constructor(options?: LockOptions);
  constructor(options?: LockOptions, core?: RLockCore) {
    this.#core = core ?? RLock.#create(options);
    this.#madeHolds = core === undefined ? undefined : Holds.of(core);
  }

  static #create(options: LockOptions = {}): RLockCore {
    return LocalRLockCore.create(nameIn("make RLock", options));
  }

  /** The lock's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /**
   * Acquires the lock for the async task that calls. The promise settles when the lock is this
   * task's, and holds the event loop open until then. Inside of `run` it enters again at once.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @returns True when it was acquired; false when it was not free in time, or at once with
   * `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} In a browser, inside of a `run` that holds the lock, before the first
   * `await`.
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
    const patience = patienceOf(this.#act, options);
    return this.#enterAgain() || await this.#acquireAs(TASK, patience);
  }

  #acquireAs(context: number, patience: Patience): boolean | Promise<boolean> {
    const core = this.#core;
    return patience.polls ? core.tryAcquire(context) : core.acquire(context, patience);
  }

  /**
   * Acquires the lock for this thread; blocks the thread until the lock is free. The owner enters
   * again at once.
   *
   * @param options How long to wait.
   * @returns True when it was acquired; false when it was not free in time, or at once with
   * `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} When no timeout is given and an async task of this same thread holds the
   * lock: it could not release the lock while the thread is blocked. Also where the host forbids
   * blocking, and in a browser's worker inside of a `run` that holds the lock, before the first
   * `await`.
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
    if (options === undefined && platform.canBlock) {
      return this.#enterAgain() || this.#core.acquireSync(THREAD, NEVER);
    }
    return this.#acquireSyncWithin(options);
  }

  #acquireSyncWithin(options: AcquireSyncOptions | undefined): boolean {
    const core = this.#core;
    const { polls, deadlineMs } = patienceOfSync(this.#act, options);
    if (this.#enterAgain()) return true;
    return polls ? core.tryAcquire(THREAD) : core.acquireSync(THREAD, deadlineMs);
  }

  /**
   * Releases the lock once; it is free when it was released as often as it was acquired. Never
   * waits.
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
    this.#core.release(contextsHere());
  }

  /** True while somebody holds the lock. Not reliable: it may have changed when you read it. */
  locked(): boolean {
    return this.#core.locked();
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of. Waits as
   * {@linkcode RLock.acquire} does.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @throws {TimeoutError} When it was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} In a browser, inside of a `run` that holds the lock, before the first
   * `await`.
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
    const patience = patienceOf(this.#act, options);
    if (this.#enterAgain()) return this.#guard();
    if (!await this.#acquireAs(TASK, patience)) throw this.#notInTime(options);
    const hold = this.#holds.current;
    return new ReleasingGuard(() => void this.#endAs(TASK, hold));
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of. Blocks as
   * {@linkcode RLock.acquireSync} does.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When it was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} Where {@linkcode RLock.acquireSync} throws one.
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
    if (this.acquireSync(options)) return this.#guard();
    throw this.#notInTime(options);
  }

  /**
   * Holds the lock while a function runs, sync or async, which owns the lock together with
   * everything that it calls and awaits.
   *
   * @param fn What to run.
   * @param options How long to wait for the lock. The promise rejects with the reason of `signal`
   * when that aborts during this wait.
   * @returns What the function returned; the promise rejects with what the function threw.
   * @throws {TimeoutError} When the lock was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} In a browser, inside of a `run` that holds the lock, before the first
   * `await`.
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
    const patience = patienceOf(this.#act, options);
    if (this.#enterAgain()) {
      const hold = this.#holds.current;
      try {
        return await fn();
      } finally {
        this.#end(hold);
      }
    }
    const context = new Context();
    if (!await this.#acquireAs(context.id, patience)) throw this.#notInTime(options);
    const hold = this.#holds.current;
    try {
      return await context.run(fn);
    } finally {
      if (!this.#endAs(context.id, hold)) context.isOver = true;
    }
  }

  /**
   * Holds the lock while a function runs; blocks this thread until the lock is free. The lock is
   * released when the function returns: an async function, which returns before it is done, needs
   * `run`.
   *
   * @param fn What to run.
   * @param options How long to wait for the lock.
   * @returns What the function returned.
   * @throws {TimeoutError} When the lock was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} Where {@linkcode RLock.acquireSync} throws one.
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
    const hold = this.#holds.current;
    try {
      return fn();
    } finally {
      this.#end(hold);
    }
  }

  /**
   * Takes the lock over from a thread that has ended, or was given up, without releasing it; see
   * {@linkcode OwnerDiedError}. Never waits. This thread then owns it once, as after `acquireSync`.
   *
   * Not promised: that the lock can be released afterwards if its owner was given up in the very
   * moment in which it acquired or released the lock, as that thread runs on and may still write to
   * it.
   *
   * @returns True when the lock is now this thread's, which then repairs what the lock guards and
   * releases it. False when there was nothing to take over: it is free, or its owner is alive,
   * perhaps because another thread has recovered it.
   */
  recover(): boolean {
    return this.#core.recover();
  }

  /**
   * A handle that stands for this lock in a message to a raw `Worker`; see {@linkcode RLock.from}.
   */
  get handle(): Handle {
    this.#holds.share();
    return { kind: KIND, data: this.#core.data };
  }

  /**
   * Rebuilds a lock from a handle. Needed only by code that posts messages itself: in the arguments
   * of a task, locks cross by themselves.
   *
   * @param handle The {@linkcode RLock.handle} of a lock.
   * @returns A view of the same lock.
   * @throws {TypeError} When it is not the handle of an RLock.
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
    return RLock.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode RLock.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `RLock` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  /** Acquires the lock again if the code that runs now is inside of the `run` that holds it. */
  #enterAgain(): boolean {
    const inside = contextsHere();
    if (inside.length === 0 || !this.#core.enterAgain(inside)) return false;
    if (platform.keepsContext) return true;
    this.#core.release(inside);
    // Thrown at once: after an `await` this could not be noticed, and the code would wait for
    // itself.
    throw new RuntimeError(
      `Cannot ${this.#act}: it is held by a run() around this code, and a browser does not tell async tasks apart; acquire it once, or use the Sync form in a worker`,
    );
  }

  /** Releases the lock once, unless a condition's wait has lost it. */
  #end(hold: Hold): void {
    if (!hold.isLost) this.#core.release(contextsHere());
  }

  /**
   * Releases once what was acquired as a context, called from any context, unless a condition's
   * wait has lost it; true when the context still holds the lock.
   */
  #endAs(context: number, hold: Hold): boolean {
    return !hold.isLost && this.#core.releaseAs(context);
  }

  /** A guard for what this thread, or the `run` that this code is inside of, has just acquired. */
  #guard(): Guard {
    const hold = this.#holds.current;
    return new ReleasingGuard(() => this.#end(hold));
  }

  get #holds(): Holds {
    return this.#madeHolds ??= new Holds(this.#core);
  }

  get #act(): string {
    return `acquire ${labelOf(KIND, this.name)}`;
  }

  #notInTime(options: WaitOptions | undefined): Error {
    return notInTime(this.#act, options, this.#core.describeOwner());
  }
}
