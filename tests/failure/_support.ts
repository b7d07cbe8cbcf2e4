/** What the failure tests share: gates that hold a worker, and assertions about a lost one. */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { BrokenThreadPool, type Future, type ThreadPoolExecutor } from "@concurrent/futures";
// It counts workers, and must wrap `Worker` first.
import "../_support/leaks.ts";
import { assertPrompt, errorOf } from "../_support/outcomes.ts";

export { assertPrompt, errorOf, PROMPT_MS } from "../_support/outcomes.ts";

/**
 * The longest time that a program with nothing to do takes on a slow machine. A program that
 * something keeps open lasts for a minute, or for ever.
 */
export const SHORT_MS = 20_000;

/** Time within which a condition that a test merely waits for must come about. */
const PATIENCE_MS = 30_000;

const POLL_MS = 2;

/** Word of a gate: 1 once it is open. */
export const OPEN = 0;
/** Word of a gate: how many tasks have come to it. */
export const ARRIVED = 1;

/** A gate in shared memory at which tasks wait. */
export class Gate {
  readonly words = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));

  /** Lets all tasks through. */
  open(): void {
    Atomics.store(this.words, OPEN, 1);
    Atomics.notify(this.words, OPEN);
  }

  /** How many tasks have come to the gate. */
  get count(): number {
    return Atomics.load(this.words, ARRIVED);
  }

  /** Waits until `count` tasks have come to the gate. */
  async arrived(count = 1): Promise<void> {
    await until(() => this.count >= count);
  }

  /** Opens the gate, so that no worker is left blocked at the end of a test. */
  [Symbol.dispose](): void {
    this.open();
  }
}

/** Polls until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert(performance.now() < deadlineMs, `Not so in ${PATIENCE_MS} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Web Locks, which Deno's own types do not know yet. */
const { locks } = navigator as unknown as {
  locks: { request(name: string, held: () => void): Promise<void> };
};

/** Waits until the worker that ran the task `holdLock` with this name has ended. */
export async function lockReleased(name: string): Promise<void> {
  await locks.request(name, () => {});
}

/** Every worker that this thread has started, in order. */
export const startedWorkers: Worker[] = [];

globalThis.Worker = class extends globalThis.Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    startedWorkers.push(this);
  }
};

/** What the error of a lost worker must say. */
export interface Loss {
  /** Part of the error's text. */
  readonly says: string;
  /** Class and text of its cause. */
  readonly cause?: [new (message: string) => Error, string];
}

/** Asserts that the error says what has happened to the worker. */
export function assertNames(error: unknown, { says, cause }: Loss): void {
  assertInstanceOf(error, BrokenThreadPool);
  assertStringIncludes(error.message, says);
  if (cause === undefined) return;
  const [constructor, text] = cause;
  assertInstanceOf(error.cause, constructor);
  assertStringIncludes(error.cause.message, text);
}

/**
 * Asserts that all futures fail promptly after `sinceMs`, each with its own error, which names the
 * loss.
 */
export async function assertAllLost(
  futures: readonly Future<unknown>[],
  sinceMs: number,
  loss: Loss,
): Promise<void> {
  const errors = await Promise.all(futures.map(errorOf));
  assertPrompt(sinceMs);
  for (const error of errors) assertNames(error, loss);
  assertEquals(new Set(errors).size, errors.length, "futures share an error object");
}

/** Asserts that the pool refuses tasks, says why, and can be shut down. */
export async function assertBroken(pool: ThreadPoolExecutor, loss: Loss): Promise<void> {
  let thrown: unknown;
  try {
    pool.submit(Math.abs, 1);
  } catch (error) {
    thrown = error;
  }
  assertNames(thrown, loss);
  await pool.shutdown();
  assertEquals(pool.stats().workers, 0);
  assertEquals(pool.stats().queued, 0);
}

/** The end and output of a program in a child process, for assertions. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Asserts that a program ended well, and wrote the given lines and nothing to standard error. */
export function assertEndedWell({ code, stdout, stderr, timedOut }: Ended, lines: string[]): void {
  assertEquals(stderr, "");
  assertEquals({ code, timedOut, lines: stdout.split("\n").slice(0, -1) }, {
    code: 0,
    timedOut: false,
    lines,
  });
}

/**
 * A program for `runProgram` that imports the package, and the shared tasks and helpers of this
 * folder.
 */
export function program(body: string): string {
  return `
import * as futures from "@concurrent/futures";
import * as pools from ${JSON.stringify(import.meta.resolve("./_pool_tasks.ts"))};
import * as work from ${JSON.stringify(import.meta.resolve("./_tasks.ts"))};
const { asCompleted, ThreadPoolExecutor, tasks, wait } = futures;
const gate = () => new Int32Array(new SharedArrayBuffer(8));
const open = (words) => { Atomics.store(words, 0, 1); Atomics.notify(words, 0); };
const arrived = async (words, count = 1) => {
  while (Atomics.load(words, 1) < count) await new Promise((resolve) => setTimeout(resolve, 2));
};
if (import.meta.main) {
${body}
}
`;
}
