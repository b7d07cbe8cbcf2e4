import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import * as functions from "../functions.mjs";

/** Piscina gives one argument. */
export const spread = Object.fromEntries(
  Object.entries(functions).map(([name, fn]) => [name, (args) => fn(...args)]),
);
export const { add, echo, lengthOf, compute, increment, incrementAll, gcd } = spread;

export function start(workers) {
  const pool = new Piscina({
    filename: fileURLToPath(import.meta.url),
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: Infinity,
  });
  return {
    call: (name, ...args) => pool.run(args, { name }),
    transfer: (name, args, transferList) => pool.run(args, { name, transferList }),
    end: () => pool.destroy(),
  };
}
