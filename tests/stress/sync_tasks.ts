/** The tasks of the stress tests of locks and their kin. */

import {
  type Barrier,
  type Condition,
  type Event,
  type Lock,
  OwnerDiedError,
  RLock,
  type Semaphore,
  task,
} from "../../mod.ts";
import { randomNumbers } from "./random.ts";

/** An object that one thread or task can enter at a time: a lock, or a semaphore of one permit. */
export type Exclusive = Lock | RLock | Semaphore;

/**
 * Adds one to the counter the given number of times, each time inside, in blocking form. The
 * counter itself is not protected.
 */
export const count = task(
  import.meta,
  function count(door: Exclusive, counter: Int32Array, times: number): void {
    for (let i = 0; i < times; i++) {
      door.acquireSync();
      counter[0]++;
      door.release();
    }
  },
);

/** Like {@linkcode count}, but enters a reentrant lock twice each time. */
export const countTwiceInside = task(
  import.meta,
  function countTwiceInside(lock: RLock, counter: Int32Array, times: number): void {
    for (let i = 0; i < times; i++) {
      lock.acquireSync();
      lock.acquireSync();
      counter[0]++;
      lock.release();
      lock.release();
    }
  },
);

/** Like {@linkcode count}, but by several async tasks. */
export const countAsync = task(
  import.meta,
  async function countAsync(
    door: Exclusive,
    counter: Int32Array,
    times: number,
    tasks: number,
  ): Promise<void> {
    const run = async (): Promise<void> => {
      for (let i = 0; i < times; i++) {
        await door.acquire();
        counter[0]++;
        door.release();
      }
    };
    await Promise.all(Array.from({ length: tasks }, run));
  },
);

/**
 * Like {@linkcode countAsync}, but by `run`, with a function that awaits between its read and its
 * write.
 */
export const countInterrupted = task(
  import.meta,
  async function countInterrupted(
    door: Exclusive,
    counter: Int32Array,
    times: number,
    tasks: number,
  ): Promise<void> {
    const run = async (): Promise<void> => {
      for (let i = 0; i < times; i++) {
        await door.run(async () => {
          const seen = counter[0];
          await Promise.resolve();
          if (door instanceof RLock) await door.run(() => {});
          counter[0] = seen + 1;
        });
      }
    };
    await Promise.all(Array.from({ length: tasks }, run));
  },
);

/**
 * Tries to enter the given number of times, in blocking form with random options; returns how often
 * it succeeded.
 */
export const tryRandomly = task(
  import.meta,
  function tryRandomly(
    door: Exclusive,
    counter: Int32Array,
    times: number,
    seed: number,
  ): number {
    const random = randomNumbers(seed);
    let entered = 0;
    for (let i = 0; i < times; i++) {
      const kind = random();
      const options = kind < 0.2
        ? { blocking: false }
        : kind < 0.8
        ? { timeout: 0.3 * random() }
        : undefined;
      if (!door.acquireSync(options)) continue;
      counter[0]++;
      entered++;
      if (random() < 0.05) linger(0.5 * random());
      door.release();
    }
    return entered;
  },
);

/** Like {@linkcode tryRandomly}, but by several async tasks, some of whose signals abort. */
export const tryRandomlyAsync = task(
  import.meta,
  async function tryRandomlyAsync(
    door: Exclusive,
    counter: Int32Array,
    times: number,
    seed: number,
    tasks: number,
  ): Promise<number> {
    let entered = 0;
    const run = async (_: unknown, index: number): Promise<void> => {
      const random = randomNumbers(seed + index);
      for (let i = 0; i < times; i++) {
        if (!await enterRandomly(door, random)) continue;
        counter[0]++;
        entered++;
        if (random() < 0.05) await Promise.resolve();
        if (random() < 0.02) linger(0.5 * random());
        door.release();
      }
    };
    await Promise.all(Array.from({ length: tasks }, run));
    return entered;
  },
);

async function enterRandomly(door: Exclusive, random: () => number): Promise<boolean> {
  const kind = random();
  if (kind < 0.2) return await door.acquire({ blocking: false });
  if (kind < 0.5) return await door.acquire({ timeout: 2 * random() });
  if (kind < 0.7) return await door.acquire();
  const controller = new AbortController();
  const timer = kind < 0.9 ? setTimeout(() => controller.abort(), 2 * random()) : undefined;
  if (timer === undefined) queueMicrotask(() => controller.abort());
  try {
    return await door.acquire({ signal: controller.signal, timeout: 5 });
  } catch (error) {
    if (error !== controller.signal.reason) throw error;
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function linger(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

// Conditions

/**
 * Waits for its turn and passes it on, the given number of times. Word 0 has whose turn it is, word
 * 1 counts.
 */
export const takeTurns = task(
  import.meta,
  function takeTurns(
    condition: Condition,
    words: Int32Array,
    [me, players]: [number, number],
    times: number,
  ): void {
    for (let i = 0; i < times; i++) {
      using _ = condition.holdSync();
      condition.waitForSync(() => words[0] === me);
      words[0] = (me + 1) % players;
      words[1]++;
      condition.notifyAll();
    }
  },
);

/** Like {@linkcode takeTurns}, but asynchronous. */
export const takeTurnsAsync = task(
  import.meta,
  async function takeTurnsAsync(
    condition: Condition,
    words: Int32Array,
    [me, players]: [number, number],
    times: number,
  ): Promise<void> {
    for (let i = 0; i < times; i++) {
      using _ = await condition.hold();
      await condition.waitFor(() => words[0] === me);
      words[0] = (me + 1) % players;
      words[1]++;
      condition.notifyAll();
    }
  },
);

/** A ring of numbers with a condition for each of its ends, both with one lock. */
export interface Buffer {
  readonly notFull: Condition;
  readonly notEmpty: Condition;
  /**
   * The number of the next item to be put, the number of the next to be taken, and then the slots.
   */
  readonly words: Int32Array;
}

const PUT = 0;
const TAKEN = 1;
const SLOTS = 2;

/** Puts numbers, beginning with `first`. */
export const produce = task(
  import.meta,
  function produce({ notFull, notEmpty, words }: Buffer, first: number, times: number): void {
    const capacity = words.length - SLOTS;
    for (let i = 0; i < times; i++) {
      using _ = notFull.holdSync();
      notFull.waitForSync(() => words[PUT] - words[TAKEN] < capacity);
      words[SLOTS + words[PUT]++ % capacity] = first + i;
      notEmpty.notify();
    }
  },
);

/** Takes numbers, and counts for each how often it came. */
export const consume = task(
  import.meta,
  function consume({ notFull, notEmpty, words }: Buffer, seen: Int32Array, times: number): void {
    const capacity = words.length - SLOTS;
    for (let i = 0; i < times; i++) {
      using _ = notEmpty.holdSync();
      notEmpty.waitForSync(() => words[PUT] > words[TAKEN]);
      Atomics.add(seen, words[SLOTS + words[TAKEN]++ % capacity], 1);
      notFull.notify();
    }
  },
);

/** Like {@linkcode consume}, but asynchronous. */
export const consumeAsync = task(
  import.meta,
  async function consumeAsync(
    { notFull, notEmpty, words }: Buffer,
    seen: Int32Array,
    times: number,
  ): Promise<void> {
    const capacity = words.length - SLOTS;
    for (let i = 0; i < times; i++) {
      using _ = await notEmpty.hold();
      await notEmpty.waitFor(() => words[PUT] > words[TAKEN]);
      Atomics.add(seen, words[SLOTS + words[TAKEN]++ % capacity], 1);
      notFull.notify();
    }
  },
);

/**
 * Waits for a condition with random timeouts, at least the given number of times and until it was
 * notified once; returns how often it was notified.
 */
export const waitRandomly = task(
  import.meta,
  function waitRandomly(condition: Condition, times: number, seed: number): number {
    const random = randomNumbers(seed);
    let notified = 0;
    for (let i = 0; i < times || notified === 0; i++) {
      using _ = condition.holdSync();
      if (condition.waitSync({ timeout: random() })) notified++;
    }
    return notified;
  },
);

// Barriers and events

/**
 * Meets the other parties once per round; before that it adds its own number to the round's sum,
 * and afterwards it checks the sum. Returns how many sums were wrong.
 */
export const addInRounds = task(
  import.meta,
  function addInRounds(barrier: Barrier, sums: Int32Array, me: number, rounds: number): number {
    let wrong = 0;
    for (let round = 0; round < rounds; round++) {
      Atomics.add(sums, round, me);
      barrier.waitSync();
      if (sums[round] !== sumOfParties(barrier.parties)) wrong++;
    }
    return wrong;
  },
);

/** Like {@linkcode addInRounds}, but asynchronous. */
export const addInRoundsAsync = task(
  import.meta,
  async function addInRoundsAsync(
    barrier: Barrier,
    sums: Int32Array,
    me: number,
    rounds: number,
  ): Promise<number> {
    let wrong = 0;
    for (let round = 0; round < rounds; round++) {
      Atomics.add(sums, round, me);
      await barrier.wait();
      if (sums[round] !== sumOfParties(barrier.parties)) wrong++;
    }
    return wrong;
  },
);

/** The sum of a round to which the parties add 1, 2 and so on. */
export function sumOfParties(parties: number): number {
  return parties * (parties + 1) / 2;
}

/** Waits for one event, clears it, and sets the other, the given number of times. */
export const answer = task(
  import.meta,
  function answer(mine: Event, others: Event, counter: Int32Array, times: number): void {
    for (let i = 0; i < times; i++) {
      mine.waitSync();
      mine.clear();
      counter[0]++;
      others.set();
    }
  },
);

/** Like {@linkcode answer}, but asynchronous. */
export const answerAsync = task(
  import.meta,
  async function answerAsync(
    mine: Event,
    others: Event,
    counter: Int32Array,
    times: number,
  ): Promise<void> {
    for (let i = 0; i < times; i++) {
      await mine.wait();
      mine.clear();
      counter[0]++;
      others.set();
    }
  },
);

/** Waits for each event in turn, and counts this in the event's counter. */
export const followAll = task(
  import.meta,
  function followAll(events: Event[], counters: Int32Array): void {
    events.forEach((event, i) => {
      event.waitSync();
      Atomics.add(counters, i, 1);
      Atomics.notify(counters, i);
    });
  },
);

// Lives of threads

/** Acquires a lock in both forms, and leaves a wait for another lock behind. */
export const visit = task(
  import.meta,
  async function visit(lock: Lock, counter: Int32Array, other: Lock): Promise<void> {
    lock.acquireSync();
    counter[0]++;
    lock.release();
    await lock.acquire();
    counter[0]++;
    lock.release();
    other.acquire().catch(() => {});
  },
);

/** Like {@linkcode visit}, by another name. */
export const visitToo = task(
  import.meta,
  function visitToo(lock: Lock, counter: Int32Array, other: Lock): Promise<void> {
    return visit(lock, counter, other);
  },
);

/** Enters the given number of times, and then dies inside. */
export const countAndDie = task(
  import.meta,
  function countAndDie(lock: Lock, counter: Int32Array, times: number): void {
    count(lock, counter, times);
    lock.acquireSync();
    counter[0]++;
    (globalThis as unknown as { close(): void }).close();
  },
);

/**
 * Enters the given number of times, in blocking form, and takes the lock over from threads that die
 * inside. Returns how often it did so.
 */
export const countAndRecover = task(
  import.meta,
  function countAndRecover(lock: Lock, counter: Int32Array, times: number): number {
    let recovered = 0;
    for (let i = 0; i < times;) {
      try {
        lock.acquireSync();
      } catch (error) {
        if (!OwnerDiedError.is(error)) throw error;
        if (!lock.recover()) continue;
        recovered++;
      }
      counter[0]++;
      i++;
      lock.release();
    }
    return recovered;
  },
);
