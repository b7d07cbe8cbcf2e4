/**
 * How tests and their tasks tell each other how far they have come, so that no test has to sleep.
 * The signals are made of objects of the package, which reach a task wherever it runs: on this
 * thread, in another one, or in another process.
 */

import { SimpleQueue } from "../../queue/mod.ts";
import { Event, Semaphore } from "../../sync/mod.ts";
import type { GateParts } from "./gate_parts.ts";

/** Makes what gates and logs are made of. */
export interface SignalKit {
  semaphore(): Semaphore;
  event(): Event;
  queue(): SimpleQueue<number>;
  /**
   * Resolves once requests to executors have reached their receivers; left out where that takes no
   * time.
   */
  reached?(): Promise<void>;
}

let kit: SignalKit = {
  semaphore: () => new Semaphore(0),
  event: () => new Event(),
  queue: () => new SimpleQueue<number>(),
};

/**
 * Makes gates and logs from now on out of other objects, which reach the tasks of the executor
 * under test.
 */
export function makeSignalsBy(other: SignalKit): void {
  kit = other;
}

/** Resolves once requests to the executor under test have reached their receivers. */
export async function reached(): Promise<void> {
  await kit.reached?.();
}

/** An event that reaches the tasks of the executor under test. */
export function makeEvent(): Event {
  return kit.event();
}

/**
 * A gate before which tasks wait (see the task `pass`). The end of its `using` block opens it at
 * the latest.
 */
export class Gate implements Disposable {
  readonly parts: GateParts = { arrivals: kit.semaphore(), opening: kit.event() };
  /** Arrivals whose permits have been taken. */
  #counted = 0;

  /** Resolves once `count` tasks have come to the gate. Only one call at a time. */
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

  /** Lets all tasks through, also later ones. */
  open(): void {
    this.parts.opening.set();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

/** The numbers that tasks write down, in the order in which they do. */
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
