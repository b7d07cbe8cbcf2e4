/**
 * What the npm package is. Both builds of it read this, and differ only in how the modules are made.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };

/** The folder that the repository is in. */
export const ROOT: URL = new URL("../../", import.meta.url);

/** Where packages are built. Nothing in it is kept under version control. */
export const OUTPUT: URL = new URL("npm/", ROOT);

/** The oldest Node with all that is needed; `process.getBuiltinModule` is what came last. */
const OLDEST_NODE = "20.16.0";

/** The syntax that the package is brought down to. */
export const TARGET = "node20";

/** An entry of the package. */
export interface Entry {
  /** As an importer writes it behind the package's name: `.`, `./sync`. */
  readonly path: string;
  /** Its module, from the root: `sync/mod.ts`. */
  readonly module: string;
  /** The file's name in the package, without an ending: `sync`. */
  readonly file: string;
}

/** The entries, which are those of the package for Deno. */
export const ENTRIES: readonly Entry[] = Object.entries(config.exports).map(([path, module]) => ({
  path,
  module: module.replace("./", ""),
  file: path === "." ? "mod" : path.replace("./", "").replaceAll("/", "_"),
}));

/** What the entry `progress` draws its bars with, and what the entries of a cluster are made of; all else needs nothing. */
const PEERS = ["bullmq", "cli-progress", "ioredis"] as const;

/** Entries that are of no use in a browser. */
export const SERVER_ONLY: readonly string[] = ["./cluster", "./worker"];

/** The file that starts the worker program of a cluster, for `npx`. */
export const COMMAND = { name: "concurrent-futures-worker", file: "worker_program.js" } as const;

/** Where an entry's declarations are. */
function typesOf({ module }: Entry): string {
  return `./types/${module.replace(/\.ts$/, ".d.ts")}`;
}

/** The package's `package.json`. */
export const PACKAGE_JSON = {
  name: "concurrent-futures",
  version: config.version,
  description:
    "Python's concurrent.futures, threading, multiprocessing and queue: worker threads and processes with futures, locks and queues",
  keywords: [
    "concurrent",
    "executor",
    "future",
    "lock",
    "multiprocessing",
    "parallel",
    "pool",
    "process",
    "queue",
    "thread",
    "worker_threads",
  ],
  license: config.license,
  type: "module",
  engines: { node: `>=${OLDEST_NODE}` },
  peerDependencies: Object.fromEntries(
    PEERS.map((name) => [name, config.imports[name].replace(`npm:${name}@`, "")]),
  ),
  peerDependenciesMeta: Object.fromEntries(PEERS.map((name) => [name, { optional: true }])),
  bin: { [COMMAND.name]: `./${COMMAND.file}` },
  main: "./mod.js",
  types: "./types/mod.d.ts",
  exports: Object.fromEntries(
    ENTRIES.map((entry) => [entry.path, {
      types: typesOf(entry),
      ...(SERVER_ONLY.includes(entry.path) ? {} : { browser: `./browser/${entry.file}.js` }),
      default: `./${entry.file}.js`,
    }]),
  ),
  // For TypeScript with `moduleResolution: "node"`, which does not know `exports`.
  typesVersions: {
    "*": Object.fromEntries(
      ENTRIES.map((entry) => [entry.path.replace(/^\.\/?/, ""), [typesOf(entry)]] as const)
        .filter(([path]) => path !== ""),
    ),
  },
} as const;

/** Files that are in the package as they are in the repository. */
export const DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md"] as const;
