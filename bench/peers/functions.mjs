/**
 * What all contestants have workers do. Each function stands for itself, as some contestants send its source.
 *
 * Files that end in `.mjs` run on Deno and on Node as they are.
 */

/** Adds two numbers. */
export function add(a, b) {
  return a + b;
}

/** Returns its argument. */
export function echo(value) {
  return value;
}

/** The length of an array. */
export function lengthOf(array) {
  return array.length;
}

/** Computes for so many milliseconds; says how many they were. */
export function compute(ms) {
  const startMs = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < ms) elapsedMs = performance.now() - startMs;
  return elapsedMs;
}

/** Adds one. */
export function increment(x) {
  return x + 1;
}

/** Adds one to each. */
export function incrementAll(numbers) {
  return numbers.map((x) => x + 1);
}

/** The greatest common divisor, found the slow way. */
export function gcd([a, b]) {
  for (let d = Math.min(a, b); d > 0; d--) {
    if (a % d === 0 && b % d === 0) return d;
  }
  return 1;
}

/** Takes a lock of one bare word and gives it back, so often: free, held, or held with a waiter. Milliseconds. */
export function lockAndRelease(words, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) {
    if (Atomics.compareExchange(words, 0, 0, 1) !== 0) {
      while (Atomics.exchange(words, 0, 2) !== 0) Atomics.wait(words, 0, 2);
    }
    if (Atomics.exchange(words, 0, 0) === 2) Atomics.notify(words, 0, 1);
  }
  return performance.now() - startMs;
}

/** Puts so many numbers into a bare ring of one producer and one consumer: words put, words got, and then the items. */
export function putAll(ring, count) {
  const size = ring.length - 2;
  for (let put = 0; put < count; put++) {
    for (let got; put - (got = Atomics.load(ring, 1)) === size;) {
      Atomics.wait(ring, 1, got);
    }
    ring[2 + put % size] = put;
    Atomics.store(ring, 0, put + 1);
    Atomics.notify(ring, 0, 1);
  }
}

/** Gets so many numbers from such a ring. Milliseconds. */
export function getAll(ring, count) {
  const size = ring.length - 2;
  const startMs = performance.now();
  for (let got = 0; got < count; got++) {
    while (Atomics.load(ring, 0) === got) Atomics.wait(ring, 0, got);
    if (ring[2 + got % size] !== got) {
      throw new Error("Cannot measure: an item is lost");
    }
    Atomics.store(ring, 1, got + 1);
    Atomics.notify(ring, 1, 1);
  }
  return performance.now() - startMs;
}
