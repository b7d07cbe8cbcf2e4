/**
 * `submit` on Node beside the bare platform: `node:worker_threads` with a message for each task and one for each outcome, and
 * a promise for it. It uses the package as it is built for npm:
 *
 *   deno task npm:pack && node bench/node.mjs
 *
 * Both take turns, so that what else the machine does falls on both.
 */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

const PACKAGE = new URL("../npm/package/mod.js", import.meta.url);
/** The larger one is as much a matter of the garbage that waits to be collected: each future lives until the last is done. */
const BURSTS = [2_000, 20_000];
const ROUND_TRIPS = 2_000;
const REPEATS = 31;
/** How long each runs unmeasured: at first most of the time goes into compiling it. */
const WARM_UP_MS = 500;

const { ThreadPoolExecutor } = await import(PACKAGE);

/** One worker that adds, asked by messages. */
class RawPool {
  #worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     parentPort.on("message", ([id, a, b]) => parentPort.postMessage([id, a + b]));`,
    { eval: true },
  );
  #resolvers = new Map();
  #next = 0;

  constructor() {
    this.#worker.on("message", ([id, value]) => {
      const resolve = this.#resolvers.get(id);
      this.#resolvers.delete(id);
      resolve(value);
    });
  }

  submit(a, b) {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#resolvers.set(id, resolve);
      this.#worker.postMessage([id, a, b]);
    });
  }

  end() {
    return this.#worker.terminate();
  }
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

async function timed(run) {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

const raw = new RawPool();
const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
const add = (a, b) => a + b;
const kinds = {
  "raw worker_threads": (i) => raw.submit(i, 1),
  "submit": (i) => pool.submit(add, i, 1),
};

async function burst(submit, count) {
  const outcomes = await Promise.all(Array.from({ length: count }, (_, i) => submit(i)));
  if (outcomes[count - 1] !== count) throw new Error("a wrong outcome");
}

async function roundTrips(submit, count) {
  for (let i = 0; i < count; i++) {
    if (await submit(i) !== i + 1) throw new Error("a wrong outcome");
  }
}

async function compare(title, run, count) {
  const times = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
  for (const submit of Object.values(kinds)) {
    const endMs = performance.now() + WARM_UP_MS;
    while (performance.now() < endMs) await run(submit, count);
  }
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [name, submit] of Object.entries(kinds)) {
      times[name].push(await timed(() => run(submit, count)));
    }
  }
  const [base, own] = Object.values(times).map(median);
  console.log(title);
  for (const [name, all] of Object.entries(times)) {
    console.log(
      `  ${name.padEnd(20)} ${((median(all) * 1000) / count).toFixed(2)} microseconds a task`,
    );
  }
  console.log(`  ${(base / own).toFixed(1)} times as fast`);
}

for (const count of BURSTS) {
  await compare(`${count} tasks at once, two integers each, one worker`, burst, count);
}
await compare("one task after the other", roundTrips, ROUND_TRIPS);
await raw.end();
await pool.shutdown();

/** Milliseconds that an import takes in a process of its own, the least of many. */
function importMs(module) {
  const program = `const startMs = performance.now();
    await import(${JSON.stringify(new URL(module, PACKAGE).href)});
    console.log(performance.now() - startMs);`;
  const args = ["--input-type=module", "--eval", program];
  const times = Array.from(
    { length: REPEATS },
    () => Number(execFileSync(process.execPath, args, { encoding: "utf8" })),
  );
  return `${Math.min(...times).toFixed(1)} ms at least, ${median(times).toFixed(1)} ms as a rule`;
}

console.log(
  `import of ${fileURLToPath(PACKAGE).split("/").slice(-3).join("/")}: ${importMs("mod.js")}`,
);
console.log(`import of its entry sync: ${importMs("sync.js")}`);
