/**
 * Waiting tasks leave by priority, and in order within a priority, however many priorities there
 * are and were.
 */

import { assert, assertEquals } from "@std/assert";
import { memoryUsage } from "node:process";
import { Backlog } from "../../executors/_backlog.ts";
import { randomNumbers } from "../stress/random.ts";

/** Adds a task whose payload is its own number. */
function push(backlog: Backlog, task: number, priority: number): void {
  const { words, start } = backlog.reserve(priority);
  words[start] = task;
  backlog.commit(task, 0, 0, start + 1);
}

/** Removes the next task; returns its number. */
function pull(backlog: Backlog): number {
  const { task, words, start, end } = backlog.peek()!;
  assertEquals([words[start], end - start], [task, 1]);
  backlog.shift();
  return task;
}

Deno.test("Backlog gives tasks by priority, and those of one priority in order", () => {
  const random = randomNumbers(1);
  const backlog = new Backlog();
  const model: { task: number; priority: number }[] = [];
  for (let task = 0; task < 20_000; task++) {
    // It grows and shrinks in turn.
    const isGrowing = task % 4000 < 2000;
    const priority = Math.floor(random() * 40) - 20;
    if (random() < 0.1) backlog.reserve(priority); // Its arguments cannot be sent: it is not committed.
    push(backlog, task, priority);
    const at = model.findIndex((other) => other.priority < priority);
    model.splice(at < 0 ? model.length : at, 0, { task, priority });
    for (let i = random() * (isGrowing ? 1.5 : 3); i > 1 && model.length > 0; i--) {
      assertEquals(pull(backlog), model.shift()!.task);
    }
    assertEquals(backlog.length, model.length);
  }
  while (model.length > 0) assertEquals(pull(backlog), model.shift()!.task);
  assertEquals(backlog.peek(), undefined);
});

Deno.test("Backlog keeps a task that is being written while the others leave", () => {
  const backlog = new Backlog();
  push(backlog, 1, 5);
  const { words, start } = backlog.reserve(5);
  words[start] = 2;
  assertEquals(pull(backlog), 1);
  assertEquals(backlog.peek(), undefined);
  backlog.commit(2, 0, 0, start + 1);
  assertEquals(pull(backlog), 2);
});

Deno.test("Backlog keeps nothing of priorities that no waiting task has", () => {
  const backlog = new Backlog();
  const before = memoryUsage().external;
  for (let task = 0; task < 5000; task++) {
    if (task % 2 === 0) backlog.reserve(task + 0.5);
    push(backlog, task, task);
    pull(backlog);
  }
  const grown = memoryUsage().external - before;
  assert(grown < 50_000_000, `${grown} bytes`);
});
