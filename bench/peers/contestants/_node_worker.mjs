/** The same as `_worker.mjs`, for `node:worker_threads`. */

import { parentPort } from "node:worker_threads";
import * as functions from "../functions.mjs";

const serve = ([id, name, args]) => [id, functions[name](...args)];

parentPort.on("message", (data) => {
  parentPort.postMessage(Array.isArray(data[0]) ? data.map(serve) : serve(data));
});
