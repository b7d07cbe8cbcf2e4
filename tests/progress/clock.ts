/** Time that passes when a test says so. */

import { platform } from "../../_platform/mod.ts";
import { clock } from "../../_platform/timers.ts";

/** A clock that stands still until it is told to go on; also calls what was put off until then. */
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

  /** Time passes; nothing of this thread runs meanwhile. */
  pass(ms: number): void {
    this.#timeMs += ms;
  }

  /** Time passes, and the event loop turns. */
  turn(ms: number): void {
    this.pass(ms);
    for (const [callback, dueMs] of [...this.#timers]) {
      if (dueMs > this.#timeMs) continue;
      this.#timers.delete(callback);
      callback();
    }
  }

  /** What is still to be called. */
  get pending(): number {
    return this.#timers.size;
  }

  [Symbol.dispose](): void {
    clock.now = this.#now;
    (platform as { background: typeof platform.background }).background = this.#background;
  }
}
