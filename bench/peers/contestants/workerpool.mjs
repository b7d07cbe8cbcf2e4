import { fileURLToPath } from "node:url";
import workerpool from "workerpool";

export function start(workers, kind) {
  const pool = workerpool.pool(
    fileURLToPath(new URL("_workerpool_worker.mjs", import.meta.url)),
    {
      minWorkers: workers,
      maxWorkers: workers,
      forkOpts: { serialization: "advanced" },
      workerType: kind === "processes" ? "process" : "thread",
    },
  );
  return {
    call: (name, ...args) => pool.exec(name, args),
    transfer: kind === "processes"
      ? undefined
      : (name, args, transfer) => pool.exec(name, args, { transfer }),
    end: () => pool.terminate(),
  };
}
