/**
 * Value: a number in shared memory, with a lock. The work is done in `_value_core.ts`.
 *
 * @module
 */

import { nameIn } from "../_platform/options.ts";
import { openCore, partOf } from "../_memory/core.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { KIND as RLOCK_KIND } from "./_rlock_core.ts";
import { dataOf } from "./_shared.ts";
import { KIND, LocalValueCore, type ValueCore, type ValueTypes } from "./_value_core.ts";
import { RLock } from "./rlock.ts";

export type { ValueTypes };

/** What a value is made with, beside its type and its number. */
export interface ValueOptions {
  /** Shown in error texts. */
  name?: string | undefined;
}

/**
 * A number in shared memory.
 *
 * It can be sent to any task in its arguments; all threads see one number. Reading, writing and
 * {@linkcode Value.add} are each atomic, and never wait. `value.value += 1` is a read and a write,
 * between which other threads may write: use `add`, or hold the lock.
 *
 * Semantics: Python's `multiprocessing.Value`.
 *
 * **Differs from Python:** types have names, not letters; `add` is atomic without the lock; numbers
 * that do not fit are refused, but sums wrap around.
 *
 * @typeParam T The kind of number: `"i32"`, `"u32"`, `"i64"` (a bigint), `"f64"`.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor, Value } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const hits = new Value("i32");
 * const count = (hits: Value<"i32">): void => {
 *   for (let i = 0; i < 1000; i++) hits.add(1);
 * };
 * await Promise.all([pool.submit(count, hits), pool.submit(count, hits)]);
 * assertEquals(hits.value, 2000);
 * ```
 */
export class Value<T extends keyof ValueTypes> {
  readonly #core: ValueCore<T>;
  #lock: RLock | undefined;

  static {
    registerHandle(KIND, (data) => Value.#open(data));
  }

  static #open<T extends keyof ValueTypes>(data: unknown): Value<T> {
    // The constructor's last parameter is not for users.
    const make = Value as new (
      type: undefined,
      initial: undefined,
      options: undefined,
      core: ValueCore<T>,
    ) => Value<T>;
    return new make(undefined, undefined, undefined, openCore(KIND, data));
  }

  /**
   * Makes a number.
   *
   * @param type The kind of number.
   * @param initial The number at first, 0 if left out.
   * @param options The value's name.
   * @throws {TypeError} When there is no such type, or the number is of another type.
   * @throws {RangeError} When the number does not fit into the type.
   */
  constructor(type: T, initial?: ValueTypes[T], options?: ValueOptions);
  constructor(
    type: T,
    initial?: ValueTypes[T],
    options: ValueOptions = {},
    core: ValueCore<T> = LocalValueCore.create(type, initial, nameIn("make Value", options)),
  ) {
    this.#core = core;
  }

  /** The kind of number. */
  get type(): T {
    return this.#core.type();
  }

  /** The value's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /**
   * The number, read or written in one atomic access.
   *
   * @throws {TypeError} When what is assigned is of another type.
   * @throws {RangeError} When it does not fit into the type.
   */
  get value(): ValueTypes[T] {
    return this.#core.get();
  }

  set value(value: ValueTypes[T]) {
    this.#core.set(value);
  }

  /**
   * Adds to the number, in one atomic step. Sums of whole numbers wrap around.
   *
   * @param n What to add; may be negative, for `"u32"` too.
   * @returns The new number.
   * @throws {TypeError} When `n` is of another type.
   * @throws {RangeError} When `n` does not fit into the type.
   *
   * @example
   * ```ts
   * import { Value } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const total = new Value("i64", 40n);
   * assertEquals(total.add(2n), 42n);
   * ```
   */
  add(n: ValueTypes[T]): ValueTypes[T] {
    return this.#core.add(n);
  }

  /**
   * The value's own lock, for changes that take more than one step.
   *
   * @example
   * ```ts
   * import { Value } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const largest = new Value("f64", 1.5);
   * largest.getLock().runSync(() => {
   *   if (2.5 > largest.value) largest.value = 2.5;
   * });
   * assertEquals(largest.value, 2.5);
   * ```
   */
  getLock(): RLock {
    return this.#lock ??= RLock.from({ kind: RLOCK_KIND, data: partOf(this.#core, "lock") });
  }

  /**
   * A handle that stands for this value in a message to a raw `Worker`; see {@linkcode Value.from}.
   */
  get handle(): Handle {
    return { kind: KIND, data: this.#core.data };
  }

  /**
   * Rebuilds a value from a handle. Needed only by code that posts messages itself: in the
   * arguments of a task, values cross by themselves.
   *
   * @param handle The {@linkcode Value.handle} of a value.
   * @returns A view of the same value.
   * @throws {TypeError} When it is not the handle of a Value.
   *
   * @example
   * ```ts
   * import { Value } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const value = new Value("u32", 7);
   * const same = Value.from<"u32">(value.handle);
   * same.value = 8;
   * assertEquals(value.value, 8);
   * ```
   */
  static from<T extends keyof ValueTypes>(handle: Handle): Value<T> {
    return Value.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode Value.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Value` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }
}
