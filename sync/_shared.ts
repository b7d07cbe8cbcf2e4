/**
 * What every object of this folder is made of: words in shared memory, this thread's seat in the
 * table of threads that may wait for the object, and a name.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { isRemoteData } from "../_memory/core.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import { home, type Seat, seatIn } from "../_memory/seat.ts";

/** What stands for an object while it crosses, beside its kind. */
export interface SharedData {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly threads: SharedArrayBuffer;
  readonly name: string | undefined;
}

/** An object's words, as this thread sees them. */
export class SharedWords {
  readonly words: Int32Array;
  readonly seat: Seat;
  readonly name: string | undefined;

  constructor(words: Int32Array, seat: Seat, name: string | undefined) {
    this.words = words;
    this.seat = seat;
    this.name = name;
  }

  /** Words for a new object, all 0. */
  static create(size: number, name?: string, seat: Seat = home()): SharedWords {
    if (name !== undefined && typeof name !== "string") {
      throw new TypeError(`Cannot name object: expected a string, got ${describe(name)}`);
    }
    return new SharedWords(
      new Int32Array(createSharedMemory(size * WORD_BYTES)),
      seat,
      name,
    );
  }

  /** The words that the data of a handle refer to. */
  static open(data: unknown, size: number): SharedWords {
    const { buffer, byteOffset, threads, name } = data as SharedData;
    return new SharedWords(new Int32Array(buffer, byteOffset, size), seatIn(threads), name);
  }

  /** A part of these words, as an object of its own. */
  part(from: number, size: number): SharedWords {
    return new SharedWords(this.words.subarray(from, from + size), this.seat, this.name);
  }

  /** What stands for the object while it crosses. */
  get data(): SharedData {
    const { words, seat, name } = this;
    return {
      buffer: words.buffer as SharedArrayBuffer,
      byteOffset: words.byteOffset,
      threads: seat.table.buffer,
      name,
    };
  }
}

/** What error texts call an object: `Lock`, or `Lock "accounts"`. */
export function labelOf(kind: string, name: string | undefined): string {
  return name === undefined ? kind : `${kind} "${name}"`;
}

/**
 * The data of a handle, which must be one of the kind.
 *
 * @throws {TypeError} If it is a handle of another kind, or no handle.
 */
export function dataOf(handle: Handle, kind: string): unknown {
  if (typeof handle !== "object" || handle === null || typeof handle.kind !== "string") {
    const got = handle !== null && typeof handle === "object" && HANDLE in handle
      ? "the object itself"
      : describe(handle);
    throw new TypeError(`Cannot rebuild ${kind}: expected a handle, got ${got}; pass its "handle"`);
  }
  if (handle.kind !== kind) {
    throw new TypeError(
      `Cannot rebuild ${kind}: expected a handle of kind "${kind}", got one of "${handle.kind}"`,
    );
  }
  if (isRemoteData(handle.data)) return handle.data;
  const { buffer, threads } = (handle.data ?? {}) as Partial<SharedData>;
  if (!(buffer instanceof SharedArrayBuffer) || !(threads instanceof SharedArrayBuffer)) {
    throw new TypeError(
      `Cannot rebuild ${kind}: the handle holds no shared memory; was it copied as JSON?`,
    );
  }
  return handle.data;
}
