/** Runs a program in a process of its own and reports how it ended. */

import { fromFileUrl } from "@std/path";
import { CONFIG, ROOT, scratchFolder } from "./scratch.ts";

/** Time limit of a program; it is killed after that. */
export const RUN_TIMEOUT_MS = 45_000;

/**
 * How often, and at which interval in milliseconds, this thread checks for output that still
 * arrives after the program has ended: a process that it left behind may hold the pipe. The limit
 * is a number of checks and no time, as time also passes while this thread is kept from reading.
 */
const DRAIN_LOOKS = 100;
const LOOK_MS = 5;

/** Options of {@linkcode runProgram}. */
export interface RunOptions {
  /** Arguments after the program. */
  args?: string[];
  /** Permission flags. Default `["-A"]`. */
  permissions?: string[];
  /** Milliseconds until the program is killed. Default {@linkcode RUN_TIMEOUT_MS}. */
  timeoutMs?: number;
  /** Text for the program's standard input. Default: closed. */
  stdin?: string;
  /** Environment variables added to this process's own. */
  env?: Record<string, string>;
}

/** How a program ended. */
export interface RunResult {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
  readonly timedOut: boolean;
}

/**
 * Runs a Deno program, given as its source or as the URL of a file, under the repository's
 * configuration. Kills it at the timeout; never rejects because of what the program did.
 */
export async function runProgram(
  program: string | URL,
  options: RunOptions = {},
): Promise<RunResult> {
  if (program instanceof URL) return await run(fromFileUrl(program), options);
  await using scratch = await scratchFolder();
  return await run(await scratch.write("program.ts", program), options);
}

/**
 * Runs `deno` with the given arguments in the repository's root, as {@linkcode runProgram} does.
 */
export function runDeno(args: string[], options: RunOptions = {}): Promise<RunResult> {
  return runCommand(Deno.execPath(), args, { cwd: ROOT, ...options });
}

/** Runs any command, as {@linkcode runProgram} runs a program. */
export async function runCommand(
  command: string,
  args: string[],
  options: Omit<RunOptions, "args" | "permissions"> & { cwd: string | URL },
): Promise<RunResult> {
  const { timeoutMs = RUN_TIMEOUT_MS, stdin, env, cwd } = options;
  const startMs = performance.now();
  const child = new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  try {
    if (stdin !== undefined) await feed(child.stdin, stdin);
    const { code, signal } = await child.status;
    return {
      code,
      signal,
      stdout: await stdout.text(),
      stderr: await stderr.text(),
      elapsedMs: performance.now() - startMs,
      timedOut,
    };
  } finally {
    clearTimeout(timer);
  }
}

function run(path: string, options: RunOptions): Promise<RunResult> {
  const { permissions = ["-A"], args = [] } = options;
  return runDeno(
    ["run", "--config", CONFIG, "--no-prompt", "--quiet", ...permissions, path, ...args],
    options,
  );
}

/** Writes all of the text. A program that closes its input early is no fault of the test. */
async function feed(stream: WritableStream<Uint8Array<ArrayBuffer>>, text: string): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/**
 * Reads a stream from now on. `text` is called when the program has ended, and stops the reading
 * soon after that.
 */
function collect(stream: ReadableStream<Uint8Array>): { text(): Promise<string> } {
  const reader = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .getReader();
  let text = "";
  const drained = (async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      text += chunk.value;
    }
  })();
  return {
    async text() {
      let isDrained = false;
      drained.then(() => isDrained = true);
      for (let look = 0; look < DRAIN_LOOKS && !isDrained; look++) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      if (!isDrained) await reader.cancel();
      await drained;
      return text;
    },
  };
}
