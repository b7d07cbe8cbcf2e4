/**
 * The tasks of the cluster's tests. Each writes down its start and its end: that file tells what
 * has really happened.
 */

import { appendFileSync, existsSync } from "node:fs";
import process from "node:process";
import { task, taskContext } from "../../executors/task_module.ts";

/** A line of the file. */
export interface Entry {
  readonly event: "start" | "end";
  readonly label: string;
  readonly pid: number;
  readonly attempt: number;
  readonly atMs: number;
}

/**
 * Writes a line; lines of several processes do not mix, as a short text is appended in one piece.
 */
function write(log: string, event: Entry["event"], label: string): void {
  const { attempt } = taskContext();
  const entry: Entry = { event, label, pid: process.pid, attempt, atMs: Date.now() };
  appendFileSync(log, `${JSON.stringify(entry)}\n`);
}

const POLL_MS = 5;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Does nothing but write down its start and end. */
export const note = task(import.meta, function note<T>(log: string, label: T): T {
  write(log, "start", String(label));
  write(log, "end", String(label));
  return label;
});

/** Waits for the given time, without computing. */
export const linger = task(
  import.meta,
  async function linger(log: string, label: number, ms: number): Promise<number> {
    write(log, "start", String(label));
    await sleep(ms);
    write(log, "end", String(label));
    return label;
  },
);

/** Reports progress, waits until the file exists, and returns the number of its process. */
export const pass = task(
  import.meta,
  async function pass(log: string, label: string, gate: string): Promise<number> {
    write(log, "start", label);
    taskContext().report(0.5);
    while (!existsSync(gate)) await sleep(POLL_MS);
    write(log, "end", label);
    return process.pid;
  },
);

/** Like `pass`; each attempt has a gate of its own: that of "job-1" for the first one at "job". */
export const passEach = task(
  import.meta,
  function passEach(log: string, label: string, gate: string): Promise<number> {
    return pass(log, label, gate.replace(/\.gate$/, `-${taskContext().attempt}$&`));
  },
);

/** Waits until the file exists, and returns a text of the given length. */
export const fillLater = task(
  import.meta,
  async function fillLater(
    log: string,
    gate: string,
    length: number,
    fails = false,
  ): Promise<string> {
    await pass(log, "fill", gate);
    if (fails) throw new RangeError("x".repeat(length));
    return "x".repeat(length);
  },
);

/** Computes for the given time, during which nothing else runs on its thread. */
export const spin = task(
  import.meta,
  function spin(log: string, label: string, ms: number): string {
    write(log, "start", label);
    for (const endMs = performance.now() + ms; performance.now() < endMs;);
    write(log, "end", label);
    return label;
  },
);

/** Ends the whole worker host. */
export const poison = task(import.meta, function poison(log: string, label: string): void {
  write(log, "start", label);
  process.kill(process.pid, "SIGKILL");
});

/** Returns its argument. */
export const echo = task(import.meta, function echo<T>(value: T): T {
  return value;
});

/** Returns a text of the given length. */
export const fill = task(import.meta, function fill(length: number): string {
  return "x".repeat(length);
});

/** Returns an array of the given length, with no items. */
export const holes = task(import.meta, function holes(length: number): unknown[] {
  return new Array(length);
});

/** Returns the length of a text. */
export const lengthOf = task(import.meta, function lengthOf(text: string): number {
  return text.length;
});

/** Exported, but not a task: it must not be callable from elsewhere. */
export function secret(): string {
  return "secret";
}
