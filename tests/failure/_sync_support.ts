/**
 * What the failure tests of locks and their kin share: how to tell who waits and who is dead, and
 * programs that use locks.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Condition, type Lock, OwnerDiedError, type RLock } from "@concurrent/futures";
import { program } from "./_support.ts";
import type { AnyLock } from "./_waiters.ts";

let made = 0;

/** A name that no other object of this program has. */
export function newName(): string {
  return `object ${made++}`;
}

/** The lock itself, or the one of a condition. */
export function lockOf(lock: AnyLock): Lock | RLock {
  return lock instanceof Condition ? lock.lock : lock;
}

/** Name and text of an error; a text that says so if there was none. */
export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `no error: ${error}`;
}

/** The error that the function throws, or that its promise rejects with. */
export async function thrownBy(fn: () => unknown): Promise<unknown> {
  try {
    return `returned ${await fn()}`;
  } catch (error) {
    return error;
  }
}

/** Asserts that the error names the thread whose death has left the lock behind. */
export function assertOwnerDied(error: unknown, lock: AnyLock, thread: string): void {
  assert(OwnerDiedError.is(error), `got ${textOf(error)}`);
  assertNamesOwner(error.message, lock, thread);
}

/** Like {@linkcode assertOwnerDied}, for the error's text alone. */
export function assertNamesOwner(text: string, lock: AnyLock, thread: string): void {
  assertStringIncludes(text, "its owner, thread");
  assertStringIncludes(text, `"${lockOf(lock).name}"`);
  assertStringIncludes(text, `"${thread}"`);
}

/** Asserts that a lock is free, and can be acquired and released here, in both forms. */
export async function assertUsable(lock: AnyLock): Promise<void> {
  assertEquals(lock.locked(), false);
  assertEquals(lockOf(lock).recover(), false);
  assertEquals(lock.acquireSync({ timeout: 1000 }), true);
  assertEquals(lockOf(lock).recover(), false);
  lock.release();
  assertEquals(await lock.acquire({ timeout: 1000 }), true);
  lock.release();
  assertEquals(lock.locked(), false);
}

/** Like `program`, with the tasks and helpers of the locks' tests. */
export function syncProgram(body: string): string {
  return `
import * as sync from ${JSON.stringify(import.meta.resolve("./_sync_tasks.ts"))};
import { waitersOf } from ${JSON.stringify(import.meta.resolve("./_waiters.ts"))};
${
    program(`
    const { Barrier, Condition, Event, Lock, RLock, Semaphore, Value } = futures;
    ${body}
  `)
  }`;
}
