import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { executorContract } from "../contracts/executor_contract.ts";

executorContract("ThreadPoolExecutor", (options) => new ThreadPoolExecutor(options), {
  blocks: true,
  clones: true,
});
