/** Worker hosts that come and go under load, and a submitter that is gone for good. */

import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { startProgram } from "../_support/processes.ts";
import { startRedis } from "../_support/redis.ts";
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

const JOBS = 1_000;

test(
  "ClusterExecutor loses and repeats nothing when worker hosts join and leave under load",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using executor = await connect(redis.url);
    const futures = range(JOBS).map((n) => executor.submit(tasks.linger, log.path, n, 5));
    const settlements = new Settlements(futures);
    const done = () => futures.filter((future) => future.done()).length;
    // Jobs wait while there is no host.
    await using first = await startWorker(redis.url, "--threads", "2", ...STEADY);
    await until(() => done() > 100);
    await using second = await startWorker(redis.url, "--threads", "2", ...STEADY);
    first.kill("SIGTERM");
    assertEquals((await first.status).code, 0);
    await until(() => done() > 500);
    await using _third = await startWorker(redis.url, "--threads", "2", ...STEADY);
    second.kill("SIGTERM");
    assertEquals((await second.status).code, 0);
    assertEquals(await Promise.all(futures), range(JOBS));
    settlements.assertEachOnce();
    log.assertEachOnce(range(JOBS));
  },
);

test(
  "A worker host finishes what it has in hand after SIGTERM, and takes nothing new",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using worker = await startWorker(redis.url, "--grace", "20", ...STEADY);
    await using executor = await connect(redis.url);
    const held = executor.submit(tasks.pass, log.path, "held", log.gate("held"));
    await log.started("held");
    const printed = worker.printed.length;
    worker.kill("SIGTERM");
    // The host reports that it has received the signal.
    await until(() => worker.printed.length > printed);
    const next = executor.submit(tasks.note, log.path, "next");
    log.open("held");
    assertEquals(await held, worker.pid);
    assertEquals((await worker.status).code, 0);
    assertEquals([next.done(), log.of("start", "next").length], [false, 0]);
    await using _other = await startWorker(redis.url, ...STEADY);
    assertEquals(await next, "next");
    log.assertEachOnce(["held", "next"]);
  },
);

test(
  "A worker host hands back what it cannot finish within its grace period",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using worker = await startWorker(redis.url, "--grace", "0.3", ...STEADY);
    // None of the losses that a task may have is used up.
    await using executor = await connect(redis.url, { retries: 0 });
    const held = executor.submit(tasks.pass, log.path, "held", log.gate("held"));
    const settlements = new Settlements([held]);
    await log.started("held");
    worker.kill("SIGTERM");
    assertEquals((await worker.status).code, 0);
    assertEquals(held.done(), false);
    await using other = await startWorker(redis.url, ...STEADY);
    assertEquals((await log.started("held", 2)).pid, other.pid);
    log.open("held");
    assertEquals(await held, other.pid);
    settlements.assertEachOnce();
  },
);

test(
  "ClusterExecutor.attach() finds the outcomes of a submitter that has died",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using submitter = await startProgram(
      `
    import { ClusterExecutor } from ${
        JSON.stringify(import.meta.resolve("../../executors/cluster/mod.ts"))
      };
    import * as tasks from ${JSON.stringify(TASKS.href)};
    const [url, log, gate] = Deno.args;
    const executor = await ClusterExecutor.connect({
      url,
      pool: ${JSON.stringify(POOL)},
      modules: { ${MODULE}: ${JSON.stringify(TASKS.href)} },
    });
    const done = executor.submit(tasks.note, log, "done");
    await done;
    const held = executor.submit(tasks.pass, log, "held", gate);
    console.log(JSON.stringify([done, held].map((future) => executor.idOf(future))));
  `,
      { args: [redis.url, log.path, log.gate("held")] },
    );
    await using worker = await startWorker(redis.url, ...STEADY);
    await log.started("held");
    const ids = JSON.parse((await submitter.line())!);
    submitter.kill("SIGKILL");
    await submitter.status;

    await using executor = await connect(redis.url);
    const [done, held] = ids.map((id: string) => executor.attach(id));
    assertEquals(await done, "done");
    assertEquals(held.done(), false);
    log.open("held");
    assertEquals(await held, worker.pid);
    // The result is also there when it is asked for again, and by another executor.
    await using another = await connect(redis.url);
    assertEquals(await another.attach(ids[1]), worker.pid);
    log.assertEachOnce(["done", "held"]);
  },
);

test(
  "ClusterExecutor lets go of a job that another has submitted, and does not end it",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using worker = await startWorker(redis.url, ...STEADY);
    await using owner = await connect(redis.url);
    const future = owner.submit(tasks.pass, log.path, "job", log.gate("job"));
    const id = owner.idOf(future);
    await log.started("job");
    {
      await using watcher = await connect(redis.url);
      assertEquals(watcher.attach(id).cancel(), true);
      const attached = watcher.attach(id);
      await until(() => attached.running());
      await watcher.shutdown({ cancelFutures: true });
      assertEquals(attached.cancelled(), true);
    }
    log.open("job");
    assertEquals(await future, worker.pid);
    {
      await using watcher = await connect(redis.url);
      assertEquals(watcher.attach(id).cancel(), true);
    }
    assertEquals(await owner.attach(id), worker.pid);
    log.assertEachOnce(["job"]);
  },
);

test(
  "ClusterExecutor.attach() gives each caller a future of its own",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using owner = await connect(redis.url);
    await using watcher = await connect(redis.url);
    const future = owner.submit(tasks.pass, log.path, "job", log.gate("job"));
    const unwanted = owner.submit(tasks.note, log.path, "unwanted");
    const id = owner.idOf(future);
    const attached = [owner, owner, watcher, watcher].map((executor) => executor.attach(id));
    assertEquals(new Set([future, ...attached]).size, 5);
    // No host is there yet: all of them could be taken back.
    assertEquals([attached[0].cancel(), attached[2].cancel()], [true, true]);
    const cancelled = () => [future, ...attached].map((future) => future.cancelled());
    assertEquals(cancelled(), [false, true, false, true, false]);
    const follower = owner.attach(owner.idOf(unwanted));
    assertEquals([unwanted.cancel(), follower.cancelled()], [true, true]);

    await using worker = await startWorker(redis.url, ...STEADY);
    await until(() => attached[1].running() && attached[3].running());
    assertEquals(owner.idOf(attached[1]), id);
    await until(() => attached[3].progress === 0.5);
    assertEquals(watcher.attach(id).progress, 0.5);
    log.open("job");
    for (const wanted of [future, attached[1], attached[3]]) assertEquals(await wanted, worker.pid);
    assertEquals(cancelled(), [false, true, false, true, false]);
    assertEquals(owner.idOf(attached[0]), id);
    assertEquals((await owner.stats()).cancelled, 1);
    log.assertEachOnce(["job"]);
  },
);

test("ClusterExecutor cancels a job that a worker host has given back", CLUSTER, async () => {
  await using redis = await startRedis();
  await using log = new TaskLog();
  await using worker = await startWorker(redis.url, "--grace", "0");
  await using executor = await connect(redis.url);
  const future = executor.submit(tasks.pass, log.path, "job", log.gate("job"));
  await until(() => future.running());
  worker.kill("SIGTERM");
  assertEquals((await worker.status).code, 0);
  await until(() => !future.running());
  {
    // The watcher looks the job up, rather than only hearing of it. Requests are answered in order.
    await using watcher = await connect(redis.url);
    const attached = watcher.attach(executor.idOf(future));
    for (let i = 0; i < 3; i++) await watcher.stats();
    assertEquals([attached.running(), attached.cancel()], [false, true]);
  }
  await executor.shutdown({ cancelFutures: true });
  assertEquals(future.cancelled(), true);
  assertEquals(await redis.command("ZCARD", `bull:${POOL}:prioritized`), "0");
});
