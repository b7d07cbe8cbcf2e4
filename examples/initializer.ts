/**
 * An initializer sets up, once in each worker and before its first task, what the tasks of the
 * worker share.
 *
 *   deno run -A examples/initializer.ts
 *
 * Each worker has its own instances of the modules. So what its tasks share, such as a connection,
 * a model or a table, is a variable of the module, set by the pool's `initializer`. If the
 * initializer fails, the worker cannot run tasks, and the pool is broken.
 *
 * It prints, for instance:
 *
 *   worker_0 has loaded the rates of USD
 *   worker_1 has loaded the rates of USD
 *   100 USD are 90 EUR, says worker_0
 *   100 USD are 15000 JPY, says worker_1
 *   100 USD are 1800 MXN, says worker_0
 *   100 USD are 8500 INR, says worker_1
 *   BrokenThreadPool: Cannot run task: its initializer failed: RangeError: no rates of XYZ
 *     its cause: RangeError: no rates of XYZ
 *   BrokenThreadPool: Cannot submit to ThreadPoolExecutor-1: the pool is broken, its initializer failed: RangeError: no rates of XYZ
 *
 * @module
 */

import { currentThread, Event, task, ThreadPoolExecutor } from "@concurrent/futures";

/** In place of a server: what one unit of a currency is worth in others. */
const SERVER: Record<string, Record<string, number>> = {
  USD: { EUR: 0.9, JPY: 150, MXN: 18, INR: 85 },
};
const TASK_MS = 20;

/** The rates, a separate variable in each worker. */
let rates: Readonly<Record<string, number>> | undefined;

/** Loads the rates; called in each worker, before its first task. */
export const loadRates = task(import.meta, function loadRates(currency: string): void {
  if (!(currency in SERVER)) throw new RangeError(`no rates of ${currency}`);
  rates = SERVER[currency];
  console.log(`${currentThread().name} has loaded the rates of ${currency}`);
});

export const convert = task(import.meta, function convert(amount: number, into: string): string {
  new Event().waitSync({ timeout: TASK_MS }); // Nobody sets this event.
  return `${amount * rates![into]} ${into}, says ${currentThread().name}`;
});

function makePool(currency: string): ThreadPoolExecutor {
  return new ThreadPoolExecutor({
    maxWorkers: 2,
    threadNamePrefix: "worker",
    initializer: loadRates,
    initargs: [currency],
  });
}

async function convertAll(): Promise<void> {
  await using pool = makePool("USD");
  const futures = Object.keys(SERVER.USD).map((into) => pool.submit(convert, 100, into));
  for (const future of futures) console.log(`100 USD are ${await future}`);
}

async function fail(): Promise<void> {
  await using pool = makePool("XYZ");
  const error = await pool.submit(convert, 100, "EUR").exception() as Error;
  console.log(`${error}`);
  console.log(`  its cause: ${error.cause}`);
  try {
    pool.submit(convert, 100, "JPY");
  } catch (error) {
    console.log(`${error}`);
  }
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await convertAll();
  await fail();
}
