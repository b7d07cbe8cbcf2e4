/** Time that passes when a test says so. */

import { platform } from "../../_platform/mod.ts";
import { clock } from "../../_platform/timers.ts";

/**
 * A clock that stands still until the test advances it; also makes the calls that were due by then.
 */
export class FakeClock implements Disposable {
  #timeMs = Math.ceil(clock.now());
  readonly #timers = new Map<() => void, number>();
  readonly #now = clock.now;
  readonly #background = platform.background;

  constructor() {
    clock.now = () => this.#timeMs;
    (platform as { background: typeof platform.background }).background = (ms, callback) => {
      this.#timers.set(callback, this.#timeMs + ms);
      return () => this.#timers.delete(callback);
    };
  }

  /** Advances the clock while nothing of this thread runs. */
  pass(ms: number): void {
    this.#timeMs += ms;
  }

  /** Advances the clock, and lets the event loop turn. */
  turn(ms: number): void {
    this.pass(ms);
    for (const [callback, dueMs] of [...this.#timers]) {
      if (dueMs > this.#timeMs) continue;
      this.#timers.delete(callback);
      callback();
    }
  }

  /** How many calls are still to be made. */
  get pending(): number {
    return this.#timers.size;
  }

  [Symbol.dispose](): void {
    clock.now = this.#now;
    (platform as { background: typeof platform.background }).background = this.#background;
  }
}
