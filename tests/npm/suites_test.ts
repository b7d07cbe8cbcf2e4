/**
 * What executors, locks and queues promise, on Node: the same files of tests, against the package for npm.
 *
 * With `NODE_SUITES=all` in the environment, files are run as well that promise less, or take long.
 */

import { assert, assertEquals } from "@std/assert";
import { AsyncExecutor, type Future } from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import { runCommand, type RunResult } from "../_support/run.ts";
import { hasNode } from "./_consumer.ts";
import { builtSuites, SHIM } from "./_suites.ts";

/** The file, and which of its tests where not all of them. */
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

/** Files that run at the same time: most of their time goes by in waiting for threads and processes. */
const AT_ONCE = 3;

/** Time that a file has. */
const TIMEOUT_MS = 300_000;

const suites = Deno.env.get("NODE_SUITES") === "all" ? [...SUITES, ...MORE] : SUITES;

/** A file's tests on Node. */
async function runSuite(file: string, pattern: string | undefined): Promise<RunResult> {
  const args = [`--import=./${SHIM}`, "--test-reporter=tap"];
  if (pattern !== undefined) args.push(`--test-name-pattern=${pattern}`);
  args.push(`tests/${file.replace(/\.ts$/, ".js")}`);
  return await runCommand("node", args, { cwd: await builtSuites(), timeoutMs: TIMEOUT_MS });
}

/** The names of the tests that failed, each with its error's first lines. */
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
    // All are started by the first test.
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
