/**
 * What a trace keeps: a record for each task and each worker, within bounds.
 *
 * A task's record is updated in place until its future is done, or, if the task was given up, until
 * its worker is done with it. Records of done tasks are kept in a ring, in which the oldest make
 * room. As many records of unfinished tasks are kept as the ring holds; further ones are only
 * counted.
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import {
  type ExecutorObserver,
  failureOf,
  type ObservedTask,
  type ObservedWorker,
  type TaskFate,
  type TaskObservation,
  type WorkerFate,
} from "./_observer.ts";
import { futureInternals } from "./future.ts";
import type { TaskEvent, TaskOutcome, WorkerEvent } from "./trace.ts";

/** What is known of one worker; times are milliseconds since 1970. */
export interface WorkerRecord {
  /**
   * The worker; once it has ended, only a copy of its name and pid, as the worker object holds
   * memory of its own.
   */
  worker: ObservedWorker;
  readonly startMs: number;
  endMs: number | undefined;
  fate: WorkerFate | undefined;
}

/** What is known of one task; times are milliseconds since 1970. */
export class TaskRecord implements TaskObservation {
  readonly carrier = undefined;
  readonly name: string;
  readonly calls: number;
  readonly submittedMs: number;
  worker: WorkerRecord | undefined;
  startMs: number | undefined;
  endMs: number | undefined;
  id: number | undefined;
  outcome: TaskOutcome | undefined;
  #fate: TaskFate | undefined;
  readonly #recorder: Recorder;

  constructor(recorder: Recorder, { name, calls, submittedMs }: ObservedTask) {
    this.#recorder = recorder;
    this.name = name;
    this.calls = calls;
    this.submittedMs = submittedMs;
  }

  ran(worker: ObservedWorker, startMs: number, endMs: number, id: number): void {
    if (this.#recorder.endMs !== undefined) return; // Others still watch this task.
    this.worker = this.#recorder.recordOf(worker);
    this.startMs = startMs;
    this.endMs = endMs;
    this.id = id;
  }

  fails(fate: TaskFate, worker: ObservedWorker | undefined, startMs: number | undefined): void {
    if (this.#recorder.endMs !== undefined) return;
    this.#fate ??= fate;
    if (worker === undefined || this.worker !== undefined) return;
    this.worker = this.#recorder.recordOf(worker);
    this.startMs = startMs;
    // For a task that was given up before, this is when its worker was lost.
    if (this.outcome !== undefined) this.endMs = epochMs();
  }

  /** Takes in that the task's future is done. */
  finish({ future, isChunk }: ObservedTask): void {
    if (future.cancelled()) this.outcome = "cancelled";
    else if (failureOf(future, isChunk) !== undefined) this.outcome = this.#fate ?? "threw";
    else this.outcome = "returned";
    this.endMs ??= epochMs();
  }
}

/** The observation of a task for which there is no room. */
const UNRECORDED: TaskObservation = {
  carrier: undefined,
  ran() {},
  fails() {},
};

/** What a trace keeps. */
export class Recorder implements ExecutorObserver {
  readonly startMs: number = epochMs();
  /** When the recorder was stopped. */
  endMs: number | undefined;
  /** How many records were dropped for lack of room. */
  dropped = 0;
  readonly #most: number;
  readonly #open = new Set<TaskRecord>();
  /** A ring, once it is full: the oldest record is at `#next`. */
  readonly #done: TaskRecord[] = [];
  #next = 0;
  /** Oldest first. */
  readonly #workers = new Set<WorkerRecord>();
  readonly #records = new WeakMap<ObservedWorker, WorkerRecord>();

  /** @param most How many done tasks are kept, and how many unfinished ones. */
  constructor(most: number) {
    this.#most = most;
  }

  /** See {@linkcode ExecutorObserver}. */
  submitted(task: ObservedTask): TaskObservation {
    if (this.#open.size >= this.#most) {
      this.dropped++;
      return UNRECORDED;
    }
    const record = new TaskRecord(this, task);
    this.#open.add(record);
    futureInternals.whenDone(task.future, () => this.#finish(record, task));
    return record;
  }

  #finish(record: TaskRecord, task: ObservedTask): void {
    if (this.endMs !== undefined) return;
    record.finish(task);
    this.#open.delete(record);
    if (this.#done.length < this.#most) {
      this.#done.push(record);
      return;
    }
    this.dropped++;
    this.#done[this.#next] = record;
    this.#next = (this.#next + 1) % this.#most;
  }

  /** See {@linkcode ExecutorObserver}. */
  workerStarted(worker: ObservedWorker, startMs: number): void {
    if (this.#workers.size >= this.#most) this.#dropWorker();
    const record: WorkerRecord = { worker, startMs, endMs: undefined, fate: undefined };
    this.#workers.add(record);
    this.#records.set(worker, record);
  }

  #dropWorker(): void {
    for (const record of this.#workers) {
      if (record.endMs === undefined) continue;
      this.#workers.delete(record);
      this.dropped++;
      return;
    }
  }

  /** See {@linkcode ExecutorObserver}. */
  workerEnded(worker: ObservedWorker, endMs: number, fate: WorkerFate): void {
    const record = this.recordOf(worker);
    const { name, pid } = worker;
    record.worker = { name, pid };
    record.endMs = endMs;
    record.fate = fate;
  }

  /** The record of a worker. */
  recordOf(worker: ObservedWorker): WorkerRecord {
    const record = this.#records.get(worker);
    if (record !== undefined) return record;
    // The worker could not be started.
    return { worker, startMs: this.startMs, endMs: undefined, fate: undefined };
  }

  /** The workers, in the order in which they were started. */
  get workers(): WorkerRecord[] {
    return [...this.#workers];
  }

  /** The tasks, in the order in which they were submitted. */
  get tasks(): TaskRecord[] {
    return [...this.#done, ...this.#open]
      .sort((a, b) => a.submittedMs - b.submittedMs);
  }

  /** The event that reports a worker. */
  workerEvent({ worker, startMs, endMs, fate }: WorkerRecord): WorkerEvent {
    return {
      kind: "worker",
      name: worker.name,
      pid: worker.pid,
      started: startMs - this.startMs,
      ended: this.#since(endMs),
      fate,
    };
  }

  /** The event that reports a task. */
  taskEvent(
    { name, id, calls, submittedMs, startMs, endMs, worker, outcome }: TaskRecord,
  ): TaskEvent {
    return {
      kind: "task",
      name,
      id,
      calls,
      submitted: submittedMs - this.startMs,
      started: this.#since(startMs),
      ended: this.#since(endMs),
      worker: worker?.worker.name,
      outcome,
    };
  }

  #since(ms: number | undefined): number | undefined {
    return ms === undefined ? undefined : ms - this.startMs;
  }
}
