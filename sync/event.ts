/**
 * Event: a flag that threads wait for. The algorithm is in `_event_core.ts`.
 *
 * @module
 */

import { deadlineOf, nameIn } from "../_platform/options.ts";
import { openCore } from "../_memory/core.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { checkMayBlock, ENDLESS } from "./_acquire.ts";
import { type EventCore, KIND, LocalEventCore } from "./_event_core.ts";
import { dataOf, labelOf } from "./_shared.ts";
import type { WaitOptions, WaitSyncOptions } from "./options.ts";

/** What an event is made with. */
export interface EventOptions {
  /** Shown in error texts. */
  name?: string | undefined;
}

/**
 * A flag that any number of threads and async tasks wait for.
 *
 * It can be sent to any task in its arguments, and used on both sides in both forms. Whoever finds
 * it set, or is woken by `set`, sees all that was written to shared memory before that `set`.
 *
 * `set` wakes all waiters of that moment, and their waits return true even if `clear` follows at
 * once.
 *
 * Where it is imported, its name hides the web's `Event`, which is still there as
 * `globalThis.Event`.
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
  readonly #core: EventCore;

  static {
    registerHandle(KIND, (data) => Event.#open(data));
  }

  static #open(data: unknown): Event {
    // The constructor's last parameter is not for users.
    const make = Event as new (options: undefined, core: EventCore) => Event;
    return new make(undefined, openCore(KIND, data));
  }

  /**
   * Makes an event that is not set.
   *
   * @param options The event's name.
   */
  constructor(options?: EventOptions);
  constructor(
    options: EventOptions = {},
    core: EventCore = LocalEventCore.create(nameIn("make Event", options)),
  ) {
    this.#core = core;
  }

  /** The event's name, if it was given one. */
  get name(): string | undefined {
    return this.#core.name;
  }

  /** True after `set`, until `clear`. */
  isSet(): boolean {
    return this.#core.isSet();
  }

  /**
   * Sets the flag, and wakes all waiters. Never waits.
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
    this.#core.set();
  }

  /** Clears the flag: calls of `wait` from now on wait for the next `set`. Never waits. */
  clear(): void {
    this.#core.clear();
  }

  /**
   * Waits until the flag is set. The promise holds the event loop open.
   *
   * @param options How long to wait. The promise rejects with the reason of `signal` when that
   * aborts.
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
  wait(options?: WaitOptions): Promise<boolean> {
    return options === undefined ? this.#core.wait(ENDLESS) : this.#waitWithin(options);
  }

  async #waitWithin(options: WaitOptions): Promise<boolean> {
    const deadlineMs = deadlineOf(options);
    options.signal?.throwIfAborted();
    if (options.timeout === 0) return this.isSet();
    return await this.#core.wait({ deadlineMs, signal: options.signal });
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
    const deadlineMs = deadlineOf(options);
    if (options.timeout === 0) return this.isSet();
    checkMayBlock(`wait for ${labelOf(KIND, this.name)}`);
    return this.#core.waitSync(deadlineMs);
  }

  /**
   * A handle that stands for this event in a message to a raw `Worker`; see {@linkcode Event.from}.
   */
  get handle(): Handle {
    return { kind: KIND, data: this.#core.data };
  }

  /**
   * Rebuilds an event from a handle. Needed only by code that posts messages itself: in the
   * arguments of a task, events cross by themselves.
   *
   * @param handle The {@linkcode Event.handle} of an event.
   * @returns A view of the same event.
   * @throws {TypeError} When it is not the handle of an Event.
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
    return Event.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode Event.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Event` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }
}
