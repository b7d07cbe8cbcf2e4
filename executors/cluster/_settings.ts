/**
 * Options of a cluster, their checks and their defaults.
 *
 * @module
 */

import { describe } from "../../_platform/describe.ts";
import { checkOptions } from "../../_platform/options.ts";
import type { ClusterTls } from "./_connection.ts";

/** Options of a {@linkcode ClusterExecutor}. Times are in milliseconds. */
export interface ClusterOptions {
  /** The broker: `redis://user:password@host:6379`, or `rediss://` for TLS. */
  url: string;
  /** The pool of worker hosts that runs the tasks. Default `"default"`. */
  pool?: string | undefined;
  /**
   * The modules whose tasks may be submitted: for each its name on the wire, by which the workers
   * know it too, and its address: `{ gcd: import.meta.resolve("./gcd.ts") }`.
   */
  modules: Readonly<Record<string, string | URL>>;
  /**
   * Only workers of the same version take the tasks. Change it when arguments or results change
   * their form.
   */
  version?: string | undefined;
  /** TLS, for `rediss://`. */
  tls?: ClusterTls | undefined;
  /**
   * The most jobs of this executor that are in the broker at a time, from 1; further ones wait
   * here. Default 10,000.
   */
  maxPending?: number | undefined;
  /**
   * How long the broker may take to acknowledge a job, and to answer the first time. Default
   * 30,000.
   */
  submitTimeout?: number | undefined;
  /**
   * How long the broker keeps a job that is done, for `attach`. Default an hour. Give all executors
   * of a pool the same: whenever a job is done, jobs of the pool that have been done for longer
   * than its `resultTtl` are removed.
   */
  resultTtl?: number | undefined;
  /**
   * After this long without an answer, a connection is given up and made anew. The workers' lease
   * is a suitable value. Default 15,000.
   */
  leaseMs?: number | undefined;
  /** How often jobs that were not heard of meanwhile are looked up. Default 2,000. */
  sweepMs?: number | undefined;
  /**
   * Whether a job that the broker has lost is submitted again, under its id, instead of failing.
   * Default `false`.
   */
  resubmitLost?: boolean | undefined;
  /**
   * How many worker hosts may be lost with a task before it fails with a `WorkerLostError`. Default
   * 2.
   */
  retries?: number | undefined;
  /**
   * The most bytes that a task's arguments take; for a chunk of `map`, those of all its items
   * together. Default 1 MiB. A worker host refuses more than its own `--max-arguments`.
   */
  maxArgumentBytes?: number | undefined;
  /**
   * The most bytes that a task's result takes, or its error. Default 8 MiB. The `--max-result` of a
   * worker host counts instead if it is smaller. If the results of a chunk of `map` exceed that
   * together, items whose results had no room are run again in smaller chunks.
   */
  maxResultBytes?: number | undefined;
}

/** The options of a cluster, with all defaults filled in. */
export interface ClusterSettings extends Required<Omit<ClusterOptions, "tls" | "version">> {
  readonly queue: string;
  readonly tls: ClusterTls | undefined;
}

const NAME = /^[\w.-]+$/;

/** The broker's name for a pool. */
export function queueOf(pool: string, version: string | undefined): string {
  for (const [what, name] of [["pool", pool], ["version", version ?? "1"]]) {
    if (typeof name !== "string" || !NAME.test(name)) {
      throw new TypeError(
        `Cannot use ${what} ${describe(name)}: expected letters, digits, "_", "." or "-"`,
      );
    }
  }
  return version === undefined ? pool : `${pool}@${version}`;
}

/** The longest lease: the longest time of a timer, some 24 days. */
export const MOST_LEASE_MS = 2 ** 31 - 1;

/** Checks a whole number. */
export function checkWhole(
  name: string,
  value: number,
  least: number,
  most = Infinity,
): number {
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new TypeError(`Cannot use ${name} ${describe(value)}: expected a whole number`);
  }
  if (value < least) {
    throw new RangeError(`Cannot use ${name} ${value}: expected ${least} or more`);
  }
  if (value > most) {
    throw new RangeError(`Cannot use ${name} ${value}: expected ${most} or less`);
  }
  return value;
}

/**
 * Checks the options.
 *
 * @throws {TypeError} For one of a wrong kind.
 * @throws {RangeError} For a number that is too small or too large.
 */
export function settingsOf(options: ClusterOptions): ClusterSettings {
  const example = "{ url, modules }";
  // An address is not quoted: it may hold a password.
  if (typeof options === "string") {
    throw new TypeError(`Cannot connect: expected options such as ${example}, got a string`);
  }
  checkOptions("connect", options, example);
  const { url, modules, pool = "default", version, tls, resubmitLost = false } = options;
  if (typeof url !== "string") {
    throw new TypeError('Cannot connect: expected `url`, such as "redis://127.0.0.1:6379"');
  }
  if (typeof modules !== "object" || modules === null) {
    throw new TypeError(
      'Cannot connect: expected `modules`, such as { gcd: import.meta.resolve("./gcd.ts") }',
    );
  }
  const sweepMs = checkWhole("sweepMs", options.sweepMs ?? 2_000, 10);
  return {
    url,
    modules,
    pool,
    queue: queueOf(pool, version),
    tls,
    resubmitLost,
    sweepMs,
    maxPending: checkWhole("maxPending", options.maxPending ?? 10_000, 1),
    submitTimeout: checkWhole("submitTimeout", options.submitTimeout ?? 30_000, 1),
    // A result must still be there when a look finds it.
    resultTtl: checkWhole("resultTtl", options.resultTtl ?? 3_600_000, 1_000),
    leaseMs: checkWhole("leaseMs", options.leaseMs ?? 15_000, 100, MOST_LEASE_MS),
    retries: checkWhole("retries", options.retries ?? 2, 0),
    maxArgumentBytes: checkWhole("maxArgumentBytes", options.maxArgumentBytes ?? 1 << 20, 1),
    maxResultBytes: checkWhole("maxResultBytes", options.maxResultBytes ?? 1 << 23, 1),
  };
}
