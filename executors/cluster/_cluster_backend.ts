/**
 * The submitter's side of a cluster: futures, and the jobs behind them.
 *
 * States of a job, from its submission until its future is done:
 *
 *   HELD    -> SENT      flush         there is room in the broker: it is being added
 *   SENT    -> QUEUED    acknowledged  the broker has it
 *   SENT, QUEUED -> RUNNING            a host has begun it
 *   RUNNING -> QUEUED    waiting       the host has given it back, or was lost
 *   any     -> out of the table        its future is done
 *
 * A job leaves the table by the first of these: an event reports its outcome; the sweep finds its
 * outcome; the broker does not know it any more; the broker did not take it in time, or refused; it
 * is cancelled or given up here.
 *
 * Invariants:
 *  1. A job is in the table before it is sent, so that none of its events can come too early to be
 *     heard.
 *  2. Only the code that takes a job out of the table settles its future, and no job is put back:
 *     each future is settled once, however often, late or out of order events come. Events of jobs
 *     that are not in the table are dropped. If not all results of a chunk were reported, that code
 *     instead adds the next part of the chunk: a job under another id, which has the future from
 *     then on. The futures that `attach` gives follow the job's.
 *  3. A job that is SENT is added again, under its id, until that is acknowledged or its time is
 *     up; for the broker all of these are one job. When its time is up, its removal is sent behind
 *     the last attempt.
 *  4. Events are only the fast way. The sweep looks up each job that was not heard of for
 *     `sweepMs`: a job that is done is settled; one that is missing at two looks in a row is lost,
 *     or is submitted again under its id. So no future waits for an event that was lost.
 *  5. A job that is cancelled or given up is out of the table first, then the broker is told. It
 *     may still run; then its outcome is dropped. The broker is told nothing about a job that
 *     another submitter has added: that job is the other's.
 *  6. The broker has at most `maxPending` jobs of this executor; further ones are HELD, by
 *     priority, then in order.
 *  7. When the last job has left the table after `shutdown`, timers and connections end, and then
 *     `whenClosed` resolves.
 *
 * @module
 */

import { epochMs, nowMs } from "../../_platform/clock.ts";
import { randomName } from "../../_platform/random.ts";
import { soon } from "../../_platform/timers.ts";
import { RuntimeError } from "../../sync/errors.ts";
import { chunkOf, type ChunkOutcome, errorIn } from "../_chunk.ts";
import { Deadlines } from "../_deadlines.ts";
import type { Runner } from "../_future_internals.ts";
import { limitTask } from "../_limits.ts";
import type { Unobservable } from "../_observer.ts";
import { type AnyFunction, submissionError } from "../_target.ts";
import type { ExecutorBackend, TaskOptions } from "../executor.ts";
import { type Future, futureInternals } from "../future.ts";
import type { StreamSink, StreamSource } from "../stream.ts";
import { Adder } from "./_adder.ts";
import { ChunkParts } from "./_chunk_parts.ts";
import { brokerError } from "./_connection.ts";
import type { Finding, HostInfo, JobListener, NewJob, SubmitEngine } from "./_engine.ts";
import { HeldJobs } from "./_held_jobs.ts";
import type { ModuleNames } from "./_module_names.ts";
import { orderOf, type OrderOptions } from "./_order.ts";
import {
  isStored,
  isStoredReason,
  keptReason,
  MOST_INLINE,
  readChunk,
  readLostReason,
  readReason,
  readValue,
  type Settlement,
} from "./_outcome.ts";
import { within } from "./_promises.ts";
import { HELD, type PendingJob, pendingJob, QUEUED, RUNNING, SENT } from "./_pending_job.ts";
import { checkWhole, type ClusterSettings } from "./_settings.ts";
import { ClusterCounts } from "./_cluster_counts.ts";
import { Removals } from "./_removals.ts";
import { Sweep } from "./_sweep.ts";
import { JobLostError } from "./errors.ts";
import { dropTransfers } from "../task.ts";

/**
 * Milliseconds that a chunk of `map` should take: far more than the cost of a job, and little
 * compared with a lease.
 */
const CHUNK_MS = 100;

/** The number of threads that is assumed while no host is known. */
const LIKELY_THREADS = 8;

/** Jobs sent in one message. */
const BATCH = 500;

/** When closing, how long to wait for the next answer to a removal. */
const LAST_WORDS_MS = 1_000;

/** Makes the engine. A parameter, so that tests can watch the engine. */
export type EngineMaker = (
  listener: JobListener,
  onTrouble: (error: Error) => void,
) => SubmitEngine;

/** The submitter's side of a pool of hosts. */
export class ClusterBackend implements ExecutorBackend, JobListener, Runner, Unobservable {
  readonly chunkMs = CHUNK_MS;
  readonly unobservable = "a cluster: its tasks run in other programs; use its stats()";
  readonly engine: SubmitEngine;
  readonly counts: ClusterCounts = new ClusterCounts();
  readonly #settings: ClusterSettings;
  readonly #modules: ModuleNames;
  readonly #session = randomName();
  #submitted = 0;

  readonly #jobs = new Map<string, PendingJob>();
  readonly #byNumber = new Map<number, PendingJob>();
  readonly #held = new HeldJobs<PendingJob>(({ id }) => this.#jobs.has(id));
  #inBroker = 0;
  #isFlushing = false;
  readonly #adder: Adder;
  readonly #removals: Removals;
  readonly #deadlines = new Deadlines();
  readonly #sweep: Sweep;
  #threads = LIKELY_THREADS;

  #closing = false;
  #cancelling = false;
  #closed: Promise<void> | undefined;
  readonly #onClosed: (() => void)[] = [];
  #isOver = false;

  constructor(settings: ClusterSettings, modules: ModuleNames, makeEngine: EngineMaker) {
    this.#settings = settings;
    this.#modules = modules;
    this.engine = makeEngine(this, () => {
      // Trouble that matters shows in the futures: an add that is not answered, a job that is not
      // found.
    });
    this.#adder = new Adder(this.engine, settings.submitTimeout);
    this.#removals = new Removals(this.engine);
    this.#sweep = new Sweep(
      this.engine,
      settings.sweepMs,
      (sinceMs) => this.#notHeardOf(sinceMs),
      (job, finding) => this.#found(job, finding),
      (hosts) => this.#met(hosts),
    );
  }

  /** The number of threads of all known hosts. */
  get concurrency(): number {
    return this.#threads;
  }

  // Submitting

  /** See {@linkcode ExecutorBackend}. */
  checkOptions({ retries }: OrderOptions): void {
    if (retries !== undefined) checkWhole("retries", retries, 0);
  }

  /** See {@linkcode ExecutorBackend}. */
  submit(
    fn: AnyFunction,
    args: readonly unknown[],
    options: OrderOptions | undefined,
    arity: number,
  ): Future<unknown> {
    if (this.#closing) {
      throw new RuntimeError(
        "Cannot submit to cluster: cannot schedule new futures after shutdown",
      );
    }
    const number = this.#submitted++;
    const future = futureInternals.create<unknown>(this, number);
    let order: NewJob;
    try {
      options?.signal?.throwIfAborted();
      const id = `${this.#session}-${number}`;
      order = orderOf(id, fn, args, options, arity, this.#modules, this.#settings);
    } catch (error) {
      dropTransfers(args);
      this.counts.failed++;
      futureInternals.reject(future, submissionError(error, options?.signal));
      return future;
    }
    const calls = chunkOf(args, arity) || 1;
    const job = this.#register(pendingJob(order.id, order.name, future, order, calls));
    this.#held.push(job);
    this.#flushLater();
    if (options !== undefined) {
      limitTask(future, options, this.#deadlines, (error) => this.#giveUp(number, error));
    }
    return future;
  }

  /** Adds a job to the table: Invariant 1. */
  #register(job: PendingJob): PendingJob {
    this.#jobs.set(job.id, job);
    this.#byNumber.set(futureInternals.taskOf(job.future), job);
    return job;
  }

  /**
   * A future for a job that this or another executor has submitted, by its id. It follows the job's
   * own, so that others who have a future for the job keep theirs when this one is cancelled.
   */
  attach(id: string): Future<unknown> {
    if (this.#closing) throw new RuntimeError("Cannot attach: the executor was shut down");
    const job = this.#jobs.get(id) ?? this.#lookUp(id);
    const number = this.#submitted++;
    const future = futureInternals.create<unknown>(this, number);
    this.#attached.set(future, id);
    this.#byNumber.set(number, job);
    futureInternals.setProgress(future, job.future.progress);
    const onDone = (): void => {
      if (this.#byNumber.delete(number)) follow(future, job.future);
    };
    (job.followers ??= new Map()).set(future, onDone);
    futureInternals.whenDone(job.future, onDone);
    return future;
  }

  /** Adds a job that another executor has submitted to the table. */
  #lookUp(id: string): PendingJob {
    const future = futureInternals.create<unknown>(this, this.#submitted++);
    const job = this.#register(pendingJob(id, id, future, undefined, 1));
    // It may already be done, so it is looked up now, and by the sweep from then on.
    this.#sweep.lookUp([job]);
    return job;
  }

  /** The id of the job of a future that this executor has made. */
  idOf(future: Future<unknown>): string | undefined {
    if (futureInternals.runnerOf(future) !== this) return undefined;
    const number = futureInternals.taskOf(future);
    return this.#attached.get(future) ?? this.#byNumber.get(number)?.id ??
      `${this.#session}-${number}`;
  }

  /** The ids of the jobs of futures that follow. */
  readonly #attached = new WeakMap<Future<unknown>, string>();

  /**
   * Sends jobs after the code that submits has run: jobs of one turn go in one message, and can
   * still be taken back until then.
   */
  #flushLater(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    soon(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { maxPending } = this.#settings;
    while (!this.#held.isEmpty && this.#inBroker < maxPending) {
      const room = Math.min(BATCH, maxPending - this.#inBroker);
      const batch = this.#held.take(room);
      if (batch.length === 0) return;
      for (const job of batch) job.state = SENT;
      this.#inBroker += batch.length;
      this.#add(batch);
    }
  }

  async #add(jobs: readonly PendingJob[]): Promise<void> {
    const isWanted = (): boolean => jobs.some(({ id }) => this.#jobs.has(id));
    const error = await this.#adder.add(jobs.map(({ order }) => order!), isWanted);
    if (error !== undefined) return this.#refused(jobs, error);
    const now = nowMs();
    for (const job of jobs) {
      // It was taken back while it was on its way: the removal may have overtaken it.
      if (job.isUnwanted) this.#removals.add(job.id);
      if (job.state === SENT) job.state = QUEUED;
      job.heardMs = now;
    }
  }

  #refused(jobs: readonly PendingJob[], error: unknown): void {
    for (const job of jobs) {
      // The last attempt may still arrive.
      this.#removals.add(job.id);
      this.#settle(job, () => ({
        failed: true,
        outcome: brokerError(`submit "${job.name}"`, this.#settings.url, error),
      }));
    }
  }

  // Events

  /** See {@linkcode JobListener}. */
  active(id: string): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    job.state = RUNNING;
    job.startedMs = epochMs();
    job.heardMs = nowMs();
  }

  /** See {@linkcode JobListener}. */
  waiting(id: string): void {
    const job = this.#jobs.get(id);
    if (job?.state !== RUNNING) return;
    job.state = QUEUED;
    if (this.#cancelling) job.future.cancel();
  }

  /** See {@linkcode JobListener}. */
  completed(id: string, value: unknown): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (isStored(value)) this.#fetch(job);
    else this.#returned(job, value);
  }

  /** See {@linkcode JobListener}. */
  failed(id: string, reason: string): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (isStoredReason(reason)) this.#fetch(job, reason);
    else this.#threw(job, reason);
  }

  /** See {@linkcode JobListener}. */
  progress(id: string, fraction: unknown): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    job.heardMs = nowMs();
    if (typeof fraction !== "number") return;
    for (const future of [job.future, ...job.followers?.keys() ?? []]) {
      futureInternals.setProgress(future, fraction);
    }
  }

  /**
   * Fetches an outcome that was too large for an event, and settles the job. If that fails, the
   * sweep calls this again.
   *
   * @param reason The reason that was reported for a job that has failed. Such a job is not run
   * again if the rest of its error is gone: the reason says enough.
   */
  async #fetch(job: PendingJob, reason?: string): Promise<void> {
    if (job.isFetching) return;
    job.isFetching = true;
    try {
      const kept = await this.engine.fetch(job.id);
      if (kept !== undefined) return this.#ended(job, kept);
      if (reason !== undefined) return this.#settle(job, () => readLostReason(reason, job.id));
      if (!this.#mayResubmit(job)) return this.#settle(job, () => this.#lost(job));
      // The broker still has the job itself, and would ignore another one with its id.
      const [held] = await this.engine.remove([job.id]);
      if (held === undefined && this.#jobs.has(job.id)) this.#resubmit(job);
    } catch {
      job.heardMs = nowMs();
    } finally {
      job.isFetching = false;
    }
  }

  #ended(job: PendingJob, kept: string): void {
    const reason = keptReason(kept);
    if (reason === undefined) this.#returned(job, kept);
    else this.#threw(job, reason);
  }

  #threw(job: PendingJob, reason: string): void {
    this.#settle(job, () => readReason(reason, job.name));
  }

  #returned(job: PendingJob, text: unknown): void {
    this.#settle(job, () => isChunk(job) ? readChunk(text, job.calls) : readValue(text));
  }

  /** Takes a job out of the table, and settles its future: Invariant 2. */
  #settle(job: PendingJob, read: () => Settlement): void {
    if (!this.#take(job)) return;
    let { failed, outcome } = read();
    if (!failed && job.calls > 1) {
      const parts = this.#partsOf(job, outcome as ChunkOutcome);
      const order = parts?.next();
      if (order !== undefined) return this.#goOn(job, order, parts!);
      if (parts !== undefined) outcome = parts.outcome;
    }
    const hasFailed = failed || isChunk(job) && errorIn(outcome as ChunkOutcome) !== undefined;
    if (job.order !== undefined) this.counts.ended(job, hasFailed);
    if (failed) futureInternals.reject(job.future, outcome);
    else futureInternals.resolve(job.future, outcome);
    this.#closeIfOver();
  }

  /**
   * Adds to what was reported of a chunk, if its host had no room for all results; otherwise
   * `undefined`.
   */
  #partsOf(job: PendingJob, told: ChunkOutcome): ChunkParts | undefined {
    if (job.parts === undefined && told[1].length === job.calls) return undefined;
    const parts = job.parts ?? new ChunkParts(job.order!, CHUNK_MS);
    parts.add(told);
    return parts;
  }

  /**
   * Submits the next part of a chunk in place of the last one, whose results were too large
   * together.
   */
  #goOn(
    { id, name, future, followers, calls }: PendingJob,
    order: NewJob,
    parts: ChunkParts,
  ): void {
    this.#removals.add(id);
    const next = this.#register(pendingJob(order.id, name, future, order, calls, parts));
    next.followers = followers;
    for (const follower of followers?.keys() ?? []) {
      this.#byNumber.set(futureInternals.taskOf(follower), next);
    }
    next.state = SENT;
    this.#inBroker++;
    this.#add([next]);
  }

  #take(job: PendingJob): boolean {
    if (!this.#jobs.delete(job.id)) return false;
    const number = futureInternals.taskOf(job.future);
    this.#byNumber.delete(number);
    if (job.order !== undefined && job.state !== HELD) {
      this.#inBroker--;
      // Large arguments and outcomes are not kept for a later `attach`.
      if (job.order.data.args.length > MOST_INLINE || job.isFetching) this.#removals.add(job.id);
      if (!this.#held.isEmpty) this.#flushLater();
    }
    return true;
  }

  #lost(job: PendingJob): Settlement {
    const text = job.order === undefined
      ? `Cannot read outcome: the broker does not know job ${job.id}; outcomes are kept for the submitter's resultTtl`
      : `Cannot read outcome of "${job.name}": the broker does not know job ${job.id} any more; have it keep its data (appendonly yes), or connect with resubmitLost`;
    return { failed: true, outcome: new JobLostError(text) };
  }

  // The sweep

  /** The jobs to look up: Invariant 4. */
  *#notHeardOf(sinceMs: number): Generator<PendingJob> {
    for (const job of this.#jobs.values()) {
      if (job.state >= QUEUED && job.heardMs <= sinceMs) yield job;
    }
  }

  #found(job: PendingJob, finding: Finding): void {
    if (!this.#jobs.has(job.id)) return;
    if (finding.state !== "missing") job.misses = 0;
    switch (finding.state) {
      case "missing":
        // Only at the second look: the first one may have reached the broker before the job did.
        if (++job.misses < 2) return;
        if (this.#mayResubmit(job)) return this.#resubmit(job);
        return this.#settle(job, () => this.#lost(job));
      case "active":
        job.state = RUNNING;
        return;
      case "waiting":
        return this.waiting(job.id);
      case "completed":
        return this.completed(job.id, finding.value);
      case "failed":
        return this.failed(job.id, finding.reason);
    }
  }

  #mayResubmit(job: PendingJob): boolean {
    return this.#settings.resubmitLost && job.order !== undefined;
  }

  #resubmit(job: PendingJob): void {
    job.misses = 0;
    job.state = SENT;
    this.#add([job]);
  }

  #met(hosts: readonly HostInfo[]): void {
    this.#threads = hosts.reduce((sum, { threads }) => sum + threads, 0) || LIKELY_THREADS;
  }

  /** Learns how many threads the hosts have, before the first `map`. */
  async meetHosts(): Promise<void> {
    this.#met(await this.ask((engine) => engine.hosts()));
  }

  // Taking back

  /** See {@linkcode Runner}. */
  cancel(future: Future<unknown>): boolean {
    const job = this.#byNumber.get(futureInternals.taskOf(future));
    if (job?.followers?.has(future)) return this.#letGo(job, future);
    // An attached job is only let go of, and goes on, so that is possible while it runs.
    if (job === undefined || job.state === RUNNING && job.order !== undefined) return false;
    this.#takeBack(job);
    if (job.order !== undefined) this.counts.cancelled++;
    // The caller of this method cancels the future; `whenClosed` must resolve after that.
    soon(() => this.#closeIfOver());
    return true;
  }

  /** Cancels a future that follows a job; with the last one, a job of another submitter is let go. */
  #letGo(job: PendingJob, future: Future<unknown>): true {
    const followers = job.followers!;
    this.#byNumber.delete(futureInternals.taskOf(future));
    futureInternals.forget(job.future, followers.get(future)!);
    followers.delete(future);
    if (followers.size === 0 && job.order === undefined) job.future.cancel();
    return true;
  }

  /** Takes a job out of the table, and lets the broker forget it: Invariant 5. */
  #takeBack(job: PendingJob): void {
    this.#take(job);
    job.isUnwanted = true;
    if (job.state === HELD) this.#held.noteUnwanted();
    else if (job.order !== undefined) this.#removals.add(job.id);
  }

  #giveUp(number: number, error: unknown): void {
    const job = this.#byNumber.get(number);
    if (job === undefined) return;
    this.#takeBack(job);
    this.counts.ended(job, true);
    futureInternals.reject(job.future, error);
    this.#closeIfOver();
  }

  /** See {@linkcode Runner}. */
  isRunning(future: Future<unknown>): boolean {
    return this.#byNumber.get(futureInternals.taskOf(future))?.state === RUNNING;
  }

  /** See {@linkcode Runner}. */
  enterBlocking(): void {
    throw new RuntimeError(
      "Cannot block: outcomes come over the network, by this thread's event loop, which would stand still; await the future instead",
    );
  }

  /** See {@linkcode Runner}. */
  leaveBlocking(): void {}

  /** Throws: a cluster has no streams. */
  stream(
    fn: AnyFunction,
    _args: readonly unknown[],
    _options: TaskOptions | undefined,
    _buffersize: number,
    _sink: StreamSink,
  ): StreamSource {
    throw new RuntimeError(
      `Cannot stream "${fn.name}" from a cluster: a task that is run again by another host would begin anew; map() over its parts, or have it return lists`,
    );
  }

  // Ending

  /** See {@linkcode ExecutorBackend}. */
  shutdown(cancelFutures: boolean): void {
    // Set first: callbacks of cancelled futures must not submit anything more.
    this.#closing = true;
    if (cancelFutures) {
      this.#cancelling = true;
      for (const { future } of [...this.#jobs.values()]) future.cancel();
    }
    this.#closeIfOver();
  }

  #closeIfOver(): void {
    if (!this.#closing || this.#jobs.size > 0 || this.#isOver) return;
    this.#isOver = true;
    this.#sweep.close();
    this.#adder.close();
    this.#closed = this.#close();
  }

  async #close(): Promise<void> {
    await this.#removals.settled(LAST_WORDS_MS);
    await this.engine.close().catch(() => {});
    for (const onClosed of this.#onClosed.splice(0)) onClosed();
  }

  /** See {@linkcode ExecutorBackend}. */
  whenClosed(): Promise<void> {
    return this.#closed ?? new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** See {@linkcode ExecutorBackend}. */
  waitClosedSync(): void {
    if (!this.#isOver) this.enterBlocking();
  }

  /**
   * Asks the broker.
   *
   * @throws {BrokerUnavailableError} When it does not answer in time.
   */
  async ask<T>(question: (engine: SubmitEngine) => Promise<T>): Promise<T> {
    if (this.#isOver) throw new RuntimeError("Cannot ask the broker: the executor was shut down");
    const { url, submitTimeout } = this.#settings;
    try {
      const answer = question(this.engine);
      if (await within(submitTimeout, answer)) return await answer;
      throw this.engine.unanswered(submitTimeout);
    } catch (error) {
      throw brokerError("ask for the worker hosts", url, this.engine.reasonOf(error));
    }
  }

  /**
   * How many of this executor's own tasks are queued and running now, without those that it has
   * attached to.
   */
  tally(): { queued: number; running: number } {
    let queued = 0;
    let running = 0;
    for (const { order, state } of this.#jobs.values()) {
      if (order === undefined) continue;
      if (state === RUNNING) running++;
      else queued++;
    }
    return { queued, running };
  }
}

/** Gives a future the outcome of another one, which is done. */
function follow(future: Future<unknown>, other: Future<unknown>): void {
  const outcome = futureInternals.outcomeOf(other);
  if (other.cancelled()) futureInternals.cancel(future);
  else if (futureInternals.hasFailed(other)) futureInternals.reject(future, outcome);
  else futureInternals.resolve(future, outcome);
}

/**
 * Whether a job is a chunk of `map`. False for a job that another submitter has added: nothing
 * tells what it is.
 */
function isChunk({ order }: PendingJob): boolean {
  return order !== undefined && order.data.arity > 0;
}
