/** A module that ends the worker that imports it. */

import { task } from "@concurrent/futures/task";

export const work = task(import.meta, function work(): void {});

if (!import.meta.main && "close" in globalThis && "WorkerGlobalScope" in globalThis) close();
