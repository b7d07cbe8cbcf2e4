/**
 * The parent's end of the channels to a child process: sends and receives records, and learns of
 * the process's end.
 *
 * @module
 */

import type { ChildProcess, ProcessEnd } from "../_platform/processes.ts";
import { FrameReader, FrameSender } from "./_frames.ts";
import type { StartedProcess } from "./_process_start.ts";

/** The channels to one child: to its host, and the wire to its worker. */
export class ProcessLink extends FrameSender {
  readonly wire: FrameSender;
  readonly #child: ChildProcess;

  /**
   * @param started The process, to which nobody has listened so far.
   * @param onRecord Called for each record that comes.
   * @param onFrameEnd Called after the last record of a frame.
   * @param onUnreadable Called with the error if a frame or a record cannot be understood: what
   * these functions throw counts as that. A task's own code may have written it.
   * @param onEnd Called when the process has ended.
   */
  constructor(
    { child, listen }: StartedProcess,
    onRecord: (record: FrameReader) => void,
    onFrameEnd: () => void,
    onUnreadable: (error: unknown) => void,
    onEnd: (end: ProcessEnd) => void,
  ) {
    super(child);
    this.#child = child;
    this.wire = new FrameSender(child.wire);
    const record = new FrameReader();
    const onFrame = (frame: Uint8Array): void => {
      record.open(frame);
      while (record.next()) onRecord(record);
      onFrameEnd();
    };
    // The classes of the objects whose methods children call here: loaded while the first child
    // starts.
    Promise.all([import("../sync/mod.ts"), import("../queue/mod.ts")])
      .then(() => listen({ onFrame, onUnreadable, onEnd }));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends the process a signal. */
  kill(signal: string): void {
    this.#child.kill(signal);
  }
}
