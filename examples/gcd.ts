/**
 * The same work four ways: in a plain loop, on the event loop, on worker threads, and in processes.
 *
 *   deno task example
 *   deno task example --repeat 2000 --workers 4
 *   deno task example --file examples/pairs.csv
 *
 * The work is the greatest common divisor of some pairs of numbers, found the slow way: by trying
 * every number from the smaller one downwards.
 *
 * @module
 */

import {
  AsyncExecutor,
  Barrier,
  type Executor,
  ProcessPoolExecutor,
  task,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { parseArgs } from "node:util";

type Pair = readonly [number, number];

/**
 * Returns the greatest common divisor. `task` lets workers run it: they import this module, and
 * call its export `gcd`.
 */
export const gcd = task(import.meta, function gcd([a, b]: Pair): number {
  for (let divisor = Math.min(a, b); divisor > 1; divisor--) {
    if (a % divisor === 0 && b % divisor === 0) return divisor;
  }
  return 1;
});

/** A way to do the work. */
interface Mode {
  readonly name: string;
  /** Makes the executor that does the work; without it, a plain loop does. */
  readonly makeExecutor?: (maxWorkers: number) => Executor;
  /**
   * Starts the executor's workers, if it has any, so that the work can be timed apart from their
   * start.
   */
  readonly startWorkers?: (executor: Executor, workers: number) => Promise<void>;
}

const MODES: readonly Mode[] = [
  { name: "linear" },
  // Concurrent but not parallel: for work that waits, not for work that computes like this.
  { name: "async", makeExecutor: (maxWorkers) => new AsyncExecutor({ maxWorkers }) },
  {
    name: "threadpool",
    makeExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers }),
    startWorkers,
  },
  {
    name: "processpool",
    makeExecutor: (maxWorkers) => new ProcessPoolExecutor({ maxWorkers }),
    startWorkers,
  },
];

/** The outcome of a mode. */
interface Run {
  readonly name: string;
  readonly answers: readonly number[];
  /** The time from the first pair to the last answer. */
  readonly tookMs: number;
  /** The time from making the executor until all its workers were ready; 0 without workers. */
  readonly startMs: number;
}

async function run(mode: Mode, pairs: readonly Pair[], workers: number): Promise<Run> {
  const { name } = mode;
  if (mode.makeExecutor === undefined) {
    const beganMs = performance.now();
    const answers: number[] = [];
    for (const pair of pairs) answers.push(gcd(pair));
    return { name, answers, tookMs: performance.now() - beganMs, startMs: 0 };
  }
  const madeMs = performance.now();
  await using executor = mode.makeExecutor(workers);
  await mode.startWorkers?.(executor, workers);
  const beganMs = performance.now();
  // There is no earlier pass to warm up: as in the plain loop, the time to compile `gcd` counts,
  // here in each worker.
  const answers = await executor.map(gcd, pairs).toArray();
  const tookMs = performance.now() - beganMs;
  return { name, answers, tookMs, startMs: mode.startWorkers ? beganMs - madeMs : 0 };
}

/**
 * Starts all workers of a pool. A pool starts them as tasks come, so this gives a task to each; for
 * it, the worker loads this module.
 */
async function startWorkers(executor: Executor, workers: number): Promise<void> {
  const all = new Barrier(workers);
  await Promise.all(Array.from({ length: workers }, () => executor.submit(arrive, all)));
}

/**
 * Returns once all workers have arrived here, so that no worker takes the task meant for another.
 */
export const arrive = task(import.meta, function arrive(all: Barrier): void {
  all.waitSync();
});

const NAME_WIDTH = Math.max(...MODES.map(({ name }) => name.length));
const BAR_WIDTH = 20;

/**
 * Makes a line: `linear : Took 0.145 seconds`, the speed-up, and a bar in proportion to the time.
 */
function describe({ name, tookMs, startMs }: Run, linear: Run, longestMs: number): string {
  const bar = "█".repeat(Math.max(1, Math.round(BAR_WIDTH * tookMs / longestMs)));
  const start = startMs === 0 ? "" : `started in ${seconds(startMs)} s`;
  return `${name.padEnd(NAME_WIDTH)} : Took ${seconds(tookMs)} seconds ` +
    `${times(linear.tookMs / tookMs)}  ${bar.padEnd(BAR_WIDTH)}  ${start}`.trimEnd();
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)}x`.padStart(7);
}

/** Throws unless both runs have the same answers. */
function checkSame(run: Run, linear: Run): void {
  const count = Math.max(run.answers.length, linear.answers.length);
  for (let i = 0; i < count; i++) {
    const [answer, expected] = [run.answers[i], linear.answers[i]];
    if (answer === expected) continue;
    throw new Error(`Pair ${i + 1}: ${run.name} answers ${answer}, and linear ${expected}`);
  }
}

const PAIRS: readonly Pair[] = [
  [1231312, 434344],
  [2013123, 111110],
  [34423323, 123123],
  [234345, 345345],
];

const HELP = `Greatest common divisors of pairs of numbers: in a loop, and with executors.

Options:
  --file FILE   Pairs to use: two integers a line with a comma between them;
                empty lines and lines that start with # are skipped
  --repeat N    How often the list of pairs is gone through (default 100)
  --workers N   Workers of a pool (default 2)
  --help        Show this text`;

/** The command line or the file is wrong: reported without a stack, with exit code 2. */
class UsageError extends Error {}

interface Options {
  readonly help: boolean;
  readonly file: string | undefined;
  readonly repeat: number;
  readonly workers: number;
}

function parseOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  const options = { help: { type: "boolean" }, file: text, repeat: text, workers: text } as const;
  let values;
  try {
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee --help`);
  }
  return {
    help: values.help ?? false,
    file: values.file,
    repeat: parseCount("--repeat", values.repeat ?? "100", 1_000_000),
    workers: parseCount("--workers", values.workers ?? "2", 255),
  };
}

function parseCount(name: string, text: string, most: number): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new UsageError(`${name} must be an integer from 1 to ${most}, got "${text}"`);
}

async function readPairs(file: string): Promise<Pair[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(`Cannot read ${file}: ${(error as Error).message}`);
  }
  const pairs: Pair[] = [];
  text.split("\n").forEach((line, i) => {
    line = line.trim();
    if (line !== "" && !line.startsWith("#")) pairs.push(parsePair(line, `${file}:${i + 1}`));
  });
  if (pairs.length === 0) throw new UsageError(`${file}: there is no pair in it`);
  return pairs;
}

function parsePair(line: string, place: string): Pair {
  const fields = line.split(",").map((field) => field.trim());
  if (fields.length !== 2) {
    throw new UsageError(
      `${place}: expected two integers with a comma between them, got "${line}"`,
    );
  }
  const [a, b] = fields.map((field) => {
    const number = /^[+-]?\d+$/.test(field) ? Number(field) : NaN;
    if (Number.isNaN(number)) throw new UsageError(`${place}: "${field}" is not an integer`);
    if (number < 1) throw new UsageError(`${place}: ${field} is not greater than 0`);
    if (!Number.isSafeInteger(number)) {
      throw new UsageError(`${place}: ${field} is greater than ${Number.MAX_SAFE_INTEGER}`);
    }
    return number;
  });
  return [a, b];
}

async function main(args: string[]): Promise<void> {
  const { help, file, repeat, workers } = parseOptions(args);
  if (help) return console.log(HELP);
  const list = file === undefined ? PAIRS : await readPairs(file);
  const pairs = Array.from({ length: repeat }, () => list).flat();

  console.log(`${pairs.length} pairs, ${workers} ${workers === 1 ? "worker" : "workers"}\n`);
  const runs: Run[] = [];
  for (const mode of MODES) runs.push(await run(mode, pairs, workers));

  const linear = runs[0];
  const longestMs = Math.max(...runs.map(({ tookMs }) => tookMs));
  for (const run of runs) {
    checkSame(run, linear);
    console.log(describe(run, linear, longestMs));
  }
  console.log("\nWith the start of the workers included");
  for (const { name, tookMs, startMs } of runs.filter(({ startMs }) => startMs > 0)) {
    console.log(`${name.padEnd(NAME_WIDTH)} : ${times(linear.tookMs / (startMs + tookMs)).trim()}`);
  }
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    console.error(isUsage ? error.message : error);
    Deno.exit(isUsage ? 2 : 1);
  }
}
