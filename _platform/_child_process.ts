/**
 * A process with an ipc channel on which frames of bytes go to and fro, by `node:child_process`.
 *
 * Frames are `Uint8Array`s and nothing else: a value that the channel cannot clone would destroy it.
 *
 * @module
 */

import { builtin, type NodeChildProcess } from "./_node_modules.ts";
import type { ChildProcess, ProcessEnd, ProcessOptions } from "./mod.ts";

/** Turns of the event loop without a frame after which a process that has ended is taken to have said all. */
const LAST_TURNS = 2;

/** The number of that pipe in the child: behind standard input, output and error, and the channel. */
export const LIFELINE = 4;

/** What a process is started with, beside its command. */
export interface ChildOptions extends Pick<ProcessOptions, "cwd" | "onFrame" | "onEnd"> {
  /** Whether it gets one more pipe, at {@linkcode LIFELINE}: nothing is sent there, and it ends with this process. */
  readonly hasLifeline: boolean;
  /** All of its environment variables; `undefined` for those of this process. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined;
  /** The error to throw when it could not be started. */
  readonly errorOf: (cause: unknown) => Error;
}

/** Starts a process. */
export function startChild(
  command: string,
  args: readonly string[],
  { hasLifeline, cwd, env, onFrame, onEnd, errorOf }: ChildOptions,
): ChildProcess {
  const lifeline = hasLifeline ? ["pipe"] : [];
  let child: NodeChildProcess;
  try {
    child = builtin("node:child_process").spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc", ...lifeline],
      serialization: "advanced",
      cwd,
      env,
    });
  } catch (error) {
    throw errorOf(error);
  }
  // What could not be sent: the end is told by "exit".
  child.on("error", () => {});
  child.stdio[LIFELINE]?.on("error", () => {});
  const { pid } = child;
  if (pid === undefined) throw errorOf(new Error("the system refused it"));
  let hasEnded = false;
  const end = (how: ProcessEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    // Something may have been sent after its end, which keeps the channel open.
    if (child.connected) child.disconnect();
    onEnd(how);
  };
  let framesSeen = 0;
  child.on("message", (message) => {
    framesSeen++;
    onFrame(message as Uint8Array);
  });
  // What it has sent before its end may still be in the channel: two turns without a frame say that nothing is.
  const endLater = (how: ProcessEnd, turns: number, seen = framesSeen): void => {
    if (turns === 0) return end(how);
    setImmediate(() => endLater(how, framesSeen === seen ? turns - 1 : LAST_TURNS));
  };
  child.on("exit", (code, signal) => endLater({ code, signal }, LAST_TURNS));
  return {
    pid,
    send: (frame, onSent) => {
      if (!hasEnded && child.connected) child.send(frame, onSent);
    },
    kill: (signal) => {
      if (hasEnded) return;
      child.killed = false; // Otherwise only the first signal is sent.
      child.kill(signal);
    },
  };
}
