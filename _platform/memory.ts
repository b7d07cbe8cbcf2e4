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
