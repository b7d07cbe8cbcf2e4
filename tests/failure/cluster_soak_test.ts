/** Many jobs, one after the other: none of them may leave anything behind. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { startRedis } from "../_support/redis.ts";
import { CLUSTER, connect, range, startWorker } from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

/** The full number of jobs is run with `FUTURES_SOAK_JOBS=100000`, which takes a minute. */
const JOBS = Number(Deno.env.get("FUTURES_SOAK_JOBS") ?? 10_000);
const BURST = 2_000;

/** How long results are kept. */
const RESULT_TTL_MS = 1_000;

test(
  `ClusterExecutor leaves nothing of ${JOBS} jobs`,
  { ...CLUSTER, timeout: 300_000 },
  async () => {
    await using redis = await startRedis();
    await using _worker = await startWorker(redis.url, "--threads", "2");
    await using executor = await connect(redis.url, { resultTtl: RESULT_TTL_MS });
    const keys = async () => Number(await redis.command("DBSIZE"));
    let most = 0;
    let settled = 0;
    for (let from = 0; from < JOBS; from += BURST) {
      const futures = range(BURST).map((n) => executor.submit(tasks.echo, from + n));
      for (const future of futures) future.addDoneCallback(() => settled++);
      const answers = await Promise.all(futures);
      assertEquals(answers.findIndex((answer, n) => answer !== from + n), -1);
      most = Math.max(most, await keys());
    }
    assertEquals(settled, JOBS);
    // The data of a finished job is removed when others finish, and not before its time has passed.
    const deadlineMs = performance.now() + 20_000;
    while (await keys() > 100) {
      assert(performance.now() < deadlineMs, `${await keys()} keys are left, of at most ${most}`);
      await executor.submit(tasks.echo, 0);
      await new Promise((resolve) => setTimeout(resolve, RESULT_TTL_MS / 10));
    }
    const { running, queued, completed } = await executor.stats();
    assertEquals({ running, queued }, { running: 0, queued: 0 });
    assert(completed >= JOBS);
  },
);
