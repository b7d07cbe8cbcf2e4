/**
 * Terminals: an imitation in this process; a real pseudo terminal for a program of its own; and
 * what a terminal of a given size shows after all that was written to it.
 */

import { fromFileUrl } from "@std/path";
import xterm from "npm:@xterm/headless@^6.0.0";
import { platform, type StandardError } from "../../_platform/mod.ts";
import { CONFIG, ROOT, scratchFolder } from "./scratch.ts";

/** Columns and rows of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The size unless a test gives another. */
export const SIZE: Size = { columns: 60, rows: 10 };

/** Replaces the program's standard error and environment until the end of its `using` block. */
export class FakeError implements StandardError, Disposable {
  readonly isTerminal: boolean;
  /** A test may change it, as users change the size of a window. */
  dimensions: Size;
  /** All that was written. */
  text = "";
  /**
   * Called at each write with all that was written so far; a test may set it, to wait for some
   * text.
   */
  onWrite: (text: string) => void = () => {};
  readonly #restore: () => void;

  /** @param environment The variables that are set. */
  constructor(
    isTerminal: boolean,
    { environment = {}, size = SIZE }: {
      environment?: Record<string, string>;
      size?: Size;
    } = {},
  ) {
    this.isTerminal = isTerminal;
    this.dimensions = size;
    const real = { ...platform };
    const fake = platform as { -readonly [K in keyof typeof platform]: (typeof platform)[K] };
    fake.standardError = this;
    fake.environment = (name) => environment[name];
    this.#restore = () => {
      fake.standardError = real.standardError;
      fake.environment = real.environment;
    };
  }

  /** See {@linkcode StandardError}. */
  size(): Size {
    return this.dimensions;
  }

  /** See {@linkcode StandardError}. */
  write(text: string): void {
    this.text += text;
    this.onWrite(this.text);
  }

  /** What was written, by line. */
  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** What the terminal shows now. */
  screen(): Promise<string[]> {
    // For a real terminal, the driver does this.
    return screenAfter(this.text.replaceAll("\n", "\r\n"), this.dimensions);
  }

  [Symbol.dispose](): void {
    this.#restore();
  }
}

/**
 * The lines of a terminal after all of the text, including those that have scrolled up, and without
 * empty ones at the end.
 */
export async function screenAfter(text: string, { columns, rows }: Size): Promise<string[]> {
  const terminal = new xterm.Terminal({
    cols: columns,
    rows,
    scrollback: 1000,
    allowProposedApi: true,
  });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  const buffer = terminal.buffer.active;
  const lines = Array.from(
    { length: buffer.length },
    (_, i) => buffer.getLine(i)!.translateToString(true),
  );
  terminal.dispose();
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

/** How a program in a terminal ended. */
export interface TerminalResult {
  readonly code: number;
  /** All that was sent to the terminal. */
  readonly output: string;
  /** What the terminal shows at the end. */
  readonly screen: string[];
}

const TIMEOUT_MS = 30_000;

/**
 * Whether programs can be run in a terminal here: by `script` of util-linux, as other systems'
 * `script` has other flags.
 */
export const hasTerminals: boolean = Deno.build.os === "linux" && hasScript();

function hasScript(): boolean {
  try {
    const { success, stdout } = new Deno.Command("script", { args: ["--version"] }).outputSync();
    return success && new TextDecoder().decode(stdout).includes("util-linux");
  } catch {
    return false;
  }
}

/** Runs a Deno program, given as its source, in a pseudo terminal. */
export async function runInTerminal(
  program: string | URL,
  { size = SIZE, permissions = ["-A"], args = [], env = {} }: {
    size?: Size;
    permissions?: string[];
    args?: string[];
    env?: Record<string, string>;
  } = {},
): Promise<TerminalResult> {
  await using scratch = await scratchFolder();
  const path = program instanceof URL
    ? fromFileUrl(program)
    : await scratch.write("program.ts", program);
  const words = [
    Deno.execPath(),
    "run",
    "--config",
    CONFIG,
    "--quiet",
    ...permissions,
    path,
    ...args,
  ];
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const command = `stty columns ${size.columns} rows ${size.rows}; exec ${quoted}`;
  const child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--flush", "--command", command, "/dev/null"],
    cwd: fromFileUrl(ROOT),
    env: { TERM: "xterm", CI: "", NO_PROGRESS: "", NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const [{ code }, output] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
  ]);
  clearTimeout(timer);
  return { code, output, screen: await screenAfter(output, size) };
}
