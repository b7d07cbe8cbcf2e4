/**
 * What does a task in another process cost, compared with a hand-written loop over a child's ipc
 * channel?
 *
 * `deno run -A bench/process_bench.ts` measures both in one process, in turn, and prints medians
 * and ratios. `deno bench -A bench/process_bench.ts` shows some of the same calls one by one.
 *
 * @module
 */

import { Lock, ProcessPoolExecutor, Queue, ThreadPoolExecutor } from "@concurrent/futures";
import { type ChildProcess, spawn } from "node:child_process";
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
} from "./_measure.ts";
import { getNumbers, lockAndRelease, putNumbers, returnNumbers } from "./_process_tasks.ts";
import { add, compute, echo, increment, lengthOf } from "./_tasks.ts";

const REPEATS = 9;
const BURST = 20_000;
const CALLS = 2_000;
const MEBIBYTE = 1 << 20;
const MEBIBYTES = 50;
const MAP_ITEMS = 1_000_000;
const STARTS = 9;
const IDLE_MS = 2_000;
const LOCKS = 2_000;
const ROUNDS = 1_000;
const ITEMS = 5_000;
const BATCH = 100;

/** A child called by hand. */
class RawChild extends CallsByHand {
  static readonly #SOURCE = `
    import process from "node:process";
    const calls = {
      add: (a, b) => a + b,
      echo: (v) => v,
      lengthOf: (a) => a.length,
      flood: (count) => { for (let i = 0; i < count; i++) process.send([0, i]); return count; },
    };
    process.on("message", ([id, name, args]) => process.send([id, calls[name](...args)]));
    process.on("disconnect", () => process.exit());
  `;
  readonly #child: ChildProcess = spawn(
    Deno.execPath(),
    [
      "run",
      "--quiet",
      "--no-config",
      `data:text/javascript,${encodeURIComponent(RawChild.#SOURCE)}`,
    ],
    { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" },
  );

  constructor() {
    super();
    this.#child.on("message", (message) => this.answer(message as [number, unknown]));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  protected send(call: [id: number, name: string, args: unknown[]]): void {
    this.#child.send(call);
  }

  /** Ends the child. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on("exit", () => resolve());
      this.#child.disconnect();
    });
  }
}

if (import.meta.main) await printTable();
else registerBenches();

async function printTable(): Promise<void> {
  row("processes", "child by hand", "pool", "ratio", "held to");
  await start();
  const raw = new RawChild();
  {
    await using one = new ProcessPoolExecutor({ maxWorkers: 1 });
    await using pair = new ProcessPoolExecutor({ maxWorkers: 2 });
    await using threads = new ThreadPoolExecutor({ maxWorkers: 2 });
    await raw.call("add", 1, 2);
    for (const pool of [one, pair, threads]) {
      await Promise.all([pool.submit(compute, 200), pool.submit(compute, 200)]);
    }
    await throughput(raw, pair, threads);
    await latency(raw, one);
    await bulk(raw, one, pair);
    await stillness(raw, pair);
    await sharing(raw, one);
  }
  await raw.end();
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

/** Returns a figure's goal, and whether it is met. */
function verdict(says: string, isMet: boolean): string {
  return `${says}: ${isMet ? "met" : "missed"}`;
}

function atLeast(value: number, least: number, unit: string): string {
  return verdict(`>= ${grouped(least)}${unit}`, value >= least);
}

function atMost(value: number, most: number, unit: string): string {
  return verdict(`<= ${most} ${unit}`, value <= most);
}

function showRates(what: string, raw: number, pool: number, goal = "", unit = "/s"): void {
  row(what, `${grouped(raw)}${unit}`, `${grouped(pool)}${unit}`, times(pool / raw), goal);
}

/**
 * Measures the time from making a pool to its first result and to its end, beside a bare child that
 * answers one message.
 */
async function start(): Promise<void> {
  const firsts: Record<"bare" | "pool", number[]> = { bare: [], pool: [] };
  const wholes = await interleave(STARTS, {
    bare: async () => {
      const startMs = performance.now();
      const child = new RawChild();
      await child.call("add", 1, 1);
      firsts.bare.push(performance.now() - startMs);
      await child.end();
      return performance.now() - startMs;
    },
    pool: async () => {
      const startMs = performance.now();
      const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
      await pool.submit((x: number) => x + 1, 1);
      firsts.pool.push(performance.now() - startMs);
      await pool.shutdown();
      return performance.now() - startMs;
    },
  });
  const [bare, pool] = [median(firsts.bare.slice(1)), median(firsts.pool.slice(1))];
  row(
    "first result of a fresh pool",
    `${bare.toFixed(0)} ms`,
    `${pool.toFixed(0)} ms`,
    times(pool / bare),
    atMost(pool, 150, "ms"),
  );
  row(
    "  the same, the very first of the program",
    `${firsts.bare[0].toFixed(0)} ms`,
    `${firsts.pool[0].toFixed(0)} ms`,
    times(firsts.pool[0] / firsts.bare[0]),
    "",
  );
  row(
    "start, one task, shutdown",
    `${wholes.bare.toFixed(0)} ms`,
    `${wholes.pool.toFixed(0)} ms`,
    times(wholes.pool / wholes.bare),
    "",
  );
}

async function throughput(
  raw: RawChild,
  pair: ProcessPoolExecutor,
  threads: ThreadPoolExecutor,
): Promise<void> {
  const bursts = await interleave(REPEATS, {
    raw: () => burst(BURST, () => raw.call("add", 3, 4)),
    pair: () => burst(BURST, () => pair.submit(add, 3, 4)),
    threads: () => burst(BURST, () => threads.submit(add, 3, 4)),
  });
  const goal = atLeast(bursts.pair, 300_000, "/s");
  showRates("burst of 20,000, two ints, 2 processes", bursts.raw, bursts.pair, goal);
  showRates("  beside it: 2 threads", bursts.raw, bursts.threads);
  for (const width of [64, 512]) {
    const rates = await interleave(REPEATS, {
      raw: () => inFlight(BURST, width, () => raw.call("add", 3, 4)),
      pair: () => inFlight(BURST, width, () => pair.submit(add, 3, 4)),
    });
    showRates(`${width} in flight, two ints, 2 processes`, rates.raw, rates.pair);
  }
  const objects = await interleave(REPEATS, {
    raw: () => burst(BURST, () => raw.call("echo", copyOfObject())),
    pair: () => burst(BURST, () => pair.submit(echo, copyOfObject())),
  });
  showRates("100-byte object there and back, burst", objects.raw, objects.pair);
}

async function latency(raw: RawChild, one: ProcessPoolExecutor): Promise<void> {
  const rawTimes: number[][] = [];
  const poolTimes: number[][] = [];
  for (let i = 0; i < REPEATS; i++) {
    rawTimes.push(await oneByOne(CALLS, () => raw.call("add", 3, 4)));
    poolTimes.push(await oneByOne(CALLS, () => one.submit(add, 3, 4)));
  }
  for (const percent of [50, 99]) {
    const rawUs = median(rawTimes.map((times) => percentile(times, percent))) * 1000;
    const poolUs = median(poolTimes.map((times) => percentile(times, percent))) * 1000;
    row(
      `one after another, 1 process, p${percent}`,
      `${rawUs.toFixed(0)} us`,
      `${poolUs.toFixed(0)} us`,
      times(poolUs / rawUs),
      percent === 50 ? atMost(poolUs, 60, "us") : "",
    );
  }
}

async function bulk(
  raw: RawChild,
  one: ProcessPoolExecutor,
  pair: ProcessPoolExecutor,
): Promise<void> {
  const array = mebibyte();
  const megabytes = (calls: number): number => calls * MEBIBYTE / 1e6;
  const singly = await interleave(REPEATS, {
    raw: () => inFlight(MEBIBYTES, 1, () => raw.call("lengthOf", array)),
    pool: () => inFlight(MEBIBYTES, 1, () => one.submit(lengthOf, array)),
  });
  const rate = megabytes(singly.pool);
  const goal = atLeast(rate, 500, " MB/s");
  const name = "1 MiB Float64Array in, number out";
  showRates(name, megabytes(singly.raw), rate, goal, " MB/s");
  const several = await interleave(REPEATS, {
    raw: () => inFlight(MEBIBYTES, 4, () => raw.call("lengthOf", array)),
    pool: () => inFlight(MEBIBYTES, 4, () => pair.submit(lengthOf, array)),
  });
  showRates(
    "  the same, 4 in flight, 2 processes",
    megabytes(several.raw),
    megabytes(several.pool),
    "",
    " MB/s",
  );

  const items = Array.from({ length: MAP_ITEMS }, (_, i) => i);
  const mapped = await interleave(3, {
    pool: async () => {
      const startMs = performance.now();
      const results = await pair.map(increment, items).toArray();
      if (results.at(-1) !== MAP_ITEMS) throw new Error("Wrong result");
      return MAP_ITEMS / (performance.now() - startMs) * 1000;
    },
  });
  row("map of 1,000,000 x + 1, toArray()", "", `${grouped(mapped.pool)}/s`, "", "");
}

/**
 * Measures the processor time of an idle pool of two: that of this process and its children
 * together.
 */
async function stillness(raw: RawChild, pair: ProcessPoolExecutor): Promise<void> {
  await pair.submit(add, 1, 2);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const used = (): number =>
    processorMs() + pair.pids.reduce((sum, pid) => sum + processorMs(pid), 0);
  const [before, rawBefore] = [used(), processorMs(raw.pid)];
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const [after, rawAfter] = [used(), processorMs(raw.pid)];
  row(
    "processor time, idle pool of 2 and parent, 2 s",
    `${(rawAfter - rawBefore).toFixed(0)} ms`,
    `${(after - before).toFixed(0)} ms`,
    "",
    verdict("<= 10 ms", after - before <= 10),
  );
}

// Objects of this process, used by a child

async function sharing(raw: RawChild, one: ProcessPoolExecutor): Promise<void> {
  row("\nobjects of the parent, in a child", "child by hand", "ours", "ratio", "");
  const lock = new Lock();
  const pairs = await interleave(REPEATS, {
    raw: async () => median(await oneByOne(CALLS, () => raw.call("add", 3, 4))) * 1000,
    lock: async () => await one.submit(lockAndRelease, lock, LOCKS),
  });
  row(
    "Lock: acquireSync and release, a round trip",
    `${pairs.raw.toFixed(0)} us`,
    `${pairs.lock.toFixed(0)} us`,
    times(pairs.lock / pairs.raw),
    "",
  );

  const rounds = await interleave(REPEATS, {
    raw: async () => median(await oneByOne(CALLS, () => raw.call("add", 3, 4))) * 1000,
    queue: () => thereAndBack(one),
  });
  row(
    "Queue: there and back, a round trip",
    `${rounds.raw.toFixed(0)} us`,
    `${rounds.queue.toFixed(0)} us`,
    times(rounds.queue / rounds.raw),
    "",
  );

  for (const batch of [1, BATCH]) {
    const rates = await interleave(REPEATS, {
      raw: () => floodOf(raw),
      up: () => fromChild(one, batch),
      down: () => toChild(one, batch),
    });
    const name = batch === 1 ? "one by one" : `by ${batch}`;
    showRates(`Queue: put in a child, ${name}`, rates.raw, rates.up);
    showRates(`Queue: got in a child, ${name}`, rates.raw, rates.down);
  }
}

/** Returns how many numbers per second a child sends by hand. */
async function floodOf(raw: RawChild): Promise<number> {
  const startMs = performance.now();
  await raw.call("flood", ITEMS);
  return ITEMS / (performance.now() - startMs) * 1000;
}

function countOf(batch: number): number {
  return batch === 1 ? ITEMS : ITEMS * 10;
}

async function fromChild(pool: ProcessPoolExecutor, batch: number): Promise<number> {
  const queue = new Queue<number>();
  const count = countOf(batch);
  const startMs = performance.now();
  const put = pool.submit(putNumbers, queue, count, batch);
  for (let left = count; left > 0;) left -= (await queue.getMany(batch)).length;
  await put;
  return count / (performance.now() - startMs) * 1000;
}

async function toChild(pool: ProcessPoolExecutor, batch: number): Promise<number> {
  const queue = new Queue<number>();
  const count = countOf(batch);
  for (let i = 0; i < count; i++) queue.putNowait(i);
  const startMs = performance.now();
  await pool.submit(getNumbers, queue, count, batch);
  return count / (performance.now() - startMs) * 1000;
}

/** Returns the microseconds from a put here until the item has come back from the child. */
async function thereAndBack(pool: ProcessPoolExecutor): Promise<number> {
  const there = new Queue<number>();
  const back = new Queue<number>();
  const returned = pool.submit(returnNumbers, there, back, ROUNDS);
  const startMs = performance.now();
  for (let i = 0; i < ROUNDS; i++) {
    there.putNowait(i);
    await back.get();
  }
  await returned;
  return (performance.now() - startMs) * 1000 / ROUNDS;
}

function registerBenches(): void {
  const raw = new RawChild();
  const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  registerCalls("by hand", raw, pool);
  globalThis.addEventListener("unload", () => {
    void raw.end();
    pool.shutdownSync();
  });
}
