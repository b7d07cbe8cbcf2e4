import { assertEquals, assertRejects } from "@std/assert";
import { Event } from "@concurrent/futures";
import { Deputy, home } from "../../_memory/seat.ts";
import { THREAD } from "../../_memory/layout.ts";
import { SLEEPING, type ThreadTable } from "../../_memory/thread_table.ts";
import { test } from "../_support/leaks.ts";
import { until } from "../_support/processes.ts";
import { waitersOf } from "../failure/_waiters.ts";

/** The time limit of a test that, when it fails, waits in a seat for ever. */
const HEARS = { timeout: 10_000 };

/** Claims the place in the table that a thread has left, as a much later thread would. */
function claimAgain(table: ThreadTable, left: number): number {
  const place = table.placeOf(left);
  for (;;) {
    const id = table.claim("later");
    if (table.placeOf(id) === place) return id;
    table.leave(id);
  }
}

/** The event as seen by the thread for which the deputy stands. */
function seenBy(deputy: Deputy, event: Event): Event {
  return deputy.act(() => Event.from(event.handle));
}

test("Deputy that has left takes nothing from whoever gets its place", HEARS, async () => {
  const { table } = home();
  const first = table.claim("first");
  const gone = new Deputy("first", table.buffer, first);
  const never = new Event();
  seenBy(gone, never).wait();
  assertEquals(waitersOf(never), 1);
  gone.leave();
  assertEquals(waitersOf(never), 0);

  const second = claimAgain(table, first);
  const deputy = new Deputy("second", table.buffer, second);
  for (let i = 0; i < 3; i++) {
    const event = new Event();
    const waiting = seenBy(deputy, event).wait();
    await until(() => Atomics.load(table.words, table.placeOf(second) + THREAD.BELL) === SLEEPING);
    event.set();
    assertEquals(await waiting, true);
  }
  deputy.leave();
});

test(
  "Seat that its thread has left has no nodes for waits, as others have got those",
  HEARS,
  async () => {
    const { table } = home();
    const gone = new Deputy("gone", table.buffer, table.claim("gone"));
    const [before, after] = [new Event(), new Event()];
    const waiting = seenBy(gone, before).wait();
    before.set();
    assertEquals(await waiting, true);
    const seen = seenBy(gone, after);
    gone.leave();
    await assertRejects(() => seen.wait(), Error, "this thread is ending");
  },
);
