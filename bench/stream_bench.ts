/**
 * What does a value streamed from a worker cost, compared with a message for each value from a
 * hand-written worker?
 *
 * `deno run -A bench/stream_bench.ts` measures both in one process, in turn, and prints medians and
 * ratios. `deno bench -A bench/stream_bench.ts` shows short streams one by one.
 *
 * Nothing limits how far the hand-written worker is ahead: it posts all that it has.
 *
 * @module
 */

import {
  AsyncExecutor,
  type Executor,
  ProcessPoolExecutor,
  Queue,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { type ChildProcess, spawn } from "node:child_process";
import { grouped, interleave, row } from "./_measure.ts";
import { OBJECT } from "./_object.mjs";
import { arrays, numbers, numbersLater, objects, putNumbers } from "./_stream_tasks.ts";

const REPEATS = 7;
const MEBIBYTE = 1 << 20;
/** Values of one measurement, so many that it takes a few tenths of a second. */
const VALUES = 300_000;
const OBJECTS = 100_000;
const ARRAYS = 200;
const BATCH = 100;
/**
 * How many short streams a measurement takes: streams of one value, or streams that are left after
 * one.
 */
const SHORT = 500;
const AHEAD = 1000;

/** The code of hand-written workers: they post values, then `null`. */
const BY_HAND = `
  const object = ${JSON.stringify(OBJECT)};
  function send(kind, count, post) {
    const array = kind === "arrays" ? new Float64Array(${MEBIBYTE / 8}).fill(1.5) : undefined;
    for (let n = 0; n < count; n++) post(kind === "numbers" ? n : array ?? object);
    post(null);
  }
`;

type Kind = "numbers" | "objects" | "arrays";

/** A worker that posts a message for each value. */
class RawWorker {
  readonly #worker = new Worker(
    `data:text/javascript,${
      encodeURIComponent(
        `${BY_HAND} onmessage = ({ data: [kind, count] }) => send(kind, count, (v) => postMessage(v));`,
      )
    }`,
    { type: "module" },
  );

  receive(kind: Kind, count: number): Promise<number> {
    return received(count, (onValue) => {
      this.#worker.onmessage = ({ data }): void => onValue(data);
      this.#worker.postMessage([kind, count]);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

/** A child that sends a message for each value. */
class RawChild {
  readonly #child: ChildProcess = spawn(
    Deno.execPath(),
    [
      "run",
      "--quiet",
      "--no-config",
      `data:text/javascript,${
        encodeURIComponent(`
          import process from "node:process";
          ${BY_HAND}
          process.on("message", ([kind, count]) => send(kind, count, (value) => process.send([value])));
          process.on("disconnect", () => process.exit());
        `)
      }`,
    ],
    { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" },
  );

  receive(kind: Kind, count: number): Promise<number> {
    return received(count, (onValue) => {
      this.#child.removeAllListeners("message");
      this.#child.on("message", (message) => onValue((message as unknown[])[0]));
      this.#child.send([kind, count]);
    });
  }

  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on("exit", () => resolve());
      this.#child.disconnect();
    });
  }
}

/**
 * Resolves once `null` has come, to the number of values before it. Rejects if that number is not
 * the expected one.
 */
function received(
  expected: number,
  start: (onValue: (value: unknown) => void) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    start((value) => {
      if (value !== null) count++;
      else if (count === expected) resolve(count);
      else reject(new Error(`${count} of ${expected} values have come`));
    });
  });
}

/** Reads a stream with `for await`. */
async function readAll(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of stream) count++;
  return count;
}

/** Reads a stream with `for`, blocking. */
function readAllSync(stream: Iterable<unknown>): number {
  let count = 0;
  for (const _ of stream) count++;
  return count;
}

/** Returns how many values per second `read` reads. */
async function rate(expected: number, read: () => number | Promise<number>): Promise<number> {
  const startMs = performance.now();
  const count = await read();
  const elapsedMs = performance.now() - startMs;
  if (count !== expected) throw new Error(`${count} of ${expected} values have come`);
  return count / elapsedMs * 1000;
}

if (import.meta.main) await printTable();
else registerBenches();

async function printTable(): Promise<void> {
  row("one worker", "postMessage", "stream", "ratio", "held to");
  {
    const raw = new RawWorker();
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await throughput(raw, pool, 500_000);
    await byQueue(pool);
    await ends(pool);
    raw.end();
  }
  console.log();
  row("one process", "process.send", "stream", "ratio", "held to");
  {
    const raw = new RawChild();
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    await throughput(raw, pool, undefined);
    await ends(pool);
    await raw.end();
  }
  console.log();
  row("this event loop", "for await", "stream", "ratio", "");
  await onThisLoop();
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

function showRates(what: string, raw: number, ours: number, least?: number): void {
  const goal = least === undefined
    ? ""
    : `>= ${grouped(least)}/s: ${ours >= least ? "met" : "missed"}`;
  row(what, `${grouped(raw)}/s`, `${grouped(ours)}/s`, times(ours / raw), goal);
}

async function throughput(
  raw: { receive(kind: Kind, count: number): Promise<number> },
  pool: Executor,
  least: number | undefined,
): Promise<void> {
  await pool.submit(() => "started");
  const rates = await interleave(REPEATS, {
    raw: () => rate(VALUES, () => raw.receive("numbers", VALUES)),
    loop: () => rate(VALUES, () => readAll(pool.stream(numbers, VALUES))),
    blocking: () => rate(VALUES, () => readAllSync(pool.stream(numbers, VALUES))),
    array: () => rate(VALUES, async () => (await pool.stream(numbers, VALUES).toArray()).length),
    later: () => rate(VALUES, () => readAll(pool.stream(numbersLater, VALUES))),
    one: () =>
      rate(VALUES / 100, () => readAll(pool.with({ buffersize: 1 }).stream(numbers, VALUES / 100))),
  });
  showRates("numbers of a generator, for await", rates.raw, rates.loop, least);
  showRates("  the same, for", rates.raw, rates.blocking, least);
  showRates("  the same, toArray()", rates.raw, rates.array, least);
  showRates("  of an async generator, for await", rates.raw, rates.later, least);
  showRates("  one value ahead at most, for await", rates.raw, rates.one);
  const small = await interleave(REPEATS, {
    raw: () => rate(OBJECTS, () => raw.receive("objects", OBJECTS)),
    ours: () => rate(OBJECTS, () => readAll(pool.stream(objects, OBJECTS))),
  });
  showRates("objects of 100 bytes, for await", small.raw, small.ours);
  const large = await interleave(REPEATS, {
    raw: () => rate(ARRAYS, () => raw.receive("arrays", ARRAYS)),
    ours: () => rate(ARRAYS, () => readAll(pool.stream(arrays, ARRAYS, MEBIBYTE))),
  });
  row(
    "arrays of 1 MiB, for await",
    `${(large.raw * MEBIBYTE / 1e6).toFixed(0)} MB/s`,
    `${(large.ours * MEBIBYTE / 1e6).toFixed(0)} MB/s`,
    times(large.ours / large.raw),
    "",
  );
}

/** Measures a stream beside a queue that is sent to a task, which puts numbers in batches. */
async function byQueue(pool: Executor): Promise<void> {
  const rates = await interleave(REPEATS, {
    queue: () =>
      rate(VALUES, async () => {
        const queue = new Queue<number>(1024);
        const sent = pool.submit(putNumbers, queue, VALUES, BATCH);
        let count = 0;
        while (count < VALUES) {
          for (const _ of await queue.getMany(BATCH)) count++;
        }
        await sent;
        return count;
      }),
    ours: () => rate(VALUES, () => readAll(pool.stream(numbers, VALUES))),
  });
  showRates(`a Queue by hand, by ${BATCH}, in place of messages`, rates.queue, rates.ours);
}

/**
 * Measures what a stream costs besides its values, each kind beside a task that returns an array.
 */
async function ends(pool: Executor): Promise<void> {
  const each = async (step: () => Promise<unknown>): Promise<number> => {
    const startMs = performance.now();
    for (let i = 0; i < SHORT; i++) await step();
    return (performance.now() - startMs) * 1000 / SHORT;
  };
  const us = await interleave(REPEATS, {
    task: () => each(async () => await pool.submit(() => [1])),
    one: () => each(() => pool.stream(numbers, 1).toArray()),
    left: () =>
      each(async () => {
        for await (const _ of pool.stream(numbers, AHEAD)) break;
      }),
  });
  const show = (what: string, ours: number): void =>
    row(what, `${us.task.toFixed(0)} us`, `${ours.toFixed(0)} us`, times(ours / us.task), "");
  show("a stream of one value, beside a task", us.one);
  show("a stream left after the first, beside a task", us.left);
}

async function onThisLoop(): Promise<void> {
  await using executor = new AsyncExecutor();
  const rates = await interleave(REPEATS, {
    raw: () => rate(VALUES, () => readAll(numbersLater(VALUES))),
    ours: () => rate(VALUES, () => readAll(executor.stream(numbersLater, VALUES))),
  });
  showRates("numbers of an async generator, for await", rates.raw, rates.ours);
}

function registerBenches(): void {
  const raw = new RawWorker();
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (const count of [10, 10_000]) {
    const group = `${count} numbers`;
    Deno.bench({ group, name: `${group}: postMessage`, baseline: true }, async () => {
      await raw.receive("numbers", count);
    });
    Deno.bench({ group, name: `${group}: stream` }, async () => {
      await readAll(pool.stream(numbers, count));
    });
  }
  globalThis.addEventListener("unload", () => raw.end());
}
