/**
 * Waiting for a queue, in both forms: for items, for room, and for all items to be done.
 *
 * A waiter tries; if that was in vain, it is queued in the same hold of the latches, and sleeps
 * until it is woken to try again.
 *
 * Invariants
 * 1. A put that was woken tries when its thread hears of it, even if the thread is blocked, and
 *    does not leave that to the code that awaits it: the thread may be blocked in a get for just
 *    that item. Nothing of the code is needed, as items were encoded before. What was put stays
 *    put, and the promise says so, although a timeout or a signal may come before the code goes on.
 * 2. A get that was woken takes nothing before the code that awaits it goes on. An item that a
 *    blocked thread has taken for a promise would be out of reach for all, a later blocking get of
 *    that thread included. Until then the item stays in the queue, and whoever comes may take it.
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
  /** False until a try has queued the wait: one that succeeds needs no place in a list. */
  isQueued = false;
  /** True once a try has succeeded. */
  hasSucceeded = false;
  /** See {@linkcode Waiter}. */
  wasOvertaken: boolean;
  readonly #state: QueueState;
  readonly #list: WaitList;
  readonly #attempt: Try;

  constructor(state: QueueState, list: WaitList, attempt: Try, wasOvertaken = false) {
    super(state.seat);
    this.wasOvertaken = wasOvertaken;
    this.#state = state;
    this.#list = list;
    this.#attempt = attempt;
  }

  /** Tries; true when that succeeded. Otherwise the wait is queued. */
  tryOnce(wasWoken: boolean): boolean {
    this.isQueued = false;
    if (wasWoken) this.wasOvertaken = true;
    return this.hasSucceeded = this.#attempt(this, wasWoken);
  }

  /** Tries, and closes the wait if it is not queued; true when the try succeeded. */
  begin(wasWoken: boolean): boolean {
    try {
      return this.tryOnce(wasWoken);
    } finally {
      if (!this.isQueued) {
        this.isOver = true;
        this.seat.close(this);
      }
    }
  }

  /** See {@linkcode Wait}. Leaves the try of a get, or of a thread that was given up, for later. */
  granted(): boolean {
    return this.#isForItem || !this.seat.isHere || this.tryOnce(true);
  }

  get #isForItem(): boolean {
    return this.#list === this.#state.getters;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#state.withdraw(this.#list, this.node);
  }

  /** See {@linkcode Wait}. Only a get has something to cede: a put has put its items by then. */
  override get object(): unknown {
    return this.#isForItem ? this.#list.identity : undefined;
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
export class PutRun {
  /** How many are put. */
  count = 0;
  readonly #state: QueueState;
  readonly #batches: Batch[];
  /** Which batch is being put, and the index in it of the next item. */
  #batch = 0;
  #next = 0;

  constructor(state: QueueState, batches: Batch[]) {
    this.#state = state;
    this.#batches = batches;
  }

  /** Puts what there is room for; true when all items are put. */
  advance(wait: QueueWait | undefined, wasWoken: boolean): boolean {
    for (; this.#batch < this.#batches.length; this.#batch++, this.#next = 0) {
      const items = this.#batches[this.#batch];
      const count = this.#state.put(items, this.#next, wait, wasWoken);
      if (count < 0) throw shutDownError(this.#state.label, "put", this.count);
      this.count += count;
      this.#next += count;
      if (this.#next < items.count) return false;
      wasWoken = false;
    }
    return true;
  }

  /** Keeps the items for the time of a wait: meanwhile, other puts of this thread use the batch. */
  keep(): void {
    this.#batches[this.#batch] = this.#batches[this.#batch].from(this.#next);
    this.#next = 0;
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
   * Puts the rest of the items; waits for room, and blocks this thread meanwhile. False when time
   * was up.
   */
  putSync(run: PutRun, deadlineMs: number): boolean {
    const state = this.#state;
    run.keep();
    if (this.#look(() => !state.isFull || state.isClosed) && run.advance(undefined, false)) {
      return true;
    }
    const put: Try = (wait, wasWoken) => run.advance(wait, wasWoken);
    return this.#retrySync(state.putters, put, deadlineMs);
  }

  /** Puts the rest of the items; waits for room. False when time was up. */
  put(run: PutRun, limits: Limits): Promise<boolean> {
    run.keep();
    const put: Try = (wait, wasWoken) => run.advance(wait, wasWoken);
    return this.#retry(this.#state.putters, put, limits);
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
   * Takes items out; waits for the first, in front of others if it was overtaken before. Calls
   * `read` in the same turn, and returns what that returns; or `undefined` when time was up.
   */
  async take<R>(
    into: Batch,
    most: number,
    limits: Limits,
    wasOvertaken: boolean,
    read: () => R,
  ): Promise<R | undefined> {
    const run = new TakeRun(this.#state, into, most);
    let result: R | undefined;
    await this.#retry(
      this.#state.getters,
      (wait, wasWoken) => {
        const isDone = run.advance(wait, wasWoken);
        if (isDone) result = read();
        return isDone;
      },
      limits,
      wasOvertaken,
    );
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
      const wait = new QueueWait(this.#state, list, attempt);
      if (wait.begin(wasWoken)) return true;
      if (!wait.seat.waitSync(wait, deadlineMs)) return false;
      if (wait.hasSucceeded) return true;
    }
  }

  async #retry(
    list: WaitList,
    attempt: Try,
    limits: Limits,
    wasOvertaken = false,
  ): Promise<boolean> {
    for (let wasWoken = false;; wasWoken = true) {
      const wait = new QueueWait(this.#state, list, attempt, wasOvertaken);
      if (wait.begin(wasWoken)) return true;
      if (!await wait.seat.wait(wait, limits)) return false;
      if (wait.hasSucceeded) return true;
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
