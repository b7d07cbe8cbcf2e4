/**
 * How a host reports the end of a job, and how its submitter reads the report.
 *
 * A job that returned has as its value the encoded text of what the task returned, or the mark that
 * this is kept beside the job. A job that failed has as its reason a line for people, and on the
 * next line the encoded text of what was thrown, or the mark that this is kept.
 *
 * What is kept beside the job says itself whether it was returned or thrown: a late host may
 * overwrite what the next one has kept, and their outcomes may differ.
 *
 * @module
 */

import { isChunkOutcome } from "../_chunk.ts";
import type { JobReport } from "./_job.ts";
import { decodeValue } from "./_value_reader.ts";
import { JobLostError, RemoteError, WorkerLostError } from "./errors.ts";

/**
 * Outcomes longer than this are kept beside the job: each event carries its outcome, and the stream
 * keeps a hundred thousand, those of 25,000 jobs, however old they are. Fetching one costs about
 * 0.4 ms.
 */
export const MOST_INLINE = 1 << 12;

/** The mark in place of a result that is kept beside the job. */
export interface Stored {
  readonly stored: true;
}

/** Whether a job's value is the mark of a result that is kept beside it. */
export function isStored(value: unknown): value is Stored {
  return typeof value === "object" && value !== null && (value as Partial<Stored>).stored === true;
}

/**
 * The mark in place of the text of what was thrown, when that is kept beside the job; no value is
 * encoded like this.
 */
const STORED_TEXT = '{"$":"stored"}';

/** The reason of a failed job. */
export function reasonOf({ headline, text }: Pick<JobReport, "headline" | "text">): string {
  return `${headline.replaceAll("\n", " ")}\n${text}`;
}

/** The reason of a failed job, when what was thrown is kept beside it. */
export function storedReasonOf({ headline }: JobReport): string {
  return reasonOf({ headline, text: STORED_TEXT });
}

/** Whether what was thrown is kept beside the job. */
export function isStoredReason(reason: string): boolean {
  return reason.endsWith(`\n${STORED_TEXT}`);
}

/** The beginning of a kept reason of a failed job; no value is encoded like this. */
const THROWN = "!";

/** What is kept beside a job. */
export function keptOf(report: JobReport): string {
  return report.failed ? THROWN + reasonOf(report) : report.text;
}

/** The reason that was kept beside a job; `undefined` when it is what the task returned. */
export function keptReason(kept: string): string | undefined {
  return kept.startsWith(THROWN) ? kept.slice(THROWN.length) : undefined;
}

/** A job's end, decoded. */
export interface Settlement {
  readonly failed: boolean;
  readonly outcome: unknown;
}

/** Reads what a job returned. */
export function readValue(text: unknown): Settlement {
  try {
    if (typeof text !== "string") {
      throw new TypeError("Cannot read result: it is no text; was it sent by another version?");
    }
    return { failed: false, outcome: decodeValue(text) };
  } catch (error) {
    return { failed: true, outcome: error };
  }
}

/** Reads what the calls of a chunk returned, or the first of them. */
export function readChunk(text: unknown, calls: number): Settlement {
  const settlement = readValue(text);
  if (settlement.failed || isChunkOutcome(settlement.outcome, calls)) return settlement;
  const outcome = new TypeError(
    "Cannot read result: it is not that of a chunk; was it sent by another version?",
  );
  return { failed: true, outcome };
}

/** BullMQ's own error texts for a job whose lease has run out too often. */
const STALLED = /job stalled more than allowable limit|job started more than allowable limit/;

/** Reads what a job failed with. */
export function readReason(reason: string, name: string): Settlement {
  const end = reason.indexOf("\n");
  if (end < 0) {
    const outcome = STALLED.test(reason) ? workerLost(name, undefined) : new RemoteError(reason);
    return { failed: true, outcome };
  }
  try {
    return { failed: true, outcome: decodeValue(reason.slice(end + 1)) };
  } catch (error) {
    return { failed: true, outcome: new RemoteError(reason.slice(0, end), { cause: error }) };
  }
}

/** Reads what a job failed with when only the line for people is left of it. */
export function readLostReason(reason: string, id: string): Settlement {
  const cause = new JobLostError(
    `Cannot read error: the broker does not have that of job ${id} any more; outcomes are kept for the submitter's resultTtl`,
  );
  const headline = reason.slice(0, reason.indexOf("\n"));
  return { failed: true, outcome: new RemoteError(headline, { cause }) };
}

/** The error of a job whose hosts were lost. */
export function workerLost(name: string, losses: number | undefined): WorkerLostError {
  const times = losses === undefined
    ? "its worker hosts were"
    : losses === 1
    ? "1 worker host was"
    : `${losses} worker hosts were`;
  return new WorkerLostError(
    `Cannot run "${name}": ${times} lost while running it; look at the logs, and if the task was not to blame, allow more with({ retries })`,
  );
}
