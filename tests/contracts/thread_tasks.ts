/** The task of a process that runs others in a thread of its own. */

import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { loadTarget, type Target } from "../../executors/_target.ts";
import { task } from "../../executors/task_module.ts";

let pool: ThreadPoolExecutor | undefined;

/** Runs a task in this process's thread, which is started for the first of them. */
export const runInThread = task(
  import.meta,
  async function runInThread(target: Target, ...args: unknown[]): Promise<unknown> {
    pool ??= new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "thread of crew" });
    const fn = await loadTarget(target) as (...args: unknown[]) => unknown;
    return await pool.submit(fn, ...args);
  },
);
