/**
 * Worker hosts that all tests of a file share, as processes: they are started before the first test
 * and ended after the last, so that the leak checks of each test find them both before and after
 * it.
 */

import { fromFileUrl } from "@std/path";
import { NEEDS_REDIS, type RedisServer, startRedis } from "../_support/redis.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";

const WORKER = fromFileUrl(new URL("executors/cluster/worker.ts", ROOT));

const PATIENCE_MS = 20_000;

/** The hosts to start. */
export interface SharedHosts {
  /** The pool of each host; a name may occur several times. */
  readonly pools: readonly string[];
  /** Names and addresses of modules. */
  readonly modules: Readonly<Record<string, string>>;
  readonly leaseSeconds: number;
}

/** The broker and the folder of the tests of a file. */
export interface SharedCluster {
  readonly url: string;
  /** A folder for files of the tests; it is removed at the end. */
  readonly folder: string;
  /** Sends a command to the broker; see {@linkcode RedisServer}. */
  command(...words: string[]): Promise<string>;
}

/**
 * Starts a broker and hosts for the tests of this file. Call it where the tests are registered,
 * before the first of them.
 */
export function shareHosts({ pools, modules, leaseSeconds }: SharedHosts): SharedCluster {
  let redis: RedisServer | undefined;
  let folder = "";
  const hosts: Deno.ChildProcess[] = [];
  const broker = (): RedisServer => {
    if (redis === undefined) throw new Error("The broker has not been started yet");
    return redis;
  };
  const command = (...words: string[]): Promise<string> => broker().command(...words);
  if (NEEDS_REDIS.ignore) return { url: "redis://127.0.0.1:1", folder, command };

  Deno.test.beforeAll(async () => {
    redis = await startRedis();
    folder = await Deno.makeTempDir({ prefix: "futures-cluster-" });
    const { url } = redis;
    const logs = pools.map((pool, i) => {
      const log = `${folder}/host${i}.log`;
      hosts.push(startHost(log, [
        ...["--broker", url, "--pool", pool, "--threads", "1", "--lease", `${leaseSeconds}`],
        ...Object.entries(modules).flatMap(([name, address]) => ["--module", `${name}=${address}`]),
      ]));
      return log;
    });
    await Promise.all(logs.map(untilReady));
  });
  Deno.test.afterAll(async () => {
    for (const host of hosts) host.kill("SIGTERM");
    await Promise.all(hosts.map((host) => host.status));
    await redis?.[Symbol.asyncDispose]();
    if (folder !== "") await Deno.remove(folder, { recursive: true });
  });
  return {
    get url() {
      return broker().url;
    },
    get folder() {
      return folder;
    },
    command,
  };
}

/** Starts a host that writes to a file: a pipe would have to be read during the tests. */
function startHost(log: string, args: readonly string[]): Deno.ChildProcess {
  const program = ["run", "--config", CONFIG, "-A", "--quiet", WORKER, ...args];
  return new Deno.Command("sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "host", log, Deno.execPath(), ...program],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).spawn();
}

async function untilReady(log: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const text = await Deno.readTextFile(log).catch(() => "");
    if (text.includes(" ready ")) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`No host within ${PATIENCE_MS} ms: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
