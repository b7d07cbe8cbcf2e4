/**
 * Event: a flag that threads wait for.
 *
 * Word IS_SET: 0 or 1.
 *
 *   0 -> 1   set()     under the latch; all who wait are granted in the same step
 *   1 -> 0   clear()
 *
 * Invariants
 * 1. Who queues looks at IS_SET once more under the latch, and `set` holds it from before it writes until the list is empty. So
 *    nobody sleeps who queued before a `set`, and nobody who queued after a `clear` is woken by an earlier `set`.
 * 2. A waiter is told by its node, not by the flag: a `clear` right after the `set` takes nothing back.
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { deadlineAfter } from "../_platform/clock.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { EVENT } from "../_memory/layout.ts";
import { type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { checkMayBlock } from "./_acquire.ts";
import { dataOf, SharedWords } from "./_shared.ts";
import type { WaitOptions, WaitSyncOptions } from "./options.ts";

const KIND = "Event";

const GRANTED = 1;

/** What an event is made with. */
export interface EventOptions {
  /** Shown in error texts. */
  name?: string;
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

  /** See {@linkcode Wait}. Being told is nothing that could be given back. */
  giveBack(): void {}
}

/**
 * A flag that any number of threads and async tasks wait for.
 *
 * It can be sent to any task in its arguments, and used there and here in both forms. Whoever finds it set, or is
 * woken by `set`, sees all that was written to shared memory before.
 *
 * `set` wakes all who wait at that moment, and their waits give true even if `clear` follows at once.
 *
 * Its name hides the web's `Event` where it is imported: reach that as `globalThis.Event`.
 *
 * Semantics: Python's `threading.Event`.
 *
 * **Differs from Python:** timeouts are in milliseconds.
 *
 * @example
 * ```ts
 * import { Event, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * const start = new Event();
 * const runner = pool.submit((start: Event) => start.waitSync() ? "gone" : "late", start);
 * start.set();
 * assertEquals(await runner, "gone");
 * ```
 */
export class Event {
  readonly #shared: SharedWords;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #waiters: WaitList;

  static {
    registerHandle(KIND, (data) => new Event(SharedWords.open(data, EVENT.SIZE)));
  }

  /**
   * Makes an event that is not set.
   *
   * @param options The event's name.
   */
  constructor(options?: EventOptions);
  constructor(options: EventOptions | SharedWords = {}) {
    const shared = options instanceof SharedWords
      ? options
      : SharedWords.create(EVENT.SIZE, options.name);
    this.#shared = shared;
    this.#words = shared.words;
    this.#latch = new Latch(shared.words, EVENT.LATCH);
    this.#waiters = new WaitList(shared.words, EVENT.LIST, shared.seat, 1);
  }

  /** The event's name, if it was given one. */
  get name(): string | undefined {
    return this.#shared.name;
  }

  /** True after `set`, until `clear`. */
  isSet(): boolean {
    return load(this.#words, EVENT.IS_SET) === 1;
  }

  /**
   * Sets the flag, and wakes all who wait. Never waits.
   *
   * @example
   * ```ts
   * import { Event } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const event = new Event();
   * const waiting = event.wait();
   * event.set();
   * event.clear();
   * assertEquals(await waiting, true);
   * ```
   */
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

  /** Clears the flag: those who come from now on wait for the next `set`. Never waits. */
  clear(): void {
    store(this.#words, EVENT.IS_SET, 0);
  }

  /**
   * Waits until the flag is set. The promise holds the event loop open.
   *
   * @param options How long to wait, and what ends the wait early.
   * @returns True once it is set; false when time was up first.
   *
   * @example
   * ```ts
   * import { Event } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await new Event().wait({ timeout: 5 }), false);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    const deadlineMs = deadlineAfter(options.timeout);
    options.signal?.throwIfAborted();
    if (this.isSet()) return true;
    if (options.timeout === 0) return false;
    const wait = this.#queue();
    return wait === undefined ||
      await this.#shared.seat.wait(wait, { deadlineMs, signal: options.signal });
  }

  /**
   * Blocks this thread until the flag is set.
   *
   * @param options How long to wait.
   * @returns True once it is set; false when time was up first.
   * @throws {RuntimeError} Where the host forbids blocking.
   *
   * @example
   * ```ts
   * import { Event } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const event = new Event();
   * event.set();
   * assertEquals(event.waitSync(), true);
   * ```
   */
  waitSync(options: WaitSyncOptions = {}): boolean {
    const deadlineMs = deadlineAfter(options.timeout);
    if (options.timeout !== 0) checkMayBlock(`wait for ${this.#shared.label(KIND)}`);
    if (this.isSet()) return true;
    if (options.timeout === 0) return false;
    const wait = this.#queue();
    return wait === undefined || this.#shared.seat.waitSync(wait, deadlineMs);
  }

  /** What stands for this event in a message to a raw `Worker`; see {@linkcode Event.from}. */
  get handle(): Handle {
    return this.#shared.handle(KIND);
  }

  /**
   * Rebuilds an event from a handle. Only those who post messages themselves need it: in the arguments of a task, events
   * cross by themselves.
   *
   * @throws {TypeError} When it is no handle of an Event.
   *
   * @example
   * ```ts
   * import { Event } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const event = new Event();
   * const same = Event.from(event.handle);
   * event.set();
   * assertEquals(same.isSet(), true);
   * ```
   */
  static from(handle: Handle): Event {
    return new Event(SharedWords.open(dataOf(handle, KIND), EVENT.SIZE));
  }

  /** See {@linkcode Event.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Event` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
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
