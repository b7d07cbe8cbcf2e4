/**
 * What all classes that can be acquired and released have in common. Written once, run for each
 * class.
 */

import { lockAcquireContract } from "./lock_acquire_contract.ts";
import { lockGuardContract } from "./lock_guard_contract.ts";
import { lockHandleContract } from "./lock_handle_contract.ts";
import type { LockSuite } from "./lock_suite.ts";
import { lockThreadContract } from "./lock_thread_contract.ts";

/** Registers the tests for one class. */
export function lockContract(suite: LockSuite): void {
  lockAcquireContract(suite);
  lockGuardContract(suite);
  lockHandleContract(suite);
  lockThreadContract(suite);
}
