import { assertEquals } from "@std/assert";
import { HeldJobs } from "../../executors/cluster/_held_jobs.ts";
import { test } from "../_support/leaks.ts";

interface Job {
  readonly priority: number;
  readonly number: number;
}

function make(count: number) {
  const wanted = new Set<Job>();
  const held = new HeldJobs<Job>((job) => wanted.has(job));
  for (let number = 0; number < count; number++) {
    const job = { priority: number % 2, number };
    wanted.add(job);
    held.push(job);
  }
  const drop = (isDropped: (job: Job) => boolean): void => {
    for (const job of [...wanted].filter(isDropped)) {
      wanted.delete(job);
      held.noteUnwanted();
    }
  };
  return { held, drop };
}

test("HeldJobs gives jobs by priority, then in order, and leaves out the unwanted", () => {
  const { held, drop } = make(9);
  drop(({ number }) => number === 3 || number === 4);
  assertEquals(held.take(4).map(({ number }) => number), [1, 5, 7, 0]);
  drop(({ number }) => number >= 6);
  assertEquals(held.take(4).map(({ number }) => number), [2]);
  assertEquals(held.isEmpty, true);
});

test("HeldJobs keeps no unwanted jobs until it is their turn", () => {
  const { held, drop } = make(1_000);
  drop(() => true);
  assertEquals(held.isEmpty, true);
});
