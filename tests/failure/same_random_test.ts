/** Threads are told apart even where all of them draw the same random numbers. */

import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertEndedWell } from "./_support.ts";

const PROGRAM = `
import {
  Barrier, currentThread, Event, type Executor, Lock, task, Thread, ThreadPoolExecutor,
} from "@concurrent/futures";

const isRaw = globalThis.name === "raw";

export const pass = task(import.meta, function pass(barrier: Barrier) {
  barrier.waitSync();
});
export const startThread = task(import.meta, async function startThread(barrier: Barrier) {
  const thread = new Thread({ target: pass, args: [barrier] });
  thread.start();
  await thread.join();
});
export const where = task(import.meta, function where() {
  return currentThread().name;
});
export const submitTo = task(import.meta, async function submitTo(pool: Executor) {
  return await pool.submit(where);
});
export const submitToOwn = task(import.meta, async function submitToOwn() {
  // Like the program's, it is the first pool of its thread.
  const own = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "own" });
  await own.submit(submitTo, own);
});
async function startOneAfterTheOther(): Promise<void> {
  const event = new Event();
  const waiter = new Thread({ target: (event: Event) => event.waitSync(), args: [event] });
  waiter.start();
  await waiter.started;
  const setter = new Thread({ target: (event: Event) => event.set(), args: [event] });
  setter.start();
  await waiter.join();
  await setter.join();
  console.log("both ran");
}

async function startFromWorkers(): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const barrier = new Barrier(2);
  await Promise.all([pool.submit(startThread, barrier), pool.submit(startThread, barrier)]);
  console.log("both passed");
}

async function submitFromWorkers(): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "main" });
  await pool.submit(submitToOwn);
  const name = await pool.submit(submitTo, pool);
  console.log(name.split("_")[0]);
}

async function waitInRawWorker(): Promise<void> {
  const lock = new Lock();
  const worker = new Worker(import.meta.url, { type: "module", name: "raw" });
  const said = () => new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  await said();
  lock.acquireSync();
  worker.postMessage(lock.handle);
  console.log(await said());
  lock.release();
  console.log(await said());
  worker.terminate();
}

if (isRaw) {
  const own = new Lock();
  const { postMessage } = self as unknown as { postMessage(message: unknown): void };
  self.onmessage = async ({ data }: MessageEvent) => {
    own.acquireSync();
    const acquiring = Lock.from(data).acquire();
    postMessage("waits");
    await acquiring;
    postMessage("acquired");
  };
  postMessage("ready");
} else if (import.meta.main) {
  await startOneAfterTheOther();
  await startFromWorkers();
  await submitFromWorkers();
  await waitInRawWorker();
}
`;

const LINES = ["both ran", "both passed", "main", "waits", "acquired"];

for (const flag of ["--seed=1", "--v8-flags=--random-seed=1"]) {
  test(`Threads of a program that is run with ${flag} are told apart`, async () => {
    assertEndedWell(await runProgram(PROGRAM, { permissions: ["-A", flag] }), LINES);
  });
}

test("Threads of a program that replaces Math.random are told apart", async () => {
  assertEndedWell(await runProgram(`Math.random = () => 0.5;${PROGRAM}`), LINES);
});
