/**
 * What the owner of a worker's pool says to it, apart from tasks: what came of its submissions, and of its calls.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import { setRemoteCores } from "../_memory/core.ts";
import { doorbell } from "../_memory/doorbell.ts";
import type { MailboxReader, MailboxWriter } from "./_mailbox.ts";
import { REPLY } from "./_protocol.ts";
import { RemoteObjects } from "./_remote_objects.ts";
import { RemotePools } from "./_remote_pools.ts";

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
): void {
  const pools = new RemotePools(owner, outbox);
  const objects = new RemoteObjects(outbox);
  if (isOtherProcess) setRemoteCores((kind, data) => objects.open(kind, data));
  doorbell.add({
    deadlineMs: NEVER,
    ready: () => inbox.hasMail,
    drain: () => {
      let found = false;
      while (inbox.take()) {
        found = true;
        const { kind, id, value, isUnreadable } = inbox;
        if (kind >= REPLY.RETURNED) {
          if (isUnreadable) objects.answer(REPLY.ERROR, id, value);
          else objects.answer(kind, id, value);
        } else pools.answer(isUnreadable ? REPLY.ERROR : kind, id, value);
      }
      return found;
    },
    expire() {},
    sleeping() {},
  });
}
