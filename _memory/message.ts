/**
 * Encoded values outside shared memory: kept on the heap for later, or carried by a message.
 *
 * @module
 */

import type { Decoder } from "./decoder.ts";
import type { Encoder } from "./encoder.ts";

/** A value in bytes, and the parts of it that only a message can carry. */
export interface Encoded {
  /** The block as `Encoder.copyTo` writes it. */
  readonly block: ArrayBuffer;
  /** Byte position of the externs in it. */
  readonly externBase: number;
  /** The objects that structured clone must carry, by their indexes in the block. */
  readonly extras: readonly unknown[];
}

/** A target without room, so that the encoder spills whatever it encodes. */
const NOWHERE = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

/** Byte position of the externs in a block at `offset` that begins with `words` words. */
export function externBaseOf(offset: number, words: number): number {
  // Not by a shift: the bytes may take more than 31 bits.
  return offset + ((words + 1) & ~1) * Int32Array.BYTES_PER_ELEMENT;
}

/** Copies what the encoder has spilled to a new block. */
export function takeSpilled(encoder: Encoder): Encoded {
  const block = new ArrayBuffer(encoder.blockBytes);
  encoder.copyTo(new Int32Array(block), new Uint8Array(block), 0);
  const encoded: Encoded = {
    block,
    externBase: externBaseOf(0, encoder.spillWords),
    extras: encoder.extras.slice(),
  };
  encoder.reset();
  return encoded;
}

/** Encodes a value to a new block. */
export function encode(
  encoder: Encoder,
  value: unknown,
  transfer?: ReadonlySet<object>,
): Encoded {
  encoder.encode(value, NOWHERE, NO_BYTES, 0, 0, transfer);
  return takeSpilled(encoder);
}

/** Decodes what {@linkcode encode} returned. */
export function decode(decoder: Decoder, { block, externBase, extras }: Encoded): unknown {
  return decoder.decode(new Int32Array(block), new Uint8Array(block), 0, externBase, extras);
}
