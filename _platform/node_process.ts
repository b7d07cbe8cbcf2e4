/**
 * Processes on Node.
 *
 * @module
 */

import { signalNumber, startChild } from "./_child_process.ts";
import { builtin, type NodeSocket, type NodeSocketOptions } from "./_node_modules.ts";
import { CHANNEL, SocketChannel } from "./socket_channel.ts";
import { codeOfScript } from "./entry.ts";
import type { ChildProcess, FrameChannel, Processes, ProcessOptions } from "./processes.ts";

/** Options of the runtime that say what the program is, and how it is watched: those of a child are others. */
const NOT_PASSED_ON =
  /^--?(e|p|pe|i|c|eval|print|interactive|check|test|watch|run|input-type|inspect)\b/;

/** Of those, the ones that take the next argument as well, unless they have a value behind `=`. */
const WITH_VALUE = /^--?(e|p|pe|eval|print|input-type|watch-path)$/;

/** The options that this process was started with, so that loaders of the program's are there in children too. */
function passedOn(): string[] {
  const args: string[] = [];
  const { execArgv } = builtin("node:process");
  for (let i = 0; i < execArgv.length; i++) {
    if (!NOT_PASSED_ON.test(execArgv[i])) args.push(execArgv[i]);
    else if (WITH_VALUE.test(execArgv[i])) i++;
  }
  return args;
}

function checkPermissions({ permissions }: ProcessOptions): void {
  const kinds = Object.keys(permissions ?? {});
  if (kinds.length === 0) return;
  throw new Error(
    `Cannot start process: this runtime has no permissions, and "${
      kinds[0]
    }" is to be limited; leave them out, or run the program with Deno`,
  );
}

/** The runtime tells of a folder that is not there only later, and then of a program that is not there. */
function checkFolder(folder: string): void {
  const { statSync } = builtin("node:fs");
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new Error(`Cannot start process: there is no folder "${folder}" to work in`);
}

function start(options: ProcessOptions): ChildProcess {
  const { entry, module, cwd, ready, onFrame, onEnd } = options;
  checkPermissions(options);
  if (cwd !== undefined) checkFolder(cwd);
  const { execPath, env } = builtin("node:process");
  return startChild(execPath, [...passedOn(), "--eval", codeOfScript(entry, module)], {
    cwd,
    ready,
    env: options.env === undefined ? undefined : { ...env, ...options.env },
    onFrame,
    onEnd,
    errorOf: (cause) => {
      const text = cause instanceof Error ? cause.message : String(cause);
      return new Error(`Cannot start process: ${text}`, { cause });
    },
  });
}

/** The socket that this process was started with. */
function openSocket(onread: NodeSocketOptions["onread"]): NodeSocket {
  const { Socket } = builtin("node:net");
  try {
    // Bun has what has a number connected; Node refuses, and is told the number before.
    const socket = new Socket({ onread });
    socket.connect({ fd: CHANNEL });
    return socket;
  } catch {
    return new Socket({ fd: CHANNEL, onread });
  }
}

function parentChannel(
  onFrame: (frame: Uint8Array) => void,
  onClose: () => void,
): FrameChannel {
  return SocketChannel.inChild(openSocket, onFrame, onClose);
}

function end(code: number | "kill"): never {
  const process = builtin("node:process");
  if (code === "kill") process.kill(process.pid, "SIGKILL");
  return process.exit(code as number);
}

/** Makes the Node implementation. */
export function createNodeProcesses(): Processes {
  return {
    areAvailable: true,
    start,
    parentChannel,
    end,
    signalNumber,
  };
}
