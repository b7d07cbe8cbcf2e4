/**
 * Runs a contestant in a process of its own, and never waits for it longer than the limit.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { CaseName, Contestant } from "./_contestants.ts";
import { family } from "./measure.mjs";

/** How long a case may take. */
const LIMIT_MS = { full: 20_000, quick: 15_000 };

/** The outcome of a case: figures, or why there are none. */
export interface Outcome {
  readonly case: CaseName;
  readonly figures?: Record<string, number>;
  readonly failed?: string;
  /** Whether the process had to be stopped. */
  readonly hangs?: boolean;
}

/** A line of JSON that the process writes. */
interface Line {
  readonly begins?: CaseName;
  readonly case?: CaseName;
  readonly figures?: Record<string, number>;
  readonly failed?: string;
  readonly endsAtMs?: number;
  readonly over?: boolean;
}

function commandOf(
  { runtime, module, kind }: Contestant,
  names: readonly string[],
  quick: boolean,
) {
  const args = [module, kind, names.join(), quick ? "quick" : "full"];
  const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  if (runtime === "python") {
    return ["python3", script("contestants/python.py"), ...args];
  }
  if (runtime === "node") {
    return ["node", "--expose-gc", script("run.mjs"), ...args];
  }
  const flags = ["run", "-A", "--quiet", "--v8-flags=--expose-gc"];
  return [Deno.execPath(), ...flags, script("run.mjs"), ...args];
}

/** Kills a process and all processes that it has started. */
function kill(child: Deno.ChildProcess): void {
  for (const pid of family(child.pid)) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch { /* It has ended meanwhile. */ }
  }
}

/** Returns the last line with an error from what a process has written to standard error. */
function complaint(text: string): string {
  const lines = stripVTControlCharacters(text).split("\n");
  return lines.findLast((line) => /error/i.test(line))?.trim() ??
    "it ended without a word";
}

/**
 * Yields the outcome of each case. After a case that hangs or ends the process, another process
 * runs the remaining cases. They are not run if a case hangs before any has given figures, or if
 * any hangs in quick mode.
 */
export async function* runContestant(
  contestant: Contestant,
  names: readonly CaseName[],
  quick: boolean,
): AsyncGenerator<Outcome> {
  let left = [...names];
  let hasAnswered = false;
  while (left.length > 0) {
    let hangs = false;
    const before = left.length;
    for await (const outcome of runOnce(contestant, left, quick)) {
      left = left.filter((name) => name !== outcome.case);
      hasAnswered ||= outcome.figures !== undefined;
      hangs ||= outcome.hangs ?? false;
      yield outcome;
    }
    // The contestant does not have the cases that it says nothing about.
    if (left.length === before) return;
    if (!hangs || hasAnswered && !quick) continue;
    for (const name of left) {
      yield { case: name, failed: "not run, as it hung before" };
    }
    return;
  }
}

/** Runs cases in one process, and yields their outcomes. */
async function* runOnce(
  contestant: Contestant,
  names: readonly CaseName[],
  quick: boolean,
): AsyncGenerator<Outcome> {
  const [command, ...args] = commandOf(contestant, names, quick);
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    })
      .spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    for (const name of names) {
      yield { case: name, failed: `${command} is not there` };
    }
    return;
  }
  const endedAtMs = child.status.then(() => performance.timeOrigin + performance.now());
  const complaints = new Response(child.stderr).text().catch(() => "");
  const limitMs = LIMIT_MS[quick ? "quick" : "full"];
  let hangs = false;
  const hang = (): void => {
    hangs = true;
    kill(child);
  };
  let timer = setTimeout(hang, limitMs);
  let current = names[0];
  let endsAtMs: number | undefined;
  let given = 0;
  let isOver = false;
  for await (const line of linesOf(child.stdout)) {
    if (line.begins !== undefined) {
      current = line.begins;
      clearTimeout(timer);
      timer = setTimeout(hang, limitMs);
    }
    endsAtMs ??= line.endsAtMs;
    if (
      line.case !== undefined &&
      (line.case !== "end" || line.failed !== undefined)
    ) {
      given++;
      yield { case: line.case, figures: line.figures, failed: line.failed };
    } else if (line.failed !== undefined) {
      given++;
      yield { case: current, failed: line.failed };
    }
    if (!line.over) continue;
    isOver = true;
    if (endsAtMs === undefined) kill(child);
  }
  const endMs = await endedAtMs;
  clearTimeout(timer);
  if (endsAtMs !== undefined && isOver && !hangs) {
    yield { case: "end", figures: { end: endMs - endsAtMs } };
  } else if (!isOver && given < names.length || hangs) {
    const seconds = limitMs / 1000;
    const failed = hangs
      ? isOver ? "the program does not end" : `hangs: stopped after ${seconds} s`
      : complaint(await complaints);
    yield { case: current, failed, hangs };
  }
}

/** Yields the lines that are JSON; contestants may write others. */
async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Line> {
  const decoder = new TextDecoderStream() as ReadableWritablePair<
    string,
    Uint8Array<ArrayBuffer>
  >;
  let text = "";
  for await (const part of stream.pipeThrough(decoder)) {
    const lines = (text + part).split("\n");
    text = lines.pop()!;
    for (const line of lines) if (line.startsWith("{")) yield JSON.parse(line);
  }
}
