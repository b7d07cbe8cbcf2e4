/**
 * A thread that is given up before it has its arguments: neither its slot of the ring nor the
 * memory of its arguments is lost, and what it does when it goes on harms nobody.
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { tasks, ThreadPoolExecutor } from "@concurrent/futures";
import { test } from "../_support/leaks.ts";
import { set } from "./_account_tasks.ts";
import * as work from "./_reading_tasks.ts";
import { errorOf, until } from "./_support.ts";

/** More tasks than the ring has slots. */
const LAP = 1100;

/** A share of the 256 MiB of arguments, which a few such shares fill. */
const LARGE_BYTES = 60 << 20;
const FEW = 5;

/** An error that is sent in so few words that they fit into a slot. */
function smallError(): work.SlowError {
  const error = new work.SlowError();
  error.stack = "";
  return error;
}

/**
 * Makes the pool give up a thread while it reads its arguments; returns the words by which it can
 * be told to go on.
 */
async function abandonReader(pool: ThreadPoolExecutor, bytes: number): Promise<Int32Array> {
  const flags = new Int32Array(new SharedArrayBuffer(4 * work.FLAGS));
  const controller = new AbortController();
  // A thread that already has the function reads the arguments at once.
  await pool.submit(work.take, flags, smallError(), new Uint8Array());
  flags[work.CALLED] = 0;
  await pool.submit(work.beSlow, flags);
  const { abandoned } = pool.stats();
  const future = pool.with({ signal: controller.signal }).submit(
    work.take,
    flags,
    smallError(),
    new Uint8Array(bytes),
  );
  await until(() => flags[work.READS] === 1);
  controller.abort(new Error("enough"));
  assertEquals((await errorOf(future)).message, "enough");
  await until(() => pool.stats().abandoned === abandoned + 1);
  return flags;
}

async function runLap(pool: ThreadPoolExecutor): Promise<void> {
  const futures = Array.from({ length: LAP }, (_, i) => pool.submit(work.same, i));
  assertEquals(await Promise.all(futures), Array.from({ length: LAP }, (_, i) => i));
}

test("ThreadPoolExecutor goes on when a worker is abandoned that reads its arguments, and when that goes on", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const flags = await abandonReader(pool, 0);
  await runLap(pool);
  set(flags, work.GO_ON);
  await runLap(pool);
  assertEquals(pool.stats().workers, 1);
});

test("ThreadPoolExecutor has the memory of arguments back once an abandoned worker has read them", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (let i = 0; i < FEW; i++) {
    const flags = await abandonReader(pool, 2 * LARGE_BYTES);
    const waiting = pool.submit(work.sizeOf, new Uint8Array(3 * LARGE_BYTES));
    // A task that fits overtakes the waiting one.
    assertEquals(await pool.with({ priority: 1 }).submit(work.same, i), i);
    assertEquals(waiting.done(), false);
    set(flags, work.GO_ON);
    assertEquals(await waiting, 3 * LARGE_BYTES);
    assertEquals(flags[work.CALLED], 0, "nobody waits for it any more");
  }
});

test("ThreadPoolExecutor tells a thread that blocks of the memory that an abandoned worker gives back", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (let i = 0; i < FEW; i++) {
    const flags = await abandonReader(pool, 2 * LARGE_BYTES);
    const waiting = pool.submit(work.sizeOf, new Uint8Array(3 * LARGE_BYTES));
    other.submit(work.goOn, flags);
    assertEquals(waiting.resultSync(), 3 * LARGE_BYTES);
  }
});

test("ThreadPoolExecutor can be shut down while an abandoned worker reads", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const flags = await abandonReader(pool, LARGE_BYTES);
  await pool.shutdown();
  assertEquals(pool.stats().workers, 0);
  set(flags, work.GO_ON);
});

test("ThreadPoolExecutor has the memory of arguments back whose worker is abandoned before it reads them", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const { work: never } = tasks<typeof import("./_never_imported.ts")>(
    import.meta.resolve("./_never_imported.ts"),
  );
  for (let i = 1; i <= FEW; i++) {
    const future = pool.with({ timeout: 100 }).submit(
      never,
      new Uint8Array(LARGE_BYTES),
    );
    assertInstanceOf(await future.exception(), Error);
    await until(() => pool.stats().abandoned === i);
  }
  assertEquals(await pool.submit(work.sizeOf, new Uint8Array(3 * LARGE_BYTES)), 3 * LARGE_BYTES);
});

test("ThreadPoolExecutor has the memory of arguments back whose worker is lost before it reads them", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const { work: closes } = tasks<typeof import("./_never_imported.ts")>(
    import.meta.resolve("./_never_imported.ts?close"),
  );
  for (let i = 1; i <= FEW; i++) {
    const future = pool.submit(closes, new Uint8Array(LARGE_BYTES));
    assertInstanceOf(await future.exception(), Error);
    assertEquals(pool.stats().lost, i);
  }
  assertEquals(await pool.submit(work.sizeOf, new Uint8Array(3 * LARGE_BYTES)), 3 * LARGE_BYTES);
});
