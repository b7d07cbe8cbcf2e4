/**
 * Timer: a thread that waits, and then calls a function.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { checkOptions } from "../_platform/options.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { Event } from "../sync/event.ts";
import {
  DelayedThread,
  existingOf,
  type ExistingThread,
  type ThreadData,
} from "./_thread_existing.ts";
import { Thread } from "./thread.ts";

const KIND = "Timer";

/** Options of a timer, besides its interval and its function. */
export interface TimerOptions<A extends unknown[] = unknown[]> {
  /** The function's arguments, cloned by `start`. */
  args?: readonly [...A] | undefined;
  /** The thread's name. Default `Thread-N`. */
  name?: string | undefined;
  /**
   * Whether the program ends without waiting for the timer. Default: as in the thread that makes
   * the object.
   */
  daemon?: boolean | null | undefined;
}

/** What represents a timer in a message to another thread. */
interface TimerData {
  readonly thread: ThreadData;
  readonly finished: Event;
}

/** Passed to the constructor for a timer that exists already. */
class ExistingTimer {
  readonly thread: ExistingThread;
  readonly finished: Event;

  constructor({ thread, finished }: TimerData) {
    this.thread = existingOf(thread);
    this.finished = finished;
  }
}

/**
 * A thread that waits for a while, and then calls a function, unless it is cancelled before. It
 * fires on time whatever the thread that started it does, even if that thread is blocked. Until
 * then the program does not end, unless the timer is a daemon.
 *
 * The time counts from when the thread runs, some tens of milliseconds after `start`.
 *
 * A started timer can be sent to another thread of the same process, as an argument, and cancelled
 * there. The task of a pool can receive it if it is marked with `task` and its module imports
 * `@concurrent/futures`.
 *
 * Semantics: Python's `threading.Timer`.
 *
 * **Differs from Python:** the interval is in milliseconds, not in seconds.
 *
 * @typeParam A The types of the function's arguments.
 *
 * @example
 * ```ts
 * import { Queue, Timer } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * const put = (queue: Queue<string>, word: string) => queue.putSync(word);
 * const timer = new Timer(20, put, { args: [queue, "time is up"] });
 * timer.start();
 * assertEquals(queue.getSync(), "time is up");
 * timer.joinSync();
 * ```
 *
 * @example One that does not fire
 * ```ts
 * import { Timer } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const timer = new Timer(60_000, () => console.log("never"));
 * timer.start();
 * timer.cancel();
 * timer.joinSync();
 * assertEquals(timer.isAlive(), false);
 * ```
 */
export class Timer<A extends unknown[] = unknown[]> extends Thread<A> {
  readonly #interval: number;
  readonly #finished: Event;

  static {
    registerHandle(KIND, (data) => {
      // Callers see only the first of the two overloads.
      return new Timer(new ExistingTimer(data as TimerData) as unknown as number, () => {});
    });
  }

  /**
   * Makes the object; nothing is started yet.
   *
   * @param interval How long to wait, in milliseconds. With 0 or less the timer fires at once, with
   * `Infinity` never.
   * @param fn What is called then. It is sent as a task is.
   * @param options The function's arguments; the thread's name.
   * @throws {TypeError} When `interval` is not a number, or `fn` is not a function.
   * @throws {RangeError} When `interval` is NaN.
   */
  constructor(interval: number, fn: (...args: A) => unknown, options?: TimerOptions<A>);
  constructor(
    interval: number | ExistingTimer,
    fn: (...args: A) => unknown,
    options: TimerOptions<A> = {},
  ) {
    if (interval instanceof ExistingTimer) {
      super(interval.thread);
      this.#interval = 0;
      this.#finished = interval.finished;
      return;
    }
    if (typeof interval !== "number") {
      throw new TypeError(
        `Cannot make timer: interval must be a number of milliseconds, got ${describe(interval)}`,
      );
    }
    if (Number.isNaN(interval)) {
      throw new RangeError("Cannot make timer: interval must be a number of milliseconds, got NaN");
    }
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot make timer: expected a function, got ${describe(fn)}`);
    }
    checkOptions("make timer", options, "{ args: [1] }");
    const finished = new Event();
    super(
      new DelayedThread(fn, options, {
        intervalMs: interval,
        finished,
        run: Timer.prototype.run,
      }),
    );
    this.#interval = interval;
    this.#finished = finished;
  }

  /**
   * Makes the timer end at once without calling its function; may also be called before `start`.
   * Without effect once the function has been called. Never waits.
   *
   * @example
   * ```ts
   * import { Timer } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const timer = new Timer(0, () => console.log("never"));
   * timer.cancel();
   * timer.start();
   * await timer.join();
   * assertEquals(timer.isAlive(), false);
   * ```
   */
  cancel(): void {
    this.#finished.set();
  }

  /**
   * Waits, and then calls the function: this is what the thread does. Called directly, it does so
   * in the calling thread, and returns a promise.
   */
  override async run(): Promise<void> {
    await this.#finished.wait({ timeout: Math.max(0, this.#interval) });
    if (this.#finished.isSet()) return;
    await super.run();
    this.#finished.set();
  }

  /** Makes the timer arrive in another thread as an object for the same timer. */
  override [HANDLE](): Handle {
    const data: TimerData = {
      thread: super[HANDLE]().data as ThreadData,
      finished: this.#finished,
    };
    return { kind: KIND, data };
  }

  /** Shows as `Timer` in logs and error texts. */
  override get [Symbol.toStringTag](): string {
    return KIND;
  }
}
