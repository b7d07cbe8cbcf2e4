/**
 * The only maker of shared memory in the package. It explains in its errors why there is none.
 *
 * @module
 */

import { canWaitAsync } from "./atomics.ts";

/** Whether this thread can make shared memory. In a browser, only an isolated page can. */
export const hasSharedMemory: boolean = typeof SharedArrayBuffer === "function";

/** Whether a browser withholds shared memory only as the page is not isolated. */
function lacksHeaders(): boolean {
  const { crossOriginIsolated } = globalThis as { readonly crossOriginIsolated?: boolean };
  return !crossOriginIsolated && !("ServiceWorkerGlobalScope" in globalThis);
}

/**
 * Makes shared memory, all 0.
 *
 * @param byteLength Its size in bytes.
 * @param maxByteLength The size to which it may grow; address space only, until it is used.
 * @throws {Error} When the host has no shared memory, or lacks what the package needs to wait on
 * it.
 */
export function createSharedMemory(byteLength: number, maxByteLength?: number): SharedArrayBuffer {
  if (!hasSharedMemory) {
    throw new Error(
      `Cannot share memory between threads: ${
        lacksHeaders()
          ? "this page is not isolated, so the browser gives it no SharedArrayBuffer; have it served over https, or from localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp"
          : "the browser has no SharedArrayBuffer in this kind of thread, as Firefox in service workers, or in none; use the package in a page, or in another browser"
      }`,
    );
  }
  if (!canWaitAsync || !("grow" in SharedArrayBuffer.prototype)) {
    throw new Error(
      "Cannot share memory between threads: this browser lacks Atomics.waitAsync, or shared memory that grows; they are in Chrome and Edge 111, Safari 16.4, Firefox 145, and later",
    );
  }
  return new SharedArrayBuffer(byteLength, maxByteLength === undefined ? {} : { maxByteLength });
}

/** Whether the memory of a buffer was transferred elsewhere. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0 || !(buffer instanceof ArrayBuffer)) return false;
  const { detached } = buffer as { detached?: boolean };
  if (detached !== undefined) return detached;
  // Older engines refuse to make a view of a detached buffer.
  try {
    return new Uint8Array(buffer).length > 0;
  } catch {
    return true;
  }
}

/** Copies of at least this many bytes get a lid: a small buffer allocated right behind them. */
const LARGE_BYTES = 1 << 16;
const LID_BYTES = 128;

/** The lid behind the last large copy. */
const kept: { lid?: ArrayBuffer } = {};

/**
 * Copies bytes to a new buffer of this thread's own.
 *
 * A mebibyte fresh from the system takes 400 to 800 microseconds to touch, one that was used before
 * 30. The C library of Linux gives memory back to the system as soon as much of it is free at the
 * end of its heap. That happens when thirty arrays are collected at once, and the next thirty are
 * fresh again. The lid, a small buffer behind the last array, lives until the next large copy and
 * keeps the library from giving the memory back. The memory kept is never more than was in use at
 * once.
 */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  // Measured with a megabyte: this has the best median in three runs of four (69-109 us; a new
  // array and `set` 78-93, `slice` of the view 83-105). SharedArrayBuffer.slice takes fresh memory
  // most of the time (410-490).
  const copy = new Uint8Array(bytes);
  if (copy.length >= LARGE_BYTES) kept.lid = new ArrayBuffer(LID_BYTES);
  return copy;
}
