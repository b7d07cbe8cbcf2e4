/**
 * The parent's end of the channel to a child process: records out, records in, and its end.
 *
 * @module
 */

import { type ChildProcess, type ProcessEnd, processes } from "../_platform/processes.ts";
import { FrameReader, FrameSender } from "./_frames.ts";
import type { ProcessSettings } from "./_process_protocol.ts";

/** The package's own modules, which every child must be able to read. */
const PARTS = [
  "../executors/",
  "../sync/",
  "../queue/",
  "../_memory/",
  "../_platform/",
  "../mod.ts",
];

/** Apart from where it is used: bundlers look into `new URL(..., import.meta.url)`. */
const OWN_ADDRESS = import.meta.url;

function packageFiles(): string[] {
  return PARTS.map((part) => new URL(part, OWN_ADDRESS))
    .filter((url) => url.protocol === "file:")
    .map((url) => decodeURIComponent(url.pathname));
}

/** How a process has ended, as the end of a sentence. */
export function describeEnd(pid: number, { code, signal }: ProcessEnd): string {
  return signal === null
    ? `process ${pid} exited with code ${code}`
    : `process ${pid} was ended by ${signal}`;
}

/** The channels to one child: to its host, and the wire to its worker. */
export class ProcessLink extends FrameSender {
  /** There is none to a process for one task only. */
  readonly wire: FrameSender | undefined;
  readonly #child: ChildProcess;

  /**
   * Starts the process.
   *
   * @param module URL of the module whose `main` runs in it.
   * @param onRecord Called for each record that comes.
   * @param onFrameEnd Called after the last record of a frame.
   * @param onEnd Called when the process has ended.
   */
  constructor(
    settings: ProcessSettings,
    module: string,
    onRecord: (record: FrameReader) => void,
    onFrameEnd: () => void,
    onEnd: (end: ProcessEnd) => void,
  ) {
    const record = new FrameReader();
    const onFrame = (frame: Uint8Array): void => {
      record.open(frame);
      while (record.next()) onRecord(record);
      onFrameEnd();
    };
    const child = processes.start({
      ...settings,
      entry: "process",
      module,
      readable: packageFiles(),
      // The classes of what children call here: loaded while the first child starts.
      ready: Promise.all([import("../sync/mod.ts"), import("../queue/mod.ts")]),
      onFrame,
      onWireFrame: settings.isAlone ? undefined : onFrame,
      onEnd,
    });
    super(child);
    this.#child = child;
    this.wire = child.wire && new FrameSender(child.wire);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends the process a signal. */
  kill(signal: string): void {
    this.#child.kill(signal);
  }
}
