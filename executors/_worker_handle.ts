/**
 * One worker as its pool's owner sees it: its thread, its words, its records, its port.
 *
 * @module
 */

import { platform, type WorkerThread } from "../_platform/mod.ts";
import { ArenaView, createArenaBuffer } from "../_memory/arena.ts";
import type { Decoder } from "../_memory/decoder.ts";
import { decode, type Encoded } from "../_memory/message.ts";
import { RecordReader } from "../_memory/record_ring.ts";
import { PLACE, RECORD_HEADER_WORDS, type StartMessage } from "./_protocol.ts";
import type { Deadline } from "./_thread_pool.ts";
import { WorkerState } from "./_worker_state.ts";

/** Tells this thread's workers from those of other threads and programs of the same origin. */
const THREAD_ID = crypto.randomUUID();
let livesHeld = 0;

/** Which worker it is. */
export interface PoolWorkerOptions {
  readonly name: string;
  readonly number: number;
  /** Called when the runtime reports that the worker failed. */
  readonly onError: (message: string) => void;
}

/** A worker that was asked to stop its task. */
export interface GivenUp {
  readonly task: number;
  /** When the worker is to be abandoned. */
  readonly grace: Deadline;
}

/** One worker as its pool's owner sees it. */
export class PoolWorkerHandle {
  readonly name: string;
  readonly number: number;
  readonly state = new WorkerState();
  readonly records = new RecordReader(this.state.records);
  /** The task that the worker was asked to stop, while it has not said anything. */
  givenUp: GivenUp | undefined;
  readonly #life = `@concurrent/futures ${THREAD_ID} ${livesHeld++}`;
  readonly #results = new ArenaView(createArenaBuffer());
  readonly #thread: WorkerThread;
  readonly #channel = new MessageChannel();
  #watch: AbortController | undefined;
  #ended = false;

  /** Starts the thread; {@linkcode start} tells it what to do. */
  constructor({ name, number, onError }: PoolWorkerOptions) {
    this.name = name;
    this.number = number;
    this.#thread = platform.startWorker({
      module: import.meta.resolve("./_worker_main.ts"),
      name,
      onError,
    });
  }

  /** Gives the worker its place in the pool. */
  start(
    pool: Omit<StartMessage, "name" | "number" | "state" | "results" | "port" | "life">,
  ): void {
    const message: StartMessage = {
      ...pool,
      name: this.name,
      number: this.number,
      state: this.state.buffer,
      results: this.#results.buffer,
      port: this.#channel.port2,
      life: this.#life,
    };
    this.#thread.post(message, [this.#channel.port2]);
  }

  /** True once the pool has no more to do with this worker. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The payload of the record at word `at`; gives back its block. */
  read(decoder: Decoder, place: number, at: number): unknown {
    const { words, bytes } = this.records;
    const payload = at + RECORD_HEADER_WORDS;
    if (place === PLACE.INLINE) return decoder.decode(words, bytes, payload);
    if (place === PLACE.MESSAGE) {
      return decode(decoder, platform.receive(this.#channel.port1)!.message as Encoded);
    }
    const results = this.#results;
    const offset = words[payload];
    try {
      return decoder.decode(results.words, results.bytes, offset >> 2, words[payload + 1]);
    } finally {
      results.release(offset);
    }
  }

  /** Sends a message to the worker's port. */
  post(message: unknown, transfer: Transferable[]): void {
    this.#channel.port1.postMessage(message, transfer);
  }

  /** Calls back if the worker's sign of life goes out, until {@linkcode stopWatch}. */
  watch(onDeath: () => void): void {
    if (this.#watch !== undefined || !this.state.isAlive) return;
    const watch = this.#watch = new AbortController();
    platform.waitForName(this.#life, watch.signal).then((isFree) => {
      if (isFree && !this.#ended) onDeath();
    });
  }

  /** Lets the event loop go that a watch holds open. */
  stopWatch(): void {
    this.#watch?.abort();
    this.#watch = undefined;
  }

  /** Ends the thread, as far as the runtime can, and gives back what belongs to it. */
  end(): void {
    this.#ended = true;
    this.stopWatch();
    this.#channel.port1.close();
    this.#thread.terminate();
  }
}
