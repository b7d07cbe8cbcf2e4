/** What tests run in processes that uses processes itself. Apart from the others, which most processes would load it with. */

import {
  currentProcess,
  currentThread,
  Process,
  ProcessPoolExecutor,
  Thread,
} from "../../executors/mod.ts";
import { squareByName } from "./by_name.ts";
import { task } from "../../executors/task_module.ts";
import { SimpleQueue } from "../../queue/mod.ts";
import { pidOf } from "./process_tasks.ts";

/** What its process is called. */
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

/** Tells what its process is called. */
export const tellName = task(import.meta, function tellName(seen: SimpleQueue<unknown>): void {
  seen.putNowait(currentProcess());
});

/** Tells what its thread is called, and processes that are made here. */
export const tellNames = task(import.meta, function tellNames(seen: SimpleQueue<string[]>): void {
  seen.putNowait([currentThread(), new Process(), new Process()].map(({ name }) => name));
});

/** Runs a task of a module that imports by the program's import map. */
export const tellOfProcess = task(
  import.meta,
  async function tellOfProcess(seen: SimpleQueue<unknown>): Promise<void> {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    seen.putNowait(await pool.submit(squareByName, 3).result().catch(String));
  },
);

/** Tells what a thread of its process takes that to be called. */
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

/** Tells what its process is called. */
export const putName = task(import.meta, function putName(seen: SimpleQueue<unknown>): void {
  seen.putNowait(currentProcess().name);
});

/** Starts a process and a pool of its own; says the numbers of all three, and how the process ended. */
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

  constructor(numbers: number[], results: SimpleQueue<unknown>, name?: string) {
    super({ module: import.meta, name });
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

/** A process that tells of itself, and then calls its target. */
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
