/**
 * Bundles the many modules into few files, in the syntax of the oldest runtime. An import is slow
 * mainly because of the number of files, and then because of their length. So there are three large
 * ones: what a pool's worker needs at once, what locks and queues need besides, and the rest of
 * what a program imports. Modules that are loaded later have files of their own.
 *
 * Web pages get separate files: see `browser.ts`.
 *
 * @module
 */

import * as esbuild from "esbuild";
import { dirname, fromFileUrl, resolve } from "@std/path";
import { browserBuilds } from "./browser.ts";
import { ENTRIES, SERVER_ONLY, TARGET } from "./description.ts";

/**
 * The modules whose import graphs make up the large files, each without what is in an earlier one.
 */
const WORKER = ["executors/_worker_main.js"];
const SHARED = ["sync/mod.js", "queue/mod.js"];
const REST = ["mod.js"];

/**
 * The module that the threads of a cluster's worker host load. It has its own file: otherwise each
 * thread would load the broker's client with it.
 */
const JOB = "executors/cluster/_job.js";

/**
 * Makes every file import either the whole first large file, or the whole first two, or all three.
 * So no module is shared by only some of the files, which would make esbuild put it into a file of
 * its own.
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

/**
 * Gives exported functions and classes back the names that they had before minification, since
 * users see them.
 */
const NAMED = `for (const [name, value] of Object.entries(own)) {
  if (typeof value === "function") Object.defineProperty(value, "name", { value: name, configurable: true });
}`;

/** A dynamic import of one of the user's modules. */
const OF_USER = /\bimport\(\s*([\w$]+)\s*\)/g;

/**
 * Marks imports of the user's modules with the comments that keep bundlers from following them,
 * since minification removes comments.
 */
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

/** The code that replaces the implementation for browsers. */
const NO_BROWSER =
  "export const isBrowser = () => false; export const createBrowserPlatform = () => {};";

/**
 * Bundles a tree of JavaScript modules.
 *
 * @param tree The folder with the modules, laid out as the repository is.
 * @param output The folder for the files.
 * @param more Further modules that get files of their own, for tests that look inside; their paths
 * from the tree's root, without endings.
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
    // Node prints the source line that threw an uncaught error before the error itself, and a pipe
    // takes only 64 KiB before the program ends.
    lineLimit: 120,
    keepNames: true, // Otherwise some classes would get other names, and users see these.
    legalComments: "none",
    logLevel: "warning",
    // `import.meta.resolve` is called only where there is no bundle. But bundlers would follow it
    // all the same, or make formats that lack it.
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
