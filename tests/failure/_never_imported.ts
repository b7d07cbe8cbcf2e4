/**
 * A module that no worker has imported before; with `?close` at the end of its address, it ends the
 * worker that imports it.
 */

import { task } from "@concurrent/futures/task";

export const work = task(import.meta, function work(_bytes: Uint8Array): void {});

if (!import.meta.main && "WorkerGlobalScope" in globalThis) {
  if (import.meta.url.endsWith("?close")) close();
  await new Promise(() => {});
}
