/**
 * The thread that serves this program's child processes (see `_process_manager.ts`), from the side
 * of the threads that ask it to start some. It is started with the first child and ended after the
 * last.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { addressOfEntry } from "../_platform/entry.ts";
import { platform, type WorkerThread } from "../_platform/mod.ts";
import {
  PERMISSION_KINDS,
  type PermissionKind,
  type Permissions,
} from "../_platform/permissions.ts";
import { processes } from "../_platform/processes.ts";
import { type Core, openPart, type RemoteData, setReturnedCores } from "../_memory/core.ts";
import { NotShareableError, RuntimeError } from "../sync/errors.ts";
import { type ExportNews, Exports, openExport, parseName } from "./_exports.ts";
import { ownId, ownOrigin } from "./_origin.ts";
import type { Granted, ManagerMessage, ProcessSettings } from "./_process_protocol.ts";
import type { StartMessage } from "./_protocol.ts";

let ownFile: { readonly path: string | undefined } | undefined;

/** The file that says how this program, and so its processes, find modules. Looked up once. */
export function ownConfig(): string | undefined {
  const { config, mainModule } = ownOrigin();
  ownFile ??= { path: config ?? processes.findConfig(mainModule) };
  return ownFile.path;
}

/**
 * Throws where processes are not available.
 *
 * @param act What is attempted, for the error text.
 */
export function checkProcesses(act: string): void {
  if (processes.areAvailable) return;
  throw new RuntimeError(
    `Cannot ${act}: a browser or a compiled program cannot start processes; use threads`,
  );
}

let serving: WorkerThread | undefined;
/** The clients of the serving thread, each of which is told if the thread fails. */
const clients = new Set<ProcessClient>();
let clientsMade = 0;
let childrenStarted = 0;
/** The exports that the serving thread has been told of, and that a new one must be told of. */
const known = new Map<string, ExportNews>();

function post(message: ManagerMessage, transfer: Transferable[] = []): void {
  serving?.post(message, transfer);
}

function serve(): void {
  if (serving !== undefined) return;
  const thread = platform.startWorker({
    entry: "process manager",
    module: addressOfEntry("process manager", () => import.meta.resolve("./_process_manager.ts")),
    name: "process manager",
    onError: (message) => {
      if (serving !== thread) return; // It was dismissed: those who are served are served by another one.
      serving = undefined;
      for (const client of [...clients]) {
        client.fail(`the thread that serves it failed: ${message}`);
      }
    },
  });
  serving = thread;
  for (const news of known.values()) post({ kind: "news", news });
}

let objects: Exports | undefined;

/** The shared objects of this thread that child processes know. */
export function processExports(): Exports {
  return objects ??= new Exports(ownId(), (news) => {
    if (news.data === undefined) known.delete(news.object);
    else known.set(news.object, news);
    post({ kind: "news", news });
  });
}

/** Opens an object that a child sends back: another view of it, as a thread's worker would. */
function openReturned({ remote }: RemoteData): Core | undefined {
  const { prefix, whole, part } = parseName(remote);
  const news = known.get(whole);
  if (news === undefined) {
    if (prefix !== ownId()) return undefined;
    throw new NotShareableError(
      "Cannot receive object that a process sends back: this thread has let go of it; keep it meanwhile",
    );
  }
  const core = openExport(news);
  return part === undefined ? core : openPart(core, part);
}

setReturnedCores(openReturned);

/** The environment variables and the working folder of processes. */
interface Surroundings {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/** The name of a variable. On Windows, those of the system itself begin with `=`. */
const VARIABLE = /^[^\0][^=\0]*$/;

/**
 * Checks the environment variables and the working folder of processes.
 *
 * @param act What is attempted, for the error text.
 * @throws {TypeError} When `env` is not an object or a name in it cannot be that of a variable, or
 * `cwd` is not a string.
 */
export function checkSurroundings(act: string, { env, cwd }: Surroundings): Surroundings {
  if (env !== undefined && (typeof env !== "object" || env === null || Array.isArray(env))) {
    // What may hold a secret is not quoted, neither here nor below.
    const got = typeof env === "string" ? "a string" : describe(env);
    throw new TypeError(
      `Cannot ${act}: env must be an object of variables, such as { LEVEL: "debug" }, got ${got}`,
    );
  }
  for (const name of Object.keys(env ?? {})) {
    if (VARIABLE.test(name)) continue;
    throw new TypeError(
      `Cannot ${act}: a name in env must not be empty, nor contain "=" or NUL, got ${
        describe(name.replace(/=[^]*/, "=..."))
      }`,
    );
  }
  if (cwd !== undefined && typeof cwd !== "string") {
    throw new TypeError(`Cannot ${act}: cwd must be the path of a folder, got ${describe(cwd)}`);
  }
  return { env, cwd };
}

/**
 * Checks the permissions of processes; URLs, which cannot be posted, become strings, and paths
 * complete.
 *
 * @param act What is attempted, for the error text.
 * @throws {TypeError} When `permissions` is not an object, a kind is unknown, or a permission is
 * neither a boolean nor a list of strings and URLs.
 */
export function checkPermissions(
  act: string,
  permissions: Permissions | undefined,
): Permissions | undefined {
  if (permissions === undefined) return undefined;
  if (typeof permissions !== "object" || permissions === null) {
    const got = describe(permissions);
    throw new TypeError(
      `Cannot ${act}: permissions must be an object that says of each kind what is allowed, such as { net: false }, got ${got}`,
    );
  }
  const checked = Object.entries(permissions).map(([kind, permission]) => {
    if (!(PERMISSION_KINDS as readonly string[]).includes(kind)) {
      throw new TypeError(
        `Cannot ${act}: there is no permission "${kind}"; the kinds are ${
          PERMISSION_KINDS.join(", ")
        }`,
      );
    }
    if (permission === undefined || typeof permission === "boolean") return [kind, permission];
    const refuse = (expected: string, got: unknown): never => {
      throw new TypeError(
        `Cannot ${act}: permission "${kind}" must ${expected}, got ${describe(got)}`,
      );
    };
    if (!Array.isArray(permission)) return refuse("be a boolean or a list", permission);
    const items = permission.map((item) =>
      typeof item === "string" || item instanceof URL
        ? processes.permissionItem(kind as PermissionKind, item)
        : refuse("list strings and URLs", item)
    );
    return [kind, items];
  });
  return Object.fromEntries(checked);
}

/**
 * What a child may do that this thread asks for. The serving thread cannot tell: it may have been
 * started when this one could do more, as in a test of limited permissions.
 */
function granted(permissions: Permissions | undefined): Granted {
  try {
    return { permissions: processes.grant(permissions) };
  } catch (error) {
    return { error };
  }
}

/** A child process, as the thread that started it sees it. */
export interface ChildThread extends WorkerThread {
  /**
   * Asks a task that the process has in hand to stop, and ends the process if it does not in time.
   */
  stop(task: number, number: number, graceMs: number): void;
  /** Ends the process by a signal; how it ended comes by mail. */
  kill(signal: string): void;
}

/** Lets the serving thread serve child processes, until {@linkcode close}. */
export class ProcessClient {
  readonly #number = clientsMade++;
  /** Called for each of its children, which are lost, if the serving thread fails. */
  readonly #losers = new Set<(message: string) => void>();

  /**
   * Starts a child process. The first message posted to it starts it; later ones are ports with the
   * arguments of tasks. Terminate it only once its end has been reported.
   *
   * @param onError Called when the serving thread has failed, and the child is lost.
   */
  start(settings: ProcessSettings, onError: (message: string) => void): ChildThread {
    serve();
    clients.add(this);
    this.#losers.add(onError);
    const child = childrenStarted++;
    let isStarted = false;
    return {
      post: (message, transfer) => {
        if (isStarted) post({ kind: "arguments", child, port: message as MessagePort }, transfer);
        else {
          const start = message as StartMessage;
          const said = { start, settings, granted: granted(settings.permissions) };
          post({ kind: "start", pool: this.#number, child, ...said }, transfer);
        }
        isStarted = true;
      },
      stop: (task, number, graceMs) => post({ kind: "stop", child, task, number, graceMs }),
      kill: (signal) => post({ kind: "end", child, signal }),
      terminate: () => void this.#losers.delete(onError),
      whenGone: () => new Promise(() => {}), // Its end is reported by mail.
      isGone: () => Promise.resolve(false),
    };
  }

  /** Reports that the serving thread has failed. */
  fail(message: string): void {
    clients.delete(this);
    for (const onError of [...this.#losers]) onError(message);
  }

  /** Call when all children have ended, and no other will be started. */
  close(): void {
    if (!clients.delete(this)) return;
    if (clients.size > 0) return post({ kind: "closed", pool: this.#number });
    serving?.terminate();
    serving = undefined;
  }
}
