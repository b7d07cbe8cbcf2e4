/**
 * The contestants, and the cases that each takes part in.
 *
 * @module
 */

import { cases } from "./cases.mjs";

/** What a figure of a case means. */
export interface Measure {
  /** Which of the case's figures it is; empty if there is only one. */
  readonly label: string;
  readonly unit: string;
  readonly isMoreBetter: boolean;
}

/** A case, as far as printing needs it. */
export interface Case {
  readonly title: string;
  readonly measures: Record<string, Measure>;
  /** Whether only contestants with their own locks or queues take part. */
  readonly own?: boolean;
}

/** The name of a case. */
export type CaseName = keyof typeof cases;

/** The names of all cases. */
export const CASES = Object.keys(cases) as CaseName[];

/** Returns the case with the given name. */
export function caseOf(name: CaseName): Case {
  return cases[name];
}

/** Where a contestant runs. */
export type Runtime = "deno" | "node" | "python";

/** A contestant: a package or a way of calling, on a runtime. */
export interface Contestant {
  /** The name for `--contestant`. */
  readonly name: string;
  readonly label: string;
  readonly runtime: Runtime;
  /** Its module in `contestants/`. */
  readonly module: string;
  /** Which kind of its module it is; empty if there is only one. */
  readonly kind: string;
  /** The npm package that it needs. */
  readonly package?: string;
}

const KINDS: [
  module: string,
  kind: string,
  runtimes: Runtime[],
  isPackage: boolean,
][] = [
  ["ours", "threads", ["deno", "node"], false],
  ["ours", "processes", ["deno", "node"], false],
  ["raw", "web", ["deno"], false],
  ["raw", "batches", ["deno", "node"], false],
  ["raw", "node", ["deno", "node"], false],
  ["piscina", "", ["deno", "node"], true],
  ["tinypool", "threads", ["deno", "node"], true],
  ["tinypool", "processes", ["deno", "node"], true],
  ["workerpool", "threads", ["deno", "node"], true],
  ["workerpool", "processes", ["deno", "node"], true],
  ["poolifier", "", ["deno", "node"], true],
  ["multithreading", "", ["deno", "node"], true],
  ["comlink", "", ["deno", "node"], true],
  ["jest-worker", "threads", ["deno", "node"], true],
  ["jest-worker", "processes", ["deno", "node"], true],
  ["python", "threads", ["python"], false],
  ["python", "processes", ["python"], false],
];

const LABELS: Record<string, string> = {
  "ours-threads": "ThreadPoolExecutor",
  "ours-processes": "ProcessPoolExecutor",
  "raw-web": "postMessage, web",
  "raw-batches": "postMessage, by 64",
  "raw-node": "postMessage, Node",
  "python-threads": "Python, threads",
  "python-processes": "Python, processes",
};

/** All contestants. */
export const CONTESTANTS: readonly Contestant[] = (["deno", "node", "python"] as const).flatMap((
  runtime,
) =>
  KINDS.filter(([, , runtimes]) => runtimes.includes(runtime)).map(
    ([module, kind, , isPackage]) => {
      const name = kind === "" ? module : `${module}-${kind}`;
      return {
        name,
        label: LABELS[name] ?? (kind === "" ? module : `${module}, ${kind}`),
        runtime,
        module: module.replace("-", "_"),
        kind,
        package: isPackage ? module : undefined,
      };
    },
  )
);

/** The cases that are measured on Node, too. */
const ON_NODE: readonly CaseName[] = [
  "burst",
  "flight",
  "single",
  "gcd",
  "map",
  "objects",
  "mebibyte",
  "start",
];

/** The cases that are measured on Node with `--quick`. */
const ON_NODE_QUICKLY: readonly CaseName[] = ["burst"];

/** The contestants whose own locks and queues are measured. */
const OWN: readonly string[] = [
  "ours-threads",
  "raw-web",
  "multithreading",
  "python-threads",
];

/** The cases without batches: they have one task at a time, or none. */
const NOT_BY_BATCHES: readonly CaseName[] = [
  "added",
  "idle",
  "start",
  "end",
  "memory",
  "mebibyte",
];

/** Returns whether a contestant takes part in a case. */
export function ranOn(
  { name, runtime }: Contestant,
  which: CaseName,
  quick: boolean,
): boolean {
  if (caseOf(which).own) return runtime !== "node" && OWN.includes(name);
  if (runtime === "python" && which === "drift") return false;
  if (name === "raw-batches" && NOT_BY_BATCHES.includes(which)) return false;
  return runtime !== "node" ||
    (quick ? ON_NODE_QUICKLY : ON_NODE).includes(which);
}
