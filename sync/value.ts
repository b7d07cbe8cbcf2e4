/**
 * Value: a number in shared memory, with a lock.
 *
 * Each read and write is one atomic access; so is `add`. A sequence of them is not: hold the lock around it.
 *
 * Source of `add` for "f64": a compare-exchange on the number's bits, repeated while others come in between.
 *
 * @module
 */

import { add, add64, load, load64, replace64, store, store64 } from "../_platform/atomics.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { LOCK, VALUE } from "../_memory/layout.ts";
import { dataOf, SharedWords } from "./_shared.ts";
import { type RLock, rlockInternals } from "./rlock.ts";

const KIND = "Value";

/** The kinds of number, and what each is in TypeScript. */
export interface ValueTypes {
  /** A whole number of 32 bits, from -2^31 up to 2^31 - 1. */
  i32: number;
  /** A whole number of 32 bits, from 0 up to 2^32 - 1. */
  u32: number;
  /** A whole number of 64 bits, from -2^63 up to 2^63 - 1. */
  i64: bigint;
  /** Any number, of 64 bits. */
  f64: number;
}

/** How a kind of number is kept. */
interface Access<N> {
  check(value: unknown): N;
  /** As `check`, for what is added. */
  checkTerm(value: unknown): N;
  get(cell: Cell): N;
  set(cell: Cell, value: N): void;
  /** Adds, and returns the sum. */
  add(cell: Cell, value: N): N;
}

/** Where the number is. */
class Cell {
  readonly words: Int32Array;
  #word64: BigInt64Array | undefined;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** The number's 64 bits. */
  get word64(): BigInt64Array {
    return this.#word64 ??= new BigInt64Array(this.words.buffer, this.words.byteOffset, 1);
  }
}

const converter = new DataView(new ArrayBuffer(8));

function toBits(value: number): bigint {
  converter.setFloat64(0, value);
  return converter.getBigInt64(0);
}

function fromBits(value: bigint): number {
  converter.setBigInt64(0, value);
  return converter.getFloat64(0);
}

function whole(type: string, least: number, most: number): (value: unknown) => number {
  return (value) => {
    if (typeof value !== "number") {
      throw new TypeError(`Cannot use as "${type}": expected a number, got ${typeof value}`);
    }
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(
        `Cannot use as "${type}": expected a whole number from ${least} to ${most}, got ${value}`,
      );
    }
    return value;
  };
}

const checkU32 = whole("u32", 0, 2 ** 32 - 1);
const checkI64 = (value: unknown): bigint => {
  if (typeof value !== "bigint") {
    throw new TypeError(`Cannot use as "i64": expected a bigint, got ${typeof value}`);
  }
  if (BigInt.asIntN(64, value) !== value) {
    throw new RangeError(`Cannot use as "i64": ${value} does not fit in 64 bits`);
  }
  return value;
};
const checkI32 = whole("i32", -(2 ** 31), 2 ** 31 - 1);
const checkF64 = (value: unknown): number => {
  if (typeof value === "number") return value;
  throw new TypeError(`Cannot use as "f64": expected a number, got ${typeof value}`);
};

const ACCESS: { readonly [T in keyof ValueTypes]: Access<ValueTypes[T]> } = {
  i32: {
    check: checkI32,
    checkTerm: checkI32,
    get: ({ words }) => load(words, VALUE.NUMBER),
    set: ({ words }, value) => store(words, VALUE.NUMBER, value),
    add: ({ words }, value) => (add(words, VALUE.NUMBER, value) + value) | 0,
  },
  u32: {
    check: checkU32,
    checkTerm: whole("u32", 1 - 2 ** 32, 2 ** 32 - 1),
    get: ({ words }) => load(words, VALUE.NUMBER) >>> 0,
    set: ({ words }, value) => store(words, VALUE.NUMBER, value | 0),
    add: ({ words }, value) => (add(words, VALUE.NUMBER, value | 0) + value) >>> 0,
  },
  i64: {
    check: checkI64,
    checkTerm: checkI64,
    get: ({ word64 }) => load64(word64, 0),
    set: ({ word64 }, value) => store64(word64, 0, value),
    add: ({ word64 }, value) => BigInt.asIntN(64, add64(word64, 0, value) + value),
  },
  f64: {
    check: checkF64,
    checkTerm: checkF64,
    get: ({ word64 }) => fromBits(load64(word64, 0)),
    set: ({ word64 }, value) => store64(word64, 0, toBits(value)),
    add: ({ word64 }, value) => {
      for (;;) {
        const before = load64(word64, 0);
        const sum = fromBits(before) + value;
        if (replace64(word64, 0, before, toBits(sum))) return sum;
      }
    },
  },
};

/** What a value is made with, beside its type and its number. */
export interface ValueOptions {
  /** Shown in error texts. */
  name?: string;
}

/**
 * A number in shared memory.
 *
 * It can be sent to any task in its arguments; all threads see one number. Reading, writing and {@linkcode Value.add} are atomic
 * each, and never wait. `value.value += 1` is a read and a write, between which other threads may come: use `add`, or
 * hold the lock.
 *
 * Semantics: Python's `multiprocessing.Value`.
 *
 * **Differs from Python:** types have names, not letters; `add` is atomic without the lock; numbers that do not fit are refused, but sums
 * wrap around.
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
  readonly #type: T;
  readonly #shared: SharedWords;
  readonly #access: Access<ValueTypes[T]>;
  readonly #cell: Cell;
  #lock: RLock | undefined;

  static {
    registerHandle(KIND, (data) => Value.#open(data));
  }

  static #open(data: unknown): Value<keyof ValueTypes> {
    const { type } = data as { type: keyof ValueTypes };
    // The constructor's third parameter takes the words as well; not for users.
    return new Value(type, undefined, SharedWords.open(data, VALUE.SIZE));
  }

  /**
   * Makes a number.
   *
   * @param type The kind of number.
   * @param initial The number at first, 0 if left out.
   * @param options The value's name.
   * @throws {TypeError} When there is no such type, or the number is of another.
   * @throws {RangeError} When the number does not fit.
   */
  constructor(type: T, initial?: ValueTypes[T], options: ValueOptions = {}) {
    if (!Object.hasOwn(ACCESS, type)) {
      throw new TypeError(
        `Cannot make Value: type must be one of ${
          Object.keys(ACCESS).map((name) => `"${name}"`).join(", ")
        }, got ${typeof type === "string" ? `"${type}"` : typeof type}`,
      );
    }
    this.#type = type;
    this.#access = ACCESS[type];
    if (options instanceof SharedWords) {
      this.#shared = options;
      this.#cell = new Cell(options.words);
      return;
    }
    const checked = initial === undefined ? undefined : this.#access.check(initial);
    this.#shared = SharedWords.create(VALUE.SIZE, options.name);
    this.#cell = new Cell(this.#shared.words);
    rlockInternals.initialize(this.#lockWords());
    if (checked !== undefined) this.#access.set(this.#cell, checked);
  }

  /** The kind of number. */
  get type(): T {
    return this.#type;
  }

  /** The value's name, if it was given one. */
  get name(): string | undefined {
    return this.#shared.name;
  }

  /**
   * The number, read or written in one atomic access.
   *
   * @throws {TypeError} When what is assigned is of another type.
   * @throws {RangeError} When it does not fit.
   */
  get value(): ValueTypes[T] {
    return this.#access.get(this.#cell);
  }

  set value(value: ValueTypes[T]) {
    this.#access.set(this.#cell, this.#access.check(value));
  }

  /**
   * Adds to the number, in one atomic step. Sums of whole numbers wrap around.
   *
   * @param n What to add; may be negative, for `"u32"` too.
   * @returns The new number.
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
    return this.#access.add(this.#cell, this.#access.checkTerm(n));
  }

  /**
   * The value's own lock, for what takes more than one step.
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
    return this.#lock ??= rlockInternals.within(this.#lockWords());
  }

  #lockWords(): SharedWords {
    return this.#shared.part(VALUE.LOCK, LOCK.SIZE);
  }

  /** What stands for this value in a message to a raw `Worker`; see {@linkcode Value.from}. */
  get handle(): Handle {
    const { kind, data } = this.#shared.handle(KIND);
    return { kind, data: { ...(data as object), type: this.#type } };
  }

  /**
   * Rebuilds a value from a handle. Only those who post messages themselves need it: in the arguments of a task, values
   * cross by themselves.
   *
   * @throws {TypeError} When it is no handle of a Value.
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
    return Value.#open(dataOf(handle, KIND)) as Value<T>;
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
