/**
 * The description of the npm package. Both builds read it, and differ only in how they make the
 * modules.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };

/** The folder that the repository is in. */
export const ROOT: URL = new URL("../../", import.meta.url);

/** The folder where packages are built. It is not under version control. */
export const OUTPUT: URL = new URL("npm/", ROOT);

/** The Nodes with all that is needed; `process.getBuiltinModule` was the last to come. */
const NODES = "^20.16.0 || >=22.3.0";

/** The syntax that the package is compiled to. */
export const TARGET = "node20";

/** An entry of the package. */
export interface Entry {
  /** The path as in `exports` of `package.json`, relative to the package's name: `.`, `./sync`. */
  readonly path: string;
  /** The path of its module, from the root: `sync/mod.ts`. */
  readonly module: string;
  /** The file's name in the package, without an ending: `sync`. */
  readonly file: string;
}

/** The entries: the same as those of the package for Deno. */
export const ENTRIES: readonly Entry[] = Object.entries(config.exports).map(([path, module]) => ({
  path,
  module: module.replace("./", ""),
  file: path === "." ? "mod" : path.replace("./", "").replaceAll("/", "_"),
}));

/**
 * The packages that the entry `progress` draws its bars with, and that the cluster's entries are
 * based on; everything else needs none.
 */
const PEERS = ["bullmq", "cli-progress", "ioredis"] as const;

/** Entries that are of no use in a browser. */
export const SERVER_ONLY: readonly string[] = ["./cluster", "./worker"];

/** The file that starts the worker program of a cluster, for `npx`. */
export const COMMAND = { name: "concurrent-futures-worker", file: "worker_program.js" } as const;

/** Returns the path of an entry's declarations. */
function typesOf({ module }: Entry): string {
  return `./types/${module.replace(/\.ts$/, ".d.ts")}`;
}

/** Returns the path of an entry's file for web pages. */
function browserFileOf({ file }: Entry): string {
  return `./browser/${file}.js`;
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
  engines: { node: NODES },
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
      ...(SERVER_ONLY.includes(entry.path) ? {} : { browser: browserFileOf(entry) }),
      default: `./${entry.file}.js`,
    }]),
  ),
  // For Parcel, which ignores `exports` unless told otherwise.
  browser: Object.fromEntries(
    ENTRIES.filter(({ path }) => !SERVER_ONLY.includes(path))
      .map((entry) => [`./${entry.file}.js`, browserFileOf(entry)]),
  ),
  // For TypeScript with `moduleResolution: "node"`, which does not know `exports`.
  typesVersions: {
    "*": Object.fromEntries(
      ENTRIES.map((entry) => [entry.path.replace(/^\.\/?/, ""), [typesOf(entry)]] as const)
        .filter(([path]) => path !== ""),
    ),
  },
} as const;

/** Files that are copied into the package unchanged. */
export const DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md"] as const;
