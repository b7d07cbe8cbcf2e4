/**
 * Processes as the system sees them, by number. Once this module is imported, `test` of `leaks.ts`
 * fails a test that leaves a child process behind, be it only a zombie.
 *
 * @module
 */

import { watchProcesses } from "./leaks.ts";
import { PROMPT_MS } from "./outcomes.ts";
import { statOf } from "./proc.ts";
import { CONFIG, ROOT, scratchFolder } from "./scratch.ts";
import { fromFileUrl } from "@std/path";

/** Time within which a condition that a test merely waits for must come about. */
const PATIENCE_MS = 30_000;

const POLL_MS = 2;

/** Polls until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadlineMs) {
      throw new Error(`Not so in ${PATIENCE_MS} ms: ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * The state of a process as one letter: `R`, `S`, `Z` for a zombie; `undefined` when no process has
 * that number.
 */
export function stateOf(pid: number): string | undefined {
  return statOf(pid)?.state;
}

/** The numbers of the signals that were sent to a process and that it has not taken yet. */
export function pendingSignals(pid: number): number[] {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const bits = BigInt(`0x${/ShdPnd:\s*(\w+)/.exec(status)![1]}`);
  return Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => (bits >> BigInt(n - 1)) & 1n);
}

/** The children of a process and their states, by number. */
export function childrenOf(parent: number): Map<number, string> {
  const children = new Map<number, string>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat?.parent === parent) children.set(Number(name), stat.state);
  }
  return children;
}

/** Asserts that within the time all of these processes are gone, and none is left as a zombie. */
export async function assertGone(pids: readonly number[], limitMs = PROMPT_MS): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  for (const pid of pids) {
    let state = stateOf(pid);
    while (state !== undefined && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      state = stateOf(pid);
    }
    if (state !== undefined) throw new Error(`Process ${pid} is still there: ${state}`);
  }
}

/**
 * Like {@linkcode assertGone}, but a zombie counts as gone, for machines where nobody reaps a
 * process whose parent has died. Kills processes that live on.
 */
export async function assertDead(pids: readonly number[], limitMs: number): Promise<void> {
  const isDead = (pid: number): boolean => [undefined, "Z"].includes(stateOf(pid));
  const deadlineMs = performance.now() + limitMs;
  while (!pids.every(isDead)) {
    if (performance.now() > deadlineMs) {
      const left = pids.filter((pid) => !isDead(pid));
      for (const pid of left) Deno.kill(pid, "SIGKILL");
      throw new Error(`Processes ${left.join()} (of ${pids.join()}) live on`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A program that runs while the test does. */
export interface RunningProgram extends AsyncDisposable {
  readonly pid: number;
  /**
   * The next line that the program, or a process that it has started, writes to its output;
   * `undefined` after the last.
   */
  line(): Promise<string | undefined>;
  /** All further lines. Ends when no process holds the output any more. */
  lines(): Promise<string[]>;
  /** The program's standard error; ends as {@linkcode RunningProgram.lines} does. */
  errors(): Promise<string>;
  /** How it ended. */
  readonly status: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
}

/** Options of {@linkcode startProgram}. */
export interface StartOptions {
  /** Permission flags. Default `["-A"]`. */
  permissions?: string[];
  /** Arguments after the program. */
  args?: string[];
  env?: Record<string, string>;
}

/**
 * Starts a Deno program under the repository's configuration; it is killed at the end of the
 * `using` block.
 */
export async function startProgram(
  program: string,
  { permissions = ["-A"], args = [], env }: StartOptions = {},
): Promise<RunningProgram> {
  const scratch = await scratchFolder();
  const path = await scratch.write("program.ts", program);
  const running = startDeno(
    ["run", "--config", CONFIG, "--no-prompt", "--quiet", ...permissions, path, ...args],
    env,
  );
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

/**
 * Starts `deno` with the given arguments in the repository's root; it is killed at the end of the
 * `using` block.
 */
export function startDeno(args: string[], env?: Record<string, string>): RunningProgram {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = readerOf(child.stdout);
  const errors = readerOf(child.stderr);
  const lines = linesOf(output);
  const errorLines = Array.fromAsync(linesOf(errors));
  const { status } = child;
  let hasEnded = false;
  status.then(() => hasEnded = true);
  return {
    pid: child.pid,
    status,
    line: async () => (await lines.next()).value,
    lines: () => Array.fromAsync(lines),
    errors: async () => (await errorLines).join("\n"),
    kill: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (!hasEnded) child.kill("SIGKILL");
      await status;
      // A process that the program has left behind may hold its output.
      await Promise.all([output.cancel(), errors.cancel(), errorLines]);
    },
  };
}

function readerOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Reader {
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>;
  return stream.pipeThrough(decoder).getReader();
}

type Reader = ReadableStreamDefaultReader<string>;

async function* linesOf(reader: Reader): AsyncGenerator<string> {
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (text + value).split("\n");
    text = parts.pop()!;
    yield* parts;
  }
  if (text !== "") yield text;
}

watchProcesses(() => childrenOf(Deno.pid));
