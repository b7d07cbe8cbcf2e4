/**
 * The mail of a pool's owner to a worker: the outcomes of the worker's submissions and calls, and
 * what the consumers of streams want of their tasks.
 *
 * @module
 */

import { setRemoteCores } from "../_memory/core.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { RuntimeError } from "../sync/errors.ts";
import { type MailboxReader, type MailboxWriter, NEEDS_EVENT_LOOP } from "./_mailbox.ts";
import { REPLY } from "./_protocol.ts";
import { RemoteObjects } from "./_remote_objects.ts";
import { RemotePools } from "./_remote_pools.ts";

/** A stream's task of this worker. */
export interface OpenStream {
  /** The consumer wants `credit` more. */
  request(credit: number): void;
  /** The consumer wants nothing more. */
  stop(): void;
}

/** The owner's mail to this worker. */
export interface OwnerMail {
  /** Reads the mail that has arrived; true when there was some. */
  readonly poll: () => boolean;
  /** The streams' tasks, by the id that the owner's mail has for them. */
  readonly streams: Map<number, OpenStream>;
}

/**
 * Makes this worker read its owner's mail from now on.
 *
 * @param owner The thread that this worker belongs to.
 * @param isOtherProcess Whether the owner is in another process.
 */
export function listenToOwner(
  owner: string,
  inbox: MailboxReader,
  outbox: MailboxWriter,
  isOtherProcess: boolean,
): OwnerMail {
  const pools = new RemotePools(owner, outbox);
  const objects = new RemoteObjects(outbox);
  if (isOtherProcess) setRemoteCores((kind, data) => objects.open(kind, data));
  const streams = new Map<number, OpenStream>();
  const hear = (kind: number, id: number, value: unknown, isUnreadable: boolean): void => {
    switch (kind) {
      case REPLY.WANTED:
        streams.get(id)?.request(value as number);
        break;
      case REPLY.STOPPED:
        streams.get(id)?.stop();
        break;
      case REPLY.RETURNED:
      case REPLY.THROWN:
      case REPLY.RETRACTED:
      case REPLY.ABORTED:
        objects.answer(isUnreadable ? REPLY.ERROR : kind, id, value);
        break;
      case REPLY.YIELDED:
      case REPLY.THREW:
        pools.receive(kind, id, value, isUnreadable);
        break;
      default:
        pools.answer(isUnreadable ? REPLY.ERROR : kind, id, value);
    }
  };
  const poll = (): boolean => inbox.takeAll(hear);
  doorbell.add({
    ready: () => inbox.hasMail,
    drain: poll,
    sleeping: (isBlocking) => {
      if (isBlocking && pools.isBlocked && inbox.isLate) throw new RuntimeError(NEEDS_EVENT_LOOP);
    },
  });
  return { poll, streams };
}
