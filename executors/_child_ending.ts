/**
 * How a child process ends: when it is to, what it has said of it, and what is told about it.
 *
 * @module
 */

import { callAt, nowMs } from "../_platform/clock.ts";
import type { ProcessEnd } from "../_platform/processes.ts";
import { Decoder } from "../_memory/decoder.ts";
import { HANDLE, type Handle, type Shareable } from "../_memory/handle.ts";
import type { FrameReader } from "./_frames.ts";
import { decodePayload } from "./_payload.ts";
import { FAILED } from "./_process_protocol.ts";
import type { ProcessLink } from "./_process_link.ts";

/** How long a process that has nothing more to say may take to end. */
const ENDING_MS = 5000;

/** What has become of a child. */
interface ChildEnd {
  readonly pid: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Reads what is only passed on: a shared object remains the handle that stands for it. */
const passingDecoder = new Decoder((handle: Handle): Shareable => ({ [HANDLE]: () => handle }));

/** How a process has ended, as the end of a sentence. */
function describeEnd(pid: number, { code, signal }: ProcessEnd): string {
  return signal === null
    ? `process ${pid} exited with code ${code}`
    : `process ${pid} was ended by ${signal}`;
}

/** What a worker has reported of its end. */
interface Report {
  readonly how: string;
  readonly error: unknown;
}

/** The end of one child. */
export class ChildEnding {
  readonly #link: ProcessLink;
  /** The child has nothing more to do. */
  #isExpected = false;
  /** Stops the timer that kills the child if it does not end as it should. */
  #stopTimer: (() => void) | undefined;
  /** The exit code that the child should have. */
  #code = 0;
  /** Whether the child was killed for not ending. */
  #isOverdue = false;
  /** Why the child was killed, as the end of a sentence. */
  #killedBecause: string | undefined;
  #report: Report | undefined;

  constructor(link: ProcessLink) {
    this.#link = link;
  }

  /** Whether the child should end without being made to. */
  get isExpected(): boolean {
    return this.#isExpected;
  }

  /**
   * The child has nothing more to do, and should end soon: it is killed if it does not. The runtime
   * was seen to hang in its own exit, about once in a thousand times.
   */
  expect(): void {
    this.#isExpected = true;
    this.#stopTimer ??= callAt(nowMs() + ENDING_MS, () => {
      this.#isOverdue = true;
      this.#link.kill("SIGKILL");
    });
  }

  /** The child ends later: what its tasks have delegated to other workers is not over. */
  putOff(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** The child's only task has failed, which its exit code should say. */
  failed(): void {
    this.#code = FAILED;
  }

  /** Takes in what the child's worker says of its end. */
  report(record: FrameReader): void {
    try {
      const [how, error] = decodePayload(passingDecoder, record) as [string, unknown];
      if (typeof how !== "string") throw new TypeError("Cannot read end: it is no text");
      this.#report = { how, error };
    } catch (error) {
      this.#report = { how: "threw an error that cannot be read here", error };
    }
  }

  /** Sends the process a signal that ends it; `because` is the end of a sentence. */
  kill(signal: string, because?: string): void {
    this.#killedBecause ??= because;
    this.#link.kill(signal);
  }

  /**
   * The process has ended.
   *
   * @returns What to tell the owner, in a sentence and as an error, unless it has ended as expected.
   */
  ended(how: ProcessEnd, hadTasks: boolean): { how: string; error: Error } | undefined {
    this.#stopTimer?.();
    const end = this.#isOverdue ? { code: this.#code, signal: null } : how;
    if (this.#isExpected && end.code === 0 && !hadTasks) return undefined;
    const { pid } = this.#link;
    const told = this.#report === undefined ? "" : `, as it ${this.#report.how}`;
    const why = this.#killedBecause === undefined ? told : `, ${this.#killedBecause}`;
    const facts: ChildEnd = { pid, exitCode: end.code, signal: end.signal };
    const text = describeEnd(pid, end) + why;
    const error = Object.assign(new Error(text, { cause: this.#report?.error }), facts);
    error.name = "ProcessEndError";
    return { how: text, error };
  }
}
