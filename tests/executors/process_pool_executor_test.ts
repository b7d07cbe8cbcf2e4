/** What all executors promise, kept by ProcessPoolExecutor. */

import { ProcessPoolExecutor } from "../../executors/mod.ts";
import { executorContract } from "../contracts/executor_contract.ts";

// Giving up a task that never ends takes its process; "replace" has the pool go on, as the contract wants it.
executorContract(
  "ProcessPoolExecutor",
  (options) => new ProcessPoolExecutor({ ...options, onWorkerLost: "replace" }),
  { blocks: true, clones: true, sharesMemory: false, tellsTasks: true },
);
