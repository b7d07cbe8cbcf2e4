/**
 * The tasks that the benchmarks of synchronization objects run in threads. Workers import this
 * module, so nothing else is in it.
 *
 * Beside each object there is what a program would write with `Atomics` alone.
 *
 * @module
 */

import {
  Barrier,
  type Condition,
  type Event,
  type Lock,
  type Semaphore,
  task,
} from "@concurrent/futures";

/** The shared words of a measurement, each in a cache line of its own. */
export const WORD = { SPIN: 0, COUNT: 16, STOP: 32, READY: 48, DONE: 64, ROUND: 80, GO: 96 };
const WORDS = 112;

/** Makes the words, all 0. */
export function makeWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
}

/** Sleeps until a word that only grows is at least `value`. */
export function waitUntil(words: Int32Array, index: number, value: number): void {
  // Ends when the word is that large. `wait` returns at once if it has changed since it was read.
  for (let seen = 0; (seen = Atomics.load(words, index)) < value;) Atomics.wait(words, index, seen);
}

/** Adds 1 to a word, and wakes the threads that wait for it. */
export function raise(words: Int32Array, index: number): void {
  Atomics.add(words, index, 1);
  Atomics.notify(words, index);
}

// Fighting for a lock

/** How often a thread held the lock, and in how many milliseconds. */
export interface Score {
  readonly pairs: number;
  readonly ms: number;
}

/** Counts up under a lock until the word STOP is set; without a lock, under a bare spin lock. */
export const fight = task(
  import.meta,
  function fight(words: Int32Array, start: Barrier, lock: Lock | undefined): Score {
    start.waitSync();
    const startMs = performance.now();
    const pairs = lock === undefined ? spin(words) : countUnder(words, lock);
    return { pairs, ms: performance.now() - startMs };
  },
);

function countUnder(words: Int32Array, lock: Lock): number {
  let pairs = 0;
  for (; Atomics.load(words, WORD.STOP) === 0; pairs++) {
    lock.acquireSync();
    words[WORD.COUNT]++;
    lock.release();
  }
  return pairs;
}

function spin(words: Int32Array): number {
  let pairs = 0;
  for (; Atomics.load(words, WORD.STOP) === 0; pairs++) {
    while (Atomics.compareExchange(words, WORD.SPIN, 0, 1) !== 0);
    words[WORD.COUNT]++;
    Atomics.store(words, WORD.SPIN, 0);
  }
  return pairs;
}

// Passing a turn back and forth

/** The objects with which two players, 0 and 1, pass the turn. */
export type Court =
  | { readonly kind: "bare"; readonly words: Int32Array }
  | { readonly kind: "event"; readonly turns: readonly Event[] }
  | { readonly kind: "semaphore"; readonly turns: readonly Semaphore[] }
  | { readonly kind: "condition"; readonly condition: Condition; readonly turn: Int32Array };

function pass(court: Court, to: number): void {
  switch (court.kind) {
    case "bare":
      Atomics.store(court.words, to, 1);
      Atomics.notify(court.words, to);
      return;
    case "event":
      return court.turns[to].set();
    case "semaphore":
      return court.turns[to].release();
    case "condition": {
      using _ = court.condition.holdSync();
      court.turn[0] = to;
      court.condition.notify();
      return;
    }
    default:
      court satisfies never;
  }
}

function receiveSync(court: Court, me: number): void {
  switch (court.kind) {
    case "bare":
      // Ends when the other player has passed the turn. If that happens between `exchange` and
      // `wait`, `wait` returns at once.
      while (Atomics.exchange(court.words, me, 0) === 0) Atomics.wait(court.words, me, 0);
      return;
    case "event":
      court.turns[me].waitSync();
      return court.turns[me].clear();
    case "semaphore":
      court.turns[me].acquireSync();
      return;
    case "condition": {
      using _ = court.condition.holdSync();
      court.condition.waitForSync(() => court.turn[0] === me);
      return;
    }
    default:
      court satisfies never;
  }
}

async function receive(court: Court, me: number): Promise<void> {
  switch (court.kind) {
    case "bare":
      while (Atomics.exchange(court.words, me, 0) === 0) {
        await Atomics.waitAsync(court.words, me, 0).value;
      }
      return;
    case "event":
      await court.turns[me].wait();
      return court.turns[me].clear();
    case "semaphore":
      await court.turns[me].acquire();
      return;
    case "condition": {
      using _ = await court.condition.hold();
      await court.condition.waitFor(() => court.turn[0] === me);
      return;
    }
    default:
      court satisfies never;
  }
}

/**
 * Passes the turn and waits for its return, `rounds` times, blocking. Returns the microseconds per
 * round.
 */
export const serveSync = task(
  import.meta,
  function serveSync(court: Court, rounds: number): number {
    pass(court, 1);
    receiveSync(court, 0); // The other player has started now.
    const startMs = performance.now();
    for (let i = 0; i < rounds; i++) {
      pass(court, 1);
      receiveSync(court, 0);
    }
    return (performance.now() - startMs) * 1000 / rounds;
  },
);

/** Does what {@linkcode serveSync} does, but awaits the return. */
export async function serve(court: Court, rounds: number): Promise<number> {
  pass(court, 1);
  await receive(court, 0);
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) {
    pass(court, 1);
    await receive(court, 0);
  }
  return (performance.now() - startMs) * 1000 / rounds;
}

/** The other player: passes each turn back to {@linkcode serve} or {@linkcode serveSync}. */
export const returnAll = task(import.meta, function returnAll(court: Court, rounds: number): void {
  for (let i = 0; i <= rounds; i++) {
    receiveSync(court, 1);
    pass(court, 0);
  }
});

// Meeting

/** How often a bare barrier looks before it sleeps; takes about 2 microseconds. */
const SPINS = 2_000;

/**
 * Meets another thread `rounds` times; without a barrier, at a bare one of two words. Returns the
 * microseconds per round.
 */
export const meet = task(
  import.meta,
  function meet(words: Int32Array, barrier: Barrier | undefined, rounds: number): number {
    const PARTIES = 2;
    let sense = 0;
    const wait = barrier instanceof Barrier
      ? () => void barrier.waitSync()
      : () => meetBare(words, PARTIES, sense = 1 - sense);
    wait();
    const startMs = performance.now();
    for (let i = 1; i < rounds; i++) wait();
    return (performance.now() - startMs) * 1000 / (rounds - 1);
  },
);

/**
 * Waits at a barrier whose sense changes with each round: the last thread to arrive changes it, the
 * others look for a moment and then sleep.
 */
function meetBare(words: Int32Array, parties: number, sense: number): void {
  if (Atomics.add(words, WORD.COUNT, 1) === parties - 1) {
    Atomics.store(words, WORD.COUNT, 0);
    Atomics.store(words, WORD.GO, sense);
    Atomics.notify(words, WORD.GO);
    return;
  }
  for (let i = 0; i < SPINS; i++) if (Atomics.load(words, WORD.GO) === sense) return;
  while (Atomics.load(words, WORD.GO) !== sense) Atomics.wait(words, WORD.GO, 1 - sense);
}

// Many threads that wait for one

/** The object that wakes all waiters; `undefined` stands for a bare word. */
export type Call = Event | Condition | undefined;

/**
 * Waits to be called, `rounds` times. It adds to READY when it is about to wait, and to DONE when
 * it has been woken; it begins the next round when ROUND says so.
 */
export const answer = task(
  import.meta,
  function answer(words: Int32Array, call: Call, rounds: number): void {
    for (let round = 1; round <= rounds; round++) {
      waitForCall(words, call, round);
      raise(words, WORD.DONE);
      waitUntil(words, WORD.ROUND, round);
    }
  },
);

function waitForCall(words: Int32Array, call: Call, round: number): void {
  if (call === undefined) {
    raise(words, WORD.READY);
    waitUntil(words, WORD.GO, round);
  } else if ("set" in call) {
    raise(words, WORD.READY);
    call.waitSync();
  } else {
    using _ = call.holdSync();
    raise(words, WORD.READY);
    call.waitSync();
  }
}

// Sending

/** Takes an argument, and does nothing with it. */
export const take = task(import.meta, function take(_value: unknown): void {});
