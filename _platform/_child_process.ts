/**
 * A child process with channels that carry frames of bytes both ways, by `node:child_process`.
 *
 * @module
 */

import { builtin, type NodeChildProcess } from "./_node_modules.ts";
import { callAt, nowMs } from "./clock.ts";
import { SOCKET, SocketChannel } from "./socket_channel.ts";
import type { ChildProcess, FrameChannel, ProcessOptions } from "./processes.ts";

/**
 * When a process has ended but its end of a channel is still open, this thread listens for
 * LAST_WORDS_TURNS more turns, of TURN_MS each, before it takes all frames to have come: a process
 * that the ended one has started may hold that end open. Turns are counted, because time also
 * passes while this thread is kept from reading.
 */
const LAST_WORDS_TURNS = 10;
const TURN_MS = 10;

/** What a process is started with, besides its command. */
export interface ChildOptions
  extends
    Pick<ProcessOptions, "cwd" | "ready" | "onFrame" | "onWireFrame" | "onUnreadable" | "onEnd"> {
  /** All of its environment variables; with `undefined`, it has those of this process. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined;
  /** Makes the error that says that it could not be started. */
  readonly errorOf: (cause: unknown) => Error;
}

/** The number of a signal; 0 where the system has none of that name. */
export function signalNumber(signal: string): number {
  return builtin("node:os").constants.signals[signal] ?? 0;
}

/**
 * Returns environment variables with others added to them.
 *
 * @param isWindows Whether names that differ only in case are the same name, as on Windows.
 */
export function addedTo<V extends string | undefined>(
  env: Readonly<Record<string, V>>,
  added: Readonly<Record<string, string>> | undefined,
  isWindows: boolean,
): Record<string, V | string> {
  if (!isWindows) return { ...env, ...added };
  const names = new Set(Object.keys(added ?? {}).map((name) => name.toUpperCase()));
  const kept = Object.entries(env).filter(([name]) => !names.has(name.toUpperCase()));
  return { ...Object.fromEntries(kept), ...added };
}

/** Says what to look at when the system has no room for another process. */
function withHint(error: Error & { readonly code?: string }): Error {
  if (!["EAGAIN", "EMFILE", "ENFILE"].includes(error.code ?? "")) return error;
  const text = `${error.message}; there may be too many processes or open files`;
  return new Error(text, { cause: error });
}

/** Starts a process; see `start` of `Processes`. */
export function startChild(
  command: string,
  args: readonly string[],
  { cwd, ready, env, onFrame, onWireFrame, onUnreadable, onEnd, errorOf }: ChildOptions,
): ChildProcess | Promise<never> {
  let child: NodeChildProcess;
  try {
    child = builtin("node:child_process").spawn(command, args, {
      // "overlapped" is the same as a pipe except on Windows, where the child's end of a plain pipe
      // cannot be written while it is being read.
      stdio: ["ignore", "inherit", "inherit", "overlapped", "overlapped"],
      windowsHide: true,
      cwd,
      env,
    });
  } catch (error) {
    throw errorOf(error);
  }
  // The error of a signal that could not be sent is ignored: "exit" reports the end.
  child.on("error", () => {});
  const { pid } = child;
  if (pid === undefined) {
    return new Promise((_resolve, reject) => {
      child.on("error", (error) => reject(errorOf(withHint(error))));
    });
  }
  let hasEnded = false;
  const open = (number: number, onFrame: (frame: Uint8Array) => void) => {
    let socket!: SocketChannel;
    const closed = new Promise<void>((resolve) => {
      socket = new SocketChannel(child.stdio[number]!, onFrame, resolve, onUnreadable);
    });
    ready.then(() => socket.listen());
    const send: FrameChannel["send"] = (frame, onSent) => {
      if (!hasEnded) socket.send(frame, onSent);
    };
    return { closed, send, close: () => socket.close() };
  };
  const channel = open(SOCKET.HOST, onFrame);
  const wire = open(SOCKET.WORKER, onWireFrame);
  child.on("exit", async (code, signal) => {
    await ready;
    let isSilent = false;
    const silent = Promise.all([channel.closed, wire.closed]).then(() => isSilent = true);
    for (let turn = 0; turn < LAST_WORDS_TURNS && !isSilent; turn++) {
      const next = new Promise<void>((resolve) => callAt(nowMs() + TURN_MS, resolve));
      await Promise.race([silent, next]);
    }
    hasEnded = true;
    channel.close();
    wire.close();
    // Windows has exit codes of 32 bits, which one runtime reports as signed.
    onEnd({ code: code === null ? null : code >>> 0, signal });
  });
  return {
    pid,
    send: channel.send,
    wire,
    kill: (signal) => {
      if (hasEnded) return;
      child.killed = false; // Otherwise only the first signal is sent.
      child.kill(signal);
    },
  };
}
