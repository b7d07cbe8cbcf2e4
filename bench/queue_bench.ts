/**
 * What does an item that goes through a queue cost, compared with a message through a MessagePort
 * between the same threads?
 *
 * `deno run -A bench/queue_bench.ts` measures both in one process, in turn, and prints medians and
 * ratios. `deno bench -A bench/queue_bench.ts` shows the calls that need no second thread.
 *
 * @module
 */

import {
  Barrier,
  LifoQueue,
  PriorityQueue,
  Queue,
  SimpleQueue,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { cpuUsage } from "node:process";
import { grouped, interleave, median, percentile, row } from "./_measure.ts";
import {
  batchesOf,
  drain,
  fill,
  fillSync,
  getAll,
  getOne,
  itemOf,
  type Kind,
  type Load,
  makeWords,
  postAll,
  postAndAwait,
  postBack,
  putAll,
  receiveAll,
  received,
  returnAll,
  serve,
  serveSync,
  waitForRoom,
  WORD,
} from "./_queue_tasks.ts";

const REPEATS = 7;
/** The most items that a queue holds. */
const MAXSIZE = 1_000;
/** Items of one call of putMany or getMany. */
const BATCH = 100;
const ROUNDS = 5_000;
const WAKES = 200;
const IDLE_MS = 2_000;
const IDLE_REPEATS = 3;
/** How much the processor time of an idle process varies. */
const IDLE_NOISE_MS = 5;

/** Items of one measurement, so many that it takes a few tenths of a second. */
const COUNTS: Record<Kind, { readonly port: number; readonly one: number; readonly many: number }> =
  {
    "int": { port: 100_000, one: 500_000, many: 2_000_000 },
    "100 bytes": { port: 50_000, one: 200_000, many: 200_000 },
    "10 KB": { port: 2_000, one: 4_000, many: 4_000 },
  };

/** How many threads put, and how many get. */
type Shape = readonly [producers: number, consumers: number];

const SHAPES: readonly Shape[] = [[1, 1], [2, 1], [1, 2], [2, 2], [4, 4]];
const THREADS = 8;

/**
 * Items per second: by a MessagePort, and by a queue with single calls and with calls for many
 * items.
 */
interface Rates {
  readonly port: number;
  readonly one: number;
  readonly many: number;
}

/** A goal for a rate. */
interface Goal {
  readonly says: string;
  isMet(rate: number, portRate: number): boolean;
}

/** The goals for one producer and one consumer in two workers. */
const GOALS_BETWEEN: Partial<Record<Kind, Partial<Record<"one" | "many", Goal>>>> = {
  "int": {
    one: {
      says: ">= 3 M/s, >= 10 x",
      isMet: (rate, portRate) => rate >= 3e6 && rate >= 10 * portRate,
    },
    many: {
      says: ">= 10 M/s, >= 10 x",
      isMet: (rate, portRate) => rate >= 10e6 && rate >= 10 * portRate,
    },
  },
  "100 bytes": {
    one: { says: ">= 4 x", isMet: (rate, portRate) => rate >= 4 * portRate },
    many: { says: ">= 4 x", isMet: (rate, portRate) => rate >= 4 * portRate },
  },
};

/** The goal for the main thread, which awaits, and a worker. */
const AS_FAST: Goal = { says: ">= 1 x", isMet: (rate, portRate) => rate >= portRate };

if (import.meta.main) await printTable();
else registerBenches();

async function printTable(): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS });
  await startAll(pool);

  for (const kind of ["int", "100 bytes", "10 KB"] as const) {
    row(`${kind}, Sync, workers only`, "MessagePort", "Queue", "ratio", "held to");
    for (const shape of SHAPES) await between(pool, shape, kind);
    console.log();
  }
  for (const kind of ["int", "100 bytes", "10 KB"] as const) {
    row(`${kind}, main awaits, worker Sync`, "MessagePort", "Queue", "ratio", "held to");
    await fromMain(pool, kind);
    await toMain(pool, kind);
    console.log();
  }
  row("there and back", "MessagePort", "Queue", "ratio", "");
  await pingPong(pool);
  row("\nput on a full queue goes on after a get", "Atomics.wait", "Queue", "ratio", "held to");
  await goingOn(pool);
  row("\nprocessor time in 2 s", "Atomics.wait", "Queue", "", "held to");
  await stillness(pool);
}

/** Starts each worker: each gets a task that waits for the others. */
async function startAll(pool: ThreadPoolExecutor): Promise<void> {
  const all = new Barrier(THREADS);
  const arrive = (all: Barrier) => void all.waitSync();
  await Promise.all(Array.from({ length: THREADS }, () => pool.submit(arrive, all)));
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

/** Returns a figure's goal, and whether it is met. */
function verdict(says: string, isMet: boolean): string {
  return `${says}: ${isMet ? "met" : "missed"}`;
}

function showRates(what: string, rates: Rates, goals: Partial<Record<"one" | "many", Goal>>): void {
  for (const [calls, name] of [["one", "single"], ["many", `by ${BATCH}`]] as const) {
    const goal = goals[calls];
    row(
      `${what}, ${name}`,
      `${grouped(rates.port)}/s`,
      `${grouped(rates[calls])}/s`,
      times(rates[calls] / rates.port),
      goal === undefined ? "" : verdict(goal.says, goal.isMet(rates[calls], rates.port)),
    );
  }
}

// Throughput between workers

async function between(pool: ThreadPoolExecutor, shape: Shape, kind: Kind): Promise<void> {
  const { port, one, many } = COUNTS[kind];
  const rates = await interleave(REPEATS, {
    port: () => throughPorts(pool, shape, kind, port),
    one: () => throughQueue(pool, shape, kind, one, 1),
    many: () => throughQueue(pool, shape, kind, many, BATCH),
  });
  const [producers, consumers] = shape;
  const isHeldTo = producers === 1 && consumers === 1;
  const goals = isHeldTo ? GOALS_BETWEEN[kind] ?? {} : {};
  showRates(`${producers} to ${consumers}`, rates, goals);
}

async function throughQueue(
  pool: ThreadPoolExecutor,
  [producers, consumers]: Shape,
  kind: Kind,
  count: number,
  batch: number,
): Promise<number> {
  const queue = new Queue<unknown>(MAXSIZE);
  const start = new Barrier(producers + consumers);
  const put: Load = { kind, count: count / producers, batch };
  const get: Load = { kind, count: count / consumers, batch };
  const elapsedMs = await Promise.all([
    ...Array.from({ length: producers }, () => pool.submit(putAll, queue, start, put)),
    ...Array.from({ length: consumers }, () => pool.submit(getAll, queue, start, get)),
  ]);
  if (queue.qsize() !== 0) throw new Error(`${queue.qsize()} items are left over`);
  return count / Math.max(...elapsedMs) * 1000;
}

/**
 * Measures MessagePorts. A port leads to a single thread: with one producer or one consumer there
 * is a channel for each thread on the other side, and otherwise for each producer and its own
 * consumer.
 */
async function throughPorts(
  pool: ThreadPoolExecutor,
  [producers, consumers]: Shape,
  kind: Kind,
  count: number,
): Promise<number> {
  const start = new Barrier(producers + consumers);
  const post: Load = { kind, count: count / producers, batch: 1 };
  const receive: Load = { kind, count: count / consumers, batch: 1 };
  const channels = Array.from(
    { length: Math.max(producers, consumers) },
    () => new MessageChannel(),
  );
  const share = (ports: MessagePort[], index: number, threads: number): MessagePort[] =>
    ports.filter((_, i) => i % threads === index);
  const outer = channels.map(({ port1 }) => port1);
  const inner = channels.map(({ port2 }) => port2);
  const elapsedMs = await Promise.all([
    ...Array.from({ length: producers }, (_, i) => {
      const ports = share(outer, i, producers);
      return pool.with({ transfer: ports }).submit(postAll, start, post, ...ports);
    }),
    ...Array.from({ length: consumers }, (_, i) => {
      const ports = share(inner, i, consumers);
      return pool.with({ transfer: ports }).submit(receiveAll, start, receive, ...ports);
    }),
  ]);
  return count / Math.max(...elapsedMs) * 1000;
}

// Throughput between the main thread and a worker

async function fromMain(pool: ThreadPoolExecutor, kind: Kind): Promise<void> {
  const timed = async (
    load: Load,
    make: (start: Barrier) => { send(): unknown; received: PromiseLike<unknown> },
  ): Promise<number> => {
    const start = new Barrier(2);
    const { send, received } = make(start);
    await start.wait();
    const startMs = performance.now();
    await send();
    await received;
    return load.count / (performance.now() - startMs) * 1000;
  };
  const throughQueue = (load: Load): Promise<number> =>
    timed(load, (start) => {
      const queue = new Queue<unknown>(MAXSIZE);
      const send = async (): Promise<void> => {
        if (load.batch > 1) { for (const items of batchesOf(load)) await queue.putMany(items); }
        else for (let i = 0; i < load.count; i++) await queue.put(itemOf(kind, i));
      };
      return { send, received: pool.submit(getAll, queue, start, load) };
    });
  const throughPort = (load: Load): Promise<number> =>
    timed(load, (start) => {
      const { port1, port2 } = new MessageChannel();
      const send = (): void => {
        for (let i = 0; i < load.count; i++) port1.postMessage(itemOf(kind, i));
      };
      const transferring = pool.with({ transfer: [port2] });
      return { send, received: transferring.submit(receiveAll, start, load, port2) };
    });
  const { port, one, many } = COUNTS[kind];
  const rates = await interleave(REPEATS, {
    port: () => throughPort({ kind, count: port, batch: 1 }),
    one: () => throughQueue({ kind, count: one, batch: 1 }),
    many: () => throughQueue({ kind, count: many, batch: BATCH }),
  });
  showRates("main puts", rates, { one: AS_FAST, many: AS_FAST });
}

async function toMain(pool: ThreadPoolExecutor, kind: Kind): Promise<void> {
  const throughQueue = async (load: Load): Promise<number> => {
    const start = new Barrier(2);
    const queue = new Queue<unknown>(MAXSIZE);
    const sent = pool.submit(putAll, queue, start, load);
    await start.wait();
    const startMs = performance.now();
    let left = load.count;
    if (load.batch > 1) {
      while (left > 0) left -= (await queue.getMany(Math.min(load.batch, left))).length;
    } else {
      for (; left > 0; left--) await queue.get();
    }
    const elapsedMs = performance.now() - startMs;
    await sent;
    return load.count / elapsedMs * 1000;
  };
  const throughPort = async (load: Load): Promise<number> => {
    const start = new Barrier(2);
    const { port1, port2 } = new MessageChannel();
    const sent = pool.with({ transfer: [port1] }).submit(postAll, start, load, port1);
    await start.wait();
    const startMs = performance.now();
    await received(load.count, [port2]);
    const elapsedMs = performance.now() - startMs;
    await sent;
    return load.count / elapsedMs * 1000;
  };
  const { port, one, many } = COUNTS[kind];
  const rates = await interleave(REPEATS, {
    port: () => throughPort({ kind, count: port, batch: 1 }),
    one: () => throughQueue({ kind, count: one, batch: 1 }),
    many: () => throughQueue({ kind, count: many, batch: BATCH }),
  });
  showRates("main gets", rates, { one: AS_FAST, many: AS_FAST });
}

// Latency

async function pingPong(pool: ThreadPoolExecutor): Promise<void> {
  const workers = await interleave(REPEATS, {
    port: async () => {
      const { port1, port2 } = new MessageChannel();
      const back = pool.with({ transfer: [port2] }).submit(postBack, port2, ROUNDS);
      const us = await pool.with({ transfer: [port1] }).submit(postAndAwait, port1, ROUNDS);
      await back;
      return us;
    },
    queue: async () => {
      const [there, back] = [new Queue<number>(), new Queue<number>()];
      const returned = pool.submit(returnAll, there, back, ROUNDS);
      const us = await pool.submit(serveSync, there, back, ROUNDS);
      await returned;
      return us;
    },
  });
  showLatencies("two workers, Sync", workers);
  const main = await interleave(REPEATS, {
    port: async () => {
      const { port1, port2 } = new MessageChannel();
      const back = pool.with({ transfer: [port2] }).submit(postBack, port2, ROUNDS);
      const us = await postAndAwait(port1, ROUNDS);
      await back;
      return us;
    },
    queue: async () => {
      const [there, back] = [new Queue<number>(), new Queue<number>()];
      const returned = pool.submit(returnAll, there, back, ROUNDS);
      const us = await serve(there, back, ROUNDS);
      await returned;
      return us;
    },
  });
  showLatencies("main awaits, worker Sync", main);
}

function showLatencies(what: string, { port, queue }: { port: number; queue: number }): void {
  row(what, `${port.toFixed(1)} us`, `${queue.toFixed(1)} us`, times(queue / port), "");
}

async function goingOn(pool: ThreadPoolExecutor): Promise<void> {
  const measure = async (isBare: boolean, isSync: boolean): Promise<number[]> => {
    const words = makeWords();
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const used = isBare ? undefined : queue;
    const drained = pool.submit(drain, words, used, WAKES);
    await (isSync ? pool.submit(fillSync, words, used, WAKES) : fill(words, queue, WAKES));
    return await drained;
  };
  const contenders = {
    bare: () => measure(true, true),
    sync: () => measure(false, true),
    promise: () => measure(false, false),
  };
  const found: Record<keyof typeof contenders, number[][]> = { bare: [], sync: [], promise: [] };
  for (let i = 0; i < REPEATS; i++) {
    for (const name of ["bare", "sync", "promise"] as const) {
      found[name].push(await contenders[name]());
    }
  }
  for (
    const [name, what] of [["sync", "putSync in a worker"], ["promise", "put on main"]] as const
  ) {
    for (const percent of [50, 99]) {
      const [bareUs, us] = [found.bare, found[name]].map((runs) =>
        median(runs.map((run) => percentile(run, percent)))
      );
      row(
        `${what}, p${percent}`,
        `${bareUs.toFixed(1)} us`,
        `${us.toFixed(1)} us`,
        times(us / bareUs),
        // No goal for p99: like those of the bare wait beside them, the slowest tell more about the
        // machine.
        percent === 50 ? verdict("< 1 ms", us < 1000) : "",
      );
    }
  }
}

// Waiting

/**
 * Measures the processor time while consumers wait, in workers and here, beside a worker that waits
 * by bare `Atomics`.
 */
async function stillness(pool: ThreadPoolExecutor): Promise<void> {
  const SETTLING_MS = 200;
  const used = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLING_MS));
    const before = cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const { user, system } = cpuUsage(before);
    return (user + system) / 1000;
  };
  const words = makeWords();
  const bare = pool.submit(waitForRoom, words);
  const bareMs = await interleave(IDLE_REPEATS, { bare: used });
  Atomics.store(words, WORD.ROOM, 1);
  Atomics.notify(words, WORD.ROOM);
  await bare;

  const queue = new Queue<number>();
  const consumers: PromiseLike<number>[] = [];
  for (
    const [what, add] of [
      ["a consumer blocked in getSync", () => consumers.push(pool.submit(getOne, queue))],
      ["two of them", () => consumers.push(pool.submit(getOne, queue))],
      ["and one on main that awaits get", () => consumers.push(queue.get())],
    ] as const
  ) {
    add();
    const { queue: ms } = await interleave(IDLE_REPEATS, { queue: used });
    row(
      what,
      `${bareMs.bare.toFixed(1)} ms`,
      `${ms.toFixed(1)} ms`,
      "",
      verdict("none of its own", ms <= bareMs.bare + IDLE_NOISE_MS),
    );
  }
  await queue.putMany(consumers.map((_, i) => i));
  await Promise.all(consumers);
}

// In one thread

function registerBenches(): void {
  const makers = {
    Queue: () => new Queue<unknown>(),
    LifoQueue: () => new LifoQueue<unknown>(),
    PriorityQueue: () => new PriorityQueue<unknown>({ priority: () => 1 }),
    SimpleQueue: () => new SimpleQueue<unknown>(),
  };
  for (const kind of ["int", "100 bytes", "10 KB"] as const) {
    const group = `putNowait and getNowait, ${kind}`;
    Deno.bench({ group, name: `${group}: structuredClone`, baseline: true }, () => {
      structuredClone(itemOf(kind, 1));
    });
    for (const [name, make] of Object.entries(makers)) {
      const queue = make();
      Deno.bench({ group, name: `${group}: ${name}` }, () => {
        queue.putNowait(itemOf(kind, 1));
        queue.getNowait();
      });
    }
  }
}
