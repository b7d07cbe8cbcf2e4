/**
 * The engine on BullMQ: the host's side. Which keys there are beside BullMQ's is told in `_bullmq.ts`.
 *
 * BullMQ counts how often a lease has run out, and would fail a job by a limit that all jobs have in common. The limit here is each
 * job's own, so it is given none, and the host decides by {@linkcode HeldJob.losses}.
 *
 * @module
 */

import { type Job, WaitingError, Worker } from "bullmq";
import { Keys } from "./_bullmq.ts";
import { type BrokerAddress, Connection, READ_AGAIN_MS } from "./_connection.ts";
import {
  GIVE_BACK,
  type HeldJob,
  type HostEngine,
  type HostInfo,
  type HostListener,
} from "./_engine.ts";

/** How long a host is known after it has said how it is, in leases. */
const KNOWN_FOR = 2;

/** Takes jobs, keeps their leases, and tells what came of them. */
export class BullHost implements HostEngine {
  readonly #keys: Keys;
  readonly #queue: string;
  readonly #commands: Connection;
  readonly #control: Connection;
  readonly #leaseMs: number;
  readonly #threads: number;
  readonly #silenceMs: number;
  readonly #timeoutMs: number;
  readonly #listener: HostListener;
  #worker: Worker | undefined;

  /** @param timeoutMs How long the broker may take to answer at first. */
  constructor(
    address: BrokerAddress,
    queue: string,
    leaseMs: number,
    threads: number,
    timeoutMs: number,
    listener: HostListener,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#keys = new Keys(queue);
    this.#queue = queue;
    this.#leaseMs = leaseMs;
    this.#threads = threads;
    this.#silenceMs = address.silenceMs;
    this.#listener = listener;
    const onTrouble = (error: Error): void => listener.trouble(error);
    this.#commands = new Connection(address, onTrouble);
    this.#control = new Connection(address, onTrouble);
  }

  ready(): Promise<void> {
    return this.#commands.ready(this.#timeoutMs);
  }

  start(run: (job: HeldJob) => Promise<unknown>): void {
    const runJob = async (job: Job, token?: string): Promise<unknown> => {
      const outcome = await run(this.#held(job));
      if (outcome !== GIVE_BACK) return outcome;
      await job.moveToWait(token);
      throw new WaitingError();
    };
    const worker = new Worker(this.#queue, runJob, {
      connection: this.#commands.redis,
      concurrency: this.#threads,
      lockDuration: this.#leaseMs,
      // The first look marks, the second acts: both within one lease more.
      stalledInterval: Math.ceil(this.#leaseMs / 2),
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      drainDelay: Math.max(1, Math.ceil(this.#silenceMs / 3000)),
      runRetryDelay: READ_AGAIN_MS,
    });
    worker.on("error", (error) => this.#listener.trouble(error));
    worker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) this.#listener.leaseLost(id);
    });
    this.#worker = worker;
    // Which jobs nobody waits for any more.
    this.#control.follow(this.#keys.control, ([, id]) => this.#listener.abandoned(id));
  }

  #held(job: Job): HeldJob {
    return {
      id: job.id!,
      name: job.name,
      data: job.data,
      losses: job.stalledCounter,
      store: async (text, ttlMs) => {
        await this.#commands.redis.set(this.#keys.result(job.id!), text, "PX", ttlMs);
      },
      progress: (fraction) => job.updateProgress(fraction),
      update: (data) => job.updateData(data),
    };
  }

  async beat(info: HostInfo): Promise<void> {
    const answers = await this.#commands.redis.pipeline()
      .sadd(this.#keys.hosts, info.id)
      .set(this.#keys.host(info.id), JSON.stringify(info), "PX", KNOWN_FOR * this.#leaseMs)
      .exec();
    for (const [error] of answers ?? []) {
      // A broker without memory for that lets jobs be taken all the same, and each that is done sets some free.
      if (error !== null && !/\bOOM\b/.test(error.message)) throw error;
    }
  }

  async pause(): Promise<void> {
    await this.#worker?.pause(true);
  }

  async close({ id }: HostInfo): Promise<void> {
    await this.#worker?.close();
    await this.#commands.redis.multi()
      .srem(this.#keys.hosts, id)
      .unlink(this.#keys.host(id))
      .exec();
    await Promise.all([this.#control.close(), this.#commands.close()]);
  }
}
