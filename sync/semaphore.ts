/**
 * Semaphore and BoundedSemaphore: a number of permits. The algorithm is in `_semaphore_core.ts`.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
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
import { BOUNDED_KIND, KIND, LocalSemaphoreCore, type SemaphoreCore } from "./_semaphore_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";

/** The most permits that there can be. */
const MOST = 2 ** 31 - 1;

/** What a semaphore is made with, beside its value. */
export interface SemaphoreOptions {
  /** Shown in error texts. */
  name?: string | undefined;
}

/**
 * A number of permits, which threads and async tasks acquire one at a time and give back.
 *
 * It can be sent to any task in its arguments, and used on both sides in both forms. Permits belong
 * to nobody: any thread may release them, even more than were acquired; see
 * {@linkcode BoundedSemaphore}. Whoever acquires a permit sees all that was written to shared
 * memory before it was released.
 *
 * **Fairness:** waiters are woken first come, first served. A thread that comes just then may take
 * the permit before the woken waiter does; a waiter that was overtaken like this gets the next
 * permit that is passed on.
 *
 * **Both forms in one thread:** as with {@linkcode Lock}, a thread that blocks for a permit goes
 * before its own async tasks that wait for one, but a task that has got one cannot release it
 * meanwhile.
 *
 * **Owner's death:** permits of a thread that dies are lost; another thread may release them in its
 * place.
 *
 * Semantics: Python's `threading.Semaphore`.
 *
 * **Differs from Python:** timeouts are in milliseconds; `getValue` and `locked` are those of its
 * `multiprocessing` twin.
 *
 * @example
 * ```ts
 * import { Semaphore } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const connections = new Semaphore(2);
 * let most = 0;
 * let open = 0;
 * const query = () =>
 *   connections.run(async () => {
 *     most = Math.max(most, ++open);
 *     await Promise.resolve();
 *     open--;
 *   });
 * await Promise.all([query(), query(), query(), query()]);
 * assertEquals(most, 2);
 * ```
 */
export class Semaphore {
  readonly #core: SemaphoreCore;

  static {
    registerHandle(KIND, (data) => withCore(Semaphore, KIND, data));
  }

  /**
   * Makes a semaphore.
   *
   * @param value How many permits are free at first.
   * @param options The semaphore's name.
   * @throws {RangeError} When the value is negative, fractional or above 2^31 - 1.
   */
  constructor(value?: number, options?: SemaphoreOptions);
  constructor(value?: number, options?: SemaphoreOptions, core?: SemaphoreCore) {
    this.#core = core ?? this.#create(value, options);
  }

  #create(value = 1, options: SemaphoreOptions = {}): SemaphoreCore {
    const kind = this[Symbol.toStringTag];
    const act = `make ${kind}`;
    checkCount(act, "value", value, 0);
    const bound = this.isBounded ? value : MOST;
    return LocalSemaphoreCore.create(kind, value, bound, nameIn(act, options));
  }

  /** The semaphore's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /**
   * Acquires a permit. The promise settles when it has one, and holds the event loop open until
   * then.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @returns True when it was acquired; false when none was free in time, or at once with
   * `blocking: false`.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(1);
   * assertEquals(await semaphore.acquire(), true);
   * assertEquals(await semaphore.acquire({ timeout: 5 }), false);
   * ```
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return options === undefined ? this.#core.acquire(ENDLESS) : this.#acquireWithin(options);
  }

  async #acquireWithin(options: AcquireOptions): Promise<boolean> {
    const patience = patienceOf(this.#act("acquire"), options);
    return patience.polls ? this.#core.tryAcquire() : await this.#core.acquire(patience);
  }

  /**
   * Acquires a permit; blocks this thread until one is free.
   *
   * @param options How long to wait.
   * @returns True when it was acquired; false when none was free in time, or at once with
   * `blocking: false`.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(1);
   * assertEquals(semaphore.acquireSync(), true);
   * assertEquals(semaphore.acquireSync({ blocking: false }), false);
   * ```
   */
  acquireSync(options?: AcquireSyncOptions): boolean {
    if (options === undefined && platform.canBlock) return this.#core.acquireSync(NEVER);
    return this.#acquireSyncWithin(options);
  }

  #acquireSyncWithin(options: AcquireSyncOptions | undefined): boolean {
    const { polls, deadlineMs } = patienceOfSync(this.#act("acquire"), options);
    return polls ? this.#core.tryAcquire() : this.#core.acquireSync(deadlineMs);
  }

  /**
   * Gives back `n` permits, and passes them on to waiters. Never waits.
   *
   * @param n How many.
   * @throws {RangeError} When `n` is less than 1 or fractional, or when more permits would be free
   * than may be: 2^31 - 1, or what a {@linkcode BoundedSemaphore} was made with. Nothing has
   * changed then.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(0);
   * semaphore.release(2);
   * assertEquals(semaphore.getValue(), 2);
   * ```
   */
  release(n = 1): void {
    if (n !== 1) checkCount(this.#act("release"), "n", n, 1);
    this.#core.release(n);
  }

  /** How many permits are free. Not reliable: it may have changed when you read it. */
  getValue(): number {
    return this.#core.value();
  }

  /** True while no permit is free. Not reliable: it may have changed when you read it. */
  locked(): boolean {
    return this.getValue() === 0;
  }

  /**
   * Acquires a permit, and returns a guard that releases it when disposed of. Waits as
   * {@linkcode Semaphore.acquire} does.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @throws {TimeoutError} When none was free in time.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(1);
   * {
   *   using _ = await semaphore.hold();
   *   assertEquals(semaphore.getValue(), 0);
   * }
   * assertEquals(semaphore.getValue(), 1);
   * ```
   */
  async hold(options?: WaitOptions): Promise<Guard> {
    if (await this.acquire(options)) return new ReleasingGuard(() => this.release());
    throw this.#notInTime(options);
  }

  /**
   * Acquires a permit, and returns a guard that releases it when disposed of. Blocks as
   * {@linkcode Semaphore.acquireSync} does.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When none was free in time.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(1);
   * {
   *   using _ = semaphore.holdSync();
   *   assertEquals(semaphore.locked(), true);
   * }
   * assertEquals(semaphore.locked(), false);
   * ```
   */
  holdSync(options?: WaitSyncOptions): Guard {
    if (this.acquireSync(options)) return new ReleasingGuard(() => this.release());
    throw this.#notInTime(options);
  }

  /**
   * Holds a permit while a function runs, sync or async.
   *
   * @param fn What to run.
   * @param options How long to wait for a permit. The promise rejects with the reason of `signal`
   * when that aborts during this wait.
   * @returns What the function returned; the promise rejects with what the function threw.
   * @throws {TimeoutError} When no permit was free in time.
   */
  async run<R>(fn: () => R, options?: WaitOptions): Promise<Awaited<R>> {
    if (!await this.acquire(options)) throw this.#notInTime(options);
    try {
      return await fn();
    } finally {
      this.release();
    }
  }

  /**
   * Holds a permit while a function runs; blocks this thread until one is free. The permit is
   * released when the function returns: an async function, which returns before it is done, needs
   * `run`.
   *
   * @param fn What to run.
   * @param options How long to wait for a permit.
   * @returns What the function returned.
   * @throws {TimeoutError} When no permit was free in time.
   * @throws {RuntimeError} Where the host forbids blocking.
   */
  runSync<R>(fn: () => R, options?: WaitSyncOptions): R {
    if (!this.acquireSync(options)) throw this.#notInTime(options);
    try {
      return fn();
    } finally {
      this.release();
    }
  }

  /**
   * A handle that stands for this semaphore in a message to a raw `Worker`; see
   * {@linkcode Semaphore.from}.
   */
  get handle(): Handle {
    return { kind: this[Symbol.toStringTag], data: this.#core.data };
  }

  /**
   * Rebuilds a semaphore from a handle. Needed only by code that posts messages itself: in the
   * arguments of a task, semaphores cross by themselves.
   *
   * @param handle The {@linkcode Semaphore.handle} of a semaphore.
   * @returns A view of the same semaphore.
   * @throws {TypeError} When it is not the handle of a Semaphore.
   *
   * @example
   * ```ts
   * import { Semaphore } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(2);
   * const same = Semaphore.from(semaphore.handle);
   * same.acquireSync();
   * assertEquals(semaphore.getValue(), 1);
   * ```
   */
  static from(handle: Handle): Semaphore {
    return withCore(Semaphore, KIND, dataOf(handle, KIND));
  }

  /** See {@linkcode Semaphore.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Semaphore` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  /** Whether no more permits may be free than at first. */
  protected get isBounded(): boolean {
    return false;
  }

  #notInTime(options: WaitOptions | undefined): Error {
    return notInTime(this.#act("acquire"), options, "no permit is free");
  }

  #act(act: string): string {
    return `${act} ${labelOf(this[Symbol.toStringTag], this.name)}`;
  }
}

/**
 * A {@linkcode Semaphore} that never has more free permits than it was made with: a release too
 * many throws where it happens.
 *
 * Semantics: Python's `threading.BoundedSemaphore`.
 *
 * @example
 * ```ts
 * import { BoundedSemaphore } from "@concurrent/futures";
 * import { assertThrows } from "@std/assert";
 *
 * const semaphore = new BoundedSemaphore(1);
 * semaphore.acquireSync();
 * semaphore.release();
 * assertThrows(() => semaphore.release(), RangeError, "no more than 1");
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  static {
    registerHandle(BOUNDED_KIND, (data) => withCore(BoundedSemaphore, BOUNDED_KIND, data));
  }

  /** True: the permits that it was made with are all there are. */
  protected override get isBounded(): boolean {
    return true;
  }

  /**
   * Rebuilds a semaphore from a handle; see {@linkcode Semaphore.from}.
   *
   * @param handle The handle of a bounded semaphore.
   * @returns A view of the same semaphore.
   * @throws {TypeError} When it is not the handle of a BoundedSemaphore.
   */
  static override from(handle: Handle): BoundedSemaphore {
    return withCore(BoundedSemaphore, BOUNDED_KIND, dataOf(handle, BOUNDED_KIND));
  }

  /** Shows as `BoundedSemaphore` in logs and error texts. */
  override get [Symbol.toStringTag](): string {
    return BOUNDED_KIND;
  }
}

/** A semaphore over a core opened from a handle's data. */
function withCore<S extends Semaphore>(
  of: new (value?: number, options?: SemaphoreOptions) => S,
  kind: string,
  data: unknown,
): S {
  // The constructor's last parameter is not for users.
  const make = of as new (value: undefined, options: undefined, core: SemaphoreCore) => S;
  return new make(undefined, undefined, openCore(kind, data));
}

/** Throws unless `value` is a whole number from `least` up. */
function checkCount(act: string, name: string, value: unknown, least: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${act}: ${name} must be a number, got ${describe(value)}`);
  }
  if (!Number.isInteger(value) || value < least || value > MOST) {
    throw new RangeError(
      `Cannot ${act}: ${name} must be a whole number from ${least} to ${MOST}, got ${value}`,
    );
  }
}
