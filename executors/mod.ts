/**
 * Python's `concurrent.futures`: executors, futures, and functions that wait for them; and threads,
 * timers and processes by hand.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures/executors";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * assertEquals(await pool.map((n: number) => n * n, [1, 2, 3]).toArray(), [1, 4, 9]);
 * ```
 *
 * @module
 */

// Imported only so that packages contain it for bundlers; see `_bundle_address.ts`.
import "./_worker.ts";

export type { Handle } from "../_memory/handle.ts";
export { NotShareableError, RuntimeError, TimeoutError } from "../sync/errors.ts";
export type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
export { AsyncExecutor, type AsyncExecutorOptions } from "./async_executor.ts";
export { type TaskContext, taskContext } from "./context.ts";
export {
  BrokenExecutor,
  BrokenProcessPool,
  BrokenThreadPool,
  CancelledError,
  InvalidStateError,
} from "./errors.ts";
export {
  Executor,
  type ExecutorBackend,
  type ShutdownOptions,
  type TaskOptions,
} from "./executor.ts";
export { Future, type OnRejected } from "./future.ts";
export type { MapInput } from "./_map_inputs.ts";
export type { MapResult } from "./_map_result.ts";
export type { MapOptions } from "./_map_run.ts";
export { map } from "./map.ts";
export type { ErrorClass } from "../_platform/mod.ts";
export { registerErrorClass as registerError } from "../_memory/errors.ts";
export { type ModuleMeta, type Movable, task, tasks, type TasksOf, transfer } from "./task.ts";
export type { Streamable, StreamResult, StreamSink, StreamSource } from "./stream.ts";
export { Thread, type ThreadOptions } from "./thread.ts";
export { activeCount, currentThread, enumerate, getIdent, mainThread } from "./_thread_list.ts";
export { type ExceptHook, excepthook, type ExceptHookArgs, setExcepthook } from "./_thread_hook.ts";
export type { Durations, ExecutorStats, WorkerStats } from "./stats.ts";
export {
  activeChildren,
  cpuCount,
  type CurrentProcess,
  currentProcess,
  Process,
  type ProcessOptions,
} from "./process.ts";
export type { PoolOptions } from "./_pool_options.ts";
export { ProcessPoolExecutor, type ProcessPoolOptions } from "./process_pool_executor.ts";
export type { Permission, PermissionKind, Permissions } from "../_platform/permissions.ts";
export { ThreadPoolExecutor, type ThreadPoolOptions } from "./thread_pool_executor.ts";
export { Timer, type TimerOptions } from "./timer.ts";
export {
  ALL_COMPLETED,
  asCompleted,
  type CompletedFutures,
  type CompletedIterable,
  type CompletedIterableToo,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type FutureIterator,
  type FutureValue,
  type ReturnWhen,
  wait,
  type WaitForOptions,
  type WaitForSyncOptions,
  type WaitResult,
  waitSync,
} from "./wait.ts";
