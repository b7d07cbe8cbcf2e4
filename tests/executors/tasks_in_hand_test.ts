/** How many tasks a process is sent ahead, depending on what is known of those before. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { nowMs } from "../../_platform/clock.ts";
import {
  arityOf,
  formOfChunk,
  logOfCalls,
  SHARED_OBJECTS,
  WORDS_SHIFT,
  wordsOf,
} from "../../executors/_protocol.ts";
import { ChildGroup, TasksInHand } from "../../executors/_tasks_in_hand.ts";
import { test } from "../_support/leaks.ts";

const FUNCTION = 3;
/** Longer than tasks may take to return that are sent ahead. */
const LATE_MS = 2;

/** Blocks until a task that was just sent is late. */
function beLate(): void {
  const endMs = nowMs() + LATE_MS;
  while (nowMs() < endMs);
}

/** How many tasks are sent to a child that has none. */
function room(hand: TasksInHand): number {
  let count = 0;
  for (; hand.isEmpty || hand.mayGrow; count++) send(hand, 1000 + count);
  for (let i = 0; i < count; i++) hand.takeBack(1000 + i);
  return count;
}

function send(hand: TasksInHand, task: number): void {
  hand.add({ task, number: task, fn: FUNCTION, form: 0 });
}

/**
 * A child that was sent tasks one after another, each of which came back late and ran for `runMs`.
 */
function childOfLateTasks(
  count: number,
  runMs: number | undefined,
  mayWait = false,
): TasksInHand {
  const hand = new TasksInHand(new ChildGroup(), mayWait);
  for (let task = 0; task < count; task++) {
    send(hand, task);
    beLate();
    if (runMs !== undefined) hand.ran(task, runMs);
    hand.finish(task);
  }
  return hand;
}

test("TasksInHand sends one task at a time when they come back late and nothing else is known", () => {
  assertEquals(room(childOfLateTasks(5, undefined)), 1);
});

test("TasksInHand sends one task at a time when they run long", () => {
  assertEquals(room(childOfLateTasks(5, LATE_MS)), 1);
});

test("TasksInHand sends short tasks ahead though they come back late, as many as run in a millisecond", () => {
  const hand = childOfLateTasks(1, 0.1);
  for (const round of [1, 2, 3, 4, 5, 6]) {
    let task = 1000 * round;
    const first = task;
    while (hand.isEmpty || hand.mayGrow) send(hand, task++);
    beLate();
    hand.ran(first, 0.1);
    for (const sent of hand.indexes) hand.finish(sent);
  }
  const most = room(hand);
  assert(most >= 8 && most <= 16, `${most}`);
});

test("TasksInHand does not take one that was held up for a sign that its kind runs long", () => {
  const hand = new TasksInHand(new ChildGroup(), false);
  for (const [task, runMs] of [0.01, 50, 0.01].entries()) {
    send(hand, task);
    beLate();
    hand.ran(task, runMs);
    hand.finish(task);
  }
  assert(room(hand) > 1);
});

test("TasksInHand forgets what it knew of a kind once one has taken long", () => {
  const hand = childOfLateTasks(3, 0.01);
  send(hand, 7);
  hand.takeBack(7);
  assertEquals(room(hand), 1);
});

/** A child that has one task, while another child of its pool learns that the kind is short. */
function childBesideQuickOne(before: (hand: TasksInHand) => void): TasksInHand {
  const group = new ChildGroup();
  const [hand, other] = [new TasksInHand(group, false), new TasksInHand(group, false)];
  send(hand, 1);
  before(hand);
  for (let task = 100; task < 110; task++) {
    send(other, task);
    other.finish(task);
  }
  assertEquals(other.mayGrow, true);
  return hand;
}

test("TasksInHand sends none behind a task that holds up others, until it is done", () => {
  const hand = childBesideQuickOne((hand) => {
    send(hand, 2);
    hand.takeBack(2);
  });
  assertEquals(hand.mayGrow, false);
  hand.finish(1);
  send(hand, 3);
  assertEquals(hand.mayGrow, true);
  assertEquals(childBesideQuickOne(() => {}).mayGrow, true);
});

test("TasksInHand sends none behind a task that must stop", () => {
  const hand = childBesideQuickOne((hand) => hand.get(1)!.stopMs = 50);
  assertEquals(hand.mayGrow, false);
  hand.finish(1);
  assertEquals(hand.mayGrow, true);
});

test("TasksInHand sends a task that was given shared objects alone, however short its kind is", () => {
  const hand = childOfLateTasks(3, 0.01);
  assert(hand.mayAdd({ fn: FUNCTION, form: SHARED_OBJECTS }), "it is the only one");
  send(hand, 10);
  assert(hand.mayAdd({ fn: FUNCTION, form: 0 }));
  assertEquals(hand.mayAdd({ fn: FUNCTION, form: SHARED_OBJECTS }), false);
  hand.finish(10);
  hand.add({ task: 11, number: 11, fn: FUNCTION, form: SHARED_OBJECTS });
  assertEquals(hand.mayGrow, false);
});

test("TasksInHand sends tasks one at a time whose initializer was given shared objects", () => {
  assertEquals(room(childOfLateTasks(3, 0.01, true)), 1);
});

test("TasksInHand sends no chunk of many more calls behind others than those that were short had", () => {
  const hand = childOfLateTasks(3, 0.01);
  send(hand, 10);
  const mayAdd = (calls: number): boolean =>
    hand.mayAdd({ fn: FUNCTION, form: formOfChunk(1, calls) });
  assertEquals([1, 2, 3, 16].map(mayAdd), [true, true, false, false]);
  hand.finish(10);
  hand.add({ task: 11, number: 11, fn: FUNCTION, form: formOfChunk(1, 16) });
  hand.ran(11, 0.5);
  assertEquals([16, 32, 33].map(mayAdd), [true, true, false]);
});

test("The form of a chunk says how many arguments its calls have, and of how many calls it is", () => {
  for (const [calls, log] of [[1, 0], [2, 1], [3, 2], [1000, 10], [2 ** 31, 31]]) {
    const form = formOfChunk(255, calls) | (63 << WORDS_SHIFT);
    assertEquals([arityOf(form), wordsOf(form), logOfCalls(form)], [255, 63, log]);
  }
});

test("TasksInHand refuses to hear of a task that the child does not have", () => {
  const hand = new TasksInHand(new ChildGroup(), false);
  send(hand, 1);
  for (const tell of [() => hand.finish(2), () => hand.ran(2, 1), () => hand.takeBack(2)]) {
    assertThrows(tell, RangeError, "Cannot find task 2: the process does not have it in hand");
  }
  assertEquals(hand.indexes, [1]);
});
