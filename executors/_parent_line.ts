/**
 * The line of a thread of a child process to its host; see `_parent_access.ts`.
 *
 * @module
 */

import { Arena, createArenaBuffer } from "../_memory/arena.ts";
import { setRemoteCores } from "../_memory/core.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { beforeLeaving, bellOf, home } from "../_memory/seat.ts";
import { MailboxReader, MailboxWriter } from "./_mailbox.ts";
import type { ParentAccess } from "./_origin.ts";
import { tellHost } from "./_parent_access.ts";
import { handleForParent } from "./_payload.ts";
import { REPLY } from "./_protocol.ts";
import { RemoteObjects } from "./_remote_objects.ts";
import { WorkerState } from "./_worker_state.ts";

/** Makes the parent's objects usable in this thread, whose line is opened for the first of them. */
export function useParentObjects(access: ParentAccess): void {
  let objects: RemoteObjects | undefined;
  setRemoteCores((kind, data) => (objects ??= openLine(access)).open(kind, data));
}

function openLine(access: ParentAccess): RemoteObjects {
  const { table, id } = home();
  const state = new WorkerState();
  const calls = createArenaBuffer();
  const answers = createArenaBuffer();
  const { port1, port2 } = new MessageChannel();
  const name = table.nameOf(id);
  const line = { state: state.buffer, calls, answers, port: port2, thread: id, name };
  tellHost(access, { kind: "line", line }, [port2]);
  beforeLeaving(() => tellHost(access, { kind: "leaves" }));
  const bell = bellOf(table, access.host);
  const outbox = new MailboxWriter(state.records, new Arena(calls), port1, bell);
  outbox.exportBy(handleForParent);
  const inbox = new MailboxReader(state.replies, answers, port1);
  const objects = new RemoteObjects(outbox);
  doorbell.add({
    ready: () => inbox.hasMail,
    drain: () =>
      inbox.takeAll((kind, id, value, isUnreadable) =>
        objects.answer(isUnreadable ? REPLY.ERROR : kind, id, value)
      ),
  });
  return objects;
}
