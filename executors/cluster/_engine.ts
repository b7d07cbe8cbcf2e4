/**
 * What the executor and the worker host need of an engine, and no more. There is one engine, `_bullmq.ts`; nothing outside of its files
 * knows what it is.
 *
 * An engine keeps jobs, hands each to one host at a time under a lease, hands it on when the lease runs out, and keeps its outcome.
 * It calls back; each call may come twice, late, or never. Who listens looks after that.
 *
 * @module
 */

/** What a job carries. Written by submitters, read by hosts of maybe another version: both check it. */
export interface JobData {
  /** The version of this form. */
  readonly v: 1;
  /** The arguments, see `_codec.ts`. */
  readonly args: string;
  /** Of a chunk of `map`: arguments a call. 0 for a plain task. */
  readonly arity: number;
  /** Milliseconds that the task may take once it runs; `null` for no limit. */
  readonly timeout: number | null;
  /** How many hosts may be lost with it before it fails. */
  readonly retries: number;
  /** Most bytes of its result. */
  readonly maxResult: number;
  /** Milliseconds that its result is kept. */
  readonly ttl: number;
  /** How often a host has given it back in the middle; of a part of a chunk, how many parts were run before. */
  readonly returns?: number;
}

/** A job to be added. */
export interface NewJob {
  readonly id: string;
  /** `module#export`. */
  readonly name: string;
  readonly data: JobData;
  /** Higher is sooner. */
  readonly priority: number;
}

/** What the engine tells of the jobs of its queue, whoever has added them. */
export interface JobListener {
  active(id: string): void;
  /** It was given back, or its host was lost. Also told of a job that is new. */
  waiting(id: string): void;
  /** @param value What the host returned, or where that is. */
  completed(id: string, value: unknown): void;
  failed(id: string, reason: string): void;
  progress(id: string, fraction: unknown): void;
}

/** What the engine knows of a job. */
export type Finding =
  | { readonly state: "missing" | "waiting" | "active" }
  | { readonly state: "completed"; readonly value: unknown }
  | { readonly state: "failed"; readonly reason: string };

/** What a host tells of itself. */
export interface HostInfo {
  /** Unique for good. */
  readonly id: string;
  readonly name: string;
  readonly pid: number;
  /** Tasks that it runs at once. */
  readonly threads: number;
  readonly running: number;
  /** Tasks that it has finished. */
  readonly done: number;
}

/** The submitter's side. */
export interface SubmitEngine {
  /** Resolves once the broker has been reached; rejects when it refuses. */
  ready(): Promise<void>;
  /** Adds jobs; a job that it has is left as it is. Rejects when that is not known to have happened. */
  add(jobs: readonly NewJob[]): Promise<void>;
  /** Takes jobs out that no host has, and forgets those that are done. Resolves to those that a host has. */
  remove(ids: readonly string[]): Promise<string[]>;
  /** Tells the hosts that nobody waits for the job any more. */
  abandon(id: string): Promise<void>;
  /** What became of jobs. */
  look(ids: readonly string[]): Promise<Finding[]>;
  /** What was stored of a job, as its outcome was too large to be told of; `undefined` when it is there no more. */
  fetch(id: string): Promise<string | undefined>;
  hosts(): Promise<HostInfo[]>;
  /** Jobs that wait for a host, of all submitters. */
  depth(): Promise<number>;
  close(): Promise<void>;
}

/** A job in a host's hands. */
export interface HeldJob {
  readonly id: string;
  readonly name: string;
  /** Unchecked: whoever can write to the broker has written it. */
  readonly data: unknown;
  /** How many hosts were lost with it. */
  readonly losses: number;
  /**
   * Keeps a large outcome beside the job.
   *
   * @throws {BrokerUnavailableError} When there is no room for it.
   */
  store(text: string, ttlMs: number): Promise<void>;
  progress(fraction: number): Promise<void>;
  /** Changes what it carries, for the next host. */
  update(data: JobData): Promise<void>;
}

/** The end of a job that was finished: what its submitter is told. */
export type JobEnd =
  | { readonly failed: false; readonly value: unknown }
  | { readonly failed: true; readonly reason: string };

/** What to do with a job that was not finished: give it back. */
export const GIVE_BACK: unique symbol = Symbol("give back");

/** The host's side. */
export interface HostEngine {
  /** Resolves once the broker has been reached; rejects when it refuses. */
  ready(): Promise<void>;
  /**
   * Begins to take jobs.
   *
   * @param run Runs a job: resolves to its end, or to {@linkcode GIVE_BACK}. When it rejects, the engine is to blame and not the
   * task: the job is left to its lease, and another host runs it.
   */
  start(run: (job: HeldJob) => Promise<JobEnd | typeof GIVE_BACK>): void;
  /** Says how the host is; repeated, as it is forgotten otherwise. */
  beat(info: HostInfo): Promise<void>;
  /** Takes nothing new. */
  pause(): Promise<void>;
  close(info: HostInfo): Promise<void>;
}

/** What the engine tells a host. */
export interface HostListener {
  /** Nobody waits for the job any more. */
  abandoned(id: string): void;
  /** The lease of a job could not be renewed: another host may have it. */
  leaseLost(id: string): void;
  /** Something went wrong that the engine gets over by itself. */
  trouble(error: Error): void;
}
