/**
 * The engine on BullMQ: the host's side. Which keys there are beside BullMQ's is told in `_bullmq.ts`.
 *
 * BullMQ counts how often a lease has run out, and would fail a job by a limit that all jobs have in common. The limit here is each
 * job's own, so it is given none, and the host decides by {@linkcode HeldJob.losses}.
 *
 * BullMQ would also fail a job with whatever the broker answers when it is told of the job's end: see {@linkcode Taker}.
 *
 * @module
 */

import { type Job, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { Keys } from "./_bullmq.ts";
import {
  type BrokerAddress,
  brokerError,
  Connection,
  insist,
  isFull,
  isPassing,
  READ_AGAIN_MS,
} from "./_connection.ts";
import {
  GIVE_BACK,
  type HeldJob,
  type HostEngine,
  type HostInfo,
  type HostListener,
  type JobEnd,
} from "./_engine.ts";

/** How long a host is known after it has said how it is, in leases. */
const KNOWN_FOR = 2;

/** What a task failed with, as opposed to what the broker did. */
class TaskFailure extends Error {}

/** What a job is done with: the others are BullMQ's, of one that was given back, and of one that is not to be run any more. */
const ENDS = [TaskFailure, WaitingError, UnrecoverableError];

/** What of a broker's answers may pass while a job is held. */
function mayPass(error: unknown): boolean {
  return isPassing(error) || isFull(error);
}

/**
 * BullMQ's worker, but for what becomes of a job whose end the broker does not take. It is told again for as long as the lease may
 * last, which is not renewed any more then. After that the job is left to its lease, so that another host runs it: the broker's trouble
 * is not the task's outcome.
 */
class Taker extends Worker {
  protected override handleCompleted(
    ...args: Parameters<Worker["handleCompleted"]>
  ): ReturnType<Worker["handleCompleted"]> {
    return insist(this.opts.lockDuration!, isPassing, () => super.handleCompleted(...args));
  }

  protected override async handleFailed(
    ...args: Parameters<Worker["handleFailed"]>
  ): ReturnType<Worker["handleFailed"]> {
    const [error] = args;
    if (!ENDS.some((kind) => error instanceof kind)) {
      this.emit("error", error);
      // There is no next job in hand.
      return undefined as never;
    }
    return await insist(this.opts.lockDuration!, isPassing, () => super.handleFailed(...args));
  }
}

/** Takes jobs, keeps their leases, and tells what came of them. */
export class BullHost implements HostEngine {
  readonly #keys: Keys;
  readonly #queue: string;
  readonly #url: string;
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
    this.#url = address.url;
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

  start(run: (job: HeldJob) => Promise<JobEnd | typeof GIVE_BACK>): void {
    const runJob = async (job: Job, token?: string): Promise<unknown> => {
      const end = await run(this.#held(job));
      if (end === GIVE_BACK) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      if (end.failed) throw new TaskFailure(end.reason);
      return end.value;
    };
    const worker = new Taker(this.#queue, runJob, {
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
      store: (text, ttlMs) => this.#store(job, text, ttlMs),
      progress: (fraction) => job.updateProgress(fraction),
      update: (data) => job.updateData(data),
    };
  }

  /** Memory that is full renews no lease, and each job that is done sets some free: it is tried while the lease surely holds. */
  async #store({ id, name }: Job, text: string, ttlMs: number): Promise<void> {
    try {
      await insist(
        this.#leaseMs / 3,
        mayPass,
        () => this.#commands.redis.set(this.#keys.result(id!), text, "PX", ttlMs),
      );
    } catch (error) {
      throw isFull(error) ? brokerError(`keep the outcome of "${name}"`, this.#url, error) : error;
    }
  }

  async beat(info: HostInfo): Promise<void> {
    const answers = await this.#commands.redis.pipeline()
      .sadd(this.#keys.hosts, info.id)
      .set(this.#keys.host(info.id), JSON.stringify(info), "PX", KNOWN_FOR * this.#leaseMs)
      .exec();
    for (const [error] of answers ?? []) {
      // A broker without memory for that lets jobs be taken all the same, and each that is done sets some free.
      if (error !== null && !isFull(error)) throw error;
    }
  }

  async pause(): Promise<void> {
    await this.#worker?.pause(true);
  }

  async close({ id }: HostInfo): Promise<void> {
    if (this.#worker !== undefined) await this.#leave(this.#worker, id);
    await Promise.all([this.#control.close(), this.#commands.close()]);
  }

  async #leave(worker: Worker, id: string): Promise<void> {
    try {
      await worker.close();
      await this.#commands.redis.pipeline()
        .srem(this.#keys.hosts, id)
        .unlink(this.#keys.host(id))
        .exec();
    } catch {
      // It is forgotten all the same, a little later.
    }
  }
}
