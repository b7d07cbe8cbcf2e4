/** What the failure tests of processes share: assertions about a lost process. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { BrokenProcessPool, type Future, type ProcessPoolExecutor } from "@concurrent/futures";
import { assertGone, until } from "../_support/processes.ts";
import { echo } from "../contracts/tasks.ts";
import { assertPrompt, errorOf, PROMPT_MS } from "./_support.ts";

export const MODES = ["break", "replace"] as const;

/** What the error of a lost process must say. */
export interface ProcessLoss {
  /** Part of the error's text. */
  readonly says: string;
  readonly pid?: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Class and text of the error that ended the process. */
  readonly cause?: [new (message: string) => Error, string];
}

/** The loss of a process that exits. */
export function exits(exitCode: number, cause?: ProcessLoss["cause"]): ProcessLoss {
  return { says: `exited with code ${exitCode}`, exitCode, signal: null, cause };
}

/** The loss of a process that is ended by a signal. */
export function endsBy(signal: string, pid?: number): ProcessLoss {
  return { says: `was ended by ${signal}`, exitCode: null, signal, pid };
}

/** Asserts that the error is a BrokenProcessPool that says what has happened to the process. */
export function assertNames(error: unknown, loss: ProcessLoss): void {
  assertInstanceOf(error, BrokenProcessPool);
  assertStringIncludes(error.message, loss.says);
  assertInstanceOf(error.cause, Error);
  const facts = error.cause as Error & { pid: number; exitCode: unknown; signal: unknown };
  assertStringIncludes(facts.message, loss.says);
  assertStringIncludes(error.message, `process ${facts.pid} `);
  assertEquals([facts.exitCode, facts.signal], [loss.exitCode, loss.signal]);
  if (loss.pid !== undefined) assertEquals(facts.pid, loss.pid);
  if (loss.cause === undefined) return;
  const [constructor, text] = loss.cause;
  assertInstanceOf(facts.cause, constructor);
  assertStringIncludes(facts.cause.message, text);
}

/**
 * Asserts that all futures fail promptly after `sinceMs`, each with its own error, which names the
 * loss.
 */
export async function assertAllLost(
  futures: readonly Future<unknown>[],
  sinceMs: number,
  loss: ProcessLoss,
): Promise<void> {
  const errors = await Promise.all(futures.map(errorOf));
  assertPrompt(sinceMs);
  for (const error of errors) assertNames(error, loss);
  assertEquals(new Set(errors).size, errors.length, "futures share an error object");
}

/**
 * Waits until the pool knows that it has lost `count` processes, and asserts that this was promptly
 * after `sinceMs`.
 */
export async function lossNoticed(
  pool: ProcessPoolExecutor,
  sinceMs: number,
  count = 1,
): Promise<void> {
  await until(() => pool.stats().lost >= count);
  assertPrompt(sinceMs);
  assertEquals(pool.stats().lost, count);
}

/** The error that the pool throws when a task is submitted. */
export function refusalOf(pool: ProcessPoolExecutor): unknown {
  try {
    pool.submit(echo, 1);
  } catch (error) {
    return error;
  }
  return undefined;
}

/**
 * Asserts that the pool refuses tasks and says why, can be shut down, and leaves none of the
 * processes behind.
 */
export async function assertBroken(
  pool: ProcessPoolExecutor,
  loss: ProcessLoss,
  pids: readonly number[],
): Promise<void> {
  assertNames(refusalOf(pool), loss);
  await assertShutsDown(pool, pids);
}

/**
 * Asserts that the pool still runs tasks, can be shut down, and leaves none of the processes
 * behind.
 */
export async function assertGoesOn(
  pool: ProcessPoolExecutor,
  pids: readonly number[],
): Promise<void> {
  assertEquals(await pool.submit(echo, "next"), "next");
  await assertShutsDown(pool, [...pids, ...pool.pids]);
}

/** Asserts that shutdown ends promptly, and that none of the processes is left after it. */
export async function assertShutsDown(
  pool: ProcessPoolExecutor,
  pids: readonly number[],
): Promise<void> {
  const startMs = performance.now();
  await pool.shutdown();
  const elapsedMs = performance.now() - startMs;
  assert(elapsedMs < PROMPT_MS, `shutdown took ${Math.round(elapsedMs)} ms`);
  const { workers, queued, running } = pool.stats();
  assertEquals({ workers, queued, running }, { workers: 0, queued: 0, running: 0 });
  assertEquals(pool.pids, []);
  assert(pids.length > 0);
  await assertGone(pids, PROMPT_MS);
}

/** A program for `runProgram` that imports the package and the tasks of the processes. */
export function processProgram(body: string): string {
  return `
import * as futures from "@concurrent/futures";
import * as work from ${JSON.stringify(import.meta.resolve("../_support/process_tasks.ts"))};
import * as starters from ${JSON.stringify(import.meta.resolve("../_support/process_starters.ts"))};
import * as plain from ${JSON.stringify(import.meta.resolve("../contracts/tasks.ts"))};
import { Gate } from ${JSON.stringify(import.meta.resolve("../contracts/signals.ts"))};
const { Process, ProcessPoolExecutor, Queue, task, wait } = futures;
if (import.meta.main) {
${body}
}
`;
}
