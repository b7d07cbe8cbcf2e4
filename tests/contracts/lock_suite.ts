/** What the parts of the lock contract share. */

import { assertEquals } from "@std/assert";
import type {
  AcquireOptions,
  AcquireSyncOptions,
  Guard,
  Handle,
  WaitOptions,
  WaitSyncOptions,
} from "../../sync/mod.ts";
import { lockWaitersOf } from "../sync/_support.ts";

/** What the classes have in common. */
export interface Lockable {
  acquire(options?: AcquireOptions): Promise<boolean>;
  acquireSync(options?: AcquireSyncOptions): boolean;
  release(): void;
  locked(): boolean;
  hold(options?: WaitOptions): Promise<Guard>;
  holdSync(options?: WaitSyncOptions): Guard;
  run<R>(fn: () => R, options?: WaitOptions): Promise<Awaited<R>>;
  runSync<R>(fn: () => R, options?: WaitSyncOptions): R;
  readonly handle: Handle;
}

/** One class under test. */
export interface LockSuite {
  readonly name: string;
  /** What error texts call the object that is acquired. */
  readonly label: string;
  /** Makes an object that is free and that one holder can have at a time. */
  make(name?: string): Lockable;
  from(handle: Handle): Lockable;
  /** What an error text says of an object that this thread holds. */
  readonly heldText: string;
}

/** Long enough for a wait that must be in vain. */
export const SHORT_MS = 15;

/** The bad arguments of a wait, and the errors that refuse them. */
export const BAD_WAITS: readonly (readonly [
  options: unknown,
  error: new (message: string) => Error,
  text: string,
])[] = [
  [{ timeout: -1 }, RangeError, "timeout must be 0 or more milliseconds, got -1"],
  [{ timeout: -0.1 }, RangeError, "timeout must be 0 or more milliseconds, got -0.1"],
  [{ timeout: -Infinity }, RangeError, "timeout must be 0 or more milliseconds, got -Infinity"],
  [{ timeout: NaN }, RangeError, "timeout must be 0 or more milliseconds, got NaN"],
  [{ timeout: "5" }, TypeError, 'timeout must be a number of milliseconds, got "5"'],
  [{ timeout: 5n }, TypeError, "timeout must be a number of milliseconds, got 5n"],
  [{ timeout: {} }, TypeError, "timeout must be a number of milliseconds, got Object"],
];

/** Bad arguments that only `acquire` has. */
export const BAD_ACQUIRES: typeof BAD_WAITS = [
  [{ blocking: false, timeout: 5 }, RangeError, "a timeout has no meaning with blocking: false"],
  [{ blocking: false, timeout: 0 }, RangeError, "a timeout has no meaning with blocking: false"],
  [{ blocking: false, timeout: -1 }, RangeError, "a timeout has no meaning with blocking: false"],
  [{ blocking: "no" }, TypeError, 'blocking must be a boolean, got "no"'],
  [{ blocking: null }, TypeError, "blocking must be a boolean, got null"],
  [{ blocking: 0 }, TypeError, "blocking must be a boolean, got 0"],
];

/** Fails unless the lock is free and works in both forms. */
export async function assertSound(lock: Lockable): Promise<void> {
  assertEquals([lock.locked(), lockWaitersOf(lock)], [false, 0]);
  assertEquals(lock.acquireSync({ blocking: false }), true);
  lock.release();
  assertEquals(await lock.acquire({ timeout: 0 }), true);
  assertEquals(lock.locked(), true);
  lock.release();
  assertEquals(lock.locked(), false);
}
