/** Worker hosts that die, freeze, or are too busy to report anything. */

import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { type ClusterExecutor, WorkerLostError } from "../../executors/cluster/mod.ts";
import { test } from "../_support/leaks.ts";
import { PROMPT_MS } from "../_support/outcomes.ts";
import { startRedis } from "../_support/redis.ts";
import { assertInTime, inGoodTime, withTimeLimit } from "../_support/time_limits.ts";
import {
  CLUSTER,
  connect,
  LEASE_MS,
  POOL,
  range,
  Settlements,
  startWorker,
  TaskLog,
  until,
  type WorkerHost,
} from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

/**
 * Whether a host had to give a task up, as it does when the machine keeps it from running for as
 * long as its lease.
 */
function hasLostLease(host: WorkerHost): boolean {
  return host.printed.some((line) => line.includes("lease lost"));
}

/** Does what the broker is told when a lease has run out: any thread may take the job. */
const RUN_OUT = `
  local prefix, id = ARGV[1], ARGV[2]
  redis.call("DEL", prefix .. id .. ":lock")
  redis.call("HINCRBY", prefix .. id, "stc", 1)
  redis.call("LREM", prefix .. "active", 1, id)
  redis.call("ZADD", prefix .. "prioritized", 0, id)
  redis.call("ZADD", prefix .. "marker", 0, "0")`;

/** Lets one of two hosts run a task that waits at its gate, and returns which one it is. */
async function holdAtGate(
  executor: ClusterExecutor,
  log: TaskLog,
  [first, second]: readonly [WorkerHost, WorkerHost],
) {
  const future = executor.submit(tasks.pass, log.path, "job", log.gate("job"));
  const settlements = new Settlements([future]);
  const start = await log.started("job");
  const [holder, other] = start.pid === first.pid ? [first, second] : [second, first];
  assertEquals(start.pid, holder.pid);
  return { future, settlements, start, holder, other };
}

test(
  "ClusterExecutor runs a task again elsewhere when its worker host is killed",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using first = await startWorker(redis.url);
    await using second = await startWorker(redis.url);
    await using executor = await connect(redis.url);

    const held = await holdAtGate(executor, log, [first, second]);
    const { future, settlements, start, holder: lost, other } = held;
    const killedMs = Date.now();
    lost.kill("SIGKILL");
    const again = await log.started("job", 2);
    assertEquals([again.pid, start.attempt, again.attempt], [other.pid, 1, 2]);
    const elapsedMs = again.atMs - killedMs;
    assert(elapsedMs < 2 * LEASE_MS + PROMPT_MS, `It took ${elapsedMs} ms`);
    log.open("job");
    assertEquals(await future, other.pid);
    settlements.assertEachOnce();
  },
);

test(
  "ClusterExecutor fails a task that kills each worker host that takes it, and no other",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using executor = await connect(redis.url, { retries: 1 });
    await using doomed = await startWorker(redis.url);
    const poison = executor.submit(tasks.poison, log.path, "poison");
    const settlements = new Settlements([poison]);
    assertEquals((await doomed.status).signal, "SIGKILL");
    assertEquals(poison.done(), false);

    await using alsoDoomed = await startWorker(redis.url);
    assertEquals((await alsoDoomed.status).signal, "SIGKILL");
    await using _third = await startWorker(redis.url);
    const others = range(20).map((n) => executor.submit(tasks.note, log.path, n));
    const error = await poison.exception();
    assert(WorkerLostError.is(error), Deno.inspect(error));
    assertStringIncludes(error.message, "Cannot ");
    assertEquals(await Promise.all(others), range(20));
    assertEquals(log.of("start", "poison").length, 2);
    settlements.assertEachOnce();
  },
);

test(
  "ClusterExecutor settles a future once when a frozen worker host comes back with a late result",
  CLUSTER,
  () =>
    inGoodTime(async () => {
      await using redis = await startRedis();
      await using log = new TaskLog();
      await using first = await startWorker(redis.url);
      await using second = await startWorker(redis.url);
      await using executor = await connect(redis.url);

      const held = await holdAtGate(executor, log, [first, second]);
      const { future, settlements, holder: frozen, other } = held;
      frozen.kill("SIGSTOP");
      const again = await log.started("job", 2);
      assertEquals(again.pid, other.pid);
      log.open("job");
      assertEquals(await future, other.pid);

      frozen.kill("SIGCONT");
      await until(() => log.of("end", "job").some(({ pid }) => pid === frozen.pid));
      // The late result is not taken, and the host continues: it is the only one now.
      other.kill("SIGTERM");
      assertEquals((await other.status).code, 0);
      assertEquals(
        await executor.submit(tasks.pass, log.path, "next", log.gate("job")),
        frozen.pid,
      );
      assertEquals(await future, other.pid);
      assertInTime(!hasLostLease(other));
      assertEquals(log.of("start", "job").length, 2);
      assertEquals(await executor.attach(executor.idOf(future)), other.pid);
      settlements.assertEachOnce();
    }),
);

test(
  "ClusterExecutor does not start a task again that computes past its lease",
  CLUSTER,
  async () => {
    await withTimeLimit(2 * LEASE_MS, async (leaseMs) => {
      await using redis = await startRedis();
      await using log = new TaskLog();
      const lease = ["--lease", String(leaseMs / 1000)];
      await using busy = await startWorker(redis.url, "--threads", "2", ...lease);
      await using executor = await connect(redis.url);
      const labels = ["a", "b"];
      const futures = labels.map((label) =>
        executor.submit(tasks.spin, log.path, label, 1.5 * leaseMs)
      );
      for (const label of labels) assertEquals((await log.started(label)).pid, busy.pid);
      // This host would take any task that a lost lease sets free.
      await using idle = await startWorker(redis.url, ...lease);
      assertNotEquals(idle.pid, busy.pid);
      assertEquals(await Promise.all(futures), labels);
      assertInTime(!hasLostLease(busy));
      log.assertEachOnce(labels);
    });
  },
);

test(
  "a worker host that takes a task again keeps the new lease when the earlier run ends",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using worker = await startWorker(redis.url, "--threads", "2");
    await using executor = await connect(redis.url);
    const future = executor.submit(tasks.passEach, log.path, "job", log.gate("job"));
    await log.started("job");

    const id = executor.idOf(future)!;
    const lease = `bull:${POOL}:${id}:lock`;
    await redis.command("EVAL", RUN_OUT, "0", `bull:${POOL}:`, id);
    await log.started("job", 2);
    log.open("job-1");
    // Until it is renewed, or has run out and the task is taken once more.
    const leftMs = async () => Number(await redis.command("PTTL", lease));
    let before = Infinity;
    for (let now = await leftMs(); now <= before; now = await leftMs()) before = now;
    for (const attempt of [2, 3]) log.open(`job-${attempt}`);
    assertEquals(await future, worker.pid);
    assertEquals(log.of("start", "job").length, 2, "the new lease was not renewed");
  },
);
