/**
 * One worker, as its pool's owner sees it: its thread, its words, its mail.
 *
 * @module
 */

import type { WorkerThread } from "../_platform/mod.ts";
import { Arena } from "../_memory/arena.ts";
import type { Shareable } from "../_memory/handle.ts";
import type { Deadline } from "./_deadlines.ts";
import type { Exports } from "./_exports.ts";
import { MailboxReader, MailboxWriter } from "./_mailbox.ts";
import { WorkerAccount } from "./_meter.ts";
import type { ChildThread } from "./_process_client.ts";
import { WorkerLink } from "./_worker_link.ts";

/** A worker's task that was given up, and asked to stop. */
export interface GivenUp {
  readonly task: number;
  /** The deadline at which the worker is abandoned. */
  readonly grace: Deadline;
}

/** One worker, as its pool's owner sees it. */
export class PoolWorkerHandle extends WorkerLink {
  readonly mail: MailboxReader;
  readonly replies: MailboxWriter;
  readonly account: WorkerAccount = new WorkerAccount();
  /** The task that the worker was asked to stop, until its outcome arrives. */
  givenUp: GivenUp | undefined;
  /** The process id, if the worker is a process that has been started. */
  pid: number | undefined;
  /** Whether the pool has ended it, and only its report of that is missing. */
  isDismissed = false;
  /**
   * Whether it takes no more tasks, and waits for what its tasks have delegated to other workers.
   */
  isFinishing = false;
  /** Shared objects that were sent to it in replies, and that it may not have opened yet. */
  #named: Shareable[] = [];

  /** @param exports Given if the worker is in another process. */
  constructor(
    name: string,
    number: number,
    exports: Exports | undefined,
    startThread: () => WorkerThread | ChildThread,
  ) {
    super(name, number, startThread);
    this.mail = new MailboxReader(this.state.records, this.results, this.port);
    const blocks = new Arena(this.replyBlocks);
    this.replies = new MailboxWriter(this.state.replies, blocks, this.port, this.bell);
    if (exports === undefined) return;
    this.replies.exportBy((object) => {
      const handle = exports.handleOf(object);
      this.#named.push(...exports.takeNamed());
      return handle;
    });
  }

  /**
   * Drops the objects that were sent to it in replies: the task that received them has its outcome.
   */
  forgetNamed(): void {
    if (this.#named.length > 0) this.#named = [];
  }

  /**
   * Keeps a thread that has not begun from ever beginning; false when it has. A process is ended
   * instead.
   */
  callOff(): boolean {
    return this.child === undefined && this.state.callOff();
  }

  /** The worker's process; `undefined` if the worker is a thread. */
  get child(): ChildThread | undefined {
    return "kill" in this.thread ? this.thread as ChildThread : undefined;
  }
}
