/**
 * What the public classes of queues have in common: checks the arguments of their constructors and
 * calls, and turns each call into one of the core.
 *
 * @module
 */

import { deadlineAfter, NEVER } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { platform } from "../_platform/mod.ts";
import { checkOptions, checkSignal } from "../_platform/options.ts";
import { openCore } from "../_memory/core.ts";
import type { Limits } from "../_memory/seat.ts";
import { checkMayBlock } from "../sync/_acquire.ts";
import { labelOf } from "../sync/_shared.ts";
import type { NewQueue, QueueCore } from "./_core.ts";
import { checkKey, type PriorityKey } from "./_keys.ts";

/** What a queue is made with. */
export interface QueueOptions {
  /** How many items there may be at once; any number if left out, 0 or negative. */
  maxsize?: number | undefined;
  /** Shown in error texts. */
  name?: string | undefined;
  /**
   * Bytes that the queue may take at most, 256 MiB if left out: a put that finds them used up waits
   * as it does for room. An item of more than 1 KiB takes about a quarter more than its size at
   * most.
   */
  capacityBytes?: number | undefined;
}

/** Whether and how long to wait for an item or for room, and what ends the wait early. */
export interface BlockOptions {
  /** False to throw rather than wait; `timeout` is ignored then. */
  block?: boolean | undefined;
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null | undefined;
  /**
   * Ends the wait when it aborts: the promise rejects with the signal's reason, and the queue is as
   * if the call had not been made; `putMany` leaves there what it has put.
   */
  signal?: AbortSignal | undefined;
}

/** Whether and how long a blocking call waits for an item or for room. */
export interface BlockSyncOptions {
  /** False to throw rather than wait; `timeout` is ignored then. */
  block?: boolean | undefined;
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null | undefined;
}

/** Checked options. */
interface Patience extends Limits {
  readonly polls: boolean;
}

const ENDLESS: Patience = { polls: false, deadlineMs: NEVER, signal: undefined };

function patienceOf(act: string, options: BlockOptions = {}): Patience {
  checkOptions(act, options, "{ timeout: 100 }");
  const { block = true, timeout, signal } = options;
  if (typeof block !== "boolean") {
    throw new TypeError(`Cannot ${act}: block must be a boolean, got ${describe(block)}`);
  }
  checkSignal(act, signal);
  signal?.throwIfAborted();
  if (!block) return { polls: true, deadlineMs: 0, signal };
  return { polls: timeout === 0, deadlineMs: deadlineAfter(timeout), signal };
}

function patienceOfSync(act: string, options?: BlockSyncOptions): Patience {
  const patience = patienceOf(act, options);
  if (!patience.polls) checkMayBlock(act);
  return patience;
}

function checkMost(act: string, most: unknown): void {
  if (typeof most !== "number") {
    throw new TypeError(`Cannot ${act}: expected a number of items, got ${describe(most)}`);
  }
  if (!(most >= 1) || (most !== Infinity && !Number.isInteger(most))) {
    throw new RangeError(`Cannot ${act}: expected a whole number from 1 up, got ${most}`);
  }
}

/** Checks what a constructor was given. */
export function checked(kind: string, options: number | QueueOptions): NewQueue {
  checkMade(kind, options);
  if (typeof options === "number") options = { maxsize: options };
  const { maxsize, name, capacityBytes } = options;
  checkMaxsize(kind, maxsize);
  return { maxsize: maxsize ?? 0, name, capacityBytes };
}

function checkMade(kind: string, options: unknown): void {
  if (typeof options === "number" || (typeof options === "object" && options !== null)) return;
  throw new TypeError(
    `Cannot make ${kind}: expected a number of items or options, got ${describe(options)}`,
  );
}

function checkMaxsize(kind: string, maxsize: unknown): void {
  if (maxsize === undefined) return;
  if (typeof maxsize !== "number") {
    throw new TypeError(`Cannot make ${kind}: maxsize must be a number, got ${describe(maxsize)}`);
  }
  if (
    Number.isNaN(maxsize) || (maxsize > 0 && maxsize !== Infinity && !Number.isInteger(maxsize))
  ) {
    throw new RangeError(`Cannot make ${kind}: maxsize must be a whole number, got ${maxsize}`);
  }
}

/** What a constructor is given instead of options to open a queue that exists already: its core. */
export class Opened {
  readonly core: QueueCore;

  private constructor(core: QueueCore) {
    this.core = core;
  }

  /** What to give to the constructor to open the queue of a handle's data. */
  static options(kind: string, data: unknown): Record<never, never> {
    return new Opened(openCore<QueueCore>(kind, data));
  }
}

/** Returns an item's key. */
export type KeyOf = (item: unknown) => PriorityKey;

/** Items that are put by one call, with their keys. */
interface Items {
  readonly items: readonly unknown[];
  readonly keys: readonly PriorityKey[] | undefined;
}

/**
 * A queue, as a public class sees it.
 *
 * ShutDown takes precedence over errors in the arguments. The core's own calls throw it; where the
 * arguments are wrong, and the core is not called, this class asks the core first.
 */
export class Access {
  readonly core: QueueCore;
  /** What error texts call the queue. */
  readonly label: string;
  /** The function that gives the items' keys; without it, items are their own keys. */
  keyOf: KeyOf | undefined;
  /** What a put and a get attempt, for error texts. */
  readonly #putting: string;
  readonly #getting: string;

  constructor(core: QueueCore, kind: string) {
    this.core = core;
    this.label = labelOf(kind, core.name);
    this.#putting = `put into ${this.label}`;
    this.#getting = `get from ${this.label}`;
  }

  // Putting

  /** Puts an item; waits for room. */
  put(item: unknown, options: BlockOptions | undefined): Promise<void> | void {
    const patience = options === undefined
      ? ENDLESS
      : this.#checkPut(() => patienceOf(this.#putting, options));
    const key = this.#keyOf(item);
    return patience.polls ? this.core.tryPut(item, key) : this.core.put(item, key, patience);
  }

  /** Puts an item; blocks this thread until there is room. */
  putSync(item: unknown, options: BlockSyncOptions | undefined): void {
    const patience = options === undefined && platform.canBlock
      ? ENDLESS
      : this.#checkPut(() => patienceOfSync(this.#putting, options));
    const key = this.#keyOf(item);
    if (patience.polls) this.core.tryPut(item, key);
    else this.core.putSync(item, key, patience.deadlineMs);
  }

  /** Puts an item without waiting; throws when there is no room. */
  putNowait(item: unknown): void {
    this.core.tryPut(item, this.#keyOf(item));
  }

  /** Puts items; waits for room. */
  putMany(values: Iterable<unknown>, options: BlockOptions | undefined): Promise<void> | void {
    const patience = this.#checkPut(() => patienceOf(this.#putting, options));
    const { items, keys } = this.#itemsOf(values);
    return patience.polls
      ? this.core.tryPutMany(items, keys)
      : this.core.putMany(items, keys, patience);
  }

  /** Puts items; blocks this thread until there is room. */
  putManySync(values: Iterable<unknown>, options: BlockSyncOptions | undefined): void {
    const patience = this.#checkPut(() => patienceOfSync(this.#putting, options));
    const { items, keys } = this.#itemsOf(values);
    if (patience.polls) this.core.tryPutMany(items, keys);
    else this.core.putManySync(items, keys, patience.deadlineMs);
  }

  #keyOf(item: unknown): PriorityKey | undefined {
    const { keyOf } = this;
    return keyOf && this.#checkPut(() => checkKey(this.#putting, keyOf(item)));
  }

  #itemsOf(values: Iterable<unknown>): Items {
    const { keyOf } = this;
    if (keyOf === undefined && Array.isArray(values)) return { items: values, keys: undefined };
    return this.#checkPut(() => {
      if (typeof values?.[Symbol.iterator] !== "function") {
        throw new TypeError(
          `Cannot ${this.#putting}: expected an iterable, got ${describe(values)}`,
        );
      }
      if (keyOf === undefined) return { items: [...values], keys: undefined };
      const items: unknown[] = [];
      const keys: PriorityKey[] = [];
      for (const item of values) {
        items.push(item);
        keys.push(checkKey(this.#putting, keyOf(item)));
      }
      return { items, keys };
    });
  }

  /** Checks arguments of a put; if they are wrong, throws ShutDown first where that applies. */
  #checkPut<R>(check: () => R): R {
    try {
      return check();
    } catch (error) {
      this.core.checkOpen();
      throw error;
    }
  }

  // Getting

  /** Takes an item; waits for one. */
  get(options: BlockOptions | undefined): unknown {
    const patience = options === undefined
      ? ENDLESS
      : this.#checkGet(() => patienceOf(this.#getting, options));
    return patience.polls ? this.core.tryGet() : this.core.get(patience);
  }

  /** Takes an item; blocks this thread until there is one. */
  getSync(options: BlockSyncOptions | undefined): unknown {
    const patience = options === undefined && platform.canBlock
      ? ENDLESS
      : this.#checkGet(() => patienceOfSync(this.#getting, options));
    return patience.polls ? this.core.tryGet() : this.core.getSync(patience.deadlineMs);
  }

  /** Takes up to `most` items; waits for the first. */
  getMany(most: number, options: BlockOptions | undefined): Promise<unknown[]> | unknown[] {
    const patience = this.#checkGet(() => {
      checkMost(this.#getting, most);
      return patienceOf(this.#getting, options);
    });
    return patience.polls ? this.core.tryGetMany(most) : this.core.getMany(most, patience);
  }

  /** Takes up to `most` items; blocks this thread until there is one. */
  getManySync(most: number, options: BlockSyncOptions | undefined): unknown[] {
    const patience = this.#checkGet(() => {
      checkMost(this.#getting, most);
      return patienceOfSync(this.#getting, options);
    });
    return patience.polls
      ? this.core.tryGetMany(most)
      : this.core.getManySync(most, patience.deadlineMs);
  }

  /** Checks arguments of a get; if they are wrong, throws ShutDown first where that applies. */
  #checkGet<R>(check: () => R): R {
    try {
      return check();
    } catch (error) {
      this.core.checkNotOver();
      throw error;
    }
  }
}
