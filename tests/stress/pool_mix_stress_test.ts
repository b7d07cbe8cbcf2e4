/** Random programs: whatever is mixed, each task has an outcome that it may have, and the pool comes to its end. */

import { assertEquals } from "@std/assert";
import {
  Barrier,
  type Executor,
  Lock,
  ProcessPoolExecutor,
  Queue,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
  Value,
} from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { count } from "../contracts/stream_tasks.ts";
import { echo, fail, never } from "../contracts/tasks.ts";
import { meet } from "../executors/_meeting_tasks.ts";
import { burnFor } from "../failure/_progress_tasks.ts";
import * as work from "./pool_mix_tasks.ts";
import { randomNumbers } from "./random.ts";
import { SCALE } from "./scale.ts";

/** More than any of the programs takes. */
const LIMIT_MS = 40_000;
const MOST_WAVES = 4;
const MOST_ACTS = 12;
/** More than a slot holds, and now and then more than a record does. */
const MOST_VALUES = 60_000;

/** Something that was asked for. */
interface Expected {
  readonly act: string;
  readonly outcome: PromiseLike<unknown>;
  /** What may come of it: values, or names of errors. */
  readonly may: readonly unknown[];
}

/** A program that submits this and that. */
class Program {
  readonly expected: Expected[] = [];
  /** Looked at when everything has its outcome. */
  readonly checks: (() => void)[] = [];
  readonly #random: () => number;
  #act = "";

  constructor(seed: number, readonly pool: Executor, readonly workers: number) {
    this.#random = randomNumbers(seed);
  }

  /** A whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  expect(outcome: PromiseLike<unknown>, ...may: unknown[]): void {
    this.expected.push({ act: this.#act, outcome, may });
  }

  act(): void {
    const names = Object.keys(ACTS);
    this.#act = names[this.below(names.length)];
    ACTS[this.#act](this);
  }
}

/** What programs do. */
const ACTS: Record<string, (p: Program) => void> = {
  "short tasks": (p) => {
    for (let i = p.below(60); i-- > 0;) p.expect(p.pool.submit(echo, i), i);
  },
  "a task that computes": (p) => p.expect(p.pool.submit(burnFor<number>, p.below(4), 7), 7),
  "a task that awaits": (p) => p.expect(p.pool.submit(work.pause<number>, p.below(5), 8), 8),
  "a task that fails": (p) => p.expect(p.pool.submit(fail, "as it should"), "RangeError"),
  "a task that is cancelled": (p) => {
    const future = p.pool.submit(echo, 9);
    if (p.chance(0.5)) future.cancel();
    p.expect(future, 9, "CancelledError");
  },
  "tasks with priorities": (p) => {
    for (let i = 0; i < 5; i++) {
      p.expect(p.pool.with({ priority: p.below(5) - 2 }).submit(echo, i), i);
    }
  },
  "a large argument": (p) => {
    const values = new Float64Array(p.below(MOST_VALUES));
    p.expect(p.pool.submit(work.lengthOf, values), values.length);
  },
  "a moved argument": (p) => {
    const { length, buffer } = new Float64Array(p.below(MOST_VALUES));
    const values = new Float64Array(buffer);
    p.expect(p.pool.with({ transfer: [buffer] }).submit(work.lengthOf, values), length);
  },
  "a large result": (p) => {
    const length = p.below(MOST_VALUES);
    p.expect(p.pool.submit(work.zeros, length).then((values) => values.length), length);
  },
  "map": (p) => {
    const end = p.below(300);
    const numbers = Array.from({ length: end }, (_, n) => n);
    const sum = p.pool.map(work.increment, numbers).toArray()
      .then((results) => results.reduce((a, b) => a + b, 0));
    p.expect(sum, end * (end + 1) / 2);
  },
  "a stream": (p) => {
    const end = p.below(50);
    p.expect(sumUntil(p.pool.stream(count, end), end), end * (end - 1) / 2);
  },
  "a stream that is left": (p) => {
    const end = p.below(50);
    p.expect(sumUntil(p.pool.stream(count, 50), end), end * (end - 1) / 2);
  },
  "tasks that meet": (p) => {
    const parties = 1 + p.below(p.workers);
    const barrier = new Barrier(parties);
    const fn = p.chance(0.7) ? meet : work.meetAsync;
    for (let i = 0; i < parties; i++) p.expect(p.pool.submit(fn, barrier), undefined);
  },
  "a queue between two tasks": (p) => {
    if (p.workers < 2) return;
    const queue = new Queue<number>({ maxsize: p.below(8) });
    const end = p.below(80);
    p.expect(p.pool.submit(work.putAll, queue, end), undefined);
    const sum = p.chance(0.5)
      ? p.pool.submit(work.sumOf, queue, end)
      : p.pool.submit(work.sumOfAsync, queue, end);
    p.expect(sum, end * (end - 1) / 2);
  },
  "tasks that take a lock": (p) => {
    const [lock, value, count] = [new Lock(), new Value("i32", 0), p.below(20)];
    for (let i = 0; i < count; i++) {
      const future = p.chance(0.5)
        ? p.pool.submit(work.addLockedSync, lock, value)
        : p.pool.submit(work.addLocked, lock, value);
      p.expect(future, undefined);
    }
    p.checks.push(() => assertEquals(value.value, count));
  },
  "a task that is given up": (p) => {
    const limited = p.pool.with({ timeout: p.below(20) });
    const future = p.chance(0.7) ? limited.submit(work.spinUntilAborted) : limited.submit(never);
    p.expect(future, "TimeoutError");
  },
};

async function sumUntil(values: AsyncIterable<number>, end: number): Promise<number> {
  let sum = 0;
  for await (const value of values) {
    if (value >= end) break;
    sum += value;
  }
  return sum;
}

/** Waits for everything, and asserts that it came out well. */
async function settle(program: Program, seed: number): Promise<void> {
  const waiting = new Set(program.expected);
  const wrong: string[] = [];
  const all = Promise.all(program.expected.map(async (expected) => {
    const found = await Promise.resolve(expected.outcome)
      .catch((error: unknown) => error instanceof Error ? error.name : error);
    waiting.delete(expected);
    if (!expected.may.includes(found)) wrong.push(`${expected.act}: ${found}`);
  }));
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LIMIT_MS));
  await Promise.race([all, late]).finally(() => clearTimeout(timer));
  const standing = [...waiting].map(({ act }) => act);
  assertEquals({ seed, standing, wrong }, { seed, standing: [], wrong: [] });
}

/** Runs the program with that seed. */
async function run(seed: number, make: (options: ThreadPoolOptions) => Executor): Promise<void> {
  const random = randomNumbers(seed);
  random();
  const workers = 1 + Math.floor(random() * 4);
  const pool = make({
    maxWorkers: workers,
    onWorkerLost: "replace",
    maxTasksPerChild: random() < 0.2 ? 8 : undefined,
    idleTimeout: random() < 0.2 ? Math.floor(random() * 5) : undefined,
  });
  const program = new Program(seed, pool, workers);
  for (let wave = program.below(MOST_WAVES); wave >= 0; wave--) {
    for (let act = program.below(MOST_ACTS); act >= 0; act--) {
      program.act();
      // So that some of it comes while this thread sleeps.
      if (program.chance(0.15)) await work.pause(program.below(3), undefined);
    }
    if (program.chance(0.7)) await settle(program, seed);
  }
  const closing = program.chance(0.3) ? pool.shutdown() : undefined;
  await settle(program, seed);
  for (const check of program.checks) check();
  await (closing ?? pool.shutdown());
}

const options = { timeout: 60_000 * SCALE };

test("ThreadPoolExecutor: random programs come to their ends", options, async () => {
  for (let seed = 1; seed <= 8 * SCALE; seed++) {
    await run(seed, (options) => new ThreadPoolExecutor(options));
  }
});

test("ProcessPoolExecutor: random programs come to their ends", options, async () => {
  for (let seed = 1; seed <= 4 * SCALE; seed++) {
    await run(seed, ({ maxTasksPerChild: _, ...options }) => new ProcessPoolExecutor(options));
  }
});
