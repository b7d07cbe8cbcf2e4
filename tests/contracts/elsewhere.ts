/**
 * Other places where code runs: a contract about what two parties see of each other holds for
 * another thread and for another process alike.
 *
 * A process takes a tenth of a second to start. So the tests of a file share a few, which
 * {@linkcode shareProcesses} starts before the first test and ends after the last: the leak checks
 * of each test find them both before and after it. Once this module is imported, `test` fails a
 * test that leaves a process of its own behind.
 */

import {
  type Executor,
  type Future,
  type MapOptions,
  ProcessPoolExecutor,
  type ProcessPoolOptions,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
  wait,
} from "../../executors/mod.ts";
import { targetOf } from "../../executors/_target.ts";
import "../_support/leaks.ts";
import "../_support/processes.ts";
import type { Side } from "../queue/_support.ts";
import type { Shared } from "../sync/_support.ts";
import { type AnyGate, type Cell, makeCells, makeGate, type Moment } from "./parts.ts";
import { Gate } from "./signals.ts";
import { pass } from "./tasks.ts";
import { runInThread } from "./thread_tasks.ts";
import * as watch from "./watch_tasks.ts";

/** The name prefix of a pool's workers; a worker's number follows it. */
export const PREFIX = "crew";

/** For one round between processes, threads go this many. */
const SLOWNESS = 5;

/**
 * Runs tasks elsewhere, as an executor does. At the end of its `await using` block, all of its
 * tasks have ended.
 */
export interface Crew extends AsyncDisposable {
  readonly submit: Executor["submit"];
  readonly map: Executor["map"];
  /** The moment at which the given number of waits are queued. */
  whenWaiting(object: Shared, count: number): Moment;
  /**
   * The moment at which at least the given number of waits are queued for the lock, or for the lock
   * of the condition.
   */
  whenLockWaiting(object: Shared, count: number): Moment;
  /** The moment at which the given number of waits are queued on a side of the queue. */
  whenQueued(queue: Shared, side: Side, count: number): Moment;
}

/** A pool that one test has for itself. */
export type OwnPool = ThreadPoolExecutor | ProcessPoolExecutor;

/** Where code runs. */
export interface Elsewhere {
  /** `"a worker"`. */
  readonly name: string;
  /** `"workers"`. */
  readonly names: string;
  readonly isProcess: boolean;
  /**
   * The given number of workers: threads of its own, or shared processes. Their names begin with
   * {@linkcode PREFIX}.
   */
  crew(maxWorkers: number): Crew;
  gate(): AnyGate;
  /** Numbers that are 0 at first. */
  cells(count: number): Cell[];
  /** The given number of rounds, or fewer where each operation takes far longer. */
  rounds(count: number): number;
}

/** Where code runs in a pool that a test can have for itself. */
export interface PoolElsewhere extends Elsewhere {
  /** A pool that the test may break. */
  pool(options: ThreadPoolOptions & ProcessPoolOptions): OwnPool;
}

/** The places where a pool runs code. */
export const POOLS_ELSEWHERE: readonly PoolElsewhere[] = [
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

/** Each place where code can run beside this thread. */
export const ELSEWHERE: readonly Elsewhere[] = [
  ...POOLS_ELSEWHERE,
  {
    ...POOLS_ELSEWHERE[1],
    name: "a process's thread",
    names: "processes' threads",
    crew: (maxWorkers) => new ProcessCrew(maxWorkers, true),
  },
];

/** Threads, which look for themselves. */
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

/** Shared processes, for one test, and a thread that watches the shared objects for them. */
class ProcessCrew implements Crew {
  readonly #pool: ProcessPoolExecutor;
  readonly #futures: Future<unknown>[] = [];
  #watcher: ThreadPoolExecutor | undefined;
  readonly submit: Executor["submit"];
  readonly map: Executor["map"];

  /** @param inThreads Whether the tasks run in threads that the processes start. */
  constructor(maxWorkers: number, inThreads = false) {
    const pool = this.#pool = sharedPool(maxWorkers);
    this.submit = ((fn: () => unknown, ...args: []) => {
      const future = inThreads
        ? this.#pool.submit(runInThread, targetOf(fn), ...args)
        : this.#pool.submit(fn, ...args);
      this.#futures.push(future);
      return future;
    }) as Executor["submit"];
    this.map = inThreads ? mapInThreads(pool) : pool.map.bind(pool);
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

/** The pool's `map`, for one list of inputs, by threads that the processes start. */
function mapInThreads(pool: ProcessPoolExecutor): Executor["map"] {
  const map = (fn: (input: never) => unknown, inputs: unknown[], options?: MapOptions) => {
    const target = targetOf(fn);
    return pool.map(runInThread, inputs.map(() => target), inputs, options);
  };
  return map as unknown as Executor["map"];
}

/** The pools of processes that this file's tests share, by their number of processes. */
const shared = new Map<number, ProcessPoolExecutor>();

/**
 * Starts processes for the tests of this file, one pool for each of the sizes. Call it where the
 * tests are registered, before the first of them.
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

/** Starts all processes of a pool, so that none has to be started within a test. */
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
