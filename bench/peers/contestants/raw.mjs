/** Calls by hand, which all others are measured against: a Web Worker, or a worker of `node:worker_threads`. */

import { fileURLToPath } from "node:url";
import { Worker as NodeWorker } from "node:worker_threads";
import { lockAndRelease } from "../functions.mjs";

const ENTRY = new URL("_worker.mjs", import.meta.url);
const NODE_ENTRY = new URL("_node_worker.mjs", import.meta.url);
const BATCH = 64;
const RING_WORDS = 1026;

function startWorker(kind, onmessage) {
  if (kind !== "node" && "Deno" in globalThis) {
    const worker = new Worker(ENTRY, { type: "module" });
    worker.onmessage = ({ data }) => onmessage(data);
    return worker;
  }
  const worker = new NodeWorker(fileURLToPath(NODE_ENTRY));
  worker.on("message", onmessage);
  return worker;
}

/** Workers take turns. Of kind "batches", calls of one turn of the event loop go by 64. */
export function start(count, kind) {
  const callers = new Map();
  const settle = ([id, value]) => {
    const resolve = callers.get(id);
    callers.delete(id);
    resolve(value);
  };
  const onmessage = kind === "batches" ? (data) => data.forEach(settle) : settle;
  const workers = Array.from(
    { length: count },
    () => startWorker(kind, onmessage),
  );
  const batches = workers.map(() => []);
  let calls = 0;
  const flush = (index) => {
    if (batches[index].length > 0) workers[index].postMessage(batches[index]);
    batches[index] = [];
  };
  const send = (call, buffers) => {
    const index = call[0] % count;
    if (kind !== "batches") return workers[index].postMessage(call, buffers);
    const length = batches[index].push(call);
    if (length === BATCH) flush(index);
    else if (length === 1) queueMicrotask(() => flush(index));
  };
  const request = (name, args, buffers = []) =>
    new Promise((resolve) => {
      callers.set(++calls, resolve);
      send([calls, name, args], buffers);
    });
  return {
    call: (name, ...args) => request(name, args),
    transfer: kind === "batches" ? undefined : request,
    end: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

const words = (count) => new Int32Array(new SharedArrayBuffer(count * 4));

/** The same of bare `Atomics`, which block only. */
export const own = {
  lock: {
    start() {
      const pool = start(2);
      const lock = words(1);
      return {
        here: (isBlocking, count) => isBlocking ? lockAndRelease(lock, count) : undefined,
        there: (isBlocking, count) =>
          isBlocking ? pool.call("lockAndRelease", lock, count) : undefined,
        end: () => pool.end(),
      };
    },
  },
  queue: {
    start() {
      const pool = start(2);
      return {
        async blocking(count) {
          const ring = words(RING_WORDS);
          const got = pool.call("getAll", ring, count);
          await pool.call("putAll", ring, count);
          return await got;
        },
        end: () => pool.end(),
      };
    },
  },
};
