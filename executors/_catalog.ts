/**
 * The functions of a pool, numbered: written by its owner, read by all its workers.
 *
 * Word COUNT: the number of entries. The entries follow one another: a header, then the encoded
 * {@linkcode Target}. Entries are only added, and COUNT is stored after the entry that it counts:
 * an entry below COUNT never changes. A task names its function by its number. So a worker that has
 * run the function before need not look it up, and another worker finds it here without asking
 * another thread.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { Decoder } from "../_memory/decoder.ts";
import { Encoder } from "../_memory/encoder.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import { decode, encode } from "../_memory/message.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Target } from "./_target.ts";

const COUNT = 0;
const FIRST_ENTRY = 2;
/** Words before an entry's block: its length, and where its externs begin, both in bytes. */
const HEADER_WORDS = 2;

const INITIAL_BYTES = 1 << 14;
/** Only reserved address space until it is used. */
const MAX_BYTES = 1 << 26;

/** The catalog as its owner sees it. */
export class Catalog {
  readonly buffer: SharedArrayBuffer = createSharedMemory(INITIAL_BYTES, MAX_BYTES);
  readonly #words = new Int32Array(this.buffer);
  readonly #bytes = new Uint8Array(this.buffer);
  readonly #numbers = new Map<string, number>();
  readonly #encoder = new Encoder();
  #end = FIRST_ENTRY;

  /** The number of a target; adds the target if it is new. */
  numberOf(target: Target): number {
    const key = target.kind === "module"
      ? `m ${target.name} ${target.url} ${target.nth ?? ""} ${target.text ?? ""}`
      : `s ${target.name} ${target.text}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const { block, externBase } = encode(this.#encoder, target);
    const start = (this.#end + HEADER_WORDS) * WORD_BYTES;
    this.#makeRoom(start + block.byteLength);
    this.#bytes.set(new Uint8Array(block), start);
    this.#words[this.#end] = block.byteLength;
    this.#words[this.#end + 1] = externBase;
    this.#end += HEADER_WORDS + block.byteLength / WORD_BYTES;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    store(this.#words, COUNT, number + 1);
    return number;
  }

  #makeRoom(bytes: number): void {
    const { buffer } = this;
    if (bytes <= buffer.byteLength) return;
    if (bytes > buffer.maxByteLength) {
      throw new NotShareableError(
        `Cannot send function: ${this.#numbers.size} different functions fill the ${MAX_BYTES} bytes that a pool has for them; export the function from a module and mark it with task(import.meta, ...)`,
      );
    }
    buffer.grow(Math.min(buffer.maxByteLength, Math.max(bytes, buffer.byteLength * 2)));
  }
}

/** The catalog as a worker sees it. */
export class CatalogReader {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #decoder = new Decoder();
  readonly #targets: Target[] = [];
  #end = FIRST_ENTRY;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  /** The target with that number. */
  targetOf(number: number): Target {
    const count = load(this.#words, COUNT);
    while (this.#targets.length < count) {
      const length = this.#words[this.#end];
      const externBase = this.#words[this.#end + 1];
      const start = (this.#end + HEADER_WORDS) * WORD_BYTES;
      const block = new ArrayBuffer(length);
      new Uint8Array(block).set(this.#bytes.subarray(start, start + length));
      this.#targets.push(decode(this.#decoder, { block, externBase, extras: [] }) as Target);
      this.#end += HEADER_WORDS + length / WORD_BYTES;
    }
    return this.#targets[number];
  }
}
