/**
 * What a pool keeps for its tasks, its workers and their memory is given back, whatever happens to
 * them.
 */

import { assert, assertEquals, assertInstanceOf, assertLess } from "@std/assert";
import {
  BrokenProcessPool,
  BrokenThreadPool,
  Event,
  type Future,
  NotShareableError,
  ProcessPoolExecutor,
  SimpleQueue,
  tasks,
  Thread,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { THREAD, THREAD_TABLE } from "../../_memory/layout.ts";
import { home } from "../../_memory/seat.ts";
import { test } from "../_support/leaks.ts";
import { Gate } from "../contracts/signals.ts";
import { pass } from "../contracts/tasks.ts";
import * as left from "./_account_tasks.ts";
import { errorOf, lockReleased, until } from "./_support.ts";

/** A part of the 256 MiB that the arguments of a pool's tasks may take. */
const LARGE_BYTES = 10 << 20;
const MANY = 30;
const MANY_WORKERS = 8;

function sizeOf(bytes: Uint8Array): number {
  return bytes.length;
}

function large(): Uint8Array {
  return new Uint8Array(LARGE_BYTES);
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error("enough")) };
}

test("ThreadPoolExecutor gives back the memory of arguments whose function cannot be loaded", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const { missing } = tasks<{ missing(bytes: Uint8Array): void }>(
    import.meta.resolve("./_account_tasks.ts"),
  );
  for (let i = 0; i < MANY; i++) {
    assertInstanceOf(await errorOf(pool.submit(missing, large())), NotShareableError);
  }
  assertEquals(await pool.submit(sizeOf, large()), LARGE_BYTES);
});

test("ThreadPoolExecutor gives back the memory of tasks that were put in order, and then cancelled", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (let round = 0; round < 2; round++) {
    using gate = new Gate();
    const held = pool.submit(pass, gate.parts, 1);
    await gate.entered();
    const waiting = Array.from({ length: MANY / 2 }, () => pool.submit(sizeOf, large()));
    const urgent = pool.with({ priority: 1 }).submit((n: number) => n, 2);
    for (const future of waiting) assert(future.cancel());
    gate.open();
    assertEquals([await held, await urgent], [1, 2]);
  }
  assertEquals(await pool.submit(sizeOf, new Uint8Array(10 * LARGE_BYTES)), 10 * LARGE_BYTES);
});

/** A share of this memory, which a few such shares fill. */
const REPLY_BYTES = 60 << 20;
const FEW = 5;

for (const fate of ["lost", "abandoned"] as const) {
  test(`ThreadPoolExecutor gives back the memory of what a worker has not read that was ${fate}`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
    const isLost = fate === "lost";
    for (let i = 1; i <= FEW; i++) {
      const flags = new Int32Array(new SharedArrayBuffer(4));
      const { signal, abort } = abortable();
      const future = pool.with({ signal }).submit(
        left.leaveReply,
        other,
        REPLY_BYTES,
        flags,
        isLost,
      );
      await until(() => other.stats().completed === i);
      if (!isLost) abort();
      else left.set(flags, 0);
      assertInstanceOf(await future.exception(), Error);
      await until(() => pool.stats()[fate] === i);
      left.set(flags, 0);
    }
    assertEquals(await pool.submit(sizeOf, new Uint8Array(2 * REPLY_BYTES)), 2 * REPLY_BYTES);
  });
}

test("ThreadPoolExecutor has room for arguments while a task leaves unread what it was sent", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
  const flags = new Int32Array(new SharedArrayBuffer(4));
  const leaver = pool.submit(left.leaveReply, other, 2 * REPLY_BYTES, flags, false);
  await until(() => other.stats().completed === 1);
  assertEquals(await pool.submit(sizeOf, new Uint8Array(3 * REPLY_BYTES)), 3 * REPLY_BYTES);
  left.set(flags, 0);
  await leaver;
});

test("ThreadPoolExecutor counts a task once that is given up as its worker goes on to another", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using other = new ThreadPoolExecutor({ maxWorkers: 1 });
  const flags = new Int32Array(new SharedArrayBuffer(32));
  await Promise.all([pool.submit(left.idle), other.submit(left.idle)]);
  const [first, second] = [new AbortController(), new AbortController()];
  const a = pool.with({ signal: first.signal }).submit(left.flag, flags, 0);
  const b = pool.with({ signal: second.signal }).submit(left.flag, flags, 2);
  const c = other.submit(left.flag, flags, 4);
  const errors = [errorOf(a), errorOf(b)];
  // This thread takes in c's outcome while it gives b up; during that, a ends, and its worker
  // begins b.
  c.addDoneCallback(() => {
    Atomics.store(flags, 1, 1);
    left.spin(flags, 2);
  });
  left.spin(flags, 0);
  left.spin(flags, 4);
  first.abort(new Error("no a"));
  Atomics.store(flags, 5, 1);
  left.spin(flags, 6);
  second.abort(new Error("no b"));
  Atomics.store(flags, 3, 1);
  assertEquals((await Promise.all(errors)).map(({ message }) => message), ["no a", "no b"]);
  assertEquals(await pool.submit(left.idle), undefined);
  const { completed, failed, cancelled, queued } = pool.stats();
  assertEquals([completed, failed, cancelled, queued], [2, 2, 0, 0]);
});

test("TaskContext.report() says nothing of the task that has its place after it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  using gate = new Gate();
  const held = [1, 2].map((n) => pool.submit(pass, gate.parts, n));
  await gate.entered(2);
  gate.open();
  assertEquals(await Promise.all(held), [1, 2]);
  for (;;) {
    const [go, open] = [new Event(), new Event()];
    const [told, names] = [new SimpleQueue<number>(), new SimpleQueue<string>()];
    const leaver = await pool.submit(left.reportLater, go, told);
    const next = pool.submit(left.holdAt, names, open);
    // The worker that still has the callback of the former task must be idle.
    const isOther = await names.get() !== leaver;
    go.set();
    await told.get();
    // The same worker reports this task's end after that report.
    if (isOther) {
      await pool.submit(left.idle);
      assertEquals(next.progress, 0);
    }
    open.set();
    await next;
    if (isOther) return;
  }
});

test("TaskContext.signal has aborted for those that follow it, if it is asked for afterwards", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (;;) {
    const [entered, open] = [new Event(), new Event()];
    const found = new SimpleQueue<boolean>();
    const controller = new AbortController();
    const future = pool.with({ signal: controller.signal }).submit(
      left.follow,
      entered,
      open,
      found,
    );
    const error = errorOf(future);
    await entered.wait();
    controller.abort(new Error("enough"));
    open.set();
    assertEquals((await error).message, "enough");
    if (pool.stats().abandoned === 0) {
      assertEquals(await found.get(), true);
      return;
    }
  }
});

/** How many places of the table of threads belong to threads that were given up. */
function placesGivenUp(): number {
  const { words } = home().table;
  const ids = Array.from(
    { length: Atomics.load(words, THREAD_TABLE.HIGHEST) },
    (_, number) => Atomics.load(words, THREAD_TABLE.SIZE + number * THREAD.SIZE + THREAD.ID),
  );
  return ids.filter((id) => id < 0).length;
}

test("ThreadPoolExecutor gives back the places of threads that were abandoned, once they are gone", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const before = placesGivenUp();
  for (let i = 0; i < MANY; i++) {
    await errorOf(pool.with({ timeout: 1 }).submit(() => new Promise(() => {})));
    await pool.submit(left.idle);
  }
  assertLess(placesGivenUp() - before, MANY / 2);
});

for (const where of ["have not begun", "are in their initializer"] as const) {
  test(`ThreadPoolExecutor that breaks gives back the places of workers that ${where}`, async () => {
    const before = placesGivenUp();
    const words = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
    const inInitializer = where === "are in their initializer";
    await using pool = new ThreadPoolExecutor({
      maxWorkers: MANY_WORKERS,
      ...inInitializer && { initializer: left.closeFirst, initargs: [words] },
    });
    const submitted = [pool.submit(left.closeFirst, words)];
    await until(() => Atomics.load(words, left.BEGUN) === 1);
    while (submitted.length < MANY_WORKERS) submitted.push(pool.submit(left.closeFirst, words));
    if (inInitializer) await until(() => Atomics.load(words, left.BEGUN) === MANY_WORKERS);
    assertLess(1, pool.stats().workers);
    left.set(words, left.CLOSES);
    for (const future of submitted) assertInstanceOf(await errorOf(future), BrokenThreadPool);
    await using other = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
    // When a worker is started, those that are gone are noticed.
    for (let i = 0; i < 10 * MANY && placesGivenUp() > before; i++) await other.submit(left.idle);
    assertEquals(Math.max(placesGivenUp(), before), before);
  });
}

for (const above of ["worker", "Thread"] as const) {
  test(`The place of a worker below a ${above} that has ended is given back once it is gone too`, async () => {
    const { table } = home();
    const words = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
    const placeOfBelow = (): number =>
      Atomics.load(table.words, table.placeOf(words[left.BELOW]) + THREAD.ID);
    if (above === "worker") {
      await using outer = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
      await errorOf(outer.submit(left.closeAbove, words));
    } else {
      const thread = new Thread({ target: left.closeAbove, args: [words] });
      thread.start();
      await thread.join();
    }
    await lockReleased(`@concurrent/futures ${table.lifeOf(words[left.ABOVE])}`);
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 1 });
    // Each task is run by another worker; when one is started, those that are gone are noticed.
    for (let i = 0; i < 3; i++) await pool.submit(left.idle);
    assertEquals(placeOfBelow(), -words[left.BELOW], "it still computes");
    left.set(words, left.ENDS);
    while (placeOfBelow() === -words[left.BELOW]) await pool.submit(left.idle);
  });
}

test("ProcessPoolExecutor has what its processes have returned dropped when it is closed", async () => {
  await using other = new ProcessPoolExecutor({ maxWorkers: 1 });
  await other.submit(left.idle);
  const { postMessage } = Worker.prototype;
  const posted: { kind: string; pool: number }[] = [];
  Worker.prototype.postMessage = function (this: Worker, ...args: unknown[]): void {
    posted.push(args[0] as typeof posted[0]);
    Reflect.apply(postMessage, this, args);
  };
  try {
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    await pool.submit(left.idle);
    await pool.shutdown();
    const { pool: number } = posted.find(({ kind }) => kind === "start")!;
    assertEquals(posted.at(-1), { kind: "closed", pool: number });
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
});

test("ProcessPoolExecutor fails what a process has returned when the others' initializer fails", async () => {
  const file = await Deno.makeTempFile();
  await Deno.remove(file);
  try {
    const pool = new ProcessPoolExecutor({
      maxWorkers: 2,
      initializer: left.createOnce,
      initargs: [file],
    });
    // Short tasks come first, so that the next ones are sent ahead, behind one that takes long.
    for (let i = 0; i < 20; i++) await pool.submit(left.compute, 0);
    const futures: Future<unknown>[] = [1500, 0, 0, 0, 0].map((ms) =>
      pool.submit(left.compute, ms)
    );
    const errors = await Promise.all(futures.map((future) => future.exception()));
    for (const error of errors) if (error !== null) assertInstanceOf(error, BrokenProcessPool);
    await pool.shutdown();
    assertEquals(pool.stats().workers, 0);
  } finally {
    await Deno.remove(file).catch(() => {});
  }
});
