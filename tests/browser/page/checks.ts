/**
 * What is tried in an isolated page. Each check returns what it has seen; the test says what that
 * should be.
 *
 * @module
 */

import {
  asCompleted,
  AsyncExecutor,
  Barrier,
  BoundedSemaphore,
  BrokenThreadPool,
  Condition,
  Event,
  Lock,
  PriorityQueue,
  Process,
  ProcessPoolExecutor,
  Queue,
  registerError,
  RLock,
  setExcepthook,
  SimpleQueue,
  taskContext,
  tasks,
  Thread,
  ThreadPoolExecutor,
  TimeoutError,
  Timer,
  transfer,
  Value,
  wait,
} from "../../../mod.ts";
import {
  blockForOwnPool,
  blockForPool,
  Countdown,
  enterDeep,
  gcd,
  joinTooEarly,
  makeImage,
  makeLock,
  startAnother,
  waitForAbort,
} from "./tasks.ts";

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The error of a call that should fail. */
async function errorOf(fn: () => unknown): Promise<string> {
  try {
    return `no error, but ${await fn()}`;
  } catch (error) {
    return messageOf(error);
  }
}

function makePool(maxWorkers = 2): ThreadPoolExecutor {
  return new ThreadPoolExecutor({ maxWorkers });
}

/** Runs a check with a pool that is shut down afterwards. */
async function withPool<R>(use: (pool: ThreadPoolExecutor) => Promise<R>, size = 2): Promise<R> {
  const pool = makePool(size);
  try {
    return await use(pool);
  } finally {
    await pool.shutdown();
  }
}

/** The names of two workers that run at the same time. */
async function namesOf(pool: ThreadPoolExecutor): Promise<string[]> {
  const both = new Barrier(2);
  const tell = (both: Barrier) => {
    both.waitSync();
    return self.name;
  };
  return (await Promise.all([pool.submit(tell, both), pool.submit(tell, both)])).sort();
}

export const inlineFunctions = () =>
  withPool(async (pool) => ({
    product: await pool.submit((a: number, b: number) => a * b, 6, 7),
    later: await pool.submit(async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return "later";
    }, 1),
    squares: await pool.map((n: number) => n * n, Array.from({ length: 100 }, (_, n) => n))
      .toArray(),
    names: await namesOf(pool),
    captured: await errorOf(() => pool.submit(() => messageOf(1))),
  }));

class AppError extends Error {
  override readonly name = "AppError";
  constructor(message: string, readonly code: number) {
    super(message);
  }
}
registerError(AppError);

export const moduleTasks = () =>
  withPool(async (pool) => {
    const references = tasks<typeof import("./tasks.ts")>(import.meta.resolve("./tasks.ts"));
    const seen: number[] = [];
    const futures = [[48, 36], [27, 36], [17, 4]].map(([a, b]) => pool.submit(gcd, a, b));
    for await (const future of asCompleted(futures)) seen.push(await future);
    const { done, notDone } = await wait([pool.submit(references.gcd, 30, 12)]);
    return {
      seen: seen.sort((a, b) => a - b),
      reference: await [...done][0],
      notDone: notDone.size,
      mapped: await pool.map(gcd, [8, 9], [12, 12]).toArray(),
    };
  });

export const errors = () =>
  withPool(async (pool) => {
    const future = pool.submit(() => {
      throw new RangeError("too far", { cause: "a cause" });
    });
    const error = await future.exception() as RangeError;
    return {
      isRangeError: error instanceof RangeError,
      message: error.message,
      cause: String(error.cause),
      // A name that only an import map could resolve.
      mapped: await errorOf(() => pool.submit(tasks<Mapped>(MAPPED).one)),
      elsewhere: await errorOf(() => pool.submit(tasks<Mapped>(ELSEWHERE).one)),
    };
  });

const MAPPED = "data:text/javascript,import 'mapped'; export const one = () => 1;";
/** A host that does not exist: the browser says no more of one that forbids pages to load it. */
const ELSEWHERE = "https://elsewhere.invalid/work.js";
type Mapped = { one: () => number };

export const largeValues = () =>
  withPool(async (pool) => {
    const numbers = Float64Array.from({ length: 1 << 20 }, (_, i) => i);
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const { port1, port2 } = new MessageChannel();
    const heard = new Promise((resolve) => port1.onmessage = ({ data }) => resolve(data));
    await pool.submit(
      (port: MessagePort) => port.postMessage("by port"),
      transfer(port2, [port2]),
    );
    const result = {
      sum: await pool.submit((values: Float64Array) => values.reduce((a, b) => a + b), numbers),
      length: (await pool.submit((n: number) => new Float64Array(n), 1 << 20)).length,
      text: await pool.submit((n: number) => "ä😀".repeat(n), 1000),
      shared: await pool.submit((words: Int32Array) => {
        Atomics.add(words, 0, 5);
        return words;
      }, shared).then((words) => words.buffer instanceof SharedArrayBuffer && shared[0]),
      blob: await (await pool.submit((text: string) => new Blob([text]), "in a blob")).text(),
      image: await Promise.all(
        [16, 100].map((side) => pool.submit(makeImage, side).then(({ data }) => data.length)),
      ),
      // A message between records, to check that the order is kept.
      order: await Promise.all([
        pool.submit(() => 1),
        pool.submit(() => new Blob(["2"])).then((blob) => blob.text()),
        pool.submit(() => 3),
      ]),
      port: await heard,
    };
    port1.close();
    return result;
  });

export const locks = () =>
  withPool(async (pool) => {
    const lock = new Lock({ name: "counter" });
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const blocking = [1, 2].map(() =>
      pool.submit(
        (lock: Lock, counter: Int32Array) => {
          for (let i = 0; i < 2000; i++) lock.runSync(() => counter[0] = counter[0] + 1);
        },
        lock,
        counter,
      )
    );
    for (let i = 0; i < 200; i++) {
      await lock.run(() => counter[0] = counter[0] + 1);
    }
    await Promise.all(blocking);
    const made = await pool.submit(makeLock);
    return { count: counter[0], name: made.name, locked: made.locked() };
  });

export const otherSyncObjects = () =>
  withPool(async (pool) => {
    const event = new Event();
    const waiting = pool.submit((event: Event) => event.waitSync(), event);
    event.set();
    const barrier = new Barrier(3);
    const party = (barrier: Barrier) => barrier.waitSync();
    const arrivals = await Promise.all([
      pool.submit(party, barrier),
      pool.submit(party, barrier),
      barrier.wait(),
    ]);
    const semaphore = new BoundedSemaphore(1);
    const total = new Value("i32", 0);
    await Promise.all([1, 2].map(() =>
      pool.submit(
        (semaphore: BoundedSemaphore, total: Value<"i32">) => {
          for (let i = 0; i < 100; i++) {
            semaphore.acquireSync();
            total.value += 1;
            semaphore.release();
          }
        },
        semaphore,
        total,
      )
    ));
    const condition = new Condition();
    const isReady = new Value("i32", 0);
    const consumer = pool.submit(
      (condition: Condition, isReady: Value<"i32">) => {
        condition.acquireSync();
        const came = condition.waitForSync(() => isReady.value === 1);
        condition.release();
        return came;
      },
      condition,
      isReady,
    );
    await condition.run(() => {
      isReady.value = 1;
      condition.notifyAll();
    });
    return {
      event: await waiting,
      arrivals: arrivals.sort(),
      total: total.value,
      condition: await consumer,
    };
  });

export const queues = () =>
  withPool(async (pool) => {
    const items = new Queue<{ n: number }>(4);
    const squares = new SimpleQueue<number>();
    const producer = pool.submit((items: Queue<{ n: number }>) => {
      for (let n = 1; n <= 100; n++) items.putSync({ n });
      items.shutdown();
    }, items);
    const consumer = pool.submit(
      (items: Queue<{ n: number }>, squares: SimpleQueue<number>) => {
        let count = 0;
        for (;;) {
          try {
            const { n } = items.getSync();
            squares.putSync(n * n);
            count++;
          } catch {
            return count;
          }
        }
      },
      items,
      squares,
    );
    let own = 0;
    let sum = 0;
    for await (const { n } of items) {
      own++;
      sum += n * n;
    }
    await producer;
    const others = await consumer;
    for (let i = 0; i < others; i++) sum += await squares.get();
    return { count: own + others, sum };
  });

export const cancelled = () =>
  withPool(async (pool) => {
    const gate = new Event();
    const first = pool.submit((gate: Event) => gate.waitSync(), gate);
    const waiting = pool.submit(gcd, 4, 6);
    while (!first.running()) await new Promise((resolve) => setTimeout(resolve, 1));
    const wasCancelled = waiting.cancel();
    gate.set();
    await first;
    const controller = new AbortController();
    const told = pool.with({ signal: controller.signal }).submit(waitForAbort);
    while (!told.running()) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("enough"));
    // Tried again when the time is up before the task has begun.
    const begun = new Event();
    let timedOut: unknown;
    for (let timeout = 20; !begun.isSet(); timeout *= 2) {
      timedOut = await pool.with({ timeout }).submit((begun: Event) => {
        begun.set();
        for (;;);
      }, begun).exception();
    }
    const after = await pool.submit(gcd, 10, 4);
    while (pool.stats().abandoned === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return {
      wasCancelled,
      cancelled: waiting.cancelled(),
      told: messageOf(await told.exception()),
      timedOut: TimeoutError.is(timedOut),
      after,
      isAbandoned: pool.stats().abandoned > 0,
    };
  }, 1);

/** How many queues can still be used when threads were given up in the midst of using them. */
export async function stoppedInside() {
  const queues = Array.from({ length: 8 }, () => new PriorityQueue<number>());
  const before = await signsOfLife("held");
  await Promise.all(queues.map((queue) =>
    withPool(async (pool) => {
      const begun = new Event();
      for (let timeout = 50; !begun.isSet(); timeout *= 2) {
        await pool.with({ timeout }).submit(
          (queue: PriorityQueue<number>, begun: Event) => {
            begun.set();
            for (;;) {
              queue.putSync(1);
              queue.getSync();
            }
          },
          queue,
          begun,
        ).exception();
      }
    }, 1)
  ));
  // The browser stops them in its own time.
  while (await signsOfLife("held") > before) await new Promise((resolve) => setTimeout(resolve, 5));
  let usable = 0;
  for (const queue of queues) {
    await withPool(async (pool) => {
      const use = pool.with({ timeout: 2000 }).submit((queue: PriorityQueue<number>) => {
        queue.putSync(1);
        queue.getSync();
      }, queue);
      if (await use.exception() === null) usable++;
    }, 1);
  }
  return usable;
}

export async function lostWorkers() {
  const breaking = makePool(1);
  const broken = await breaking.submit(() => close()).exception();
  const refused = await errorOf(() => breaking.submit(gcd, 4, 6));
  await breaking.shutdown();

  const replacing = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
  const ways: string[] = [];
  for (
    const fn of [
      () => close(),
      async () => {
        setTimeout(() => {
          throw new Error("nobody catches me");
        });
        await new Promise(() => {});
      },
      async () => {
        Promise.reject(new Error("nobody handles me"));
        await new Promise(() => {});
      },
    ]
  ) ways.push(messageOf(await replacing.submit(fn).exception()));
  // From outside, so that the worker cannot report anything.
  const ended = replacing.submit(async () => {
    await new Promise(() => {});
  });
  while (!ended.running()) await new Promise((resolve) => setTimeout(resolve, 1));
  while (await signsOfLife("pending") === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  workers.at(-1)!.terminate();
  ways.push(messageOf(await ended.exception()));
  const after = await replacing.submit(gcd, 4, 6);
  await replacing.shutdown();
  return { broken: BrokenThreadPool.is(broken), refused, ways, after };
}

/** The workers' signs of life that are held, or that the page waits for. */
async function signsOfLife(state: "held" | "pending"): Promise<number> {
  const { locks } = navigator as unknown as {
    locks: { query(): Promise<Record<typeof state, { name: string }[]>> };
  };
  const names = (await locks.query())[state];
  return names.filter(({ name }) => name.startsWith("@concurrent/futures")).length;
}

/** The workers that the page has started, oldest first. */
const workers: Worker[] = [];
globalThis.Worker = class extends Worker {
  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options);
    workers.push(this);
  }
};

export async function idlePool() {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2, idleTimeout: 50 });
  await pool.submit(gcd, 4, 6);
  while (pool.stats().workers > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const again = await pool.submit(gcd, 9, 6);
  const kept = makePool(1);
  await kept.submit(gcd, 4, 6);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const later = await kept.submit(gcd, 9, 6);
  const { workers } = kept.stats();
  await Promise.all([pool.shutdown(), kept.shutdown()]);
  return { again, later, workers };
}

export const blockingInWorkers = () =>
  withPool(async (pool) => ({
    ownPool: await pool.submit(blockForPool, pool),
    reentrant: await pool.submit(enterDeep, new RLock(), 5),
    madeThere: await pool.submit(blockForOwnPool),
    join: await pool.submit(joinTooEarly),
  }));

export const blockingOnMain = () =>
  withPool(async (pool) => {
    const future = pool.submit(gcd, 4, 6);
    const condition = new Condition();
    await condition.acquire();
    const thread = new Thread({ target: () => {} });
    thread.start();
    const refused = {
      resultSync: await errorOf(() => future.resultSync()),
      map: await errorOf(() => [...pool.map(gcd, [4], [6])]),
      shutdownSync: await errorOf(() => pool.shutdownSync()),
      lock: await errorOf(() => new Lock().acquireSync()),
      rlock: await errorOf(() => new RLock().acquireSync()),
      semaphore: await errorOf(() => new BoundedSemaphore().acquireSync()),
      event: await errorOf(() => new Event().waitSync()),
      barrier: await errorOf(() => new Barrier(2).waitSync()),
      condition: await errorOf(() => condition.waitSync()),
      get: await errorOf(() => new Queue().getSync()),
      put: await errorOf(() => new Queue(1).putSync(1)),
      join: await errorOf(() => thread.joinSync()),
    };
    condition.release();
    await thread.join();
    // A call that need not wait is not refused as blocking.
    const lock = new Lock();
    const polls = {
      acquired: lock.acquireSync({ blocking: false }),
      again: lock.acquireSync({ timeout: 0 }),
      event: new Event().waitSync({ timeout: 0 }),
    };
    return { refused, polls, result: await future };
  });

export async function threads() {
  const log = new Queue<number>();
  const countdown = new Countdown(3, log);
  countdown.start();
  await countdown.join();
  const numbers = [await log.get(), await log.get(), await log.get()];
  const words = new Queue<string>();
  const outer = new Thread({ target: startAnother, args: [words] });
  outer.start();
  await outer.join();
  const caught: string[] = [];
  setExcepthook(({ excValue }) => void caught.push(messageOf(excValue)));
  const failing = new Thread({
    target: () => {
      throw new RangeError("in a thread");
    },
  });
  failing.start();
  await failing.join();
  while (caught.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  setExcepthook(null);
  const timer = new Timer(1, (words: Queue<string>) => words.putSync("rang"), { args: [words] });
  timer.start();
  await timer.join();
  return {
    numbers,
    words: [await words.get(), await words.get(), await words.get()],
    caught,
    isAlive: [countdown, outer, failing, timer].some((thread) => thread.isAlive()),
  };
}

/** The part of a document that makes another realm. */
interface Frames {
  document: {
    body: { append(frame: object): void };
    createElement(name: "iframe"): { contentWindow: { ImageData: typeof ImageData } };
  };
}

/** How a browser's own objects with keys of their own arrive. */
export async function nativeObjects() {
  const { document } = globalThis as unknown as Frames;
  const frame = document.createElement("iframe");
  document.body.append(frame);
  const image = new frame.contentWindow.ImageData(2, 3);
  class Counter extends EventTarget {
    count = 1;
  }
  return await withPool(async (pool) => {
    const echo = (value: object): object => value;
    const copy = await pool.submit(echo, image) as ImageData;
    return {
      events: await Promise.all([new CustomEvent("a"), new MessageEvent("b")].map((event) => {
        return errorOf(() => pool.submit(echo, { deep: event }));
      })),
      image: [copy instanceof ImageData, copy.width, copy.height],
      extended: await pool.submit(echo, new Counter()),
    };
  }, 1);
}

/** The part of WebRTC that makes what only pages can have. */
interface Certificates {
  RTCPeerConnection: { generateCertificate(keys: object): Promise<object> };
}

/** What becomes of an object that a page can clone and a worker cannot have. */
export async function objectsOfPages() {
  const keys = { name: "ECDSA", namedCurve: "P-256" };
  const { RTCPeerConnection } = globalThis as unknown as Certificates;
  const certificate = await RTCPeerConnection.generateCertificate(keys);
  return await withPool(async (pool) => {
    const task = await errorOf(() => pool.submit((value: object) => String(value), certificate));
    const next = await pool.submit((n: number) => n + 1, 1);
    const caught: string[] = [];
    setExcepthook(({ excValue }) => void caught.push(messageOf(excValue)));
    const thread = new Thread({ target: (_value: object) => {}, args: [certificate] });
    thread.start();
    await thread.join();
    while (caught.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    setExcepthook(null);
    return { task, next, thread: caught[0] };
  }, 1);
}

/** What differs because a browser does not follow code past an await. */
export async function asyncContexts() {
  const lock = new RLock();
  const nested = await errorOf(() => lock.run(() => lock.run(() => 1)));
  const condition = new Condition(lock);
  const notified = condition.run(async () => {
    const first = await condition.wait();
    return [first, await condition.wait({ timeout: 1 })];
  });
  await condition.run(() => condition.notify());
  const executor = new AsyncExecutor({ maxWorkers: 2 });
  const ids = await Promise.all([1, 2].map(() =>
    executor.submit(async () => {
      const { id } = taskContext();
      await Promise.resolve();
      return id;
    })
  ));
  const lateContext = await errorOf(() =>
    executor.submit(async () => {
      await Promise.resolve();
      return taskContext().id;
    })
  );
  const inChunks = await executor.map(
    async (n: number) => {
      const { signal } = taskContext();
      await Promise.resolve();
      return signal.aborted ? -1 : n;
    },
    [1, 2, 3],
    { chunksize: 3 },
  ).toArray();
  await executor.shutdown();
  return { nested, notified: await notified, isFree: !lock.locked(), ids, lateContext, inChunks };
}

export async function processes() {
  return {
    pool: await errorOf(() => new ProcessPoolExecutor()),
    process: await errorOf(() => new Process({ target: gcd, args: [4, 6] })),
  };
}
