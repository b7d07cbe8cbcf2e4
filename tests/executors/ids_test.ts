/**
 * Numbers in words of 32 bits repeat after 2^32 of them, for which a pool needs an hour or two:
 * what they stand for is found all the same.
 */

import { assertEquals } from "@std/assert";
import { createSharedMemory } from "../../_platform/memory.ts";
import { NEVER } from "../../_platform/clock.ts";
import type { Core } from "../../_memory/core.ts";
import type { Limits } from "../../_memory/seat.ts";
import type { MailboxWriter } from "../../executors/_mailbox.ts";
import { type BufferNews, KnownBuffers, SharedBuffers } from "../../executors/_shared_buffers.ts";
import { REPLY } from "../../executors/_protocol.ts";
import { RemoteObjects } from "../../executors/_remote_objects.ts";
import { RemotePools } from "../../executors/_remote_pools.ts";
import { WorkerState } from "../../executors/_worker_state.ts";
import "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";

/** The last number that a word of 32 bits holds unchanged. */
const LAST = 2 ** 31 - 1;
/** The number of the last task before the numbers repeat. */
const LAST_TASK = 2 ** 32 - 1;

/** A mailbox whose mail is answered with the id that came through a word. */
function echoingMailbox(answer: (id: number) => void): MailboxWriter {
  const words = new Int32Array(1);
  const writeSync = (_kind: number, id: number): void => {
    words[0] = id;
    const received = words[0];
    queueMicrotask(() => answer(received));
  };
  return { writeSync } as unknown as MailboxWriter;
}

test("workers find shared buffers by numbers beyond the words' range", () => {
  const known = new KnownBuffers();
  const buffers = new SharedBuffers((news: BufferNews) => known.learn(news), LAST);
  const sent = [1, 2, 3].map(() => createSharedMemory(4));
  const payload = Int32Array.from(buffers.introduce(0, sent));
  assertEquals(known.find(payload)?.map((buffer) => sent.indexOf(buffer)), [0, 1, 2]);
  assertEquals([...payload], [LAST, -LAST - 1, -LAST]);
});

test("submissions of a worker get their outcomes when their ids are beyond the words' range", {
  timeout: 5000,
}, async () => {
  const ids: number[] = [];
  const outbox = echoingMailbox((id) => {
    ids.push(id);
    pools.answer(REPLY.RESULT, id, "done");
  });
  const pools = new RemotePools("owner", outbox, LAST);
  const handle = { key: "key", name: "pool", owner: "owner", concurrency: 1, chunkMs: 10 };
  const submit = () => pools.submit(handle, (n: number) => n, [1], undefined, 0).result();
  assertEquals(await Promise.all([submit(), submit(), submit()]), ["done", "done", "done"]);
  assertEquals(ids, [LAST, -LAST - 1, -LAST]);
});

test(
  "calls of another process's objects get their answers when their ids are beyond the words' range",
  { timeout: 5000 },
  async () => {
    const ids: number[] = [];
    const outbox = echoingMailbox((id) => {
      ids.push(id);
      objects.answer(REPLY.RETURNED, id, true);
    });
    const objects = new RemoteObjects(outbox, LAST);
    const lock = objects.open("Lock", { remote: "main/1/key" }) as Core & {
      acquire(limits: Limits): Promise<boolean>;
    };
    const acquire = () => lock.acquire({ deadlineMs: NEVER, signal: undefined });
    assertEquals(await Promise.all([acquire(), acquire(), acquire()]), [true, true, true]);
    assertEquals(ids, [LAST, -LAST - 1, -LAST]);
  },
);

test("a task is asked to stop neither before anybody has, nor as its number was asked a lap before", () => {
  const state = new WorkerState();
  const isAborted = (number: number) => state.isAborted(number, state.abortsBefore);
  state.mayClaim();
  for (const number of [0, LAST, LAST_TASK]) assertEquals(isAborted(number), false);
  state.abort(LAST_TASK);
  assertEquals([isAborted(LAST_TASK), isAborted(0)], [true, false]);
  state.mayClaim();
  assertEquals(isAborted(LAST_TASK), false);
  state.abort(0);
  assertEquals([isAborted(LAST_TASK), isAborted(0)], [false, true]);
});
