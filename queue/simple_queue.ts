/**
 * SimpleQueue: an unbounded queue without tracking or shutdown.
 *
 * @module
 */

import { nameIn } from "../_platform/options.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { dataOf } from "../sync/_shared.ts";
import { Access, type BlockOptions, type BlockSyncOptions, Opened } from "./_access.ts";
import { LocalQueueCore } from "./_core.ts";

const KIND = "SimpleQueue";

/** What a simple queue is made with. */
export interface SimpleQueueOptions {
  /** Shown in error texts. */
  name?: string | undefined;
  /**
   * Bytes that the queue may take at most, 256 MiB if left out: a put that finds them used up
   * throws. An item of more than 1 KiB takes about a quarter more than its size at most.
   */
  capacityBytes?: number | undefined;
}

/**
 * Carries items from any number of threads and async tasks to any number of others, first in, first
 * out; unbounded, without `taskDone`, `join` or `shutdown`. See {@linkcode Queue} for what items
 * can be, and for the rest.
 *
 * A put never waits. Memory is bounded all the same, by `capacityBytes`.
 *
 * Semantics: Python's `queue.SimpleQueue`.
 *
 * **Differs from Python:** items are cloned; timeouts are in milliseconds; `putMany` and `getMany`;
 * a queue whose memory is used up throws {@linkcode Full}.
 *
 * @typeParam T What the items are.
 *
 * @example
 * ```ts
 * import { SimpleQueue, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const log = new SimpleQueue<string>();
 * const work = pool.submit((log: SimpleQueue<string>) => log.put("done"), log);
 * assertEquals(await log.get(), "done");
 * await work;
 * ```
 */
export class SimpleQueue<T> {
  readonly #access: Access;

  static {
    registerHandle(KIND, (data) => new SimpleQueue(Opened.options(KIND, data)));
  }

  /**
   * Makes an empty queue.
   *
   * @param options The queue's name and memory.
   * @throws {RangeError} When `capacityBytes` is not from 4 KiB to 1 GiB.
   */
  constructor(options: SimpleQueueOptions = {}) {
    this.#access = new Access(
      options instanceof Opened ? options.core : LocalQueueCore.create(KIND, {
        name: nameIn(`make ${KIND}`, options),
        capacityBytes: options.capacityBytes,
        maxsize: 0,
      }),
      KIND,
    );
  }

  /** The queue's name, if it was given one. */
  get name(): string | undefined {
    return this.#access.core.name;
  }

  /**
   * Puts an item; never waits. It returns a promise only because other queues' `put` does.
   *
   * @param item What to put.
   * @throws {Full} When the queue's memory is used up.
   * @throws {DOMException} "DataCloneError" when something in the item cannot be cloned.
   * @throws {NotShareableError} When something in it can be sent by a message only.
   * @throws {RangeError} When it is too large for the queue's memory.
   */
  // deno-lint-ignore require-await
  async put(item: T): Promise<void> {
    this.putNowait(item);
  }

  /** Puts an item; never waits. See {@linkcode SimpleQueue.put}. */
  putSync(item: T): void {
    this.putNowait(item);
  }

  /** Puts an item; never waits. See {@linkcode SimpleQueue.put}. */
  putNowait(item: T): void {
    this.#access.putNowait(item);
  }

  /**
   * Puts several items; never waits. Consumers are woken once for all items. All items are encoded
   * before the first is put.
   *
   * @param items What to put.
   * @throws {Full} When the queue's memory is used up; its `count` says how many were put.
   * @throws {DOMException} "DataCloneError" when something in an item cannot be cloned.
   * @throws {NotShareableError} When something in an item can be sent by a message only.
   * @throws {RangeError} When an item is too large for the queue's memory.
   */
  // deno-lint-ignore require-await
  async putMany(items: Iterable<T>): Promise<void> {
    this.putManySync(items);
  }

  /** Puts several items; never waits. See {@linkcode SimpleQueue.putMany}. */
  putManySync(items: Iterable<T>): void {
    this.#access.putManySync(items, { block: false });
  }

  /**
   * Takes an item out; waits while there is none. The promise holds the event loop open.
   *
   * @param options Whether and how long to wait. The promise rejects with the reason of `signal`
   * when that aborts.
   * @returns The item.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
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
   * @throws {RuntimeError} Where the host forbids blocking.
   */
  getSync(options?: BlockSyncOptions): T {
    return this.#access.getSync(options) as T;
  }

  /**
   * Takes an item out if there is one; never waits.
   *
   * @returns The item.
   * @throws {Empty} When there is none.
   */
  getNowait(): T {
    return this.#access.core.tryGet() as T;
  }

  /**
   * Takes up to `most` items out, at least one; waits for the first only. See
   * `Queue.getMany`.
   *
   * @param most How many at most, 1 or more; `Infinity` for all that there are.
   * @param options Whether and how long to wait. The promise rejects with the reason of `signal`
   * when that aborts.
   * @returns The items, in their order.
   * @throws {RangeError} When `most` is less than 1 or fractional.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   */
  async getMany(most: number, options?: BlockOptions): Promise<T[]> {
    return await this.#access.getMany(most, options) as T[];
  }

  /**
   * Takes up to `most` items out, at least one; blocks this thread until there is one.
   *
   * @param most How many at most, 1 or more; `Infinity` for all that there are.
   * @param options Whether and how long to wait.
   * @returns The items, in their order.
   * @throws {RangeError} When `most` is less than 1 or fractional.
   * @throws {RuntimeError} Where the host forbids blocking.
   * @throws {Empty} When there was none in time, or at once with `block: false`.
   */
  getManySync(most: number, options?: BlockSyncOptions): T[] {
    return this.#access.getManySync(most, options) as T[];
  }

  /** How many items there are. Not reliable: it may have changed when you read it. */
  qsize(): number {
    return this.#access.core.qsize();
  }

  /** True when there are no items. Not reliable: it may have changed when you read it. */
  empty(): boolean {
    return this.#access.core.qsize() === 0;
  }

  /**
   * A handle that stands for this queue in a message to a raw `Worker`; see
   * {@linkcode SimpleQueue.from}.
   */
  get handle(): Handle {
    return { kind: KIND, data: this.#access.core.data };
  }

  /**
   * Rebuilds a queue from a handle; see `Queue.from`.
   *
   * @param handle The {@linkcode SimpleQueue.handle} of a queue.
   * @returns A view of the same queue.
   * @throws {TypeError} When it is not the handle of a SimpleQueue.
   */
  static from<T>(handle: Handle): SimpleQueue<T> {
    return new SimpleQueue<T>(Opened.options(KIND, dataOf(handle, KIND)));
  }

  /** See {@linkcode SimpleQueue.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `SimpleQueue` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }
}
