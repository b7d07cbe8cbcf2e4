/**
 * What the failure tests of the cluster share: a broker, worker hosts, and the log of what the
 * tasks have done.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { Future } from "@concurrent/futures";
import { ClusterExecutor } from "../../executors/cluster/mod.ts";
// It counts workers, and must wrap `Worker` first.
import "../_support/leaks.ts";
import { type RunningProgram, startDeno } from "../_support/processes.ts";
import { NEEDS_REDIS } from "../_support/redis.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";
import type { Entry } from "./_cluster_tasks.ts";

/**
 * The options of a test: starting worker hosts and losing leases takes time, and more while other
 * tests run beside it.
 */
export const CLUSTER = { ...NEEDS_REDIS, timeout: 60_000 };

/**
 * How long a host holds a task without renewing its lease: short, as a test in which a host dies
 * waits for the lease to pass.
 */
export const LEASE_MS = 2_000;

/**
 * The arguments of a host that loses no lease during a test, even if the machine stalls for
 * seconds: none of its tasks runs twice.
 */
export const STEADY = ["--lease", "60"] as const;

/** Time within which a condition that a test merely waits for must come about. */
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
  /** What it has written to its standard error, once it has ended. */
  errors(): Promise<string>;
}

/** Starts a worker host's program without waiting for it. */
export function launchWorker(url: string, ...args: string[]): RunningProgram {
  return startDeno([
    ...["run", "--config", CONFIG, "--no-prompt", "--quiet", "-A", WORKER],
    ...["--broker", url, "--pool", POOL, "--lease", String(LEASE_MS / 1000)],
    ...["--module", `${MODULE}=${fromFileUrl(TASKS)}`, ...args],
  ]);
}

/**
 * Starts a worker host, with one thread unless the arguments say otherwise; resolves once it takes
 * jobs.
 */
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
  // Reading goes on, so that the host can always print.
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

/** The file to which tasks write, and gates at which they wait. */
export class TaskLog implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "futures-cluster-" });
  /** The path that is passed to the tasks. */
  readonly path = `${this.#folder}/log`;

  constructor() {
    Deno.writeTextFileSync(this.path, "");
  }

  /** All that tasks have written so far. */
  get entries(): Entry[] {
    return Deno.readTextFileSync(this.path).split("\n").slice(0, -1).map((line) =>
      JSON.parse(line)
    );
  }

  of(event: Entry["event"], label: unknown): Entry[] {
    return this.entries.filter((entry) => entry.event === event && entry.label === String(label));
  }

  /** Resolves with what the task wrote at its first start, or at start number `count`. */
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

  /** Lets all tasks at the gate of that name through. */
  open(name: string): void {
    Deno.writeTextFileSync(this.gate(name), "");
  }

  /** Asserts that each of the tasks was started once, and no other task was. */
  assertEachOnce(labels: readonly unknown[]): void {
    const again = [...this.starts()].filter(([, count]) => count > 1);
    assertEquals(again, [], "tasks ran more than once");
    assertEquals(new Set(this.starts().keys()), new Set(labels.map(String)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#folder, { recursive: true });
  }
}

/** Counts how often each future is settled. */
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
