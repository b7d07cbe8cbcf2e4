/**
 * Values from one thread to another, in order, each with a kind and an id: a record ring for small values, an arena
 * for large ones, a port for what only a message can carry. The record goes last: whoever reads it finds the rest.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { type Arena, ArenaView } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import type { Bell } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import type { Handle, Shareable } from "../_memory/handle.ts";
import { decode, encode, type Encoded, externBaseOf, takeSpilled } from "../_memory/message.ts";
import { RecordReader, type RecordRingPlace, RecordWriter } from "../_memory/record_ring.ts";
import { unsendableExtra } from "./_frames.ts";
import { PLACE } from "./_protocol.ts";
import { describe } from "./_target.ts";
import { NotShareableError } from "../sync/errors.ts";
import { takeTransfers } from "./task.ts";

/** Words of a record before its payload: kind and place, id. */
export const HEADER_WORDS = 2;

/** The largest payload in a record. */
export const PAYLOAD_WORDS = 512;

/** In a record's first word, the kind stands above the two bits of the place. */
export const KIND_SHIFT = 2;

/** The writing end. */
export class MailboxWriter {
  readonly #records: RecordWriter;
  readonly #arena: Arena;
  readonly #port: MessagePort;
  readonly #bell: Bell;
  readonly #encoder = new Encoder();
  /** Whether the reader is in another process. */
  #isOtherProcess = false;
  /** Writes that wait for room, so that they stay in order. */
  #waiting: Promise<void> | undefined;

  /** @param arena The writer's, or one that it alone allocates from. */
  constructor(place: RecordRingPlace, arena: Arena, port: MessagePort, bell: Bell) {
    this.#records = new RecordWriter(place);
    this.#arena = arena;
    this.#port = port;
    this.#bell = bell;
  }

  /**
   * Says that the reader is in another process, where shared objects stand for by what `handleOf` says. Nothing can be moved
   * there: it is copied, and then taken from this thread.
   */
  exportBy(handleOf: (object: Shareable) => Handle): void {
    this.#encoder.handleOf = handleOf;
    this.#isOtherProcess = true;
  }

  /**
   * Sends a value, now or when there is room: then a promise is returned.
   *
   * @throws {unknown} What encoding the value throws; nothing was sent then.
   */
  write(kind: number, id: number, value: unknown): Promise<void> | undefined {
    if (this.#waiting === undefined && this.#tryWrite(kind, id, value)) return undefined;
    return this.#writeInTurn(kind, id, value);
  }

  /** Throws what sending the value would throw, and sends nothing. */
  check(value: unknown): void {
    const { extras } = encode(this.#encoder, value);
    if (this.#isOtherProcess && extras.length > 0) throw unsendableExtra(extras[0]);
  }

  /** Sends a value, blocking this thread until there is room. Overtakes writes that wait. */
  writeSync(kind: number, id: number, value: unknown): void {
    while (!this.#tryWrite(kind, id, value)) this.#records.roomSync();
  }

  /** Sends a value; false when there is no room. */
  #tryWrite(kind: number, id: number, value: unknown): boolean {
    const records = this.#records;
    const start = records.reserve(HEADER_WORDS + PAYLOAD_WORDS);
    if (start < 0) return false;
    const { words, bytes } = records;
    const payload = start + HEADER_WORDS;
    const moved = takeTransfers(value);
    const transfers = this.#isOtherProcess ? undefined : moved;
    let place: number = PLACE.INLINE;
    let end = this.#encoder.encode(
      value,
      words,
      bytes,
      payload,
      payload + PAYLOAD_WORDS,
      transfers,
    );
    if (end < 0) {
      place = this.#placeSpilled(words, payload, transfers);
      end = place === PLACE.BLOCK ? payload + 3 : payload;
    }
    words[start] = (kind << KIND_SHIFT) | place;
    words[start + 1] = id;
    records.commit(start, end);
    this.#bell.ring();
    if (moved !== transfers) structuredClone(null, { transfer: [...moved!] });
    return true;
  }

  /** Puts what the encoder has spilled into the arena or a message; returns which. */
  #placeSpilled(
    words: Int32Array,
    payload: number,
    transfers: Set<Transferable> | undefined,
  ): number {
    const encoder = this.#encoder;
    if (this.#isOtherProcess && encoder.extras.length > 0) {
      const extra = encoder.extras[0];
      encoder.reset();
      throw unsendableExtra(extra);
    }
    const offset = encoder.extras.length === 0 ? this.#arena.allocate(encoder.blockBytes) : -1;
    if (offset < 0) {
      const message = takeSpilled(encoder);
      this.#port.postMessage(message, [message.block, ...transfers ?? []]);
      return PLACE.MESSAGE;
    }
    encoder.copyTo(this.#arena.words, this.#arena.bytes, offset);
    words[payload] = offset;
    words[payload + 1] = externBaseOf(offset, encoder.spillWords);
    words[payload + 2] = encoder.blockBytes;
    encoder.reset();
    return PLACE.BLOCK;
  }

  #writeInTurn(kind: number, id: number, value: unknown): Promise<void> {
    const turn = this.#writeLater(this.#waiting, kind, id, value);
    this.#waiting = turn;
    const leave = (): void => {
      if (this.#waiting === turn) this.#waiting = undefined;
    };
    turn.then(leave, leave);
    return turn;
  }

  async #writeLater(
    before: Promise<void> | undefined,
    kind: number,
    id: number,
    value: unknown,
  ): Promise<void> {
    await before?.catch(() => {});
    while (!this.#tryWrite(kind, id, value)) await this.#records.room();
  }
}

/** The reading end. */
export class MailboxReader {
  readonly #records: RecordReader;
  readonly #arena: ArenaView;
  readonly #port: MessagePort;
  readonly #decoder = new Decoder();

  // What take() took.
  kind = 0;
  id = 0;
  value: unknown = undefined;
  /** The value could not be read: it is an error that says why. */
  isUnreadable = false;

  constructor(place: RecordRingPlace, arena: SharedArrayBuffer, port: MessagePort) {
    this.#records = new RecordReader(place);
    this.#arena = new ArenaView(arena);
    this.#port = port;
  }

  /** True when {@linkcode take} would find something. */
  get hasMail(): boolean {
    return this.#records.hasRecord();
  }

  /** Takes the oldest value; false when there is none. */
  take(): boolean {
    const records = this.#records;
    const at = records.peek();
    if (at < 0) return false;
    const head = records.words[at];
    this.kind = head >> KIND_SHIFT;
    this.id = records.words[at + 1];
    this.isUnreadable = false;
    try {
      this.value = this.#read(head & PLACE.MASK, at + HEADER_WORDS);
    } catch (error) {
      this.isUnreadable = true;
      this.value = new NotShareableError(`Cannot receive value: ${describe(error)}`, {
        cause: error,
      });
    }
    records.advance();
    return true;
  }

  #read(place: number, payload: number): unknown {
    const { words, bytes } = this.#records;
    if (place === PLACE.INLINE) return this.#decoder.decode(words, bytes, payload);
    if (place === PLACE.MESSAGE) {
      return decode(this.#decoder, platform.receive(this.#port)!.message as Encoded);
    }
    const arena = this.#arena;
    const offset = words[payload];
    arena.follow();
    try {
      return this.#decoder.decode(arena.words, arena.bytes, offset >> 2, words[payload + 1]);
    } finally {
      arena.release(offset);
    }
  }
}
