/**
 * What a pool's workers report, taken from their mailboxes and handed to the part of the pool that
 * it concerns.
 *
 * @module
 */

import { nowMs } from "../_platform/clock.ts";
import type { Crew } from "./_crew.ts";
import type { NestedTasks } from "./_nested_tasks.ts";
import type { WorkerKind } from "./_pool_options.ts";
import type { PoolTasks } from "./_pool_tasks.ts";
import { type EndReport, KIND, type RanReport } from "./_protocol.ts";
import type { PoolStreams } from "./_stream_pool.ts";
import type { TaskQueue } from "./_task_queue.ts";
import type { TaskWatch } from "./_task_watch.ts";
import type { PoolWorkerHandle } from "./_worker_handle.ts";
import { futureInternals } from "./future.ts";

/** Pieces of mail drained between two readings of the clock. */
const CLOCK_EVERY = 32;

/** What the mail reports to the pool itself: ends of its workers. */
export interface MailPool {
  /** A worker has ended unasked, with these tasks in hand, if it was able to say so. */
  lost(worker: PoolWorkerHandle, how: string, cause: unknown, inHand?: readonly number[]): void;
  /** A worker takes no more tasks, and has none in hand. */
  retired(worker: PoolWorkerHandle): void;
  /** The initializer has failed in a worker. */
  failInitializer(worker: PoolWorkerHandle, error: unknown): void;
}

/** The parts of a pool that mail concerns. */
export interface MailParts {
  readonly kind: WorkerKind;
  readonly crew: Crew;
  readonly queue: TaskQueue;
  readonly tasks: PoolTasks;
  readonly nested: NestedTasks;
  readonly streams: PoolStreams;
  readonly watch: TaskWatch;
}

/** The mail of a pool's workers. */
export class PoolMail {
  readonly #pool: MailPool;
  readonly #kind: WorkerKind;
  readonly #crew: Crew;
  readonly #queue: TaskQueue;
  readonly #tasks: PoolTasks;
  readonly #nested: NestedTasks;
  readonly #streams: PoolStreams;
  readonly #watch: TaskWatch;

  constructor(pool: MailPool, { kind, crew, queue, tasks, nested, streams, watch }: MailParts) {
    this.#pool = pool;
    this.#kind = kind;
    this.#crew = crew;
    this.#queue = queue;
    this.#tasks = tasks;
    this.#nested = nested;
    this.#streams = streams;
    this.#watch = watch;
  }

  /** Handles a worker's mail, but starts on nothing more after `untilMs`; true if there was some. */
  drain(worker: PoolWorkerHandle, untilMs: number): boolean {
    const { mail } = worker;
    if (!mail.take()) return false;
    let untilClock = CLOCK_EVERY;
    do {
      const { kind, id, value } = mail;
      mail.value = undefined;
      if (mail.isUnreadable) this.#handleUnreadable(worker, kind, id, value);
      else this.#handle(worker, kind, id, value);
      if (--untilClock === 0) {
        if (nowMs() >= untilMs) break;
        untilClock = CLOCK_EVERY;
      }
    } while (!worker.hasEnded && mail.take()); // A callback may have removed it.
    return true;
  }

  #handle(worker: PoolWorkerHandle, kind: number, task: number, value: unknown): void {
    switch (kind) {
      case KIND.RESULT:
        this.#tasks.settle(worker, task, false, value);
        break;
      case KIND.ERROR:
        this.#tasks.settle(worker, task, true, value);
        break;
      case KIND.RAN:
        this.#watch.ran(worker, task, value as RanReport);
        break;
      case KIND.BEGUN:
        break; // Having mail, the owner engages anew.
      case KIND.FETCH:
        this.#queue.sendParked(task, (port) => worker.post(port, [port]));
        break;
      case KIND.PROGRESS: {
        const future = this.#tasks.futureOf(task);
        if (future === undefined || !Number.isFinite(value)) break;
        futureInternals.setProgress(future, value as number);
        break;
      }
      case KIND.INITIALIZER_FAILED:
        this.#pool.failInitializer(worker, value);
        break;
      case KIND.ENDED: {
        const [how, error, tasks] = value as EndReport;
        this.#pool.lost(worker, tasks === undefined ? `it ${how}` : how, error, tasks);
        break;
      }
      case KIND.STARTED:
        worker.pid = value as number;
        this.#kind.onStart?.(worker.pid);
        break;
      case KIND.FINISHING:
        this.#crew.finish(worker);
        break;
      case KIND.RETIRED:
        this.#pool.retired(worker);
        break;
      case KIND.STREAM_STARTED:
      case KIND.YIELDED:
      case KIND.YIELDED_LARGE:
      case KIND.THREW:
        this.#streams.handle(worker, kind, task, value);
        break;
      default:
        this.#nested.handle(worker, kind, task, value);
    }
  }

  /**
   * Handles mail whose value cannot be read; `error` says why. Mail that is not named here is
   * dropped: its id need not be the index of a task, and only a process that makes its mail up
   * sends such a value with it.
   */
  #handleUnreadable(worker: PoolWorkerHandle, kind: number, id: number, error: unknown): void {
    switch (kind) {
      case KIND.RESULT:
      case KIND.ERROR:
        this.#tasks.settle(worker, id, true, error);
        break;
      case KIND.SUBMIT:
        this.#nested.refuse(worker, id, error);
        break;
      case KIND.YIELDED:
        this.#streams.refuse(id, error);
        break;
      case KIND.INITIALIZER_FAILED:
        this.#pool.failInitializer(worker, error);
        break;
      case KIND.ENDED:
        this.#pool.lost(worker, "it threw an error that cannot be read here", error);
    }
  }
}
