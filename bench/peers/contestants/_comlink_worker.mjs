import * as Comlink from "comlink";
import * as functions from "../functions.mjs";

if ("Deno" in globalThis) Comlink.expose({ ...functions });
else {
  const { parentPort } = await import("node:worker_threads");
  const { default: nodeEndpoint } = await import(
    "comlink/dist/esm/node-adapter.mjs"
  );
  Comlink.expose({ ...functions }, nodeEndpoint(parentPort));
}
