/** Random programs: what they do with a pool, and which outcomes they may have. */

import { assertEquals } from "@std/assert";
import { Barrier, type Executor, Future, Lock, Queue, Value } from "../../mod.ts";
import { count } from "../contracts/stream_tasks.ts";
import { echo, fail, never } from "../contracts/tasks.ts";
import { meet } from "../executors/_meeting_tasks.ts";
import { burnFor } from "../failure/_progress_tasks.ts";
import type { End } from "./pool_mix_tasks.ts";
import * as work from "./pool_mix_tasks.ts";
import { randomNumbers } from "./random.ts";

/** Longer than any of the programs takes. */
const LIMIT_MS = 40_000;
/** More values than a slot holds, and sometimes more than a record holds. */
const MOST_VALUES = 60_000;

/** An outcome that a program waits for. */
interface Expected {
  readonly act: string;
  readonly outcome: PromiseLike<unknown>;
  /** The outcomes that it may have: values, or names of errors. */
  readonly may: readonly unknown[];
}

type Act = (p: Program) => void;

/** A program that submits tasks of various kinds. */
export class Program {
  readonly expected: Expected[] = [];
  /** Run when everything has its outcome. */
  readonly checks: (() => void)[] = [];
  /** Whether the pool takes no more tasks. */
  isRefused = false;
  readonly #seed: number;
  readonly #acts: Readonly<Record<string, Act>>;
  readonly #mayAlways: readonly string[];
  readonly #random: () => number;
  #act = "";

  /** @param mayAlways Names of the errors that any outcome may be. */
  constructor(
    seed: number,
    readonly pool: Executor,
    readonly workers: number,
    acts: Readonly<Record<string, Act>>,
    mayAlways: readonly string[] = [],
  ) {
    this.#seed = seed;
    this.#acts = acts;
    this.#mayAlways = mayAlways;
    this.#random = randomNumbers(seed);
  }

  /** A random whole number from 0 up to, but not including, `end`. */
  below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  expect(outcome: PromiseLike<unknown>, ...may: unknown[]): void {
    this.expected.push({ act: this.#act, outcome, may: [...may, ...this.#mayAlways] });
    // A promise may reject before anybody waits for it.
    if (!(outcome instanceof Future)) outcome.then(undefined, () => {});
  }

  act(): void {
    const names = Object.keys(this.#acts);
    this.#act = names[this.below(names.length)];
    try {
      this.#acts[this.#act](this);
    } catch (error) {
      if (!this.#mayAlways.includes((error as Error).name)) throw error;
      this.isRefused = true;
    }
  }

  /** Waits for all outcomes, and asserts that each is one that may come. */
  async settle(): Promise<void> {
    const waiting = new Set(this.expected);
    const wrong: string[] = [];
    const all = Promise.all(this.expected.map(async (expected) => {
      const found = await Promise.resolve(expected.outcome)
        .catch((error: unknown) => error instanceof Error ? error.name : error);
      waiting.delete(expected);
      if (!expected.may.includes(found)) wrong.push(`${expected.act}: ${found}`);
    }));
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LIMIT_MS));
    await Promise.race([all, late]).finally(() => clearTimeout(timer));
    const standing = [...waiting].map(({ act }) => act);
    const seed = this.#seed;
    assertEquals({ seed, standing, wrong }, { seed, standing: [], wrong: [] });
  }
}

/** Acts that each stand alone. */
export const ALONE: Readonly<Record<string, Act>> = {
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
  "a task that is given up": (p) => {
    const limited = p.pool.with({ timeout: p.below(20) });
    const future = p.chance(0.7) ? limited.submit(work.spinUntilAborted) : limited.submit(never);
    p.expect(future, "TimeoutError");
  },
};

/** Acts whose tasks wait for each other. */
export const LINKED: Readonly<Record<string, Act>> = {
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
};

/** Acts that end workers: threads, or processes, which can also be killed. */
export function losses(mayKill: boolean): Record<string, Act> {
  const ways: End[] = ["close", "exit", "late throw", "rejection"];
  if (mayKill) ways.push("kill");
  return {
    "a task that ends its worker": (p) => {
      p.expect(p.pool.submit(work.endNow, ways[p.below(ways.length)]));
    },
    "a task that leaves its worker's end behind": (p) => {
      p.expect(p.pool.submit(work.endLater, ways[p.below(ways.length)], p.below(10)), undefined);
    },
  };
}

async function sumUntil(values: AsyncIterable<number>, end: number): Promise<number> {
  let sum = 0;
  for await (const value of values) {
    if (value >= end) break;
    sum += value;
  }
  return sum;
}
