/**
 * Plain BullMQ, as used by hand: a queue, its events, and a map of the jobs that are waited for.
 * Run as a program, this module is the worker.
 *
 *   deno run -A bench/_cluster_plain.ts redis://127.0.0.1:6379 16
 *
 * @module
 */

import { Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";

const QUEUE = "plain";
const BULK = 500;

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null });
}

/** Submits jobs that do nothing. */
export class PlainQueue implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  readonly #waiting = new Map<string, () => void>();
  readonly #session = crypto.randomUUID();
  #added = 0;

  private constructor(url: string) {
    this.#redis = connect(url);
    this.#queue = new Queue(QUEUE, {
      connection: this.#redis,
      streams: { events: { maxLen: 1_000_000 } },
    });
    this.#events = new QueueEvents(QUEUE, { connection: this.#redis, lastEventId: "0-0" });
    this.#events.on("completed", ({ jobId }) => {
      this.#waiting.get(jobId)?.();
      this.#waiting.delete(jobId);
    });
  }

  static async connect(url: string): Promise<PlainQueue> {
    const queue = new PlainQueue(url);
    await queue.#events.waitUntilReady();
    return queue;
  }

  #job(): { done: Promise<void>; opts: { jobId: string; removeOnComplete: { age: number } } } {
    const jobId = `${this.#session}-${this.#added++}`;
    const done = new Promise<void>((resolve) => this.#waiting.set(jobId, resolve));
    return { done, opts: { jobId, removeOnComplete: { age: 60 } } };
  }

  /** Submits one job, and waits for its end. */
  async one(): Promise<void> {
    const { done, opts } = this.#job();
    await this.#queue.add("nothing", {}, opts);
    await done;
  }

  /** Submits `count` jobs at once, and waits for the end of the last. */
  async many(count: number): Promise<void> {
    const jobs = Array.from({ length: count }, () => this.#job());
    for (let i = 0; i < count; i += BULK) {
      const bulk = jobs.slice(i, i + BULK);
      this.#queue.addBulk(bulk.map(({ opts }) => ({ name: "nothing", data: {}, opts })));
    }
    await Promise.all(jobs.map(({ done }) => done));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events.close();
    await this.#queue.close();
    this.#redis.disconnect();
  }
}

if (import.meta.main) {
  const [url, concurrency] = Deno.args;
  const worker = new Worker(QUEUE, () => Promise.resolve(null), {
    connection: connect(url),
    concurrency: Number(concurrency),
  });
  await worker.waitUntilReady();
  console.log("ready");
}
