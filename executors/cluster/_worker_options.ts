/**
 * The command line of the worker program.
 *
 * @module
 */

import { parseArguments, readText } from "../../_platform/program.ts";
import { type BrokerAddress, checkAddress } from "./_connection.ts";
import { checkModuleName } from "./_module_names.ts";
import { MOST_LEASE_MS, queueOf } from "./_settings.ts";

/** The options of the worker program, checked. */
export interface WorkerOptions {
  readonly broker: BrokerAddress;
  readonly pool: string;
  readonly version: string | undefined;
  readonly threads: number;
  /** The number of processes, if tasks run in processes instead of threads. */
  readonly processes: number | undefined;
  /** Paths or URLs of modules, by name. */
  readonly modules: ReadonlyMap<string, string>;
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly maxArguments: number;
  readonly maxResult: number;
  readonly json: boolean;
}

/**
 * The environment variable that names the broker unless `--broker` does: a password must not appear
 * in a list of processes.
 */
const BROKER_VARIABLE = "CONCURRENT_FUTURES_BROKER";

/** What `--help` prints. */
export const HELP = `Runs tasks of a ClusterExecutor.

Options:
  --broker URL           redis://user:password@host:6379, or rediss:// for TLS;
                         unless given, the environment variable ${BROKER_VARIABLE}
  --module NAME=FILE     a module whose tasks are run, and its name on the wire; may be repeated
  --pool NAME            the pool that it belongs to (default "default")
  --version TAG          takes only tasks of submitters of this version
  --threads N|auto       tasks at once, each on a thread (default auto: one a processor)
  --processes N|auto     the same, each in a process: a task that crashes takes only itself along
  --grace SECONDS        time to finish tasks after SIGTERM, or Ctrl-C (on Windows that alone); the
                         rest is handed back (default 10)
  --lease SECONDS        how long the broker waits for a host that is silent before its tasks
                         are run elsewhere (default 15)
  --ca FILE              certificates to trust for rediss://, PEM
  --max-arguments BYTES  most bytes of a task's arguments (default 1048576)
  --max-result BYTES     most bytes of a task's result (default 8388608)
  --json                 lines as JSON
  --help                 prints this

SIGTERM and SIGINT: takes nothing new, finishes within the grace period, hands the rest back.`;

const FORMS = {
  broker: { type: "string" },
  module: { type: "string", multiple: true },
  pool: { type: "string" },
  version: { type: "string" },
  threads: { type: "string" },
  processes: { type: "string" },
  grace: { type: "string" },
  lease: { type: "string" },
  ca: { type: "string" },
  "max-arguments": { type: "string" },
  "max-result": { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/**
 * Reads the command line; `undefined` when help is asked for.
 *
 * @param cores What "auto" means.
 * @throws {TypeError} When an option is missing or wrong; the text says which.
 */
export function readOptions(
  args: readonly string[],
  cores: number,
  environment: (name: string) => string | undefined,
): WorkerOptions | undefined {
  const given = parseArguments(args, FORMS) as { [K in keyof typeof FORMS]?: string } & {
    module?: string[];
    json?: boolean;
    help?: boolean;
  };
  if (given.help) return undefined;
  const broker = given.broker ?? environment(BROKER_VARIABLE);
  if (broker === undefined) {
    throw new TypeError(
      `Cannot start: no broker was given; add --broker redis://host:6379, or set ${BROKER_VARIABLE}`,
    );
  }
  if (given.threads !== undefined && given.processes !== undefined) {
    throw new TypeError("Cannot start: --threads and --processes exclude one another");
  }
  const leaseMs = 1000 * numberOf("--lease", given.lease ?? "15", 0.1, MOST_LEASE_MS / 1000);
  const { ca } = given;
  const tls = ca === undefined ? undefined : { ca: naming("--ca", () => readText(ca)) };
  const address: BrokerAddress = { url: broker, tls, silenceMs: leaseMs };
  naming(given.broker === undefined ? BROKER_VARIABLE : "--broker", () => checkAddress(address));
  const pool = given.pool ?? "default";
  queueOf(pool, given.version);
  return {
    broker: address,
    pool,
    version: given.version,
    threads: countOf("--threads", given.threads ?? "auto", cores),
    processes: given.processes === undefined
      ? undefined
      : countOf("--processes", given.processes, cores),
    modules: modulesOf(given.module ?? []),
    graceMs: 1000 * numberOf("--grace", given.grace ?? "10", 0),
    leaseMs,
    maxArguments: numberOf("--max-arguments", given["max-arguments"] ?? `${1 << 20}`, 1),
    maxResult: numberOf("--max-result", given["max-result"] ?? `${1 << 23}`, 1),
    json: given.json ?? false,
  };
}

/** Makes an error that `act` throws name the option that it is about. */
function naming<T>(option: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new TypeError(`Cannot use ${option}: ${(error as Error).message}`);
  }
}

function modulesOf(given: readonly string[]): Map<string, string> {
  const modules = new Map<string, string>();
  for (const text of given) {
    const at = text.indexOf("=");
    if (at < 1 || at === text.length - 1) {
      throw new TypeError(`Cannot start: --module "${text}" is not of the form name=./file.ts`);
    }
    const name = text.slice(0, at);
    checkModuleName(name);
    if (modules.has(name)) throw new TypeError(`Cannot start: module "${name}" is given twice`);
    modules.set(name, text.slice(at + 1));
  }
  if (modules.size === 0) {
    throw new TypeError(
      "Cannot start: no module was given, so that there is no task to run; add --module name=./file.ts",
    );
  }
  return modules;
}

function countOf(option: string, text: string, cores: number): number {
  if (text === "auto") return cores;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new TypeError(`Cannot start: ${option} "${text}" is neither a number from 1 nor "auto"`);
}

function numberOf(option: string, text: string, least: number, most = Number.MAX_VALUE): number {
  const number = Number(text);
  if (text.trim() !== "" && number >= least && number <= most) return number;
  const bounds = most === Number.MAX_VALUE ? `${least} up` : `${least} to ${most}`;
  throw new TypeError(`Cannot start: ${option} "${text}" is no number from ${bounds}`);
}
