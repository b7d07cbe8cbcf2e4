/**
 * One worker from the side of the thread that starts it, the owner of a pool or the host in a
 * process: its thread, its words, its rings.
 *
 * @module
 */

import { addressOfEntry } from "../_platform/entry.ts";
import { platform, type WorkerThread } from "../_platform/mod.ts";
import { createArenaBuffer } from "../_memory/arena.ts";
import type { Bell } from "../_memory/doorbell.ts";
import { bellOf, buryThread, home } from "../_memory/seat.ts";
import { FLAG, type ThreadTable } from "../_memory/thread_table.ts";
import { addressOfBundle } from "./_bundle_address.ts";
import type { StartMessage } from "./_protocol.ts";
import type { BufferNews } from "./_shared_buffers.ts";
import { WorkerState } from "./_worker_state.ts";

/**
 * Workers that may run on although they are ignored: they, and those that have them as their hosts,
 * keep their places in the table of threads until they are known to be gone. `thread` is the
 * worker, or the one among its hosts that this thread has started.
 */
const abandoned = new Set<{ readonly id: number; readonly thread: WorkerThread }>();

/** Gives back the places of a worker and of those that end with it, once they are gone. */
export function abandon(id: number, thread: WorkerThread): void {
  abandoned.add({ id, thread });
}

/** Looks which of the abandoned workers are gone. */
export function buryAbandoned(): void {
  const { table } = home();
  for (const worker of abandoned) {
    const { id, thread } = worker;
    thread.isGone(table.lifeOf(id)).then((isGone) => {
      if (!isGone || !abandoned.delete(worker)) return;
      buryThread(id, true);
      for (const other of table.deadOf(id)) abandon(other, thread);
    });
  }
}

/** What every worker of a pool is told. */
export type PoolPart = Omit<
  StartMessage,
  | "name"
  | "number"
  | "state"
  | "results"
  | "replyBlocks"
  | "threads"
  | "ownerThread"
  | "thread"
  | "port"
>;

/** A worker, as the thread that has started it sees it. */
export class WorkerLink {
  /** The worker's name, which its thread has too. */
  name: string;
  readonly number: number;
  readonly state = new WorkerState();
  /** Holds its results that are too large for a record. */
  readonly results = createArenaBuffer();
  /**
   * Holds replies to it that are too large for a record. It is the worker's alone: replies that it
   * had not read when it was abandoned, and may still read, take no room from other workers.
   */
  readonly replyBlocks = createArenaBuffer();
  /** This thread's end of the channel for what only a message can carry. */
  readonly port: MessagePort;
  /** The bell that wakes the worker when a reply has been written. */
  readonly bell: Bell;
  readonly #owner = home();
  readonly #threads: ThreadTable = this.#owner.table;
  /** The worker's id in the table of threads. */
  readonly id: number;
  readonly #otherPort: MessagePort;
  protected readonly thread: WorkerThread;
  #watch: AbortController | undefined;
  #ended = false;

  /**
   * Starts the worker; {@linkcode start} tells it what to do.
   *
   * @param startThread Starts the thread, or process, that receives the worker's messages.
   */
  constructor(name: string, number: number, startThread: () => WorkerThread) {
    this.name = name;
    this.number = number;
    buryAbandoned();
    this.id = this.#threads.claim(name, FLAG.WORKER, this.#owner.id);
    this.thread = startThread();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.#otherPort = port2;
    this.bell = bellOf(this.#threads, this.id);
  }

  /** Changes the worker's name. */
  rename(name: string): void {
    this.name = name;
    this.#threads.rename(this.id, name);
  }

  /** Gives the worker its place in the pool. */
  start(pool: PoolPart): void {
    const port = this.#otherPort;
    const message: StartMessage = {
      ...pool,
      name: this.name,
      number: this.number,
      state: this.state.buffer,
      results: this.results,
      replyBlocks: this.replyBlocks,
      threads: this.#threads.buffer,
      ownerThread: this.#owner.id,
      thread: this.id,
      port,
    };
    this.thread.post(message, pool.access === undefined ? [port] : [port, pool.access.port]);
  }

  /** True once the starter ignores this worker. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /**
   * Sends a message outside the mail: a port with the arguments of a task, or news of a shared
   * buffer.
   */
  post(message: MessagePort | BufferNews, transfer: Transferable[]): void {
    this.thread.post(message, transfer);
  }

  /**
   * Calls back if the worker's sign of life goes out, until {@linkcode stopWatch}; false while the
   * worker has none yet.
   */
  watch(onDeath: () => void): boolean {
    if (this.#watch !== undefined) return true;
    if (!this.state.isAlive) return false;
    const watch = this.#watch = new AbortController();
    this.thread.whenGone(this.#threads.lifeOf(this.id), watch.signal).then((isGone) => {
      if (isGone && !this.#ended) onDeath();
    });
    return true;
  }

  /** Ends the watch, which holds the event loop open. */
  stopWatch(): void {
    this.#watch?.abort();
    this.#watch = undefined;
  }

  /**
   * Ignores the worker from now on, and gives back what belongs to it. Its thread is ended by
   * {@linkcode terminate}.
   *
   * @param isGone Whether the worker is known to run no longer, or never to begin. If not, it is
   * declared dead all the same: its own waits throw, and what it holds is held by a dead owner.
   */
  end(isGone: boolean): void {
    this.#ended = true;
    buryThread(this.id, isGone);
    // Of one that has not begun, nothing would show that it is gone.
    if (this.state.hasArrived) abandon(this.id, this.thread);
    this.stopWatch();
    this.port.close();
  }

  /** Ends the thread, as far as the runtime can. */
  terminate(): void {
    stopThread(this.#threads, this.id, this.thread);
  }
}

/** How often, and how many milliseconds apart, to look whether a thread can be stopped. */
const LOOKS = 2000;
const LOOK_EVERY_MS = 1;

/**
 * Ends a thread that has left or was declared dead, as far as the runtime can. One that would be
 * stopped inside a latch is given the time to come out; see `inside.ts`.
 *
 * @param looks How often to look for that: a thread whose stack overflowed at a latch may seem to be
 * inside for ever.
 */
export function stopThread(
  table: ThreadTable,
  id: number,
  thread: WorkerThread,
  looks: number = LOOKS,
): void {
  if (!platform.stopsThreads) return thread.terminate();
  if (looks > 0 && table.isInside(id)) {
    platform.background(LOOK_EVERY_MS, () => stopThread(table, id, thread, looks - 1));
    return;
  }
  thread.terminate();
  table.announceStopped(id);
}

/** Starts a thread that is a pool's worker. */
export function startWorkerThread(name: string, onError: (message: string) => void): WorkerThread {
  return platform.startWorker({
    entry: "worker",
    module: addressOfEntry("worker", () => import.meta.resolve("./_worker_main.ts")),
    bundle: addressOfBundle(),
    name,
    onError,
  });
}
