/**
 * The engine on BullMQ: the submitter's side.
 *
 * A pool is a queue. The submitter chooses a job's id, so that adding the job once more changes
 * nothing. BullMQ runs lower priorities first, and jobs without a priority before all others, so
 * every job is given one (see {@linkcode rankOf}).
 *
 * Three things of a queue are this package's own. Their keys are beside BullMQ's, below the same
 * prefix, so that one line of an ACL covers them:
 *
 *   bull:<queue>:cf:control       stream: ids of jobs that nobody waits for any more; read by all
 *                                 hosts, cut to CONTROL_LENGTH
 *   bull:<queue>:cf:hosts         set of host ids
 *   bull:<queue>:cf:host:<id>     a host's last report of itself; expires
 *   bull:<queue>:cf:result:<id>   an outcome, returned or thrown, that is too large for the event
 *                                 stream; expires, soon after its job was removed
 *
 * @module
 */

import { type JobsOptions, Queue } from "bullmq";
import { type BrokerAddress, Connection, insist, isPassing, READ_AGAIN_MS } from "./_connection.ts";
import type { Finding, HostInfo, JobListener, NewJob, SubmitEngine } from "./_engine.ts";
import { within } from "./_promises.ts";

/** BullMQ's default prefix, written out because our keys begin with it. */
const PREFIX = "bull";

/** Entries of the event stream; a job makes four. The sweep finds what has fallen out of it. */
const EVENTS_LENGTH = 100_000;

/**
 * Entries of the control stream. A host that falls behind by more entries lets a task run on that
 * nobody waits for.
 */
const CONTROL_LENGTH = 1_000;

/**
 * How long the outcome of a job that was removed is still kept: others who wait for it may have
 * just been told that it is there.
 */
const KEPT_MS = 15_000;

/** Makes keys expire in a time given, or before it. Redis can do so by itself from version 7 on. */
const SHORTEN = `
  for _, key in ipairs(KEYS) do
    if redis.call("PTTL", key) > tonumber(ARGV[1]) then redis.call("PEXPIRE", key, ARGV[1]) end
  end`;

/** The rank of priority 0; the highest that BullMQ takes is 2^21 - 1. */
const MIDDLE_RANK = 1 << 20;

/**
 * A priority as BullMQ has it: lower is sooner. Whole numbers up to about a million either way stay
 * distinct.
 */
export function rankOf(priority: number): number {
  const bounded = Math.max(-MIDDLE_RANK + 1, Math.min(MIDDLE_RANK - 1, Math.round(priority)));
  return MIDDLE_RANK - bounded;
}

/** The keys of a queue that this package uses. */
export class Keys {
  readonly #base: string;

  constructor(queue: string) {
    this.#base = `${PREFIX}:${queue}`;
  }

  job(id: string): string {
    return `${this.#base}:${id}`;
  }

  get events(): string {
    return `${this.#base}:events`;
  }

  get control(): string {
    return `${this.#base}:cf:control`;
  }

  get hosts(): string {
    return `${this.#base}:cf:hosts`;
  }

  host(id: string): string {
    return `${this.#base}:cf:host:${id}`;
  }

  result(id: string): string {
    return `${this.#base}:cf:result:${id}`;
  }
}

/** Adds jobs and listens to what becomes of them. */
export class BullSubmitter implements SubmitEngine {
  readonly #keys: Keys;
  readonly #commands: Connection;
  readonly #events: Connection;
  readonly #queue: Queue;
  readonly #timeoutMs: number;
  readonly #reading: Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(
    address: BrokerAddress,
    queue: string,
    timeoutMs: number,
    listener: JobListener,
    onTrouble: (error: Error) => void,
  ) {
    this.#keys = new Keys(queue);
    this.#timeoutMs = timeoutMs;
    this.#commands = new Connection(address, onTrouble);
    this.#events = new Connection(address, onTrouble);
    this.#queue = new Queue(queue, {
      connection: this.#commands.redis,
      skipWaitingForReady: true,
      streams: { events: { maxLen: EVENTS_LENGTH } },
    });
    this.#queue.on("error", onTrouble);
    // Not by BullMQ's reader: it misses what comes before its first event, and cannot be closed
    // while the broker is away.
    this.#reading = this.#events.follow(this.#keys.events, (entry) => tell(listener, entry));
  }

  ready(): Promise<void> {
    return this.#commands.ready(this.#timeoutMs);
  }

  unanswered(timeoutMs: number): unknown {
    return this.#commands.unanswered(timeoutMs);
  }

  reasonOf(error: unknown): unknown {
    return this.#commands.reasonOf(error);
  }

  async add(jobs: readonly NewJob[]): Promise<void> {
    const bulk = jobs.map(({ id, name, data, priority }) => ({
      name,
      data,
      opts: optionsOf(id, priority, data.ttl),
    }));
    if (bulk.length === 1) await this.#queue.add(bulk[0].name, bulk[0].data, bulk[0].opts);
    else await this.#queue.addBulk(bulk);
  }

  async remove(ids: readonly string[]): Promise<string[]> {
    const removed = await Promise.all(
      // One that cannot be removed does not keep the others: a host may have it.
      ids.map((id) => this.#insist(() => this.#queue.remove(id)).catch(() => 0)),
    );
    const results = ids.map((id) => this.#keys.result(id));
    await this.#insist(() =>
      this.#commands.redis.eval(SHORTEN, results.length, ...results, KEPT_MS)
    );
    return ids.filter((_, i) => removed[i] === 0);
  }

  async abandon(id: string): Promise<void> {
    const entry = ["MAXLEN", "~", CONTROL_LENGTH, "*", "id", id] as const;
    await this.#insist(() => this.#commands.redis.xadd(this.#keys.control, ...entry));
  }

  /** Sends a command again while the broker refuses it for the moment, as one being replaced does. */
  #insist<T>(act: () => Promise<T>): Promise<T> {
    return insist(this.#timeoutMs, isPassing, act);
  }

  async look(ids: readonly string[]): Promise<Finding[]> {
    const pipeline = this.#commands.redis.pipeline();
    for (const id of ids) {
      pipeline.hmget(
        this.#keys.job(id),
        "timestamp",
        "processedOn",
        "finishedOn",
        "failedReason",
        "returnvalue",
      );
    }
    const findings = (await pipeline.exec() ?? []).map(([error, fields]): Finding => {
      if (error === null) return findingOf(fields as (string | null)[]);
      // The key holds something other than a job.
      if (error.message.startsWith("WRONGTYPE")) return { state: "missing" };
      throw error;
    });
    return await this.#lookForHosts(ids, findings);
  }

  /**
   * Corrects "active" to "waiting" for jobs that no host has: a job stays marked as begun after its
   * host has given it back or was lost. Only its lease shows that a host has it.
   */
  async #lookForHosts(ids: readonly string[], findings: readonly Finding[]): Promise<Finding[]> {
    const pipeline = this.#commands.redis.pipeline();
    ids.forEach((id, i) => {
      if (findings[i].state === "active") pipeline.exists(`${this.#keys.job(id)}:lock`);
    });
    if (pipeline.length === 0) return [...findings];
    const answers = await pipeline.exec() ?? [];
    return findings.map((finding) => {
      if (finding.state !== "active") return finding;
      const [error, isHeld] = answers.shift() ?? [];
      if (error) throw error;
      return isHeld === 1 ? finding : { state: "waiting" };
    });
  }

  async fetch(id: string): Promise<string | undefined> {
    return await this.#commands.redis.get(this.#keys.result(id)) ?? undefined;
  }

  async hosts(): Promise<HostInfo[]> {
    const { redis } = this.#commands;
    const ids = await redis.smembers(this.#keys.hosts);
    if (ids.length === 0) return [];
    const texts = await redis.mget(ids.map((id) => this.#keys.host(id)));
    const gone = ids.filter((_, i) => texts[i] === null);
    if (gone.length > 0) await redis.srem(this.#keys.hosts, gone);
    return texts.map(readJson).filter(isHostInfo);
  }

  async depth(): Promise<number> {
    const { waiting = 0, prioritized = 0 } = await this.#queue.getJobCounts(
      "waiting",
      "prioritized",
    );
    return waiting + prioritized;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#events.close(), this.#queue.close()]);
    // A closed client never settles the calls that were under way when its connection was lost, so
    // this wait is limited.
    await within(2 * READ_AGAIN_MS, this.#reading);
    await this.#commands.close();
  }
}

/** Reports one entry of the event stream to a listener. An entry alternates names and values. */
function tell(listener: JobListener, entry: readonly string[]): void {
  const fields = new Map<string, string>();
  for (let i = 0; i < entry.length; i += 2) fields.set(entry[i], entry[i + 1]);
  const id = fields.get("jobId");
  if (id === undefined) return;
  switch (fields.get("event")) {
    case "active":
      return listener.active(id);
    case "waiting":
      return listener.waiting(id);
    case "completed":
      return listener.completed(id, readJson(fields.get("returnvalue")));
    case "failed":
      return listener.failed(id, fields.get("failedReason") ?? "");
    case "progress":
      return listener.progress(id, readJson(fields.get("data")));
  }
}

function optionsOf(id: string, priority: number, ttlMs: number): JobsOptions {
  const kept = { age: Math.max(1, Math.ceil(ttlMs / 1000)) };
  return {
    jobId: id,
    priority: rankOf(priority),
    attempts: 1,
    removeOnComplete: kept,
    removeOnFail: kept,
    stackTraceLimit: 0,
  };
}

function findingOf(
  [timestamp, processedOn, finishedOn, reason, value]: (string | null)[],
): Finding {
  if (timestamp === null) return { state: "missing" };
  if (finishedOn !== null) {
    if (reason !== null) return { state: "failed", reason };
    return { state: "completed", value: readJson(value) };
  }
  return { state: processedOn === null ? "waiting" : "active" };
}

/**
 * What a text of the broker's says; `undefined` if it is no JSON. Anyone who can write to the broker
 * may have written it.
 */
function readJson(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}

/** Whether a host's report of itself has the form of one. */
function isHostInfo(report: unknown): report is HostInfo {
  if (typeof report !== "object" || report === null) return false;
  const { id, name, pid, threads, running, done } = report as Partial<HostInfo>;
  return typeof id === "string" && typeof name === "string" &&
    [pid, threads, running, done].every((count) => Number.isSafeInteger(count) && count! >= 0);
}
