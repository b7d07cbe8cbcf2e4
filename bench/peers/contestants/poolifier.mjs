import { fileURLToPath } from "node:url";
import { FixedThreadPool } from "poolifier";

export function start(workers) {
  const pool = new FixedThreadPool(
    workers,
    fileURLToPath(new URL("_poolifier_worker.mjs", import.meta.url)),
  );
  return {
    call: (name, ...args) => pool.execute(args, name),
    transfer: (name, args, buffers) => pool.execute(args, name, undefined, buffers),
    end: () => pool.destroy(),
  };
}
