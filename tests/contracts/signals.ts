/**
 * How tests and their tasks tell each other how far they have come, so that no test has to sleep. All of it is made of objects
 * of the package, which reach a task wherever it runs: on this thread, in another one, or in another process.
 */

import { SimpleQueue } from "../../queue/mod.ts";
import { Event, Semaphore } from "../../sync/mod.ts";
import type { GateParts } from "./gate_parts.ts";

/** Makes what gates and logs are made of. */
export interface SignalKit {
  semaphore(): Semaphore;
  event(): Event;
  queue(): SimpleQueue<number>;
  /** Resolves once what was asked of executors has reached whoever it is for; left out where that takes no time. */
  reached?(): Promise<void>;
}

let kit: SignalKit = {
  semaphore: () => new Semaphore(0),
  event: () => new Event(),
  queue: () => new SimpleQueue<number>(),
};

/** Has gates and logs made of something else, that reaches the tasks of the executor under test. */
export function makeSignalsBy(other: SignalKit): void {
  kit = other;
}

/** Resolves once what was asked of the executor under test has reached whoever it is for. */
export async function reached(): Promise<void> {
  await kit.reached?.();
}

/** An event that reaches the tasks of the executor under test. */
export function makeEvent(): Event {
  return kit.event();
}

/** A gate before which tasks wait (see the task `pass`). Opened at the end of its `using` block at the latest. */
export class Gate implements Disposable {
  readonly parts: GateParts = { arrivals: kit.semaphore(), opening: kit.event() };
  /** Arrivals whose permits have been taken. */
  #counted = 0;

  /** Resolves once so many tasks have come to the gate. One call at a time. */
  async entered(count = 1): Promise<void> {
    while (this.#counted < count) {
      await this.parts.arrivals.acquire();
      this.#counted++;
    }
  }

  /** How many tasks have come to the gate. */
  get count(): number {
    return this.#counted + this.parts.arrivals.getValue();
  }

  /** Lets all tasks through, also those to come. */
  open(): void {
    this.parts.opening.set();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

/** What tasks write down, in the order in which they do. */
export class Log {
  /** The part that is passed to tasks. */
  readonly queue: SimpleQueue<number> = kit.queue();
  readonly #entries: number[] = [];

  /** All that was written so far. */
  get entries(): number[] {
    while (!this.queue.empty()) this.#entries.push(this.queue.getNowait());
    return [...this.#entries];
  }
}
