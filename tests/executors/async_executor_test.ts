import { AsyncExecutor } from "../../executors/mod.ts";
import { executorContract } from "../contracts/executor_contract.ts";

executorContract("AsyncExecutor", (options) => new AsyncExecutor(options), {
  blocks: false,
  clones: false,
});
