/**
 * The parent's end of the channel to a child process: records out, records in, and its end.
 *
 * @module
 */

import { type ChildProcess, platform, type ProcessEnd } from "../_platform/mod.ts";
import {
  frameOf,
  FrameReader,
  FrameWriter,
  LARGE_BYTES,
  NO_PAYLOAD,
  type Payload,
} from "./_frames.ts";
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

/** Frames larger than this are sent before more is added. */
const MOST_BYTES = 1 << 20;

function packageFiles(): string[] {
  return PARTS.map((part) => new URL(part, import.meta.url))
    .filter((url) => url.protocol === "file:")
    .map((url) => decodeURIComponent(url.pathname));
}

/** How a process has ended, as the end of a sentence. */
export function describeEnd(pid: number, { code, signal }: ProcessEnd): string {
  return signal === null
    ? `process ${pid} exited with code ${code}`
    : `process ${pid} was ended by ${signal}`;
}

/** The channel to one child. */
export class ProcessLink {
  readonly #child: ChildProcess;
  readonly #out = new FrameWriter();
  readonly #in = new FrameReader();

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
    this.#child = platform.startProcess({
      ...settings,
      module,
      readable: packageFiles(),
      onFrame: (frame) => {
        this.#in.open(frame);
        while (this.#in.next()) onRecord(this.#in);
        onFrameEnd();
      },
      onEnd,
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Adds a record to the next frame. */
  write(type: number, a: number, b: number, c: number, payload: Payload = NO_PAYLOAD): void {
    if (payload.length >= LARGE_BYTES) {
      this.flush();
      this.#child.send(frameOf(type, a, b, c, payload));
      return;
    }
    this.#out.write(type, a, b, c, payload);
    if (this.#out.length > MOST_BYTES) this.flush();
  }

  /** Sends the frame. */
  flush(): void {
    if (this.#out.length > 0) this.#child.send(this.#out.take());
  }

  /** Sends the process a signal. */
  kill(signal: string): void {
    this.#child.kill(signal);
  }
}
