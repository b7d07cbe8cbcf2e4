/**
 * The only caller of `Atomics` in the package: code that must see or order every shared access
 * hooks in here. All operations are sequentially consistent, as `Atomics` are.
 *
 * @module
 */

/** Reads a shared word. */
export function load(words: Int32Array, index: number): number {
  return Atomics.load(words, index);
}

/**
 * Writes a shared word; publishes every plain write made before it to each thread that loads this
 * value.
 */
export function store(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}

/** Adds to a shared word and returns what it held before. */
export function add(words: Int32Array, index: number, value: number): number {
  return Atomics.add(words, index, value);
}

/** Replaces a shared word and returns what it held before. */
export function exchange(words: Int32Array, index: number, value: number): number {
  return Atomics.exchange(words, index, value);
}

/** Replaces a shared word if it holds `expected`; true when it did. */
export function replace(
  words: Int32Array,
  index: number,
  expected: number,
  value: number,
): boolean {
  return Atomics.compareExchange(words, index, expected, value) === expected;
}

/** Reads a shared word of 64 bits. */
export function load64(words: BigInt64Array, index: number): bigint {
  return Atomics.load(words, index);
}

/** Writes a shared word of 64 bits. */
export function store64(words: BigInt64Array, index: number, value: bigint): void {
  Atomics.store(words, index, value);
}

/** Adds to a shared word of 64 bits and returns what it held before. */
export function add64(words: BigInt64Array, index: number, value: bigint): bigint {
  return Atomics.add(words, index, value);
}

/** Replaces a shared word of 64 bits if it holds `expected`; true when it did. */
export function replace64(
  words: BigInt64Array,
  index: number,
  expected: bigint,
  value: bigint,
): boolean {
  return Atomics.compareExchange(words, index, expected, value) === expected;
}

/**
 * Wakes up to `count` waiters of a shared word, in the order in which they came; returns how many.
 */
export function notify(words: Int32Array, index: number, count?: number): number {
  return Atomics.notify(words, index, count);
}

/** Blocks this thread while the word holds `expected`, for at most `timeout` milliseconds. */
export function wait(
  words: Int32Array,
  index: number,
  expected: number,
  timeout: number,
): "ok" | "not-equal" | "timed-out" {
  return Atomics.wait(words, index, expected, timeout);
}

/**
 * The result of {@linkcode waitAsync}: a promise if the caller has to wait; otherwise why it need
 * not.
 */
export type AsyncWait =
  | { async: true; value: Promise<"ok" | "timed-out"> }
  | { async: false; value: "not-equal" | "timed-out" };

/**
 * Waits without blocking while the word holds `expected`. The pending promise does not hold the
 * event loop open.
 *
 * Without a timeout: the engine keeps what belongs to one until it has passed, though the waiter was
 * notified long before.
 */
export function waitAsync(
  words: Int32Array,
  index: number,
  expected: number,
): AsyncWait {
  return Atomics.waitAsync(words, index, expected);
}

/** Whether {@linkcode waitAsync} works here. */
export const canWaitAsync: boolean = typeof Atomics.waitAsync === "function";

const pauseHint = (Atomics as { pause?: () => void }).pause ?? ((): void => {});

/** Tells the processor that this is a spin loop, where the runtime can. */
export function pause(): void {
  pauseHint();
}
