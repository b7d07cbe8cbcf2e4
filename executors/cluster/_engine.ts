/**
 * What the executor and the worker host need of an engine, and no more. There is one engine, in
 * `_bullmq.ts` and `_bullmq_host.ts`; other files only construct it, and use it through the
 * interfaces here.
 *
 * An engine keeps jobs, hands each to one host at a time under a lease, hands it on when the lease
 * runs out, and keeps its outcome. It calls listeners back; each call may come twice, late, or
 * never, and listeners must cope with that.
 *
 * @module
 */

/**
 * What a job carries. Written by submitters, and read by hosts that may be of another version,
 * which check it.
 */
export interface JobData {
  /** The version of this form. */
  readonly v: 1;
  /** The arguments, encoded; see `_value_form.ts`. */
  readonly args: string;
  /** For a chunk of `map`, the number of arguments per call; 0 for a plain task. */
  readonly arity: number;
  /** Milliseconds that the task may take once it runs; `null` for no limit. */
  readonly timeout: number | null;
  /** How many hosts may be lost with it before it fails. */
  readonly retries: number;
  /** Most bytes of its result. */
  readonly maxResult: number;
  /** Milliseconds for which its result is kept. */
  readonly ttl: number;
  /**
   * How often a host has given it back after beginning it; for a part of a chunk, how many parts
   * were run before.
   */
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

/** What the engine reports of the jobs of its queue, whichever submitter has added them. */
export interface JobListener {
  active(id: string): void;
  /** The job was given back, or its host was lost. Also called for a new job. */
  waiting(id: string): void;
  /** @param value What the host returned, or the mark that it is stored. */
  completed(id: string, value: unknown): void;
  failed(id: string, reason: string): void;
  progress(id: string, fraction: unknown): void;
}

/** What the engine knows of a job. */
export type Finding =
  | { readonly state: "missing" | "waiting" | "active" }
  | { readonly state: "completed"; readonly value: unknown }
  | { readonly state: "failed"; readonly reason: string };

/** What a host reports of itself. */
export interface HostInfo {
  /** Never used again for another host. */
  readonly id: string;
  readonly name: string;
  readonly pid: number;
  /** The most tasks that it runs at once. */
  readonly threads: number;
  readonly running: number;
  /** Tasks that it has finished. */
  readonly done: number;
}

/** The submitter's side. */
export interface SubmitEngine {
  /** Resolves once the broker has been reached; rejects when it refuses. */
  ready(): Promise<void>;
  /** The error that tells why the broker has answered nothing within `timeoutMs`. */
  unanswered(timeoutMs: number): unknown;
  /** The error that tells why a call of this engine has failed. */
  reasonOf(error: unknown): unknown;
  /**
   * Adds jobs; a job that the broker has already is left as it is. Rejects when it is not known
   * that they were added.
   */
  add(jobs: readonly NewJob[]): Promise<void>;
  /**
   * Removes jobs that no host has, and those that are done. Resolves to the ids of those that a
   * host has, or may have, as the broker did not remove them.
   */
  remove(ids: readonly string[]): Promise<string[]>;
  /** Tells the hosts that nobody waits for the job any more. */
  abandon(id: string): Promise<void>;
  /** What became of jobs. */
  look(ids: readonly string[]): Promise<Finding[]>;
  /**
   * What was stored beside a job because its outcome was too large for an event; `undefined` when
   * it is gone.
   */
  fetch(id: string): Promise<string | undefined>;
  hosts(): Promise<HostInfo[]>;
  /** The number of jobs that wait for a host, of all submitters. */
  depth(): Promise<number>;
  close(): Promise<void>;
}

/** A job in a host's hands. */
export interface HeldJob {
  readonly id: string;
  readonly name: string;
  /** Unchecked: anyone who can write to the broker may have written it. */
  readonly data: unknown;
  /** How many hosts were lost while they had it. */
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

/** The end of a job that was finished, as reported to its submitter. */
export type JobEnd =
  | { readonly failed: false; readonly value: unknown }
  | { readonly failed: true; readonly reason: string };

/** In place of the end of a job that was not finished: gives the job back. */
export const GIVE_BACK: unique symbol = Symbol("give back");

/** The host's side. */
export interface HostEngine {
  /** Resolves once the broker has been reached; rejects when it refuses. */
  ready(): Promise<void>;
  /**
   * Begins to take jobs.
   *
   * @param run Runs a job: resolves to its end, or to {@linkcode GIVE_BACK}. When it rejects, the
   * engine is to blame and not the task: the job is left to its lease, and another host runs it.
   */
  start(run: (job: HeldJob) => Promise<JobEnd | typeof GIVE_BACK>): void;
  /** Reports on the host. Must be repeated, as the report expires. */
  beat(info: HostInfo): Promise<void>;
  /** Takes nothing new. */
  pause(): Promise<void>;
  close(info: HostInfo): Promise<void>;
}

/** What the engine reports to a host. */
export interface HostListener {
  /** Nobody waits for the job any more. */
  abandoned(id: string): void;
  /** The lease of a job could not be renewed: another host may have it. */
  leaseLost(id: string): void;
  /** Something went wrong that the engine gets over by itself. */
  trouble(error: Error): void;
}
