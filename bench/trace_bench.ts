/**
 * What does it cost to trace a pool?
 *
 * `deno run -A bench/trace_bench.ts` runs the same tasks with and without a trace, in turn, on one
 * pool, and prints medians and ratios.
 *
 * @module
 */

import { ProcessPoolExecutor, ThreadPoolExecutor } from "@concurrent/futures";
import { trace } from "@concurrent/futures/trace";
import { burst, grouped, inFlight, interleave, row } from "./_measure.ts";
import { add, compute } from "./_tasks.ts";

/** Many short runs, in turn, so that other load on the machine affects both alike. */
const REPEATS = 31;
const SHORT_MS = 0.1;
const TASKS = 500;
const BURST = 5_000;
const WIDTH = 64;

type Pool = ThreadPoolExecutor | ProcessPoolExecutor;

if (import.meta.main) {
  row("tasks a second", "off", "traced", "ratio", "held to");
  for (
    const [name, make] of [
      ["threads", () => new ThreadPoolExecutor({ maxWorkers: 1 })],
      ["processes", () => new ProcessPoolExecutor({ maxWorkers: 1 })],
    ] as const
  ) {
    await using pool = make();
    await pool.submit(compute, 1);
    const short = (): PromiseLike<unknown> => pool.submit(compute, SHORT_MS);
    await compare(
      `${name}: 100 us each, all at once`,
      pool,
      () => burst(TASKS, short),
      ">= 0.85 x",
    );
    await compare(
      `${name}: 100 us each, ${WIDTH} in flight`,
      pool,
      () => inFlight(TASKS, WIDTH, short),
      ">= 0.85 x",
    );
    const nothing = (): PromiseLike<unknown> => pool.submit(add, 1, 2);
    await compare(`${name}: no-op, all at once`, pool, () => burst(BURST, nothing), "");
  }
}

/** Measures with and without a trace. */
async function compare(
  what: string,
  pool: Pool,
  run: () => Promise<number>,
  goal: string,
): Promise<void> {
  const rates = await interleave(REPEATS, {
    off: run,
    on: async () => {
      using _tracing = trace(pool);
      return await run();
    },
  });
  const ratio = `${(rates.on / rates.off).toFixed(2)} x`;
  row(what, `${grouped(rates.off)}/s`, `${grouped(rates.on)}/s`, ratio, goal);
}
