/**
 * The core of Event: a flag that threads wait for.
 *
 * Word IS_SET: 0 or 1.
 *
 *   0 -> 1   set()     under the latch; all waiters are granted in the same step
 *   1 -> 0   clear()
 *
 * Invariants
 * 1. A waiter that queues looks at IS_SET once more under the latch, and `set` holds the latch from
 *    before it writes until the list is empty. So no waiter that queued before a `set` sleeps on,
 *    and no waiter that queued after a `clear` is woken by an earlier `set`.
 * 2. A waiter is woken by a grant to its node, not by the flag: a `clear` right after the `set`
 *    takes nothing back.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { type Core, registerCore } from "../_memory/core.ts";
import { EVENT } from "../_memory/layout.ts";
import { type Limits, type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { SharedWords } from "./_shared.ts";

/** The kind of Event in handles and error texts. */
export const KIND = "Event";

const GRANTED = 1;

/** What Event calls. */
export interface EventCore extends Core {
  /** True while the flag is set. */
  isSet(): boolean;
  /** Sets the flag, and wakes all waiters. */
  set(): void;
  /** Clears the flag. */
  clear(): void;
  /** Waits until the flag is set; false when time was up first. */
  wait(limits: Limits): Promise<boolean>;
  /** Like {@linkcode EventCore.wait}, but blocks. */
  waitSync(deadlineMs: number): boolean;
}

/** A wait for an event. */
class EventWait extends Wait {
  readonly #leave: (node: number) => boolean;

  constructor(seat: Seat, leave: (node: number) => boolean) {
    super(seat);
    this.#leave = leave;
  }

  /** See {@linkcode Wait}. */
  granted(): boolean {
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#leave(this.node);
  }

  /** See {@linkcode Wait}. Does nothing: that the flag was set cannot be given back. */
  giveBack(): void {}
}

/** The core for threads that share the memory. */
export class LocalEventCore implements EventCore {
  readonly name: string | undefined;
  readonly #shared: SharedWords;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #waiters: WaitList;

  constructor(shared: SharedWords) {
    const { words, seat, name } = shared;
    this.name = name;
    this.#shared = shared;
    this.#words = words;
    this.#latch = new Latch(words, EVENT.LATCH);
    this.#waiters = new WaitList(words, EVENT.LIST, seat, 1);
  }

  /** The core of an event that another thread has made. */
  static open(data: unknown): LocalEventCore {
    return new LocalEventCore(SharedWords.open(data, EVENT.SIZE));
  }

  /** The core of a new event, which is not set. */
  static create(name: string | undefined): LocalEventCore {
    return new LocalEventCore(SharedWords.create(EVENT.SIZE, name));
  }

  /** See {@linkcode Core}. */
  get data(): unknown {
    return this.#shared.data;
  }

  /** See {@linkcode EventCore}. */
  isSet(): boolean {
    return load(this.#words, EVENT.IS_SET) === 1;
  }

  /** See {@linkcode EventCore}. */
  set(): void {
    const waiters = this.#waiters;
    const threads = new Set<number>();
    this.#latch.take();
    store(this.#words, EVENT.IS_SET, 1);
    for (let node = waiters.firstAlive(); node !== 0; node = waiters.firstAlive()) {
      threads.add(waiters.grant(node, GRANTED));
    }
    this.#latch.give();
    for (const thread of threads) this.#shared.seat.ring(thread);
  }

  /** See {@linkcode EventCore}. */
  clear(): void {
    store(this.#words, EVENT.IS_SET, 0);
  }

  /** See {@linkcode EventCore}. */
  wait(limits: Limits): Promise<boolean> {
    return this.isSet() ? Promise.resolve(true) : this.#waitForSet(limits);
  }

  async #waitForSet(limits: Limits): Promise<boolean> {
    const wait = this.#queue();
    return wait === undefined || await this.#shared.seat.wait(wait, limits);
  }

  /** See {@linkcode EventCore}. */
  waitSync(deadlineMs: number): boolean {
    if (this.isSet()) return true;
    const wait = this.#queue();
    return wait === undefined || this.#shared.seat.waitSync(wait, deadlineMs);
  }

  /** Queues a wait; `undefined` when the flag is set after all. */
  #queue(): EventWait | undefined {
    const { seat } = this.#shared;
    const leave = (node: number): boolean => this.#latch.hold(() => this.#waiters.remove(node));
    const wait = new EventWait(seat, leave);
    this.#latch.take();
    wait.isOver = this.isSet();
    if (!wait.isOver) this.#waiters.push(wait.node);
    this.#latch.give();
    if (!wait.isOver) return wait;
    seat.close(wait);
    return undefined;
  }
}

registerCore<EventCore>(KIND, LocalEventCore.open, {
  waiting: ["wait"],
  others: ["isSet", "set", "clear"],
});
