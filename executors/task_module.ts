/**
 * The few exports that a module of tasks needs, and nothing else.
 *
 * A worker imports the modules of its tasks with everything that they import. This entry adds
 * little to what a worker has loaded anyway; the package's main entry would add all of its files,
 * and make the worker's start half as long again, or more.
 *
 * @example A module of tasks
 * ```ts
 * import { task, taskContext } from "@concurrent/futures/task";
 *
 * export const countPrimes = task(import.meta, function countPrimes(limit: number): number {
 *   const { signal } = taskContext();
 *   let count = 0;
 *   for (let n = 2; n < limit && !signal.aborted; n++) {
 *     let d = 2;
 *     while (d * d <= n && n % d !== 0) d++;
 *     if (d * d > n) count++;
 *   }
 *   return count;
 * });
 * ```
 *
 * @module
 */

export type { ErrorClass } from "../_platform/mod.ts";
export { registerErrorClass as registerError } from "../_memory/errors.ts";
export { type TaskContext, taskContext } from "./context.ts";
export { type ModuleMeta, type Movable, task, tasks, type TasksOf, transfer } from "./task.ts";
