/**
 * Work that computes: the pairs of the first example, in a plain loop and with each executor. The pool
 * is made before the first measurement, and its workers have loaded the module by then.
 */

import { AsyncExecutor, ThreadPoolExecutor } from "@concurrent/futures";
import { gcd } from "../examples/gcd.ts";

const WORKERS = 2;
const REPEAT = 100;

const LIST: [number, number][] = [
  [1231312, 434344],
  [2013123, 111110],
  [34423323, 123123],
  [234345, 345345],
];
const pairs = Array.from({ length: REPEAT }, () => LIST).flat();
const group = `gcd of ${pairs.length} pairs`;

const loop = new AsyncExecutor({ maxWorkers: WORKERS });
const pool = new ThreadPoolExecutor({ maxWorkers: WORKERS });
// Enough for every worker to have its part.
await pool.map(gcd, pairs).toArray();

Deno.bench("linear", { group, baseline: true }, () => {
  for (const pair of pairs) gcd(pair);
});

Deno.bench("AsyncExecutor", { group }, async () => {
  await loop.map(gcd, pairs).toArray();
});

Deno.bench(`ThreadPoolExecutor, ${WORKERS} workers`, { group }, async () => {
  await pool.map(gcd, pairs).toArray();
});

globalThis.addEventListener("unload", () => pool.shutdownSync());
