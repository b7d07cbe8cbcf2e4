/** The tasks of the checks that run in a page. */

import {
  type Executor,
  Lock,
  type Queue,
  type RLock,
  task,
  taskContext,
  Thread,
  ThreadPoolExecutor,
  transfer,
} from "../../../mod.ts";

export const gcd = task(import.meta, function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
});

export class Countdown extends Thread {
  readonly from: number;
  readonly log: Queue<number>;

  constructor(from: number, log: Queue<number>) {
    super({ module: import.meta });
    this.from = from;
    this.log = log;
  }

  override run(): void {
    for (let n = this.from; n > 0; n--) this.log.putSync(n);
  }
}

export const startAnother = task(import.meta, function startAnother(log: Queue<string>): void {
  const thread = new Thread({ target: (log: Queue<string>) => log.putSync("inner"), args: [log] });
  thread.start();
  thread.joinSync();
  log.putSync("outer");
});

/**
 * What a pool that was made in a worker reports when that worker blocks for it: first before a
 * worker runs, then for a message.
 */
export const blockForOwnPool = task(import.meta, async function blockForOwnPool() {
  const messageOf = (fn: () => unknown): string => {
    try {
      return String(fn());
    } catch (error) {
      return (error as Error).message;
    }
  };
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const early = messageOf(() => pool.submit(gcd, 48, 36).resultSync());
  await pool.submit(gcd, 1, 1);
  const inTime = messageOf(() => pool.submit(gcd, 48, 36).resultSync());
  const byMessage = pool.submit(() => new Blob(["text"]));
  const late = messageOf(() => byMessage.resultSync());
  const text = await (await byMessage).text();
  await pool.shutdown();
  return { early, inTime, late, text };
});

export const joinTooEarly = task(import.meta, async function joinTooEarly(): Promise<string> {
  const thread = new Thread({ target: () => {} });
  thread.start();
  try {
    thread.joinSync();
    return "";
  } catch (error) {
    await thread.started;
    thread.joinSync();
    return (error as Error).message;
  }
});

/** Submits to the pool that runs it, and blocks for the outcome. */
export const blockForPool = task(import.meta, function blockForPool(pool: Executor): number {
  return pool.submit(gcd, 27, 36).resultSync() + [...pool.map(gcd, [4, 6], [6, 9])].length;
});

export const waitForAbort = task(import.meta, async function waitForAbort(): Promise<never> {
  const { signal } = taskContext();
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  throw signal.reason;
});

/** Enters a lock the given number of times, in blocking form. */
export const enterDeep = task(import.meta, function enterDeep(lock: RLock, times: number): number {
  return times === 0 ? 0 : 1 + lock.runSync(() => enterDeep(lock, times - 1));
});

/** Returns a value that only a message can carry, whose memory is moved. */
export const makeImage = task(import.meta, function makeImage(side: number): ImageData {
  const image = new ImageData(side, side);
  return transfer(image, [image.data.buffer]);
});

/** Returns a lock made in a worker, which works like any other. */
export const makeLock = task(import.meta, function makeLock(): Lock {
  const lock = new Lock({ name: "made in a worker" });
  lock.acquireSync();
  return lock;
});
