/**
 * A pool's initializer, in the form in which its workers get it.
 *
 * @module
 */

import { Encoder } from "../_memory/encoder.ts";
import { encode } from "../_memory/message.ts";
import type { Catalog } from "./_catalog.ts";
import type { Exports } from "./_exports.ts";
import { writeForProcess } from "./_payload.ts";
import type { PoolSettings } from "./_pool_options.ts";
import type { StartMessage } from "./_protocol.ts";
import { targetOf } from "./_target.ts";

/** A pool's initializer, encoded. */
export interface InitializerPart {
  readonly told: Pick<StartMessage, "initializer" | "initargs" | "initargsShareObjects">;
  /** Shared objects among its arguments; must be kept alive as long as workers may be started. */
  readonly named: unknown;
}

/** For a pool without an initializer. */
export const NO_INITIALIZER: InitializerPart = {
  told: { initializer: -1, initargs: undefined, initargsShareObjects: false },
  named: undefined,
};

/**
 * Encodes a pool's initializer and its arguments.
 *
 * @param exports Given if the workers are in other processes.
 * @throws {unknown} When they cannot be sent.
 */
export function encodeInitializer(
  { initializer, initargs }: PoolSettings,
  catalog: Catalog,
  exports: Exports | undefined,
): InitializerPart {
  if (initializer === undefined) return NO_INITIALIZER;
  const number = catalog.numberOf(targetOf(initializer));
  const encoder = new Encoder();
  if (exports !== undefined) writeForProcess(encoder, exports.handleOf);
  const encoded = encode(encoder, initargs);
  const named = exports?.takeNamed();
  const told = {
    initializer: number,
    initargs: encoded,
    initargsShareObjects: encoder.handles > 0,
  };
  return { told, named };
}
