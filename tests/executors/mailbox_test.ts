/** What a mailbox takes of its arena, it gives back when it does not send. */

import { assertEquals, assertThrows } from "@std/assert";
import { createSharedMemory } from "../../_platform/memory.ts";
import { Arena, createArenaBuffer } from "../../_memory/arena.ts";
import { Bell } from "../../_memory/doorbell.ts";
import { MailboxWriter } from "../../executors/_mailbox.ts";
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
