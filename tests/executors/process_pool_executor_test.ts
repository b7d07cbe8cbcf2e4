/** The contract of all executors, kept by ProcessPoolExecutor. */

import { ProcessPoolExecutor } from "../../executors/mod.ts";
import { executorContract } from "../contracts/executor_contract.ts";

// Giving up a task that never ends ends its process; with "replace" the pool goes on, as the
// contract requires.
executorContract(
  "ProcessPoolExecutor",
  (options) => new ProcessPoolExecutor({ ...options, onWorkerLost: "replace" }),
  { blocks: true, clones: true, sharesMemory: false, tellsTasks: true },
);
