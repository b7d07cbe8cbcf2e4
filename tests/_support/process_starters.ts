/**
 * Code that tests run in processes and that uses processes itself. Kept apart from the other tasks,
 * as most test processes would otherwise load all of this with them.
 */

import {
  currentProcess,
  currentThread,
  type ModuleMeta,
  Process,
  ProcessPoolExecutor,
  Thread,
} from "../../executors/mod.ts";
import { squareByName } from "./by_name.ts";
import { task } from "../../executors/task_module.ts";
import { SimpleQueue } from "../../queue/mod.ts";
import { pidOf } from "./process_tasks.ts";

/** Returns the name of the process that runs it. */
export const nameOf = task(import.meta, function nameOf(): string {
  return currentProcess().name;
});

/** Starts a process that never ends, prints its number, and never ends itself. */
export const startChild = task(import.meta, async function startChild(): Promise<never> {
  const process = new Process({ target: () => new Promise(() => {}) });
  process.start();
  await process.started;
  console.log(process.pid);
  return await new Promise(() => {});
});

/** Puts the `Process` object of the process that runs it. */
export const tellName = task(import.meta, function tellName(seen: SimpleQueue<unknown>): void {
  seen.putNowait(currentProcess());
});

/** Puts the names of the thread that runs it and of two processes made there. */
export const tellNames = task(import.meta, function tellNames(seen: SimpleQueue<string[]>): void {
  seen.putNowait([currentThread(), new Process(), new Process()].map(({ name }) => name));
});

/**
 * Puts the result, or the error as text, of a task in another process whose module imports by the
 * program's import map.
 */
export const tellOfProcess = task(
  import.meta,
  async function tellOfProcess(seen: SimpleQueue<unknown>): Promise<void> {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    seen.putNowait(await pool.submit(squareByName, 3).result().catch(String));
  },
);

/** Puts the name that a thread of this process sees as that of its process. */
export const tellNameInThread = task(
  import.meta,
  async function tellNameInThread(seen: SimpleQueue<unknown>): Promise<void> {
    const own = new SimpleQueue<unknown>();
    const thread = new Thread({ target: putName, args: [own] });
    thread.start();
    seen.putNowait(await own.get());
    await thread.join();
  },
);

/** Puts the name of the process that runs it. */
export const putName = task(import.meta, function putName(seen: SimpleQueue<unknown>): void {
  seen.putNowait(currentProcess().name);
});

/**
 * Starts a process, and a pool of its own; returns the number of this process, how the started
 * process ended, and the number and the name prefix of the pool's process.
 */
export const startInner = task(
  import.meta,
  async function startInner(): Promise<[own: number, exitcode: number, inner: number, string]> {
    const process = new Process({ target: () => Deno.exit(7) });
    process.start();
    await process.join();
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, threadNamePrefix: "inner" });
    const name = await pool.submit(nameOf);
    return [Deno.pid, process.exitcode!, await pool.submit(pidOf), name.replace(/_0$/, "")];
  },
);

/** A process with fields, whose class overrides `run`. */
export class Sum extends Process {
  readonly numbers: number[];
  readonly results: SimpleQueue<unknown>;

  constructor(
    numbers: number[],
    results: SimpleQueue<unknown>,
    name?: string,
    module: ModuleMeta = import.meta,
  ) {
    super({ module, name });
    this.numbers = numbers;
    this.results = results;
  }

  override run(): void {
    this.results.putNowait([this.total(), currentProcess().name, Deno.pid]);
  }

  total(): number {
    return this.numbers.reduce((sum, n) => sum + n, 0);
  }
}

/** A process that reports its own state, and what its misuse throws, and then calls its target. */
export class Teller extends Process<[SimpleQueue<unknown>, string]> {
  readonly seen: SimpleQueue<unknown>;

  constructor(seen: SimpleQueue<unknown>, told: string) {
    const target = (seen: SimpleQueue<unknown>, told: string): void => seen.putNowait(told);
    super({ module: import.meta, target, args: [seen, told], name: "teller", daemon: true });
    this.seen = seen;
  }

  override run(): unknown {
    const { name, pid, ident, daemon, exitcode } = this;
    this.seen.putNowait([name, pid, ident, daemon, exitcode, this.isAlive()]);
    for (const misuse of [() => this.start(), () => this.joinSync(), () => this.daemon = false]) {
      this.seen.putNowait(messageOf(misuse));
    }
    return super.run();
  }
}

function messageOf(fn: () => unknown): string {
  try {
    fn();
    return "nothing was thrown";
  } catch (error) {
    return (error as Error).message;
  }
}
