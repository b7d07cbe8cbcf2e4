/**
 * Makes few files of many modules, in the syntax of the oldest runtime. As it is the number of files that makes an import slow,
 * and then their length, there are three large ones: what a pool's worker needs at once, what locks and queues need beside
 * it, and the rest of what a program imports. What is loaded later has files of its own.
 *
 * Web pages get files apart from these: see `browser.ts`.
 *
 * @module
 */

import * as esbuild from "esbuild";
import { dirname, fromFileUrl, resolve } from "@std/path";
import { browserBuilds } from "./browser.ts";
import { ENTRIES, SERVER_ONLY, TARGET } from "./description.ts";

/** Modules whose graphs make the large files, each without what is in one before it. */
const WORKER = ["executors/_worker_main.js"];
const SHARED = ["sync/mod.js", "queue/mod.js"];
const REST = ["mod.js"];

/** What the threads of a cluster's worker host load: apart, or each would load the broker's client with it. */
const JOB = "executors/cluster/_job.js";

/**
 * Has every file import the whole of one large file, or of the first two, or of all. So no module is shared by some files only,
 * which would make it a file of its own.
 */
function wholes(root: string): esbuild.Plugin {
  const [worker, shared, rest] = [WORKER, SHARED, REST].map((paths) =>
    paths.map((path) => resolve(root, path))
  );
  const wholesFor = (path: string): readonly string[] => {
    if (worker.includes(path)) return worker;
    return shared.includes(path) ? [...worker, ...shared] : [...worker, ...shared, ...rest];
  };
  return {
    name: "wholes",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ kind, path, importer, namespace }) => {
        if (namespace === "whole") return undefined;
        if (kind === "entry-point") return { path: resolve(root, path), namespace: "whole" };
        if (kind !== "dynamic-import" || !path.startsWith(".")) return undefined;
        return { path: resolve(dirname(importer), path), namespace: "whole" };
      });
      build.onLoad({ filter: /.*/, namespace: "whole" }, ({ path }) => {
        const lines = wholesFor(path).map((module) => `import ${JSON.stringify(module)};`);
        const own = JSON.stringify(path);
        return {
          contents: `${lines.join("")} export * from ${own}; import * as own from ${own}; ${NAMED}`,
          resolveDir: root,
        };
      });
      build.onLoad({ filter: /\/_platform\/browser\.js$/ }, () => ({ contents: NO_BROWSER }));
    },
  };
}

/** Gives what users see the names again that it had before it was made small. */
const NAMED = `for (const [name, value] of Object.entries(own)) {
  if (typeof value === "function") Object.defineProperty(value, "name", { value: name, configurable: true });
}`;

/** An import of a module of the user's. */
const OF_USER = /\bimport\(\s*([\w$]+)\s*\)/g;

/** Has bundlers not look into such imports: what tells them is a comment, and those are gone when files are made small. */
async function markImports(folder: URL): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".js")) continue;
    const file = new URL(name, folder);
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(
      file,
      text.replace(OF_USER, "import(/* @vite-ignore */ /* webpackIgnore: true */ $1)"),
    );
  }
}

/** What takes the place of the implementation for browsers. */
const NO_BROWSER =
  "export const isBrowser = () => false; export const createBrowserPlatform = () => {};";

/**
 * Bundles a tree of JavaScript modules.
 *
 * @param tree The folder with the modules, laid out as the repository is.
 * @param output The folder for the files.
 * @param more Further modules that are to have files of their own, from the tree's root and without ending, for tests that look
 * inside.
 */
export async function bundle(tree: URL, output: URL, more: readonly string[] = []): Promise<void> {
  const root = fromFileUrl(tree);
  const common: esbuild.BuildOptions = {
    absWorkingDir: root,
    outdir: fromFileUrl(output),
    bundle: true,
    format: "esm",
    platform: "neutral",
    packages: "external",
    target: TARGET,
    minifyWhitespace: true,
    minifySyntax: true,
    // Node prints the line that an uncaught error was thrown in ahead of the error, and a pipe takes 64 KiB before a program ends.
    lineLimit: 120,
    keepNames: true, // Some classes would get another name, which users see.
    legalComments: "none",
    logLevel: "warning",
    // Called where there is no bundle. Bundlers would follow it all the same, or have formats that lack it.
    define: { "import.meta.resolve": "String" },
  };
  const inTree = (module: string): string => module.replace(/\.ts$/, ".js");
  const entries = ENTRIES.map(({ file, module }) => [file, inTree(module)]);
  const forPages = ENTRIES.filter(({ path }) => !SERVER_ONLY.includes(path))
    .map(({ file, module }) => [file, inTree(module)]);
  try {
    await esbuild.build({
      ...common,
      entryPoints: Object.fromEntries([
        ...entries,
        ["_worker", WORKER[0]],
        ["_job", JOB],
        ...more.map((path) => [path, `${path}.js`]),
      ]),
      splitting: true,
      minify: true,
      keepNames: false,
      plugins: [wholes(root)],
    });
    for (const build of browserBuilds(common, Object.fromEntries(forPages))) {
      await esbuild.build(build);
    }
    for (const folder of [output, new URL("browser/", output)]) await markImports(folder);
  } finally {
    await esbuild.stop();
  }
}
