/**
 * A class of threads: each object has its own numbers to work on, and the method `run` works on
 * them.
 *
 *   deno run -A examples/my_thread.ts
 *
 * `start` sends the object's fields to a new thread, where `run` is called on an object of the same
 * class. That is another object, so it writes what this thread must see to shared memory.
 *
 * It prints, for instance:
 *
 *   counter 1: 9592 primes from 0 on
 *   counter 2: 8392 primes from 100000 on
 *   counter 3: 8013 primes from 200000 on
 *   25997 primes below 300000
 *
 * @module
 */

import { Thread } from "@concurrent/futures";

const THREADS = 3;
const LIMIT = 300_000;
const SHARE = LIMIT / THREADS;

/**
 * Counts the primes in its share of the numbers. The class is exported, so that the thread finds
 * it.
 */
export class PrimeCounter extends Thread {
  readonly number: number;
  readonly counts: Int32Array;

  constructor(number: number, counts: Int32Array) {
    super({ module: import.meta, name: `counter ${number + 1}` });
    this.number = number;
    this.counts = counts;
  }

  override run(): void {
    const start = this.number * SHARE;
    let count = 0;
    for (let n = start; n < start + SHARE; n++) if (isPrime(n)) count++;
    this.counts[this.number] = count;
    console.log(`${this.name}: ${count} primes from ${start} on`);
  }
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const counts = new Int32Array(new SharedArrayBuffer(THREADS * Int32Array.BYTES_PER_ELEMENT));
  const counters = Array.from({ length: THREADS }, (_, i) => new PrimeCounter(i, counts));
  for (const counter of counters) counter.start();
  for (const counter of counters) await counter.join();
  console.log(`${counts.reduce((sum, count) => sum + count)} primes below ${LIMIT}`);
}
