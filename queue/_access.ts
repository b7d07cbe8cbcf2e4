/**
 * What the classes of queues have in common: their arguments, and how items go in and out in either form.
 *
 * @module
 */

import { deadlineAfter, NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import type { Limits } from "../_memory/seat.ts";
import { checkMayBlock } from "../sync/_acquire.ts";
import { Batch } from "./_batch.ts";
import type { QueueCore } from "./_core.ts";
import { checkKey, type PriorityKey } from "./_keys.ts";

/** Whether and how long to wait for an item or for room, and what ends the wait early. */
export interface BlockOptions {
  /** False to go on at once or not at all; `timeout` is ignored then. */
  block?: boolean;
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null;
  /** Ends the wait: the promise rejects with the signal's reason, and the queue is as if the call had not been made. */
  signal?: AbortSignal;
}

/** Whether and how long a blocking call waits for an item or for room. */
export interface BlockSyncOptions {
  /** False to go on at once or not at all; `timeout` is ignored then. */
  block?: boolean;
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null;
}

/** What sorts items: a function, or they themselves; left out where they are not sorted. */
export type SortBy = ((item: never) => PriorityKey) | "item" | undefined;

/** Items under way in the turn that goes on: each call empties them before it does anything else. */
const outbox = new Batch();
const inbox = new Batch();
let isPacking = false;

/** Checked options. */
interface Patience extends Limits {
  readonly polls: boolean;
}

const ENDLESS: Patience = { polls: false, deadlineMs: NEVER, signal: undefined };

function patienceOf(act: string, options: BlockOptions | undefined): Patience {
  if (options === undefined) return ENDLESS;
  const { block = true, timeout, signal } = options;
  if (typeof block !== "boolean") {
    throw new TypeError(`Cannot ${act}: block must be a boolean, got ${typeof block}`);
  }
  signal?.throwIfAborted();
  if (!block) return { polls: true, deadlineMs: 0, signal };
  return { polls: timeout === 0, deadlineMs: deadlineAfter(timeout), signal };
}

function patienceOfSync(act: string, options: BlockSyncOptions | undefined): Patience {
  const patience = patienceOf(act, options);
  if (!patience.polls && !platform.canBlock) checkMayBlock(act);
  return patience;
}

// Putting

/** Encodes one item; valid until this thread packs again. */
function packOne(core: QueueCore, value: unknown, sortBy: SortBy): Batch {
  return pack((batch) => addTo(batch, core, value, sortBy), core);
}

/** Encodes items, in as many batches as they need; valid until this thread packs again. */
function packAll(core: QueueCore, values: Iterable<unknown>, sortBy: SortBy): Batch[] {
  if (typeof values?.[Symbol.iterator] !== "function") {
    throw new TypeError(`Cannot ${core.putting}: expected an iterable, got ${typeof values}`);
  }
  const batches: Batch[] = [];
  const first = pack((batch) => {
    batches.push(batch);
    for (const value of values) {
      if (addTo(batch, core, value, sortBy)) continue;
      batches.push(batch = new Batch());
      addTo(batch, core, value, sortBy);
    }
  }, core);
  for (const items of batches) if (items !== first) core.checkSizes(items);
  return batches;
}

/** Fills a batch: the common one, unless a getter in an item puts another one. */
function pack(fill: (batch: Batch) => void, core: QueueCore): Batch {
  const batch = isPacking ? new Batch() : outbox;
  const wasPacking = isPacking;
  isPacking = true;
  try {
    batch.clear();
    fill(batch);
  } finally {
    isPacking = wasPacking;
  }
  core.checkSizes(batch);
  return batch;
}

/** Adds an item and its key; false when there is no room for it. */
function addTo(batch: Batch, core: QueueCore, value: unknown, sortBy: SortBy): boolean {
  const act = core.putting;
  if (sortBy === undefined) return batch.add(act, value);
  if (sortBy === "item") {
    const key = checkKey(act, value);
    if (!batch.add(act, value)) return false;
    batch.keys.push(key);
    return true;
  }
  const key = checkKey(act, (sortBy as (item: unknown) => PriorityKey)(value));
  if (!batch.addKey(act, key) || !batch.add(act, value)) return false;
  batch.keys.push(key);
  return true;
}

/** Puts an item if there is room. */
function tryPut(core: QueueCore, value: unknown, sortBy: SortBy): Batch | undefined {
  const items = packOne(core, value, sortBy);
  const count = core.put(items, 0, undefined, false);
  if (count < 0) throw core.shutDownError("put");
  return count === 1 ? undefined : items;
}

/** Puts an item without waiting; throws when there is no room. */
export function putNowait(core: QueueCore, value: unknown, sortBy: SortBy): void {
  if (core.isClosed) throw core.shutDownError("put");
  if (tryPut(core, value, sortBy) !== undefined) throw core.fullError(0);
}

/** Puts an item; waits for room. */
export async function put(
  core: QueueCore,
  value: unknown,
  sortBy: SortBy,
  options: BlockOptions | undefined,
): Promise<void> {
  if (core.isClosed) throw core.shutDownError("put");
  const patience = patienceOf(core.putting, options);
  const items = tryPut(core, value, sortBy);
  if (items === undefined) return;
  if (patience.polls || await core.putAll(items.from(0), patience, 0) === 0) {
    throw core.fullError(0);
  }
}

/** Puts an item; blocks this thread until there is room. */
export function putSync(
  core: QueueCore,
  value: unknown,
  sortBy: SortBy,
  options: BlockSyncOptions | undefined,
): void {
  if (core.isClosed) throw core.shutDownError("put");
  const patience = patienceOfSync(core.putting, options);
  const items = tryPut(core, value, sortBy);
  if (items === undefined) return;
  if (patience.polls || core.putAllSync(items.from(0), patience.deadlineMs, 0) === 0) {
    throw core.fullError(0);
  }
}

/** Puts items; waits for room. */
export async function putMany(
  core: QueueCore,
  values: Iterable<unknown>,
  sortBy: SortBy,
  options: BlockOptions | undefined,
): Promise<void> {
  if (core.isClosed) throw core.shutDownError("put");
  const patience = patienceOf(core.putting, options);
  let before = 0;
  for (const items of packAll(core, values, sortBy)) {
    let count = core.put(items, 0, undefined, false);
    if (count >= 0 && count < items.count && !patience.polls) {
      count += await core.putAll(items.from(count), patience, before + count);
    }
    before = core.checkPut(count, items.count, before);
  }
}

/** Puts items; blocks this thread until there is room. */
export function putManySync(
  core: QueueCore,
  values: Iterable<unknown>,
  sortBy: SortBy,
  options: BlockSyncOptions | undefined,
): void {
  if (core.isClosed) throw core.shutDownError("put");
  const patience = patienceOfSync(core.putting, options);
  let before = 0;
  for (const items of packAll(core, values, sortBy)) {
    let count = core.put(items, 0, undefined, false);
    if (count >= 0 && count < items.count && !patience.polls) {
      count += core.putAllSync(items.from(count), patience.deadlineMs, before + count);
    }
    before = core.checkPut(count, items.count, before);
  }
}

// Getting

/** Takes an item without waiting; throws when there is none. */
export function getNowait(core: QueueCore): unknown {
  if (tryTake(core, 1)) return core.valueOf(inbox);
  throw core.emptyError();
}

/** Takes items if there are any. */
function tryTake(core: QueueCore, most: number): boolean {
  inbox.clear();
  const count = core.take(inbox, most, undefined, false);
  if (count < 0) throw core.shutDownError("get");
  return count > 0;
}

/** Takes an item; waits for one. */
export async function get(core: QueueCore, options: BlockOptions | undefined): Promise<unknown> {
  checkNotOver(core);
  const patience = patienceOf(core.getting, options);
  if (tryTake(core, 1)) return core.valueOf(inbox);
  if (!patience.polls) {
    const found = await core.takeLater(inbox, 1, patience, () => ({ value: core.valueOf(inbox) }));
    if (found !== undefined) return found.value;
  }
  throw core.emptyError();
}

/** Takes an item; blocks this thread until there is one. */
export function getSync(core: QueueCore, options: BlockSyncOptions | undefined): unknown {
  checkNotOver(core);
  const patience = patienceOfSync(core.getting, options);
  if (tryTake(core, 1)) return core.valueOf(inbox);
  if (!patience.polls && core.takeSync(inbox, 1, patience.deadlineMs) > 0) {
    return core.valueOf(inbox);
  }
  throw core.emptyError();
}

/** Takes up to `most` items; waits for the first. */
export async function getMany(
  core: QueueCore,
  most: number,
  options: BlockOptions | undefined,
): Promise<unknown[]> {
  checkMost(core, most);
  const patience = patienceOf(core.getting, options);
  if (tryTake(core, most)) return takeMore(core, core.valuesOf(inbox), most);
  if (!patience.polls) {
    const values = await core.takeLater(inbox, most, patience, () => core.valuesOf(inbox));
    if (values !== undefined) return takeMore(core, values, most);
  }
  throw core.emptyError();
}

/** Takes up to `most` items; blocks this thread until there is one. */
export function getManySync(
  core: QueueCore,
  most: number,
  options: BlockSyncOptions | undefined,
): unknown[] {
  checkMost(core, most);
  const patience = patienceOfSync(core.getting, options);
  if (tryTake(core, most)) return takeMore(core, core.valuesOf(inbox), most);
  if (!patience.polls && core.takeSync(inbox, most, patience.deadlineMs) > 0) {
    return takeMore(core, core.valuesOf(inbox), most);
  }
  throw core.emptyError();
}

/** Throws if there will never be an item again. */
function checkNotOver(core: QueueCore): void {
  if (core.isClosed && core.count === 0) throw core.shutDownError("get");
}

/** Adds to the items, when they have filled the batch, what else is there now and wanted. */
function takeMore(core: QueueCore, values: unknown[], most: number): unknown[] {
  let wanted = Math.min(most - values.length, core.count);
  while (wanted > 0 && !inbox.hasRoom) {
    inbox.clear();
    const count = core.take(inbox, wanted, undefined, false);
    if (count <= 0) break;
    values.push(...core.valuesOf(inbox));
    wanted -= count;
  }
  return values;
}

function checkMost(core: QueueCore, most: unknown): void {
  checkNotOver(core);
  if (typeof most !== "number") {
    throw new TypeError(`Cannot ${core.getting}: expected a number of items, got ${typeof most}`);
  }
  if (!(most >= 1) || (most !== Infinity && !Number.isInteger(most))) {
    throw new RangeError(`Cannot ${core.getting}: expected a whole number from 1 up, got ${most}`);
  }
}
