/** Reads the shared words of queues, so that no test has to sleep; and the classes under test. */

import { assertEquals, assertThrows } from "@std/assert";
import type { Handle } from "../../_memory/handle.ts";
import { QUEUE } from "../../_memory/layout.ts";
import { seatIn } from "../../_memory/seat.ts";
import { Latch, WaitList } from "../../_memory/wait_list.ts";
import {
  Empty,
  LifoQueue,
  PriorityQueue,
  type PriorityQueueOptions,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";
import { blockUntil, until } from "../sync/_support.ts";

export {
  blockUntil,
  jsonCopy,
  rejectionOf,
  stateOf,
  throughChannel,
  turns,
  until,
} from "../sync/_support.ts";

/** A queue of any class. */
export interface Shared {
  readonly handle: Handle;
}

/** The groups of waiters of a queue. */
export type Side = "getters" | "putters" | "joiners";

const LISTS: Record<Side, { at: number; number: number }> = {
  getters: { at: QUEUE.GETTERS, number: 1 },
  putters: { at: QUEUE.PUTTERS, number: 2 },
  joiners: { at: QUEUE.JOINERS, number: 3 },
};

/** How many waits are queued on one side. */
export function waitersOf({ handle }: Shared, side: Side): number {
  const { buffer, threads } = handle.data as {
    buffer: SharedArrayBuffer;
    threads: SharedArrayBuffer;
  };
  const { at, number } = LISTS[side];
  const words = new Int32Array(buffer, 0, QUEUE.SIZE);
  const list = new WaitList(words, at, seatIn(threads), number);
  const [puts, takes] = [QUEUE.PUT_LATCH, QUEUE.TAKE_LATCH].map((at) => new Latch(words, at));
  return puts.hold(() => takes.hold(() => [...list.nodes()].length));
}

/** How many waits are queued on each side: getters, putters, joiners. */
export function allWaitersOf(queue: Shared): number[] {
  return (["getters", "putters", "joiners"] as const).map((side) => waitersOf(queue, side));
}

/** The result of {@linkcode allWaitersOf} when nobody waits. */
export const NOBODY: readonly number[] = [0, 0, 0];

/** Resolves once `count` waits are queued on one side. */
export function queued(queue: Shared, side: Side, count = 1): Promise<void> {
  return until(() => waitersOf(queue, side) === count);
}

/** Blocks this thread until `count` waits are queued on one side. */
export function blockUntilQueued(queue: Shared, side: Side, count = 1): void {
  blockUntil(() => waitersOf(queue, side) === count);
}

/** The present size of a queue's memory in bytes. */
export function bytesOf({ handle }: Shared): number {
  return (handle.data as { buffer: SharedArrayBuffer }).buffer.byteLength;
}

/** How many items were put and are not done. */
export function unfinishedOf({ handle }: Shared): number {
  const { buffer } = handle.data as { buffer: SharedArrayBuffer };
  return Atomics.load(new Int32Array(buffer, 0, QUEUE.SIZE), QUEUE.UNFINISHED);
}

/** Long enough for a wait that must be in vain. */
export const SHORT_MS = 15;

/** The least memory that a queue can have. */
export const LEAST_BYTES = 4096;

/** The options of a queue, as far as the class under test has them. */
export interface Options {
  maxsize?: number;
  name?: string;
  capacityBytes?: number;
}

/** What all four classes have in common. */
export interface AnyQueue<T> extends Shared {
  readonly name: string | undefined;
  put(item: T): Promise<void>;
  putSync(item: T): void;
  putNowait(item: T): void;
  putMany(items: Iterable<T>): Promise<void>;
  putManySync(items: Iterable<T>): void;
  get: Queue<T>["get"];
  getSync: Queue<T>["getSync"];
  getNowait: Queue<T>["getNowait"];
  getMany: Queue<T>["getMany"];
  getManySync: Queue<T>["getManySync"];
  qsize(): number;
  empty(): boolean;
}

/** One class under test. */
export interface QueueSuite<Q extends AnyQueue<unknown> = AnyQueue<unknown>> {
  readonly name: string;
  /** Makes a queue of numbers, or of other values with an order of their own. */
  make(options?: Options): Q;
  /** Makes a queue for any values, with a `maxsize` or other options. */
  makeAny(options?: Options): Q;
  from(handle: Handle): Q;
  /**
   * The order in which numbers come out that were put in ascending order, all before the first was
   * taken.
   */
  orderOf<T>(ascending: T[]): T[];
}

const forwards = <T>(items: T[]): T[] => [...items];

/** All classes with `maxsize`, tracking and shutdown. */
export const BOUNDED: readonly QueueSuite<Queue<unknown>>[] = [
  {
    name: "Queue",
    make: (options) => new Queue(options),
    makeAny: (options) => new Queue(options),
    from: (handle) => Queue.from(handle),
    orderOf: forwards,
  },
  {
    name: "LifoQueue",
    make: (options) => new LifoQueue(options),
    makeAny: (options) => new LifoQueue(options),
    from: (handle) => LifoQueue.from(handle),
    orderOf: (items) => items.toReversed(),
  },
  {
    name: "PriorityQueue",
    make: (options) => new PriorityQueue(options),
    makeAny: (options) =>
      new PriorityQueue({ ...options, priority: () => 0 } as PriorityQueueOptions<unknown>),
    from: (handle) => PriorityQueue.from(handle),
    orderOf: forwards,
  },
];

/** The class without bounds. */
export const SIMPLE: QueueSuite = {
  name: "SimpleQueue",
  make: (options) => new SimpleQueue(options),
  makeAny: (options) => new SimpleQueue(options),
  from: (handle) => SimpleQueue.from(handle),
  orderOf: forwards,
};

/** All classes. */
export const SUITES: readonly QueueSuite[] = [...BOUNDED, SIMPLE];

/** The suite of a class. */
export function suiteOf(name: string): QueueSuite<Queue<unknown>> {
  return BOUNDED.find((suite) => suite.name === name)!;
}

/** Ways to put one item. */
export const PUTS: Record<string, <T>(queue: AnyQueue<T>, item: T) => void | Promise<void>> = {
  "put()": (queue, item) => queue.put(item),
  "putSync()": (queue, item) => queue.putSync(item),
  "putNowait()": (queue, item) => queue.putNowait(item),
  "putMany()": (queue, item) => queue.putMany([item]),
  "putManySync()": (queue, item) => queue.putManySync([item]),
};

/** Ways to take one item. */
export const GETS: Record<string, <T>(queue: AnyQueue<T>) => T | Promise<T>> = {
  "get()": (queue) => queue.get(),
  "getSync()": (queue) => queue.getSync(),
  "getNowait()": (queue) => queue.getNowait(),
  "getMany()": async (queue) => (await queue.getMany(1))[0],
  "getManySync()": (queue) => queue.getManySync(1)[0],
};

/** Takes all items that are there. */
export function drain<T>(queue: AnyQueue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty()) items.push(queue.getNowait());
  return items;
}

/** The whole numbers from 0 up. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The error that a call throws, or that its promise rejects with. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail");
}

/** Fails unless the queue is empty, nobody waits for it, and it works in both forms. */
export async function assertSound(queue: AnyQueue<unknown>): Promise<void> {
  assertEquals([queue.qsize(), queue.empty(), allWaitersOf(queue)], [0, true, NOBODY]);
  queue.putSync(5);
  assertEquals(await queue.get(), 5);
  await queue.put(6);
  assertEquals(queue.getSync(), 6);
  assertThrows(() => queue.getNowait(), Empty);
}

/** Bad options of a call that may block, besides bad timeouts. */
export const BAD_BLOCKS = [
  [{ block: "no" }, TypeError, 'block must be a boolean, got "no"'],
  [{ block: null }, TypeError, "block must be a boolean, got null"],
  [{ block: 0 }, TypeError, "block must be a boolean, got 0"],
] as const;
