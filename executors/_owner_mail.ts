/**
 * What the owner of a worker's pool says to it, apart from tasks: what came of its submissions, and of its calls; and what the
 * consumer of a stream wants of its task.
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
  /** So much more is wanted. */
  request(credit: number): void;
  /** Nothing more is wanted. */
  stop(): void;
}

/** What the owner says. */
export interface OwnerMail {
  /** Takes in what it has said. */
  readonly poll: () => boolean;
  /** Who is told what it says about streams, by what it calls them. */
  readonly streams: Map<number, OpenStream>;
}

/**
 * Has this worker take in what its owner says, from now on.
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
  const poll = (): boolean => {
    let found = false;
    while (inbox.take()) {
      found = true;
      const { kind, id, value, isUnreadable } = inbox;
      hear(kind, id, value, isUnreadable);
    }
    return found;
  };
  doorbell.add({
    ready: () => inbox.hasMail,
    drain: poll,
    sleeping: (isBlocking) => {
      if (isBlocking && pools.isBlocked && inbox.isLate) throw new RuntimeError(NEEDS_EVENT_LOOP);
    },
  });
  return { poll, streams };
}
