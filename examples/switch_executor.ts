/**
 * One job, and an option that chooses what runs it: the event loop, threads or processes.
 *
 *   deno run -A examples/switch_executor.ts
 *   deno run -A examples/switch_executor.ts --executor process
 *
 * The job takes an `Executor`, and does not know which kind it is: one line chooses it. The option
 * `--executor` is `async`, `thread` or `process`; the default is `thread`.
 *
 * It prints:
 *
 *   ThreadPoolExecutor, in another thread
 *   600851475143 = 71 * 839 * 1471 * 6857
 *   1000000016347 = 1000000016347
 *   8589934591 = 7 * 23 * 89 * 599479
 *
 * @module
 */

import {
  AsyncExecutor,
  type Executor,
  getIdent,
  ProcessPoolExecutor,
  task,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import process from "node:process";
import { parseOption, refuse } from "./_options.ts";

const NUMBERS = [600851475143, 1000000016347, 8589934591];

const EXECUTORS: Record<string, () => Executor> = {
  async: () => new AsyncExecutor(),
  thread: () => new ThreadPoolExecutor({ maxWorkers: 2 }),
  process: () => new ProcessPoolExecutor({ maxWorkers: 2 }),
};

/** Returns the prime factors of a number. */
export const factorize = task(import.meta, function factorize(n: number): number[] {
  const factors: number[] = [];
  for (let d = 2; d * d <= n; d++) {
    for (; n % d === 0; n /= d) factors.push(d);
  }
  return n > 1 ? [...factors, n] : factors;
});

/** Returns the process that it runs in, and the thread of that process. */
export const whereabouts = task(
  import.meta,
  function whereabouts(): [pid: number, ident: number] {
    return [process.pid, getIdent()];
  },
);

/** Does the job: factorizes some numbers, and prints their factors. */
async function factorizeAll(executor: Executor): Promise<void> {
  const factors = await executor.map(factorize, NUMBERS).toArray();
  for (const [i, n] of NUMBERS.entries()) console.log(`${n} = ${factors[i].join(" * ")}`);
}

/** Describes where the executor's tasks run. */
async function placeOf(executor: Executor): Promise<string> {
  const [pid, ident] = await executor.submit(whereabouts);
  if (pid !== process.pid) return "in another process";
  return ident === getIdent() ? "in the program's own thread" : "in another thread";
}

function parseExecutor(args: string[]): () => Executor {
  const name = parseOption("executor", args) ?? "thread";
  if (Object.hasOwn(EXECUTORS, name)) return EXECUTORS[name];
  refuse(`--executor must be one of ${Object.keys(EXECUTORS).join(", ")}, got "${name}"`);
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using executor = parseExecutor(Deno.args)();
  console.log(`${executor.constructor.name}, ${await placeOf(executor)}`);
  await factorizeAll(executor);
}
