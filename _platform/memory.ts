/**
 * The only maker of shared memory in the package, which knows what to say where there is none.
 *
 * @module
 */

import { canWaitAsync } from "./atomics.ts";

/** Whether this thread can make shared memory. A page of a browser must be isolated for it. */
export const hasSharedMemory: boolean = typeof SharedArrayBuffer === "function";

/**
 * Makes shared memory, all 0.
 *
 * @param byteLength Its size in bytes.
 * @param maxByteLength What it may grow to; address space only, until it is used.
 * @throws {Error} When the host has none, or lacks what the package needs to wait for it.
 */
export function createSharedMemory(byteLength: number, maxByteLength?: number): SharedArrayBuffer {
  if (!hasSharedMemory) {
    throw new Error(
      "Cannot share memory between threads: this page is not isolated, so the browser gives it no SharedArrayBuffer; have it served over https, or from localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  if (!canWaitAsync || !("grow" in SharedArrayBuffer.prototype)) {
    throw new Error(
      "Cannot share memory between threads: this browser lacks Atomics.waitAsync, or shared memory that grows; they are in Chrome and Edge 111, Safari 16.4, Firefox 145, and later",
    );
  }
  return new SharedArrayBuffer(byteLength, maxByteLength === undefined ? {} : { maxByteLength });
}

/** Copies of so many bytes have a lid put on. */
const LARGE_BYTES = 1 << 16;
const LID_BYTES = 128;

/** What lies behind the last large copy. */
const kept: { lid?: ArrayBuffer } = {};

/**
 * Copies bytes to memory of this thread's own.
 *
 * A mebibyte fresh from the system takes 400 to 800 microseconds to touch, one that was used before 30. The C library of Linux
 * gives memory back as soon as much of it is free at the end of its heap; so it is when thirty arrays are collected at once, and
 * the next thirty are fresh again. A small buffer behind the last one, which lives until the next, has it keep them. What
 * it keeps is no more than lay there at once.
 */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // Measured with a megabyte: this has the best median in three runs of four (69-109 us; a new array and `set` 78-93, `slice` of the
  // view 83-105). SharedArrayBuffer.slice mostly takes fresh memory (410-490).
  const copy = new Uint8Array(bytes);
  if (copy.length >= LARGE_BYTES) kept.lid = new ArrayBuffer(LID_BYTES);
  return copy;
}
