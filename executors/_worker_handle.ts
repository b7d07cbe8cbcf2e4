/**
 * One worker as its pool's owner sees it: its thread, its words, its mail.
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

/** A worker's task that was asked to stop. */
export interface GivenUp {
  readonly task: number;
  /** When the worker is to be abandoned. */
  readonly grace: Deadline;
}

/** One worker as its pool's owner sees it. */
export class PoolWorkerHandle extends WorkerLink {
  readonly mail: MailboxReader;
  readonly replies: MailboxWriter;
  readonly account: WorkerAccount = new WorkerAccount();
  /** The task that the worker was asked to stop, while it has not said anything. */
  givenUp: GivenUp | undefined;
  /** The number of the process that it is, once that has been started. */
  pid: number | undefined;
  /** It was ended by the pool, and has only to tell so. */
  isDismissed = false;
  /** It takes no more tasks, and sees through what those that it had have others do. */
  isFinishing = false;
  /** Shared objects that it was sent in replies, while it may not have opened them. */
  #named: Shareable[] = [];

  /** @param exports Given where the worker is in another process. */
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

  /** Keeps no longer what it was sent in replies: the task that was sent them has its outcome. */
  forgetNamed(): void {
    if (this.#named.length > 0) this.#named = [];
  }

  /** The process that it is, if it is one. */
  get child(): ChildThread | undefined {
    return "kill" in this.thread ? this.thread as ChildThread : undefined;
  }
}
