/**
 * Processes, and which runtime provides them here. Separate from everything else that is needed of
 * a runtime: few threads start processes, and every file that a worker loads delays its start.
 *
 * @module
 */

import { isDeno } from "./deno.ts";
import { createDenoProcesses } from "./deno_process.ts";
import { isNode } from "./node.ts";
import { createNodeProcesses } from "./node_process.ts";
import type { PermissionKind, Permissions } from "./permissions.ts";

/** How a process came to its end. */
export interface ProcessEnd {
  /** Its exit code; `null` when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it: `"SIGKILL"`; `null` when it exited. */
  readonly signal: string | null;
}

/** How a child process is started. */
export interface ProcessOptions {
  /** The name of the entry that it begins with; see `entry.ts`. */
  readonly entry: string;
  /** Address of the file that registers the entry. */
  readonly module: string;
  /** What the child may do; see {@linkcode Processes.grant}. */
  readonly permissions: Permissions | undefined;
  /** Addresses of the package's own files and folders, which the child may always read. */
  readonly readable: readonly URL[];
  /** Environment variables added to those of this process. */
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly cwd: string | undefined;
  /** The file that says how the child finds modules; see {@linkcode Processes.findConfig}. */
  readonly config: string | undefined;
  /** None of the functions below is called before this resolves. */
  readonly ready: Promise<unknown>;
  /** Called with each frame that the child has sent, which is valid until the call returns. */
  readonly onFrame: (frame: Uint8Array) => void;
  /**
   * Called with each frame of the second channel, which another thread of the child may open.
   * Frames of one channel may overtake those of the other.
   */
  readonly onWireFrame: (frame: Uint8Array) => void;
  /**
   * Called when what the child has sent are no frames, or with what taking in one has thrown.
   * Nothing more comes by that channel.
   */
  readonly onUnreadable: (error: unknown) => void;
  /** Called once, when the process has ended and all its frames have been handed out. */
  readonly onEnd: (end: ProcessEnd) => void;
}

/** A channel to another process, for frames of bytes. */
export interface FrameChannel {
  /**
   * Sends a frame. Its first bytes are left free for the channel, see `socket_channel.ts`, and it
   * must not be changed afterwards.
   *
   * @param onSent Called once the frame has left this process, or could not be sent. If this
   * process ends before that, the frame is lost.
   */
  send(frame: Uint8Array, onSent?: () => void): void;
}

/** A started process, and the channel to its main thread. */
export interface ChildProcess extends FrameChannel {
  readonly pid: number;
  /** The second channel. */
  readonly wire: FrameChannel;
  /** Sends it a signal; without effect once it has ended. */
  kill(signal: string): void;
}

/** What a runtime can do with processes. */
export interface Processes {
  /** Whether they can be started. */
  readonly areAvailable: boolean;
  /**
   * An item of a list of permissions as text; a path is completed now, as this process may change
   * its folder before it starts the child, and the child may work in another one.
   */
  permissionItem(kind: PermissionKind, item: string | URL): string;
  /**
   * What a child may do that the calling thread asks for: never more than that thread. Another
   * thread starts the child, and may itself do more.
   *
   * @param permissions Those of the kinds that the child has less of than the calling thread.
   * @throws {Error} When the calling thread may not start processes, or has not what it would give.
   */
  grant(permissions: Permissions | undefined): Permissions | undefined;
  /**
   * Starts a process with a channel to it. Its standard output and error are this process's.
   *
   * @returns The process; or, if the system has not started it, a promise that rejects with the
   * reason.
   * @throws {Error} When the process cannot be started, or must not be.
   */
  start(options: ProcessOptions): ChildProcess | Promise<never>;
  /**
   * In a child process: a channel to its parent, in the thread that calls.
   *
   * @param socket Which channel: one of `SOCKET`.
   * @param onFrame Called with each frame from the parent, which is valid until the call returns.
   * @param onClose Called when the parent has ended or closed the channel.
   */
  parentChannel(
    socket: number,
    onFrame: (frame: Uint8Array) => void,
    onClose: () => void,
  ): FrameChannel;
  /**
   * Ends this process at once, with a code; with `"kill"`, as if it had been killed: nothing more
   * runs.
   */
  end(code: number | "kill"): never;
  /** The number of a signal, 0 if there is none of that name. */
  signalNumber(signal: string): number;
  /**
   * The path of the file that says how a program finds modules, given the address of its main
   * module; `undefined` if there is none.
   */
  findConfig(mainModule: string | undefined): string | undefined;
}

function fail(): never {
  throw new Error("Cannot start process: a browser has none; use threads");
}

/** A runtime without processes. */
const NONE: Processes = {
  areAvailable: false,
  permissionItem: fail,
  grant: fail,
  start: fail,
  parentChannel: fail,
  end: fail,
  signalNumber: () => 0,
  findConfig: () => undefined,
};

function choose(): Processes {
  if (isDeno()) return createDenoProcesses();
  if (isNode()) return createNodeProcesses();
  return NONE;
}

/** The processes of the runtime that this thread runs on. */
export const processes: Processes = choose();
