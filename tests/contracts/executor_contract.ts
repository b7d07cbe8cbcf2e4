/** What every executor promises. Written once, run for each of them. */

import { blockingContract } from "./blocking_contract.ts";
import { futureContract } from "./future_contract.ts";
import { mapContract } from "./map_contract.ts";
import { shutdownContract } from "./shutdown_contract.ts";
import { streamContract } from "./stream_contract.ts";
import { streamEndContract } from "./stream_end_contract.ts";
import { submitContract } from "./submit_contract.ts";
import type { ExecutorFactory, ExecutorTraits } from "./suite.ts";
import { waitContract } from "./wait_contract.ts";
import { withContract } from "./with_contract.ts";

/**
 * Registers the tests for one kind of executor.
 *
 * @param name What the name of each test begins with.
 * @param make Makes an executor; each test makes its own.
 * @param traits How executors may differ.
 */
export function executorContract(
  name: string,
  make: ExecutorFactory,
  traits: ExecutorTraits,
): void {
  const suite = { name, make, traits };
  submitContract(suite);
  futureContract(suite);
  waitContract(suite);
  mapContract(suite);
  if (traits.streams ?? true) {
    streamContract(suite);
    streamEndContract(suite);
  }
  withContract(suite);
  shutdownContract(suite);
  blockingContract(suite);
}
