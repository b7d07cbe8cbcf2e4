/** The Web Worker of those who are called by hand: a message there, one back; several in one array where they come so. */

import * as functions from "../functions.mjs";

const serve = ([id, name, args]) => [id, functions[name](...args)];

self.onmessage = ({ data }) => {
  self.postMessage(Array.isArray(data[0]) ? data.map(serve) : serve(data));
};
