/**
 * The engine on BullMQ: the host's side. For the keys beside BullMQ's see `_bullmq.ts`.
 *
 * BullMQ counts how often a job's lease has run out, and would fail the job at a limit that all
 * jobs share. Here each job has a limit of its own, so BullMQ is given none in effect, and the host
 * decides by {@linkcode HeldJob.losses}.
 *
 * BullMQ would also fail a job with the broker's error when it cannot report the job's end, would
 * never fail one whose data it cannot read, and would lose the lease of a job that it takes a second
 * time: see {@linkcode Taker}.
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

/** How long a host's last report of itself is kept, in leases. */
const KNOWN_FOR = 2;

/** The error of a task, as opposed to one of the broker. */
class TaskFailure extends Error {}

/**
 * Errors that belong to the job and not to the broker: the task's own, and BullMQ's for a job that
 * was given back, and for one that must not run again.
 */
const ENDS = [TaskFailure, WaitingError, UnrecoverableError];

/** Whether the cause of a broker's error may pass while a job is held. */
function mayPass(error: unknown): boolean {
  return isPassing(error) || isFull(error);
}

/**
 * BullMQ's worker, except for three kinds of jobs.
 *
 * A job whose data it cannot read; see {@linkcode createJob}.
 *
 * A job whose end the broker does not take: the end is reported again for as long as the lease may
 * last, which is then not renewed any more. After that the job is left to its lease, so that another
 * host runs it: the broker's trouble is not the task's outcome.
 *
 * A job that this worker takes while it still has it, as its lease had run out: its earlier run is
 * ended first. What renews the leases knows a job by its id, and so does the host: the end of the
 * earlier run would take the new one's lease with it.
 */
class Taker extends Worker {
  /** The runs under way, by their jobs' ids. */
  readonly #runs = new Map<string, Promise<unknown>>();

  override async processJob(
    ...args: Parameters<Worker["processJob"]>
  ): ReturnType<Worker["processJob"]> {
    const id = args[0].id!;
    // Another one may have waited for the same end, and gone first.
    for (let run = this.#runs.get(id); run !== undefined; run = this.#runs.get(id)) {
      this.emit("lockRenewalFailed", [id]);
      await run.catch(() => {});
    }
    const run = super.processJob(...args).finally(() => this.#runs.delete(id));
    this.#runs.set(id, run);
    return await run;
  }

  /**
   * A job whose data are no JSON gets none, and the host refuses it. It would be left to its lease
   * otherwise, again and again.
   */
  protected override createJob(
    ...[written, id]: Parameters<Worker["createJob"]>
  ): ReturnType<Worker["createJob"]> {
    try {
      return super.createJob(written, id);
    } catch {
      return super.createJob({ ...written, data: "null" }, id);
    }
  }

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
      // Means that no next job was fetched.
      return undefined as never;
    }
    return await insist(this.opts.lockDuration!, isPassing, () => super.handleFailed(...args));
  }
}

/** Takes jobs, keeps their leases, and reports their ends. */
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

  /** @param timeoutMs How long the broker may take to answer the first time. */
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
      // The first check marks a job, the second one acts: both happen within one more lease.
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
    // Reads which jobs nobody waits for any more.
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

  /**
   * Keeps an outcome beside its job. While the broker's memory is full, no lease is renewed, but
   * each job that is done may free some memory: so this tries again for as long as the lease surely
   * holds.
   */
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
      // Even if the broker has no memory for this, jobs can be taken, and each one that is done
      // frees some.
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
      // Its report expires a little later anyway.
    }
  }
}
