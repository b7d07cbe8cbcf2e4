/**
 * Views of shared memory that grows.
 *
 * @module
 */

import { WORD_BYTES } from "./layout.ts";

/**
 * A growable buffer with two views of it. The views have a fixed length, and are made anew when the
 * buffer has grown: each access through a view that tracks the buffer's length costs 8 nanoseconds
 * more, twenty times as much.
 */
export class GrowingMemory {
  readonly buffer: SharedArrayBuffer;
  words!: Int32Array;
  bytes!: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.follow();
  }

  /**
   * Makes the views as long as the buffer is now. Call before reading what another thread has
   * allocated.
   */
  follow(): void {
    const { byteLength } = this.buffer;
    if (this.bytes?.length === byteLength) return;
    this.words = new Int32Array(this.buffer, 0, byteLength / WORD_BYTES);
    this.bytes = new Uint8Array(this.buffer, 0, byteLength);
  }
}
