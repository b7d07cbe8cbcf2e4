/**
 * Processes on Node.
 *
 * @module
 */

import { addedTo, signalNumber, startChild } from "./_child_process.ts";
import { builtin, type NodeSocket, type NodeSocketOptions } from "./_node_modules.ts";
import { SocketChannel } from "./socket_channel.ts";
import { codeOfScript } from "./entry.ts";
import { CHILD_OF, codeOfFolder, FORGET_CODE } from "./node.ts";
import type { Permissions } from "./permissions.ts";
import type { ChildProcess, FrameChannel, Processes, ProcessOptions } from "./processes.ts";

/**
 * Options of the runtime that say what the program is, and how it is watched: a child has its own.
 */
const NOT_PASSED_ON =
  /^-(?:-?$|-?(?:e|p|pe|i|c|eval|print|interactive|check|test|watch|run|input-type|inspect)\b)/;

/**
 * The options to pass on to a child, of those that this process was started with, so that the
 * program's loaders are there in children too.
 */
function passedOn(): string[] {
  let isPassedOn = true;
  // An argument without a dash is the value of the option before it; the runtime refuses values
  // that begin with a dash.
  return builtin("node:process").execArgv.filter((arg) => {
    if (arg.startsWith("-")) isPassedOn = !NOT_PASSED_ON.test(arg);
    return isPassedOn;
  });
}

/** See {@linkcode Processes.grant}. */
function grant(permissions: Permissions | undefined): undefined {
  const kinds = Object.keys(permissions ?? {});
  if (kinds.length === 0) return undefined;
  throw new Error(
    `Cannot start process: this runtime has no permissions, and "${
      kinds[0]
    }" is to be limited; leave them out, or run the program with Deno`,
  );
}

/**
 * Throws if there is no such folder. The runtime reports that only later, and then as a missing
 * program.
 */
function checkFolder(folder: string): void {
  const { statSync } = builtin("node:fs");
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new Error(`Cannot start process: there is no folder "${folder}" to work in`);
}

/**
 * Whether the runtime and the program are one executable file, which runs that program whatever it
 * is told to run. Those that Bun and Node make can be recognised; of one made otherwise, a child
 * finds out.
 */
function isCompiled(): boolean {
  const { argv, env, ppid } = builtin("node:process");
  return /^(?:\/\$bunfs|B:[\\/]~BUN)[\\/]/.test(argv[1]) || builtin("node:sea")?.isSea() === true ||
    env[CHILD_OF] === String(ppid);
}

function start(options: ProcessOptions): ChildProcess | Promise<never> {
  const { entry, module, cwd, ready, onFrame, onWireFrame, onUnreadable, onEnd } = options;
  if (cwd !== undefined) checkFolder(cwd);
  const { execPath, env, pid, platform } = builtin("node:process");
  const code = FORGET_CODE + (cwd === undefined ? "" : codeOfFolder(cwd)) +
    codeOfScript(entry, module);
  return startChild(execPath, [...passedOn(), "--eval", code], {
    // Not the child's own folder: files named in the options, loaders among them, are relative to
    // the program's.
    cwd: undefined,
    ready,
    env: addedTo(env, { ...options.env, [CHILD_OF]: String(pid) }, platform === "win32"),
    onFrame,
    onWireFrame,
    onUnreadable,
    onEnd,
    errorOf: (cause) => {
      const text = cause instanceof Error ? cause.message : String(cause);
      return new Error(`Cannot start process: ${text}`, { cause });
    },
  });
}

/** Opens a socket that this process was started with. */
function openSocket(fd: number, onread: NodeSocketOptions["onread"]): NodeSocket {
  const { Socket } = builtin("node:net");
  try {
    // On Bun a socket is connected to a file number. Node refuses that, and takes the number in the
    // constructor.
    const socket = new Socket({ onread });
    socket.connect({ fd });
    return socket;
  } catch {
    return new Socket({ fd, onread });
  }
}

function parentChannel(
  socket: number,
  onFrame: (frame: Uint8Array) => void,
  onClose: () => void,
): FrameChannel {
  return SocketChannel.inChild((onread) => openSocket(socket, onread), onFrame, onClose);
}

function end(code: number | "kill"): never {
  const process = builtin("node:process");
  if (code === "kill") process.kill(process.pid, "SIGKILL");
  return process.exit(code as number);
}

/** Makes the Node implementation. */
export function createNodeProcesses(): Processes {
  return {
    get areAvailable() {
      return !isCompiled();
    },
    permissionItem: (_kind, item) => String(item),
    grant,
    start,
    parentChannel,
    end,
    signalNumber,
    findConfig: () => undefined,
  };
}
