/**
 * Payloads: encoded values on their way through threads and processes that pass them on without
 * decoding them.
 *
 * @module
 */

import type { Arena, ArenaView } from "../_memory/arena.ts";
import { isRemoteData } from "../_memory/core.ts";
import type { Decoder } from "../_memory/decoder.ts";
import { Encoder } from "../_memory/encoder.ts";
import type { Refusal } from "../_memory/exotic_writer.ts";
import { HANDLE, type Handle, type Shareable } from "../_memory/handle.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import { encode, type Encoded } from "../_memory/message.ts";
import { NotShareableError } from "../sync/errors.ts";
import { BLOCK, PLACE } from "./_protocol.ts";

/** A payload: `bytes` holds it from `start` on, which is aligned to words. */
export interface Payload {
  /** INLINE: words alone; BLOCK: a block as `Encoder.copyTo` writes it. */
  readonly place: number;
  /** For a block: byte position of the externs in it. */
  readonly externBase: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
}

/** Memory that holds payloads: a ring. */
interface Memory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

/** A payload of nothing. */
export const NO_PAYLOAD: Payload = {
  place: PLACE.INLINE,
  externBase: 0,
  bytes: new Uint8Array(0),
  start: 0,
  length: 0,
};

/**
 * The most bytes of a payload: lengths of frames and payloads are kept in Int32 words, and are
 * rounded up.
 */
const MOST_BYTES = 0x7fffff00;

/**
 * Makes an encoder write for another process.
 *
 * @param handleOf Returns the handle that stands for a shared object on the way.
 */
export function writeForProcess(
  encoder: Encoder,
  handleOf: ((object: Shareable) => Handle) | undefined,
): void {
  encoder.handleOf = handleOf;
  encoder.refusalOf = refusalOf;
  encoder.mostBytes = MOST_BYTES;
}

/**
 * The handle that stands for an object on its way to the parent, to which only the parent's own
 * objects can return.
 */
export function handleForParent(object: Shareable): Handle {
  const handle = object[HANDLE]();
  const { buffer } = (handle.data ?? {}) as { buffer?: unknown };
  if (isRemoteData(handle.data) || !(buffer instanceof SharedArrayBuffer)) return handle;
  throw new NotShareableError(
    `Cannot send ${handle.kind} to another process: it was made in this one; make it in the parent, and send it from there`,
  );
}

/** Refuses something that cannot leave the process. */
function refusalOf(extra: object): Refusal {
  const kind = extra.constructor.name; // In Node a port's `Symbol.toStringTag` differs.
  const memory = ArrayBuffer.isView(extra) ? extra.buffer : extra;
  let remedy = "only threads can be sent one";
  if (memory instanceof SharedArrayBuffer) {
    remedy = "processes share no memory: send a copy, or use a Value or a Queue";
  } else if (memory instanceof ArrayBuffer) remedy = "it is too large: send it in parts";
  return (place) =>
    new NotShareableError(`Cannot send ${kind}${place} to another process: ${remedy}`);
}

const encoder = new Encoder();
writeForProcess(encoder, undefined);

/** Encodes a value as a payload. */
export function payloadOf(value: unknown): Payload {
  return blockPayload(encode(encoder, value));
}

/** The payload of a value that was encoded for another process, and so has no extras. */
export function blockPayload({ block, externBase }: Encoded): Payload {
  const bytes = new Uint8Array(block);
  return { place: PLACE.BLOCK, externBase, bytes, start: 0, length: bytes.length };
}

/** The message form of a payload that is a block. */
export function encodedOf(payload: Payload): Encoded {
  const { bytes, externBase } = keep(payload);
  return { block: bytes.buffer as ArrayBuffer, externBase, extras: [] };
}

/** The value of a payload. */
export function decodePayload(decoder: Decoder, payload: Payload): unknown {
  const { place, externBase, bytes, start } = payload;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  return decoder.decode(words, bytes, start >> 2, place === PLACE.BLOCK ? start + externBase : 0);
}

/** A copy of a payload, to keep when its memory is given back. */
export function keep({ place, externBase, bytes, start, length }: Payload): Payload {
  return { place, externBase, bytes: bytes.slice(start, start + length), start: 0, length };
}

/** Below this, a loop is faster than a call. */
const LOOPED_BYTES = 128;

/** Copies a payload to a place that is aligned to words. */
export function copy({ bytes, start, length }: Payload, to: Uint8Array, at: number): void {
  if (length > LOOPED_BYTES) {
    to.set(bytes.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = bytes[start + i];
}

// In a slot or a record, and in the arena beside its ring

/**
 * Writes a payload into the words from `at` on, or into a block that three words there name.
 *
 * @returns The place of the payload; MESSAGE when the arena has no room, and nothing was written.
 */
export function lay(payload: Payload, { words, bytes }: Memory, at: number, arena: Arena): number {
  const { length } = payload;
  if (payload.place === PLACE.INLINE) {
    copy(payload, bytes, at * WORD_BYTES);
    return PLACE.INLINE;
  }
  const offset = arena.allocate(length);
  if (offset < 0) return PLACE.MESSAGE;
  copy(payload, arena.bytes, offset);
  words[at + BLOCK.OFFSET] = offset;
  words[at + BLOCK.EXTERNS] = offset + payload.externBase;
  words[at + BLOCK.LENGTH] = length;
  return PLACE.BLOCK;
}

/**
 * The payload that {@linkcode lay} has written at `at`, in place: valid until its words, and its
 * block, are given back.
 *
 * @param place INLINE or BLOCK.
 * @param inlineWords Its length, if it is INLINE.
 */
export function payloadAt(
  place: number,
  { words, bytes }: Memory,
  at: number,
  inlineWords: number,
  arena: ArenaView,
): Payload {
  if (place === PLACE.INLINE) {
    const length = inlineWords * WORD_BYTES;
    return { place, externBase: 0, bytes, start: at * WORD_BYTES, length };
  }
  arena.follow();
  const start = words[at + BLOCK.OFFSET];
  return {
    place,
    externBase: words[at + BLOCK.EXTERNS] - start,
    bytes: arena.bytes,
    start,
    length: words[at + BLOCK.LENGTH],
  };
}
