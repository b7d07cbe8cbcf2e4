/** A program that starts workers some time after it was loaded, and tells what came of it. */

import { ThreadPoolExecutor } from "@concurrent/futures";
import type { Tried } from "./use.ts";
import { gcd } from "./work.ts";

const channel = new BroadcastChannel("late");

async function main(): Promise<void> {
  const told = new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
  });
  await new Promise((resolve) => setTimeout(resolve, 1));
  const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const result = await pool.submit(gcd, 48, 36).catch((error: Error) => error.message);
  if (!("document" in globalThis)) return channel.postMessage(result);
  (globalThis as Tried).tried = { inPage: result, inWorker: await told };
}

main();
