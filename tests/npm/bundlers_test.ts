/** Programs for Node that a bundler has put into one file, with the package in it. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import type { RunResult } from "../_support/run.ts";
import { type Consumer, hasNode, installed, NAME } from "./_consumer.ts";

const OPTIONS = { ignore: !hasNode, timeout: 60_000 };

/** Time limit of a bundler. */
const BUNDLE_MS = 30_000;

const WORK = `
import { task } from "${NAME}";
export const square = task(import.meta, function square(n) {
  return n * n;
});
`;

// Node 20 lacks import.meta.main; and in a process of a pool, which imports the bundle too, this is
// not the main module.
const MAIN = `
import { fileURLToPath } from "node:url";
import { ProcessPoolExecutor, task, Thread, ThreadPoolExecutor } from "${NAME}";
import { Queue } from "${NAME}/queue";
import { square } from "./work.js";

const cube = task(import.meta, function cube(n) {
  return n ** 3;
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  console.log(await pool.submit(square, 7), await pool.submit(cube, 3), await pool.submit((n) => n + 1, 1));
  const queue = new Queue();
  await pool.submit((queue) => queue.putSync("from a worker"), queue);
  console.log(await queue.get());
  const thread = new Thread({ target: (queue) => queue.putSync("from a thread"), args: [queue] });
  thread.start();
  await thread.join();
  console.log(await queue.get());
  const processes = new ProcessPoolExecutor({ maxWorkers: 1 });
  console.log(await processes.submit(square, 8));
}
`;

const PRINTED = ["49 27 2", "from a worker", "from a thread", "64", ""].join("\n");

let consumer: Promise<Consumer> | undefined;
Deno.test.afterAll(async () => await (await consumer)?.[Symbol.asyncDispose]());

function made(): Promise<Consumer> {
  const files = { "work.js": WORK, "main.js": MAIN };
  return consumer ??= installed(files, ["esbuild@^0.28", "vite@^8.3.4"]);
}

/** Bundles the program, and runs the result. */
async function bundled(command: string, args: string[], file: string): Promise<RunResult> {
  const { run } = await made();
  const { code, stderr } = await run(command, args, BUNDLE_MS);
  assertEquals([code, stderr], [0, ""]);
  return await run("node", [file]);
}

for (const minify of [[], ["--minify"]]) {
  test(`npm: a program bundled by esbuild runs on Node ${minify}`, OPTIONS, async () => {
    const name = `out${minify}.mjs`;
    const args = ["main.js", "--bundle", "--platform=node", "--format=esm", `--outfile=${name}`];
    const { code, stdout, stderr } = await bundled(
      "esbuild",
      [...args, ...minify, "--log-level=warning"],
      name,
    );
    assertEquals([code, stderr, stdout], [0, "", PRINTED]);
  });
}

test(
  "npm: a program bundled in another format than ES modules is told that it has no address",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(
      "common.js",
      `
    import { task, ThreadPoolExecutor } from "${NAME}";
    const squared = task(import.meta, function square(n) { return n * n; });
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const fail = async (fn) => console.log((await pool.submit(fn, 1).exception()).message);
    fail(squared).then(() => fail((n) => n));
  `,
    );
    const args = [
      "common.js",
      "--bundle",
      "--platform=node",
      "--outfile=out.cjs",
      "--log-level=error",
    ];
    const { code, stdout, stderr } = await bundled("esbuild", args, "out.cjs");
    assertEquals([code, stderr, ...stdout.trimEnd().split("\n")], [
      0,
      "",
      'Cannot send task "square": its module does not know its own address; build it as an ES module',
      "Cannot finish task: a worker could not be started: Error: Cannot start worker: this bundle does not know its own address; build it as an ES module",
    ]);
  },
);

test("npm: a task whose module a bundle runs later says why it is not found", OPTIONS, async () => {
  const { write } = await made();
  await write(
    "later.js",
    `
    import { isMainThread } from "node:worker_threads";
    import { ThreadPoolExecutor } from "${NAME}";
    if (isMainThread) {
      const { square } = await import("./work.js");
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      console.log((await pool.submit(square, 7).exception()).message);
    }
  `,
  );
  const args = ["later.js", "--bundle", "--platform=node", "--format=esm", "--outfile=later.mjs"];
  const { code, stdout, stderr } = await bundled(
    "esbuild",
    [...args, "--log-level=error"],
    "later.mjs",
  );
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Cannot load task "square2?": module ".*\/later\.mjs" has no export/);
  assertStringIncludes(stdout, "it has the task's module run later: import that statically, or");
});

test("npm: a program bundled by Vite runs on Node", OPTIONS, async () => {
  const { write } = await made();
  const config = {
    build: { ssr: "main.js", outDir: "vite", target: "node20" },
    ssr: { noExternal: true },
    logLevel: "warn",
  };
  await write("vite.config.js", `export default ${JSON.stringify(config)};`);
  const { code, stdout, stderr } = await bundled("vite", ["build"], "vite/main.js");
  assertEquals([code, stderr, stdout], [0, "", PRINTED]);
});

test(
  "npm: bundlers find nothing to follow that is not there, and leave imports of tasks alone",
  OPTIONS,
  async () => {
    const { folder } = await made();
    const marked: string[] = [];
    for (const part of ["", "browser/"]) {
      const root = new URL(`node_modules/${NAME}/${part}`, folder);
      for await (const { name } of Deno.readDir(root)) {
        if (!name.endsWith(".js")) continue;
        const text = await Deno.readTextFile(new URL(name, root));
        assertEquals(text.match(/=>\s*import\.meta\.resolve\(|\bimport\([\w$]+\)/g), null, name);
        if (/import\(\/\* @vite-ignore \*\/ \/\* webpackIgnore: true \*\/ \w/.test(text)) {
          marked
            .push(part);
        }
      }
    }
    assertEquals(marked, ["", "browser/", "browser/"]);
  },
);
