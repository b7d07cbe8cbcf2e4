/**
 * The thread that serves this program's child processes (see `_process_manager.ts`), from the side of those who have it
 * start some. It is started with the first child and ended after the last.
 *
 * @module
 */

import { type Permissions, platform, type WorkerThread } from "../_platform/mod.ts";
import {
  type Core,
  openCore,
  type RemoteData,
  setReturnedCores,
  type WholeCore,
} from "../_memory/core.ts";
import { Decoder } from "../_memory/decoder.ts";
import { decode } from "../_memory/message.ts";
import { NotShareableError } from "../sync/errors.ts";
import { type ExportNews, Exports } from "./_exports.ts";
import type { ManagerMessage, ProcessSettings } from "./_process_protocol.ts";
import type { StartMessage } from "./_protocol.ts";
import { THREAD_ID } from "./_worker_handle.ts";

let serving: WorkerThread | undefined;
/** Those who use the thread, each of which is told if it fails. */
const clients = new Set<ProcessClient>();
let clientsMade = 0;
let childrenStarted = 0;
/** What the thread knows of, and another one would have to be told. */
const known = new Map<string, ExportNews>();

function post(message: ManagerMessage, transfer: Transferable[] = []): void {
  serving?.post(message, transfer);
}

function serve(): void {
  if (serving !== undefined) return;
  serving = platform.startWorker({
    module: import.meta.resolve("./_process_manager.ts"),
    name: "process manager",
    onError: (message) => {
      serving = undefined;
      for (const client of [...clients]) client.fail(message);
    },
  });
  for (const news of known.values()) post({ kind: "news", news });
}

/** The shared objects of this thread that child processes know. */
export const processExports: Exports = new Exports(THREAD_ID, (news) => {
  if (news.data === undefined) known.delete(news.object);
  else known.set(news.object, news);
  post({ kind: "news", news });
});

/** Opens an object that a child sends back: another view of it, as a thread's worker would. */
function openReturned({ remote }: RemoteData): Core | undefined {
  const [prefix, number, part] = remote.split("/");
  const news = known.get(`${prefix}/${number}`);
  if (news === undefined) {
    if (prefix !== THREAD_ID) return undefined;
    throw new NotShareableError(
      "Cannot receive object that a process sends back: this thread has let go of it; keep it meanwhile",
    );
  }
  const core: Core = openCore(news.kind, decode(new Decoder(), news.data!));
  if (part === undefined) return core;
  const { kind, data } = (core as WholeCore).part(part);
  return openCore(kind, data);
}

setReturnedCores(openReturned);

/** The same permissions without URLs, which cannot be posted. */
function namedByStrings(permissions: Permissions | undefined): Permissions | undefined {
  if (permissions === undefined) return undefined;
  const named = Object.entries(permissions).map(([kind, permission]) =>
    [kind, Array.isArray(permission) ? permission.map(String) : permission] as const
  );
  return Object.fromEntries(named);
}

/** A child process as whoever started it sees it. */
export interface ChildThread extends WorkerThread {
  /** Has a task that it runs asked to stop, and the process ended if it does not in time. */
  stop(task: number, number: number, graceMs: number): void;
  /** Ends the process by a signal; how it ended comes by mail. */
  kill(signal: string): void;
}

/** Has child processes served, until {@linkcode close}. */
export class ProcessClient {
  readonly #number = clientsMade++;
  readonly #onFailure: (message: string) => void;

  /** @param onFailure Called when the serving thread has failed, and its children are lost. */
  constructor(onFailure: (message: string) => void) {
    this.#onFailure = onFailure;
  }

  /**
   * Starts a child process. What is posted to it first starts it; what is posted afterwards are ports with the arguments of
   * tasks. Terminate it only once its end has been told.
   */
  start(settings: ProcessSettings): ChildThread {
    serve();
    clients.add(this);
    const child = childrenStarted++;
    const permissions = namedByStrings(settings.permissions);
    const sent: ProcessSettings = { ...settings, permissions };
    let isStarted = false;
    return {
      post: (message, transfer) => {
        if (isStarted) post({ kind: "arguments", child, port: message as MessagePort }, transfer);
        else {
          const start = message as StartMessage;
          post({ kind: "start", pool: this.#number, child, start, settings: sent }, transfer);
        }
        isStarted = true;
      },
      stop: (task, number, graceMs) => post({ kind: "stop", child, task, number, graceMs }),
      kill: (signal) => post({ kind: "end", child, signal }),
      terminate() {},
    };
  }

  /** The serving thread has failed. */
  fail(message: string): void {
    clients.delete(this);
    this.#onFailure(`the thread that serves it failed: ${message}`);
  }

  /** All children have ended, and no other will be started. */
  close(): void {
    if (!clients.delete(this) || clients.size > 0) return;
    serving?.terminate();
    serving = undefined;
  }
}
