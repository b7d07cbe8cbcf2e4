/**
 * A stream's task in a worker of a pool: values go to the pool's owner as mail, and what the
 * consumer says comes back the same way. The owner's side is `_stream_pool.ts`.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import type { MailboxWriter } from "./_mailbox.ts";
import type { OwnerMail } from "./_owner_mail.ts";
import { KIND } from "./_protocol.ts";
import { StreamDriver, type StreamOutlet } from "./_stream_driver.ts";
import { unsendable } from "./_target.ts";

/**
 * How many bytes the values that the consumer has not taken may have together; it sets from which
 * size a value counts for more than one.
 */
const MOST_BYTES = 1 << 24;

/** What a stream needs from the worker that runs it. */
export interface StreamHost {
  /** Index of the task in the owner's table. */
  readonly task: number;
  readonly mail: MailboxWriter;
  readonly owner: OwnerMail;
  /** True once the thread is about to end. */
  hasEnded(): boolean;
  /** Aborts the signal of the task. */
  abort(): void;
  /** A promise for a turn of the event loop. */
  turn(): Promise<void>;
}

/**
 * Runs a stream's task to its end; rejects with its error.
 *
 * @param id The owner's id of the stream.
 * @param buffersize How many values may be ahead.
 * @param call Calls the function.
 */
export async function runStream(
  host: StreamHost,
  id: number,
  buffersize: number,
  call: () => unknown,
): Promise<void> {
  const { mail, owner, task } = host;
  const driver = new StreamDriver(new MailOutlet(host, buffersize), buffersize);
  owner.streams.set(id, {
    request: (credit) => driver.request(credit),
    stop: () => {
      host.abort();
      driver.stop();
    },
  });
  // This thread must hear what the consumer says even while the function waits.
  doorbell.expect();
  try {
    await mail.write(KIND.STREAM_STARTED, task, undefined);
    await driver.run(call);
  } finally {
    owner.streams.delete(id);
    doorbell.arrived(1);
  }
}

function throwUnsendable(error: unknown): never {
  throw unsendable(error, "a value of the stream");
}

/** Passes values on by mail. */
class MailOutlet implements StreamOutlet {
  readonly #host: StreamHost;
  /** A value of this many bytes counts for two, one of twice as many for three. */
  readonly #unitBytes: number;

  constructor(host: StreamHost, buffersize: number) {
    this.#host = host;
    this.#unitBytes = Math.max(1, Math.floor(MOST_BYTES / buffersize));
  }

  put(value: unknown): number | Promise<number> {
    const { mail, task } = this.#host;
    if (this.#host.hasEnded()) return new Promise(() => {});
    mail.spilledBytes = 0;
    const waiting = mail.writeOr(KIND.YIELDED, task, value, throwUnsendable);
    if (waiting !== undefined) return this.#weighLater(waiting);
    return mail.spilledBytes < this.#unitBytes ? 1 : this.#weigh();
  }

  async #weighLater(waiting: Promise<void>): Promise<number> {
    await waiting;
    return await this.#weigh();
  }

  /** The credit that the value sent last takes; tells the owner if it is more than one. */
  #weigh(): number | Promise<number> {
    const { mail, task } = this.#host;
    const extra = Math.floor(mail.spilledBytes / this.#unitBytes);
    if (extra === 0) return 1;
    const waiting = mail.write(KIND.YIELDED_LARGE, task, extra);
    return waiting === undefined ? 1 + extra : waiting.then(() => 1 + extra);
  }

  poll(): void {
    this.#host.owner.poll();
  }

  failing(): void {
    const { mail, task } = this.#host;
    if (!this.#host.hasEnded()) mail.write(KIND.THREW, task, undefined);
  }

  turn(): Promise<void> {
    return this.#host.turn();
  }
}
