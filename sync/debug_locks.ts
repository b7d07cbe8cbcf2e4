/**
 * debugLocks: who holds what, and who waits for it.
 *
 * @module
 */

import { knownLocks } from "./_known_locks.ts";
import type { LockWords } from "./_lock_words.ts";

/** What {@linkcode debugLocks} reports of a lock. */
export interface LockState {
  /** `Lock` or `RLock`. */
  readonly kind: string;
  /** The name that the lock was given. */
  readonly name: string | undefined;
  /** The name of the thread that holds the lock, `undefined` while it is free. */
  readonly owner: string | undefined;
  /** False when the owner has ended, or was given up, without releasing the lock. */
  readonly isOwnerAlive: boolean;
  /** How often the owner has acquired it: 0 while it is free. */
  readonly depth: number;
  /**
   * The names of the threads that wait, first in line first; a thread is named once for each of its
   * tasks that wait.
   */
  readonly waiters: readonly string[];
  /**
   * The threads that wait for each other in a circle through this lock, its owner first; empty when
   * there is no circle. Threads that block in a circle are deadlocked; where async tasks wait in
   * it, another task of the thread may still release what the thread holds.
   */
  readonly circle: readonly string[];
}

/**
 * Reports who holds a lock, who waits for it, and whether the waiters wait in a circle: for each
 * lock with a name that this thread has made or received, and each lock without a name that it has
 * waited for. The report is of this moment, and may be out of date when you read it.
 *
 * It costs nothing until it is called. Give locks names: those without are reported only where this
 * thread had to wait.
 *
 * @returns The locks that are held or waited for.
 *
 * @example
 * ```ts
 * import { debugLocks, Lock } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new Lock({ name: "accounts" });
 * lock.acquireSync();
 * const [state] = debugLocks().filter(({ name }) => name === "accounts");
 * assertEquals(state.owner, "main");
 * assertEquals(state.waiters, []);
 * ```
 */
export function debugLocks(): LockState[] {
  // One core of each lock, however many views of it there are.
  const cores = new Map(Array.from(knownLocks(), (core) => [core.buffer, core]));
  const seen = [...cores.values()].map(look).filter(({ owner, waiters }) =>
    owner !== 0 || waiters.length > 0
  );
  return seen.map((locked) => describe(locked, seen));
}

/** The state of a lock at one moment, with threads by their ids. */
interface Locked {
  readonly core: LockWords;
  readonly owner: number;
  readonly waiters: readonly number[];
}

function look(core: LockWords): Locked {
  return { core, owner: core.owner, waiters: core.waitingThreads() };
}

/** What identifies a thread, in whichever table it was found. */
function tokenOf({ core }: Locked, id: number): number {
  return core.seat.table.tokenOf(id);
}

function describe(locked: Locked, all: readonly Locked[]): LockState {
  const { core, owner, waiters } = locked;
  const { kind, name, seat: { table } } = core;
  const nameOf = (id: number): string => table.nameOf(id);
  const isHeld = owner !== 0;
  return {
    kind,
    name,
    owner: isHeld ? nameOf(owner) : undefined,
    isOwnerAlive: isHeld && table.isAlive(owner),
    depth: isHeld ? core.depth : 0,
    waiters: waiters.map(nameOf),
    circle: findCircle(locked, all),
  };
}

/**
 * Follows who waits for whom, from the lock's owner until a thread comes up that waits for this
 * lock; returns the names of the threads on the way, or none when there is no circle.
 */
function findCircle(start: Locked, all: readonly Locked[]): string[] {
  const path: string[] = [];
  const visited = new Set<number>();
  const waitsFor = (thread: number, lock: Locked): boolean =>
    lock.waiters.some((waiter) => tokenOf(lock, waiter) === thread);
  const follow = (lock: Locked): boolean => {
    if (lock.owner === 0) return false;
    const thread = tokenOf(lock, lock.owner);
    if (visited.has(thread)) return false;
    visited.add(thread);
    path.push(lock.core.seat.table.nameOf(lock.owner));
    if (waitsFor(thread, start)) return true;
    for (const other of all) {
      if (waitsFor(thread, other) && follow(other)) return true;
    }
    path.pop();
    return false;
  };
  return follow(start) ? path : [];
}
