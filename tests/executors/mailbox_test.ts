/**
 * What a mailbox takes of its arena, it gives back when it does not send; and what waits for room
 * is kept in order.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { createSharedMemory } from "../../_platform/memory.ts";
import { Arena, createArenaBuffer } from "../../_memory/arena.ts";
import { Bell } from "../../_memory/doorbell.ts";
import { Fifo } from "../../executors/_fifo.ts";
import { MailboxReader, MailboxWriter } from "../../executors/_mailbox.ts";
import { KIND } from "../../executors/_protocol.ts";
import { WorkerState } from "../../executors/_worker_state.ts";
import { test } from "../_support/leaks.ts";

/** Large enough for the arena, and far from filling it. */
const BYTES = 1024 * 1024;

test("MailboxWriter.write() gives back the memory of a value whose getter detaches a part of it", () => {
  const arena = new Arena(createArenaBuffer());
  const { port1, port2 } = new MessageChannel();
  const bell = new Bell(new Int32Array(createSharedMemory(4)), 0);
  const mail = new MailboxWriter(new WorkerState().records, arena, port1, bell);
  const first = arena.allocate(BYTES);
  arena.release(first);
  const buffer = new ArrayBuffer(BYTES);
  const value = {
    buffer,
    after: {
      get moved() {
        return structuredClone(buffer, { transfer: [buffer] }).byteLength;
      },
    },
  };
  assertThrows(() => mail.write(KIND.RESULT, 0, value), TypeError);
  assertEquals(arena.allocate(BYTES), first);
  port1.close();
  port2.close();
});

test("MailboxWriter.write(): of a task's reports that wait for room, the last one is kept", async () => {
  const { port1, port2 } = new MessageChannel();
  const bell = new Bell(new Int32Array(createSharedMemory(4)), 0);
  const { records } = new WorkerState();
  const arena = createArenaBuffer();
  const mail = new MailboxWriter(records, new Arena(arena), port1, bell);
  const reader = new MailboxReader(records, arena, port2);
  const reports = 100_000;
  const waiting: Promise<void>[] = [];
  for (let i = 1; i <= reports; i++) {
    const written = mail.write(KIND.PROGRESS, 1, i / reports);
    if (written !== undefined) waiting.push(written);
  }
  // What is of another task, or no report, is not left out.
  waiting.push(mail.write(KIND.PROGRESS, 2, 0.5)!, mail.write(KIND.RESULT, 1, "done")!);
  const taken: unknown[] = [];
  while (taken.at(-1) !== "done") {
    if (reader.take()) taken.push(reader.value);
    else mail.flush();
  }
  await Promise.all(waiting);
  assertEquals(waiting.length, 3);
  assertEquals(taken.slice(-3), [1, 0.5, "done"]);
  port1.close();
  port2.close();
});

test("Fifo hands out all items in order, however they come and go", () => {
  const fifo = new Fifo<number>();
  let pushed = 0;
  let dropped = 0;
  for (const [more, fewer] of [[5_000, 10], [0, 3_000], [2_000, 3_900], [1, 1], [0, 90], [3, 3]]) {
    for (let i = 0; i < more; i++) fifo.push(pushed++);
    for (let i = 0; i < fewer; i++) {
      assertEquals(fifo.first, dropped++);
      fifo.drop();
    }
    assertEquals(fifo.length, pushed - dropped);
    assertEquals(fifo.last, fifo.length === 0 ? undefined : pushed - 1);
  }
  assertEquals(fifo.length, 0);
});
