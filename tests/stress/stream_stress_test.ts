/**
 * Counts: each value of a stream comes once and in order, however the stream is read, and however
 * it ends.
 */

import { assert, assertEquals } from "@std/assert";
import {
  AsyncExecutor,
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { count, countLater, failAfter } from "../contracts/stream_tasks.ts";
import { AppError } from "../contracts/tasks.ts";
import { randomNumbers } from "./random.ts";
import { SCALE } from "./scale.ts";

/** A larger test has proportionally more time. */
const options = { timeout: 20_000 * SCALE };

/** Streams that are read at the same time. */
const LANES = 2;

const KINDS = [
  ["AsyncExecutor", () => new AsyncExecutor(), 300],
  ["ThreadPoolExecutor", () => new ThreadPoolExecutor({ maxWorkers: LANES }), 200],
  ["ProcessPoolExecutor", () => new ProcessPoolExecutor({ maxWorkers: LANES }), 60],
] as const;

const LENGTHS = [0, 1, 2, 10, 1000, 1024, 1025, 3000];
const BUFFERSIZES = [1, 2, 7, 1024];
const CODE = 7;

/** Reads one stream in a random way, and checks the values. */
async function readOne(executor: Executor, random: () => number): Promise<void> {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];
  const end = pick(LENGTHS);
  const view = executor.with({ buffersize: pick(BUFFERSIZES) });
  const fails = random() < 0.3;
  const stream = fails
    ? view.stream(failAfter, end, CODE)
    : pick([() => view.stream(count, end), () => view.stream(countLater, end, false)])();
  const leavesAt = random() < 0.5 ? Infinity : Math.floor(random() * (end + 1));
  const takesAll = random() < 0.2;
  let taken = 0;
  let hasFailed = false;
  try {
    for await (const value of stream) {
      assertEquals(value, taken++);
      if (taken > leavesAt) break;
      if (!takesAll) continue;
      for (const value of await stream.toArray()) assertEquals(value, taken++);
    }
  } catch (error) {
    assert(error instanceof AppError && error.code === CODE, String(error));
    hasFailed = true;
  }
  const isReadOn = leavesAt > 0 && end > 0;
  const isReadToEnd = leavesAt >= end || (takesAll && isReadOn);
  assertEquals(hasFailed, fails && isReadToEnd);
  // The values that toArray() had before the error are dropped.
  const lost = fails && takesAll && isReadOn;
  assertEquals(taken, lost ? 1 : isReadToEnd ? end : leavesAt + 1);
  assertEquals((await stream[Symbol.asyncIterator]().next()).done, true);
}

for (const [name, make, rounds] of KINDS) {
  test(
    `${name}: ${LANES * rounds * SCALE} streams give each value once, in order`,
    options,
    async () => {
      await using executor = make();
      await Promise.all(
        Array.from({ length: LANES }, async (_, lane) => {
          const random = randomNumbers(lane + 1);
          for (let i = 0; i < rounds * SCALE; i++) await readOne(executor, random);
        }),
      );
    },
  );
}
