/**
 * Beyond one machine: an executor for the worker hosts of a cluster. Importing this loads `bullmq`
 * and `ioredis`, which nothing else in the package needs except the worker program.
 *
 * @example
 * ```ts ignore
 * import { ClusterExecutor } from "@concurrent/futures/cluster";
 * import { gcd } from "./gcd.ts";
 *
 * await using executor = await ClusterExecutor.connect({
 *   url: "redis://127.0.0.1:6379",
 *   modules: { gcd: import.meta.resolve("./gcd.ts") },
 * });
 * for await (const result of executor.map(gcd, [[12, 18], [35, 49]])) console.log(result);
 * ```
 *
 * @module
 */

export {
  ClusterExecutor,
  type ClusterHost,
  type ClusterStats,
  type ClusterTaskOptions,
  type ClusterView,
} from "./cluster_executor.ts";
export type { ClusterOptions } from "./_settings.ts";
export type { ClusterTls } from "./_connection.ts";
export {
  BrokerUnavailableError,
  JobLostError,
  PayloadTooLargeError,
  RemoteError,
  TaskNotFoundError,
  WorkerLostError,
} from "./errors.ts";
