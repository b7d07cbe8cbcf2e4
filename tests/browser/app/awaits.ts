/** A program that awaits a task as it is loaded, before it needs the document. */

import { ThreadPoolExecutor } from "@concurrent/futures";
import type { Tried } from "./use.ts";
import { gcd } from "./work.ts";

const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
const task = await pool.submit(gcd, 48, 36);
await pool.shutdown();
(globalThis as Tried).tried = { task };
