/**
 * One worker as its pool's owner sees it: its thread, its words, its mail.
 *
 * @module
 */

import { platform, type WorkerThread } from "../_platform/mod.ts";
import { type Arena, createArenaBuffer } from "../_memory/arena.ts";
import { bellOf, buryThread, home } from "../_memory/seat.ts";
import type { ThreadTable } from "../_memory/thread_table.ts";
import type { Deadline } from "./_deadlines.ts";
import { MailboxReader, MailboxWriter } from "./_mailbox.ts";
import type { StartMessage } from "./_protocol.ts";

import type { BufferNews } from "./_shared_buffers.ts";
import { WorkerState } from "./_worker_state.ts";

/** Tells this thread from others, in this program and others of the same origin. */
export const THREAD_ID: string = crypto.randomUUID();
let livesHeld = 0;

/** Which worker it is. */
export interface PoolWorkerOptions {
  readonly name: string;
  readonly number: number;
  /** Where replies too large for a record go. */
  readonly arena: Arena;
  /** Called when the runtime reports that the worker failed. */
  readonly onError: (message: string) => void;
}

/** A worker's task that was asked to stop. */
export interface GivenUp {
  readonly task: number;
  /** When the worker is to be abandoned. */
  readonly grace: Deadline;
}

/** What every worker of a pool is told. */
export type PoolPart = Omit<
  StartMessage,
  "name" | "number" | "state" | "results" | "threads" | "ownerThread" | "thread" | "port" | "life"
>;

/** One worker as its pool's owner sees it. */
export class PoolWorkerHandle {
  readonly name: string;
  readonly number: number;
  readonly state = new WorkerState();
  readonly mail: MailboxReader;
  readonly replies: MailboxWriter;
  /** The task that the worker was asked to stop, while it has not said anything. */
  givenUp: GivenUp | undefined;
  readonly #life = `@concurrent/futures ${THREAD_ID} ${livesHeld++}`;
  readonly #results = createArenaBuffer();
  readonly #owner = home();
  readonly #threads: ThreadTable = this.#owner.table;
  readonly #id: number;
  readonly #channel = new MessageChannel();
  readonly #thread: WorkerThread;
  #watch: AbortController | undefined;
  #ended = false;

  /** Starts the thread; {@linkcode start} tells it what to do. */
  constructor({ name, number, arena, onError }: PoolWorkerOptions) {
    this.name = name;
    this.number = number;
    this.#id = this.#threads.claim(name);
    this.#thread = platform.startWorker({
      module: import.meta.resolve("./_worker_main.ts"),
      name,
      onError,
    });
    const { port1 } = this.#channel;
    this.mail = new MailboxReader(this.state.records, this.#results, port1);
    this.replies = new MailboxWriter(
      this.state.replies,
      arena,
      port1,
      bellOf(this.#threads, this.#id),
    );
  }

  /** Gives the worker its place in the pool. */
  start(pool: PoolPart): void {
    const { port2 } = this.#channel;
    const message: StartMessage = {
      ...pool,
      name: this.name,
      number: this.number,
      state: this.state.buffer,
      results: this.#results,
      threads: this.#threads.buffer,
      ownerThread: this.#owner.id,
      thread: this.#id,
      port: port2,
      life: this.#life,
    };
    this.#thread.post(message, [port2]);
  }

  /** True once the pool has no more to do with this worker. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Sends a message outside the mail: a port with the arguments of a task, or news of a shared buffer. */
  post(message: MessagePort | BufferNews, transfer: Transferable[]): void {
    this.#thread.post(message, transfer);
  }

  /**
   * Calls back if the worker's sign of life goes out, until {@linkcode stopWatch}; false while the worker has none yet.
   */
  watch(onDeath: () => void): boolean {
    if (this.#watch !== undefined) return true;
    if (!this.state.isAlive) return false;
    const watch = this.#watch = new AbortController();
    platform.waitForName(this.#life, watch.signal).then((isFree) => {
      if (isFree && !this.#ended) onDeath();
    });
    return true;
  }

  /** Lets the event loop go that a watch holds open. */
  stopWatch(): void {
    this.#watch?.abort();
    this.#watch = undefined;
  }

  /**
   * Ends the thread, as far as the runtime can, and gives back what belongs to it.
   *
   * @param isGone Whether the thread is known to run no more. Otherwise it is counted as dead all the same: waits of its
   * own throw, and what it holds is held by a dead owner.
   */
  end(isGone: boolean): void {
    this.#ended = true;
    buryThread(this.#id, isGone);
    this.stopWatch();
    this.#channel.port1.close();
    this.#thread.terminate();
  }
}
