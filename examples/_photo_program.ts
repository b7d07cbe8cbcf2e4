/**
 * What `download_images.ts` and `process_images.ts` share: their command line, where their files
 * go, and the table that they print.
 *
 * @module
 */

import type { Executor } from "@concurrent/futures";
import { refuse } from "./_options.ts";
import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface CommandLine {
  /** The arguments that are not options. */
  readonly inputs: readonly string[];
  /** Whether to use small photos. */
  readonly small: boolean;
  readonly workers: number;
  /** How long to wait while nothing arrives. */
  readonly timeoutMs: number;
  /** The folder to keep the results in. */
  readonly into: string | undefined;
  /** The file for a timeline. */
  readonly trace: string | undefined;
}

/** The values of options that are not given. */
export interface Defaults {
  readonly workers: number;
  /** Left out by a program that waits for nothing. */
  readonly timeoutMs?: number;
}

/**
 * Reads the command line. Ends the program if there is something wrong with it, or if it asks for
 * help.
 */
export function parseCommandLine(args: string[], help: string, defaults: Defaults): CommandLine {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const options = {
    help: flag,
    into: text,
    small: flag,
    timeout: text,
    trace: text,
    workers: text,
  };
  let parsed;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
    const { timeout } = parsed.values;
    if (timeout !== undefined && defaults.timeoutMs === undefined) {
      throw new Error("Unknown option '--timeout'");
    }
  } catch (error) {
    refuse(`${(error as Error).message}\nSee --help`);
  }
  const { positionals: inputs, values } = parsed;
  if (values.help) {
    console.log(help);
    Deno.exit();
  }
  const { into, small = false, trace } = values;
  if (into === "") refuse("--into must be the name of a folder");
  if (trace !== undefined && !TRACE.test(trace)) {
    refuse(`--trace must be the name of a file that ends in .svg, .html or .json, got "${trace}"`);
  }
  const workers = values.workers === undefined ? defaults.workers : parseWorkers(values.workers);
  const timeoutMs = values.timeout === undefined
    ? defaults.timeoutMs ?? 0
    : 1000 * parseSeconds(values.timeout);
  return { inputs, small, workers, timeoutMs, into, trace };
}

const TRACE = /\.(svg|html|json)$/;

/**
 * Records a timeline of an executor until the end of the `using` block, and then writes it to a
 * file: a picture, a page, or a trace that Perfetto opens. Without a file, does nothing.
 */
export async function traceInto(
  file: string | undefined,
  executor: Executor,
): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  if (file === undefined) return stack;
  const { trace } = await import("@concurrent/futures/trace");
  const tracing = trace(executor);
  stack.defer(async () => {
    tracing.stop();
    const text = file.endsWith(".svg")
      ? tracing.toSVG()
      : file.endsWith(".html")
      ? tracing.toHTML()
      : tracing.toChromeTrace();
    await Deno.writeTextFile(file, text);
  });
  return stack;
}

function parseWorkers(text: string): number {
  const workers = /^\d+$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= 255) return workers;
  refuse(`--workers must be an integer from 1 to 255, got "${text}"`);
}

function parseSeconds(text: string): number {
  const seconds = /^\d*\.?\d+$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= 3600) return seconds;
  refuse(`--timeout must be a number of seconds, more than 0 and at most 3600, got "${text}"`);
}

/**
 * Makes the folder for the results if it does not exist. Ends the program if one of the results
 * exists already: it would be overwritten.
 */
export async function prepareFolder(folder: string, names: readonly string[]): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    for await (const { name } of Deno.readDir(folder)) {
      if (!names.includes(name)) continue;
      refuse(
        `Cannot write ${folder}/${name}: it is there already; name another folder with --into`,
      );
    }
  } catch (error) {
    refuse(`Cannot write to ${folder}: ${(error as Error).message}`);
  }
}

const BAR_WIDTH = 20;

/** Prints how long each way took, and how many times as fast as the first it was. */
export class Table {
  readonly #width: number;
  #firstMs: number | undefined;

  /** Makes a table that is wide enough for these names. */
  constructor(names: readonly string[]) {
    this.#width = Math.max(...names.map((name) => name.length));
  }

  /** Prints a line: `AsyncExecutor : Took  2.912 seconds   7.68x  ███`, and a remark. */
  add(name: string, tookMs: number, remark: string): void {
    this.#firstMs ??= tookMs;
    const share = Math.min(1, tookMs / this.#firstMs);
    const bar = "█".repeat(Math.max(1, Math.round(BAR_WIDTH * share)));
    const seconds = (tookMs / 1000).toFixed(3).padStart(6);
    const times = `${(this.#firstMs / tookMs).toFixed(2)}x`.padStart(7);
    const line = `${name.padEnd(this.#width)} : Took ${seconds} seconds ${times}`;
    console.log(`${line}  ${bar.padEnd(BAR_WIDTH)}  ${remark}`.trimEnd());
  }
}

/** Formats a number with its noun: `15 photos`, `1 photo`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The last part of a path. */
export function nameOf(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}
