/**
 * The thread that serves the child processes of a program: one for all pools. It starts them, holds
 * their channels, and makes the calls of shared objects that they ask for. So processes go on
 * working while the main thread is blocked, and blocking for a process's outcome is as simple as
 * for a thread's.
 *
 * It begins with little code, and starts the first process at once: the rest (`_serving.ts`) is
 * loaded while that process starts up.
 *
 * @module
 */

import { registerEntry } from "../_platform/entry.ts";
import { platform } from "../_platform/mod.ts";
import type { ManagerMessage } from "./_process_protocol.ts";
import { startProcess } from "./_process_start.ts";
import type { beginServing } from "./_serving.ts";

/** The entry of the serving thread. */
export function main(): void {
  let serving: Promise<ReturnType<typeof beginServing>> | undefined;
  platform.onOwnMessage(async (data) => {
    const message = data as ManagerMessage;
    const started = message.kind === "start" ? startProcess(message) : undefined;
    serving ??= import("./_serving.ts").then(({ beginServing }) => beginServing());
    // Awaited alike by all: no message may overtake another. (What overtakes a start that failed
    // finds no process, and there will be none.)
    (await serving)(message, await started);
  });
}

registerEntry("process manager", import.meta.url, main);
