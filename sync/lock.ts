/**
 * Lock: unlocked or locked, for threads and for async tasks.
 *
 * The algorithm is in `_lock_words.ts`.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { nameIn } from "../_platform/options.ts";
import { openCore } from "../_memory/core.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import {
  ENDLESS,
  type Guard,
  notInTime,
  patienceOf,
  patienceOfSync,
  ReleasingGuard,
} from "./_acquire.ts";
import { type Hold, Holds } from "./_holds.ts";
import { KIND, LocalLockCore, type LockCore } from "./_lock_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";

/** What a lock is made with. */
export interface LockOptions {
  /** Shown in error texts and by `debugLocks`. */
  name?: string | undefined;
}

/**
 * The holds of a lock, for conditions. Assigned by the class, as only the class can reach its
 * private fields.
 */
export let holdsOfLock: (lock: Lock) => Holds;

/**
 * A lock that one thread, or one async task, holds at a time.
 *
 * It can be sent to any task in its arguments, and used on both sides in both forms: `acquireSync`
 * blocks the thread, `acquire` returns a promise. Whoever acquires it sees all that was written to
 * shared memory before it was released.
 *
 * It belongs to nobody: any thread may release it, even one that did not acquire it. It is not
 * reentrant: a holder that acquires it again waits for ever. {@linkcode RLock} has an owner, and is
 * reentrant.
 *
 * **Fairness:** waiters are woken first come, first served, but a thread that comes at the moment
 * of a release may take the lock first. A waiter that was overtaken like this is handed the lock by
 * the next release.
 *
 * **Both forms in one thread:** while a thread is blocked, its async tasks cannot go on, nor
 * release what they hold. So a thread that blocks for the lock goes before its own tasks that wait
 * for it. But it cannot go before a task that holds the lock, even one that has only just been
 * granted it and does not know that yet: then it waits until time is up, without a timeout for
 * ever. Where async tasks of a thread use a lock, have the thread's other code await the promise
 * form, or give the blocking one a timeout.
 *
 * **Owner's death:** when the thread that acquired the lock ends, or is given up by its pool,
 * without a release, all calls that wait or come later throw an {@linkcode OwnerDiedError}, until a
 * thread calls {@linkcode Lock.recover}. A wait that has not learned of it by then goes on.
 *
 * Semantics: Python's `threading.Lock`.
 *
 * **Differs from Python:** timeouts are in milliseconds, `undefined` and `null` wait for ever; an
 * owner's death is reported; async tasks can wait for it.
 *
 * @example
 * ```ts
 * import { Lock, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const lock = new Lock();
 * const counter = new Int32Array(new SharedArrayBuffer(4));
 *
 * const count = (lock: Lock, counter: Int32Array): void => {
 *   for (let i = 0; i < 1000; i++) {
 *     using _ = lock.holdSync();
 *     counter[0]++;
 *   }
 * };
 * await Promise.all([pool.submit(count, lock, counter), pool.submit(count, lock, counter)]);
 * assertEquals(counter[0], 2000);
 * ```
 */
export class Lock {
  readonly #core: LockCore;
  /** Made when first needed: a lock that was never held by a guard needs none. */
  #madeHolds: Holds | undefined;

  static {
    holdsOfLock = (lock) => lock.#holds;
    registerHandle(KIND, (data) => Lock.#open(data));
  }

  static #open(data: unknown): Lock {
    // The constructor's last parameter is not for users.
    const make = Lock as new (options: undefined, core: LockCore) => Lock;
    return new make(undefined, openCore(KIND, data));
  }

  /**
   * Makes a lock that is free.
   *
   * @param options The lock's name.
   */
  constructor(options?: LockOptions);
  constructor(options?: LockOptions, core?: LockCore) {
    this.#core = core ?? Lock.#create(options);
    this.#madeHolds = core === undefined ? undefined : Holds.of(core);
  }

  static #create(options: LockOptions = {}): LockCore {
    return LocalLockCore.create(nameIn("make Lock", options));
  }

  /** The lock's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /**
   * Acquires the lock. The promise settles when the lock is this task's, and holds the event loop
   * open until then.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @returns True when it was acquired; false when it was not free in time, or at once with
   * `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(await lock.acquire(), true);
   * assertEquals(await lock.acquire({ timeout: 5 }), false);
   * lock.release();
   * ```
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return options === undefined ? this.#core.acquire(ENDLESS) : this.#acquireWithin(options);
  }

  async #acquireWithin(options: AcquireOptions): Promise<boolean> {
    const patience = patienceOf(this.#act, options);
    return patience.polls ? this.#core.tryAcquire() : await this.#core.acquire(patience);
  }

  /**
   * Acquires the lock; blocks this thread until the lock is free.
   *
   * @param options How long to wait.
   * @returns True when it was acquired; false when it was not free in time, or at once with
   * `blocking: false`.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(lock.acquireSync(), true);
   * assertEquals(lock.acquireSync({ blocking: false }), false);
   * lock.release();
   * ```
   */
  acquireSync(options?: AcquireSyncOptions): boolean {
    if (options === undefined && platform.canBlock) return this.#core.acquireSync(NEVER);
    return this.#acquireSyncWithin(options);
  }

  #acquireSyncWithin(options: AcquireSyncOptions | undefined): boolean {
    const { polls, deadlineMs } = patienceOfSync(this.#act, options);
    return polls ? this.#core.tryAcquire() : this.#core.acquireSync(deadlineMs);
  }

  /**
   * Releases the lock, and wakes one waiter. Never waits. Any thread may release it.
   *
   * @throws {RuntimeError} When it is not locked.
   *
   * @example
   * ```ts
   * import { Lock, RuntimeError } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const lock = new Lock();
   * assertThrows(() => lock.release(), RuntimeError, "it is not held");
   * ```
   */
  release(): void {
    this.#core.release();
  }

  /** True while somebody holds the lock. Not reliable: it may have changed when you read it. */
  locked(): boolean {
    return this.#core.locked();
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of. Waits as
   * {@linkcode Lock.acquire} does.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @throws {TimeoutError} When it was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * {
   *   using _ = await lock.hold();
   *   assertEquals(lock.locked(), true);
   * }
   * assertEquals(lock.locked(), false);
   * ```
   */
  async hold(options?: WaitOptions): Promise<Guard> {
    if (await this.acquire(options)) return this.#guard();
    throw this.#notInTime(options);
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of. Blocks as
   * {@linkcode Lock.acquireSync} does.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When it was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * {
   *   using _ = lock.holdSync();
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
   * Holds the lock while a function runs, sync or async.
   *
   * @param fn What to run.
   * @param options How long to wait for the lock. The promise rejects with the reason of `signal`
   * when that aborts during this wait.
   * @returns What the function returned; the promise rejects with what the function threw.
   * @throws {TimeoutError} When the lock was not free in time.
   * @throws {OwnerDiedError} When the thread that holds the lock is dead.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(await lock.run(() => lock.locked()), true);
   * ```
   */
  async run<R>(fn: () => R, options?: WaitOptions): Promise<Awaited<R>> {
    if (!await this.acquire(options)) throw this.#notInTime(options);
    const hold = this.#holds.current;
    try {
      return await fn();
    } finally {
      this.#end(hold);
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
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * assertEquals(lock.runSync(() => lock.locked()), true);
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
   * {@linkcode OwnerDiedError}. Never waits.
   *
   * @returns True when the lock is now this thread's, which then repairs what the lock guards and
   * releases it. False when there was nothing to take over: it is free, or its holder is alive,
   * perhaps because another thread has recovered it.
   */
  recover(): boolean {
    return this.#core.recover();
  }

  /**
   * A handle that stands for this lock in a message to a raw `Worker`; see {@linkcode Lock.from}.
   */
  get handle(): Handle {
    this.#holds.share();
    return { kind: KIND, data: this.#core.data };
  }

  /**
   * Rebuilds a lock from a handle. Needed only by code that posts messages itself: in the arguments
   * of a task, locks cross by themselves.
   *
   * @param handle The {@linkcode Lock.handle} of a lock.
   * @returns A view of the same lock.
   * @throws {TypeError} When it is not the handle of a Lock.
   *
   * @example
   * ```ts
   * import { Lock } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const lock = new Lock();
   * const { port1, port2 } = new MessageChannel();
   * const arrived = new Promise<Lock>((resolve) => {
   *   port2.onmessage = (event) => resolve(Lock.from(event.data));
   * });
   * port1.postMessage(lock.handle);
   * const same = await arrived;
   * lock.acquireSync();
   * assertEquals(same.locked(), true);
   * port1.close();
   * port2.close();
   * ```
   */
  static from(handle: Handle): Lock {
    return Lock.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode Lock.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Lock` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  get #holds(): Holds {
    return this.#madeHolds ??= new Holds(this.#core);
  }

  get #act(): string {
    return `acquire ${labelOf(KIND, this.name)}`;
  }

  /** A guard for what has just been acquired. */
  #guard(): Guard {
    const hold = this.#holds.current;
    return new ReleasingGuard(() => this.#end(hold));
  }

  /** Releases the lock, unless a condition's wait has lost it. */
  #end(hold: Hold): void {
    if (!hold.isLost) this.#core.release();
  }

  #notInTime(options: WaitOptions | undefined): Error {
    return notInTime(this.#act, options, this.#core.describeOwner());
  }
}
