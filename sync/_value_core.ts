/**
 * The core of Value: a number in shared memory, with a lock.
 *
 * Each read and write is one atomic access, and so is `add`. A sequence of them is not atomic: hold
 * the lock around it.
 *
 * How `add` works for "f64": a compare-exchange on the number's bits, repeated while other threads
 * write in between.
 *
 * @module
 */

import { add, add64, load, load64, replace64, store, store64 } from "../_platform/atomics.ts";
import { describe } from "../_platform/describe.ts";
import { registerCore, type WholeCore } from "../_memory/core.ts";
import type { Handle } from "../_memory/handle.ts";
import { LOCK, VALUE } from "../_memory/layout.ts";
import { KIND as RLOCK_KIND, LocalRLockCore } from "./_rlock_core.ts";
import { type SharedData, SharedWords } from "./_shared.ts";

/** The kind of Value in handles and error texts. */
export const KIND = "Value";

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
  /** Checks a number that will be added, as `check` does one that will be written. */
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
      throw new TypeError(`Cannot use as "${type}": expected a number, got ${describe(value)}`);
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
    throw new TypeError(`Cannot use as "i64": expected a bigint, got ${describe(value)}`);
  }
  if (BigInt.asIntN(64, value) !== value) {
    throw new RangeError(`Cannot use as "i64": ${value} does not fit in 64 bits`);
  }
  return value;
};
const checkI32 = whole("i32", -(2 ** 31), 2 ** 31 - 1);
const checkF64 = (value: unknown): number => {
  if (typeof value === "number") return value;
  throw new TypeError(`Cannot use as "f64": expected a number, got ${describe(value)}`);
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

function accessOf<T extends keyof ValueTypes>(type: T): Access<ValueTypes[T]> {
  if (Object.hasOwn(ACCESS, type)) return ACCESS[type];
  throw new TypeError(
    `Cannot make Value: type must be one of ${
      Object.keys(ACCESS).map((name) => `"${name}"`).join(", ")
    }, got ${describe(type)}`,
  );
}

/** What Value calls; its lock, an RLock, is a part of it. All but `type` are one atomic access. */
export interface ValueCore<T extends keyof ValueTypes = keyof ValueTypes> extends WholeCore {
  /** The kind of number. */
  type(): T;
  /** The number. */
  get(): ValueTypes[T];
  /** Writes the number; throws if it is not of the kind. */
  set(value: ValueTypes[T]): void;
  /** Adds to the number, and returns the sum; throws if the term is not of the kind. */
  add(term: ValueTypes[T]): ValueTypes[T];
}

/** The core for threads that share the memory. */
export class LocalValueCore<T extends keyof ValueTypes> implements ValueCore<T> {
  readonly name: string | undefined;
  readonly #type: T;
  readonly #shared: SharedWords;
  readonly #access: Access<ValueTypes[T]>;
  readonly #cell: Cell;

  constructor(type: T, shared: SharedWords) {
    this.name = shared.name;
    this.#type = type;
    this.#shared = shared;
    this.#access = accessOf(type);
    this.#cell = new Cell(shared.words);
  }

  /** The core of a value that another thread has made. */
  static open(data: unknown): LocalValueCore<keyof ValueTypes> {
    const { type } = data as SharedData & { readonly type: keyof ValueTypes };
    return new LocalValueCore(type, SharedWords.open(data, VALUE.SIZE));
  }

  /** The core of a new value, 0 if `initial` is left out. */
  static create<T extends keyof ValueTypes>(
    type: T,
    initial: ValueTypes[T] | undefined,
    name: string | undefined,
  ): LocalValueCore<T> {
    const { check } = accessOf(type);
    if (initial !== undefined) check(initial);
    const core = new LocalValueCore(type, SharedWords.create(VALUE.SIZE, name));
    LocalRLockCore.initialize(core.#lockWords());
    if (initial !== undefined) core.set(initial);
    return core;
  }

  /** See {@linkcode Core}. */
  get data(): unknown {
    return { ...this.#shared.data, type: this.#type };
  }

  /** See {@linkcode WholeCore}. The lock is the only part. */
  part(): Handle {
    return { kind: RLOCK_KIND, data: this.#lockWords().data };
  }

  #lockWords(): SharedWords {
    return this.#shared.part(VALUE.LOCK, LOCK.SIZE);
  }

  /** See {@linkcode ValueCore}. */
  type(): T {
    return this.#type;
  }

  /** See {@linkcode ValueCore}. */
  get(): ValueTypes[T] {
    return this.#access.get(this.#cell);
  }

  /** See {@linkcode ValueCore}. */
  set(value: ValueTypes[T]): void {
    this.#access.set(this.#cell, this.#access.check(value));
  }

  /** See {@linkcode ValueCore}. */
  add(term: ValueTypes[T]): ValueTypes[T] {
    return this.#access.add(this.#cell, this.#access.checkTerm(term));
  }
}

registerCore<ValueCore>(KIND, LocalValueCore.open, {
  waiting: [],
  others: ["type", "get", "set", "add"],
});
