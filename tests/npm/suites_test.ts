/**
 * What executors, locks and queues promise, on Node: the same test files, against the package for
 * npm.
 *
 * With `NODE_SUITES=all` in the environment, files that promise less, or take long, are run as
 * well.
 */

import { assert, assertEquals } from "@std/assert";
import { AsyncExecutor, type Future } from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import { runCommand, type RunResult } from "../_support/run.ts";
import { hasNode } from "./_consumer.ts";
import { builtSuites, SHIM } from "./_suites.ts";

/** The file, and a pattern for its tests where not all of them are run. */
const SUITES: readonly (readonly [file: string, pattern?: string])[] = [
  ["executors/async_executor_test.ts"],
  ["executors/cluster_codec_test.ts"],
  ["executors/fake_timers_test.ts"],
  ["executors/future_test.ts"],
  // A process takes long to start.
  ["executors/process_pool_executor_test.ts", "ProcessPoolExecutor\\.(submit|shutdown)"],
  ["executors/task_test.ts"],
  ["executors/thread_pool_executor_test.ts"],
  ["executors/timer_test.ts"],
  ["executors/wait_test.ts"],
  ["executors/wire_test.ts"],
  ["queue/queue_test.ts"],
  ["queue/simple_queue_test.ts"],
  ["sync/barrier_test.ts"],
  ["sync/condition_test.ts"],
  ["sync/event_test.ts"],
  ["sync/lock_test.ts"],
  ["sync/process_threads_test.ts"],
  ["sync/raw_worker_test.ts"],
  ["sync/semaphore_test.ts"],
  ["sync/value_test.ts"],
];

const MORE: typeof SUITES = [
  ["executors/errors_test.ts"],
  ["executors/map_test.ts"],
  ["executors/process_pool_executor_test.ts"],
  ["executors/process_pool_options_test.ts"],
  ["executors/stream_test.ts"],
  ["executors/thread_test.ts"],
  ["queue/core_test.ts"],
  ["queue/lifo_queue_test.ts"],
  ["queue/lost_items_test.ts"],
  ["queue/memory_test.ts"],
  ["queue/outcomes_test.ts"],
  ["queue/priority_queue_test.ts"],
  ["queue/values_test.ts"],
  ["queue/waiters_test.ts"],
  ["sync/core_test.ts"],
  ["sync/debug_locks_tables_test.ts"],
  ["sync/debug_locks_test.ts"],
  ["sync/outcomes_test.ts"],
  ["sync/processes_test.ts"],
  ["sync/rlock_test.ts"],
  ["sync/sharing_test.ts"],
];

/** Files that run at the same time: they mostly wait for threads and processes. */
const AT_ONCE = 3;

/** Time limit of a file. */
const TIMEOUT_MS = 300_000;

const suites = Deno.env.get("NODE_SUITES") === "all" ? [...SUITES, ...MORE] : SUITES;

/** Runs a file's tests on Node. */
async function runSuite(file: string, pattern: string | undefined): Promise<RunResult> {
  const args = [`--import=./${SHIM}`, "--test-reporter=tap"];
  if (pattern !== undefined) args.push(`--test-name-pattern=${pattern}`);
  args.push(`tests/${file.replace(/\.ts$/, ".js")}`);
  return await runCommand("node", args, { cwd: await builtSuites(), timeoutMs: TIMEOUT_MS });
}

/** The names of the tests that failed, each with the first lines of its error. */
function failuresIn(tap: string): string[] {
  return [...tap.matchAll(/^ *not ok \d+ - (.*)\n(?: .*\n)*? *error: (.*(?:\n.*){3})/gm)]
    .map(([, name, error]) => `${name}: ${error}`);
}

const executor = new AsyncExecutor({ maxWorkers: AT_ONCE });
let futures: Future<RunResult>[] | undefined;

suites.forEach(([file, pattern], i) => {
  test(`on Node: ${file}${pattern === undefined ? "" : `, ${pattern}`}`, {
    ignore: !hasNode,
    timeout: 2 * TIMEOUT_MS,
    // The first test starts all files.
    sanitizeOps: false,
    sanitizeResources: false,
  }, async () => {
    futures ??= suites.map((suite) => executor.submit(runSuite, suite[0], suite[1]));
    const { code, stdout, stderr, timedOut } = await futures[i];
    assertEquals(failuresIn(stdout), []);
    assertEquals([code, timedOut], [0, false], stderr);
    const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
    const skipped = Number(/^# skipped (\d+)$/m.exec(stdout)?.[1]);
    assert(
      passed > 0 && (pattern !== undefined || skipped <= 2),
      `${passed} passed, ${skipped} did not run`,
    );
  });
});
