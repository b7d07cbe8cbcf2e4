/**
 * The wire: a channel from the serving thread of a process pool straight to the worker in a child,
 * past the host. It carries one task at a time, for a worker that has nothing else, and its
 * outcome, so two fewer threads must be woken on the way. A worker opens it when it has been given
 * tasks one by one for a while.
 *
 * Invariants
 * 1. While a task that went by the wire has no outcome, the worker is sent no other: so none can
 *    overtake it, and none waits behind it that another worker could run.
 * 2. Whether such a task is begun or taken back is decided once, by the worker or by the host: see
 *    `WorkerState.decide`. Both know the task by its number, which each end of the wire counts for
 *    itself.
 * 3. An outcome goes by the wire only if the worker has sent its host nothing since the last
 *    outcome that it sent there, which had arrived before the next task left (Invariant 1): so no
 *    outcome arrives before what was said ahead of it. See `MailboxWriter.answerBy`.
 *
 * @module
 */

import { processes } from "../_platform/processes.ts";
import { SOCKET } from "../_platform/socket_channel.ts";
import { FrameReader, FrameSender } from "./_frames.ts";
import { keep, type Payload } from "./_payload.ts";
import { DOWN, UP } from "./_process_protocol.ts";
import { CARRIES, KIND, PLACE, SHARED_OBJECTS } from "./_protocol.ts";
import type { Task, TaskHead } from "./_tasks_in_hand.ts";

/** The serving thread's end. */
export class ServingWire {
  readonly #sender: FrameSender;
  /**
   * The worker's numbers of the functions that its host has sent it, by the pool's function
   * numbers.
   */
  readonly #functions = new Map<number, number>();
  #isOpen = false;
  #count = 0;
  /** Index of the task that has gone by the wire and has no outcome. */
  #task: number | undefined;

  constructor(sender: FrameSender) {
    this.#sender = sender;
  }

  /** Takes in that the worker has opened the wire. */
  open(): void {
    this.#isOpen = true;
  }

  /** Learns the worker's number of a function. */
  learn(fn: number, number: number): void {
    this.#functions.set(fn, number);
  }

  /** Whether a task has gone by the wire that has no outcome yet. */
  get isBusy(): boolean {
    return this.#task !== undefined;
  }

  /**
   * Whether the wire may carry a task: a small one, which needs nothing that the worker may not
   * have loaded.
   */
  suits({ fn, form }: Pick<TaskHead, "fn" | "form">): boolean {
    return this.#isOpen && this.#functions.has(fn) &&
      (form & (PLACE.MASK | SHARED_OBJECTS | CARRIES)) === PLACE.INLINE;
  }

  /** Sends a task that suits. */
  send({ task, fn, form, payload }: Task): void {
    this.#task = task;
    this.#count = (this.#count + 1) | 0;
    this.#sender.write(DOWN.TASK, task, this.#functions.get(fn)!, form, payload);
    this.#sender.flush();
  }

  /** The number of the task with that index, if it has gone by the wire and has no outcome. */
  numberOf(task: number): number | undefined {
    return task === this.#task ? this.#count : undefined;
  }

  /** Takes in that a task has its outcome, whichever way it went. */
  finish(task: number): void {
    if (task === this.#task) this.#task = undefined;
  }
}

/** A task that has come by the wire. */
export interface WiredTask {
  readonly number: number;
  readonly task: number;
  readonly fn: number;
  readonly form: number;
  readonly payload: Payload;
}

/** The worker's end. */
export class WorkerWire {
  readonly #sender: FrameSender;
  #isOpen = false;
  #count = 0;
  #arrived: WiredTask | undefined;
  #onChange: (() => void) | undefined;

  constructor() {
    const record = new FrameReader();
    const channel = processes.parentChannel(
      SOCKET.WORKER,
      (frame) => {
        record.open(frame);
        while (record.next()) this.#receive(record);
      },
      () => {}, // The host ends this process.
    );
    this.#sender = new FrameSender(channel);
  }

  /**
   * Sends the outcome of the task that came last. A RAN report comes first, and is sent with the
   * outcome.
   */
  readonly answer = (kind: number, id: number, payload: Payload): void => {
    this.#sender.write(UP.MAIL, kind, id, 0, payload);
    if (kind !== KIND.RAN) this.#sender.flush();
  };

  /**
   * Lets `run` run the tasks that come, one at a time, until `woken` has settled and no task is
   * there. The first call tells the serving thread that tasks may come: from then on, this must be
   * called whenever the worker sleeps.
   */
  async runUntil(woken: Promise<void>, run: (task: WiredTask) => Promise<void>): Promise<void> {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#sender.write(UP.WIRED, 0, 0, 0);
      this.#sender.flush();
    }
    let isOver = false;
    woken.then(() => {
      isOver = true;
      this.#onChange?.();
    });
    for (;;) {
      const task = this.#arrived;
      this.#arrived = undefined;
      if (task !== undefined) await run(task);
      else if (isOver) return;
      else await new Promise<void>((resolve) => this.#onChange = resolve);
    }
  }

  #receive(record: FrameReader): void {
    this.#count = (this.#count + 1) | 0;
    const { a, b, c } = record;
    // If a task is there already, it has been taken back.
    this.#arrived = { number: this.#count, task: a, fn: b, form: c, payload: keep(record) };
    this.#onChange?.();
  }
}
