/**
 * The children of a program, in the thread that serves them: handles the owners' messages.
 *
 * @module
 */

import { Arena } from "../_memory/arena.ts";
import { bellOf } from "../_memory/seat.ts";
import { ThreadTable } from "../_memory/thread_table.ts";
import { exportTable, findExports } from "./_broker.ts";
import { payloadOf } from "./_payload.ts";
import { PoolChild } from "./_pool_child.ts";
import type { ManagerMessage } from "./_process_protocol.ts";
import type { FailedStart, StartedProcess } from "./_process_start.ts";
import { KIND, type StartMessage } from "./_protocol.ts";
import { RelayWriter } from "./_relay.ts";
import { ChildGroup } from "./_tasks_in_hand.ts";
import { WorkerState } from "./_worker_state.ts";

const children = new Map<number, PoolChild>();
/**
 * The children of each pool, by its number: a pool's ring is a different object each time that it
 * is sent.
 */
const groups = new Map<number, ChildGroup>();

/** What came of the start of a process. */
type Started = StartedProcess | FailedStart;

/** Prepares the calling thread to serve; returns the function that handles messages. */
export function beginServing(): typeof handle {
  findExports();
  return handle;
}

/**
 * Handles an owner's message. Of a "start", the process has been started already, or its start has
 * failed.
 */
function handle(message: ManagerMessage, started: Started | undefined): void {
  switch (message.kind) {
    case "start":
      serve(message, started!);
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
    case "closed":
      groups.delete(message.pool);
      break;
    case "news":
      exportTable.learn(message.news);
  }
}

function serve(message: ManagerMessage & { kind: "start" }, started: Started): void {
  const { pool, child: number, start, settings } = message;
  if ("error" in started) return reportFailure(start, started.error);
  let group = groups.get(pool);
  if (group === undefined) {
    group = new ChildGroup();
    groups.set(pool, group);
  }
  let child: PoolChild;
  try {
    child = new PoolChild(start, settings, started, group, () => {
      children.delete(number);
      group.children.delete(child);
      // Returned tasks wait for the pool's next child, or for its end.
      if (group.children.size === 0 && !group.hasReturned) groups.delete(pool);
    });
  } catch (error) {
    started.child.kill("SIGKILL");
    return reportFailure(start, error);
  }
  children.set(number, child);
  group.children.add(child);
  child.run();
}

/** Tells the owner that a child could not be started. */
function reportFailure(start: StartMessage, error: unknown): void {
  const bell = bellOf(new ThreadTable(start.threads), start.ownerThread);
  const { records } = new WorkerState(start.state);
  const mail = new RelayWriter(records, new Arena(start.results), start.port, bell);
  const how = error instanceof Error ? error.message : String(error);
  mail.pass(KIND.ENDED, 0, payloadOf([how, error, []]));
  mail.ring();
}
