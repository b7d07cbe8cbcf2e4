/**
 * The threads of one model, and how the main thread makes them run one schedule after the other.
 *
 * @module
 */

import { MainControl } from "./control.ts";
import { HEADER, LOG, OUTCOME } from "./control_layout.ts";
import { DEFAULT_MAX_STEPS, type Model } from "./model.ts";
import type { Introduction, Shared } from "./model_worker.ts";
import type { FoundModel } from "./models.ts";
import { numberBuffers, type SharedBuffer } from "./shared_buffers.ts";

/**
 * Time limit of a schedule. One takes less than a millisecond; a thread that takes longer loops
 * without a step.
 */
const PATIENCE_MS = 10_000;

/** Switches: step, thread, step, thread, and so on. */
export type Schedule = readonly number[];

/** The threads of a model. After a violation they can only be disposed of. */
export class Stage implements Disposable {
  readonly model: Model;
  readonly #control: MainControl;
  readonly #workers: readonly Worker[];
  /** Length of the last schedule. */
  #length = 0;
  /** The memory that the threads of the last schedule shared. */
  buffers: readonly SharedBuffer[] = [];

  private constructor(model: Model, control: MainControl, workers: readonly Worker[]) {
    this.model = model;
    this.#control = control;
    this.#workers = workers;
  }

  /** Starts the threads. */
  static async start({ model, module }: FoundModel): Promise<Stage> {
    const control = new MainControl(model.threads, model.maxSteps ?? DEFAULT_MAX_STEPS);
    const workers: Worker[] = [];
    // One after the other, so that all that they do on loading is done in the same order each time.
    for (let thread = 0; thread < model.threads; thread++) {
      const worker = new Worker(new URL("model_worker.ts", import.meta.url), { type: "module" });
      workers.push(worker);
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      worker.onmessage = resolve;
      worker.onerror = (event): void => {
        event.preventDefault();
        reject(new Error(`Cannot start thread ${thread} of "${model.name}": ${event.message}`));
      };
      const { memory } = control;
      worker.postMessage({ memory, thread, module, name: model.name } satisfies Introduction);
      await promise;
    }
    return new Stage(model, control, workers);
  }

  /** Runs a schedule; returns what is wrong with it, or `undefined`. */
  run(schedule: Schedule): string | undefined {
    const { model } = this;
    const shared = model.setUp();
    this.buffers = numberBuffers(shared);
    this.#length = schedule.length;
    this.#control.begin(schedule);
    const message: Shared = { shared, buffers: this.buffers };
    for (const worker of this.#workers) worker.postMessage(message);
    if (!this.#control.finish(PATIENCE_MS)) return "a thread loops without a step";
    return this.#violation() ?? checked(model, shared, this.#control.results());
  }

  #violation(): string | undefined {
    const { words } = this.#control;
    const culprit = `T${words[HEADER.CULPRIT]}`;
    switch (words[HEADER.OUTCOME]) {
      case OUTCOME.COMPLETED:
        return undefined;
      case OUTCOME.DEADLOCK:
        return `deadlock: nobody is left to wake ${this.#sleepers().join(" and ")}`;
      case OUTCOME.LIVELOCK:
        return `livelock: no end after ${words[HEADER.MAX_STEPS]} steps`;
      case OUTCOME.THREW:
        return `${culprit} threw: ${this.#control.error()}`;
      default:
        throw new Error(`Cannot tell how the schedule ended: ${words[HEADER.OUTCOME]}`);
    }
  }

  #sleepers(): string[] {
    const ended = this.#control.words[HEADER.ENDED];
    return Array.from({ length: this.model.threads }, (_, thread) => thread)
      .filter((thread) => (ended & (1 << thread)) === 0)
      .map((thread) => `T${thread}`);
  }

  /** Whether all switches of the last schedule were made. */
  get fits(): boolean {
    return this.#control.words[HEADER.SWITCHES] * 2 === this.#length;
  }

  /** Steps of the last schedule. */
  get steps(): number {
    return this.#control.words[HEADER.STEP];
  }

  /** A field of the record of a step; see `LOG`. */
  at(step: number, field: number): number {
    return this.#control.log[step * LOG.SIZE + field];
  }

  /** Ends the threads, wherever they are. */
  [Symbol.dispose](): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

function checked(model: Model, shared: unknown, results: unknown[]): string | undefined {
  try {
    model.check?.(shared, results);
    return undefined;
  } catch (error) {
    return `check failed: ${error instanceof Error ? error.message : error}`;
  }
}
