import { assert, assertEquals, assertThrows } from "@std/assert";
import { Inside } from "../../_memory/inside.ts";
import { THREAD } from "../../_memory/layout.ts";
import { AWAKE, SLEEPING, ThreadTable } from "../../_memory/thread_table.ts";
import { test } from "../_support/leaks.ts";

test("Inside shows a thread that was given up until it has left its last latch", () => {
  const table = new ThreadTable();
  const id = table.claim("worker");
  const inside = new Inside(table, id);
  inside.enter();
  inside.enter();
  table.declareDead(id);
  inside.leave();
  assert(table.isInside(id));
  inside.leave();
  assert(!table.isInside(id));
});

test("Inside lets a thread that was given up take no latch", () => {
  const table = new ThreadTable();
  const id = table.claim("worker");
  const inside = new Inside(table, id);
  table.declareDead(id);
  assertThrows(() => inside.enter(), Error, "this thread was given up");
  assert(!table.isInside(id));
});

test("ThreadTable.isInside() is true for the host of a thread that is inside", () => {
  const table = new ThreadTable();
  const host = table.claim("host");
  const id = table.claim("inner", 0, host);
  const inside = new Inside(table, id);
  inside.enter();
  table.declareDead(host);
  assert(table.isInside(host));
  inside.leave();
  assert(!table.isInside(host));
});

test("ThreadTable.isInside() is false once another thread has the place", () => {
  const table = new ThreadTable();
  const id = table.claim("worker");
  table.leave(id);
  let later = table.claim("later");
  while (table.placeOf(later) !== table.placeOf(id)) later = table.claim("later");
  new Inside(table, later).enter();
  table.declareDead(later);
  assert(!table.isInside(id));
});

test(
  "ThreadTable.announceStopped() wakes a sleeper whom the stopped thread was about to wake",
  { timeout: 10_000 },
  async () => {
    const table = new ThreadTable();
    const stopped = table.claim("stopped");
    const bell = table.placeOf(table.claim("sleeper")) + THREAD.BELL;
    table.leave(stopped);
    const { deaths } = table;
    Atomics.store(table.words, bell, SLEEPING);
    const { value } = Atomics.waitAsync(table.words, bell, SLEEPING);
    Atomics.store(table.words, bell, AWAKE);
    table.announceStopped(stopped);
    assertEquals(await value, "ok");
    assertEquals(table.deaths, deaths + 1);
  },
);
