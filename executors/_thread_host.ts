/**
 * The workers of threads, from the side of the thread that started them: the host. It starts them,
 * holds the event loop open for those that are not daemons, starts others that they ask for, and
 * notices when one of them has ended without a word.
 *
 * A thread that was started by a `Thread` is not a host: its own host starts the threads that it
 * asks for, so that they can outlive it, and because the runtime takes a second to start a worker
 * inside a worker. The host does so when its event loop turns, or when it blocks in a call of this
 * package.
 *
 * @module
 */

import { callAt, nowMs } from "../_platform/clock.ts";
import { addressOfEntry } from "../_platform/entry.ts";
import { platform, type WorkerThread } from "../_platform/mod.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { beforeLeaving, buryThread, home } from "../_memory/seat.ts";
import type { ThreadTable } from "../_memory/thread_table.ts";
import { RuntimeError } from "../sync/errors.ts";
import { addressOfBundle } from "./_bundle_address.ts";
import { excepthook } from "./_thread_hook.ts";
import { endAccess, shareAccess } from "./_parent_access.ts";
import { errorOf, sendFailure } from "./_thread_links.ts";
import { knownSelf, threadFactory } from "./_thread_self.ts";
import {
  type HostedStart,
  type HostRequest,
  type ThreadStart,
  ThreadState,
} from "./_thread_state.ts";
import { abandon, buryAbandoned, stopThread } from "./_worker_link.ts";

/** Threads that run for longer than this have their signs of life watched. */
const WATCH_AFTER_MS = 50;

/** A thread, from the side of its host. */
class HostedThread {
  readonly id: number;
  readonly name: string;
  readonly daemon: boolean;
  readonly state: ThreadState;
  readonly port: MessagePort;
  readonly worker: WorkerThread;
  readonly table: ThreadTable;
  requestsTaken = 0;
  /** A request has been counted, but its message is not here yet: the event loop must turn. */
  isLate = false;
  /** How many promises of the host's wait for its end. */
  joiners = 0;
  /**
   * Whether the event loop is held open for it: until a daemon runs, or until any other thread has
   * ended.
   */
  isExpected = true;
  hasEnded = false;
  #watch: { readonly stop: AbortController; readonly over: Promise<void> } | undefined;

  constructor(start: ThreadStart, port: MessagePort, worker: WorkerThread, table: ThreadTable) {
    this.id = start.thread;
    this.name = start.name;
    this.daemon = start.daemon;
    this.state = new ThreadState(start.state);
    this.port = port;
    this.worker = worker;
    this.table = table;
  }

  get hasLeft(): boolean {
    return this.state.hasEnded && !this.table.isAlive(this.id);
  }

  /** Whether the event loop need no longer be held open for it, although it has not ended. */
  get isLetGo(): boolean {
    return this.isExpected && this.daemon && this.state.isRunning;
  }

  get hasNews(): boolean {
    if (this.isLate) return false;
    return this.state.requests !== this.requestsTaken || this.isLetGo || this.hasLeft;
  }

  /**
   * Whether its sign of life must be watched. A watch holds the event loop open, so that of a
   * daemon is watched only while somebody waits for it.
   */
  get mustWatch(): boolean {
    return !this.daemon || this.joiners > 0;
  }

  /** Calls back if the thread's sign of life goes out; false while it has none yet. */
  watch(onDeath: () => void): boolean {
    if (this.#watch !== undefined) return true;
    if (!this.state.isAlive) return false;
    const stop = new AbortController();
    const over = this.worker.whenGone(this.table.lifeOf(this.id), stop.signal).then((isGone) => {
      if (isGone && this.#watch === watch) onDeath();
    });
    const watch = this.#watch = { stop, over };
    return true;
  }

  /** Ends the watch; returns a promise for the moment at which nothing is left of it. */
  stopWatch(): Promise<void> | undefined {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.stop.abort();
    return watch?.over;
  }
}

/** All threads that have this thread as their host. */
class ThreadHost implements Source {
  readonly #threads = new Map<number, HostedThread>();
  #cancelWatchLater: (() => void) | undefined;
  /** Watches that were stopped but are not over yet. */
  readonly #stopping = new Set<Promise<void>>();
  #mindsLeaving = false;

  /**
   * Starts a thread.
   *
   * @throws {Error} When the runtime cannot.
   */
  start(start: ThreadStart): void {
    const seat = home();
    buryAbandoned();
    const { port1, port2 } = new MessageChannel();
    let worker: WorkerThread;
    try {
      worker = platform.startWorker({
        entry: "thread",
        module: addressOfEntry("thread", () => import.meta.resolve("./_thread_main.ts")),
        bundle: addressOfBundle(),
        name: start.name,
        onError: (message) => this.#lose(thread, `its worker failed: ${message}`),
      });
    } catch (error) {
      port1.close();
      port2.close();
      throw error;
    }
    const access = shareAccess(start.thread);
    const hosted: HostedStart = { ...start, host: seat.id, hostPort: port2, access };
    const ports = [start.port, port2];
    worker.post(hosted, access === undefined ? ports : [...ports, access.port]);
    const thread: HostedThread = new HostedThread(start, port1, worker, seat.table);
    if (this.#threads.size === 0) doorbell.add(this);
    this.#threads.set(thread.id, thread);
    doorbell.expect();
    if (this.#mindsLeaving) return;
    this.#mindsLeaving = true;
    beforeLeaving(() => this.#leave());
  }

  /** Whether this host has started that thread, and it does not run yet. */
  isStarting(id: number): boolean {
    const thread = this.#threads.get(id);
    return thread !== undefined && !thread.state.isRunning && !thread.hasLeft;
  }

  /** Whether a request of some thread is late. */
  get hasLate(): boolean {
    for (const { isLate } of this.#threads.values()) if (isLate) return true;
    return false;
  }

  /** Counts a promise of this thread that begins, or ceases, to wait for the end of a thread. */
  countJoiner(id: number, change: 1 | -1): void {
    const thread = this.#threads.get(id);
    if (thread === undefined) return;
    thread.joiners += change;
    if (!thread.mustWatch) this.#stopWatch(thread);
  }

  #stopWatch(thread: HostedThread): void {
    const over = thread.stopWatch();
    if (over === undefined) return;
    this.#stopping.add(over);
    over.then(() => this.#stopping.delete(over));
  }

  /** Resolves once the watches that were stopped are over, which takes an instant. */
  async settle(): Promise<void> {
    await Promise.all(this.#stopping);
  }

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const thread of this.#threads.values()) if (thread.hasNews) return true;
    return false;
  }

  /** See {@linkcode Source}. */
  get hasWork(): boolean {
    for (const { daemon } of this.#threads.values()) if (!daemon) return true;
    return false;
  }

  /** See {@linkcode Source}. */
  drain(): boolean {
    let found = false;
    for (const thread of [...this.#threads.values()]) {
      if (!thread.hasNews) continue;
      found = true;
      this.#advance(thread);
    }
    return found;
  }

  #advance(thread: HostedThread): void {
    // Read before the messages: when the thread has ended, all of them are there.
    const isOver = thread.hasLeft;
    const { state } = thread;
    while (thread.requestsTaken < state.requests) {
      const received = platform.receive(thread.port, () => {
        thread.isLate = false;
        doorbell.nudge();
      });
      thread.isLate = received === undefined;
      if (received === undefined) return;
      thread.requestsTaken++;
      const request = received.message as HostRequest;
      if (request.kind === "start") this.#startFor(request.start);
      else tell(thread, errorOf(request.failure)); // The thread itself has claimed the failure.
    }
    if (isOver) this.#end(thread);
    else if (thread.isLetGo) this.#letGo(thread);
  }

  /**
   * Starts a thread on behalf of another one; an error here is reported as the new thread's
   * failure.
   */
  #startFor(start: ThreadStart): void {
    try {
      this.start(start);
    } catch (error) {
      const state = new ThreadState(start.state);
      sendFailure(start.port, error, true);
      start.port.close();
      state.addFailure();
      state.setEnded();
      buryThread(start.thread, true);
    }
  }

  #letGo(thread: HostedThread): void {
    if (!thread.isExpected) return;
    thread.isExpected = false;
    doorbell.arrived(1);
  }

  #end(thread: HostedThread): void {
    if (thread.hasEnded) return;
    thread.hasEnded = true;
    this.#threads.delete(thread.id);
    this.#stopWatch(thread);
    thread.port.close();
    stopThread(thread.table, thread.id, thread.worker);
    endAccess(thread.id);
    if (thread.state.isAlive) abandon(thread.id, thread.worker);
    this.#letGo(thread);
    if (this.#threads.size > 0) return;
    doorbell.remove(this);
    this.#cancelWatchLater?.();
    this.#cancelWatchLater = undefined;
  }

  /** See {@linkcode Source}. */
  sleeping(isBlocking: boolean): void {
    if (!isBlocking && this.#cancelWatchLater === undefined) this.#watchLater();
  }

  /** Checks, a while from now, which threads are still there, and watches their signs of life. */
  #watchLater(): void {
    if (![...this.#threads.values()].some((thread) => thread.mustWatch)) return;
    // The timer holds the program open: otherwise perhaps only the threads do, and they may be
    // gone.
    this.#cancelWatchLater = callAt(nowMs() + WATCH_AFTER_MS, () => {
      this.#cancelWatchLater = undefined;
      let isComplete = true;
      for (const thread of this.#threads.values()) {
        if (!thread.mustWatch) continue;
        const onDeath = (): void => this.#lose(thread, "its worker ended without a word");
        if (!thread.watch(onDeath)) isComplete = false;
      }
      if (!isComplete) this.#watchLater();
    });
  }

  /** Takes in that a thread ended without saying so. */
  #lose(thread: HostedThread, how: string): void {
    if (thread.hasEnded) return;
    this.#advance(thread);
    if (thread.hasEnded) return;
    thread.state.setEnded();
    if (thread.state.claimFailure()) {
      tell(thread, new RuntimeError(`Thread "${thread.name}" was lost: ${how}`));
    }
    buryThread(thread.id, true);
    this.#end(thread);
  }

  /** Takes in that this thread is about to end, and its workers with it. */
  #leave(): void {
    for (const thread of [...this.#threads.values()]) {
      this.#advance(thread);
      if (thread.hasEnded) continue;
      thread.state.setEnded();
      buryThread(thread.id, false);
      this.#end(thread);
    }
  }
}

/** Calls the hook for a failure that the starter does not report. */
function tell(thread: HostedThread, error: unknown): void {
  excepthook({ excValue: error, thread: threadFactory()!.threadOf(thread.id, thread.name) });
}

/** All threads that have this thread as their host. */
export const host: ThreadHost = new ThreadHost();

/** Id of the thread that is the host of the threads that this one makes. */
export function hostId(): number {
  return knownSelf()?.host ?? home().id;
}

/**
 * Starts a thread here, or asks this thread's host to start it.
 *
 * @throws {Error} When the runtime cannot.
 */
export function startThread(start: ThreadStart): void {
  const self = knownSelf();
  if (self === undefined) host.start(start);
  else self.start(start);
}
