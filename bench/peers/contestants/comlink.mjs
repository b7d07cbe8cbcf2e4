/** Comlink has no pool: workers take turns. */

import { fileURLToPath } from "node:url";
import * as Comlink from "comlink";

const ENTRY = new URL("_comlink_worker.mjs", import.meta.url);

async function startWorker() {
  if ("Deno" in globalThis) {
    const worker = new Worker(ENTRY, { type: "module" });
    return [worker, Comlink.wrap(worker)];
  }
  const { Worker: NodeWorker } = await import("node:worker_threads");
  const { default: nodeEndpoint } = await import(
    "comlink/dist/esm/node-adapter.mjs"
  );
  const worker = new NodeWorker(fileURLToPath(ENTRY));
  return [worker, Comlink.wrap(nodeEndpoint(worker))];
}

export async function start(count) {
  const workers = [];
  for (let i = 0; i < count; i++) workers.push(await startWorker());
  let calls = 0;
  const call = (name, ...args) => workers[calls++ % count][1][name](...args);
  return {
    call,
    transfer: (name, args, buffers) => call(name, Comlink.transfer(args[0], buffers)),
    end: () => Promise.all(workers.map(([worker]) => worker.terminate())),
  };
}
