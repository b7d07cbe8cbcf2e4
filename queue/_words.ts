/**
 * A queue's memory: made for a new queue, or opened from a handle.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { home, type Seat, seatIn } from "../_memory/seat.ts";
import { createHeapBuffer } from "./_heap.ts";

/** Bytes that a queue may take by default. */
const DEFAULT_CAPACITY_BYTES = 1 << 28;
const LEAST_CAPACITY_BYTES = 1 << 12;
const MOST_CAPACITY_BYTES = 1 << 30;

/** What stands for a queue while it crosses, beside its kind. */
export interface QueueData {
  readonly buffer: SharedArrayBuffer;
  readonly threads: SharedArrayBuffer;
  readonly name: string | undefined;
  /** Whether the keys of the items come from a function, which stays in the thread that has it. */
  readonly isSorted: boolean;
}

/** A queue's memory, as one seat sees it. */
export interface QueueWords {
  readonly buffer: SharedArrayBuffer;
  readonly seat: Seat;
  readonly name: string | undefined;
  readonly isSorted: boolean;
}

/** Memory for a new queue. */
export function createWords(
  kind: string,
  name: unknown,
  capacityBytes: unknown = DEFAULT_CAPACITY_BYTES,
): QueueWords {
  if (name !== undefined && typeof name !== "string") {
    throw new TypeError(`Cannot make ${kind}: name must be a string, got ${describe(name)}`);
  }
  if (typeof capacityBytes !== "number") {
    throw new TypeError(
      `Cannot make ${kind}: capacityBytes must be a number, got ${describe(capacityBytes)}`,
    );
  }
  if (!(capacityBytes >= LEAST_CAPACITY_BYTES && capacityBytes <= MOST_CAPACITY_BYTES)) {
    throw new RangeError(
      `Cannot make ${kind}: capacityBytes must be from ${LEAST_CAPACITY_BYTES} to ${MOST_CAPACITY_BYTES}, got ${capacityBytes}`,
    );
  }
  const buffer = createHeapBuffer(Math.ceil(capacityBytes / 8) * 8);
  return { buffer, seat: home(), name, isSorted: false };
}

/** The memory that the data of a handle refer to. */
export function openWords(data: unknown): QueueWords {
  const { buffer, threads, name, isSorted } = data as QueueData;
  return { buffer, seat: seatIn(threads), name, isSorted };
}
