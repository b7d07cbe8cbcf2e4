/**
 * The task that a worker runs, and what it can learn about itself.
 *
 * @module
 */

import type { ChunkRun } from "./_chunk.ts";
import { checkFraction, type TaskContext } from "./context.ts";
import type { WorkerState } from "./_worker_state.ts";

/** A number that no task has. */
const NO_TASK = -1;

/** The task that a worker runs, or ran last. */
export class RunningTask {
  /** Its number; that of no task once its outcome is told. */
  number = NO_TASK;
  /** Its index at the owner. */
  index = 0;
  /** Its calls, if it is a chunk. */
  chunk: ChunkRun | undefined;
  /** Takes in what the owner says while a stream's task runs: that is how it is asked to stop. */
  pollOwner: (() => boolean) | undefined;

  readonly #state: WorkerState;
  readonly #firstId: number;
  readonly #report: (index: number, fraction: number) => void;
  #context: TaskContext | undefined;
  /** Checks whether the task that asked for its signal last must stop. */
  #checkAbort: (() => boolean) | undefined;

  /**
   * @param firstId The id of task number 0.
   * @param report Tells the owner how far a task is.
   */
  constructor(
    state: WorkerState,
    firstId: number,
    report: (index: number, fraction: number) => void,
  ) {
    this.#state = state;
    this.#firstId = firstId;
    this.#report = report;
  }

  /** A task begins. */
  begin(number: number, index: number): void {
    this.number = number;
    this.index = index;
    this.chunk = undefined;
    this.#context = undefined;
  }

  /** The task's outcome is told: what it leaves running reports no more for its index. */
  end(): void {
    this.number = NO_TASK;
    this.chunk = undefined; // It holds the items and the results.
  }

  /** Its id among the tasks of its pool. */
  get id(): number {
    return this.#firstId + this.number;
  }

  /** See {@linkcode TaskContext}. */
  readonly context = (): TaskContext => this.#context ??= this.#contextOf(this.number, this.index);

  #contextOf(number: number, index: number): TaskContext {
    const { abortsBefore } = this.#state;
    const signal = (): AbortSignal => this.#signalOf(number, abortsBefore);
    let made: AbortSignal | undefined;
    return {
      id: this.id,
      attempt: 1,
      get signal(): AbortSignal {
        return made ??= signal();
      },
      report: (fraction) => {
        checkFraction(fraction);
        if (this.number !== number) return;
        this.#report(index, this.chunk?.share(fraction) ?? fraction);
      },
    };
  }

  /**
   * The signal of the running task. Reading `aborted` reads the shared word, so even a computation
   * that never lets the event loop turn sees the abort.
   */
  #signalOf(number: number, abortsBefore: number): AbortSignal {
    const controller = new AbortController();
    const { signal } = controller;
    let aborted = false;
    const check = (): boolean => {
      this.pollOwner?.();
      if (!aborted && this.#state.isAborted(number, abortsBefore)) {
        aborted = true;
        // The runtime reads `aborted` itself before it aborts.
        delete (signal as { aborted?: boolean }).aborted;
        delete (signal as { throwIfAborted?: () => void }).throwIfAborted;
        controller.abort();
      }
      return aborted;
    };
    Object.defineProperty(signal, "aborted", { get: check, configurable: true });
    Object.defineProperty(signal, "throwIfAborted", {
      configurable: true,
      value: () => {
        if (check()) throw signal.reason;
      },
    });
    if (this.#checkAbort === undefined) this.#watchAborts();
    this.#checkAbort = check;
    // Listeners hear only of later aborts; signals that follow this one read it before they listen.
    check();
    return signal;
  }

  /** Checks the running task's signal whenever the owner asks a task to stop. */
  async #watchAborts(): Promise<void> {
    for (;;) {
      const changed = this.#state.abortChange();
      this.#checkAbort?.();
      await changed;
    }
  }
}
