/**
 * debugLocks with locks of several makers: each thread that was started by hand and made a lock
 * first numbers threads in its own way. The first test needs a main thread that has seen no such
 * lock yet.
 */

import { assertEquals } from "@std/assert";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { debugLocks, Lock } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { queued } from "./_support.ts";
import { acquireOnce } from "./fixtures/lock_tasks.ts";
import { RawWorker } from "./raw_workers.ts";

test("debugLocks() shows no circle where different threads wait on each side", async () => {
  using worker = new RawWorker("raw");
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "crew" });
  const ours = new Lock({ name: "ours alone" });
  ours.acquireSync();
  const theirs = await worker.make("Lock", { name: "theirs alone" });
  const theirsHere = Lock.from(theirs.handle);
  theirsHere.acquireSync();
  const waits = [pool.submit(acquireOnce, ours).result(), theirs.there.call("acquire")];
  await queued(ours);
  await queued(theirsHere);
  const states = debugLocks().filter(({ name }) => name?.endsWith(" alone"))
    .map(({ name, owner, waiters, circle }) => [name, [owner, waiters, circle]]);
  ours.release();
  theirsHere.release();
  await Promise.all(waits);
  await theirs.there.call("release");
  assertEquals(Object.fromEntries(states), {
    "ours alone": ["main", ["crew_0"], []],
    "theirs alone": ["main", ["raw"], []],
  });
});

test("debugLocks() shows a circle through objects of both sides", async () => {
  using worker = new RawWorker("raw");
  const ours = new Lock({ name: "ours in a circle" });
  const theirs = await worker.make("Lock", { name: "theirs in a circle" });
  const theirsHere = Lock.from(theirs.handle);
  const oursThere = await worker.open(ours);
  theirsHere.acquireSync();
  await oursThere.call("acquireSync");
  const waits = [ours.acquire(), theirs.there.call("acquire")];
  await queued(theirsHere);
  const circles = debugLocks().filter(({ name }) => name?.endsWith("in a circle"))
    .map(({ name, circle }) => [name, circle]);
  theirsHere.release();
  await oursThere.call("release");
  await Promise.all(waits);
  ours.release();
  await theirs.there.call("release");
  assertEquals(Object.fromEntries(circles), {
    "theirs in a circle": ["main", "raw"],
    "ours in a circle": ["raw", "main"],
  });
});
