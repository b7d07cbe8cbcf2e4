/**
 * Mail passed on undecoded: the two ends of a mailbox (see `_mailbox.ts`) for whoever stands between two processes.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { type Arena, ArenaView } from "../_memory/arena.ts";
import type { Bell } from "../_memory/doorbell.ts";
import type { Encoded } from "../_memory/message.ts";
import { RecordReader, type RecordRingPlace, RecordWriter } from "../_memory/record_ring.ts";
import { copy, type Payload, unsendableExtra } from "./_frames.ts";
import { HEADER_WORDS, KIND_SHIFT, PAYLOAD_WORDS } from "./_mailbox.ts";
import { PLACE } from "./_protocol.ts";

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** Takes mail out of a ring, to be sent on. */
export class RelayReader implements Payload {
  readonly #records: RecordReader;
  readonly #arena: ArenaView;
  readonly #port: MessagePort;
  kind = 0;
  id = 0;
  place = 0;
  externBase = 0;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
  /** What the mail holds that no process can be sent, as an error. */
  refusal: DOMException | undefined;

  constructor(place: RecordRingPlace, arena: SharedArrayBuffer, port: MessagePort) {
    this.#records = new RecordReader(place);
    this.#arena = new ArenaView(arena);
    this.#port = port;
  }

  /** True when {@linkcode take} would find something. */
  get hasMail(): boolean {
    return this.#records.hasRecord();
  }

  /**
   * Looks at the oldest piece of mail, and has `pass` copy its payload; false when there is none. The mail is gone
   * afterwards.
   */
  take(pass: () => void): boolean {
    const records = this.#records;
    const at = records.peek();
    if (at < 0) return false;
    const { words } = records;
    const head = words[at];
    const place = head & PLACE.MASK;
    const payload = at + HEADER_WORDS;
    this.kind = head >> KIND_SHIFT;
    this.id = words[at + 1];
    this.place = place === PLACE.INLINE ? PLACE.INLINE : PLACE.BLOCK;
    this.refusal = undefined;
    if (place === PLACE.INLINE) {
      this.bytes = records.bytes;
      this.start = payload * WORD_BYTES;
      this.length = (words[at - 1] - 1 - HEADER_WORDS) * WORD_BYTES;
      this.externBase = 0;
    } else if (place === PLACE.BLOCK) {
      this.#arena.follow();
      this.bytes = this.#arena.bytes;
      this.start = words[payload];
      this.externBase = words[payload + 1] - this.start;
      this.length = words[payload + 2];
    } else {
      const { block, externBase, extras } = platform.receive(this.#port)!.message as Encoded;
      if (extras.length > 0) this.refusal = unsendableExtra(extras[0]);
      this.bytes = new Uint8Array(block);
      this.start = 0;
      this.externBase = externBase;
      this.length = block.byteLength;
    }
    try {
      pass();
    } finally {
      if (place === PLACE.BLOCK) this.#arena.release(this.start);
      records.advance();
    }
    return true;
  }
}

/** Puts mail into a ring that has come from another process. */
export class RelayWriter {
  readonly #records: RecordWriter;
  readonly #arena: Arena;
  readonly #port: MessagePort;
  readonly #bell: Bell;

  constructor(place: RecordRingPlace, arena: Arena, port: MessagePort, bell: Bell) {
    this.#records = new RecordWriter(place);
    this.#arena = arena;
    this.#port = port;
    this.#bell = bell;
  }

  /** A promise for room, once {@linkcode write} has found none. */
  async room(): Promise<void> {
    await this.#records.room();
  }

  /** Wakes the reader, once all has been written. */
  ring(): void {
    this.#bell.ring();
  }

  /** Puts a payload into the ring; false when there is no room. */
  write(kind: number, id: number, payload: Payload): boolean {
    const records = this.#records;
    const isInline = payload.place === PLACE.INLINE;
    const at = records.reserve(HEADER_WORDS + PAYLOAD_WORDS);
    if (at < 0) return false;
    const { words } = records;
    const start = at + HEADER_WORDS;
    let place: number = PLACE.INLINE;
    let end = start + payload.length / WORD_BYTES;
    if (isInline) {
      copy(payload, records.bytes, start * WORD_BYTES);
    } else {
      place = this.#placeBlock(words, start, payload);
      end = place === PLACE.BLOCK ? start + 3 : start;
    }
    words[at] = (kind << KIND_SHIFT) | place;
    words[at + 1] = id;
    records.commit(at, end);
    return true;
  }

  #placeBlock(words: Int32Array, start: number, payload: Payload): number {
    const { length, externBase, bytes } = payload;
    const offset = this.#arena.allocate(length);
    if (offset < 0) {
      const block = bytes.slice(payload.start, payload.start + length).buffer;
      const message: Encoded = { block: block as ArrayBuffer, externBase, extras: [] };
      this.#port.postMessage(message, [message.block]);
      return PLACE.MESSAGE;
    }
    copy(payload, this.#arena.bytes, offset);
    words[start] = offset;
    words[start + 1] = offset + externBase;
    words[start + 2] = length;
    return PLACE.BLOCK;
  }
}
