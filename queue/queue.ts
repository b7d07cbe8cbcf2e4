/**
 * Queue: items from threads to threads, first in, first out.
 *
 * The algorithm is in `_state.ts`.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { checkOptions } from "../_platform/options.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { checkMayBlock, patienceOf } from "../sync/_acquire.ts";
import { dataOf } from "../sync/_shared.ts";
import { TimeoutError } from "../sync/errors.ts";
import type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
import {
  Access,
  type BlockOptions,
  type BlockSyncOptions,
  checked,
  Opened,
  type QueueOptions,
} from "./_access.ts";
import { LocalQueueCore } from "./_core.ts";
import { ShutDown } from "./errors.ts";

const KIND = "Queue";

/** How a queue is shut down. */
export interface QueueShutdownOptions {
  /** True to discard what is in the queue, too. */
  immediate?: boolean | undefined;
}

/**
 * A queue's access, for the classes of other orders. Assigned by the class, as only the class can
 * reach its private fields.
 */
export let accessOf: (queue: Queue<unknown>) => Access;

/**
 * Carries items from any number of threads and async tasks to any number of others, first in, first
 * out.
 *
 * It can be sent to any task in its arguments, and used on both sides in both forms. An item is
 * cloned when it is put: a change made afterwards is not seen, and a put of what cannot be cloned
 * throws. Items can be whatever the arguments of tasks can be, except for what can only be sent by
 * a message: a SharedArrayBuffer, a MessagePort, locks and queues themselves.
 *
 * **Bounded:** with a `maxsize`, `put` waits while there are that many items, which slows producers
 * down to the pace of the consumers. Memory is bounded by `capacityBytes` in any case. Small items
 * share pieces of the memory, of 4 KiB or an eighth of the whole; a piece is free again, for items
 * of any size, when all its items were taken.
 *
 * **Order:** items of one producer stay in their order. Waiters are woken first come, first served,
 * but a thread that comes at the right moment may be faster.
 *
 * **Done:** a consumer calls `taskDone` when it has dealt with an item, and `join` waits until all
 * items are dealt with. Items that a thread took and did not report before it ended are lost:
 * `join` throws a {@linkcode LostItemsError} once nothing else is left. A queue keeps accounts for
 * 256 threads; what others take is never known to be lost, and `join` goes on waiting for it.
 *
 * **Shutdown:** after `shutdown` nothing can be put. Items in the queue can still be taken; after
 * the last, `get` throws {@linkcode ShutDown}, and loops over the queue end.
 *
 * Semantics: Python's `queue.Queue`.
 *
 * **Differs from Python:** items are cloned; a queue without a `maxsize` holds 256 MiB at most, or
 * `capacityBytes`, and a put then waits; timeouts are in milliseconds; `putMany`, `getMany` and
 * iteration; lost items are reported.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { Queue, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const numbers = new Queue<number>(100);
 * const squares = new Queue<number>();
 * const worker = pool.submit((numbers: Queue<number>, squares: Queue<number>): void => {
 *   for (const n of numbers) squares.putSync(n * n);
 *   squares.shutdown();
 * }, numbers, squares);
 *
 * await numbers.putMany([1, 2, 3]);
 * numbers.shutdown();
 * const seen: number[] = [];
 * for await (const square of squares) seen.push(square);
 * assertEquals(seen, [1, 4, 9]);
 * await worker;
 * ```
 */
export class Queue<T> implements AsyncIterable<T>, Iterable<T> {
  readonly #access: Access;

  static {
    accessOf = (queue) => queue.#access;
    registerHandle(KIND, (data) => new Queue(Opened.options(KIND, data)));
  }

  /**
   * Makes an empty queue.
   *
   * @param options How many items there may be at once, or more options.
   * @throws {RangeError} When `maxsize` is NaN or fractional, or `capacityBytes` is not from 4 KiB
   * to 1 GiB.
   */
  constructor(options: number | QueueOptions = {}) {
    const kind = this[Symbol.toStringTag];
    this.#access = new Access(
      options instanceof Opened
        ? options.core
        : LocalQueueCore.create(kind, checked(kind, options)),
      kind,
    );
  }

  /** The queue's name, if it was given one. */
  get name(): string | undefined {
    return this.#access.core.name;
  }

  /** How many items there may be at once, 0 for any number. */
  get maxsize(): number {
    return this.#access.core.maxsize();
  }

  // Putting

  /**
   * Puts an item; waits while there is no room. The promise holds the event loop open.
   *
   * @param item What to put.
   * @param options Whether and how long to wait. The promise rejects with the reason of `signal`
   * when that aborts.
   * @throws {Full} When there was no room in time, or at once with `block: false`.
   * @throws {ShutDown} When the queue is shut down, before or meanwhile.
   * @throws {DOMException} "DataCloneError" when something in the item cannot be cloned.
   * @throws {NotShareableError} When something in it can be sent by a message only.
   * @throws {RangeError} When it is too large for the queue's memory.
   *
   * @example
   * ```ts
   * import { Full, Queue } from "@concurrent/futures";
   * import { assertRejects } from "@std/assert";
   *
   * const queue = new Queue<string>(1);
   * await queue.put("a");
   * await assertRejects(() => queue.put("b", { timeout: 5 }), Full);
   * ```
   */
  async put(item: T, options?: BlockOptions): Promise<void> {
    await this.#access.put(item, options);
  }

  /**
   * Puts an item; blocks this thread while there is no room.
   *
   * @param item What to put.
   * @param options Whether and how long to wait.
   * @throws {Full} When there was no room in time, or at once with `block: false`.
   * @throws {ShutDown} When the queue is shut down, before or meanwhile.
   * @throws {DOMException} "DataCloneError" when something in the item cannot be cloned.
   * @throws {NotShareableError} When something in it can be sent by a message only.
   * @throws {RangeError} When it is too large for the queue's memory.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putSync("a");
   * assertEquals(queue.qsize(), 1);
   * ```
   */
  putSync(item: T, options?: BlockSyncOptions): void {
    this.#access.putSync(item, options);
  }

  /**
   * Puts an item if there is room; never waits.
   *
   * @param item What to put.
   * @throws {Full} When there is no room.
   * @throws {ShutDown} When the queue is shut down.
   * @throws {DOMException} "DataCloneError" when something in the item cannot be cloned.
   * @throws {NotShareableError} When something in it can be sent by a message only.
   * @throws {RangeError} When it is too large for the queue's memory.
   */
  putNowait(item: T): void {
    this.#access.putNowait(item);
  }

  /**
   * Puts several items; waits while there is no room. Consumers are woken once for all items that
   * fit at a time. All items are encoded before the first is put: one that cannot be sent leaves
   * the queue as it was. A signal that aborts leaves in the queue what was put by then.
   *
   * @param items What to put.
   * @param options Whether and how long to wait, for all items together. The promise rejects with
   * the reason of `signal` when that aborts.
   * @throws {Full} When there was no room for all in time, or at once with `block: false`; its
   * `count` says how many were put.
   * @throws {ShutDown} When the queue is shut down, before or meanwhile; its `count` says how many
   * were put.
   * @throws {DOMException} "DataCloneError" when something in an item cannot be cloned.
   * @throws {NotShareableError} When something in an item can be sent by a message only.
   * @throws {RangeError} When an item is too large for the queue's memory.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<number>();
   * await queue.putMany([1, 2, 3]);
   * assertEquals(await queue.getMany(10), [1, 2, 3]);
   * ```
   */
  async putMany(items: Iterable<T>, options?: BlockOptions): Promise<void> {
    await this.#access.putMany(items, options);
  }

  /**
   * Puts several items; blocks this thread while there is no room. See {@linkcode Queue.putMany}.
   *
   * @param items What to put.
   * @param options Whether and how long to wait, for all items together.
   * @throws {Full} When there was no room for all in time, or at once with `block: false`; its
   * `count` says how many were put.
   * @throws {ShutDown} When the queue is shut down, before or meanwhile; its `count` says how many
   * were put.
   * @throws {DOMException} "DataCloneError" when something in an item cannot be cloned.
   * @throws {NotShareableError} When something in an item can be sent by a message only.
   * @throws {RangeError} When an item is too large for the queue's memory.
   * @throws {RuntimeError} Where the host forbids blocking.
   */
  putManySync(items: Iterable<T>, options?: BlockSyncOptions): void {
    this.#access.putManySync(items, options);
  }

  // Getting

  /**
   * Takes an item out; waits while there is none. The promise holds the event loop open.
   *
   * @param options Whether and how long to wait. The promise rejects with the reason of `signal`
   * when that aborts.
   * @returns The item.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   * @throws {ShutDown} When there is none and the queue is shut down, before or meanwhile.
   *
   * @example
   * ```ts
   * import { Empty, Queue } from "@concurrent/futures";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * const queue = new Queue<{ id: number }>();
   * queue.putNowait({ id: 7 });
   * assertEquals(await queue.get(), { id: 7 });
   * await assertRejects(() => queue.get({ timeout: 5 }), Empty);
   * ```
   */
  async get(options?: BlockOptions): Promise<T> {
    return await this.#access.get(options) as T;
  }

  /**
   * Takes an item out; blocks this thread while there is none.
   *
   * @param options Whether and how long to wait.
   * @returns The item.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   * @throws {ShutDown} When there is none and the queue is shut down, before or meanwhile.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putSync("a");
   * assertEquals(queue.getSync(), "a");
   * ```
   */
  getSync(options?: BlockSyncOptions): T {
    return this.#access.getSync(options) as T;
  }

  /**
   * Takes an item out if there is one; never waits.
   *
   * @returns The item.
   * @throws {Empty} When there is none.
   * @throws {ShutDown} When there is none and the queue is shut down.
   */
  getNowait(): T {
    return this.#access.core.tryGet() as T;
  }

  /**
   * Takes up to `most` items out, at least one; waits for the first only.
   *
   * @param most How many at most, 1 or more; `Infinity` for all that there are. Up to 100 small
   * items are taken in one step; beyond that, other threads may put and get in between.
   * @param options Whether and how long to wait. The promise rejects with the reason of `signal`
   * when that aborts.
   * @returns The items, in their order.
   * @throws {RangeError} When `most` is less than 1 or fractional.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   * @throws {ShutDown} When there is none and the queue is shut down, before or meanwhile.
   */
  async getMany(most: number, options?: BlockOptions): Promise<T[]> {
    return await this.#access.getMany(most, options) as T[];
  }

  /**
   * Takes up to `most` items out, at least one; blocks this thread until there is one. See
   * {@linkcode Queue.getMany}.
   *
   * @param most How many at most, 1 or more.
   * @param options Whether and how long to wait.
   * @returns The items, in their order.
   * @throws {RangeError} When `most` is less than 1 or fractional.
   * @throws {RuntimeError} Where the host forbids blocking.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   * @throws {ShutDown} When there is none and the queue is shut down, before or meanwhile.
   */
  getManySync(most: number, options?: BlockSyncOptions): T[] {
    return this.#access.getManySync(most, options) as T[];
  }

  /** Takes items out, waiting for each, until the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield item;
    }
  }

  /** Takes items out, blocking this thread for each, until the queue is shut down and empty. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = this.getSync();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield item;
    }
  }

  // Its state

  /** How many items there are. Not reliable: it may have changed when you read it. */
  qsize(): number {
    return this.#access.core.qsize();
  }

  /** True when there are no items. Not reliable: it may have changed when you read it. */
  empty(): boolean {
    return this.#access.core.qsize() === 0;
  }

  /**
   * True when there are `maxsize` items, however much memory they take. Not reliable: it may have
   * changed when you read it.
   */
  full(): boolean {
    return this.#access.core.isFull();
  }

  // Keeping track

  /**
   * Reports that items which were taken are dealt with. Never waits.
   *
   * @param n How many.
   * @throws {RangeError} When `n` is less than 1 or fractional, or more than are unfinished;
   * nothing has changed then.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("a");
   * queue.getNowait();
   * queue.taskDone();
   * assertThrows(() => queue.taskDone(), RangeError, "0 are unfinished");
   * ```
   */
  taskDone(n = 1): void {
    if (typeof n !== "number" || !Number.isInteger(n) || n < 1) {
      const act = `call taskDone on ${this.#access.label}`;
      throw new RangeError(
        `Cannot ${act}: n must be a whole number from 1 up, got ${describe(n)}`,
      );
    }
    this.#access.core.taskDone(n);
  }

  /**
   * Waits until every item that was put has been reported by `taskDone`, or discarded. The promise
   * holds the event loop open.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
   * @throws {LostItemsError} When nobody is left to finish the unfinished items.
   * @throws {TimeoutError} When `timeout` milliseconds pass first.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("a");
   * const joined = queue.join().then(() => "all done");
   * await queue.get();
   * queue.taskDone();
   * assertEquals(await joined, "all done");
   * ```
   */
  async join(options?: WaitOptions): Promise<void> {
    const limits = patienceOf(`join ${this.#access.label}`, options);
    this.#checkDone(await this.#access.core.join(limits), options);
  }

  /**
   * Blocks this thread until every item that was put has been reported by `taskDone`, or discarded.
   *
   * @param options How long to wait.
   * @throws {LostItemsError} When nobody is left to finish the unfinished items.
   * @throws {TimeoutError} When `timeout` milliseconds pass first.
   * @throws {RuntimeError} Where the host forbids blocking.
   */
  joinSync(options?: WaitSyncOptions): void {
    const { deadlineMs } = patienceOf(`join ${this.#access.label}`, options);
    checkMayBlock(`join ${this.#access.label}`);
    this.#checkDone(this.#access.core.joinSync(deadlineMs), options);
  }

  #checkDone(unfinished: number | undefined, options: WaitOptions | undefined): void {
    if (unfinished === undefined) return;
    throw new TimeoutError(
      `Cannot join ${this.#access.label} within ${options?.timeout} ms: ${unfinished} items are unfinished`,
    );
  }

  /**
   * Shuts the queue down: nothing can be put any more, and puts that wait throw
   * {@linkcode ShutDown}. Items in the queue can still be taken; after the last, a get throws
   * {@linkcode ShutDown}. It cannot be undone. Never waits.
   *
   * @param options With `immediate`, the items in the queue are discarded, and count as done.
   *
   * @example
   * ```ts
   * import { Queue, ShutDown } from "@concurrent/futures";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("a");
   * queue.shutdown();
   * assertThrows(() => queue.putNowait("b"), ShutDown);
   * assertEquals(queue.getNowait(), "a");
   * assertThrows(() => queue.getNowait(), ShutDown);
   * ```
   */
  shutdown(options: QueueShutdownOptions = {}): void {
    checkOptions(`shut down ${this[Symbol.toStringTag]}`, options, "{ immediate: true }");
    this.#access.core.shutdown(options.immediate ?? false);
  }

  /** True once the queue was shut down. */
  get isShutdown(): boolean {
    return this.#access.core.isShutdown();
  }

  // Crossing

  /**
   * A handle that stands for this queue in a message to a raw `Worker`; see {@linkcode Queue.from}.
   */
  get handle(): Handle {
    return { kind: this[Symbol.toStringTag], data: this.#access.core.data };
  }

  /**
   * Rebuilds a queue from a handle. Needed only by code that posts messages itself: in the
   * arguments of a task, queues cross by themselves.
   *
   * @param handle The {@linkcode Queue.handle} of a queue.
   * @returns A view of the same queue.
   * @throws {TypeError} When it is not the handle of a Queue.
   *
   * @example
   * ```ts
   * import { Queue } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * const same = Queue.from<string>(queue.handle);
   * same.putNowait("a");
   * assertEquals(queue.getNowait(), "a");
   * ```
   */
  static from<T>(handle: Handle): Queue<T> {
    return new Queue<T>(Opened.options(KIND, dataOf(handle, KIND)));
  }

  /** See {@linkcode Queue.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Queue` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }
}
