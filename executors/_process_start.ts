/**
 * The start of a child process, by a thread that has not yet loaded what it needs to serve one.
 *
 * @module
 */

import { addressOf, placesOf } from "../_platform/entry.ts";
import { type ChildProcess, processes, type ProcessOptions } from "../_platform/processes.ts";
import type { ManagerMessage } from "./_process_protocol.ts";

/** The package's own modules, which every child must be able to read, where there is no bundle. */
const PARTS = [
  "../executors/",
  "../sync/",
  "../queue/",
  "../progress/",
  "../_memory/",
  "../_platform/",
  "../mod.ts",
];

/** The callbacks for what happens to a process. */
export type ProcessListener = Pick<ProcessOptions, "onFrame" | "onUnreadable" | "onEnd">;

/** A process that was started. */
export interface StartedProcess {
  readonly child: ChildProcess;
  /**
   * Passes on to `listener` what the process says, and has said so far. Before this call nothing is
   * passed on, not even its end.
   */
  listen(listener: ProcessListener): void;
}

/** The error of a process that was not started. */
export interface FailedStart {
  readonly error: unknown;
}

/** Starts a child process; if that fails, or it must not be started, returns the error. */
export function startProcess(
  { settings, granted }: ManagerMessage & { kind: "start" },
): StartedProcess | FailedStart | Promise<FailedStart> {
  if ("error" in granted) return granted;
  let listener: ProcessListener;
  let listen!: (to: ProcessListener) => void;
  const ready = new Promise<void>((resolve) => {
    listen = (to) => {
      listener = to;
      resolve();
    };
  });
  const onFrame = (frame: Uint8Array): void => listener.onFrame(frame);
  try {
    const child = processes.start({
      ...settings,
      permissions: granted.permissions,
      entry: "process",
      module: addressOf(import.meta.url, () => import.meta.resolve("./_process_main.ts")),
      readable: placesOf(import.meta.url, PARTS).filter(({ protocol }) => protocol === "file:"),
      ready,
      onFrame,
      onWireFrame: onFrame,
      onUnreadable: (error) => listener.onUnreadable(error),
      onEnd: (end) => listener.onEnd(end),
    });
    if (child instanceof Promise) return child.catch((error) => ({ error }));
    return { child, listen };
  } catch (error) {
    return { error };
  }
}
