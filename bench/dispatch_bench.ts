/**
 * What does a task cost, compared with a hand-written `postMessage` loop?
 *
 * `deno run -A bench/dispatch_bench.ts` measures both in one process, in turn, and prints medians
 * and ratios. `deno bench -A bench/dispatch_bench.ts` shows the same calls one by one.
 *
 * @module
 */

import { ThreadPoolExecutor, transfer } from "@concurrent/futures";
import { CallsByHand, copyOfObject, mebibyte, registerCalls } from "./_by_hand.ts";
import {
  burst,
  grouped,
  inFlight,
  interleave,
  median,
  oneByOne,
  percentile,
  processorMs,
  row,
  timerLateness,
} from "./_measure.ts";
import { add, compute, echo, increment, lengthOf, sleep } from "./_tasks.ts";

const REPEATS = 9;
const BURST = 20_000;
const MOVES = 1_000;
const MAP_ITEMS = 1_000_000;
const PENDING = 200_000;

/** A worker called by hand. */
class RawWorker extends CallsByHand {
  static readonly #SOURCE = `
    const calls = { add: (a, b) => a + b, echo: (v) => v, lengthOf: (a) => a.length };
    onmessage = ({ data: [id, name, args] }) => postMessage([id, calls[name](...args)]);
  `;
  readonly #worker = new Worker(
    `data:text/javascript,${encodeURIComponent(RawWorker.#SOURCE)}`,
    { type: "module" },
  );

  constructor() {
    super();
    this.#worker.onmessage = ({ data }): void => this.answer(data);
  }

  protected send(call: unknown[], moved: Transferable[]): void {
    this.#worker.postMessage(call, moved);
  }

  end(): void {
    this.#worker.terminate();
  }
}

if (import.meta.main) await printTable();
else registerBenches();

async function printTable(): Promise<void> {
  row("one worker", "postMessage", "pool", "ratio", "held to");
  const raw = new RawWorker();
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using pair = new ThreadPoolExecutor({ maxWorkers: 2 });
  await Promise.all([raw.call("add", 1, 2), pool.submit(add, 1, 2)]);
  await Promise.all([pair.submit(compute, 20), pair.submit(compute, 20)]);

  await throughput(raw, pool, pair);
  await latency(raw, pool);
  await bulk(raw, pool);
  await moves(raw, pool);
  raw.end();
  await stillness(pair);
  await punctuality(pair);
  await start();
  await pending(pool);
}

async function throughput(
  raw: RawWorker,
  pool: ThreadPoolExecutor,
  pair: ThreadPoolExecutor,
): Promise<void> {
  const show = (what: string, rates: { raw: number; pool: number }, goal: string): void => {
    const ratio = `${(rates.pool / rates.raw).toFixed(2)} x`;
    row(what, `${grouped(rates.raw)}/s`, `${grouped(rates.pool)}/s`, ratio, goal);
  };
  const bursts = await interleave(REPEATS, {
    raw: () => burst(BURST, () => raw.call("add", 3, 4)),
    pool: () => burst(BURST, () => pool.submit(add, 3, 4)),
    pair: () => burst(BURST, () => pair.submit(add, 3, 4)),
  });
  show("burst of 20,000, two ints", bursts, ">= 5 x");
  row(
    "  the same, two workers against one",
    `${grouped(bursts.pool)}/s`,
    `${grouped(bursts.pair)}/s`,
    `${(bursts.pair / bursts.pool).toFixed(2)} x`,
    ">= 1 x",
  );
  for (const [width, goal] of [[64, ">= 8 x"], [512, ""]] as const) {
    const rates = await interleave(REPEATS, {
      raw: () => inFlight(BURST, width, () => raw.call("add", 3, 4)),
      pool: () => inFlight(BURST, width, () => pool.submit(add, 3, 4)),
    });
    show(`${width} in flight, two ints`, rates, goal);
  }
  show(
    "100-byte object there and back, burst",
    await interleave(REPEATS, {
      raw: () => burst(BURST, () => raw.call("echo", copyOfObject())),
      pool: () => burst(BURST, () => pool.submit(echo, copyOfObject())),
    }),
    ">= 3.3 x",
  );
  show(
    "100-byte object there and back, 64 in flight",
    await interleave(REPEATS, {
      raw: () => inFlight(BURST, 64, () => raw.call("echo", copyOfObject())),
      pool: () => inFlight(BURST, 64, () => pool.submit(echo, copyOfObject())),
    }),
    ">= 3.3 x",
  );
}

/** Measures calls with newly made arrays that are transferred. */
async function moves(raw: RawWorker, pool: ThreadPoolExecutor): Promise<void> {
  for (const kib of [1, 10, 100]) {
    const fresh = (): Float64Array<ArrayBuffer> => new Float64Array(kib * 128);
    const move = (array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> =>
      transfer(array, [array.buffer]);
    const rates = await interleave(REPEATS, {
      raw: () => burst(MOVES, () => raw.move("lengthOf", fresh())),
      pool: () => burst(MOVES, () => pool.submit(lengthOf, move(fresh()))),
    });
    row(
      `${kib} KiB Float64Array moved in, burst of ${grouped(MOVES)}`,
      `${grouped(rates.raw)}/s`,
      `${grouped(rates.pool)}/s`,
      `${(rates.pool / rates.raw).toFixed(2)} x`,
      "",
    );
  }
}

async function latency(raw: RawWorker, pool: ThreadPoolExecutor): Promise<void> {
  const rawTimes: number[][] = [];
  const poolTimes: number[][] = [];
  for (let i = 0; i < REPEATS; i++) {
    rawTimes.push(await oneByOne(2_000, () => raw.call("add", 3, 4)));
    poolTimes.push(await oneByOne(2_000, () => pool.submit(add, 3, 4)));
  }
  for (const [percent, goal] of [[50, "<= 0.3 x"], [99, ""]] as const) {
    const rawUs = median(rawTimes.map((times) => percentile(times, percent))) * 1000;
    const poolUs = median(poolTimes.map((times) => percentile(times, percent))) * 1000;
    const ratio = `${(poolUs / rawUs).toFixed(2)} x`;
    row(
      `one after another, p${percent}`,
      `${rawUs.toFixed(1)} us`,
      `${poolUs.toFixed(1)} us`,
      ratio,
      goal,
    );
  }
}

async function bulk(raw: RawWorker, pool: ThreadPoolExecutor): Promise<void> {
  const array = mebibyte();
  const times = await interleave(REPEATS, {
    raw: async () => median(await oneByOne(100, () => raw.call("lengthOf", array))),
    pool: async () => median(await oneByOne(100, () => pool.submit(lengthOf, array))),
  });
  row(
    "1 MiB Float64Array in, number out",
    `${(times.raw * 1000).toFixed(0)} us`,
    `${(times.pool * 1000).toFixed(0)} us`,
    `${(times.pool / times.raw).toFixed(2)} x`,
    "<= 0.3 x",
  );

  const items = Array.from({ length: MAP_ITEMS }, (_, i) => i);
  const rate = (startMs: number): number => MAP_ITEMS / (performance.now() - startMs) * 1000;
  const rates = await interleave(REPEATS, {
    array: async () => {
      const startMs = performance.now();
      const results = await pool.map(increment, items).toArray();
      if (results.at(-1) !== MAP_ITEMS) throw new Error("Wrong result");
      return rate(startMs);
    },
    loop: async () => {
      const startMs = performance.now();
      for await (const _result of pool.map(increment, items));
      return rate(startMs);
    },
    blocking: () => {
      const startMs = performance.now();
      for (const _result of pool.map(increment, items));
      return rate(startMs);
    },
  });
  row("map of 1,000,000 x + 1, toArray()", "", `${grouped(rates.array)}/s`, "", ">= 6,000,000/s");
  row("  the same, for", "", `${grouped(rates.blocking)}/s`, "", "");
  row("  the same, for await", "", `${grouped(rates.loop)}/s`, "", "");
}

/** Measures the processor time of an idle pool of two. */
async function stillness(pair: ThreadPoolExecutor): Promise<void> {
  await pair.submit(add, 1, 2);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = processorMs();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const used = processorMs() - before;
  row("processor time, idle pool of 2, in 2 s", "", `${used.toFixed(0)} ms`, "", "< 5 ms");
}

async function punctuality(pair: ThreadPoolExecutor): Promise<void> {
  const late: number[] = [];
  for (let i = 0; i < 50; i++) {
    const startMs = performance.now();
    const slept = await pair.submit(sleep, 20);
    late.push(performance.now() - startMs - slept);
  }
  row("added to a task that sleeps 20 ms, p50", "", `${median(late).toFixed(2)} ms`, "", "< 1 ms");

  const busy = [pair.submit(compute, 2000), pair.submit(compute, 2000)];
  const drifts = await timerLateness(1, () => busy.every((future) => future.done()));
  const drift = percentile(drifts, 99).toFixed(2);
  row("late 1 ms timer, 2 workers computing, p99", "", `${drift} ms`, "", "< 3 ms");

  let isOver = false;
  const flood = Promise.all(Array.from({ length: 512 }, async () => {
    while (!isOver) await pair.submit(add, 1, 2);
  }));
  const endMs = performance.now() + 2000;
  const lates = await timerLateness(10, () => performance.now() > endMs);
  isOver = true;
  await flood;
  const worst = Math.max(...lates).toFixed(1);
  row("late 10 ms timer, flood of 512, worst", "", `${worst} ms`, "", "<= 20 ms");
}

/** Measures the time from making a pool to its first result, beside the start of a bare worker. */
async function start(): Promise<void> {
  const times = await interleave(15, {
    bare: async () => {
      const startMs = performance.now();
      const worker = new Worker("data:text/javascript,onmessage = (e) => postMessage(e.data)", {
        type: "module",
      });
      const answered = new Promise((resolve) => worker.onmessage = resolve);
      worker.postMessage(1);
      await answered;
      const elapsedMs = performance.now() - startMs;
      worker.terminate();
      return elapsedMs;
    },
    pool: async () => {
      const startMs = performance.now();
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      await pool.submit((x: number) => x + 1, 1);
      const elapsedMs = performance.now() - startMs;
      await pool.shutdown();
      return elapsedMs;
    },
  });
  row(
    "first result of a fresh pool",
    `${times.bare.toFixed(1)} ms`,
    `${times.pool.toFixed(1)} ms`,
    `${(times.pool / times.bare).toFixed(2)} x`,
    "<= 1.5 x",
  );
}

/** Measures many futures that are pending at once. */
async function pending(pool: ThreadPoolExecutor): Promise<void> {
  const before = Deno.memoryUsage();
  const startMs = performance.now();
  const futures = Array.from({ length: PENDING }, (_, i) => pool.submit(add, i, 1));
  const after = Deno.memoryUsage();
  const bytes = (after.heapUsed + after.external - before.heapUsed - before.external) / PENDING;
  let total = 0;
  for (const future of futures) total += await future;
  if (total !== PENDING * (PENDING + 1) / 2) throw new Error("A result is wrong or lost");
  const rate = PENDING / (performance.now() - startMs) * 1000;
  row("200,000 futures at once, all settled", "", `${grouped(rate)}/s`, "", "none lost");
  row("  memory of each while pending", "", `${bytes.toFixed(0)} bytes`, "", "");
}

function registerBenches(): void {
  const raw = new RawWorker();
  registerCalls("postMessage", raw, new ThreadPoolExecutor({ maxWorkers: 1 }));
  globalThis.addEventListener("unload", () => raw.end());
}
