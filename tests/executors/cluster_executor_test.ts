/**
 * The contract of all executors, kept by ClusterExecutor with a broker and three worker hosts in
 * processes of their own.
 */

import { ClusterExecutor } from "../../executors/cluster/mod.ts";
import { executorContract } from "../contracts/executor_contract.ts";
import { fileSignals } from "../contracts/file_signals.ts";
import { makeSignalsBy, type SignalKit } from "../contracts/signals.ts";
import { NEEDS_REDIS } from "../_support/redis.ts";
import { shareHosts } from "./_cluster_hosts.ts";

const cluster = shareHosts({
  pools: ["one", "two", "two"],
  modules: { tasks: import.meta.resolve("./fixtures/cluster_tasks.ts") },
  leaseSeconds: 20,
});

const modules = { tasks: import.meta.resolve("../contracts/tasks.ts") };

/** The executors of the current test. */
const live = new Set<ClusterExecutor>();

/**
 * After this many round trips, events from before them have been read, even if the reader was just
 * about to ask for more.
 */
const ROUND_TRIPS = 10;

/**
 * Waits until events have arrived: a file can show that a task has begun before the broker's event
 * does, which comes by a socket.
 */
async function heard(): Promise<void> {
  for (const executor of live) {
    for (let i = 0; i < ROUND_TRIPS; i++) await executor.stats();
  }
}

function make(maxWorkers: number): ClusterExecutor {
  const executor = new ClusterExecutor({
    url: cluster.url,
    pool: maxWorkers === 1 ? "one" : "two",
    modules,
    leaseMs: 20_000,
    sweepMs: 500,
  });
  live.add(executor);
  return executor;
}

Deno.test.afterEach(() => live.clear());

// Objects in this process's memory do not reach the hosts.
makeSignalsBy(fileSignals(() => cluster.folder, heard) as unknown as SignalKit);

if (!NEEDS_REDIS.ignore) {
  executorContract(
    "ClusterExecutor",
    ({ maxWorkers }) => make(maxWorkers),
    {
      blocks: false,
      clones: true,
      sharesMemory: false,
      tellsTasks: true,
      streams: false,
      isFar: true,
    },
  );
}
