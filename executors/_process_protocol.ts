/**
 * What the threads and processes of a process pool send each other.
 *
 *   owner's thread                 serving thread                     child process
 *   WorkerPool       <-- shared memory -->  PoolChild  <-- frames -->  host  <-- shared memory -->  worker
 *
 * The owner sees the serving thread's `PoolChild` as it sees a worker of a thread pool: it claims
 * tasks from the ring and writes mail. The worker in the child sees its host as it would see a
 * thread pool's owner. Between the two, records go over a channel; the payloads are not decoded on
 * the way. A task that comes alone goes a shorter way; see `_wire.ts`.
 *
 * @module
 */

import type { Permissions } from "../_platform/permissions.ts";
import type { Encoded } from "../_memory/message.ts";
import type { ExportNews } from "./_exports.ts";
import type { StartMessage } from "./_protocol.ts";
import type { Target } from "./_target.ts";

/**
 * Records from the serving thread to a child's host, and TASK by the wire to its worker; A, B and C
 * are the numbers of a frame's record.
 */
export const DOWN = {
  /** The first: a {@linkcode HostStart}. */
  START: 0,
  /** A function, by the number A: a `Target`. */
  FUNCTION: 1,
  /**
   * Task A, to run function B, in form C. By the wire, B is the worker's number of that function.
   */
  TASK: 2,
  /** Mail for the worker: kind A, id B; or by line C, if that is not 0. */
  MAIL: 3,
  /** Task A is asked to stop; C is 1 if it is number B of those that went by the wire. */
  ABORT: 4,
  /** The worker must end: there will be no more tasks, and none is under way. */
  CLOSE: 5,
  /** The returned tasks have arrived: tasks that follow were sent in knowledge of that. */
  RESUME: 6,
  /**
   * The worker's last words have arrived: only now does the process end. When a process ends that
   * has answers to read, writing to it fails, and then the runtime drops what it has sent and this
   * side has not read.
   */
  END: 7,
} as const;

/** Records from a child to the serving thread; by the wire: MAIL that is an outcome, and WIRED. */
export const UP = {
  /** Mail from the worker: kind A, id B; or by line C, if that is not 0. */
  MAIL: 0,
  /**
   * Task A was not begun, as the one before it takes long: other children may have it. B and C are
   * those of TASK.
   */
  RETURNED: 1,
  /**
   * Task A, which the worker has in hand, has been asked to stop; C is 1 if it is number B of those
   * that went by the wire.
   */
  STOPPING: 2,
  /** Function A is number B to the worker. */
  NUMBERED: 3,
  /** The worker takes tasks by the wire. */
  WIRED: 4,
  /** A thread has opened line A: its name; see `_parent_access.ts`. */
  LINE_OPENED: 5,
  /** The thread with line A has ended. */
  LINE_ENDED: 6,
} as const;

/**
 * How long, at most, the owner of a pool looks for an outcome before it sleeps, and the serving
 * thread for the next task. A task comes back in 40 microseconds if neither must be woken, and in
 * 60 otherwise. No longer: the threads of the process need the processors.
 */
export const LOOK_MS = 0.05;

/** Exit code of a process whose worker, or only task, failed. */
export const FAILED = 1;

/** The first record to a child. */
export interface HostStart {
  readonly name: string;
  /** The thread that owns the pool; see `StartMessage`. */
  readonly owner: string;
  readonly initializer: Target | undefined;
  readonly initargs: Encoded | undefined;
  readonly initargsShareObjects: boolean;
  readonly firstTaskId: number;
  readonly isAlone: boolean;
  readonly config: string | undefined;
}

/** How a child process is set up. */
export interface ProcessSettings {
  readonly permissions: Permissions | undefined;
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly cwd: string | undefined;
  readonly config: string | undefined;
  /**
   * Whether the process exists for one task only, and takes its exit code from it: 0 when it
   * returned, 1 when it threw.
   */
  readonly isAlone: boolean;
}

/** What a child may do, or why it cannot be allowed that. */
export type Granted =
  | { readonly permissions: Permissions | undefined }
  | { readonly error: unknown };

/** What the owner says to the serving thread. */
export type ManagerMessage =
  | {
    readonly kind: "start";
    /** The child's pool, by its number among those of the owner. */
    readonly pool: number;
    readonly child: number;
    readonly start: StartMessage;
    readonly settings: ProcessSettings;
    /** What of {@linkcode ProcessSettings.permissions} the owner itself has, and so can give. */
    readonly granted: Granted;
  }
  | { readonly kind: "arguments"; readonly child: number; readonly port: MessagePort }
  | {
    readonly kind: "stop";
    readonly child: number;
    /** Its index and its number in the pool's ring. */
    readonly task: number;
    readonly number: number;
    readonly graceMs: number;
  }
  | { readonly kind: "end"; readonly child: number; readonly signal: string }
  | {
    /** The pool is closed: nobody wants what its children have returned. */
    readonly kind: "closed";
    readonly pool: number;
  }
  | { readonly kind: "news"; readonly news: ExportNews };
