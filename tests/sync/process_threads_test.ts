/** Threads that a process starts use the objects of the process's parent as the process does. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BrokenProcessPool, ProcessPoolExecutor } from "../../executors/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { Barrier, Condition, Event, Lock, OwnerDiedError, RLock, Value } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { lockWaitersOf, until } from "./_support.ts";
import * as tasks from "./fixtures/process_thread_tasks.ts";

shareProcesses(1, 2);

const [, PROCESSES] = ELSEWHERE;

/** Asserts that the lock's owner has died, and repairs it. */
async function assertLeftBehind(lock: Lock): Promise<void> {
  await assertRejects(() => lock.acquire(), OwnerDiedError);
  assertEquals(lock.recover(), true);
  lock.release();
}

test("Threads of two processes, these and this thread add to a value under one lock", async () => {
  const ROUNDS = 20;
  await using crew = PROCESSES.crew(2);
  const lock = new RLock();
  const value = new Value("i32");
  const adding = [1, 2].map(() => crew.submit(tasks.addEverywhere, lock, value, ROUNDS));
  for (let i = 0; i < ROUNDS; i++) await lock.run(() => void value.value++);
  await Promise.all(adding);
  assertEquals(value.value, 7 * ROUNDS);
});

test("A thread of a process owns what it acquires, not its process", async () => {
  await using crew = PROCESSES.crew(1);
  const seen = await crew.submit(tasks.takeTurns, new RLock());
  const [locked, refused, ...rest] = seen as [boolean, string, ...unknown[]];
  assertEquals(locked, false);
  assertEquals(refused.startsWith("RuntimeError: Cannot release"), true, refused);
  const free = "no error: undefined";
  assertEquals(rest, [true, true, false, free, free, true]);
});

test("Threads of a process take a queue's items and put others, however large", async () => {
  const COUNT = 40;
  await using crew = PROCESSES.crew(1);
  const items = new Queue<unknown>();
  const results = new Queue<unknown>();
  const consuming = crew.submit(tasks.consumeInThreads, items, results);
  const large = new Float64Array(1 << 20).fill(0.5);
  const sent = [...Array.from({ length: COUNT }, (_, i) => ({ i })), large, "x".repeat(1 << 20)];
  for (const item of [...sent, undefined, undefined]) await items.put(item);
  await consuming;
  const key = (item: unknown) => JSON.stringify(item)?.slice(0, 10);
  const got = Array.from({ length: results.qsize() }, () => results.getNowait());
  const sorted = (list: unknown[]) => list.sort((a, b) => key(a) < key(b) ? -1 : 1);
  assertEquals(sorted(got), sorted(sent));
});

test("Threads of a process wait in both forms, with timeouts and signals", async () => {
  await using crew = PROCESSES.crew(1);
  const event = new Event();
  const barrier = new Barrier(2);
  const waiting = crew.submit(
    tasks.waitInThread,
    event,
    new Condition(),
    barrier,
    new Queue<unknown>(),
  );
  await barrier.wait();
  await barrier.wait();
  event.set();
  assertEquals(await waiting, [
    "Error: aborted",
    false,
    "Empty: Cannot get: Queue is empty",
    false,
    "number",
    "number",
    true,
  ]);
});

test("Threads of a process hand objects on: to their initializers, to threads of their own, and back", async () => {
  await using crew = PROCESSES.crew(1);
  const lock = new Lock();
  lock.acquireSync();
  const seen = [true, true, true];
  assertEquals(await crew.submit(tasks.handOn, lock), seen);
  assertEquals(await crew.submit(tasks.handOnTwice, lock), seen);
  lock.release();
});

test("A thread of a process that ends leaves its locks to a dead owner, while the process goes on", async () => {
  await using crew = PROCESSES.crew(1);
  const lock = new Lock();
  const text = await crew.submit(tasks.endHolding, lock);
  assertEquals(text.startsWith("OwnerDiedError: "), true, text);
  assertStringIncludes(text, '"crew_0/Thread-');
  await assertLeftBehind(lock);
  const other = new Lock();
  await crew.submit(tasks.endHoldingInField, other);
  await assertLeftBehind(other);
});

test("A thread of a process that is given up leaves its locks, and its waits end", async () => {
  await using crew = PROCESSES.crew(1);
  const lock = new Lock();
  const other = new Lock();
  const isWaiting = new Event();
  other.acquireSync();
  const givenUp = crew.submit(tasks.giveUpHolding, lock, other, isWaiting);
  await until(() => lockWaitersOf(other) === 1);
  isWaiting.set();
  assertEquals(await givenUp, "Error: given up");
  await until(() => lockWaitersOf(other) === 0);
  await assertLeftBehind(lock);
  other.release();
});

test("The threads of a process that is killed leave their locks, and their waits end", async () => {
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  const lock = new Lock();
  const other = new Lock();
  other.acquireSync();
  const blocking = pool.submit(tasks.blockHolding, lock, other);
  await until(() => lockWaitersOf(other) === 1);
  pool.killWorkers();
  await assertRejects(() => blocking.result(), BrokenProcessPool);
  assertEquals(lockWaitersOf(other), 0);
  await assertLeftBehind(lock);
  await pool.shutdown();
  other.release();
});
