/**
 * Where else code runs: a contract that says what two parties see of each other holds for another thread and for another
 * process alike.
 *
 * A process takes a tenth of a second to start. So a file's tests share a few, which {@linkcode shareProcesses} starts before the
 * first test and ends after the last: the leak checks of each test find them there before and after. Importing this module has
 * `test` fail a test that leaves a process of its own behind.
 */

import {
  type Executor,
  type Future,
  ProcessPoolExecutor,
  type ProcessPoolOptions,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
  wait,
} from "../../executors/mod.ts";
import "../_support/leaks.ts";
import "../_support/processes.ts";
import type { Side } from "../queue/_support.ts";
import type { Shared } from "../sync/_support.ts";
import { type AnyGate, type Cell, makeCells, makeGate, type Moment } from "./parts.ts";
import { Gate } from "./signals.ts";
import { pass } from "./tasks.ts";
import * as watch from "./watch_tasks.ts";

/** What the workers of a pool are called, each followed by its number. */
export const PREFIX = "crew";

/** How many rounds threads go for one of processes. */
const SLOWNESS = 5;

/** Runs tasks elsewhere, as an executor does. At the end of its `await using` block, all of them have ended. */
export interface Crew extends AsyncDisposable {
  readonly submit: Executor["submit"];
  readonly map: Executor["map"];
  /** Once so many waits are queued. */
  whenWaiting(object: Shared, count: number): Moment;
  /** Once so many waits, or more, are queued for the lock, or for the lock of the condition. */
  whenLockWaiting(object: Shared, count: number): Moment;
  /** Once so many waits are queued on a side of the queue. */
  whenQueued(queue: Shared, side: Side, count: number): Moment;
}

/** A pool that a test has for itself. */
export type OwnPool = ThreadPoolExecutor | ProcessPoolExecutor;

/** Where code runs. */
export interface Elsewhere {
  /** `"a worker"`. */
  readonly name: string;
  /** `"workers"`. */
  readonly names: string;
  readonly isProcess: boolean;
  /** So many workers: threads of their own, or processes that are shared. They are called {@linkcode PREFIX}. */
  crew(maxWorkers: number): Crew;
  /** A pool that may be broken. */
  pool(options: ThreadPoolOptions & ProcessPoolOptions): OwnPool;
  gate(): AnyGate;
  /** Numbers, 0 at first. */
  cells(count: number): Cell[];
  /** So many rounds, or fewer where each operation takes far longer. */
  rounds(count: number): number;
}

/** Each place where code can run beside this thread. */
export const ELSEWHERE: readonly Elsewhere[] = [
  {
    name: "a worker",
    names: "workers",
    isProcess: false,
    crew: (maxWorkers) => new ThreadCrew(maxWorkers),
    pool: (options) => new ThreadPoolExecutor(options),
    gate: () => makeGate(false),
    cells: (count) => makeCells(false, count),
    rounds: (count) => count,
  },
  {
    name: "a process",
    names: "processes",
    isProcess: true,
    crew: (maxWorkers) => new ProcessCrew(maxWorkers),
    pool: (options) => new ProcessPoolExecutor(options),
    gate: () => makeGate(true),
    cells: (count) => makeCells(true, count),
    rounds: (count) => Math.max(1, Math.ceil(count / SLOWNESS)),
  },
];

/** Threads, which look themselves. */
class ThreadCrew implements Crew {
  readonly #pool: ThreadPoolExecutor;
  readonly submit: Executor["submit"];
  readonly map: Executor["map"];

  constructor(maxWorkers: number) {
    const pool = this.#pool = new ThreadPoolExecutor({ maxWorkers, threadNamePrefix: PREFIX });
    this.submit = pool.submit.bind(pool);
    this.map = pool.map.bind(pool);
  }

  whenWaiting(): Moment {
    return undefined;
  }

  whenLockWaiting(): Moment {
    return undefined;
  }

  whenQueued(): Moment {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.shutdown();
  }
}

/** Shared processes, for one test, and a thread that looks for them. */
class ProcessCrew implements Crew {
  readonly #pool: ProcessPoolExecutor;
  readonly #futures: Future<unknown>[] = [];
  #watcher: ThreadPoolExecutor | undefined;
  readonly submit: Executor["submit"];
  readonly map: Executor["map"];

  constructor(maxWorkers: number) {
    const pool = this.#pool = sharedPool(maxWorkers);
    this.submit = ((fn: () => unknown, ...args: []) => {
      const future = this.#pool.submit(fn, ...args);
      this.#futures.push(future);
      return future;
    }) as Executor["submit"];
    this.map = pool.map.bind(pool);
  }

  whenWaiting(object: Shared, count: number): Moment {
    const { parts } = new Gate();
    this.#look().submit(watch.openWhenWaiting, parts, object, count);
    return parts;
  }

  whenLockWaiting(object: Shared, count: number): Moment {
    const { parts } = new Gate();
    this.#look().submit(watch.openWhenLockWaiting, parts, object, count);
    return parts;
  }

  whenQueued(queue: Shared, side: Side, count: number): Moment {
    const { parts } = new Gate();
    this.#look().submit(watch.openWhenQueued, parts, queue, side, count);
    return parts;
  }

  #look(): ThreadPoolExecutor {
    return this.#watcher ??= new ThreadPoolExecutor({ maxWorkers: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await wait(this.#futures);
    await this.#watcher?.shutdown();
  }
}

/** The processes that this file's tests share, by their number. */
const shared = new Map<number, ProcessPoolExecutor>();

/**
 * Starts processes for the tests of this file, a pool for each of the numbers. Call it where the tests are registered, before
 * the first.
 */
export function shareProcesses(...sizes: number[]): void {
  Deno.test.beforeAll(async () => {
    await Promise.all(sizes.map(startShared));
  });
  Deno.test.afterAll(async () => {
    await Promise.all([...shared.values()].map((pool) => pool.shutdown()));
    shared.clear();
  });
}

/** Starts the processes of a pool, all of them: none is to be started within a test. */
async function startShared(size: number): Promise<void> {
  const pool = new ProcessPoolExecutor({ maxWorkers: size, threadNamePrefix: PREFIX });
  shared.set(size, pool);
  using gate = new Gate();
  const futures = Array.from({ length: size }, (_, i) => pool.submit(pass, gate.parts, i));
  await gate.entered(size);
  gate.open();
  await wait(futures);
}

function sharedPool(size: number): ProcessPoolExecutor {
  const pool = shared.get(size);
  if (pool !== undefined) return pool;
  throw new Error(`No ${size} processes are shared: name them in shareProcesses()`);
}
