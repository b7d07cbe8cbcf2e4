/**
 * From a call to the job that represents it.
 *
 * @module
 */

import { NotShareableError } from "../../sync/errors.ts";
import type { AnyFunction } from "../_target.ts";
import type { TaskOptions } from "../executor.ts";
import { takeArgumentTransfers } from "../task.ts";
import type { NewJob } from "./_engine.ts";
import type { ModuleNames } from "./_module_names.ts";
import type { ClusterSettings } from "./_settings.ts";
import { encodeValue } from "./_value_writer.ts";
import { PayloadTooLargeError } from "./errors.ts";

/** Options of a cluster's tasks, as a view of the executor keeps them. */
export interface OrderOptions extends TaskOptions {
  readonly retries?: number;
}

/**
 * Makes the job of a call; the arguments are encoded now.
 *
 * @throws {NotShareableError} When function or arguments cannot be sent.
 * @throws {PayloadTooLargeError} When the arguments are too large.
 */
export function orderOf(
  id: string,
  fn: AnyFunction,
  args: readonly unknown[],
  options: OrderOptions | undefined,
  arity: number,
  modules: ModuleNames,
  settings: ClusterSettings,
): NewJob {
  const moved = takeArgumentTransfers(args, options?.transfer);
  const name = modules.nameOf(fn);
  if (moved !== undefined) {
    throw new NotShareableError(
      "Cannot transfer to another machine: memory is copied there; leave `transfer` out",
    );
  }
  const { maxArgumentBytes, maxResultBytes, resultTtl, retries } = settings;
  const text = encodeValue(args, "arguments", {
    bytes: maxArgumentBytes,
    error: (size) =>
      new PayloadTooLargeError(
        `Cannot submit "${name}": its arguments take ${size} bytes, and maxArgumentBytes is ${maxArgumentBytes}; put them where all hosts can read them and send a reference`,
      ),
  });
  const timeout = options?.timeout;
  return {
    id,
    name,
    data: {
      v: 1,
      args: text,
      arity,
      timeout: timeout === undefined || timeout === Infinity ? null : timeout,
      retries: options?.retries ?? retries,
      maxResult: maxResultBytes,
      ttl: resultTtl,
    },
    priority: options?.priority ?? 0,
  };
}
