/**
 * Tasks that nobody wants any more: one that waits, one that runs, and one that does not listen.
 *
 *   deno run -A examples/cancel_and_timeout.ts
 *
 * `cancel` takes back a task that is still waiting. A timeout or a signal gives up a task that
 * runs: its future fails at once, and the task learns of it through its own signal. If it does not
 * listen, its thread cannot be stopped: the thread is abandoned, and another one takes its place. A
 * process is killed.
 *
 * It prints:
 *
 *   One that waits can be cancelled: true
 *     CancelledError: Cannot read outcome: the future was cancelled
 *   One that runs can be cancelled: false
 *     given up by a timeout: TimeoutError: Cannot finish task: it was not done within 300 ms
 *     given up by a signal: Error: nobody wants it
 *     The next one runs in the same thread. Abandoned: 0
 *   One that does not listen, in a thread
 *     given up by a signal: Error: nobody wants it
 *     The next one runs in another thread. Abandoned: 1
 *   One that does not listen, in a process
 *     given up by a signal: Error: nobody wants it
 *     The next one runs in another process. The first one was killed
 *
 * @module
 */

import {
  currentThread,
  Event,
  type Executor,
  type Future,
  ProcessPoolExecutor,
  task,
  taskContext,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import process from "node:process";

const TIMEOUT_MS = 300;

/** Counts until nobody waits for it any more. */
export const count = task(import.meta, function count(runs: Event): number {
  const { signal } = taskContext();
  runs.set();
  let counted = 0;
  while (!signal.aborted) counted++;
  return counted;
});

/** Counts for ever: it never looks at its signal. */
export const countForEver = task(import.meta, function countForEver(runs: Event): void {
  runs.set();
  for (;;);
});

export const threadName = task(import.meta, function threadName(): string {
  return currentThread().name;
});

export const processId = task(import.meta, function processId(): number {
  return process.pid;
});

/** Returns the text of the error that a task ended with. */
async function failureOf(future: Future<unknown>): Promise<string> {
  try {
    return `none, but ${await future}`;
  } catch (error) {
    return `${error}`;
  }
}

/** Starts a task, and gives it up once it runs. */
async function abort(executor: Executor, fn: (runs: Event) => unknown): Promise<void> {
  const runs = new Event();
  const controller = new AbortController();
  const future = executor.with({ signal: controller.signal }).submit(fn, runs);
  await runs.wait();
  controller.abort(new Error("nobody wants it"));
  console.log(`  given up by a signal: ${await failureOf(future)}`);
}

/** Prints which thread runs the next task. */
async function reportNextThread(pool: ThreadPoolExecutor, first: string): Promise<void> {
  const next = await pool.submit(threadName);
  const which = next === first ? "the same" : "another";
  console.log(`  The next one runs in ${which} thread. Abandoned: ${pool.stats().abandoned}`);
}

async function inThreads(): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const first = await pool.submit(threadName);
  const runs = new Event();
  const running = pool.with({ timeout: TIMEOUT_MS }).submit(count, runs);
  const waiting = pool.submit(threadName); // The only worker is busy.
  console.log(`One that waits can be cancelled: ${waiting.cancel()}`);
  console.log(`  ${await failureOf(waiting)}`);

  await runs.wait({ timeout: TIMEOUT_MS });
  console.log(`One that runs can be cancelled: ${running.cancel()}`);
  console.log(`  given up by a timeout: ${await failureOf(running)}`);
  await abort(pool, count);
  await reportNextThread(pool, first);

  console.log("One that does not listen, in a thread");
  await abort(pool, countForEver);
  await reportNextThread(pool, first);
}

async function inProcesses(): Promise<void> {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const first = await pool.submit(processId);
  console.log("One that does not listen, in a process");
  await abort(pool, countForEver);
  const next = await pool.submit(processId);
  const which = next === first ? "the same" : "another";
  const fate = isAlive(first) ? "lives on" : "was killed";
  console.log(`  The next one runs in ${which} process. The first one ${fate}`);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0); // 0 sends no signal, and only checks whether one could be sent.
  } catch {
    return false;
  }
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await inThreads();
  await inProcesses();
}
