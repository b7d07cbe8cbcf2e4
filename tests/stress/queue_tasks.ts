/** The tasks of the stress tests of queues. */

import {
  Empty,
  Full,
  PriorityQueue,
  type Queue,
  ShutDown,
  type SimpleQueue,
  task,
} from "../../mod.ts";
import { randomNumbers } from "./random.ts";

/**
 * The most items of one producer: an item is a number of 31 bits, whose upper ones name the
 * producer.
 */
const SEQUENCE = 1 << 26;

/** The most items of one call. */
const MOST_AT_ONCE = 200;

/**
 * The most items of one call where their order within the call is checked: more may be taken in
 * several turns.
 */
const MOST_IN_ORDER = 100;

/** Aborts and timeouts come within this many milliseconds. */
const IMPATIENCE_MS = 0.5;

/** How many priorities there are of items that are sorted by a function. */
export const PRIORITIES = 16;

/** Words of a ledger. */
export const LEDGER = { DISORDERED: 0, FOREIGN: 1, REPORTED: 2, GAVE_UP: 3, SIZE: 4 } as const;

/** What was seen of the items, in shared memory. */
export interface Ledger {
  /** How many items each producer has. */
  readonly each: number;
  /** For each item of each producer, how often it was taken. */
  readonly seen: Uint8Array;
  readonly words: Int32Array;
}

/** The order that a consumer checks. */
export type Order =
  /** None: each item is the right one at its moment, but others come in between. */
  | "any"
  /** Items of one producer are in their order. */
  | "first in, first out"
  /** Among the items that one call returns, those of one producer are in reverse order. */
  | "last in, first out"
  /** The items that one call returns come smallest first. */
  | "smallest first"
  /** All items that a consumer takes come smallest first, as nobody puts any more. */
  | "smallest first of all";

/** The key of an item where a function sorts. */
export function priorityOf(item: number): number {
  return item % PRIORITIES;
}

/** The item of a producer with the given number. */
function itemOf(producer: number, number: number): number {
  return producer * SEQUENCE + number;
}

/** Marks items as seen, and checks their order. */
class Receiver {
  readonly #ledger: Ledger;
  readonly #order: Order;
  readonly #isSorted: boolean;
  /** The last number of each producer; where a function sorts, of each producer and priority. */
  #last = new Map<number, number>();
  #lastKey = -1;

  constructor(ledger: Ledger, order: Order, isSorted: boolean) {
    this.#ledger = ledger;
    this.#order = order;
    this.#isSorted = isSorted;
  }

  take(items: readonly number[]): void {
    if (this.#order === "last in, first out" || this.#order === "smallest first") this.#reset();
    for (const item of items) this.#takeOne(item);
  }

  #reset(): void {
    this.#last.clear();
    this.#lastKey = -1;
  }

  #takeOne(item: number): void {
    const { each, seen, words } = this.#ledger;
    const producer = Math.floor(item / SEQUENCE);
    const number = item % SEQUENCE;
    const index = producer * each + number;
    if (!(number < each && index < seen.length)) {
      Atomics.add(words, LEDGER.FOREIGN, 1);
      return;
    }
    Atomics.add(seen, index, 1);
    if (!this.#isInOrder(item, producer, number)) Atomics.add(words, LEDGER.DISORDERED, 1);
  }

  #isInOrder(item: number, producer: number, number: number): boolean {
    if (this.#order === "any") return true;
    if (this.#order === "first in, first out") return this.#follows(producer, number, 1);
    if (this.#order === "last in, first out") return this.#follows(producer, number, -1);
    const key = this.#isSorted ? priorityOf(item) : item;
    const isSorted = key >= this.#lastKey;
    this.#lastKey = key;
    return isSorted && this.#follows(producer * PRIORITIES + priorityOf(item), number, 1);
  }

  /** Whether the number comes after the last one of its line; the direction is 1 or -1. */
  #follows(line: number, number: number, direction: number): boolean {
    const last = this.#last.get(line);
    this.#last.set(line, number);
    return last === undefined || (number - last) * direction > 0;
  }
}

/** How a thread calls a queue. */
export type Patience = "endless" | "random";

interface Options {
  readonly block?: boolean;
  readonly timeout?: number;
}

/** Random options of waiting. */
function someOptions(patience: Patience, random: () => number): Options | undefined {
  if (patience === "endless") return undefined;
  const kind = random();
  if (kind < 0.2) return { block: false };
  if (kind < 0.3) return { timeout: 0 };
  return kind < 0.8 ? { timeout: IMPATIENCE_MS * random() } : undefined;
}

/** How many items to put or get by one call: half of the calls are for single items. */
function someCount(random: () => number, order: Order = "any"): number {
  const most = order === "last in, first out" || order === "smallest first"
    ? MOST_IN_ORDER
    : MOST_AT_ONCE;
  return random() < 0.5 ? 1 : 1 + Math.floor(random() * most);
}

/** How many items a call has put that ended with this error. */
function countOf(error: unknown, ledger: Ledger): number {
  if (Full.is(error)) Atomics.add(ledger.words, LEDGER.GAVE_UP, 1);
  if (Full.is(error) || ShutDown.is(error)) return error.count;
  throw error;
}

/** Whether a get failed because there was no item at the moment. */
function isEmpty(error: unknown, ledger: Ledger): boolean {
  if (ShutDown.is(error)) return false;
  if (!Empty.is(error)) throw error;
  Atomics.add(ledger.words, LEDGER.GAVE_UP, 1);
  return true;
}

function useOrder(queue: Queue<number>): boolean {
  const isSorted = queue instanceof PriorityQueue &&
    (queue.handle.data as { isSorted: boolean }).isSorted;
  if (isSorted) queue.priority = priorityOf;
  return isSorted;
}

/**
 * Puts the items of a producer, in their order, in blocking form; returns how many it could put.
 */
export const produce = task(
  import.meta,
  function produce(
    queue: Queue<number>,
    ledger: Ledger,
    producer: number,
    patience: Patience,
  ): number {
    useOrder(queue);
    const random = randomNumbers(producer + 1);
    let put = 0;
    while (put < ledger.each) {
      const count = Math.min(someCount(random), ledger.each - put);
      const options = someOptions(patience, random);
      try {
        if (count === 1) queue.putSync(itemOf(producer, put), options);
        else {
          const items = Array.from({ length: count }, (_, i) => itemOf(producer, put + i));
          queue.putManySync(items, options);
        }
        put += count;
      } catch (error) {
        put += countOf(error, ledger);
        if (ShutDown.is(error)) break;
      }
    }
    return put;
  },
);

/** Like {@linkcode produce}, but asynchronous; some of the waits are aborted. */
export const produceAsync = task(
  import.meta,
  async function produceAsync(
    queue: Queue<number>,
    ledger: Ledger,
    producer: number,
    patience: Patience,
  ): Promise<number> {
    useOrder(queue);
    const random = randomNumbers(producer + 1);
    let put = 0;
    while (put < ledger.each) {
      const count = Math.min(someCount(random), ledger.each - put);
      const options = someOptions(patience, random);
      try {
        if (count === 1) {
          const isDone = await abortable(
            random,
            ledger,
            (signal) => queue.put(itemOf(producer, put), { ...options, signal }).then(() => true),
          );
          if (!isDone) continue;
        } else {
          const items = Array.from({ length: count }, (_, i) => itemOf(producer, put + i));
          await queue.putMany(items, options);
        }
        put += count;
      } catch (error) {
        put += countOf(error, ledger);
        if (ShutDown.is(error)) break;
      }
    }
    return put;
  },
);

/** Calls, and sometimes aborts the call; returns `undefined` if it was aborted. */
async function abortable<R>(
  random: () => number,
  ledger: Ledger,
  call: (signal?: AbortSignal) => Promise<R>,
): Promise<R | undefined> {
  if (random() < 0.5) return await call();
  const controller = new AbortController();
  const reason = new Error("aborted");
  const abort = (): void => controller.abort(reason);
  const timer = setTimeout(abort, IMPATIENCE_MS * random());
  if (random() < 0.2) queueMicrotask(abort);
  try {
    return await call(controller.signal);
  } catch (error) {
    if (error !== reason) throw error;
    Atomics.add(ledger.words, LEDGER.GAVE_UP, 1);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Gets items in blocking form until the queue is shut down and empty; reports them done. */
export const consume = task(
  import.meta,
  function consume(
    queue: Queue<number>,
    ledger: Ledger,
    seed: number,
    order: Order,
    patience: Patience,
  ): void {
    const receiver = new Receiver(ledger, order, useOrder(queue));
    const random = randomNumbers(seed);
    for (;;) {
      const most = someCount(random, order);
      const options = someOptions(patience, random);
      let items: number[];
      try {
        items = most === 1 ? [queue.getSync(options)] : queue.getManySync(most, options);
      } catch (error) {
        if (isEmpty(error, ledger)) continue;
        return;
      }
      receiver.take(items);
      queue.taskDone(items.length);
    }
  },
);

/** Like {@linkcode consume}, but by several async tasks; some of the waits are aborted. */
export const consumeAsync = task(
  import.meta,
  async function consumeAsync(
    queue: Queue<number>,
    ledger: Ledger,
    seed: number,
    order: Order,
    patience: Patience,
    tasks: number,
  ): Promise<void> {
    const random = randomNumbers(seed);
    const isSorted = useOrder(queue);
    const run = async (): Promise<void> => {
      const receiver = new Receiver(ledger, order, isSorted);
      for (;;) {
        const most = someCount(random);
        const options = someOptions(patience, random);
        let items: number[] | undefined;
        try {
          items = await abortable(
            random,
            ledger,
            async (signal) =>
              most === 1
                ? [await queue.get({ ...options, signal })]
                : await queue.getMany(most, { ...options, signal }),
          );
        } catch (error) {
          if (isEmpty(error, ledger)) continue;
          return;
        }
        if (items === undefined) continue;
        receiver.take(items);
        queue.taskDone(items.length);
      }
    };
    await Promise.all(Array.from({ length: tasks }, run));
  },
);

// Queues without an end

/** Tells a consumer of a SimpleQueue to stop. */
export const STOP = -1;

/** Puts the items of a producer into a queue that never blocks. */
export const produceSimply = task(
  import.meta,
  function produceSimply(queue: SimpleQueue<number>, ledger: Ledger, producer: number): void {
    const random = randomNumbers(producer + 1);
    for (let put = 0; put < ledger.each;) {
      const count = Math.min(someCount(random), ledger.each - put);
      if (count === 1) queue.putSync(itemOf(producer, put));
      else queue.putManySync(Array.from({ length: count }, (_, i) => itemOf(producer, put + i)));
      put += count;
    }
  },
);

/** Gets items in blocking form until it gets {@linkcode STOP}. */
export const consumeSimply = task(
  import.meta,
  function consumeSimply(
    queue: SimpleQueue<number>,
    ledger: Ledger,
    seed: number,
    patience: Patience,
  ): void {
    const receiver = new Receiver(ledger, "first in, first out", false);
    const random = randomNumbers(seed);
    for (;;) {
      const most = someCount(random);
      const options = someOptions(patience, random);
      let items: number[];
      try {
        items = most === 1 ? [queue.getSync(options)] : queue.getManySync(most, options);
      } catch (error) {
        isEmpty(error, ledger);
        continue;
      }
      const stops = items.filter((item) => item === STOP).length;
      receiver.take(items.filter((item) => item !== STOP));
      if (stops === 0) continue;
      // Signals that were meant for other consumers go back into the queue.
      for (let i = 1; i < stops; i++) queue.putSync(STOP);
      return;
    }
  },
);

// Items of all sizes

/** Lengths of items: for each way of keeping them, and around the borders between these. */
const LENGTHS = [0, 1, 60, 1000, 4050, 4096, 4200, 20_000, 100_000];
/** One item in this many has the largest size. */
const LARGE_EVERY = 40;

/** An item that is more than a number. */
export interface Parcel {
  readonly item: number;
  readonly content: Uint8Array | string;
}

/** What is put in place of an item. */
export function parcelOf(item: number, largest: number): Parcel | number {
  const random = randomNumbers(item);
  random();
  if (random() < 0.3) return item;
  const length = random() < 1 / LARGE_EVERY
    ? largest
    : Math.min(largest, LENGTHS[Math.floor(random() * LENGTHS.length)]);
  const content = random() < 0.3
    ? String.fromCharCode(97 + item % 26).repeat(length)
    : new Uint8Array(length).fill(item % 251);
  return { item, content };
}

/** Whether a parcel is what {@linkcode parcelOf} has made. */
function isWhole(parcel: Parcel | number, largest: number): boolean {
  const item = typeof parcel === "number" ? parcel : parcel.item;
  const made = parcelOf(item, largest);
  if (typeof parcel === "number" || typeof made === "number") return parcel === made;
  const { content } = parcel;
  if (content.length !== made.content.length) return false;
  if (typeof content === "string") return content === made.content;
  return content instanceof Uint8Array && content.every((byte) => byte === item % 251);
}

/** The key by which a parcel is sorted. */
export function priorityOfParcel(parcel: Parcel | number): number {
  return priorityOf(typeof parcel === "number" ? parcel : parcel.item);
}

/** Puts a producer's items as parcels, in their order. */
export const produceParcels = task(
  import.meta,
  async function produceParcels(
    queue: Queue<Parcel | number>,
    ledger: Ledger,
    producer: number,
    largest: number,
  ): Promise<void> {
    if (queue instanceof PriorityQueue) queue.priority = priorityOfParcel;
    const random = randomNumbers(producer + 1);
    for (let put = 0; put < ledger.each;) {
      const count = Math.min(1 + Math.floor(random() * 4), ledger.each - put);
      const parcels = Array.from(
        { length: count },
        (_, i) => parcelOf(itemOf(producer, put + i), largest),
      );
      const isAwaited = random() < 0.3;
      if (count > 1) isAwaited ? await queue.putMany(parcels) : queue.putManySync(parcels);
      else isAwaited ? await queue.put(parcels[0]) : queue.putSync(parcels[0]);
      put += count;
    }
  },
);

/** Gets parcels until the queue is shut down and empty. */
export const consumeParcels = task(
  import.meta,
  async function consumeParcels(
    queue: Queue<Parcel | number>,
    ledger: Ledger,
    seed: number,
    order: Order,
    largest: number,
  ): Promise<void> {
    if (queue instanceof PriorityQueue) queue.priority = priorityOfParcel;
    const receiver = new Receiver(ledger, order, queue instanceof PriorityQueue);
    const random = randomNumbers(seed);
    for (;;) {
      const most = 1 + Math.floor(random() * 4);
      const isAwaited = random() < 0.3;
      let parcels: (Parcel | number)[];
      try {
        if (most > 1) parcels = isAwaited ? await queue.getMany(most) : queue.getManySync(most);
        else parcels = [isAwaited ? await queue.get() : queue.getSync()];
      } catch (error) {
        if (ShutDown.is(error)) return;
        throw error;
      }
      for (const parcel of parcels) {
        if (!isWhole(parcel, largest)) Atomics.add(ledger.words, LEDGER.FOREIGN, 1);
      }
      receiver.take(parcels.map((parcel) => typeof parcel === "number" ? parcel : parcel.item));
      queue.taskDone(parcels.length);
    }
  },
);

// Consumers that die

/** How a consumer ends. */
export type Leaving = "return" | "close" | "exit";

/** Gets up to `most` items, reports all but the last `kept` ones done, and ends. */
export const consumeSome = task(
  import.meta,
  function consumeSome(
    queue: Queue<number>,
    ledger: Ledger,
    seed: number,
    most: number,
    kept: number,
    leaving: Leaving,
  ): void {
    const receiver = new Receiver(ledger, "first in, first out", false);
    const random = randomNumbers(seed);
    let taken = 0;
    while (taken < most) {
      const count = Math.min(someCount(random), most - taken);
      let items: number[];
      try {
        items = count === 1 ? [queue.getSync()] : queue.getManySync(count);
      } catch (error) {
        if (!ShutDown.is(error)) throw error;
        break;
      }
      receiver.take(items);
      taken += items.length;
    }
    const reported = Math.max(0, taken - kept);
    if (reported > 0) queue.taskDone(reported);
    Atomics.add(ledger.words, LEDGER.REPORTED, reported);
    if (leaving === "close") self.close();
    if (leaving === "exit") Deno.exit(3);
  },
);

/** Gets items one by one for as long as it lives, and reports each. */
export const consumeEndlessly = task(
  import.meta,
  function consumeEndlessly(queue: Queue<number>, ledger: Ledger): void {
    const receiver = new Receiver(ledger, "first in, first out", false);
    for (const item of queue) {
      receiver.take([item]);
      queue.taskDone();
    }
  },
);

/**
 * Words by which a consumer is held: how many of its tasks wait for items, and 1 once it may go on.
 */
export const HOLD = { WAITING: 0, OPEN: 1, SIZE: 2 } as const;

/** Waits for `count` items in async tasks, blocks its event loop until it may go on, and ends. */
export const awaitAndLeave = task(
  import.meta,
  function awaitAndLeave(
    queue: Queue<number>,
    hold: Int32Array,
    count: number,
    leaving: Leaving,
  ): void {
    for (let i = 0; i < count; i++) queue.get().catch(() => {});
    Atomics.store(hold, HOLD.WAITING, count);
    // The loop ends when OPEN is set; `wait` returns at once if it is set already.
    while (Atomics.load(hold, HOLD.OPEN) === 0) Atomics.wait(hold, HOLD.OPEN, 0);
    if (leaving === "close") self.close();
    if (leaving === "exit") Deno.exit(3);
  },
);
