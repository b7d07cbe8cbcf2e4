import { fileURLToPath } from "node:url";
import { Worker as JestWorker } from "jest-worker";

export function start(workers, kind) {
  const pool = new JestWorker(
    fileURLToPath(new URL("../functions.mjs", import.meta.url)),
    {
      numWorkers: workers,
      enableWorkerThreads: kind !== "processes",
      exposedMethods: [
        "add",
        "echo",
        "lengthOf",
        "compute",
        "increment",
        "incrementAll",
        "gcd",
      ],
      ...(kind === "processes" ? { forkOptions: { serialization: "advanced" } } : {}),
    },
  );
  return {
    call: (name, ...args) => pool[name](...args),
    end: () => pool.end(),
  };
}
