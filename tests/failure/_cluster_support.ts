/** What the failure tests of the cluster share: a broker, worker hosts, and what the tasks have written down. */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { Future } from "@concurrent/futures";
import { ClusterExecutor } from "../../executors/cluster/mod.ts";
// Counts workers; wraps `Worker` first.
import "../_support/leaks.ts";
import { type RunningProgram, startDeno } from "../_support/processes.ts";
import { NEEDS_REDIS } from "../_support/redis.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";
import type { Entry } from "./_cluster_tasks.ts";

/** The options of a test: starting worker hosts and losing leases takes its time, more so when other tests run beside it. */
export const CLUSTER = { ...NEEDS_REDIS, timeout: 60_000 };

/** How long a host holds a task without renewing: short, since a test that has a host die waits for it to pass. */
export const LEASE_MS = 2_000;

/** A host that loses no lease in a test's time, even if the machine stands still for seconds: no task of it runs twice. */
export const STEADY = ["--lease", "60"] as const;

/** Time until something that is only waited for must have come about. */
const PATIENCE_MS = 30_000;

const POLL_MS = 5;

/** The name of the tasks' module on the wire. */
export const MODULE = "tasks";
export const TASKS = new URL("./_cluster_tasks.ts", import.meta.url);
export const POOL = "tests";

/** The worker program. */
export const WORKER = fromFileUrl(new URL("executors/cluster/worker.ts", ROOT));

type ConnectOptions = Parameters<typeof ClusterExecutor.connect>[0];

/** Connects an executor that knows the tasks of these tests. */
export function connect(
  url: string,
  options: Partial<ConnectOptions> = {},
): Promise<ClusterExecutor> {
  return ClusterExecutor.connect({
    url,
    pool: POOL,
    modules: { [MODULE]: TASKS.href },
    leaseMs: LEASE_MS,
    sweepMs: 500,
    ...options,
  });
}

/** A worker host in a process of its own. */
export interface WorkerHost extends AsyncDisposable {
  readonly pid: number;
  /** The lines that it has printed so far. */
  readonly printed: readonly string[];
  readonly status: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
  /** What it wrote to its standard error, once it has ended. */
  errors(): Promise<string>;
}

/** Starts a worker host's program, and does not wait. */
export function launchWorker(url: string, ...args: string[]): RunningProgram {
  return startDeno([
    ...["run", "--config", CONFIG, "--no-prompt", "--quiet", "-A", WORKER],
    ...["--broker", url, "--pool", POOL, "--lease", String(LEASE_MS / 1000)],
    ...["--module", `${MODULE}=${fromFileUrl(TASKS)}`, ...args],
  ]);
}

/** Starts a worker host with one thread, unless the arguments say otherwise; resolves once it takes jobs. */
export async function startWorker(url: string, ...args: string[]): Promise<WorkerHost> {
  const threads = args.includes("--threads") || args.includes("--processes")
    ? []
    : ["--threads", "1"];
  const program = launchWorker(url, ...threads, ...args);
  const printed: string[] = [];
  for (;;) {
    const line = await program.line();
    if (line === undefined) {
      const errors = await program.errors();
      await program[Symbol.asyncDispose]();
      throw new Error(`The worker host ended before it was ready:\n${printed.join("\n")}${errors}`);
    }
    printed.push(line);
    if (/\bready\b/.test(line)) break;
  }
  // It must be able to print on.
  const reading = (async () => {
    for (let line = await program.line(); line !== undefined; line = await program.line()) {
      printed.push(line);
    }
  })();
  return {
    pid: program.pid,
    printed,
    status: program.status,
    kill: (signal) => program.kill(signal),
    errors: () => program.errors(),
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await reading;
    },
  };
}

/** Polls until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert(performance.now() < deadlineMs, `Not so in ${PATIENCE_MS} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The file that tasks write to, and gates that they wait at. */
export class TaskLog implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "futures-cluster-" });
  /** What is passed to the tasks. */
  readonly path = `${this.#folder}/log`;

  constructor() {
    Deno.writeTextFileSync(this.path, "");
  }

  /** All that was written so far. */
  get entries(): Entry[] {
    return Deno.readTextFileSync(this.path).split("\n").slice(0, -1).map((line) =>
      JSON.parse(line)
    );
  }

  of(event: Entry["event"], label: unknown): Entry[] {
    return this.entries.filter((entry) => entry.event === event && entry.label === String(label));
  }

  /** Resolves with what the task wrote at its first, or so-manieth, start. */
  async started(label: unknown, count = 1): Promise<Entry> {
    await until(() => this.of("start", label).length >= count);
    return this.of("start", label)[count - 1];
  }

  /** How often each label was started. */
  starts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { event, label } of this.entries) {
      if (event === "start") counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    return counts;
  }

  /** The name of a gate for the task `pass`. */
  gate(name: string): string {
    return `${this.#folder}/${name}.gate`;
  }

  /** Lets all tasks at that gate through. */
  open(name: string): void {
    Deno.writeTextFileSync(this.gate(name), "");
  }

  /** Asserts that each of those tasks was started once, and nothing else was. */
  assertEachOnce(labels: readonly unknown[]): void {
    const again = [...this.starts()].filter(([, count]) => count > 1);
    assertEquals(again, [], "tasks ran more than once");
    assertEquals(new Set(this.starts().keys()), new Set(labels.map(String)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#folder, { recursive: true });
  }
}

/** Notes how often each future is settled. */
export class Settlements {
  readonly #counts = new Map<Future<unknown>, number>();

  constructor(futures: readonly Future<unknown>[]) {
    for (const future of futures) {
      this.#counts.set(future, 0);
      future.addDoneCallback(() => this.#counts.set(future, this.#counts.get(future)! + 1));
    }
  }

  assertEachOnce(): void {
    const counts = [...this.#counts.values()];
    assertEquals(counts.filter((count) => count !== 1).length, 0, `settled: ${counts.join()}`);
  }
}

/** Whole numbers from 0. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
