/**
 * The worker program: a host that runs the tasks of a pool. `--help` lists its options.
 *
 * ```sh
 * deno run --allow-net=broker:6379 --allow-read=/srv/app --ignore-env jsr:@concurrent/futures/worker \
 *   --broker redis://broker:6379 --module gcd=/srv/app/gcd.ts
 * ```
 *
 * It ends with code 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for unknown or invalid
 * options.
 *
 * @module
 */

import { platform } from "../../_platform/mod.ts";
import { processes } from "../../_platform/processes.ts";
import { addressOf, machineName, onSignal, programArguments } from "../../_platform/program.ts";
import { Barrier } from "../../sync/barrier.ts";
import type { Executor } from "../executor.ts";
import { ProcessPoolExecutor } from "../process_pool_executor.ts";
import { ThreadPoolExecutor } from "../thread_pool_executor.ts";
import { errorText } from "../_target.ts";
import { within } from "./_promises.ts";
import { BullHost } from "./_bullmq_host.ts";
import { placeOf } from "./_connection.ts";
import { type Log, WorkerHost } from "./_host.ts";
import { listTasks } from "./_job.ts";
import { queueOf } from "./_settings.ts";
import { HELP, readOptions, type WorkerOptions } from "./_worker_options.ts";

/** How long the broker may take to answer at the start, and how long leaving it may take. */
const START_MS = 10_000;
const LEAVE_MS = 5_000;

/** Makes a log that writes a line for each event, for people or, as JSON, for programs. */
function makeLog(isJson: boolean): Log {
  return (event, particulars = {}) => {
    const time = new Date().toISOString();
    if (isJson) return console.log(JSON.stringify({ time, event, ...particulars }));
    const rest = Object.entries(particulars).map(([key, value]) =>
      ` ${key}=${typeof value === "string" && /[\s="]/.test(value) ? JSON.stringify(value) : value}`
    );
    console.log(`${time} ${event}${rest.join("")}`);
  };
}

function poolOf({ threads, processes }: WorkerOptions): Executor {
  // A task that ends its thread or process must not break the pool for the others.
  return processes === undefined
    ? new ThreadPoolExecutor({ maxWorkers: threads, onWorkerLost: "replace" })
    : new ProcessPoolExecutor({ maxWorkers: processes, onWorkerLost: "replace" });
}

/**
 * Checks, on all threads or processes of the pool, where tasks will run, that each module loads and
 * has tasks: a runtime remembers an import that has failed, so such a thread would fail its tasks
 * for ever. Returns the tasks' names.
 */
async function checkModules(
  pool: Executor,
  threads: number,
  modules: ReadonlyMap<string, string>,
): Promise<string[]> {
  const found: string[] = [];
  const parties = new Barrier(threads);
  for (const [name, url] of modules) {
    let tasks: string[];
    try {
      const lists = Array.from({ length: threads }, () => pool.submit(listTasks, url, parties));
      [tasks] = await Promise.all(lists);
    } catch (error) {
      const text = errorText(error);
      const hint = pool instanceof ProcessPoolExecutor && text.includes("Requires read access")
        ? "; a process gets only the kinds of permission that this program has in full: run it with --allow-read, without a path"
        : "";
      throw new Error(`Cannot load module "${name}" from ${url}: ${text}${hint}`);
    }
    if (tasks.length === 0) {
      throw new Error(
        `Cannot serve module "${name}": ${url} exports no task; mark its functions with task(import.meta, ...)`,
      );
    }
    found.push(...tasks.map((task) => `${name}#${task}`));
  }
  return found;
}

/** Resolves to the name of the signal that ends the program. */
function whenTold(): Promise<string> {
  return new Promise((resolve) => {
    // SIGBREAK is Ctrl-Break on Windows, which has no SIGTERM.
    for (const signal of ["SIGTERM", "SIGINT", "SIGBREAK"]) onSignal(signal, () => resolve(signal));
  });
}

async function serve(options: WorkerOptions): Promise<void> {
  const log = makeLog(options.json);
  // If the program is told to end, it waits neither for its modules nor for the broker.
  const told = whenTold();
  const modules = new Map([...options.modules].map(([name, path]) => [
    name,
    /^[a-z][a-z\d+.-]+:/i.test(path) ? path : addressOf(path),
  ]));
  const threads = options.processes ?? options.threads;
  const pool = poolOf(options);
  const tasks = await Promise.race([
    checkModules(pool, threads, modules),
    told.then(() => undefined),
  ]);
  if (tasks === undefined) {
    log("stopping", { signal: await told });
    return log("stopped");
  }
  const settings = {
    modules,
    name: machineName(),
    threads,
    leaseMs: options.leaseMs,
    maxArgumentBytes: options.maxArguments,
    maxResultBytes: options.maxResult,
  };
  const queue = queueOf(options.pool, options.version);
  const host = new WorkerHost(
    settings,
    pool,
    (listener) => new BullHost(options.broker, queue, options.leaseMs, threads, START_MS, listener),
    log,
  );
  const isReady = await Promise.race([host.start().then(() => true), told.then(() => false)]);
  if (isReady) {
    log("ready", {
      broker: placeOf(options.broker.url),
      pool: queue,
      [options.processes === undefined ? "threads" : "processes"]: threads,
      pid: platform.pid,
      tasks: tasks.join(","),
    });
  }
  log("stopping", { signal: await told });
  if (!await within(options.graceMs + LEAVE_MS, host.stop(options.graceMs))) {
    log("trouble", { error: "the broker was not told of the end; the leases will run out" });
  }
  log("stopped");
}

/**
 * Runs the worker program; resolves to its exit code.
 *
 * @example
 * ```ts ignore
 * import { main } from "@concurrent/futures/worker";
 *
 * const code = await main(["--broker", "redis://127.0.0.1:6379", "--module", "gcd=./gcd.ts"]);
 * ```
 */
export async function main(args: readonly string[]): Promise<number> {
  let options: WorkerOptions | undefined;
  try {
    options = readOptions(args, platform.cores, (name) => platform.environment(name));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    console.error("See --help.");
    return 2;
  }
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  try {
    await serve(options);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) processes.end(await main(programArguments()));
