/**
 * The core of all classes of queues. The algorithm is in `_state.ts`.
 *
 * @module
 */

import {
  type CheckingCore,
  type Core,
  type CoreCall,
  isAlike,
  type PassedOn,
  type PassingCore,
  type Promised,
  registerCore,
} from "../_memory/core.ts";
import type { Limits } from "../_memory/seat.ts";
import { labelOf } from "../sync/_shared.ts";
import { Batch, isInt } from "./_batch.ts";
import { emptyError, shutDownError } from "./_failures.ts";
import type { PriorityKey } from "./_keys.ts";
import { LAST_IN_FIRST_OUT, type Order } from "./_order.ts";
import { Packer } from "./_packer.ts";
import { SMALLEST_FIRST } from "./_priority_order.ts";
import { FIRST_IN_FIRST_OUT } from "./_segments.ts";
import { QueueState } from "./_state.ts";
import { PutRun, QueueWaits } from "./_waiting.ts";
import type { Empty, Full, ShutDown } from "./errors.ts";
import { createWords, openWords, type QueueData, type QueueWords } from "./_words.ts";

/**
 * What the public classes call. A key is what an item is sorted by, `undefined` for the item
 * itself; queues that do not sort ignore it. A method whose name begins with `try` never waits, and
 * throws where its twin would wait.
 */
export interface QueueCore extends Core {
  /** Throws ShutDown if the queue is shut down. */
  checkOpen(): void;
  /** Throws ShutDown if the queue is shut down and empty. */
  checkNotOver(): void;

  /** Puts an item; waits for room. Throws Full when time was up. */
  put(item: unknown, key: PriorityKey | undefined, limits: Limits): Promise<void>;
  /** See {@linkcode QueueCore.put}. */
  putSync(item: unknown, key: PriorityKey | undefined, deadlineMs: number): void;
  /** See {@linkcode QueueCore.put}. */
  tryPut(item: unknown, key: PriorityKey | undefined): void;

  /** Puts items; waits for room. Throws Full, with the count of items put, when time was up. */
  putMany(
    items: readonly unknown[],
    keys: readonly PriorityKey[] | undefined,
    limits: Limits,
  ): Promise<void>;
  /** See {@linkcode QueueCore.putMany}. */
  putManySync(
    items: readonly unknown[],
    keys: readonly PriorityKey[] | undefined,
    deadlineMs: number,
  ): void;
  /** See {@linkcode QueueCore.putMany}. */
  tryPutMany(items: readonly unknown[], keys: readonly PriorityKey[] | undefined): void;

  /** Takes an item; waits for one. Throws Empty when time was up. */
  get(limits: Limits): Promise<unknown>;
  /** See {@linkcode QueueCore.get}. */
  getSync(deadlineMs: number): unknown;
  /** See {@linkcode QueueCore.get}. */
  tryGet(): unknown;

  /** Takes up to `most` items; waits for the first. Throws Empty when time was up. */
  getMany(most: number, limits: Limits): Promise<unknown[]>;
  /** See {@linkcode QueueCore.getMany}. */
  getManySync(most: number, deadlineMs: number): unknown[];
  /** See {@linkcode QueueCore.getMany}. */
  tryGetMany(most: number): unknown[];

  /** How many items there are. */
  qsize(): number;
  /** How many items there may be, 0 for any number. */
  maxsize(): number;
  /** True when there are `maxsize` items; memory is not looked at. */
  isFull(): boolean;

  /** Reports items done that were taken; throws when fewer than `n` are unfinished. */
  taskDone(n: number): void;
  /**
   * Waits until all items are done. Returns `undefined` then, or how many are unfinished when time
   * was up.
   */
  join(limits: Limits): Promise<number | undefined>;
  /** See {@linkcode QueueCore.join}. */
  joinSync(deadlineMs: number): number | undefined;

  /** Closes the queue; with `discards`, discards what is in it. */
  shutdown(discards: boolean): void;
  /** True once nothing can be put any more. */
  isShutdown(): boolean;

  /**
   * Refuses items without a key from now on: their keys come from a function, which stays in the
   * thread that has it.
   */
  sortByKeys(): void;
}

/** The order that each class gives its items in. */
const ORDERS: { readonly [kind: string]: Order } = {
  Queue: FIRST_IN_FIRST_OUT,
  LifoQueue: LAST_IN_FIRST_OUT,
  PriorityQueue: SMALLEST_FIRST,
  SimpleQueue: FIRST_IN_FIRST_OUT,
};

/** The methods that a queue which is shut down forbids. */
const PUTS: ReadonlySet<string> = new Set<keyof QueueCore>([
  "put",
  "tryPut",
  "putMany",
  "tryPutMany",
]);

/** What a queue is made with; not checked yet. */
export interface NewQueue {
  readonly name?: unknown;
  readonly capacityBytes?: unknown;
  /** How many items there may be; any number if this is 0 or less. */
  readonly maxsize: number;
}

/**
 * Where items just taken lie until they are decoded, for all queues of this thread: filled and read
 * in the same turn, never across an `await`.
 */
const inbox = new Batch();

/** The core for threads that share the memory. */
export class LocalQueueCore implements QueueCore, CheckingCore, PassingCore {
  readonly name: string | undefined;
  readonly #words: QueueWords;
  readonly #state: QueueState;
  readonly #packer: Packer;
  readonly #waits: QueueWaits;

  constructor(kind: string, words: QueueWords) {
    const { buffer, seat, name, isSorted } = words;
    this.name = name;
    this.#words = words;
    this.#state = new QueueState({ buffer, seat, order: ORDERS[kind], label: labelOf(kind, name) });
    this.#packer = new Packer(this.#state);
    this.#packer.needsKeys = isSorted;
    this.#waits = new QueueWaits(this.#state);
  }

  /** The core of a queue that another thread has made. */
  static open(kind: string, data: unknown): LocalQueueCore {
    return new LocalQueueCore(kind, openWords(data));
  }

  /** The core of a new queue, which is empty. */
  static create(kind: string, { name, capacityBytes, maxsize }: NewQueue): LocalQueueCore {
    const core = new LocalQueueCore(kind, createWords(kind, name, capacityBytes));
    core.#state.limit(maxsize);
    return core;
  }

  /** See {@linkcode QueueCore}. */
  get data(): QueueData {
    const { buffer, seat, name } = this.#words;
    return { buffer, threads: seat.table.buffer, name, isSorted: this.#packer.needsKeys };
  }

  // Putting

  /** See {@linkcode QueueCore}. */
  checkOpen(): void {
    if (this.#state.isClosed) throw this.#shutDownError("put");
  }

  /** See {@linkcode CheckingCore}. */
  checkCall(method: string): void {
    if (PUTS.has(method)) this.checkOpen();
  }

  /** See {@linkcode QueueCore}. */
  async put(item: unknown, key: PriorityKey | undefined, limits: Limits): Promise<void> {
    const rest = this.#putNow(item, key);
    if (rest !== undefined && !await this.#waits.put(rest, limits)) throw this.#fullError(rest);
  }

  /** See {@linkcode QueueCore}. */
  putSync(item: unknown, key: PriorityKey | undefined, deadlineMs: number): void {
    const rest = this.#putNow(item, key);
    if (rest !== undefined && !this.#waits.putSync(rest, deadlineMs)) throw this.#fullError(rest);
  }

  /** See {@linkcode QueueCore}. */
  tryPut(item: unknown, key: PriorityKey | undefined): void {
    const rest = this.#putNow(item, key);
    if (rest !== undefined) throw this.#fullError(rest);
  }

  /** Puts an item if there is room; returns what is left to do if there is none. */
  #putNow(item: unknown, key: PriorityKey | undefined): PutRun | undefined {
    if (isInt(item) && this.#state.putInt(item)) return undefined;
    this.checkOpen();
    const items = this.#packer.pack(item, key);
    const count = this.#state.put(items, 0, undefined, false);
    if (count < 0) throw this.#shutDownError("put");
    return count === 1 ? undefined : new PutRun(this.#state, [items]);
  }

  /** See {@linkcode QueueCore}. */
  async putMany(
    values: readonly unknown[],
    keys: readonly PriorityKey[] | undefined,
    limits: Limits,
  ): Promise<void> {
    const rest = this.#putManyNow(values, keys);
    if (rest !== undefined && !await this.#waits.put(rest, limits)) throw this.#fullError(rest);
  }

  /** See {@linkcode QueueCore}. */
  putManySync(
    values: readonly unknown[],
    keys: readonly PriorityKey[] | undefined,
    deadlineMs: number,
  ): void {
    const rest = this.#putManyNow(values, keys);
    if (rest !== undefined && !this.#waits.putSync(rest, deadlineMs)) throw this.#fullError(rest);
  }

  /** See {@linkcode QueueCore}. */
  tryPutMany(values: readonly unknown[], keys: readonly PriorityKey[] | undefined): void {
    const rest = this.#putManyNow(values, keys);
    if (rest !== undefined) throw this.#fullError(rest);
  }

  /** Puts as many items as there is room for; returns what is left to do, if anything is. */
  #putManyNow(
    values: readonly unknown[],
    keys: readonly PriorityKey[] | undefined,
  ): PutRun | undefined {
    this.checkOpen();
    const run = new PutRun(this.#state, this.#packer.packAll(values, keys));
    return run.advance(undefined, false) ? undefined : run;
  }

  // Getting

  /** See {@linkcode QueueCore}. */
  checkNotOver(): void {
    if (this.#state.isClosed && this.#state.count === 0) throw this.#shutDownError("get");
  }

  /** See {@linkcode QueueCore}. */
  async get(limits: Limits): Promise<unknown> {
    const taken = this.#takeOne();
    return taken !== undefined ? this.#valueOf(taken) : await this.#getLater(limits, false);
  }

  async #getLater(limits: Limits, wasOvertaken: boolean): Promise<unknown> {
    const read = (): { value: unknown } => ({ value: this.#state.valueOf(inbox) });
    const found = await this.#waits.take(inbox, 1, limits, wasOvertaken, read);
    if (found === undefined) throw this.#emptyError();
    return found.value;
  }

  /** See {@linkcode QueueCore}. */
  getSync(deadlineMs: number): unknown {
    const taken = this.#takeOne();
    if (taken !== undefined) return this.#valueOf(taken);
    if (this.#waits.takeSync(inbox, 1, deadlineMs) === 0) throw this.#emptyError();
    return this.#state.valueOf(inbox);
  }

  /** See {@linkcode QueueCore}. */
  tryGet(): unknown {
    const taken = this.#takeOne();
    if (taken === undefined) throw this.#emptyError();
    return this.#valueOf(taken);
  }

  /**
   * Takes an item if there is one: returns a whole number as it is; for any other item the inbox,
   * where it is now. Throws ShutDown if there will be none.
   */
  #takeOne(): number | Batch | undefined {
    const taken = this.#state.takeOne(inbox);
    if (taken === undefined) this.checkNotOver();
    return taken;
  }

  #valueOf(taken: number | Batch): unknown {
    return typeof taken === "number" ? taken : this.#state.valueOf(taken);
  }

  /** See {@linkcode QueueCore}. */
  async getMany(most: number, limits: Limits): Promise<unknown[]> {
    return this.#takeNow(most)
      ? this.#takeMore(this.#state.valuesOf(inbox), most)
      : await this.#getManyLater(most, limits, false);
  }

  async #getManyLater(most: number, limits: Limits, wasOvertaken: boolean): Promise<unknown[]> {
    const read = (): unknown[] => this.#state.valuesOf(inbox);
    const values = await this.#waits.take(inbox, most, limits, wasOvertaken, read);
    if (values === undefined) throw this.#emptyError();
    return this.#takeMore(values, most);
  }

  /** See {@linkcode QueueCore}. */
  getManySync(most: number, deadlineMs: number): unknown[] {
    if (!this.#takeNow(most) && this.#waits.takeSync(inbox, most, deadlineMs) === 0) {
      throw this.#emptyError();
    }
    return this.#takeMore(this.#state.valuesOf(inbox), most);
  }

  /** See {@linkcode QueueCore}. */
  tryGetMany(most: number): unknown[] {
    if (!this.#takeNow(most)) throw this.#emptyError();
    return this.#takeMore(this.#state.valuesOf(inbox), most);
  }

  /** Takes items into the inbox; false if there are none. Throws ShutDown if there will be none. */
  #takeNow(most: number): boolean {
    inbox.clear();
    const count = this.#state.take(inbox, most, undefined, false);
    if (count < 0) throw this.#shutDownError("get");
    return count > 0;
  }

  /**
   * If the items have filled the inbox, adds further items that are there now, up to `most` in all.
   */
  #takeMore(values: unknown[], most: number): unknown[] {
    let wanted = Math.min(most - values.length, this.#state.count);
    while (wanted > 0 && !inbox.hasRoom) {
      inbox.clear();
      const count = this.#state.take(inbox, wanted, undefined, false);
      if (count <= 0) break;
      values.push(...this.#state.valuesOf(inbox));
      wanted -= count;
    }
    return values;
  }

  /** See {@linkcode PassingCore}. Passes on items, unless they are more than the call wants. */
  passOn(promised: Promised, blocked: CoreCall): PassedOn | undefined {
    const { method, args, value } = promised;
    if (!isAlike(promised, blocked)) return undefined;
    if (method === "get") return { value, again: (limits) => this.#getLater(limits, true) };
    const isWanted = method === "getMany" &&
      (value as unknown[]).length <= (blocked.args[0] as number);
    if (!isWanted) return undefined;
    return { value, again: (limits) => this.#getManyLater(args[0] as number, limits, true) };
  }

  // Its state

  /** See {@linkcode QueueCore}. */
  qsize(): number {
    return this.#state.count;
  }

  /** See {@linkcode QueueCore}. */
  maxsize(): number {
    return this.#state.maxsize;
  }

  /** See {@linkcode QueueCore}. */
  isFull(): boolean {
    return this.#state.isFull;
  }

  // Keeping track

  /** See {@linkcode QueueCore}. */
  taskDone(n: number): void {
    this.#state.done(n);
  }

  /** See {@linkcode QueueCore}. */
  async join(limits: Limits): Promise<number | undefined> {
    return await this.#waits.join(limits) ? undefined : this.#state.unfinished;
  }

  /** See {@linkcode QueueCore}. */
  joinSync(deadlineMs: number): number | undefined {
    return this.#waits.joinSync(deadlineMs) ? undefined : this.#state.unfinished;
  }

  /** See {@linkcode QueueCore}. */
  shutdown(discards: boolean): void {
    this.#state.close(discards);
  }

  /** See {@linkcode QueueCore}. */
  isShutdown(): boolean {
    return this.#state.isClosed;
  }

  /** See {@linkcode QueueCore}. */
  sortByKeys(): void {
    this.#packer.needsKeys = true;
  }

  // Errors

  #shutDownError(act: "put" | "get"): ShutDown {
    return shutDownError(this.#state.label, act);
  }

  /** The error of a put that found no room for all of its items. */
  #fullError({ count }: PutRun): Full {
    return this.#state.fullError(count);
  }

  #emptyError(): Empty {
    return emptyError(this.#state.label);
  }
}

for (const kind of Object.keys(ORDERS)) {
  registerCore<QueueCore>(
    kind,
    (data) => LocalQueueCore.open(kind, data),
    {
      waiting: ["put", "putMany", "get", "getMany", "join"],
      others: [
        "checkOpen",
        "checkNotOver",
        "tryPut",
        "tryPutMany",
        "tryGet",
        "tryGetMany",
        "qsize",
        "maxsize",
        "isFull",
        "taskDone",
        "shutdown",
        "isShutdown",
        "sortByKeys",
      ],
    },
  );
}
