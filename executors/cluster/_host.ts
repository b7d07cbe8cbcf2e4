/**
 * A worker host: takes jobs from the engine, and runs them in its pool.
 *
 * The main thread does nothing else: tasks run on the pool's threads, or in its processes, so that
 * a task that computes for long never delays the renewal of a lease. No more jobs are taken than
 * the pool runs at once.
 *
 * States: `starting`, `ready`, `stopping` (takes nothing new), `stopped`.
 *
 * A job in hand ends in one of these ways, once:
 *   returned, threw   its submitter is told
 *   refused           it names what this host does not have, is of another form, or has lost too
 *                     many hosts: its submitter is told
 *   abandoned         nobody waits for it: the task is told by its signal, and its place is free
 *   lease lost        another host may have it: as if abandoned; the broker refuses its outcome
 *   given back        the host stops, and the grace period is over: another host gets it
 *   not reported      the broker took none of these: the lease runs out, and another host gets it
 *
 * @module
 */

import { nowMs } from "../../_platform/clock.ts";
import { platform } from "../../_platform/mod.ts";
import { randomName } from "../../_platform/random.ts";
import type { Executor } from "../executor.ts";
import type { Future } from "../future.ts";
import { deferred, within } from "./_promises.ts";
import {
  GIVE_BACK,
  type HeldJob,
  type HostEngine,
  type HostInfo,
  type HostListener,
  type JobData,
  type JobEnd,
} from "./_engine.ts";
import { type JobReport, reportOf, runJob } from "./_job.ts";
import { partsOf } from "./_module_names.ts";
import { keptOf, MOST_INLINE, reasonOf, storedReasonOf, workerLost } from "./_outcome.ts";
import { bytesBeyond } from "./_value_writer.ts";
import {
  BrokerUnavailableError,
  PayloadTooLargeError,
  RemoteError,
  TaskNotFoundError,
} from "./errors.ts";

/** Time between two checks of the tasks' progress. */
const PROGRESS_MS = 50;

/** The least time between two log lines about the same trouble. */
const QUIET_MS = 10_000;

/** How many troubles are remembered: texts may name jobs. */
const MOST_TROUBLES = 100;

/** The settings of a host. */
export interface HostSettings {
  /** Addresses of modules, by name. */
  readonly modules: ReadonlyMap<string, string>;
  readonly name: string;
  readonly threads: number;
  readonly leaseMs: number;
  readonly maxArgumentBytes: number;
  readonly maxResultBytes: number;
}

/** Writes a log line: an event, and its particulars. */
export type Log = (event: string, particulars?: Readonly<Record<string, unknown>>) => void;

/** A job in hand. */
interface JobInHand {
  readonly future: Future<JobReport>;
  readonly controller: AbortController;
  readonly held: HeldJob;
  progress: number;
  readonly giveBack: () => void;
}

/** Takes jobs until it is stopped. */
export class WorkerHost implements HostListener {
  readonly #settings: HostSettings;
  readonly #pool: Executor;
  readonly #engine: HostEngine;
  readonly #log: Log;
  readonly #id = randomName();
  readonly #inHand = new Map<string, JobInHand>();
  #done = 0;
  #isStopping = false;
  #onIdle: (() => void) | undefined;
  #beating: ReturnType<typeof setInterval> | undefined;
  #watching: ReturnType<typeof setInterval> | undefined;
  /** When troubles were logged, by their texts, the latest one last. */
  readonly #troubles = new Map<string, number>();

  constructor(
    settings: HostSettings,
    pool: Executor,
    makeEngine: (listener: HostListener) => HostEngine,
    log: Log,
  ) {
    this.#settings = settings;
    this.#pool = pool;
    this.#log = log;
    this.#engine = makeEngine(this);
  }

  get #info(): HostInfo {
    return {
      id: this.#id,
      name: this.#settings.name,
      pid: platform.pid,
      threads: this.#settings.threads,
      running: this.#inHand.size,
      done: this.#done,
    };
  }

  /** Begins to take jobs. Rejects when the broker refuses or is not reached. */
  async start(): Promise<void> {
    await this.#engine.ready();
    await this.#engine.beat(this.#info);
    this.#beating = setInterval(() => {
      this.#engine.beat(this.#info).catch((error) => this.trouble(error));
    }, this.#settings.leaseMs / 2);
    this.#engine.start((job) => this.#run(job));
  }

  /**
   * Takes nothing new, lets the tasks in hand finish within `graceMs`, gives back the others, and
   * ends.
   */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await this.#engine.pause();
    if (this.#inHand.size > 0 && graceMs > 0) {
      await within(graceMs, new Promise<void>((resolve) => this.#onIdle = resolve));
    }
    for (const job of [...this.#inHand.values()]) {
      this.#log("given back", { job: job.held.id, task: job.held.name });
      job.giveBack();
    }
    clearInterval(this.#beating);
    clearInterval(this.#watching);
    await this.#engine.close(this.#info);
  }

  /** Runs a job. Rejects only with an error of the engine. */
  async #run(held: HeldJob): Promise<JobEnd | typeof GIVE_BACK> {
    if (this.#isStopping) return GIVE_BACK;
    let report: JobReport | typeof GIVE_BACK;
    let data: JobData | undefined;
    try {
      data = this.#checkData(held);
      report = await this.#runTask(held, data);
    } catch (error) {
      report = reportOf(error, { maxResult: this.#settings.maxResultBytes });
    }
    if (report === GIVE_BACK) {
      // The task has begun, so the next run is another attempt.
      await held.update({ ...data!, returns: (data!.returns ?? 0) + 1 });
      return GIVE_BACK;
    }
    this.#done++;
    let isStored = false;
    // If the data were refused, `data` is `undefined`, and the error is short.
    if (report.text.length > MOST_INLINE && data !== undefined) {
      const error = await this.#store(held, keptOf(report), data.ttl);
      isStored = error === undefined;
      if (!isStored) report = this.#withoutRoom(report, error);
    }
    if (!report.failed) return { failed: false, value: isStored ? { stored: true } : report.text };
    this.#log("failed", { job: held.id, task: held.name, error: report.headline });
    return { failed: true, reason: isStored ? storedReasonOf(report) : reasonOf(report) };
  }

  /**
   * The report in place of an outcome that the broker has no room for; for an error of the task,
   * one with its headline only.
   */
  #withoutRoom({ failed, headline }: JobReport, error: unknown): JobReport {
    const told = failed ? new RemoteError(headline, { cause: error }) : error;
    return reportOf(told, { maxResult: this.#settings.maxResultBytes });
  }

  /** Stores a large outcome beside the job; resolves to the error when there is no room for it. */
  async #store(held: HeldJob, text: string, ttlMs: number): Promise<unknown> {
    try {
      await held.store(text, ttlMs);
      return undefined;
    } catch (error) {
      if (BrokerUnavailableError.is(error)) return error;
      throw error;
    }
  }

  async #runTask(held: HeldJob, data: JobData): Promise<JobReport | typeof GIVE_BACK> {
    const { url, module, task } = this.#find(held.name);
    const controller = new AbortController();
    const future = this.#pool
      .with({ signal: controller.signal, timeout: data.timeout })
      .submit(runJob, {
        id: held.id,
        attempt: 1 + held.losses + (data.returns ?? 0),
        url,
        module,
        name: task,
        args: data.args,
        arity: data.arity,
        maxResult: Math.min(data.maxResult, this.#settings.maxResultBytes),
      });
    const given = deferred<typeof GIVE_BACK>();
    const giveBack = (): void => {
      given.resolve(GIVE_BACK);
      controller.abort(new Error("Cannot finish task: its worker host stops"));
    };
    const job: JobInHand = { future, controller, held, progress: 0, giveBack };
    this.#inHand.set(held.id, job);
    this.#watching ??= setInterval(() => this.#tellProgress(), PROGRESS_MS);
    try {
      return await Promise.race([given.promise, future]);
    } finally {
      this.#inHand.delete(held.id);
      if (this.#inHand.size === 0) this.#rest();
    }
  }

  #rest(): void {
    clearInterval(this.#watching);
    this.#watching = undefined;
    this.#onIdle?.();
  }

  #tellProgress(): void {
    for (const job of this.#inHand.values()) {
      const { progress } = job.future;
      if (progress === job.progress) continue;
      job.progress = progress;
      job.held.progress(progress).catch((error) => this.trouble(error));
    }
  }

  /** Checks what came with a job: anyone who can write to the broker may have written it. */
  #checkData({ name, data, losses }: HeldJob): JobData {
    const given = (typeof data === "object" && data !== null ? data : {}) as Partial<JobData>;
    const { args, arity, timeout, retries, maxResult, ttl, returns = 0 } = given;
    if (
      given.v !== 1 || typeof args !== "string" || !isCount(arity) || !isCount(retries) ||
      !isCount(maxResult) || !isCount(ttl) || !isCount(returns) ||
      (timeout !== null && !isTime(timeout))
    ) {
      throw new TypeError(
        `Cannot run "${name}": the job is not of the form that this host knows; have submitter and host use the same version of the package`,
      );
    }
    if (losses > retries) throw workerLost(name, losses);
    const most = this.#settings.maxArgumentBytes;
    const bytes = bytesBeyond(args, most);
    if (bytes !== undefined) {
      throw new PayloadTooLargeError(
        `Cannot run "${name}": its arguments take ${bytes} bytes, and this host takes ${most}; start it with a larger --max-arguments`,
      );
    }
    return given as JobData;
  }

  #find(name: string): { url: string; module: string; task: string } {
    const parts = typeof name === "string" ? partsOf(name) : undefined;
    const url = parts && this.#settings.modules.get(parts.module);
    if (parts !== undefined && url !== undefined) return { url, ...parts };
    const listed = [...this.#settings.modules.keys()].join(", ") || "none";
    throw new TaskNotFoundError(
      `Cannot run ${
        JSON.stringify(name)
      }: this host has no such module (it has: ${listed}); start it with --module ${
        parts?.module ?? "name"
      }=./file.ts`,
    );
  }

  // Events

  /** See {@linkcode HostListener}. */
  abandoned(id: string): void {
    this.#inHand.get(id)?.controller.abort(new Error("Cannot finish task: nobody waits for it"));
  }

  /** See {@linkcode HostListener}. */
  leaseLost(id: string): void {
    const job = this.#inHand.get(id);
    if (job === undefined) return;
    this.#log("lease lost", { job: id, task: job.held.name });
    job.controller.abort(new Error("Cannot finish task: its lease was lost"));
  }

  /** See {@linkcode HostListener}. */
  trouble(error: Error): void {
    if (this.#isStopping) return;
    const text = error.message || error.name;
    const now = nowMs();
    if (now - (this.#troubles.get(text) ?? -Infinity) < QUIET_MS) return;
    this.#troubles.delete(text);
    this.#troubles.set(text, now);
    if (this.#troubles.size > MOST_TROUBLES) {
      this.#troubles.delete(this.#troubles.keys().next().value!);
    }
    this.#log("trouble", { error: text });
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}
