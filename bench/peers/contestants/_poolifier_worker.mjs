import { ThreadWorker } from "poolifier";
import * as functions from "../functions.mjs";

export default new ThreadWorker(
  Object.fromEntries(
    Object.entries(functions).map((
      [name, fn],
    ) => [name, (args) => fn(...args)]),
  ),
);
