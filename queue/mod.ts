/**
 * Python's `queue`, whose queues carry values between threads. Each queue is in shared memory and
 * can be sent to any task. Each call that may wait has two forms: one that returns a promise, and
 * one, with `Sync` in its name, that blocks the thread.
 *
 * @example
 * ```ts
 * import { Queue } from "@concurrent/futures/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<string>(10);
 * await queue.put("a");
 * assertEquals(await queue.get(), "a");
 * queue.taskDone();
 * await queue.join();
 * ```
 *
 * @module
 */

export type { Handle } from "../_memory/handle.ts";
export { NotShareableError, RuntimeError, TimeoutError } from "../sync/errors.ts";
export type { WaitOptions, WaitSyncOptions } from "../sync/options.ts";
export type { BlockOptions, BlockSyncOptions, QueueOptions } from "./_access.ts";
export type { PriorityKey } from "./_keys.ts";
export { Empty, Full, LostItemsError, ShutDown } from "./errors.ts";
export { LifoQueue } from "./lifo_queue.ts";
export { PriorityQueue, type PriorityQueueOptions } from "./priority_queue.ts";
export { Queue, type QueueShutdownOptions } from "./queue.ts";
export { SimpleQueue, type SimpleQueueOptions } from "./simple_queue.ts";
