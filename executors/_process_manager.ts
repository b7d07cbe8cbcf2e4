/**
 * The thread that serves the child processes of a program: one for all pools. It starts them, has their channels, and makes
 * their calls of shared objects. So processes go on working while the main thread is blocked, and blocking for a
 * process's outcome is as simple as for a thread's.
 *
 * @module
 */

import { registerEntry } from "../_platform/entry.ts";
import { platform } from "../_platform/mod.ts";
import { exportTable, findExports } from "./_broker.ts";
import { payloadOf } from "./_payload.ts";
import { PoolChild } from "./_pool_child.ts";
import type { ManagerMessage } from "./_process_protocol.ts";
import { KIND, type StartMessage } from "./_protocol.ts";
import { RelayWriter } from "./_relay.ts";
import { ChildGroup } from "./_tasks_in_hand.ts";
import { Arena } from "../_memory/arena.ts";
import { bellOf } from "../_memory/seat.ts";
import { ThreadTable } from "../_memory/thread_table.ts";
import { WorkerState } from "./_worker_state.ts";

const children = new Map<number, PoolChild>();
/** The children of each pool, by its number: its ring is another object each time that it is sent. */
const groups = new Map<number, ChildGroup>();

/** The entry of the serving thread. */
export function main(): void {
  findExports();
  platform.onOwnMessage((message) => handle(message as ManagerMessage));
}

function handle(message: ManagerMessage): void {
  switch (message.kind) {
    case "start":
      start(message);
      break;
    case "arguments":
      children.get(message.child)?.takeArguments(message.port);
      break;
    case "stop":
      children.get(message.child)?.stop(message.task, message.number, message.graceMs);
      break;
    case "end":
      children.get(message.child)?.end(message.signal);
      break;
    case "news":
      exportTable.learn(message.news);
  }
}

function start(message: ManagerMessage & { kind: "start" }): void {
  const { pool, child: number, start, settings } = message;
  let group = groups.get(pool);
  if (group === undefined) {
    group = new ChildGroup();
    groups.set(pool, group);
  }
  let child: PoolChild;
  try {
    child = new PoolChild(start, settings, group, () => {
      children.delete(number);
      group.children.delete(child);
      // What was returned waits for the pool's next child.
      if (group.children.size === 0 && !group.hasReturned) groups.delete(pool);
    });
  } catch (error) {
    return reportFailure(start, error);
  }
  children.set(number, child);
  group.children.add(child);
  child.run();
}

/** Tells the owner of a child that could not be started. */
function reportFailure(start: StartMessage, error: unknown): void {
  const bell = bellOf(new ThreadTable(start.threads), start.ownerThread);
  const { records } = new WorkerState(start.state);
  const mail = new RelayWriter(records, new Arena(start.results), start.port, bell);
  const how = error instanceof Error ? error.message : String(error);
  mail.pass(KIND.ENDED, 0, payloadOf([how, error, []]));
  mail.ring();
}

registerEntry("process manager", import.meta.url, main);
