/**
 * The part of a job that runs on a thread or in a process of a host's pool. Text comes in and goes
 * out, so that the host's main thread, which keeps the leases, neither decodes nor encodes values.
 *
 * @module
 */

import { nowMs } from "../../_platform/clock.ts";
import type { Barrier } from "../../sync/barrier.ts";
import { checkFraction, runInContext, type TaskContext, taskContext } from "../context.ts";
import { type ChunkOutcome, ChunkRun } from "../_chunk.ts";
import { type AnyFunction, importModule, markOf } from "../_target.ts";
import { task } from "../task.ts";
import { titleOf } from "./_error_text.ts";
import { decodeValue } from "./_value_reader.ts";
import { bytesOf, encodeValue } from "./_value_writer.ts";
import { PayloadTooLargeError, TaskNotFoundError } from "./errors.ts";

/** The task to run. */
export interface JobOrder {
  readonly id: string;
  readonly attempt: number;
  /** The address of the module, from the host's own list. */
  readonly url: string;
  /** The module's name, for error texts. */
  readonly module: string;
  readonly name: string;
  readonly args: string;
  readonly arity: number;
  readonly maxResult: number;
}

/** The outcome of a job. */
export interface JobReport {
  readonly failed: boolean;
  /** The value, or what was thrown. */
  readonly text: string;
  /** The beginning of what was thrown, "RangeError: odd: 3", for people who look at the queue. */
  readonly headline: string;
}

/**
 * The tasks of a module: the functions that it exports and has marked with `task`. Each is found by
 * the name of its mark, which submitters use, and by the name of its export, which `tasks` uses.
 */
async function loadTasks(url: string): Promise<Map<string, AnyFunction>> {
  const module = await importModule(url);
  const marked = new Map<string, AnyFunction>();
  const exported = new Map<string, AnyFunction>();
  // A module's namespace object has no prototype: its keys are the exports, and nothing is
  // inherited.
  for (const name of Object.keys(module)) {
    const value = module[name];
    if (typeof value !== "function") continue;
    const mark = markOf(value as AnyFunction);
    if (mark === undefined) continue;
    exported.set(name, value as AnyFunction);
    if (mark.name !== "") marked.set(mark.name, value as AnyFunction);
  }
  return new Map([...exported, ...marked]);
}

/** The names of a module's tasks. Loads it when all parties are there, so each on its own thread. */
export const listTasks: (url: string, parties: Barrier) => Promise<string[]> = task(
  import.meta,
  async function listTasks(url: string, parties: Barrier): Promise<string[]> {
    await parties.wait();
    return [...(await loadTasks(url)).keys()].sort();
  },
  "listTasks", // A minifier may change the function's own name.
);

const loaded = new Map<string, Promise<Map<string, AnyFunction>>>();

async function findTask({ url, module, name }: JobOrder): Promise<AnyFunction> {
  let tasks = loaded.get(url);
  if (tasks === undefined) loaded.set(url, tasks = loadTasks(url));
  const fn = (await tasks).get(name);
  if (fn !== undefined) return fn;
  throw new TaskNotFoundError(
    `Cannot run "${module}#${name}": module "${module}" exports no such task on this host; it has ${
      [...(await tasks).keys()].join(", ") || "none"
    }; export it, and mark it with task(import.meta, ...)`,
  );
}

/**
 * Runs a job. Never throws: what the task throws is reported. If the results of a chunk are too
 * large together, only the first ones are reported, as many as there is room for; its submitter
 * submits the other calls again.
 */
export const runJob: (order: JobOrder) => Promise<JobReport> = task(
  import.meta,
  async function runJob(order: JobOrder): Promise<JobReport> {
    try {
      const value = await call(order);
      const text = order.arity === 0
        ? writeResult(value, order)
        : writeChunk(value as ChunkOutcome, order);
      return { failed: false, text, headline: "" };
    } catch (error) {
      return reportOf(error, order);
    }
  },
  "runJob",
);

function limitText(maxResult: number): string {
  return `at most ${maxResult} may be returned: the smaller of maxResultBytes and the host's --max-result`;
}

/** @throws {NotShareableError} When the value cannot be sent, or is too large. */
function writeResult(value: unknown, { module, name, maxResult }: JobOrder): string {
  return encodeValue(value, "the task's result", {
    bytes: maxResult,
    error: (size) =>
      new PayloadTooLargeError(
        `Cannot return from "${module}#${name}": the result takes ${size} bytes, and ${
          limitText(maxResult)
        }; put it where all hosts can read it and return a reference`,
      ),
  });
}

function writeChunk(outcome: ChunkOutcome, order: JobOrder): string {
  try {
    return writeResult(outcome, order);
  } catch {
    // Each entry is written on its own: one that cannot be sent becomes an error of its call.
  }
  const [elapsedMs, entries] = outcome;
  const failed = new Set(outcome[2]);
  const texts: string[] = [];
  const failedNow: number[] = [];
  let bytes = 0;
  for (const [i, entry] of entries.entries()) {
    let text: string;
    let isFailed = failed.has(i);
    try {
      text = isFailed ? reportOf(entry, order).text : writeResult(entry, order);
    } catch (error) {
      text = reportOf(error, order).text;
      isFailed = true;
    }
    bytes += bytesOf(text);
    if (bytes > order.maxResult && i > 0) break;
    texts.push(text);
    if (isFailed) failedNow.push(i);
  }
  return `[${elapsedMs},[${texts.join()}],[${failedNow.join()}]]`;
}

async function call(order: JobOrder): Promise<unknown> {
  const fn = await findTask(order) as (...args: unknown[]) => unknown;
  const args = decodeValue(order.args);
  if (!Array.isArray(args)) throw new TypeError("Cannot run task: its arguments are no list");
  const { arity } = order;
  if (arity === 0) return await runInContext(contextOf(order, undefined), () => fn(...args));
  const startMs = nowMs();
  const chunk = new ChunkRun(fn, args, arity);
  await runInContext(contextOf(order, chunk), () => chunk.finish(chunk.advance()));
  return [nowMs() - startMs, chunk.entries, chunk.failed];
}

/** The context of the pool's task, under the job's own id. */
function contextOf({ id, attempt }: JobOrder, chunk: ChunkRun | undefined): TaskContext {
  const own = taskContext();
  return {
    id,
    attempt,
    get signal() {
      return own.signal;
    },
    report(fraction) {
      checkFraction(fraction);
      own.report(chunk?.share(fraction) ?? fraction);
    },
  };
}

/**
 * The report of an error. If the error cannot be sent, or is too large, the report has another
 * error that says so.
 */
export function reportOf(error: unknown, { maxResult }: { maxResult: number }): JobReport {
  const headline = titleOf(error);
  try {
    const text = encodeValue(error, "the task's error", {
      bytes: maxResult,
      error: (size) =>
        new PayloadTooLargeError(
          `Cannot send the task's error: it takes ${size} bytes, and ${
            limitText(maxResult)
          }; it begins with ${JSON.stringify(headline)}`,
        ),
    });
    return { failed: true, text, headline };
  } catch (unsendable) {
    return { failed: true, text: encodeValue(unsendable, "error"), headline };
  }
}
