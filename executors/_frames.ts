/**
 * Frames: the unit that crosses the channel between two processes. A frame holds many records,
 * behind a head that the channel fills in.
 *
 * A record is eight words of head, then its payload, filled up to a multiple of eight bytes:
 *
 *   TYPE, A, B, C   what it is, and three numbers of its own
 *   PLACE           INLINE: the payload is words alone; BLOCK: a block as `Encoder.copyTo` writes it
 *   EXTERNS         of a block: byte position of the externs in it
 *   BYTES           length of the payload
 *
 * @module
 */

import type { FrameChannel } from "../_platform/processes.ts";
import { FRAME_HEAD_BYTES, MOST_KEPT_BYTES } from "../_platform/socket_channel.ts";
import { copy, NO_PAYLOAD, type Payload } from "./_payload.ts";
import { PLACE } from "./_protocol.ts";

const HEAD = { TYPE: 0, A: 1, B: 2, C: 3, PLACE: 4, EXTERNS: 5, BYTES: 6, SIZE: 8 } as const;
const HEAD_BYTES = HEAD.SIZE * Int32Array.BYTES_PER_ELEMENT;

const INITIAL_BYTES = 1 << 14;

/**
 * Payloads from this size on are sent at once, in a frame of their own: collecting them would copy
 * them once more.
 */
const LARGE_BYTES = 1 << 16;

/** A frame that has become larger than this is sent at once. */
const MOST_BYTES = 1 << 20;

/** Collects records, and sends them over a channel. */
export class FrameSender {
  readonly #channel: FrameChannel;
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #words = new Int32Array(this.#bytes.buffer);
  #length = FRAME_HEAD_BYTES;
  /** Memory of a large frame that has left this process, for reuse. */
  #spare: Uint8Array = NO_PAYLOAD.bytes;

  constructor(channel: FrameChannel) {
    this.#channel = channel;
  }

  /** Adds a record to the next frame. */
  write(type: number, a: number, b: number, c: number, payload: Payload = NO_PAYLOAD): void {
    const size = (HEAD_BYTES + payload.length + 7) & ~7;
    if (payload.length >= LARGE_BYTES) {
      this.flush();
      const length = FRAME_HEAD_BYTES + size;
      const bytes = this.#takeSpare(length);
      writeRecord(new Int32Array(bytes.buffer), bytes, FRAME_HEAD_BYTES, type, a, b, c, payload);
      this.#channel.send(bytes.subarray(0, length), () => this.#keepSpare(bytes));
      return;
    }
    const at = this.#length;
    this.#length = at + size;
    if (this.#length > this.#bytes.length) this.#grow(at);
    writeRecord(this.#words, this.#bytes, at, type, a, b, c, payload);
    if (this.#length > MOST_BYTES) this.flush();
  }

  /**
   * Memory for a frame: the spare one, if it is large enough, as touching fresh memory takes longer
   * than filling it.
   */
  #takeSpare(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = NO_PAYLOAD.bytes;
    return spare.length >= length ? spare : new Uint8Array(length);
  }

  #keepSpare(bytes: Uint8Array): void {
    if (bytes.length > this.#spare.length && bytes.length <= MOST_KEPT_BYTES) this.#spare = bytes;
  }

  #grow(used: number): void {
    const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, used));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
  }

  /** Sends what was collected. */
  flush(): void {
    if (this.#length === FRAME_HEAD_BYTES) return;
    this.#channel.send(this.#bytes.slice(0, this.#length));
    this.#length = FRAME_HEAD_BYTES;
  }
}

function writeRecord(
  words: Int32Array,
  bytes: Uint8Array,
  at: number,
  type: number,
  a: number,
  b: number,
  c: number,
  payload: Payload,
): void {
  const head = at >> 2;
  words[head + HEAD.TYPE] = type;
  words[head + HEAD.A] = a;
  words[head + HEAD.B] = b;
  words[head + HEAD.C] = c;
  words[head + HEAD.PLACE] = payload.place;
  words[head + HEAD.EXTERNS] = payload.externBase;
  words[head + HEAD.BYTES] = payload.length;
  copy(payload, bytes, at + HEAD_BYTES);
}

/** Reads the records of a frame one by one; it is itself the payload of the present one. */
export class FrameReader implements Payload {
  #words: Int32Array = new Int32Array(0);
  #next = 0;
  type = 0;
  a = 0;
  b = 0;
  c = 0;
  place = 0;
  externBase = 0;
  bytes: Uint8Array = NO_PAYLOAD.bytes;
  start = 0;
  length = 0;

  /** Begins a frame. */
  open(frame: Uint8Array): void {
    // The frame need not begin at a word of its buffer.
    const bytes = this.bytes = frame.byteOffset % 8 === 0 ? frame : frame.slice();
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    this.#next = FRAME_HEAD_BYTES;
  }

  /**
   * Goes to the next record; false after the last.
   *
   * @throws {RangeError} When the record does not lie within the frame.
   */
  next(): boolean {
    const at = this.#next;
    if (at >= this.bytes.length) return false;
    const words = this.#words;
    const head = at >> 2;
    this.type = words[head + HEAD.TYPE];
    this.a = words[head + HEAD.A];
    this.b = words[head + HEAD.B];
    this.c = words[head + HEAD.C];
    this.place = words[head + HEAD.PLACE];
    this.externBase = words[head + HEAD.EXTERNS];
    this.start = at + HEAD_BYTES;
    this.length = words[head + HEAD.BYTES];
    const end = this.start + this.length;
    if (!this.#isWhole(end)) {
      throw new RangeError("Cannot read frame: one of its records does not fit into it");
    }
    this.#next = (end + 7) & ~7;
    return true;
  }

  /** Whether the record is one: a task may have written it. */
  #isWhole(end: number): boolean {
    const { place, externBase, length } = this;
    // Where the frame ends before the length, that is `undefined`, and not 0 or more.
    if (!(length >= 0) || end > this.bytes.length) return false;
    return place === PLACE.INLINE ||
      (place === PLACE.BLOCK && externBase >= 0 && externBase <= length);
  }
}
