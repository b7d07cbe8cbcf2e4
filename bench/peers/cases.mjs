/**
 * The cases. Each has a title, what it measures (with a unit, and whether more is better), and `run`, which is given a contestant's
 * `start` (and `own`, for what only some have), whether to be `quick`, and gives a figure for each of its measures.
 * What a contestant does not have is left out.
 */

import { gcd } from "./functions.mjs";
import { OBJECT } from "../_object.mjs";
import { median, oneByOne, percentile, timerLateness } from "../_timing.mjs";
import { burst, inFlight, processorMs, repeated, residentBytes, sleep, timed } from "./measure.mjs";

const page = () => ({
  page: 1,
  rows: Array.from({ length: 100 }, (_, i) => ({ ...OBJECT, id: i })),
});
const MEBIBYTE = 1 << 20;
const FLOATS = MEBIBYTE / Float64Array.BYTES_PER_ELEMENT;
const PAIRS = [[1231312, 434344], [2013123, 111110], [34423323, 123123], [
  234345,
  345345,
]];
const CHUNK = 1_000;
const BURST = 20_000;

const rate = (label) => ({ label, unit: "/s", isMoreBetter: true });
const time = (label, unit = "ms") => ({ label, unit, isMoreBetter: false });

/** What each worker is called for before anything is measured, so that it has loaded all. */
const FIRST_CALLS = [
  ["compute", 5],
  ["add", 3, 4],
  ["echo", 1],
  ["lengthOf", [1]],
  ["increment", 1],
  ["incrementAll", [1]],
  ["gcd", [4, 2]],
];

/** Starts workers, has each answer, runs, and ends them. */
async function withWorkers({ start }, workers, run) {
  const pool = await start(workers);
  for (const first of FIRST_CALLS) {
    await Promise.all(
      Array.from({ length: workers }, () => pool.call(...first)),
    );
  }
  const sum = await pool.call("add", 3, 4);
  if (sum !== 7) throw new Error(`Cannot measure: 3 + 4 was said to be ${sum}`);
  try {
    return await run(pool);
  } finally {
    await pool.end();
  }
}

function bursts(workers) {
  return (subject) =>
    withWorkers(subject, workers, async (pool) => {
      const count = subject.quick ? 500 : BURST;
      const ms = await repeated(subject.quick ? 1 : 5, () =>
        burst(count, () => pool.call("add", 3, 4)));
      return { rate: count / ms * 1000 };
    });
}

function map(pool, name, chunkName, items) {
  if (pool.map !== undefined) return pool.map(name, items);
  const chunks = [];
  for (let i = 0; i < items.length; i += CHUNK) {
    chunks.push(pool.call(chunkName, items.slice(i, i + CHUNK)));
  }
  return Promise.all(chunks).then((parts) => parts.flat());
}

/** Those without `map` are called for each pair. */
function mapPairs(pool, pairs) {
  return pool.map?.("gcd", pairs) ??
    Promise.all(pairs.map((pair) => pool.call("gcd", pair)));
}

export const cases = {
  burst: {
    title: "20,000 tasks at once, 1 worker",
    measures: { rate: rate("tasks") },
    run: bursts(1),
  },
  burst2: {
    title: "20,000 tasks at once, 2 workers",
    measures: { rate: rate("tasks") },
    run: bursts(2),
  },
  flight: {
    title: "A new task for each that is done, 1 worker",
    measures: { of64: rate("64 in flight"), of512: rate("512 in flight") },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const count = subject.quick ? 500 : BURST / 2;
        const measure = async (width) =>
          count * 1000 / await repeated(subject.quick ? 1 : 5, () =>
            inFlight(count, width, () =>
              pool.call("add", 3, 4)));
        return { of64: await measure(64), of512: await measure(512) };
      }),
  },
  single: {
    title: "One task after another, 1 worker",
    measures: { p50: time("p50", "µs"), p99: time("p99", "µs") },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const count = subject.quick ? 200 : 3_000;
        const call = () => pool.call("add", 3, 4);
        await oneByOne(count, call);
        const times = await oneByOne(count, call);
        return {
          p50: percentile(times, 50) * 1000,
          p99: percentile(times, 99) * 1000,
        };
      }),
  },
  added: {
    title: "Time added to a task that computes for so long, 1 worker",
    measures: {
      of1: time("1 ms"),
      of5: time("5 ms"),
      of20: time("20 ms"),
      of50: time("50 ms"),
    },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const measure = async (ms, times) => {
          const added = [];
          for (let i = 0; i < times; i++) {
            let computedMs;
            const elapsedMs = await timed(async () => computedMs = await pool.call("compute", ms));
            added.push(elapsedMs - computedMs);
          }
          return median(added);
        };
        const times = (many) => subject.quick ? 2 : many;
        return {
          of1: await measure(1, times(50)),
          of5: await measure(5, times(20)),
          of20: await measure(20, times(10)),
          of50: await measure(50, times(7)),
        };
      }),
  },
  idle: {
    title: "Processor time of 2 idle workers in 2 s, after a burst",
    measures: { cpu: time("") },
    run: (subject) =>
      withWorkers(subject, 2, async (pool) => {
        await burst(1_000, () => pool.call("add", 3, 4));
        await sleep(subject.quick ? 50 : 300);
        const before = processorMs();
        const scale = subject.quick ? 20 : 1;
        await sleep(2000 / scale);
        return { cpu: (processorMs() - before) * scale };
      }),
  },
  gcd: {
    title: "gcd of pairs, 2 workers, against a plain loop",
    measures: {
      warm: { label: "workers there", unit: "x", isMoreBetter: true },
      cold: { label: "start included", unit: "x", isMoreBetter: true },
      linear: time("plain loop"),
    },
    async run(subject) {
      const pairs = Array.from({ length: subject.quick ? 4 : 100 }, () => PAIRS)
        .flat();
      const inLoop = () => timed(() => pairs.forEach((pair) => gcd(pair)));
      const linear = await repeated(3, inLoop);
      const warm = await withWorkers(
        subject,
        2,
        (pool) =>
          repeated(
            subject.quick ? 1 : 5,
            () => timed(() => mapPairs(pool, pairs)),
          ),
      );
      const figures = { warm: linear / warm, linear };
      try {
        const cold = await timed(async () => {
          const pool = await subject.start(2);
          await mapPairs(pool, pairs);
          await pool.end();
        });
        return { ...figures, cold: linear / cold };
      } catch (error) {
        throw Object.assign(error, { figures });
      }
    },
  },
  map: {
    title: "x + 1 for each of 1,000,000 numbers, 2 workers (without a map: by hand, 1,000 a task)",
    measures: { rate: rate("items") },
    run: (subject) =>
      withWorkers(subject, 2, async (pool) => {
        const count = subject.quick ? 10_000 : 1_000_000;
        const items = Array.from({ length: count }, (_, i) => i);
        const ms = await repeated(subject.quick ? 1 : 3, () =>
          timed(async () => {
            const results = await map(pool, "increment", "incrementAll", items);
            if (results.at(-1) !== count) {
              throw new Error("Cannot measure: a result is wrong");
            }
          }));
        return { rate: count / ms * 1000 };
      }),
  },
  objects: {
    title: "Objects there and back, 1 worker",
    measures: {
      small: rate("100 B, 64 in flight"),
      large: rate("10 KB, 64 in flight"),
      one: time("10 KB, one by one, p50", "µs"),
    },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const large = page();
        const count = subject.quick ? 200 : 10_000;
        const few = count / 20;
        const times = subject.quick ? 1 : 3;
        const small = await repeated(times, () =>
          inFlight(count, 64, () => pool.call("echo", { ...OBJECT, tags: [...OBJECT.tags] })));
        const many = await repeated(times, () =>
          inFlight(few, 64, () => pool.call("echo", large)));
        const each = await oneByOne(few, () => pool.call("echo", large));
        return {
          small: count / small * 1000,
          large: few / many * 1000,
          one: median(each) * 1000,
        };
      }),
  },
  mebibyte: {
    title: "A Float64Array of 1 MiB in, its length out, 1 worker, p50",
    measures: {
      copied: time("copied", "µs"),
      transferred: time("transferred", "µs"),
      shared: time("shared", "µs"),
    },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const count = subject.quick ? 5 : 200;
        const p50 = async (call) => {
          await call();
          const times = [];
          for (let i = 0; i < count; i++) times.push(await call());
          return median(times) * 1000;
        };
        const check = (length) => {
          if (length !== FLOATS) {
            throw new Error(`Cannot measure: the length is ${length}`);
          }
        };
        const array = new Float64Array(FLOATS).fill(1.5);
        const figures = {};
        if (!pool.movesAlways) {
          figures.copied = await p50(() =>
            timed(async () => check(await pool.call("lengthOf", array)))
          );
        }
        if (pool.transfer !== undefined) {
          figures.transferred = await p50(() => {
            const copy = array.slice();
            return timed(async () => check(await pool.transfer("lengthOf", [copy], [copy.buffer])));
          });
        }
        const view = new Float64Array(new SharedArrayBuffer(MEBIBYTE)).fill(
          1.5,
        );
        try {
          figures.shared = await p50(() =>
            timed(async () => check(await pool.call("lengthOf", view)))
          );
        } catch { /* Processes share no memory. */ }
        return figures;
      }),
  },
  drift: {
    title: "How late timers of the main thread fire, 2 workers",
    measures: {
      flood: time("512 in flight, worst"),
      busy: time("both computing, p99"),
    },
    run: (subject) =>
      withWorkers(subject, 2, async (pool) => {
        const ms = subject.quick ? 50 : 1_000;
        let isDone = false;
        const computing = Promise.all([
          pool.call("compute", ms),
          pool.call("compute", ms),
        ]);
        computing.then(() => isDone = true);
        const busy = percentile(await timerLateness(1, () => isDone), 99);
        await computing;
        let isOver = false;
        const flood = Promise.all(Array.from({ length: 512 }, async () => {
          while (!isOver) await pool.call("add", 3, 4);
        }));
        const endMs = performance.now() + ms;
        const late = await timerLateness(10, () => performance.now() > endMs);
        isOver = true;
        await flood;
        return { flood: Math.max(...late), busy };
      }),
  },
  start: {
    title: "From nothing to the first result, 1 worker, modules of the main thread loaded",
    measures: { first: time("first pool"), later: time("later ones") },
    async run(subject) {
      const times = [];
      for (let i = 0; i < (subject.quick ? 2 : 6); i++) {
        let pool;
        times.push(
          await timed(async () => {
            pool = await subject.start(1);
            await pool.call("add", 3, 4);
          }),
        );
        await pool.end();
      }
      return { first: times[0], later: median(times.slice(1)) };
    },
  },
  end: {
    title: "From the call that ends 2 workers to the end of the program",
    measures: { end: time("") },
    async run(subject) {
      await withWorkers(subject, 2, () => subject.endsNow());
      return {};
    },
  },
  memory: {
    title: "Memory of a worker, of 4 that have answered",
    measures: { worker: time("", "MB") },
    async run(subject) {
      const WORKERS = 4;
      const before = residentBytes();
      return await withWorkers(subject, WORKERS, async (pool) => {
        await burst(100, () => pool.call("add", 3, 4));
        return { worker: (residentBytes() - before) / WORKERS / 1e6 };
      });
    },
  },
  pending: {
    title: "Cost of a task while so many are pending, 1 worker",
    measures: {
      of10: time("10", "µs"),
      of1000: time("1,000", "µs"),
      of100000: time("100,000", "µs"),
      of1000000: time("1,000,000", "µs"),
      heap: time("heap of each of 100,000", "B"),
    },
    run: (subject) =>
      withWorkers(subject, 1, async (pool) => {
        const call = () => pool.call("add", 3, 4);
        const LIMIT_US = 3_000_000;
        const figures = {};
        let eachUs = 0;
        await burst(1_000, call);
        for (
          const count of subject.quick ? [10, 1_000] : [10, 1_000, 100_000, 1_000_000]
        ) {
          if (eachUs * count > LIMIT_US) break;
          const times = [];
          for (let i = 0; i < Math.min(9, 100_000 / count); i++) {
            times.push(await burst(count, call));
          }
          figures[`of${count}`] = eachUs = median(times) * 1000 / count;
        }
        if (eachUs * 100_000 > LIMIT_US) return figures;
        const count = subject.quick ? 1_000 : 100_000;
        const heap = () => {
          globalThis.gc?.();
          return subject.heapBytes();
        };
        // What the last burst has left behind is given up in two steps.
        heap();
        await sleep(50);
        const before = heap();
        const futures = Array.from({ length: count }, call);
        figures.heap = (heap() - before) / count;
        await Promise.all(futures);
        return figures;
      }),
  },
  workers: {
    title: "20,000 tasks at once, by number of workers",
    measures: {
      of1: rate("1"),
      of2: rate("2"),
      of4: rate("4"),
      of8: rate("8"),
      of16: rate("16"),
      worst: { label: "worst of best", unit: "x", isMoreBetter: true },
    },
    async run(subject) {
      const figures = {};
      for (const workers of subject.quick ? [1, 2] : [1, 2, 4, 8, 16]) {
        figures[`of${workers}`] = (await bursts(workers)({ ...subject })).rate;
      }
      const rates = Object.values(figures);
      return { ...figures, worst: Math.min(...rates) / Math.max(...rates) };
    },
  },
  lock: {
    title: "A lock, taken and released",
    own: true,
    measures: {
      blocking: time("blocking", "ns"),
      promise: time("promise", "ns"),
      fight: rate("2 workers, blocking"),
      fightPromise: rate("2 workers, promise"),
    },
    async run({ own, quick }) {
      const lock = await own.lock.start();
      const count = quick ? 1_000 : 200_000;
      const alone = async (isBlocking, times) =>
        await repeated(3, () => lock.here(isBlocking, times)) * 1e6 / times;
      const together = async (isBlocking, times) => {
        const both = () =>
          Promise.all([
            lock.there(isBlocking, times),
            lock.there(isBlocking, times),
          ]);
        await both();
        return 2 * times / Math.max(...await both()) * 1000;
      };
      const figures = {
        blocking: await alone(true, count),
        promise: await alone(false, count / 4),
        fight: await together(true, count * 5),
        fightPromise: await together(false, count / 2),
      };
      await lock.end();
      return figures;
    },
  },
  queue: {
    title: "A queue of small integers, one worker puts, one gets",
    own: true,
    measures: {
      blocking: rate("blocking"),
      promise: rate("promise"),
      many: rate("by 100, blocking"),
    },
    async run({ own, quick }) {
      const queue = await own.queue.start();
      const measure = async (pass, count) =>
        count / await repeated(quick ? 1 : 3, () => pass(count)) * 1000;
      const count = quick ? 1_000 : 100_000;
      const figures = {};
      if (queue.blocking) {
        figures.blocking = await measure(queue.blocking, count);
      }
      if (queue.promise) {
        figures.promise = await measure(queue.promise, count / 4);
      }
      if (queue.many) figures.many = await measure(queue.many, count * 5);
      await queue.end();
      return figures;
    },
  },
};
