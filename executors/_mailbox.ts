/**
 * A one-way channel of values between two threads, in order, each value with a kind and an id: a
 * record ring for small values, an arena for large ones, a port for what only a message can carry.
 * The record is written last, so a reader that finds it finds the rest.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { type Arena, ArenaView } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import { type Bell, doorbell } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import type { Handle, Shareable } from "../_memory/handle.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import { decode, encode, type Encoded, externBaseOf, takeSpilled } from "../_memory/message.ts";
import { RecordReader, type RecordRingPlace, RecordWriter } from "../_memory/record_ring.ts";
import { Fifo } from "./_fifo.ts";
import { type Payload, writeForProcess } from "./_payload.ts";
import {
  BLOCK,
  HEADER_WORDS,
  KIND,
  KIND_SHIFT,
  MAIL_PAYLOAD_WORDS,
  PLACE,
  type RanReport,
} from "./_protocol.ts";
import { unreadable } from "./_target.ts";
import { NotShareableError } from "../sync/errors.ts";
import { detach, isCopied, takeTransfers, transferList } from "./task.ts";

/** Error text for a getter that sends: in a process, each use of the parent's objects does. */
const IN_GETTER =
  "Cannot send from a getter of a value that is being sent (each use of another process's object sends): get it first, and send a plain value";

/**
 * Error text for a thread that blocks while its mail is late; see {@linkcode MailboxReader.isLate}.
 */
export const NEEDS_EVENT_LOOP =
  "Cannot block: an outcome has come by a message, as plain memory could not carry it, and a browser hands messages over in the event loop only; await the future";

/**
 * Up to this many bytes, transferred buffers are copied: a message that moves them would take
 * longer.
 */
const MOST_COPIED_IN_MAIL = 8 * 1024;

/** Room for the payload of a {@linkcode RanReport}: a list of three numbers. */
const RAN_WORDS = 16;

/** The writing end. */
export class MailboxWriter {
  readonly #records: RecordWriter;
  readonly #arena: Arena;
  readonly #port: MessagePort;
  readonly #bell: Bell;
  readonly #encoder = new Encoder();
  /**
   * Size in bytes of the last value that was too large for a record. A caller that reads it sets it
   * to 0 before the write.
   */
  spilledBytes = 0;
  /** Whether the reader is in another process. */
  #isOtherProcess = false;
  /**
   * Set while a task runs whose outcome may go by the wire instead: if it is small, and no record
   * written before it may still be on its way.
   */
  answerBy: ((kind: number, id: number, payload: Payload) => void) | undefined;
  /**
   * The last record in the ring is not an outcome, so it may not have arrived: the next outcome
   * follows it there instead of going by the wire. True at first, for what is said at the start.
   * See Invariant 3 of `_wire.ts`.
   */
  #mayNotOvertake = true;
  /** When the task ran whose outcome comes next: sent together with that outcome, the same way. */
  #ran: { readonly id: number; readonly report: RanReport } | undefined;
  /** Writes that wait for room, oldest first. */
  readonly #waiting = new Fifo<Waiting>();

  /** @param arena The writer's own arena, or one that only the writer allocates from. */
  constructor(place: RecordRingPlace, arena: Arena, port: MessagePort, bell: Bell) {
    this.#records = new RecordWriter(place);
    this.#arena = arena;
    this.#port = port;
    this.#bell = bell;
  }

  /**
   * Says that the reader is in another process, where a shared object is represented by the handle
   * that `handleOf` returns. Nothing can be moved there: what is transferred is copied, and then
   * detached in this thread.
   */
  exportBy(handleOf: (object: Shareable) => Handle): void {
    writeForProcess(this.#encoder, handleOf);
    this.#isOtherProcess = true;
  }

  /**
   * Sends a value, now or when there is room. In the latter case returns a promise, which rejects
   * with what this would have thrown.
   *
   * @throws {unknown} What encoding the value throws; then nothing was sent.
   */
  write(kind: number, id: number, value: unknown): Promise<void> | undefined {
    if (kind === KIND.RAN && this.#waiting.length === 0) {
      this.#ran = { id, report: value as RanReport };
      return undefined;
    }
    if (kind === KIND.PROGRESS && this.#replaceReport(id, value)) return undefined;
    if (this.#waiting.length === 0 && this.#tryWrite(kind, id, value)) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, id, value, resolve, reject });
      if (this.#waiting.length === 1) this.#writeLater();
    });
  }

  /**
   * Lets a report of progress take the place of one that waits for room, as a task that never
   * awaits may report a million times; false when there is no such report.
   */
  #replaceReport(id: number, value: unknown): boolean {
    this.flush();
    const { last } = this.#waiting;
    if (last?.kind !== KIND.PROGRESS || last.id !== id) return false;
    last.value = value;
    return true;
  }

  /**
   * Sends a value like {@linkcode write}. If the value cannot be sent, now or later, calls
   * `onUnsendable` and returns its result.
   */
  writeOr(
    kind: number,
    id: number,
    value: unknown,
    onUnsendable: (error: unknown, id: number) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    try {
      return this.write(kind, id, value)?.catch((error) => onUnsendable(error, id));
    } catch (error) {
      return onUnsendable(error, id);
    }
  }

  /** Throws what sending the value would throw, and sends nothing. */
  check(value: unknown, moved: ReadonlySet<object> | undefined): void {
    // Nothing is moved to another process.
    encode(this.#encoder, value, this.#isOtherProcess ? undefined : moved);
  }

  /** Sends a value, blocking this thread until there is room. Overtakes writes that wait. */
  writeSync(kind: number, id: number, value: unknown): void {
    while (!this.#tryWrite(kind, id, value)) this.#records.roomSync();
  }

  /**
   * Sends a value, preceded by the report of when the task ran, if one is kept; false when there is
   * no room.
   */
  #tryWrite(kind: number, id: number, value: unknown): boolean {
    if (this.#encoder.busy) throw new NotShareableError(IN_GETTER);
    const records = this.#records;
    const ran = this.#ran;
    const ahead = ran === undefined ? 0 : HEADER_WORDS + RAN_WORDS + 1;
    const first = records.reserve(ahead + HEADER_WORDS + MAIL_PAYLOAD_WORDS);
    if (first < 0) return false;
    const { words, bytes } = records;
    // The report is a record of its own right before the other, or, if the outcome goes by the
    // wire, lies in memory that is not published.
    const ranEnd = ran === undefined
      ? first - 1
      : this.#encodeRan(ran.report, first + HEADER_WORDS);
    const start = ranEnd + 1;
    const payload = start + HEADER_WORDS;
    const isOutcome = kind === KIND.RESULT || kind === KIND.ERROR;
    const moved = takeTransfers(value);
    const copies = this.#isOtherProcess || isCopied(moved, MOST_COPIED_IN_MAIL);
    let place: number = PLACE.INLINE;
    let end = this.#encoder.encode(
      value,
      words,
      bytes,
      payload,
      payload + MAIL_PAYLOAD_WORDS,
      moved,
      copies,
    );
    if (end >= 0) {
      detach(moved);
      if (isOutcome && this.answerBy !== undefined && !this.#mayNotOvertake) {
        if (ran !== undefined) this.#answer(KIND.RAN, ran.id, first + HEADER_WORDS, ranEnd);
        this.#answer(kind, id, payload, end);
        this.#ran = undefined;
        return true;
      }
    } else {
      place = this.#placeSpilled(words, payload, moved);
      end = place === PLACE.BLOCK ? payload + BLOCK.SIZE : payload;
    }
    if (ran !== undefined) {
      this.#commit(KIND.RAN, PLACE.INLINE, ran.id, first, ranEnd);
      this.#ran = undefined;
    }
    this.#commit(kind, place, id, start, end);
    this.#mayNotOvertake = !isOutcome;
    this.#bell.ring();
    return true;
  }

  /** Publishes a record whose payload has been written. */
  #commit(kind: number, place: number, id: number, start: number, end: number): void {
    const records = this.#records;
    records.words[start] = (kind << KIND_SHIFT) | place;
    records.words[start + 1] = id;
    records.commit(start, end);
  }

  /** Writes a report at `payload`; returns its end. */
  #encodeRan(report: RanReport, payload: number): number {
    const { words, bytes } = this.#records;
    return this.#encoder.encode(report, words, bytes, payload, payload + RAN_WORDS, undefined);
  }

  /** Sends by the wire what was written into the ring's memory, and is not published there. */
  #answer(kind: number, id: number, payload: number, end: number): void {
    const start = payload * WORD_BYTES;
    const length = end * WORD_BYTES - start;
    const { bytes } = this.#records;
    this.answerBy!(kind, id, { place: PLACE.INLINE, externBase: 0, bytes, start, length });
  }

  /**
   * Puts what the encoder has spilled into the arena or a message; returns the place.
   *
   * @param moved The buffers and ports to detach in this thread.
   */
  #placeSpilled(
    words: Int32Array,
    payload: number,
    moved: Set<Transferable> | undefined,
  ): number {
    const encoder = this.#encoder;
    this.spilledBytes = encoder.blockBytes;
    const offset = encoder.extras.length === 0 ? this.#arena.allocate(encoder.blockBytes) : -1;
    if (offset < 0) {
      const message = takeSpilled(encoder);
      // The copied ones as well: the message may refer to them, and posting it detaches them.
      this.#port.postMessage(message, [message.block, ...transferList(moved)]);
      return PLACE.MESSAGE;
    }
    words[payload + BLOCK.OFFSET] = offset;
    words[payload + BLOCK.EXTERNS] = externBaseOf(offset, encoder.spillWords);
    words[payload + BLOCK.LENGTH] = encoder.blockBytes;
    try {
      // Fails if a getter has detached a buffer that was met before it.
      encoder.copyTo(this.#arena.words, this.#arena.bytes, offset);
      detach(moved);
    } catch (error) {
      this.#arena.release(offset);
      throw error;
    } finally {
      encoder.reset();
    }
    return PLACE.BLOCK;
  }

  /** Whether writes wait for room. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Writes what waits, as far as there is room. For a thread that is blocked, so that its promises
   * do not settle.
   */
  flush(): void {
    const waiting = this.#waiting;
    while (waiting.length > 0) {
      const { kind, id, value, resolve, reject } = waiting.first;
      try {
        if (!this.#tryWrite(kind, id, value)) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      waiting.drop();
    }
  }

  async #writeLater(): Promise<void> {
    for (;;) {
      this.flush();
      if (this.#waiting.length === 0) return;
      await this.#records.room();
    }
  }
}

/** A write that waits for room. */
interface Waiting {
  readonly kind: number;
  readonly id: number;
  value: unknown;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The reading end. */
export class MailboxReader {
  readonly #records: RecordReader;
  readonly #arena: ArenaView;
  readonly #port: MessagePort;
  readonly #decoder = new Decoder();
  /** The record of the oldest value is here, and its message is not: the event loop has to turn. */
  #isLate = false;
  readonly #onLate = (): void => {
    this.#isLate = false;
    doorbell.nudge();
  };

  // What take() took.
  kind = 0;
  id = 0;
  value: unknown = undefined;
  /** The value could not be read: `value` is an error that says why. */
  isUnreadable = false;

  constructor(place: RecordRingPlace, arena: SharedArrayBuffer, port: MessagePort) {
    this.#records = new RecordReader(place);
    this.#arena = new ArenaView(arena);
    this.#port = port;
  }

  /** True when {@linkcode take} would find something. */
  get hasMail(): boolean {
    return !this.#isLate && this.#records.hasRecord();
  }

  /** True while the oldest value can only be taken after the event loop has turned. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** Takes all values that there are, and calls `hear` with each; false when there is none. */
  takeAll(
    hear: (kind: number, id: number, value: unknown, isUnreadable: boolean) => void,
  ): boolean {
    if (!this.take()) return false;
    do {
      hear(this.kind, this.id, this.value, this.isUnreadable);
    } while (this.take());
    return true;
  }

  /** Takes the oldest value; false when there is none. */
  take(): boolean {
    if (this.#isLate) return false;
    const records = this.#records;
    const at = records.peek();
    if (at < 0) return false;
    const head = records.words[at];
    let message: unknown;
    if ((head & PLACE.MASK) === PLACE.MESSAGE) {
      // What runs meanwhile may take this record, and more.
      if (platform.prepareToReceive?.()) return this.take();
      const received = platform.receive(this.#port, this.#onLate);
      if (received === undefined) {
        this.#isLate = true;
        return false;
      }
      message = received.message;
    }
    this.kind = head >> KIND_SHIFT;
    this.id = records.words[at + 1];
    this.isUnreadable = false;
    try {
      this.value = this.#read(head & PLACE.MASK, at + HEADER_WORDS, message);
    } catch (error) {
      this.isUnreadable = true;
      this.value = unreadable(error);
    }
    records.advance();
    return true;
  }

  #read(place: number, payload: number, message: unknown): unknown {
    const { words, bytes } = this.#records;
    if (place === PLACE.INLINE) return this.#decoder.decode(words, bytes, payload);
    if (place === PLACE.MESSAGE) return decode(this.#decoder, message as Encoded);
    const arena = this.#arena;
    const offset = words[payload + BLOCK.OFFSET];
    const externBase = words[payload + BLOCK.EXTERNS];
    arena.follow();
    try {
      return this.#decoder.decode(arena.words, arena.bytes, offset >> 2, externBase);
    } finally {
      arena.release(offset);
    }
  }
}
