/** A network between the cluster and its broker that swallows what is sent, or cuts connections. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { startProxy } from "../_support/proxy.ts";
import { startRedis } from "../_support/redis.ts";
import {
  CLUSTER,
  connect,
  range,
  Settlements,
  startWorker,
  STEADY,
  TaskLog,
  until,
} from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

test("ClusterExecutor gets over a network that has swallowed what it sent", CLUSTER, async () => {
  await using redis = await startRedis();
  await using log = new TaskLog();
  await using proxy = startProxy(redis.port);
  await using _worker = await startWorker(redis.url, ...STEADY);
  await using executor = await connect(`redis://127.0.0.1:${proxy.port}`);
  assertEquals(await executor.submit(tasks.note, log.path, "before"), "before");

  const held = executor.submit(tasks.pass, log.path, "held", log.gate("held"));
  await log.started("held");
  proxy.blackHole();
  // The outcome of the first task cannot be received, and the second task cannot be sent.
  log.open("held");
  const swallowed = executor.submit(tasks.note, log.path, "swallowed");
  const settlements = new Settlements([held, swallowed]);
  await until(() => log.of("end", "held").length === 1);
  assertEquals([held.done(), swallowed.done()], [false, false]);
  proxy.recover();
  assertEquals(await swallowed, "swallowed");
  assertEquals(await held, _worker.pid);
  settlements.assertEachOnce();
  log.assertEachOnce(["before", "held", "swallowed"]);
});

test(
  "ClusterExecutor runs a task elsewhere when the network swallows what its worker host sends",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using proxy = startProxy(redis.port);
    await using lost = await startWorker(`redis://127.0.0.1:${proxy.port}`);
    await using executor = await connect(redis.url);
    const future = executor.submit(tasks.pass, log.path, "job", log.gate("job"));
    const settlements = new Settlements([future]);
    await log.started("job");
    proxy.blackHole();
    const other = await startWorker(redis.url);
    try {
      assertEquals((await log.started("job", 2)).pid, other.pid);
      log.open("job");
      assertEquals(await future, other.pid);
    } finally {
      await other[Symbol.asyncDispose]();
    }
    // The host that was cut off comes back, and takes jobs.
    proxy.recover();
    assertEquals(await executor.submit(tasks.pass, log.path, "next", log.gate("job")), lost.pid);
    assertEquals(await future, other.pid);
    settlements.assertEachOnce();
  },
);

test(
  "ClusterExecutor repeats what it sent over a connection that was cut, and it runs once",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using proxy = startProxy(redis.port);
    await using executor = await connect(`redis://127.0.0.1:${proxy.port}`);
    await using _worker = await startWorker(redis.url, "--threads", "2", ...STEADY);
    const futures = [];
    for (const batch of range(5)) {
      for (const n of range(40)) {
        futures.push(executor.submit(tasks.note, log.path, 40 * batch + n));
      }
      // Some tasks are on their way now, without an answer.
      await log.started(40 * batch);
      for (const n of range(40)) {
        futures.push(executor.submit(tasks.note, log.path, 200 + 40 * batch + n));
      }
      await Promise.resolve();
      proxy.cut();
    }
    const settlements = new Settlements(futures);
    const answers = await Promise.all(futures);
    assertEquals(new Set(answers), new Set(range(400)));
    assert(answers.length === 400);
    settlements.assertEachOnce();
    log.assertEachOnce(range(400));
  },
);
