/**
 * The work of `gcd.ts` on two worker hosts that take it from a broker; one of them is killed during
 * the work.
 *
 *   deno run -A examples/cluster_gcd.ts
 *   deno run -A examples/cluster_gcd.ts --broker redis://127.0.0.1:6379 --repeat 500
 *
 * Unless it is given a broker, it starts its own redis-server (Debian: package redis-server). It
 * starts two worker hosts as processes of this machine; on other machines the same command would
 * start them. When a quarter of the answers has arrived, one host is killed while it works, as if
 * its machine were lost. The other host runs again what the first one had in hand.
 *
 * @module
 */

import { ClusterExecutor } from "@concurrent/futures/cluster";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { onExit, temporaryFolder } from "./_on_exit.ts";
import { refuse } from "./_options.ts";
import { gcd } from "./gcd.ts";

type Pair = readonly [number, number];

const PAIRS: readonly Pair[] = [
  [1231312, 434344],
  [2013123, 111110],
  [34423323, 123123],
  [234345, 345345],
];

const ROOT = new URL("../", import.meta.url);

/**
 * How long a host may be silent before its work is given to another one. It is short, since this
 * program waits that long.
 */
const LEASE_SECONDS = 2;

/**
 * Starts a redis-server on a free port. At the end of the `using` block, or when the program is
 * ended earlier, it is ended, and its folder removed.
 */
function startBroker(): AsyncDisposable & { url: string } {
  let server: Deno.ChildProcess | undefined;
  // Registered before the folder, which is removed once nobody writes to it.
  const end = onExit(() => kill(server));
  const folder = temporaryFolder({ prefix: "broker-" });
  const port = String(freePort());
  const network = ["--bind", "127.0.0.1", "--port", port];
  const data = ["--dir", folder.path, "--save", "", "--appendonly", "yes"];
  try {
    server = new Deno.Command("redis-server", {
      args: [...network, ...data],
      stdout: "null",
    }).spawn();
  } catch (error) {
    folder[Symbol.dispose]();
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(
      "Cannot start a broker: there is no redis-server; install it (Debian: package redis-server), or give --broker",
    );
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.status;
      end[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Ends a process at once, if it has not ended yet. */
function kill(child: Deno.ChildProcess | undefined): void {
  try {
    child?.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A worker host that runs. */
interface Host extends AsyncDisposable {
  readonly pid: number;
  kill(): void;
}

/** Starts the worker program; resolves once it takes jobs. */
async function startHost(url: string, pool: string): Promise<Host> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", fileURLToPath(new URL("executors/cluster/worker.ts", ROOT))],
      ...["--broker", url, "--pool", pool, "--threads", "1", "--lease", String(LEASE_SECONDS)],
      ...["--module", `gcd=${fileURLToPath(new URL("examples/gcd.ts", ROOT))}`],
    ],
    cwd: fileURLToPath(ROOT),
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const end = onExit(() => kill(child));
  const ended = child.status;
  let hasEnded = false;
  ended.then(() => hasEnded = true);
  const printed = child.stdout.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>,
  );
  const { promise: ready, resolve: isReady, reject } = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const text of printed) {
      if (text.includes("ready")) isReady();
    }
    reject(new Error("Cannot start a worker host: it ended before it was ready"));
  })();
  await ready;
  return {
    pid: child.pid,
    kill: () => child.kill("SIGKILL"),
    async [Symbol.asyncDispose]() {
      if (!hasEnded) child.kill("SIGTERM");
      await Promise.all([ended, reading]);
      end[Symbol.dispose]();
    },
  };
}

/**
 * Computes the divisors of the pairs on two hosts, and kills one when a quarter of the answers has
 * arrived.
 */
async function run(url: string, pairs: readonly Pair[]): Promise<void> {
  // A name of its own, since a broker from the command line may serve other pools.
  const pool = `gcd-${crypto.randomUUID()}`;
  await using executor = await ClusterExecutor.connect({
    url,
    pool,
    modules: { gcd: import.meta.resolve("./gcd.ts") },
    leaseMs: LEASE_SECONDS * 1000,
  });
  await using first = await startHost(url, pool);
  await using second = await startHost(url, pool);
  console.log(`worker hosts: ${first.pid} and ${second.pid}`);

  const beganMs = performance.now();
  const futures = pairs.map((pair) => executor.submit(gcd, pair));
  let answered = 0;
  for (const future of futures) {
    future.addDoneCallback(() => {
      answered++;
      if (answered !== Math.ceil(pairs.length / 4)) return;
      first.kill();
      console.log(`${answered} answers; killed ${first.pid}`);
    });
  }
  const answers = await Promise.all(futures);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);

  const wrong = answers.filter((answer, i) => answer !== gcd(pairs[i])).length;
  console.log(
    `${answers.length} answers of ${pairs.length} in ${seconds} s, ${wrong} of them wrong`,
  );
  if (wrong > 0) Deno.exitCode = 1;
}

/** What the command line asks for. Ends the program if there is something wrong with it. */
function parseCommandLine(): { broker: string | undefined; repeat: number } {
  const text = { type: "string" } as const;
  try {
    const { broker, repeat = "100" } =
      parseArgs({ options: { broker: text, repeat: text } }).values;
    if (!/^[1-9]\d{0,5}$/.test(repeat)) {
      throw new Error(`--repeat must be an integer from 1 to 999999, got "${repeat}"`);
    }
    if (broker !== undefined && !URL.canParse(broker)) {
      throw new Error(`--broker must be an address like redis://127.0.0.1:6379, got "${broker}"`);
    }
    return { broker, repeat: Number(repeat) };
  } catch (error) {
    refuse((error as Error).message);
  }
}

async function main(): Promise<void> {
  const { broker: url, repeat } = parseCommandLine();
  const pairs = Array.from({ length: repeat }, () => PAIRS).flat();
  if (url !== undefined) return await run(url, pairs);
  await using broker = startBroker();
  await run(broker.url, pairs);
}

if (import.meta.main) await main();
