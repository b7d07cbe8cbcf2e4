/**
 * Waiting for a queue, in both forms: for items, for room, and for all items to be done.
 *
 * A waiter tries; if that was in vain, it is queued in the same hold of the latches, and sleeps
 * until it is woken to try again.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { backOff, Spinner } from "../_platform/park.ts";
import { type Limits, Wait } from "../_memory/seat.ts";
import type { WaitList } from "../_memory/wait_list.ts";
import type { Batch } from "./_batch.ts";
import { shutDownError } from "./_failures.ts";
import type { QueueState } from "./_state.ts";
import type { Waiter } from "./_waiters.ts";

/**
 * How many times a thread looks at a queue that is empty, or full, before it goes to sleep, and the
 * shortest and longest wait between two looks, in pauses of the processor (about 35 ns each). A
 * thread that looks seldom does not disturb the other side, and finds more than one item.
 */
const LOOKS = platform.cores > 1 ? 10 : 0;
const FIRST_PAUSE = 32;
const LONGEST_PAUSE = 64;

/** A wait for a queue to change. */
class QueueWait extends Wait implements Waiter {
  /** False until the wait is queued: a try that succeeds needs no place in a list. */
  isQueued = false;
  readonly #state: QueueState;
  readonly #list: WaitList;

  constructor(state: QueueState, list: WaitList) {
    super(state.seat);
    this.#state = state;
    this.#list = list;
  }

  /** See {@linkcode Wait}. */
  granted(): boolean {
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#state.withdraw(this.#list, this.node);
  }

  /** See {@linkcode Wait}. */
  override get object(): unknown {
    return this.#list.identity;
  }

  /** See {@linkcode Wait}. */
  override cede(blocked: Wait): boolean {
    return this.#state.exchange(this.#list, this.node, blocked.node);
  }

  /** See {@linkcode Wait}. Lets another waiter try. */
  giveBack(): void {
    this.#state.wakeAgain();
  }

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#state.afterDeath();
    return false;
  }
}

/** Tries; true when there is no need to wait. Queues the wait otherwise. */
type Try = (wait: QueueWait, wasWoken: boolean) => boolean;

/** Items that are put as room becomes free, some at each try. */
class PutRun {
  count = 0;
  readonly #state: QueueState;
  readonly #items: Batch;
  readonly #before: number;

  constructor(state: QueueState, items: Batch, before: number) {
    this.#state = state;
    this.#items = items;
    this.#before = before;
  }

  /** Puts what there is room for; true when all items are put. */
  advance(wait: QueueWait | undefined, wasWoken: boolean): boolean {
    const count = this.#state.put(this.#items, this.count, wait, wasWoken);
    if (count < 0) throw shutDownError(this.#state.label, "put", this.#before + this.count);
    this.count += count;
    return this.count === this.#items.count;
  }
}

/** Items that are taken, into a batch. */
class TakeRun {
  count = 0;
  readonly #state: QueueState;
  readonly #into: Batch;
  readonly #most: number;

  constructor(state: QueueState, into: Batch, most: number) {
    this.#state = state;
    this.#into = into;
    this.#most = most;
  }

  /** Takes what there is; true when there was an item. */
  advance(wait: QueueWait | undefined, wasWoken: boolean): boolean {
    this.#into.clear();
    this.count = this.#state.take(this.#into, this.#most, wait, wasWoken);
    if (this.count < 0) throw shutDownError(this.#state.label, "get");
    return this.count > 0;
  }
}

/** Waits for a queue, on behalf of its seat. */
export class QueueWaits {
  readonly #state: QueueState;
  readonly #spinner = new Spinner();

  constructor(state: QueueState) {
    this.#state = state;
  }

  /**
   * Puts the items; waits for room, and blocks this thread meanwhile. Returns how many were put in
   * time.
   */
  putSync(items: Batch, deadlineMs: number, before: number): number {
    const state = this.#state;
    const run = new PutRun(state, items, before);
    if (this.#look(() => !state.isFull || state.isClosed) && run.advance(undefined, false)) {
      return run.count;
    }
    this.#retrySync(state.putters, (wait, wasWoken) => run.advance(wait, wasWoken), deadlineMs);
    return run.count;
  }

  /** Puts the items; waits for room. Returns how many were put in time. */
  async put(items: Batch, limits: Limits, before: number): Promise<number> {
    const state = this.#state;
    const run = new PutRun(state, items, before);
    await this.#retry(state.putters, (wait, wasWoken) => run.advance(wait, wasWoken), limits);
    return run.count;
  }

  /**
   * Takes items out; waits for the first, and blocks this thread meanwhile. Returns how many were
   * taken, 0 when time was up.
   */
  takeSync(into: Batch, most: number, deadlineMs: number): number {
    const state = this.#state;
    const run = new TakeRun(state, into, most);
    if (this.#look(() => state.count > 0 || state.isClosed) && run.advance(undefined, false)) {
      return run.count;
    }
    const take: Try = (wait, wasWoken) => run.advance(wait, wasWoken);
    return this.#retrySync(state.getters, take, deadlineMs) ? run.count : 0;
  }

  /**
   * Takes items out; waits for the first. Calls `read` in the same turn, and returns what that
   * returns; or `undefined` when time was up.
   */
  async take<R>(into: Batch, most: number, limits: Limits, read: () => R): Promise<R | undefined> {
    const run = new TakeRun(this.#state, into, most);
    let result: R | undefined;
    await this.#retry(this.#state.getters, (wait, wasWoken) => {
      const isDone = run.advance(wait, wasWoken);
      if (isDone) result = read();
      return isDone;
    }, limits);
    return result;
  }

  /** Blocks until all items are done. False when time was up. */
  joinSync(deadlineMs: number): boolean {
    const state = this.#state;
    return this.#retrySync(state.joiners, (wait) => state.tryJoin(wait), deadlineMs);
  }

  /** Waits until all items are done. False when time was up. */
  join(limits: Limits): Promise<boolean> {
    const state = this.#state;
    return this.#retry(state.joiners, (wait) => state.tryJoin(wait), limits);
  }

  #retrySync(list: WaitList, attempt: Try, deadlineMs: number): boolean {
    for (let wasWoken = false;; wasWoken = true) {
      const wait = new QueueWait(this.#state, list);
      if (isDone(wait, () => attempt(wait, wasWoken))) return true;
      if (!wait.seat.waitSync(wait, deadlineMs)) return false;
    }
  }

  async #retry(list: WaitList, attempt: Try, limits: Limits): Promise<boolean> {
    for (let wasWoken = false;; wasWoken = true) {
      const wait = new QueueWait(this.#state, list);
      if (isDone(wait, () => attempt(wait, wasWoken))) return true;
      if (!await wait.seat.wait(wait, limits)) return false;
      if (!wait.seat.isHere) return this.#leave();
    }
  }

  /**
   * Lets another waiter try, and returns a promise that never settles: since this waiter was woken,
   * its thread has begun to end, or was given up. An item that it took now would be lost with it,
   * after joiners may have been told what this thread had taken.
   */
  #leave(): Promise<never> {
    this.#state.wakeAgain();
    return new Promise(() => {});
  }

  /**
   * Watches for a moment, so as not to sleep when an item or room is about to come; true when it
   * came.
   */
  #look(isReady: () => boolean): boolean {
    if (LOOKS === 0 || !this.#spinner.isDue()) return false;
    let length = FIRST_PAUSE;
    for (let i = 0; i < LOOKS; i++) {
      length = backOff(length, LONGEST_PAUSE);
      if (isReady()) return this.#spinner.hit();
    }
    return this.#spinner.miss();
  }
}

/** Tries, and closes the wait if the try has not queued it; returns what the try returned. */
function isDone(wait: QueueWait, attempt: () => boolean): boolean {
  try {
    return attempt();
  } finally {
    if (!wait.isQueued) {
      wait.isOver = true;
      wait.seat.close(wait);
    }
  }
}
