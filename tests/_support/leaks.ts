/**
 * `test` is `Deno.test` with a hard timeout and a check that no worker outlives the test; where
 * `processes.ts` is imported, no child process may outlive it either. A thread that was given up
 * cannot be stopped: on Linux, a test that leaves one computing fails.
 *
 * The runtime's own sanitizers watch timers and open resources, but not workers. This module wraps
 * the global `Worker` when it is imported, and counts every worker that is started.
 *
 * A worker counts as ended when it was terminated, when it died of an error, or when a test
 * reported its end through {@linkcode markClosed}: `close()` inside a worker tells the parent
 * nothing.
 *
 * @module
 */

import { statOf, threadsOf } from "./proc.ts";

/** Time limit of a test. */
export const DEFAULT_TIMEOUT_MS = 60_000;

/** Time that workers have to end after the test that started them. */
export const SETTLE_MS = 5_000;

/** Time between two checks of what is still alive. */
const POLL_MS = 5;

/** Workers started and not known to have ended, with the name they are reported by. */
const live = new Map<Worker, string>();

/** Counters of workers or processes that this module does not start: name to how many live. */
const counters = new Map<string, () => number>();

/** Lists this process's children and their states, by number; see {@linkcode watchProcesses}. */
let listProcesses = (): ReadonlyMap<number, string> => new Map();

const NativeWorker = globalThis.Worker;

class CountedWorker extends NativeWorker {
  constructor(specifier: string | URL, options?: WorkerOptions) {
    super(specifier, options);
    live.set(this, options?.name ?? shortName(specifier));
    this.addEventListener("error", () => live.delete(this));
  }

  override terminate(): void {
    live.delete(this);
    super.terminate();
  }
}

globalThis.Worker = CountedWorker;

/** The end of a module's address; a `data:` or `blob:` address tells a reader nothing. */
function shortName(specifier: string | URL): string {
  const address = String(specifier);
  return /^(data|blob):/.test(address) ? address.slice(0, 5) : address.split("/").at(-1)!;
}

/**
 * How many workers are alive: started, not terminated, not dead of an error, not reported as
 * closed.
 */
export function countLiveWorkers(): number {
  return live.size;
}

/** Reports that the worker has ended by itself. */
export function markClosed(worker: Worker): void {
  live.delete(worker);
}

/**
 * Adds a counter to what is compared before and after each test, such as the platform layer's count
 * of its threads or processes.
 */
export function watchCounter(name: string, count: () => number): void {
  counters.set(name, count);
}

/**
 * Adds the child processes that `list` gives, with their states, to what is compared before and
 * after each test.
 */
export function watchProcesses(list: () => ReadonlyMap<number, string>): void {
  listProcesses = list;
}

/**
 * The name of the worker to which a thread belongs, if that thread computes at this moment;
 * otherwise `undefined`.
 */
function computingWorker(thread: string): string | undefined {
  const stat = statOf(thread);
  return stat?.state === "R" && stat.name.startsWith("worker-") ? stat.name : undefined;
}

/** What was alive at one moment. */
export interface Census {
  readonly workers: ReadonlySet<Worker>;
  readonly threads: ReadonlySet<string>;
  readonly processes: ReadonlyMap<number, string>;
  readonly counts: ReadonlyMap<string, number>;
}

/** Records what is alive now. */
export function takeCensus(): Census {
  return {
    workers: new Set(live.keys()),
    threads: new Set(threadsOf("self")),
    processes: listProcesses(),
    counts: new Map([...counters].map(([name, count]) => [name, count()])),
  };
}

/** Names everything that is alive now and was not when the census was taken. */
export function startedSince(census: Census): string[] {
  const names: string[] = [];
  for (const [worker, name] of live) {
    if (!census.workers.has(worker)) names.push(`worker "${name}"`);
  }
  for (const thread of threadsOf("self")) {
    if (census.threads.has(thread)) continue;
    const name = computingWorker(thread);
    if (name !== undefined) names.push(`a thread that computes (${name})`);
  }
  for (const [pid, state] of listProcesses()) {
    if (!census.processes.has(pid)) names.push(`process ${pid} (${state})`);
  }
  for (const [name, count] of counters) {
    const extra = count() - (census.counts.get(name) ?? 0);
    if (extra > 0) names.push(`${extra} of ${name}`);
  }
  return names;
}

/**
 * Waits at most {@linkcode SETTLE_MS} until nothing that was started since the census is alive;
 * returns the names of what still is.
 */
export async function settle(census: Census, limitMs: number = SETTLE_MS): Promise<string[]> {
  const deadlineMs = performance.now() + limitMs;
  let names = startedSince(census);
  while (names.length > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    names = startedSince(census);
  }
  return names;
}

/** Options of {@linkcode test}: those of `Deno.test`, and whether to look for workers left over. */
export interface TestOptions extends Omit<Deno.TestDefinition, "fn" | "name"> {
  /** Whether a worker left running fails the test. Default `true`. */
  sanitizeWorkers?: boolean;
}

type TestBody = (t: Deno.TestContext) => void | Promise<void>;

/**
 * Registers a test that fails after `timeout` milliseconds (a minute by default), even if it blocks
 * the thread, and that fails if a worker that it started is still alive after it.
 */
export function test(name: string, fn: TestBody): void;
export function test(name: string, options: TestOptions, fn: TestBody): void;
export function test(name: string, second: TestOptions | TestBody, third?: TestBody): void {
  const [options, fn] = typeof second === "function" ? [{}, second] : [second, third!];
  const { sanitizeWorkers = true, ...rest } = options;
  Deno.test({
    timeout: DEFAULT_TIMEOUT_MS,
    ...rest,
    name,
    fn: sanitizeWorkers ? checked(name, fn) : fn,
  });
}

/** Wraps a test so that it fails if a worker or a counted thing outlives it. */
export function checked(name: string, fn: TestBody): (t: Deno.TestContext) => Promise<void> {
  return async (t) => {
    const before = takeCensus();
    let failed = true;
    try {
      await fn(t);
      failed = false;
    } finally {
      // After a failure, leftovers are no news: the first error is the one to show.
      if (!failed) await assertSettled(name, before);
    }
  };
}

async function assertSettled(name: string, before: Census): Promise<void> {
  const names = await settle(before);
  if (names.length === 0) return;
  throw new Error(`Test "${name}" left running: ${names.join(", ")}`);
}
