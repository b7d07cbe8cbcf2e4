/**
 * What do locks and the other synchronization objects cost, compared with bare `Atomics`?
 *
 * `deno run -A bench/sync_bench.ts` measures both in one process, in turn, and prints medians and
 * ratios. `deno bench -A bench/sync_bench.ts` shows the calls that need no second thread, a
 * thousand at a time.
 *
 * @module
 */

import {
  Barrier,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  ThreadPoolExecutor,
  Value,
} from "@concurrent/futures";
import { grouped, inFlight, interleave, median, nsEach, row } from "./_measure.ts";
import {
  answer,
  type Call,
  type Court,
  fight,
  makeWords,
  meet,
  raise,
  returnAll,
  type Score,
  serve,
  serveSync,
  take,
  waitUntil,
  WORD,
} from "./_sync_tasks.ts";

const REPEATS = 9;
const PAIRS = 1_000_000;
const AWAITS = 100_000;
const SUMS = 1_000_000;
const OBJECTS = 5_000;
const FIGHT_MS = 200;
const TURNS = 5_000;
const MEETINGS = 20_000;
const ASYNC_WAITERS = 100;
const BLOCKED_WAITERS = 4;
const CALLS = 50;
const SENT = 2_000;
const IN_FLIGHT = 64;

/** A way to do something, `times` times. */
interface Contender {
  readonly name: string;
  readonly loop: (times: number) => void | Promise<void>;
  /** The goal; `isMet` tells whether it is met, by the nanoseconds of one time. */
  readonly goal?: string;
  readonly isMet?: (ns: number, bareNs: number) => boolean;
}

/** Ways to do the same thing, the bare one first. */
interface Group {
  readonly question: string;
  readonly times: number;
  readonly contenders: readonly Contender[];
}

function pairs(): Group {
  const words = makeWords();
  const lock = new Lock();
  const rlock = new RLock();
  const nested = new RLock();
  const semaphore = new Semaphore(1);
  const one = () => 1;
  nested.acquireSync();
  return {
    question: "acquire and release",
    times: PAIRS,
    contenders: [{
      name: "Atomics.compareExchange, twice",
      loop(times) {
        for (let i = 0; i < times; i++) {
          Atomics.compareExchange(words, WORD.SPIN, 0, 1);
          Atomics.compareExchange(words, WORD.SPIN, 1, 0);
        }
      },
    }, {
      name: "Lock: acquireSync, release",
      goal: "<= 3 x, < 60 ns",
      isMet: (ns, bareNs) => ns <= 3 * bareNs && ns < 60,
      loop(times) {
        for (let i = 0; i < times; i++) {
          lock.acquireSync();
          lock.release();
        }
      },
    }, {
      name: "Lock: using holdSync",
      loop(times) {
        for (let i = 0; i < times; i++) {
          using _ = lock.holdSync();
        }
      },
    }, {
      name: "Lock: runSync",
      loop(times) {
        for (let i = 0; i < times; i++) lock.runSync(one);
      },
    }, {
      name: "RLock: acquireSync, release",
      loop(times) {
        for (let i = 0; i < times; i++) {
          rlock.acquireSync();
          rlock.release();
        }
      },
    }, {
      name: "RLock: the same, inside of another",
      loop(times) {
        for (let i = 0; i < times; i++) {
          nested.acquireSync();
          nested.release();
        }
      },
    }, {
      name: "RLock: runSync",
      loop(times) {
        for (let i = 0; i < times; i++) rlock.runSync(one);
      },
    }, {
      name: "Semaphore: acquireSync, release",
      loop(times) {
        for (let i = 0; i < times; i++) {
          semaphore.acquireSync();
          semaphore.release();
        }
      },
    }],
  };
}

/** What each await is compared with. */
const AWAIT: Contender = {
  name: "await Promise.resolve()",
  async loop(times) {
    for (let i = 0; i < times; i++) await Promise.resolve();
  },
};

function awaitedPairs(): Group {
  const lock = new Lock();
  const rlock = new RLock();
  const semaphore = new Semaphore(1);
  const one = () => 1;
  return {
    question: "acquire and release, awaited",
    times: AWAITS,
    contenders: [AWAIT, {
      name: "Lock: await acquire, release",
      goal: "< 1 us",
      isMet: (ns) => ns < 1000,
      async loop(times) {
        for (let i = 0; i < times; i++) {
          await lock.acquire();
          lock.release();
        }
      },
    }, {
      name: "Lock: using await hold",
      async loop(times) {
        for (let i = 0; i < times; i++) {
          using _ = await lock.hold();
        }
      },
    }, {
      name: "Lock: await run",
      async loop(times) {
        for (let i = 0; i < times; i++) await lock.run(one);
      },
    }, {
      name: "RLock: await acquire, release",
      async loop(times) {
        for (let i = 0; i < times; i++) {
          await rlock.acquire();
          rlock.release();
        }
      },
    }, {
      name: "Semaphore: await acquire, release",
      async loop(times) {
        for (let i = 0; i < times; i++) {
          await semaphore.acquire();
          semaphore.release();
        }
      },
    }],
  };
}

/**
 * A separate group, after the others: from the first `run` of an RLock on, each `await` of the
 * thread keeps its async context.
 */
function awaitedRuns(): Group {
  const rlock = new RLock();
  const one = () => 1;
  return {
    question: "run of an RLock, awaited",
    times: AWAITS,
    contenders: [AWAIT, {
      name: "RLock: await run",
      async loop(times) {
        for (let i = 0; i < times; i++) await rlock.run(one);
      },
    }],
  };
}

function sums(): Group {
  const words = makeWords();
  const i32 = new Value("i32");
  const u32 = new Value("u32");
  return {
    question: "add to 32 bits",
    times: SUMS,
    contenders: [{
      name: "Atomics.add",
      loop(times) {
        for (let i = 0; i < times; i++) Atomics.add(words, WORD.COUNT, 1);
      },
    }, {
      name: 'Value "i32": add',
      loop(times) {
        for (let i = 0; i < times; i++) i32.add(1);
      },
    }, {
      name: 'Value "u32": add',
      loop(times) {
        for (let i = 0; i < times; i++) u32.add(1);
      },
    }],
  };
}

function longSums(): Group {
  const words = new BigInt64Array(makeWords().buffer);
  const i64 = new Value("i64");
  const f64 = new Value("f64");
  return {
    question: "add to 64 bits",
    times: SUMS,
    contenders: [{
      name: "Atomics.add, 64 bits",
      loop(times) {
        for (let i = 0; i < times; i++) Atomics.add(words, 0, 1n);
      },
    }, {
      name: 'Value "i64": add',
      loop(times) {
        for (let i = 0; i < times; i++) i64.add(1n);
      },
    }, {
      name: 'Value "f64": add',
      loop(times) {
        for (let i = 0; i < times; i++) f64.add(0.5);
      },
    }],
  };
}

function creations(): Group {
  /** Makes objects, and keeps all of them until the last is made. */
  const making = (name: string, make: () => unknown): Contender => ({
    name,
    loop(times) {
      const made: unknown[] = [];
      for (let i = 0; i < times; i++) made.push(make());
    },
  });
  return {
    question: "make",
    times: OBJECTS,
    contenders: [
      making("Int32Array on a SharedArrayBuffer", () => new Int32Array(new SharedArrayBuffer(4))),
      making("new Lock", () => new Lock()),
      making("new RLock", () => new RLock()),
      making("new Semaphore", () => new Semaphore(1)),
      making("new Event", () => new Event()),
      making("new Barrier", () => new Barrier(2)),
      making("new Condition", () => new Condition()),
      making("new Value", () => new Value("i32")),
    ],
  };
}

const GROUPS = [pairs, awaitedPairs, awaitedRuns, sums, longSums, creations];

if (import.meta.main) await printTable();
else registerBenches();

function registerBenches(): void {
  const TIMES = 1000;
  for (const { question, contenders } of GROUPS.map((makeGroup) => makeGroup())) {
    for (const [i, { name, loop }] of contenders.entries()) {
      const group = `${question}, ${TIMES} times`;
      Deno.bench(name, { group, baseline: i === 0 }, async () => {
        await loop(TIMES);
      });
    }
  }
}

async function printTable(): Promise<void> {
  row("", "Atomics", "ours", "ratio", "held to");
  for (const makeGroup of GROUPS) await compare(makeGroup());
  await sending();

  await using pool = new ThreadPoolExecutor({ maxWorkers: BLOCKED_WAITERS });
  await startAll(pool);
  await fights(pool, 2, 10e6);
  await fights(pool, 4);
  await turns(pool);
  await meetings(pool);
  await calls(pool);
}

async function compare({ times, contenders }: Group): Promise<void> {
  const measured = await interleave(
    REPEATS,
    Object.fromEntries(contenders.map(({ name, loop }) => [name, () => nsEach(times, loop)])),
  );
  const [bare, ...ours] = contenders;
  const bareNs = measured[bare.name];
  for (const { name, goal, isMet } of ours) {
    const ns = measured[name];
    show(name, "ns", bareNs, ns, goal && verdict(goal, isMet!(ns, bareNs)));
  }
}

/** Prints a row of times, where less is better; without a ratio if there is no baseline. */
function show(
  what: string,
  unit: string,
  bare: number | undefined,
  ours: number,
  goal?: string,
): void {
  const format = (time: number) => `${time < 100 ? time.toPrecision(3) : grouped(time)} ${unit}`;
  if (bare === undefined) row(what, "", format(ours), "", goal ?? "");
  else row(what, format(bare), format(ours), times(ours / bare), goal ?? "");
}

function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

/** Returns a figure's goal, and whether it is met. */
function verdict(goal: string, isMet: boolean): string {
  return `${goal}: ${isMet ? "met" : "missed"}`;
}

/** Starts each worker: each gets a task that waits for the others. */
async function startAll(pool: ThreadPoolExecutor): Promise<void> {
  const all = new Barrier(BLOCKED_WAITERS);
  const arrive = (all: Barrier) => void all.waitSync();
  await Promise.all(Array.from({ length: BLOCKED_WAITERS }, () => pool.submit(arrive, all)));
}

/**
 * Measures the time per task with several under way: one after the other, most of it would be the
 * time that a thread takes to wake.
 */
async function sending(): Promise<void> {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const us = async (make: () => unknown): Promise<number> =>
    1e6 / await inFlight(SENT, IN_FLIGHT, () => pool.submit(take, make()));
  const array = makeWords();
  const lock = new Lock();
  const condition = new Condition();
  const times = await interleave(REPEATS, {
    nothing: () => us(() => undefined),
    newArray: () => us(makeWords),
    newLock: () => us(() => new Lock()),
    array: () => us(() => array),
    lock: () => us(() => lock),
    condition: () => us(() => condition),
  });
  show("task with nothing in it", "us", undefined, times.nothing);
  show("task with a new Lock", "us", times.newArray, times.newLock);
  show("task with the same Lock again", "us", times.array, times.lock);
  show("task with the same Condition again", "us", times.array, times.condition);
}

async function fights(pool: ThreadPoolExecutor, workers: number, atLeast?: number): Promise<void> {
  const shares: Record<string, number[]> = { bare: [], ours: [] };
  const fightOnce = async (name: string, lock?: Lock): Promise<number> => {
    const words = makeWords();
    const start = new Barrier(workers);
    const threads = Array.from({ length: workers }, () => pool.submit(fight, words, start, lock));
    await new Promise((resolve) => setTimeout(resolve, FIGHT_MS));
    Atomics.store(words, WORD.STOP, 1);
    const scores: Score[] = await Promise.all(threads);
    const pairs = scores.reduce((sum, score) => sum + score.pairs, 0);
    if (words[WORD.COUNT] !== pairs) throw new Error("The lock let two threads in");
    shares[name].push(Math.min(...scores.map((score) => score.pairs)) / pairs);
    return pairs / Math.max(...scores.map(({ ms }) => ms)) * 1000;
  };
  const rates = await interleave(REPEATS, {
    bare: () => fightOnce("bare"),
    ours: () => fightOnce("ours", new Lock()),
  });
  const million = (rate: number) => `${(rate / 1e6).toFixed(1)} M/s`;
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  row(
    `one Lock, ${workers} workers, sum of their pairs`,
    million(rates.bare),
    million(rates.ours),
    times(rates.ours / rates.bare),
    atLeast === undefined ? "" : verdict(`>= ${million(atLeast)}`, rates.ours >= atLeast),
  );
  row(
    "  share of the worker that had it least",
    percent(median(shares.bare)),
    percent(median(shares.ours)),
    "",
    "",
  );
}

const COURTS = ["bare", "event", "semaphore", "condition"] as const;

function makeCourt(kind: typeof COURTS[number]): Court {
  switch (kind) {
    case "bare":
      return { kind, words: makeWords() };
    case "event":
      return { kind, turns: [new Event(), new Event()] };
    case "semaphore":
      return { kind, turns: [new Semaphore(0), new Semaphore(0)] };
    case "condition":
      return { kind, condition: new Condition(new Lock()), turn: makeWords() };
  }
}

async function turns(pool: ThreadPoolExecutor): Promise<void> {
  const players: Record<string, (court: Court) => number | PromiseLike<number>> = {
    "two workers, blocking": (court) => pool.submit(serveSync, court, TURNS),
    "main and a worker, blocking": (court) => serveSync(court, TURNS),
    "main (await) and a worker": (court) => serve(court, TURNS),
  };
  for (const [where, serveFirst] of Object.entries(players)) {
    const play = async (kind: typeof COURTS[number]): Promise<number> => {
      const court = makeCourt(kind);
      const other = pool.submit(returnAll, court, TURNS);
      const us = await serveFirst(court);
      await other;
      return us;
    };
    const times = await interleave(REPEATS, {
      bare: () => play("bare"),
      event: () => play("event"),
      semaphore: () => play("semaphore"),
      condition: () => play("condition"),
    });
    console.log(`there and back: ${where}`);
    show("  Event", "us", times.bare, times.event);
    show("  Semaphore", "us", times.bare, times.semaphore);
    show("  Condition", "us", times.bare, times.condition);
  }
}

async function meetings(pool: ThreadPoolExecutor): Promise<void> {
  const meetAll = async (barrier?: Barrier): Promise<number> => {
    const words = makeWords();
    const parties = [0, 1].map(() => pool.submit(meet, words, barrier, MEETINGS));
    return 1e6 / Math.max(...await Promise.all(parties));
  };
  const rates = await interleave(REPEATS, {
    bare: () => meetAll(),
    ours: () => meetAll(new Barrier(2)),
  });
  row(
    "Barrier, 2 workers, rounds",
    `${grouped(rates.bare)}/s`,
    `${grouped(rates.ours)}/s`,
    times(rates.ours / rates.bare),
    "",
  );
}

async function calls(pool: ThreadPoolExecutor): Promise<void> {
  const awaited = await interleave(REPEATS, {
    bare: () => usToWakeTasks(bareTasks()),
    event: () => usToWakeTasks(eventTasks()),
    condition: () => usToWakeTasks(conditionTasks()),
  });
  show(`Event.set, ${ASYNC_WAITERS} async tasks`, "us", awaited.bare, awaited.event);
  show(`notifyAll, ${ASYNC_WAITERS} async tasks`, "us", awaited.bare, awaited.condition);

  const blocked = await interleave(3, {
    bare: () => usToWakeThreads(pool, undefined),
    event: () => usToWakeThreads(pool, new Event()),
    condition: () => usToWakeThreads(pool, new Condition(new Lock())),
  });
  show(`Event.set, ${BLOCKED_WAITERS} blocked workers`, "us", blocked.bare, blocked.event);
  show(`notifyAll, ${BLOCKED_WAITERS} blocked workers`, "us", blocked.bare, blocked.condition);
}

/** Async tasks of this thread: how each waits, and how all are woken. */
interface Tasks {
  wait(): PromiseLike<unknown>;
  call(): void;
}

function bareTasks(): Tasks {
  const words = makeWords();
  return {
    wait: async () => await Atomics.waitAsync(words, WORD.GO, 0).value,
    call: () => raise(words, WORD.GO),
  };
}

function eventTasks(): Tasks {
  const event = new Event();
  return { wait: () => event.wait(), call: () => event.set() };
}

function conditionTasks(): Tasks {
  const condition = new Condition(new Lock());
  return {
    wait: () => condition.run(() => condition.wait()),
    call: () => condition.runSync(() => condition.notifyAll()),
  };
}

async function usToWakeTasks({ wait, call }: Tasks): Promise<number> {
  const SETTLING_MS = 5;
  const waits = Array.from({ length: ASYNC_WAITERS }, wait);
  await new Promise((resolve) => setTimeout(resolve, SETTLING_MS));
  const startMs = performance.now();
  call();
  // A pending `waitAsync` does not hold the event loop open.
  const keepAlive = setTimeout(() => {}, 1000);
  await Promise.all(waits);
  clearTimeout(keepAlive);
  return (performance.now() - startMs) * 1000;
}

/**
 * Returns the microseconds from the call until each blocked worker has gone on: the median of
 * `CALLS` rounds.
 */
async function usToWakeThreads(pool: ThreadPoolExecutor, call: Call): Promise<number> {
  const SETTLING_MS = 1;
  const words = makeWords();
  const workers = Array.from(
    { length: BLOCKED_WAITERS },
    () => pool.submit(answer, words, call, CALLS),
  );
  const times: number[] = [];
  for (let round = 1; round <= CALLS; round++) {
    waitUntil(words, WORD.READY, BLOCKED_WAITERS * round);
    Atomics.wait(words, WORD.SPIN, 0, SETTLING_MS);
    const startMs = performance.now();
    if (call === undefined) raise(words, WORD.GO);
    else if (call instanceof Event) call.set();
    else call.runSync(() => call.notifyAll());
    waitUntil(words, WORD.DONE, BLOCKED_WAITERS * round);
    times.push((performance.now() - startMs) * 1000);
    if (call instanceof Event) call.clear();
    raise(words, WORD.ROUND);
  }
  await Promise.all(workers);
  return median(times);
}
