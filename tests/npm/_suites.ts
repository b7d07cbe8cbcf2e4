/**
 * Runs test files on Node: the same files, converted to its syntax, against the package as it is
 * built for npm.
 *
 * Tests of internals import modules for which the package has no entry. It is built with entries
 * for these as well; everything else is as published.
 */

import * as esbuild from "esbuild";
import { dirname, fromFileUrl, relative, resolve } from "@std/path";
import { assemble, run } from "../../tools/npm/assemble.ts";
import { ENTRIES, TARGET } from "../../tools/npm/description.ts";
import { ROOT } from "../_support/scratch.ts";
import { built, builtModules, isThere, SOURCES } from "./_built.ts";

const root = fromFileUrl(ROOT);

/**
 * What is converted to Node's syntax: the tests, what they share, and stand-ins for packages from
 * JSR.
 */
const FOLDERS = ["_support", "contracts", "executors", "npm", "queue", "sync"]
  .map((name) => `tests/${name}`)
  .concat("tools/std");

/** The package's own modules, from the root. */
const SOURCE = /^(?:mod\.ts$|_memory\/|_platform\/|executors\/|queue\/|sync\/)/;

/** Packages that tests import. */
const PACKAGES = ["fast-check@4"];

/** Names of files that become addresses when the tests run. */
const ADDRESS = /((?:\bimport\.meta\.resolve|\bnew URL)\(\s*)"(\.[^"]*\.ts)"/g;

async function modulesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await modulesIn(`${folder}/${name}`));
    else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
  }
  return found;
}

/** The module to load before a test, from {@linkcode builtSuites}. */
export const SHIM = "tests/npm/_on_node.js";

let made: Promise<URL> | undefined;

/** Builds the tests, ready to run on Node, and the package for them. */
export function builtSuites(): Promise<URL> {
  return made ??= built(
    "suites",
    [...SOURCES, ...FOLDERS.map((folder) => `${folder}/`)],
    buildSuites,
  );
}

async function buildSuites(folder: URL): Promise<void> {
  const output = fromFileUrl(folder);
  const tree = await builtModules();
  const inside = new Set<string>();

  /** The file in the package for one of its modules, relative to the folder. */
  const packageFile = (module: string): string => {
    const entry = ENTRIES.find((entry) => entry.module === module);
    const name = entry?.file ?? module.replace(/\.ts$/, "");
    if (entry === undefined) inside.add(name);
    return `package/${name}.js`;
  };
  const rewrite = (path: string, importer: string): string => {
    const [name, query] = path.split("?");
    const from = dirname(importer).slice(root.length);
    const address = (file: string): string => {
      const way = relative(`/${from}`, `/${file}`);
      return way.startsWith(".") ? way : `./${way}`;
    };
    if (name.startsWith("@std/")) {
      return address(`tools/std/${name.slice("@std/".length)}/mod.js`);
    }
    if (!name.startsWith(".")) return path;
    const file = resolve(dirname(importer), name).slice(root.length);
    // This is another copy of a module: it is loaded as it was before the package was made.
    if (query !== undefined) {
      return new URL(file.replace(/\.ts$/, ".js"), tree).href;
    }
    return SOURCE.test(file) ? address(packageFile(file)) : name.replace(/\.ts$/, ".js");
  };

  const entryPoints = (await Promise.all(FOLDERS.map(modulesIn))).flat();
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints,
    outbase: root,
    outdir: output,
    bundle: true, // So that imports come by the plugin; none is followed.
    format: "esm",
    target: TARGET,
    keepNames: true,
    write: false,
    logLevel: "warning",
    logOverride: { "import-is-undefined": "silent" },
    plugins: [{
      name: "tests",
      setup(build) {
        build.onResolve({ filter: /.*/ }, ({ kind, path, importer }) => {
          if (kind === "entry-point") return undefined;
          return { path: rewrite(path, importer), external: true };
        });
      },
    }],
  });
  for (const { path, text } of outputFiles) {
    await Deno.mkdir(dirname(path), { recursive: true });
    const source = `${root}${path.slice(output.length)}`;
    const addressed = text.replaceAll(
      ADDRESS,
      (_, before, address) => `${before}${JSON.stringify(rewrite(address, source))}`,
    );
    await Deno.writeTextFile(path, addressed);
  }
  await Deno.writeTextFile(`${output}package.json`, '{ "private": true, "type": "module" }\n');
  // Modules that no entry reaches yet are not in the tree.
  const there = await Promise.all([...inside].map(async (name) => {
    return await isThere(new URL(`${name}.js`, tree)) ? [name] : [];
  }));
  await assemble(tree, folder, there.flat());
  const args = ["install", "--no-audit", "--no-fund", "--prefer-offline", ...PACKAGES];
  await run("npm", args, folder);
  // The package is found by its name too, for functions that are sent as source text.
  const link = new URL("node_modules/@concurrent/futures", folder);
  await Deno.mkdir(new URL(".", link));
  await Deno.symlink("../../package", link, { type: "dir" });
}
