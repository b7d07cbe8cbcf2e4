/**
 * A broker that is killed and comes back, with and without its data, and one that loses its events.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Future } from "@concurrent/futures";
import {
  BrokerUnavailableError,
  ClusterExecutor,
  JobLostError,
} from "../../executors/cluster/mod.ts";
import { test } from "../_support/leaks.ts";
import { freePort, type RedisServer, startRedis } from "../_support/redis.ts";
import {
  CLUSTER,
  connect,
  MODULE,
  POOL,
  range,
  Settlements,
  startWorker,
  STEADY,
  TaskLog,
  TASKS,
  until,
} from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

const JOBS = 2_000;

/** Kills the broker when three tenths of the jobs are done, and restarts it. */
async function crash(redis: RedisServer, futures: readonly Future<unknown>[]): Promise<void> {
  await until(() => futures.filter((future) => future.done()).length >= 0.3 * futures.length);
  await redis.kill();
  await redis.restart();
}

test(
  "ClusterExecutor loses nothing when a persistent broker is killed and restarted under load",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using _first = await startWorker(redis.url, "--threads", "2");
    await using _second = await startWorker(redis.url, "--threads", "2");
    await using executor = await connect(redis.url);
    const futures = range(JOBS).map((n) => executor.submit(tasks.note, log.path, n));
    const settlements = new Settlements(futures);
    await crash(redis, futures);
    assertEquals(await Promise.all(futures), range(JOBS));
    assertEquals(new Set(log.starts().keys()), new Set(range(JOBS).map(String)));
    settlements.assertEachOnce();
  },
);

test("ClusterExecutor fails what a broker without persistence has forgotten", CLUSTER, async () => {
  await using redis = await startRedis({ persistent: false });
  await using log = new TaskLog();
  await using _worker = await startWorker(redis.url, "--threads", "2");
  await using executor = await connect(redis.url);
  const futures = range(JOBS).map((n) => executor.submit(tasks.note, log.path, n));
  const settlements = new Settlements(futures);
  await crash(redis, futures);

  let lost = 0;
  for (const [n, future] of futures.entries()) {
    const error = await future.exception();
    if (error === null) assertEquals(await future, n);
    else {
      assert(JobLostError.is(error), Deno.inspect(error));
      lost++;
    }
  }
  assert(lost > 0, "the broker has forgotten nothing");
  settlements.assertEachOnce();
  assertEquals(await executor.submit(tasks.note, log.path, "next"), "next");
});

test(
  "ClusterExecutor with resubmitLost submits again what a broker has forgotten",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ persistent: false });
    await using log = new TaskLog();
    await using _worker = await startWorker(redis.url, "--threads", "2");
    await using executor = await connect(redis.url, { resubmitLost: true });
    const futures = range(JOBS).map((n) => executor.submit(tasks.note, log.path, n));
    const settlements = new Settlements(futures);
    await crash(redis, futures);
    assertEquals(await Promise.all(futures), range(JOBS));
    settlements.assertEachOnce();
  },
);

test("ClusterExecutor finds outcomes whose events it has missed", CLUSTER, async () => {
  await using redis = await startRedis();
  await using log = new TaskLog();
  await using executor = await connect(redis.url);
  const labels = range(1_000);
  const futures = labels.map((n) => executor.submit(tasks.note, log.path, n));
  const settlements = new Settlements(futures);
  while (Number(await redis.command("DBSIZE")) < labels.length);
  await using _worker = await startWorker(redis.url, "--threads", "2", ...STEADY);
  await log.started(0);
  // From here on this thread receives nothing until all is done; by then most of the events that it
  // missed are gone.
  while (log.entries.length < 2 * labels.length);
  for (const key of redis.commandSync("--scan", "--pattern", "*:events").split("\n")) {
    redis.commandSync("XTRIM", key, "MAXLEN", "0");
  }
  assert(futures.some((future) => !future.done()), "no event was left to be missed");
  assertEquals(await Promise.all(futures), labels);
  settlements.assertEachOnce();
  log.assertEachOnce(labels);
});

/**
 * Makes the broker refuse to write, as one does that is just being replaced, until it has refused a
 * command.
 */
async function whileReadonly(redis: RedisServer, act: () => void): Promise<void> {
  await redis.command("CONFIG", "RESETSTAT");
  await redis.command("REPLICAOF", "127.0.0.1", "1");
  act();
  await redis.refused("READONLY");
  await redis.command("REPLICAOF", "NO", "ONE");
}

test("ClusterExecutor sends again what a broker refuses for the moment", CLUSTER, async () => {
  await using redis = await startRedis();
  await using executor = await connect(redis.url);
  const futures: Future<number>[] = [];
  // Sent one task per message, and several.
  for (const labels of [[0], [1, 2]]) {
    await whileReadonly(redis, () => {
      for (const label of labels) futures.push(executor.submit(tasks.echo, label));
    });
  }
  await using _worker = await startWorker(redis.url);
  assertEquals(await Promise.all(futures), [0, 1, 2]);
});

test(
  "ClusterExecutor gives what a task returned while the broker refused to take it",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    // No lease is renewed in the meantime, so that nothing else is refused.
    await using worker = await startWorker(redis.url, ...STEADY);
    await using executor = await connect(redis.url, { leaseMs: 30_000 });
    const future = executor.submit(tasks.pass, log.path, "job", log.gate("job"));
    await log.started("job");
    await whileReadonly(redis, () => log.open("job"));
    assertEquals(await future, worker.pid);
    log.assertEachOnce(["job"]);
  },
);

test(
  "Future.cancel() takes a task back although the broker refuses to remove it for the moment",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using executor = await connect(redis.url);
    const future = executor.submit(tasks.echo, 1);
    const isThere = () => redis.command("EXISTS", `bull:${POOL}:${executor.idOf(future)}`);
    while (await isThere() === "0");
    await whileReadonly(redis, () => assert(future.cancel()));
    while (await isThere() === "1");
  },
);

test(
  "a worker host learns that nobody waits for a task although the broker refused it for the moment",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using worker = await startWorker(redis.url, ...STEADY);
    await using executor = await connect(redis.url, { leaseMs: 30_000 });
    const controller = new AbortController();
    const future = executor.with({ signal: controller.signal })
      .submit(tasks.pass, log.path, "job", log.gate("job"));
    await log.started("job");
    await whileReadonly(redis, () => controller.abort());
    await assertRejects(() => Promise.resolve(future), DOMException);
    await until(() => worker.printed.some((line) => line.includes("nobody waits for it")));
  },
);

test(
  "ClusterExecutor.connect() says that there is no broker within submitTimeout",
  CLUSTER,
  async () => {
    let error: unknown;
    try {
      await using executor = await connect(`redis://127.0.0.1:${freePort()}`, {
        submitTimeout: 500,
      });
      await executor.submit(tasks.echo, 1);
    } catch (thrown) {
      error = thrown;
    }
    assert(BrokerUnavailableError.is(error), Deno.inspect(error));
  },
);

test(
  "ClusterExecutor tells in futures and stats() why no broker was reached",
  CLUSTER,
  async () => {
    await using executor = new ClusterExecutor({
      url: `redis://127.0.0.1:${freePort()}`,
      modules: { [MODULE]: TASKS.href },
      submitTimeout: 500,
    });
    const reason = 'says "connect ECONNREFUSED';
    const future = executor.submit(tasks.echo, 1);
    await assertRejects(() => future.result(), BrokerUnavailableError, reason);
    await assertRejects(() => executor.stats(), BrokerUnavailableError, reason);
  },
);

test(
  "ClusterExecutor tells in futures and stats() that the broker has no such database",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using executor = new ClusterExecutor({
      url: `${redis.url}/99`,
      modules: { [MODULE]: TASKS.href },
    });
    const reason = "DB index is out of range";
    const future = executor.submit(tasks.echo, 1);
    await assertRejects(() => future.result(), BrokerUnavailableError, reason);
    await assertRejects(() => executor.stats(), BrokerUnavailableError, reason);
  },
);

test("ClusterExecutor.shutdown() ends although the broker is gone", CLUSTER, async () => {
  await using redis = await startRedis();
  await using executor = await connect(redis.url);
  const waiting = executor.submit(tasks.echo, 1);
  while (Number(await redis.command("DBSIZE")) === 0);
  await redis.kill();
  const late = executor.submit(tasks.echo, 2);
  await executor.shutdown({ cancelFutures: true });
  assertEquals([waiting.cancelled(), late.cancelled()], [true, true]);
});
