import { fileURLToPath } from "node:url";
import { Tinypool } from "tinypool";
import * as functions from "../functions.mjs";

/** Tinypool gives one argument. */
export const spread = Object.fromEntries(
  Object.entries(functions).map(([name, fn]) => [name, (args) => fn(...args)]),
);
export const { add, echo, lengthOf, compute, increment, incrementAll, gcd } = spread;

export function start(workers, kind) {
  const pool = new Tinypool({
    filename: fileURLToPath(import.meta.url),
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: 2 ** 31 - 1,
    serialization: "advanced",
    runtime: kind === "processes" ? "child_process" : "worker_threads",
  });
  return {
    call: (name, ...args) => pool.run(args, { name }),
    transfer: (name, args, transferList) => pool.run(args, { name, transferList }),
    end: () => pool.destroy(),
  };
}
