/** A module that a worker never has imported; with `?close` behind its address, it ends the worker. */

import { task } from "@concurrent/futures/task";

export const work = task(import.meta, function work(_bytes: Uint8Array): void {});

if (!import.meta.main && "WorkerGlobalScope" in globalThis) {
  if (import.meta.url.endsWith("?close")) close();
  await new Promise(() => {});
}
