/** What does not fit: into the broker's memory, into an argument, into a result. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  BrokerUnavailableError,
  JobLostError,
  PayloadTooLargeError,
  RemoteError,
} from "../../executors/cluster/mod.ts";
import { type Future, Lock, NotShareableError, SimpleQueue, transfer } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { startRedis } from "../_support/redis.ts";
import { CLUSTER, connect, POOL, range, startWorker, STEADY, TaskLog } from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

const KIB = 1_024;

test(
  "ClusterExecutor fails what a full broker refuses; the host at work drains it, and all goes on",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ persistent: false });
    await using log = new TaskLog();
    // No lease is renewed while memory is full, and an idle host gets no job: so the host is at
    // work, and has a long lease.
    await using _worker = await startWorker(redis.url, ...STEADY);
    await using executor = await connect(redis.url, { leaseMs: 30_000 });
    const held = executor.submit(tasks.pass, log.path, "held", log.gate("held"));
    await log.started("held");

    const used = await redis.info("used_memory");
    await redis.command("CONFIG", "SET", "maxmemory", String(used + 2_000 * KIB));
    const text = "x".repeat(100 * KIB);
    const futures: Future<number>[] = [];
    for (const _ of range(40)) {
      futures.push(executor.submit(tasks.lengthOf, text));
      // Tasks that are submitted in one turn are sent, and refused, together.
      await redis.command("PING");
    }
    await Promise.race(futures.map((future) => future.exception()));
    log.open("held");
    assertEquals(await held, _worker.pid);
    let refused = 0;
    for (const future of futures) {
      const error = await future.exception();
      if (error === null) assertEquals(await future, text.length);
      else {
        assert(BrokerUnavailableError.is(error), Deno.inspect(error));
        assertStringIncludes(error.message, "OOM");
        refused++;
      }
    }
    assert(refused > 0 && refused < futures.length, `${refused} of ${futures.length} were refused`);
    assertEquals(await executor.submit(tasks.lengthOf, text), text.length);
  },
);

test(
  "ClusterExecutor gives a large result once a full broker has room for it",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ persistent: false });
    await using log = new TaskLog();
    await using _worker = await startWorker(redis.url, ...STEADY);
    await using executor = await connect(redis.url, { leaseMs: 30_000 });
    const future = executor.submit(tasks.fillLater, log.path, log.gate("fill"), 20 * KIB);
    await log.started("fill");
    await redis.command("CONFIG", "SET", "maxmemory", String(KIB));
    log.open("fill");
    await redis.refused("OOM");
    await redis.command("CONFIG", "SET", "maxmemory", "0");
    assertEquals((await future).length, 20 * KIB);
    log.assertEachOnce(["fill"]);
  },
);

for (const fails of [false, true]) {
  test(
    `ClusterExecutor tells that a full broker has no room for a large ${
      fails ? "error, and with what the task failed" : "result, and the host ends well"
    }`,
    CLUSTER,
    async () => {
      await using redis = await startRedis({ persistent: false });
      await using log = new TaskLog();
      await using worker = await startWorker(redis.url, "--lease", "12");
      await using executor = await connect(redis.url, { leaseMs: 12_000 });
      const future = executor.submit(tasks.fillLater, log.path, log.gate("fill"), 20 * KIB, fails);
      await log.started("fill");
      await redis.command("CONFIG", "SET", "maxmemory", String(KIB));
      log.open("fill");
      let error: unknown = await future.exception();
      if (fails) {
        assert(RemoteError.is(error), Deno.inspect(error));
        assertStringIncludes(error.message, "RangeError: xxx");
        error = error.cause;
      }
      assert(BrokerUnavailableError.is(error), Deno.inspect(error));
      assertStringIncludes(error.message, "its memory is full; have workers drain the queue");
      worker.kill("SIGTERM");
      assertEquals([(await worker.status).code, await worker.errors()], [0, ""]);
    },
  );
}

for (const resubmitLost of [false, true]) {
  test(
    `ClusterExecutor ${
      resubmitLost ? "runs a task again" : "fails a task"
    } whose large result is there no more when it is read`,
    CLUSTER,
    async () => {
      await using redis = await startRedis();
      await using log = new TaskLog();
      await using _worker = await startWorker(redis.url, ...STEADY);
      await using executor = await connect(redis.url, { resubmitLost });
      const future = executor.submit(tasks.fillLater, log.path, log.gate("fill"), 20 * KIB);
      await log.started("fill");
      const result = `bull:${POOL}:cf:result:${executor.idOf(future)}`;
      log.open("fill");
      // This thread receives nothing in the meantime.
      while (redis.commandSync("EXISTS", result) === "0");
      redis.commandSync("UNLINK", result);
      if (resubmitLost) assertEquals((await future).length, 20 * KIB);
      else await assertRejects(() => future.result(), JobLostError);
    },
  );
}

test("ClusterExecutor refuses arguments and results that are too large", CLUSTER, async () => {
  await using redis = await startRedis();
  await using _worker = await startWorker(redis.url);
  await using executor = await connect(redis.url, {
    maxArgumentBytes: 10 * KIB,
    maxResultBytes: 20 * KIB,
  });
  const refuses = async (submit: () => PromiseLike<unknown>, says: string) => {
    // Either `submit` throws, or its future fails.
    const error = await assertRejects(async () => await submit(), PayloadTooLargeError);
    assertStringIncludes(error.message, says);
  };
  assertEquals(await executor.submit(tasks.lengthOf, "x".repeat(9 * KIB)), 9 * KIB);
  await refuses(() => executor.submit(tasks.lengthOf, "x".repeat(10 * KIB)), "10240");
  assertEquals((await executor.submit(tasks.fill, 19 * KIB)).length, 19 * KIB);
  await refuses(() => executor.submit(tasks.fill, 20 * KIB), "20480");
  // Written out, these would take more memory than there is.
  const most = 2 ** 32 - 1;
  await refuses(() => executor.submit(tasks.echo, new Array(most)), `at least ${2 * most + 2}`);
  await refuses(() => executor.submit(tasks.holes, most), `at least ${2 * most}`);
  assertEquals(await executor.submit(tasks.echo, "next"), "next");
});

test(
  "ClusterExecutor refuses what should be moved, and leaves no mark on it",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using _worker = await startWorker(redis.url);
    await using executor = await connect(redis.url);
    const bytes = new Uint8Array([1, 2, 3]);
    const moves = [
      () => executor.submit(tasks.echo, transfer(bytes, [bytes.buffer])),
      () => executor.map(tasks.echo, [transfer(bytes, [bytes.buffer])]).toArray(),
      () => executor.with({ transfer: [bytes.buffer] }).submit(tasks.echo, bytes),
    ];
    for (const move of moves) {
      await assertRejects(async () => void await move(), NotShareableError, "Cannot transfer");
      assertEquals(await executor.submit(tasks.echo, bytes), bytes);
    }
  },
);

test("ClusterExecutor refuses what is shared by memory, and says why", CLUSTER, async () => {
  await using redis = await startRedis();
  await using executor = await connect(redis.url);
  for (const shared of [new Lock(), new SimpleQueue(), new SharedArrayBuffer(8)]) {
    const error = await assertRejects(
      async () => await executor.submit(tasks.echo, shared as unknown),
      NotShareableError,
    );
    assertStringIncludes(error.message, "machine");
  }
});
