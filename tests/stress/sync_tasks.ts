/** Tasks of the stress tests of locks and their kin. */

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

/** What is entered by one at a time: a lock, or a semaphore of one permit. */
export type Exclusive = Lock | RLock | Semaphore;

/** Counts up so often, each time alone; blocking. The counter itself is not protected. */
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

/** The same, entering a reentrant lock twice each time. */
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

/** The same by so many async tasks, which await. */
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

/** The same by `run`: what it runs is interrupted in the middle. */
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

/** Tries so often to enter, in random ways of waiting, blocking; returns how often it did. */
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

/** The same by so many async tasks, which await, and some of whose signals abort. */
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

/** Waits for its turn and passes it on, so often. Word 0 says whose turn it is, word 1 counts. */
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

/** The same, as promises. */
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

/** A ring of numbers with a condition for each of its ends, over one lock. */
export interface Buffer {
  readonly notFull: Condition;
  readonly notEmpty: Condition;
  /** Number of the next item to be put, number of the next to be taken, then the slots. */
  readonly words: Int32Array;
}

const PUT = 0;
const TAKEN = 1;
const SLOTS = 2;

/** Puts the numbers from `first` on. */
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

/** Takes so many numbers, and counts for each how often it came. */
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

/** The same, as promises. */
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

/** Waits so often on a condition with a random timeout, and until it was notified; returns how often it was. */
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
 * Meets the others so often; before each round adds a number of its own to the round's sum, and after it looks at what all have
 * made of it. Returns how many sums were wrong.
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

/** The same, as promises. */
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

/** What all parties, 1 and up, add to a round. */
export function sumOfParties(parties: number): number {
  return parties * (parties + 1) / 2;
}

/** Waits for one event, clears it, and sets the other, so often. */
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

/** The same, as promises. */
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

/** Waits for each event in turn, and tells so in its counter. */
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

/** Waits for a lock in both forms, and leaves a wait behind that nobody looks at. */
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

/** The same, by another name. */
export const visitToo = task(
  import.meta,
  function visitToo(lock: Lock, counter: Int32Array, other: Lock): Promise<void> {
    return visit(lock, counter, other);
  },
);

/** Enters so often, and in the end dies while it is inside. */
export const countAndDie = task(
  import.meta,
  function countAndDie(lock: Lock, counter: Int32Array, times: number): void {
    count(lock, counter, times);
    lock.acquireSync();
    counter[0]++;
    (globalThis as unknown as { close(): void }).close();
  },
);

/** Enters so often, blocking; takes the lock over from those who die inside. Returns how often it did so. */
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
