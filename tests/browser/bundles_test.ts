/** The npm package in Chromium, in what bundlers make of it and of a program. */

import * as esbuild from "esbuild";
import { assertEquals, assertLessOrEqual, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";
import { assemble, run } from "../../tools/npm/assemble.ts";
import { packModules } from "../../tools/pack_npm.ts";
import { ISOLATION, servePages } from "../../tools/page_server.ts";
import { browserTest, openPage, useChromium } from "./_chromium.ts";
import type { Tried } from "./app/use.ts";

const VITE = "vite@8.3.4";
const VITE_PROGRAM = "node_modules/vite/bin/vite.js";
const APP = new URL("app/", import.meta.url);

/** The results where everything works; see `use.ts`. */
const ALL = {
  inline: 42,
  map: [2, 4, 6],
  lock: true,
  queue: 3,
  task: 12,
  look: ["number", true, true],
  error: 10,
  thread: 5,
  timer: 6,
};

/** Two workers of the pool, a thread and a timer; more would have been started by these. */
const MOST_WORKERS = 4;

/**
 * Without Vite's own code at its top, which needs the document, a program runs in a worker up to
 * where it needs the document itself.
 */
const UNGUARDED = { build: { modulePreload: false } };

/** A folder with the programs, and the package as npm installs it. */
let folder: URL;

useChromium(async () => {
  folder = toFileUrl(`${await Deno.makeTempDir({ prefix: "bundles" })}/`);
  const tarball = await assemble(await packModules(folder), folder);
  const packages = [`@concurrent/futures@file:${fromFileUrl(tarball)}`, VITE];
  await Deno.writeTextFile(new URL("package.json", folder), '{ "type": "module" }\n');
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], folder);
  for await (const { name } of Deno.readDir(APP)) {
    await Deno.copyFile(new URL(name, APP), new URL(name, folder));
  }
}, async () => {
  await esbuild.stop();
  await Deno.remove(folder, { recursive: true });
});

/** Elements that run a script. */
const LOADERS: Record<string, (script: string) => string> = {
  "by its address": (script) => `<script type="module" src="${script}"></script>`,
  "by an inline script": (script) => `<script type="module">import "./${script}";</script>`,
  "by import()": (script) => `<script>import("./${script}");</script>`,
};

function pageOf(script: string, how = "by its address"): string {
  const loader = LOADERS[how](script);
  return `<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,">\n${loader}\n`;
}

/** Builds a program with Vite; returns the folder to serve. */
async function buildWithVite(program: string, config: object = {}): Promise<URL> {
  const root = new URL(`vite_${crypto.randomUUID()}/`, folder);
  await Deno.mkdir(root);
  await Deno.writeTextFile(new URL("index.html", root), pageOf(`../${program}.ts`));
  const text = `export default ${JSON.stringify(config)};\n`;
  await Deno.writeTextFile(new URL("vite.config.js", root), text);
  await run("node", [VITE_PROGRAM, "build", "--logLevel", "warn", fromFileUrl(root)], folder);
  return new URL("dist/", root);
}

/** Builds a program with esbuild, for a page that loads it; returns the folder to serve. */
async function buildWithEsbuild(
  program: string,
  options: esbuild.BuildOptions,
  how?: string,
): Promise<URL> {
  const root = new URL(`esbuild_${crypto.randomUUID()}/`, folder);
  await esbuild.build({
    absWorkingDir: fromFileUrl(folder),
    entryPoints: [`${program}.ts`],
    outdir: fromFileUrl(root),
    bundle: true,
    format: "esm",
    logLevel: "error",
    ...options,
  });
  await Deno.writeTextFile(new URL("index.html", root), pageOf(`${program}.js`, how));
  return root;
}

/** A plugin that names a bundle for workers, as other bundlers do that have made one. */
function withBundleAt(address: string): (build: esbuild.PluginBuild) => void {
  const place = /new URL\(\s*"\.\/_worker\.js",\s*import\.meta\.url\s*\)/;
  return (build) =>
    build.onLoad({ filter: /\/browser\/.*\.js$/ }, async ({ path }) => ({
      contents: (await Deno.readTextFile(path)).replace(place, JSON.stringify(address)),
    }));
}

interface Outcome {
  /** The result of each attempt; see `use.ts`. */
  readonly tried: Record<string, unknown>;
  /** How many workers were started. */
  readonly workers: number;
}

/** Runs a built program. */
async function tryOut(root: URL): Promise<Outcome> {
  const server = servePages({ root });
  try {
    return await tryOutAt(server.url);
  } finally {
    await server.close();
  }
}

async function tryOutAt(url: string): Promise<Outcome> {
  const opened = await openPage("about:blank");
  const { page, errors } = opened;
  let workers = 0;
  page.on("worker", () => workers++);
  await page.goto(url);
  await page.waitForFunction(() => (globalThis as Tried).tried !== undefined);
  const tried = await page.evaluate(() => (globalThis as Tried).tried!);
  assertEquals(errors, []);
  return { tried, workers };
}

/** Runs `late.ts`, which must start its workers in the page only. */
async function tryLate(root: URL): Promise<void> {
  const { tried, workers } = await tryOut(root);
  assertEquals(tried.inPage, 12);
  assertStringIncludes(String(tried.inWorker), "and this worker runs it once more");
  assertEquals(workers, 1);
}

/** Runs Vite's server for development. */
async function serveWithVite(): Promise<{ readonly url: string } & AsyncDisposable> {
  const root = new URL("vite_server/", folder);
  await Deno.mkdir(root);
  await Deno.writeTextFile(new URL("index.html", root), pageOf("./whole.ts"));
  for (const name of ["use.ts", "whole.ts", "work.ts"]) {
    await Deno.copyFile(new URL(name, APP), new URL(name, root));
  }
  const config = `export default { server: { headers: ${JSON.stringify(ISOLATION)} } };\n`;
  await Deno.writeTextFile(new URL("vite.config.js", root), config);
  const child = new Deno.Command("node", {
    args: [VITE_PROGRAM, "--host", "127.0.0.1", "--port", "0", fromFileUrl(root)],
    cwd: fromFileUrl(folder),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  let address: string | undefined;
  while (address === undefined) {
    const { value, done } = await output.read();
    if (done) throw new Error(`Cannot run Vite: ${said}`);
    said += value;
    address = /http:\S+/.exec(said)?.[0];
  }
  return {
    url: address,
    async [Symbol.asyncDispose]() {
      child.kill();
      await output.cancel();
      await child.status;
    },
  };
}

browserTest(
  "A Vite build in which tasks are imported later has all that the package has",
  async () => {
    const { tried, workers } = await tryOut(await buildWithVite("split"));
    assertEquals(tried, ALL);
    assertLessOrEqual(workers, MOST_WORKERS);
  },
);

browserTest("Vite's server for development serves all that the package has", async () => {
  await using server = await serveWithVite();
  const { tried, workers } = await tryOutAt(server.url);
  assertEquals(tried, ALL);
  assertLessOrEqual(workers, MOST_WORKERS);
});

browserTest(
  "A Vite build into one file runs functions and threads, and says why it has no tasks",
  async () => {
    const { tried, workers } = await tryOut(await buildWithVite("whole"));
    const { task, look, error, ...rest } = tried;
    const { task: _task, look: _look, error: _error, ...all } = ALL;
    assertEquals(rest, all);
    for (const text of [task, look, error]) {
      assertMatch(
        String(text),
        /^Cannot load task without a name: its module ".*" failed to import/,
      );
      assertStringIncludes(
        String(text),
        "document is not defined; the file has code for the page",
      );
      assertStringIncludes(
        String(text),
        "into a file of their own, by importing their module with import()",
      );
    }
    assertLessOrEqual(workers, MOST_WORKERS);
  },
);

browserTest(
  "A task finds its worker's state from a bundle that the worker has beside its own",
  async () => {
    const { tried, workers } = await tryOut(await buildWithVite("whole", UNGUARDED));
    // The classes are the other bundle's.
    assertEquals(tried, { ...ALL, look: ["number", false, true] });
    assertLessOrEqual(workers, MOST_WORKERS);
  },
);

browserTest("A program whose workers have a bundle of their own starts none in them", async () => {
  const awaits = await tryOut(await buildWithVite("awaits", UNGUARDED));
  assertEquals(awaits, { tried: { task: 12 }, workers: 1 });
  await tryLate(await buildWithVite("late", UNGUARDED));
});

for (const minify of [false, true]) {
  const how = minify ? "minified" : "plain";
  browserTest(`A bundle of esbuild in one file, ${how}, has all that the package has`, async () => {
    const { tried, workers } = await tryOut(await buildWithEsbuild("whole", { minify }));
    assertEquals(tried, ALL);
    assertLessOrEqual(workers, MOST_WORKERS);
  });
}

browserTest("A bundle that is no ES module says that it cannot start workers", async () => {
  const { tried, workers } = await tryOut(await buildWithEsbuild("whole", { format: "iife" }));
  const why = "this bundle does not know its own address; build it as an ES module";
  for (const [name, error] of Object.entries(tried)) assertStringIncludes(String(error), why, name);
  assertEquals(workers, 0);
});

/** Replaces the addresses of files by those that they had when the bundler read them. */
const REPLACED = { "import.meta": '{ "url": "file:///src/program.js" }' };

browserTest(
  "A bundle whose addresses were replaced has the workers that have a bundle",
  async () => {
    const worker = { name: "worker", setup: withBundleAt("worker.js") };
    const workerModule = "node_modules/@concurrent/futures/browser/_worker.js";
    const entryPoints = { whole: "whole.ts", worker: workerModule };
    const options = { entryPoints, define: REPLACED, plugins: [worker] };
    const { tried, workers } = await tryOut(await buildWithEsbuild("whole", options));
    const { task, look, error, ...rest } = tried;
    const { task: _task, look: _look, error: _error, ...all } = ALL;
    assertEquals(rest, all);
    for (const text of [task, look, error]) {
      assertStringIncludes(
        String(text),
        "have it leave import.meta.url as it is, or use tasks(url)",
      );
    }
    assertLessOrEqual(workers, MOST_WORKERS);
  },
);

browserTest(
  "A bundle whose addresses were replaced says that it cannot start workers",
  async () => {
    const { tried, workers } = await tryOut(await buildWithEsbuild("whole", { define: REPLACED }));
    const why = 'replaced the package\'s address by "file:///src/program.js"';
    for (const [name, error] of Object.entries(tried)) {
      assertStringIncludes(
        String(error),
        why,
        name,
      );
    }
    assertEquals(workers, 0);
  },
);

browserTest("A bundler that does not know `exports` takes the files for pages", async () => {
  const alias = { "@concurrent/futures": "./node_modules/@concurrent/futures/mod.js" };
  const { tried } = await tryOut(await buildWithEsbuild("whole", { alias }));
  assertEquals(tried, ALL);
});

browserTest("A bundle of esbuild that is split has all that the package has", async () => {
  const root = await buildWithEsbuild("split", { minify: true, splitting: true });
  const { tried, workers } = await tryOut(root);
  assertEquals(tried, ALL);
  assertLessOrEqual(workers, MOST_WORKERS);
});

for (const how of Object.keys(LOADERS)) {
  browserTest(
    `A program in one file, loaded ${how}, that each worker runs again starts no workers there`,
    async () => {
      const eager = await tryOut(await buildWithEsbuild("eager", { minify: true }, how));
      assertEquals(eager.tried, { task: 12, inline: 42 });
      assertLessOrEqual(eager.workers, MOST_WORKERS);
      await tryLate(await buildWithEsbuild("late", { minify: true }, how));
    },
  );
}
