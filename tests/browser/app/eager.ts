/** A program that starts workers before it looks for a document, or asks whether it is a page. */

import { Thread, ThreadPoolExecutor } from "@concurrent/futures";
import type { Tried } from "./use.ts";
import { gcd } from "./work.ts";

async function main(): Promise<void> {
  await Promise.resolve();
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const thread = new Thread({ target: () => {} });
  thread.start();
  await thread.join();
  const tried: Record<string, unknown> = { task: await pool.submit(gcd, 48, 36) };
  tried.inline = await pool.submit((n: number) => n * 2, 21);
  await pool.shutdown();
  (globalThis as Tried).tried = tried;
}

main();
