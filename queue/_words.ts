/**
 * A queue's memory, new or found again, and what stands for it while it crosses.
 *
 * @module
 */

import type { Handle } from "../_memory/handle.ts";
import { home, type Seat, seatIn } from "../_memory/seat.ts";
import { createHeapBuffer } from "./_heap.ts";

/** Bytes that a queue may take if nothing else is said. */
const DEFAULT_CAPACITY_BYTES = 1 << 28;
const LEAST_CAPACITY_BYTES = 1 << 12;
const MOST_CAPACITY_BYTES = 1 << 30;

/** What stands for a queue while it crosses, beside its kind. */
interface QueueData {
  readonly buffer: SharedArrayBuffer;
  readonly threads: SharedArrayBuffer;
  readonly name: string | undefined;
  readonly isSorted: boolean;
}

/** A queue's memory, as one thread sees it. */
export class QueueWords {
  readonly buffer: SharedArrayBuffer;
  readonly seat: Seat;
  readonly name: string | undefined;
  /** Whether a function sorts the items, which stays in the thread that has it. */
  isSorted: boolean;

  private constructor(
    buffer: SharedArrayBuffer,
    seat: Seat,
    name: string | undefined,
    isSorted: boolean,
  ) {
    this.buffer = buffer;
    this.seat = seat;
    this.name = name;
    this.isSorted = isSorted;
  }

  /** Memory for a new queue. */
  static create(
    kind: string,
    name: unknown,
    capacityBytes: unknown = DEFAULT_CAPACITY_BYTES,
  ): QueueWords {
    if (name !== undefined && typeof name !== "string") {
      throw new TypeError(`Cannot make ${kind}: name must be a string, got ${typeof name}`);
    }
    if (typeof capacityBytes !== "number") {
      throw new TypeError(
        `Cannot make ${kind}: capacityBytes must be a number, got ${typeof capacityBytes}`,
      );
    }
    if (!(capacityBytes >= LEAST_CAPACITY_BYTES && capacityBytes <= MOST_CAPACITY_BYTES)) {
      throw new RangeError(
        `Cannot make ${kind}: capacityBytes must be from ${LEAST_CAPACITY_BYTES} to ${MOST_CAPACITY_BYTES}, got ${capacityBytes}`,
      );
    }
    const bytes = Math.ceil(capacityBytes / 8) * 8;
    return new QueueWords(createHeapBuffer(bytes), home(), name, false);
  }

  /** The memory that the data of a handle stand for. */
  static open(data: unknown): QueueWords {
    const { buffer, threads, name, isSorted } = data as QueueData;
    return new QueueWords(buffer, seatIn(threads), name, isSorted);
  }

  /** What stands for the queue while it crosses. */
  handle(kind: string): Handle {
    const { buffer, seat, name, isSorted } = this;
    const data: QueueData = { buffer, threads: seat.table.buffer, name, isSorted };
    return { kind, data };
  }

  /** `Queue`, or `Queue "downloads"`: how error texts call the queue. */
  label(kind: string): string {
    return this.name === undefined ? kind : `${kind} "${this.name}"`;
  }
}
