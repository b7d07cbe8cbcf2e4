/**
 * What does a task on a cluster cost, compared with the same job by hand on BullMQ? And is the cost
 * of a job the same for any number of jobs and hosts?
 *
 * `deno run -A bench/cluster_bench.ts` starts a redis-server (Debian: package redis-server) and
 * worker hosts as processes of this machine, measures in turn, and prints medians and ratios. All
 * of them share this machine's processors, so only the ratios are meaningful.
 *
 * @module
 */

import { ClusterExecutor } from "@concurrent/futures/cluster";
import { fromFileUrl } from "@std/path";
import { PlainQueue } from "./_cluster_plain.ts";
import { increment, nothing } from "./_cluster_tasks.ts";
import { grouped, interleave, oneByOne, percentile, row } from "./_measure.ts";

const REPEATS = 5;
/** Runs before the first that counts, in which a host's threads load and compile what they run. */
const WARM_UP = 3;
const CALLS = 1_000;
const BURST = 10_000;
const CONCURRENCY = 16;
const MAP_ITEMS = 1_000_000;
const HOSTS = [1, 2, 3, 4];
const THREADS_EACH = 4;
const JOBS = [1_000, 10_000, 100_000];

const TASKS = import.meta.resolve("./_cluster_tasks.ts");
const WORKER = fromFileUrl(import.meta.resolve("../executors/cluster/worker.ts"));
const PLAIN = fromFileUrl(import.meta.resolve("./_cluster_plain.ts"));
const CONFIG = fromFileUrl(import.meta.resolve("../deno.json"));

/** A process that runs until the end of the `using` block. */
class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts a process, and resolves once it has written `sign`. */
  static async start(command: string, args: string[], sign: string): Promise<Running> {
    const child = new Deno.Command(command, { args, stdin: "null", stdout: "piped" }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes(sign);) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${command} has ended: ${text}`);
      text += value;
    }
    (async () => {
      while (!(await reader.read()).done);
    })();
    return new Running(child);
  }

  /** Starts a program with Deno: a worker host, or a worker by hand. */
  static deno(program: string, args: string[], sign: string): Promise<Running> {
    return Running.start(
      Deno.execPath(),
      ["run", "--quiet", "--config", CONFIG, "-A", program, ...args],
      sign,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** The address of this run's broker. */
let url = "";

/** Starts a broker, which keeps its data as one in production must. */
async function startBroker(folder: string): Promise<Running> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  url = `redis://127.0.0.1:${port}`;
  return await Running.start("redis-server", [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
    ...["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"],
  ], "Ready to accept connections");
}

function host(pool: string, threads: number): Promise<Running> {
  const args = ["--broker", url, "--pool", pool, "--module", `tasks=${TASKS}`];
  return Running.deno(WORKER, [...args, "--threads", String(threads)], " ready ");
}

function connect(pool: string): Promise<ClusterExecutor> {
  return ClusterExecutor.connect({ url, pool, modules: { tasks: TASKS }, resultTtl: 60_000 });
}

async function burst(executor: ClusterExecutor, count: number): Promise<number> {
  const startMs = performance.now();
  await Promise.all(Array.from({ length: count }, () => executor.submit(nothing)));
  return count / (performance.now() - startMs) * 1000;
}

async function besidePlain(): Promise<void> {
  await using _plainHost = await Running.deno(PLAIN, [url, String(CONCURRENCY)], "ready");
  await using _host = await host("no-op", CONCURRENCY);
  await using plain = await PlainQueue.connect(url);
  await using executor = await connect("no-op");
  row("", "BullMQ by hand", "cluster", "ratio", "held to");
  for (const percent of [50, 99]) {
    const { byHand, ours } = await interleave(REPEATS, {
      byHand: async () => percentile(await oneByOne(CALLS, () => plain.one()), percent),
      ours: async () => percentile(await oneByOne(CALLS, () => executor.submit(nothing)), percent),
    });
    const ratio = (ours / byHand).toFixed(2);
    row(
      `no-op, one after the other, p${percent} (ms)`,
      byHand.toFixed(2),
      ours.toFixed(2),
      ratio,
      percent === 50 ? "2 ms" : "",
    );
  }
  const atOnce = {
    byHand: async () => {
      const startMs = performance.now();
      await plain.many(BURST);
      return BURST / (performance.now() - startMs) * 1000;
    },
    ours: () => burst(executor, BURST),
  };
  await interleave(WARM_UP, atOnce);
  const { byHand, ours } = await interleave(REPEATS, atOnce);
  const ratio = (ours / byHand).toFixed(2);
  row(
    `${grouped(BURST)} no-ops at once (a second)`,
    grouped(byHand),
    grouped(ours),
    ratio,
    "5,000",
  );
}

async function chunkedMap(): Promise<void> {
  await using _host = await host("map", 2);
  await using executor = await connect("map");
  const items = Array.from({ length: MAP_ITEMS }, (_, i) => i);
  const { ours } = await interleave(REPEATS, {
    ours: async () => {
      const startMs = performance.now();
      const results = await executor.map(increment, items).toArray();
      if (results.length !== MAP_ITEMS || results[999] !== 1000) throw new Error("wrong results");
      return MAP_ITEMS / (performance.now() - startMs) * 1000;
    },
  });
  row(`map of ${grouped(MAP_ITEMS)} integers (items a second)`, "", grouped(ours), "", "1,000,000");
}

async function growth(): Promise<void> {
  console.log(`\nmicroseconds a job, hosts of ${THREADS_EACH} threads each`);
  console.log(
    ["hosts", ...JOBS.map((count) => `${grouped(count)} jobs`)].map((text) => text.padStart(14))
      .join(""),
  );
  for (const count of HOSTS) {
    const pool = `growth-${count}`;
    await using hosts = new AsyncDisposableStack();
    for (let i = 0; i < count; i++) {
      hosts.use(await host(pool, THREADS_EACH));
    }
    await using executor = await connect(pool);
    await burst(executor, JOBS[0]);
    const costs: string[] = [];
    for (const jobs of JOBS) costs.push((1e6 / await burst(executor, jobs)).toFixed(0));
    console.log([String(count), ...costs].map((text) => text.padStart(14)).join(""));
  }
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  try {
    await using _broker = await startBroker(folder);
    await besidePlain();
    await chunkedMap();
    await growth();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
