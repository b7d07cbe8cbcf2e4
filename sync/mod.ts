/**
 * Python's `threading` primitives, which threads and async tasks wait on. Each is in shared memory
 * and can be sent to any task. Each call that may wait has two forms: one that returns a promise,
 * and one, with `Sync` in its name, that blocks the thread.
 *
 * @example
 * ```ts
 * import { Lock } from "@concurrent/futures/sync";
 * import { assertEquals } from "@std/assert";
 *
 * const lock = new Lock({ name: "accounts" });
 * {
 *   using _ = await lock.hold();
 *   assertEquals(lock.locked(), true);
 * }
 * assertEquals(lock.locked(), false);
 * ```
 *
 * @module
 */

export type { Handle } from "../_memory/handle.ts";
export type { Guard } from "./_acquire.ts";
export { Barrier, type BarrierOptions } from "./barrier.ts";
export { Condition } from "./condition.ts";
export { debugLocks, type LockState } from "./debug_locks.ts";
export {
  BrokenBarrierError,
  NotShareableError,
  OwnerDiedError,
  RuntimeError,
  TimeoutError,
} from "./errors.ts";
export { Event, type EventOptions } from "./event.ts";
export { Lock, type LockOptions } from "./lock.ts";
export type {
  AcquireOptions,
  AcquireSyncOptions,
  WaitOptions,
  WaitSyncOptions,
} from "./options.ts";
export { RLock } from "./rlock.ts";
export { BoundedSemaphore, Semaphore, type SemaphoreOptions } from "./semaphore.ts";
export { Value, type ValueOptions, type ValueTypes } from "./value.ts";
