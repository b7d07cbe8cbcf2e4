/** Tasks that submit tasks to the pool that runs them. */

import { assertEquals } from "@std/assert";
import { ProcessPoolExecutor, ThreadPoolExecutor } from "../../executors/mod.ts";
import { Event } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import * as work from "./fixtures/nested.ts";

/** Nothing but the task's own word ends this test. */
const TELLS = { timeout: 15_000 };

for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  const { name } = Pool;

  test(
    `${name}: a task is given up by the signal of the task that submitted it`,
    TELLS,
    async () => {
      await using pool = new Pool({ maxWorkers: 2 });
      const [started, stopped] = [new Event(), new Event()];
      const error = await pool.submit(work.abortInside, pool, started, stopped);
      assertEquals((error as Error).message, "enough");
      assertEquals(await stopped.wait(), true);
    },
  );
}
