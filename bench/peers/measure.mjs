/** What the cases share, on Deno and on Node. */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { median } from "../_timing.mjs";

/** How long something is repeated. */
const REPEATED_MS = 600;

/** The median of so many runs, after one that does not count; of fewer where they take long. */
export async function repeated(times, run) {
  const endMs = performance.now() + REPEATED_MS;
  await run();
  const values = [];
  do values.push(await run()); while (
    values.length < times && performance.now() < endMs
  );
  return median(values);
}

/** Milliseconds that something takes. */
export async function timed(run) {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

/** Milliseconds of `count` calls, all at once. */
export function burst(count, call) {
  return timed(async () => {
    const pending = [];
    for (let i = 0; i < count; i++) pending.push(call());
    await Promise.all(pending);
  });
}

/** Milliseconds of `count` calls, `width` of them under way at any time. */
export function inFlight(count, width, call) {
  let left = count;
  return timed(() =>
    Promise.all(Array.from({ length: width }, async () => {
      while (left-- > 0) await call();
    }))
  );
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const fieldsOf = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
};

/** A process and those that it has started; Linux only. */
export function family(root = process.pid) {
  const parents = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(fieldsOf(name)[1]));
    } catch { /* It has ended meanwhile. */ }
  }
  const found = [root];
  for (const pid of found) {
    for (const [child, parent] of parents) {
      if (parent === pid) found.push(child);
    }
  }
  return found;
}

/** Processor time of this process and its children, in milliseconds, in steps of 10. */
export function processorMs() {
  const MS_PER_TICK = 10;
  return family().reduce((sum, pid) => {
    const fields = fieldsOf(pid);
    return sum + (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }, 0);
}

/** Memory that this process and its children hold, in bytes. */
export function residentBytes() {
  const BYTES_PER_KB = 1024;
  return family().reduce((sum, pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return sum + Number(/VmRSS:\s*(\d+)/.exec(status)[1]) * BYTES_PER_KB;
  }, 0);
}
