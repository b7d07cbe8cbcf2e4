/**
 * Condition: waiting, with a lock released meanwhile, until another thread says that something has
 * changed.
 *
 * The algorithm is in `_condition_core.ts`; this file has the predicates, which run in the thread
 * that waits.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { deadlineOf } from "../_platform/options.ts";
import { isRemoteData, openCore } from "../_memory/core.ts";
import { HANDLE, type Handle, isShareable, registerHandle } from "../_memory/handle.ts";
import { checkMayBlock, type Guard, isAsync } from "./_acquire.ts";
import { type ConditionCore, KIND, LocalConditionCore, type LostLock } from "./_condition_core.ts";
import { contextsHere } from "./_contexts.ts";
import type { Hold, Holds } from "./_holds.ts";
import { KIND as LOCK_KIND } from "./_lock_core.ts";
import { KIND as RLOCK_KIND } from "./_rlock_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import { holdsOfLock, Lock } from "./lock.ts";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";
import { holdsOfRLock, RLock } from "./rlock.ts";

/**
 * The result of a wait. If the lock was lost, marks the hold that the wait left as lost, and
 * throws.
 */
function outcomeOf(left: Hold, outcome: boolean | LostLock): boolean {
  if (typeof outcome === "boolean") return outcome;
  left.isLost = true;
  throw outcome.error;
}

/**
 * Lets threads and async tasks wait until something has changed, and notify each other of changes.
 *
 * It comes with a lock, its own {@linkcode RLock} or one that it is given, which guards the state
 * that changes. A waiter must hold it: the lock is released during the wait, however often it was
 * acquired, and held again afterwards. Several conditions can share one lock.
 *
 * A notification wakes threads that wait at that moment, and is not remembered: test what you wait
 * for, before and after, or use {@linkcode Condition.waitFor}, which does so.
 *
 * It can be sent to any task in its arguments, with its lock.
 *
 * **Fairness:** waiters are notified first come, first served; then they acquire the lock as any
 * other thread does.
 *
 * **Owner's death:** when the thread that holds the lock dies, waits that were notified throw an
 * {@linkcode OwnerDiedError}, without the lock. Waits that were not notified go on.
 *
 * **Without the lock:** the guards and `run` calls around a wait that has lost the lock release
 * nothing, whoever has it by then. Code that acquired the lock by hand must not release it then.
 *
 * Semantics: Python's `threading.Condition`.
 *
 * **Differs from Python:** with a plain {@linkcode Lock}, the thread that waits or notifies must
 * have acquired it itself; timeouts are in milliseconds. A blocking wait throws a
 * {@linkcode RuntimeError} where it and an async task of the same thread would wait for each other:
 * at once, and with the lock, if the task waits for the lock; without the lock, if the task gets
 * the lock during the wait, as one does that waits for a condition of the lock and is notified
 * first. Where async tasks of a thread wait, have the thread's other code await the promise form.
 *
 * @example
 * ```ts
 * import { Condition, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const condition = new Condition();
 * const stock = new Int32Array(new SharedArrayBuffer(4));
 *
 * const deliver = (condition: Condition, stock: Int32Array): void => {
 *   using _ = condition.holdSync();
 *   stock[0] = 3;
 *   condition.notify();
 * };
 * {
 *   using _ = await condition.hold();
 *   pool.submit(deliver, condition, stock);
 *   await condition.waitFor(() => stock[0] > 0);
 *   assertEquals(stock[0], 3);
 * }
 * ```
 */
export class Condition {
  readonly #core: ConditionCore;
  readonly #lock: Lock | RLock;
  readonly #holds: Holds;

  static {
    registerHandle(KIND, (data) => Condition.#open(data));
  }

  /** @param data The condition's own data, and with them the lock: itself, or its handle. */
  static #open(data: unknown): Condition {
    const { lock, ...own } = data as { readonly lock: Lock | RLock | Handle };
    const core = openCore<ConditionCore>(KIND, isRemoteData(data) ? own : data);
    // The constructor's last parameter is not for users.
    const make = Condition as new (lock: Lock | RLock, core: ConditionCore) => Condition;
    // Most of what is done with a condition is done to its lock alone.
    if (isRemoteData(data)) core.use();
    if (isShareable(lock)) return new make(lock, core);
    return new make(lock.kind === LOCK_KIND ? Lock.from(lock) : RLock.from(lock), core);
  }

  /**
   * Makes a condition for which nobody waits.
   *
   * @param lock The lock to hold while waiting and notifying; if left out, the condition makes an
   * {@linkcode RLock}.
   * @throws {TypeError} When `lock` is neither a Lock nor an RLock.
   * @throws {NotShareableError} When `lock` belongs to another process.
   */
  constructor(lock?: Lock | RLock);
  constructor(given?: Lock | RLock, core?: ConditionCore) {
    const lock = given ?? new RLock();
    if (!(lock instanceof Lock) && !(lock instanceof RLock)) {
      throw new TypeError(
        `Cannot make Condition: expected a Lock or an RLock, got ${describe(lock)}`,
      );
    }
    this.#lock = lock;
    const [kind, holds] = lock instanceof Lock
      ? [LOCK_KIND, holdsOfLock(lock)]
      : [RLOCK_KIND, holdsOfRLock(lock)];
    this.#holds = holds;
    this.#core = core ?? LocalConditionCore.create({ kind, data: holds.lock.data });
  }

  /** The lock that is held while waiting and notifying. */
  get lock(): Lock | RLock {
    return this.#lock;
  }

  /** Acquires the lock; see {@linkcode Lock.acquire}. */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return this.#lock.acquire(options);
  }

  /** Acquires the lock; see {@linkcode Lock.acquireSync}. */
  acquireSync(options?: AcquireSyncOptions): boolean {
    return this.#lock.acquireSync(options);
  }

  /** Releases the lock; see {@linkcode Lock.release}. */
  release(): void {
    this.#lock.release();
  }

  /** True while somebody holds the lock. Not reliable: it may have changed when you read it. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of; see
   * {@linkcode Lock.hold}.
   */
  hold(options?: WaitOptions): Promise<Guard> {
    return this.#lock.hold(options);
  }

  /**
   * Acquires the lock, and returns a guard that releases it when disposed of; see
   * {@linkcode Lock.holdSync}.
   */
  holdSync(options?: WaitSyncOptions): Guard {
    return this.#lock.holdSync(options);
  }

  /** Holds the lock while a function runs; see {@linkcode Lock.run}. */
  run<R>(fn: () => R, options?: WaitOptions): Promise<Awaited<R>> {
    return this.#lock.run(fn, options);
  }

  /** Holds the lock while a function runs; see {@linkcode Lock.runSync}. */
  runSync<R>(fn: () => R, options?: WaitSyncOptions): R {
    return this.#lock.runSync(fn, options);
  }

  /**
   * Releases the lock, waits for a notification, and acquires the lock again. The promise settles
   * once it has the lock, after a timeout or an abort too; it holds the event loop open until then.
   *
   * @param options How long to wait for the notification. The promise rejects with the reason of
   * `signal` when that aborts; the lock is held then.
   * @returns True when it was notified; false when time was up first.
   * @throws {RuntimeError} When the calling code does not own the lock.
   * @throws {OwnerDiedError} When the thread that holds the lock dies after the notification, or is
   * dead after a timeout or an abort; the lock is not held then.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * using _ = await condition.hold();
   * assertEquals(await condition.wait({ timeout: 5 }), false);
   * assertEquals(condition.locked(), true);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    const deadlineMs = deadlineOf(options);
    options.signal?.throwIfAborted();
    return await this.#wait(deadlineMs, options.signal);
  }

  async #wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const left = this.#holds.leave();
    try {
      return outcomeOf(left, await this.#core.wait(false, contextsHere(), { deadlineMs, signal }));
    } finally {
      this.#holds.regain(left);
    }
  }

  /**
   * Releases the lock, blocks this thread until a notification, and acquires the lock again.
   *
   * @param options How long to wait for the notification.
   * @returns True when it was notified; false when time was up first. The lock is held in either
   * case.
   * @throws {RuntimeError} When the calling code does not own the lock; where the host forbids
   * blocking; and where this wait and an async task of the same thread would wait for each other
   * (see the class).
   * @throws {OwnerDiedError} When the thread that holds the lock dies after the notification, or is
   * dead after a timeout; the lock is not held then.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * using _ = condition.holdSync();
   * assertEquals(condition.waitSync({ timeout: 5 }), false);
   * assertEquals(condition.locked(), true);
   * ```
   */
  waitSync(options: WaitSyncOptions = {}): boolean {
    const deadlineMs = deadlineOf(options);
    checkMayBlock(this.#act("wait"));
    return this.#waitSync(deadlineMs);
  }

  #waitSync(deadlineMs: number): boolean {
    const left = this.#holds.leave();
    try {
      return outcomeOf(left, this.#core.waitSync(true, contextsHere(), deadlineMs));
    } finally {
      this.#holds.regain(left);
    }
  }

  /**
   * Waits until a predicate holds: tests it, with the lock held, now and after each notification.
   * The timeout covers the whole call.
   *
   * The predicate runs in this thread: what it reads must be in shared memory if other threads
   * change it. It must not be async: a promise would count as true.
   *
   * @param predicate Whether to stop waiting.
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts; the lock is held then.
   * @returns What the predicate returned last: a truthy value, or a falsy one when time was up.
   * @throws {RuntimeError} When it has to wait and the calling code does not own the lock.
   * @throws {OwnerDiedError} When the thread that holds the lock dies after the notification, or is
   * dead after a timeout or an abort; the lock is not held then.
   * @throws {TypeError} When the predicate returns a promise or a future.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * const items = ["a"];
   * using _ = await condition.hold();
   * assertEquals(await condition.waitFor(() => items.at(0)), "a");
   * ```
   */
  async waitFor<T>(predicate: () => T, options: WaitOptions = {}): Promise<T> {
    const deadlineMs = deadlineOf(options);
    options.signal?.throwIfAborted();
    for (let isInTime = true;;) {
      const result = this.#checked(predicate());
      if (result || !isInTime) return result;
      isInTime = await this.#wait(deadlineMs, options.signal);
    }
  }

  /**
   * Blocks until a predicate holds: tests it, with the lock held, now and after each notification.
   * The timeout covers the whole call.
   *
   * @param predicate Whether to stop waiting.
   * @param options How long to wait.
   * @returns What the predicate returned last: a truthy value, or a falsy one when time was up.
   * @throws {RuntimeError} When it has to wait and the calling code does not own the lock; where
   * the host forbids blocking; and where this wait and an async task of the same thread would wait
   * for each other (see the class).
   * @throws {OwnerDiedError} When the thread that holds the lock dies after the notification, or is
   * dead after a timeout; the lock is not held then.
   * @throws {TypeError} When the predicate returns a promise or a future.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * using _ = condition.holdSync();
   * assertEquals(condition.waitForSync(() => 0, { timeout: 5 }), 0);
   * ```
   */
  waitForSync<T>(predicate: () => T, options: WaitSyncOptions = {}): T {
    const deadlineMs = deadlineOf(options);
    checkMayBlock(this.#act("wait"));
    for (let isInTime = true;;) {
      const result = this.#checked(predicate());
      if (result || !isInTime) return result;
      isInTime = this.#waitSync(deadlineMs);
    }
  }

  /**
   * Throws if a predicate returned a promise or a future: that is truthy whatever it resolves to,
   * and the wait would end at once.
   */
  #checked<T>(result: T): T {
    if (!isAsync(result)) return result;
    // Its rejection would be reported as unhandled, beside the error that explains it.
    Promise.resolve(result).catch(() => {});
    throw new TypeError(
      `Cannot ${
        this.#act("wait")
      }: the predicate returned a promise; have it look at what is there, and notify when that changes`,
    );
  }

  /**
   * Notifies up to `n` waiters, those that have waited longest first; has no effect when nobody
   * waits. They go on once they have the lock, which the caller keeps.
   *
   * @param n How many; nothing happens when it is 0 or less.
   * @throws {RuntimeError} When the calling code does not own the lock.
   * @throws {TypeError} When `n` is not a number, or NaN.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * const waiting = condition.run(() => condition.wait({ timeout: 1000 }));
   * await condition.run(() => condition.notify());
   * assertEquals(await waiting, true);
   * ```
   */
  notify(n = 1): void {
    if (typeof n !== "number" || Number.isNaN(n)) {
      throw new TypeError(`Cannot ${this.#act("notify")}: expected a number, got ${describe(n)}`);
    }
    this.#core.notify(n, contextsHere());
  }

  /**
   * Notifies all waiters; see {@linkcode Condition.notify}.
   *
   * @throws {RuntimeError} When the calling code does not own the lock.
   */
  notifyAll(): void {
    this.notify(Infinity);
  }

  /**
   * A handle that stands for this condition and its lock in a message to a raw `Worker`; see
   * {@linkcode Condition.from}.
   */
  get handle(): Handle {
    return { kind: KIND, data: { ...this.#core.data as object, lock: this.#lock.handle } };
  }

  /**
   * Rebuilds a condition from a handle. Needed only by code that posts messages itself: in the
   * arguments of a task, conditions cross by themselves.
   *
   * @param handle The {@linkcode Condition.handle} of a condition.
   * @returns A view of the same condition, with a view of its lock.
   * @throws {TypeError} When it is not the handle of a Condition.
   *
   * @example
   * ```ts
   * import { Condition } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const condition = new Condition();
   * const same = Condition.from(condition.handle);
   * using _ = condition.holdSync();
   * assertEquals(same.locked(), true);
   * ```
   */
  static from(handle: Handle): Condition {
    return Condition.#open(dataOf(handle, KIND));
  }

  /**
   * See {@linkcode Condition.handle}. The lock crosses as itself: the receiver gets one view of it,
   * whatever it came with.
   */
  [HANDLE](): Handle {
    return { kind: KIND, data: { ...this.#core.data as object, lock: this.#lock } };
  }

  /** Shows as `Condition` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  #act(act: string): string {
    return `${act} on ${labelOf(KIND, this.#core.name)}`;
  }
}
