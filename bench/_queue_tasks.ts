/**
 * The tasks that the benchmarks of queues run in threads. Workers import this module, so nothing
 * else is in it.
 *
 * Beside each task with a queue there is the same task with a MessagePort.
 *
 * @module
 */

import { type Barrier, type Queue, task } from "@concurrent/futures";
import { OBJECT } from "./_object.mjs";

/** What kind of items go through a queue. */
export type Kind = "int" | "100 bytes" | "10 KB";

/** About 10 KB of JSON. */
const PAGE = { page: 1, rows: Array.from({ length: 100 }, (_, i) => ({ ...OBJECT, id: i })) };

/** Returns the item with the given number. */
export function itemOf(kind: Kind, number: number): unknown {
  switch (kind) {
    case "int":
      return number;
    case "100 bytes":
      return OBJECT;
    case "10 KB":
      return PAGE;
    default:
      return kind satisfies never;
  }
}

/** How many items a thread puts or gets, and how many by one call. */
export interface Load {
  readonly kind: Kind;
  readonly count: number;
  readonly batch: number;
}

/** Yields the batches of a load's items; the last may be smaller. */
export function* batchesOf({ kind, count, batch }: Load): Generator<unknown[]> {
  const full = Array.from({ length: batch }, (_, i) => itemOf(kind, i));
  for (let left = count; left > 0; left -= batch) yield left < batch ? full.slice(0, left) : full;
}

// Throughput

/**
 * Puts a load into a queue. Returns the milliseconds from when all threads have arrived at `start`.
 */
export const putAll = task(
  import.meta,
  function putAll(queue: Queue<unknown>, start: Barrier, load: Load): number {
    start.waitSync();
    const startMs = performance.now();
    if (load.batch > 1) { for (const items of batchesOf(load)) queue.putManySync(items); }
    else for (let i = 0; i < load.count; i++) queue.putSync(itemOf(load.kind, i));
    return performance.now() - startMs;
  },
);

/**
 * Gets a load from a queue. Returns the milliseconds from when all threads have arrived at `start`.
 */
export const getAll = task(
  import.meta,
  function getAll(queue: Queue<unknown>, start: Barrier, { count, batch }: Load): number {
    start.waitSync();
    const startMs = performance.now();
    let left = count;
    if (batch > 1) { while (left > 0) left -= queue.getManySync(Math.min(batch, left)).length; }
    else for (; left > 0; left--) queue.getSync();
    return performance.now() - startMs;
  },
);

/**
 * Posts a load to the ports in turn. Returns the milliseconds from when all threads have arrived at
 * `start`.
 */
export const postAll = task(
  import.meta,
  function postAll(start: Barrier, { kind, count }: Load, ...ports: MessagePort[]): number {
    start.waitSync();
    const startMs = performance.now();
    for (let i = 0; i < count; i++) ports[i % ports.length].postMessage(itemOf(kind, i));
    return performance.now() - startMs;
  },
);

/**
 * Receives a load from all ports. Returns the milliseconds from when all threads have arrived at
 * `start`.
 */
export const receiveAll = task(
  import.meta,
  function receiveAll(start: Barrier, { count }: Load, ...ports: MessagePort[]): Promise<number> {
    start.waitSync();
    const startMs = performance.now();
    return received(count, ports).then(() => performance.now() - startMs);
  },
);

/** Waits until `count` messages have come, and closes the ports. */
export function received(count: number, ports: readonly MessagePort[]): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    for (const port of ports) {
      port.onmessage = (): void => {
        if (--left > 0) return;
        for (const port of ports) port.close();
        resolve();
      };
    }
  });
}

// There and back

/** Sends back each item that it gets, `rounds` times, blocking. */
export const returnAll = task(
  import.meta,
  function returnAll(there: Queue<number>, back: Queue<number>, rounds: number): void {
    for (let i = 0; i < rounds; i++) back.putSync(there.getSync());
  },
);

/**
 * Sends an item and waits for its return, `rounds` times, blocking. Returns the microseconds per
 * round.
 */
export const serveSync = task(
  import.meta,
  function serveSync(there: Queue<number>, back: Queue<number>, rounds: number): number {
    const startMs = performance.now();
    for (let i = 0; i < rounds; i++) {
      there.putSync(i);
      back.getSync();
    }
    return (performance.now() - startMs) * 1000 / rounds;
  },
);

/** Does what {@linkcode serveSync} does, awaiting. */
export async function serve(
  there: Queue<number>,
  back: Queue<number>,
  rounds: number,
): Promise<number> {
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) {
    await there.put(i);
    await back.get();
  }
  return (performance.now() - startMs) * 1000 / rounds;
}

/** Posts back each message that comes, `rounds` times. */
export const postBack = task(
  import.meta,
  function postBack(port: MessagePort, rounds: number): Promise<void> {
    let left = rounds;
    return new Promise((resolve) => {
      port.onmessage = ({ data }): void => {
        port.postMessage(data);
        if (--left === 0) resolve();
      };
    });
  },
);

/** Posts a message and awaits its return, `rounds` times. Returns the microseconds per round. */
export const postAndAwait = task(
  import.meta,
  async function postAndAwait(port: MessagePort, rounds: number): Promise<number> {
    let returned: (value: unknown) => void;
    port.onmessage = ({ data }): void => returned(data);
    const startMs = performance.now();
    for (let i = 0; i < rounds; i++) {
      await new Promise((resolve) => {
        returned = resolve;
        port.postMessage(i);
      });
    }
    const elapsedMs = performance.now() - startMs;
    port.close();
    return elapsedMs * 1000 / rounds;
  },
);

// Going on

/** The shared words of a measurement, each in a cache line of its own. */
export const WORD = { READY: 0, ROOM: 16, DONE: 32 };
const WORDS = 48;

/** Makes the words, all 0. */
export function makeWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
}

/** Announces in a word that a round is reached. */
function reach(words: Int32Array, index: number, round: number): void {
  Atomics.store(words, index, round);
  Atomics.notify(words, index);
}

/** Sleeps until a word says that a round is reached. */
function waitUntil(words: Int32Array, index: number, round: number): void {
  // Ends when the word is that large. `wait` returns at once if it has changed since it was read.
  for (let seen = 0; (seen = Atomics.load(words, index)) < round;) Atomics.wait(words, index, seen);
}

/** Puts into a full queue, `rounds` times, blocking; without a queue, waits for a bare word. */
export const fillSync = task(
  import.meta,
  function fillSync(words: Int32Array, queue: Queue<number> | undefined, rounds: number): void {
    for (let round = 1; round <= rounds; round++) {
      reach(words, WORD.READY, round);
      if (queue === undefined) waitUntil(words, WORD.ROOM, round);
      else queue.putSync(round);
      Atomics.store(words, WORD.DONE, round);
    }
  },
);

/** Does what {@linkcode fillSync} does with a queue, awaiting. */
export async function fill(
  words: Int32Array,
  queue: Queue<number>,
  rounds: number,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const put = queue.put(round);
    reach(words, WORD.READY, round);
    await put;
    Atomics.store(words, WORD.DONE, round);
  }
}

/**
 * Gets from a full queue, `rounds` times, while another thread or task waits to put. Returns, for
 * each round, the microseconds until the put went on.
 */
export const drain = task(
  import.meta,
  function drain(words: Int32Array, queue: Queue<number> | undefined, rounds: number): number[] {
    const SETTLING_MS = 2;
    const times: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      waitUntil(words, WORD.READY, round);
      Atomics.wait(words, WORD.DONE, round - 1, SETTLING_MS); // The putter falls asleep.
      if (Atomics.load(words, WORD.DONE) === round) throw new Error("The queue was not full");
      const startMs = performance.now();
      if (queue === undefined) reach(words, WORD.ROOM, round);
      else queue.getSync();
      while (Atomics.load(words, WORD.DONE) < round);
      times.push((performance.now() - startMs) * 1000);
    }
    return times;
  },
);

// Waiting

/** Waits for an item, blocking. */
export const getOne = task(import.meta, function getOne(queue: Queue<number>): number {
  return queue.getSync();
});

/** Waits for a bare word, blocking. */
export const waitForRoom = task(import.meta, function waitForRoom(words: Int32Array): void {
  waitUntil(words, WORD.ROOM, 1);
});
