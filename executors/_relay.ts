/**
 * Mail passed on undecoded: the two ends of a mailbox (see `_mailbox.ts`) for a thread that stands
 * between two processes.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { type Arena, ArenaView } from "../_memory/arena.ts";
import type { Bell } from "../_memory/doorbell.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import type { Encoded } from "../_memory/message.ts";
import { RecordReader, type RecordRingPlace, RecordWriter } from "../_memory/record_ring.ts";
import { Fifo } from "./_fifo.ts";
import { blockPayload, encodedOf, keep, lay, type Payload, payloadAt } from "./_payload.ts";
import { BLOCK, HEADER_WORDS, KIND_SHIFT, MAIL_PAYLOAD_WORDS, PLACE } from "./_protocol.ts";

/**
 * The next message of a port. It has arrived: in runtimes that have processes, a posted message is
 * there at once.
 */
function receive(port: MessagePort): unknown {
  return platform.receive(port, () => {})!.message;
}

/** Takes mail out of a ring, for sending it on. */
export class RelayReader {
  readonly #records: RecordReader;
  readonly #arena: ArenaView;
  readonly #port: MessagePort;

  constructor(place: RecordRingPlace, arena: SharedArrayBuffer, port: MessagePort) {
    this.#records = new RecordReader(place);
    this.#arena = new ArenaView(arena);
    this.#port = port;
  }

  /** True when {@linkcode take} would find something. */
  get hasMail(): boolean {
    return this.#records.hasRecord();
  }

  /** Takes all mail that there is, as {@linkcode take} does; false when there is none. */
  takeAll(pass: (kind: number, id: number, payload: Payload) => void): boolean {
    if (!this.take(pass)) return false;
    while (this.take(pass));
    return true;
  }

  /**
   * Calls `pass`, which must copy the payload, with the oldest piece of mail, and removes it; false
   * when there is none.
   */
  take(pass: (kind: number, id: number, payload: Payload) => void): boolean {
    const records = this.#records;
    const at = records.peek();
    if (at < 0) return false;
    const { words } = records;
    const head = words[at];
    const place = head & PLACE.MASK;
    const length = words[at - 1] - 1 - HEADER_WORDS;
    const payload = place === PLACE.MESSAGE
      ? blockPayload(receive(this.#port) as Encoded)
      : payloadAt(place, records, at + HEADER_WORDS, length, this.#arena);
    try {
      pass(head >> KIND_SHIFT, words[at + 1], payload);
    } finally {
      if (place === PLACE.BLOCK) this.#arena.release(payload.start);
      records.advance();
    }
    return true;
  }
}

/** Puts mail that has come from another process into a ring. */
export class RelayWriter {
  readonly #records: RecordWriter;
  readonly #arena: Arena;
  readonly #port: MessagePort;
  readonly #bell: Bell;
  /** Mail that waits for room, oldest first. */
  readonly #waiting = new Fifo<[kind: number, id: number, payload: Payload]>();

  constructor(place: RecordRingPlace, arena: Arena, port: MessagePort, bell: Bell) {
    this.#records = new RecordWriter(place);
    this.#arena = arena;
    this.#port = port;
    this.#bell = bell;
  }

  /**
   * Puts a payload into the ring, now or when there is room. Call {@linkcode ring} afterwards.
   *
   * @throws {RangeError} When it is to be in a record, and is too large for one.
   */
  pass(kind: number, id: number, payload: Payload): void {
    if (payload.place === PLACE.INLINE && payload.length > MAIL_PAYLOAD_WORDS * WORD_BYTES) {
      throw new RangeError(`Cannot pass mail on: no record holds ${payload.length} bytes`);
    }
    if (this.#waiting.length === 0 && this.#write(kind, id, payload)) return;
    this.#waiting.push([kind, id, keep(payload)]);
    if (this.#waiting.length === 1) this.#passWaiting();
  }

  async #passWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#write(...this.#waiting.first)) this.#waiting.drop();
      else {
        this.ring();
        await this.#records.room();
      }
    }
    this.ring();
  }

  /** Wakes the reader. */
  ring(): void {
    this.#bell.ring();
  }

  /** Puts a payload into the ring; false when there is no room. */
  #write(kind: number, id: number, payload: Payload): boolean {
    const records = this.#records;
    const at = records.reserve(HEADER_WORDS + MAIL_PAYLOAD_WORDS);
    if (at < 0) return false;
    const start = at + HEADER_WORDS;
    const place = lay(payload, records, start, this.#arena);
    let end = start;
    if (place === PLACE.INLINE) end += payload.length >> 2;
    else if (place === PLACE.BLOCK) end += BLOCK.SIZE;
    else this.#post(payload);
    records.words[at] = (kind << KIND_SHIFT) | place;
    records.words[at + 1] = id;
    records.commit(at, end);
    return true;
  }

  #post(payload: Payload): void {
    const message = encodedOf(payload);
    this.#port.postMessage(message, [message.block]);
  }
}
