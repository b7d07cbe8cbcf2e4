/**
 * Reads the arguments of the task that a worker claimed last.
 *
 *   INLINE           from the payload itself
 *   BLOCK, SHARED    from a block in the pool's arena; with SHARED also buffers, which the worker was
 *                    told of, or will be in a moment
 *   MESSAGE          from a message, for which the owner is asked
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { ArenaView } from "../_memory/arena.ts";
import type { Decoder } from "../_memory/decoder.ts";
import type { Bell } from "../_memory/doorbell.ts";
import { decode, type Encoded } from "../_memory/message.ts";
import { SLOT_PAYLOAD_WORDS, type TaskRing } from "../_memory/task_ring.ts";
import { BLOCK, hasBlock, PLACE, wordsOf } from "./_protocol.ts";
import { unreadable } from "./_target.ts";
import { KnownBuffers } from "./_shared_buffers.ts";
import type { WorkerState } from "./_worker_state.ts";

const NO_EXTRAS: readonly unknown[] = [];

/** The arguments of the task that was claimed last. `form` is the form of that task throughout. */
export class ArgumentReader {
  /** The shared buffers that this worker was told of. */
  readonly buffers: KnownBuffers = new KnownBuffers();
  readonly #arena: ArenaView;
  readonly #decoder: Decoder;
  readonly #state: WorkerState;
  readonly #ownerBell: Bell;
  /**
   * The payload, copied from its slot: decoding it can take long, and run a class's getters.
   */
  readonly #payload = new Int32Array(SLOT_PAYLOAD_WORDS);
  readonly #payloadBytes = new Uint8Array(this.#payload.buffer);
  #extras: readonly unknown[] = NO_EXTRAS;
  #message: Encoded | undefined;
  /** Takes the port with the arguments. */
  #onPort: ((port: MessagePort) => void) | undefined;

  constructor(arena: SharedArrayBuffer, decoder: Decoder, state: WorkerState, ownerBell: Bell) {
    this.#arena = new ArenaView(arena);
    this.#decoder = decoder;
    this.#state = state;
    this.#ownerBell = ownerBell;
  }

  /** Copies the payload from the slot of task `number`, which may be given back then. */
  copy(ring: TaskRing, number: number, form: number): void {
    const payload = this.#payload;
    const isInline = (form & PLACE.MASK) === PLACE.INLINE;
    ring.copyPayload(number, payload, isInline ? wordsOf(form) : SLOT_PAYLOAD_WORDS);
    if (hasBlock(form)) this.#state.hold(payload[BLOCK.OFFSET]);
  }

  /** Whether {@linkcode read} can be called at once. */
  areHere(form: number): boolean {
    const place = form & PLACE.MASK;
    if (place === PLACE.SHARED) {
      const extras = this.buffers.find(this.#bufferNumbers());
      if (extras === undefined) return false;
      this.#extras = extras;
    }
    return place !== PLACE.MESSAGE;
  }

  /**
   * Waits until {@linkcode read} can be called.
   *
   * @param fetch Asks the owner for the message.
   */
  async arrive(form: number, fetch: () => Promise<void> | undefined): Promise<void> {
    const place = form & PLACE.MASK;
    if (place === PLACE.SHARED) {
      this.#extras = await this.buffers.wait(this.#bufferNumbers());
    } else if (place === PLACE.MESSAGE) {
      const arrived = new Promise<MessagePort>((resolve) => this.#onPort = resolve);
      await fetch();
      const port = await arrived;
      try {
        this.#message = await platform.nextMessage(port) as Encoded;
      } catch (error) {
        throw unreadable(error);
      } finally {
        port.close();
      }
    }
  }

  /** Takes the port that the owner has sent for a MESSAGE. */
  receive(port: MessagePort): void {
    this.#onPort!(port);
  }

  #bufferNumbers(): number[] {
    const payload = this.#payload;
    return Array.from(payload.subarray(BLOCK.BUFFERS, BLOCK.BUFFERS + payload[BLOCK.COUNT]));
  }

  /**
   * Decodes the arguments, and gives back their memory. Returns `undefined` if this worker is
   * ignored from now on: then it must run no task.
   */
  read(form: number): unknown[] | undefined {
    const place = form & PLACE.MASK;
    if (place === PLACE.INLINE) {
      return this.#decoder.decode(this.#payload, this.#payloadBytes, 0) as unknown[];
    }
    if (place === PLACE.MESSAGE) {
      const message = this.#message!;
      this.#message = undefined;
      return decode(this.#decoder, message) as unknown[];
    }
    const extras = this.#extras;
    this.#extras = NO_EXTRAS;
    return this.#useBlock((offset, externBase) => {
      const { words, bytes } = this.#arena;
      return this.#decoder.decode(words, bytes, offset >> 2, externBase, extras) as unknown[];
    });
  }

  /** Gives back the arguments' memory, if that has not been done: the task cannot run. */
  drop(form: number): void {
    this.#message = undefined;
    this.#extras = NO_EXTRAS;
    if (hasBlock(form)) this.#useBlock(() => {});
  }

  /**
   * Gives back the block that the payload names, once `use` has read it. Returns what `use` does,
   * or `undefined` if this worker is ignored from now on.
   */
  #useBlock<R>(use: (offset: number, externBase: number) => R): R | undefined {
    const [offset, externBase] = this.#payload;
    if (!this.#state.beginReading(offset)) return undefined;
    this.#arena.follow();
    let value: R;
    let isHeeded: boolean;
    try {
      value = use(offset, externBase);
    } finally {
      this.#arena.release(offset);
      isHeeded = this.#state.endReading(offset);
      if (!isHeeded) this.#ownerBell.ring();
    }
    return isHeeded ? value : undefined;
  }
}
