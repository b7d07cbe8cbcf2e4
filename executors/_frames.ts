/**
 * Frames: what goes over the channel between two processes, many records at a time.
 *
 * A record is eight words of head, then its payload, filled up to a multiple of eight bytes:
 *
 *   TYPE, A, B, C   what it is, and three numbers of its own
 *   PLACE           INLINE: the payload is words alone; BLOCK: a block as `Encoder.copyTo` writes it
 *   EXTERNS         of a block: byte position of the externs in it
 *   BYTES           length of the payload
 *
 * Payloads are values as the codec has encoded them. Whoever only passes them on never decodes them.
 *
 * @module
 */

import type { Decoder } from "../_memory/decoder.ts";
import type { Encoder } from "../_memory/encoder.ts";
import { encode } from "../_memory/message.ts";
import { PLACE } from "./_protocol.ts";

const HEAD = { TYPE: 0, A: 1, B: 2, C: 3, PLACE: 4, EXTERNS: 5, BYTES: 6, SIZE: 8 } as const;
const HEAD_BYTES = HEAD.SIZE * Int32Array.BYTES_PER_ELEMENT;

const INITIAL_BYTES = 1 << 14;

/** A payload on its way: `bytes` hold it, from `start` on. */
export interface Payload {
  readonly place: number;
  readonly externBase: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
}

/** A payload of nothing. */
export const NO_PAYLOAD: Payload = {
  place: PLACE.INLINE,
  externBase: 0,
  bytes: new Uint8Array(0),
  start: 0,
  length: 0,
};

/** Encodes a value as a payload. */
export function payloadOf(encoder: Encoder, value: unknown): Payload {
  const { block, externBase, extras } = encode(encoder, value);
  if (extras.length > 0) throw unsendableExtra(extras[0]);
  const bytes = new Uint8Array(block);
  return { place: PLACE.BLOCK, externBase, bytes, start: 0, length: bytes.length };
}

/** The error of sending what cannot leave the process. */
export function unsendableExtra(extra: unknown): DOMException {
  const kind = Object.prototype.toString.call(extra).slice(8, -1);
  const remedy = extra instanceof SharedArrayBuffer
    ? "processes share no memory: send a copy, or use a Value or a Queue"
    : "only threads can be sent one";
  return new DOMException(`Cannot send ${kind} to another process: ${remedy}`, "DataCloneError");
}

/** Payloads from this size on are sent at once, in a frame of their own: what would be collected would be copied again. */
export const LARGE_BYTES: number = 1 << 16;

/** A frame of one record. */
export function frameOf(
  type: number,
  a: number,
  b: number,
  c: number,
  payload: Payload,
): Uint8Array {
  const frame = new Uint8Array((HEAD_BYTES + payload.length + 7) & ~7);
  new Int32Array(frame.buffer, 0, HEAD.SIZE).set([
    type,
    a,
    b,
    c,
    payload.place,
    payload.externBase,
    payload.length,
  ]);
  copy(payload, frame, HEAD_BYTES);
  return frame;
}

/** Collects records until they are sent. */
export class FrameWriter {
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #words = new Int32Array(this.#bytes.buffer);
  #length = 0;

  /** Bytes of the records collected. */
  get length(): number {
    return this.#length;
  }

  /** Adds a record. */
  write(type: number, a: number, b: number, c: number, payload: Payload = NO_PAYLOAD): void {
    const { length } = payload;
    const at = this.#length;
    this.#length = (at + HEAD_BYTES + length + 7) & ~7;
    if (this.#length > this.#bytes.length) this.#grow();
    const words = this.#words;
    const head = at >> 2;
    words[head + HEAD.TYPE] = type;
    words[head + HEAD.A] = a;
    words[head + HEAD.B] = b;
    words[head + HEAD.C] = c;
    words[head + HEAD.PLACE] = payload.place;
    words[head + HEAD.EXTERNS] = payload.externBase;
    words[head + HEAD.BYTES] = length;
    copy(payload, this.#bytes, at + HEAD_BYTES);
  }

  #grow(): void {
    const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, Math.min(this.#bytes.length, this.#length)));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
  }

  /** Takes what was collected, as a frame. */
  take(): Uint8Array {
    const frame = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return frame;
  }
}

/** Below this, a loop is faster than a call. */
const LOOPED_BYTES = 128;

/** Copies a payload. Both places are aligned to words. */
export function copy({ bytes, start, length }: Payload, to: Uint8Array, at: number): void {
  if (length > LOOPED_BYTES) {
    to.set(bytes.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = bytes[start + i];
}

/** Reads the records of a frame, one after the other; itself the payload of the present one. */
export class FrameReader implements Payload {
  #bytes: Uint8Array = NO_PAYLOAD.bytes;
  #words: Int32Array = new Int32Array(0);
  #next = 0;
  type = 0;
  a = 0;
  b = 0;
  c = 0;
  place = 0;
  externBase = 0;
  start = 0;
  length = 0;

  /** The memory in which the payload lies. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Begins a frame. */
  open(frame: Uint8Array): void {
    // What the channel hands out need not begin at a word of its buffer.
    this.#bytes = frame.byteOffset % 8 === 0 ? frame : frame.slice();
    this.#words = new Int32Array(
      this.#bytes.buffer,
      this.#bytes.byteOffset,
      this.#bytes.byteLength >> 2,
    );
    this.#next = 0;
  }

  /** Goes to the next record; false after the last. */
  next(): boolean {
    const at = this.#next;
    if (at >= this.#bytes.length) return false;
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
    this.#next = (this.start + this.length + 7) & ~7;
    return true;
  }

  /** Decodes the payload of the present record. */
  decode(decoder: Decoder): unknown {
    const externs = this.place === PLACE.BLOCK ? this.start + this.externBase : 0;
    return decoder.decode(this.#words, this.#bytes, this.start >> 2, externs);
  }

  /** Keeps the payload of the present record for later. */
  keep(): Payload {
    const { place, externBase, start, length } = this;
    return { place, externBase, bytes: this.#bytes.slice(start, start + length), start: 0, length };
  }
}
