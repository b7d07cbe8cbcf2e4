/**
 * Encoded values outside shared memory: kept on the heap for later, or carried by a message.
 *
 * @module
 */

import type { Decoder } from "./decoder.ts";
import type { Encoder } from "./encoder.ts";

/** A value in bytes, and what only a message can carry of it. */
export interface Encoded {
  /** The block as `Encoder.copyTo` writes it. */
  readonly block: ArrayBuffer;
  /** Byte position of the externs in it. */
  readonly externBase: number;
  /** What structured clone has to carry, by the numbers that the block has for it. */
  readonly extras: readonly unknown[];
}

/** No word fits: has the encoder spill whatever it encodes. */
const NOWHERE = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

/** Byte position of the externs in a block of which `words` words are written at `offset`. */
export function externBaseOf(offset: number, words: number): number {
  return offset + ((words + 1) & ~1) * Int32Array.BYTES_PER_ELEMENT; // The bytes may take more than 31 bits.
}

/** Copies what the encoder has spilled to a block of its own. */
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

/** Encodes a value to a block of its own. */
export function encode(
  encoder: Encoder,
  value: unknown,
  transfer?: ReadonlySet<object>,
): Encoded {
  encoder.encode(value, NOWHERE, NO_BYTES, 0, 0, transfer);
  return takeSpilled(encoder);
}

/** The value that {@linkcode encode} was given. */
export function decode(decoder: Decoder, { block, externBase, extras }: Encoded): unknown {
  return decoder.decode(new Int32Array(block), new Uint8Array(block), 0, externBase, extras);
}
