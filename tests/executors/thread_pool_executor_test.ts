import { assert, assertEquals, assertMatch } from "@std/assert";
import { BrokenThreadPool, ThreadPoolExecutor, transfer } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { runDeno, runProgram } from "../_support/run.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { executorContract } from "../contracts/executor_contract.ts";
import { refusesBadOptions } from "../contracts/pool_options_contract.ts";
import { Gate } from "../contracts/signals.ts";
import { fail, pass, square } from "../contracts/tasks.ts";
import { work } from "./fixtures/helpers.ts";

executorContract("ThreadPoolExecutor", (options) => new ThreadPoolExecutor(options), {
  blocks: true,
  clones: true,
  sharesMemory: true,
  tellsTasks: true,
});

refusesBadOptions("ThreadPoolExecutor", (options) => new ThreadPoolExecutor(options));

test("ThreadPoolExecutor starts workers with the tasks, and names them", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "crew" });
  using gate = new Gate();
  assertEquals(pool.stats().workers, 0);
  assertEquals(await pool.submit(work, 0), "crew_0");
  assertEquals(pool.stats().workers, 1);
  const held = pool.submit(pass, gate.parts, 1);
  await gate.entered();
  assertEquals([pool.stats().running, pool.stats().queued], [1, 0]);
  const names = [await pool.submit(work, 0), await pool.submit(work, 0)];
  assertEquals(new Set([...names, "crew_0", "crew_1"]).size, 2);
  assertEquals(pool.stats().workers, 2);
  gate.open();
  assertEquals(await held, 1);
  await using unnamed = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "" });
  assertMatch(await unnamed.submit(work, 0), /^ThreadPoolExecutor-\d+_0$/);
});

test("ThreadPoolExecutor.stats() counts what became of the tasks", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  using gate = new Gate();
  const held = pool.submit(pass, gate.parts, 1);
  const queued = [1, 2, 3].map((n) => pool.submit(square, n));
  const failed = pool.submit(fail, "failed");
  await gate.entered();
  queued[0].cancel();
  assertEquals([pool.stats().running, pool.stats().queued], [1, 3]);
  gate.open();
  await Promise.allSettled([held, ...queued, failed]);
  const { completed, failed: failures, cancelled, queued: left, lost, abandoned } = pool.stats();
  assertEquals([completed, failures, cancelled, left, lost, abandoned], [3, 1, 1, 0, 0, 0]);
});

test("ThreadPoolExecutor starts tasks while this thread is blocked by other means", () => {
  using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const words = new Int32Array(new SharedArrayBuffer(8));
  const future = pool.submit((words: Int32Array<SharedArrayBuffer>) => {
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    Atomics.wait(words, 1, 0);
    return 1;
  }, words);
  // Like a program that passes shared memory to a task and waits for it there.
  Atomics.wait(words, 0, 0, 20_000);
  try {
    assertEquals([words[0], future.running()], [1, true]);
  } finally {
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
  }
  assertEquals(future.resultSync(), 1);
});

test("ThreadPoolExecutor that breaks with tasks waiting starts no further worker", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const futures = [pool.submit(() => close()), pool.submit(square, 2), pool.submit(square, 3)];
  for (const future of futures) assert(BrokenThreadPool.is(await future.exception()));
  await pool.shutdown();
  assertEquals([pool.stats().workers, pool.stats().failed], [0, 3]);
});

test("ThreadPoolExecutor: what is named in transfer is taken from the sender, and be it in no argument", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (const value of [{}, "x".repeat(100_000), new SharedArrayBuffer(8), new Blob(["x"])]) {
    const buffers = [new ArrayBuffer(8), new ArrayBuffer(100_000)];
    await pool.submit((_: unknown) => {}, transfer({ value }, buffers));
    assertEquals(buffers.map(({ byteLength }) => byteLength), [0, 0]);
  }
});

// In a program of its own: this thread may listen already.
test("ThreadPoolExecutor: callbacks are outside of the lock.run() in which this thread began to listen", async () => {
  const { code, stdout } = await runProgram(`
    import { RLock, ThreadPoolExecutor } from "@concurrent/futures";
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const lock = new RLock();
    const listens = Promise.withResolvers();
    const told = Promise.withResolvers();
    const running = lock.run(async () => {
      await pool.submit(() => {});
      listens.resolve();
      await told.promise;
    });
    await listens.promise;
    await new Promise((resolve) => setTimeout(resolve, 20)); // It goes to sleep.
    const future = pool.submit(() => new Promise((resolve) => setTimeout(resolve, 50)));
    future.addDoneCallback(() => told.resolve(lock.acquire({ blocking: false })));
    console.log(await told.promise);
    await running;
  `);
  assertEquals([code, stdout], [0, "false\n"]);
});

test("ThreadPoolExecutor that is shared by tests leaves them nothing that is reported as a leak", async () => {
  await using scratch = await scratchFolder();
  const file = await scratch.write(
    "shared_pool_test.ts",
    `
    import { map, ThreadPoolExecutor } from "../../../mod.ts";
    const later = () => new Promise<void>((resolve) => setTimeout(resolve, 20));
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit(later);
    await map(later, [1]).toArray();
    const options = { sanitizeOps: true, sanitizeResources: true };
    for (const name of ["first", "second", "third"]) {
      Deno.test(name + " submit", options, async () => await pool.submit(later));
      Deno.test(name + " map", options, async () => void await map(later, [1]).toArray());
    }
  `,
  );
  const { code, stdout } = await runDeno(["test", "-A", "--no-check", "--no-config", file]);
  assertEquals(code, 0, stdout);
});

test("ThreadPoolExecutor: a result that cannot even be asked whether it is a promise fails its task only", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const revoked = (): unknown => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const refusing = (): unknown => ({
    get then(): never {
      throw new RangeError("not to be read");
    },
  });
  for (let i = 0; i < 10; i++) {
    const futures = [pool.submit(revoked), pool.submit(refusing), pool.submit(() => 1)];
    const [first, second, third] = await Promise.allSettled(futures);
    assertEquals([first.status, second.status, third.status], [
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    assertEquals((second as PromiseRejectedResult).reason.message, "not to be read");
  }
});
