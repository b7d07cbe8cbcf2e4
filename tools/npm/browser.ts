/**
 * Makes the files for web pages. They differ from the other files wherever a bundler for web pages
 * would otherwise fail.
 *
 * A module that workers load later is in the same file as the module that loads it: otherwise a
 * bundler would have it loaded by code that first looks for the document, which a worker lacks.
 * What only other runtimes and processes need is left out. Beside these files there is one with all
 * that workers begin with, which imports no other file, for bundlers that make bundles for workers;
 * see `_platform/browser.ts`.
 *
 * @module
 */

import type * as esbuild from "esbuild";
import { dirname, resolve } from "@std/path";
import { PACKAGE_JSON } from "./description.ts";

/** Modules that are of no use in a browser, and the code that replaces them. */
const STAND_INS: readonly (readonly [pattern: RegExp, contents: string])[] = [
  [
    /\/_platform\/deno\.js$/,
    "export const isDeno = () => false; export const createDenoPlatform = () => {};",
  ],
  [
    /\/_platform\/node\.js$/,
    `export const isNode = () => {
      const versions = globalThis.process?.versions;
      if (versions?.node === undefined || versions.electron !== undefined) return false;
      throw new Error("Cannot load ${PACKAGE_JSON.name}: this is no browser, and its files for browsers were loaded; leave out the export condition \\"browser\\" (for Jest: testEnvironment: \\"node\\")");
    };
    export const createNodePlatform = () => {};`,
  ],
  [
    /\/_platform\/(?:deno|node)_process\.js$/,
    "export const createDenoProcesses = () => {}; export const createNodeProcesses = () => {};",
  ],
  // These modules are imported only for the entries that they register.
  [/\/executors\/_process_(?:main|manager)\.js$/, "export {};"],
];

/** Replaces the modules by their stand-ins. */
const standIns: esbuild.Plugin = {
  name: "stand-ins",
  setup(build) {
    for (const [filter, contents] of STAND_INS) build.onLoad({ filter }, () => ({ contents }));
  },
};

/**
 * Removes the reference to the file for workers from that file itself, so that bundlers do not
 * follow it again.
 */
const withoutItself: esbuild.Plugin = {
  name: "without itself",
  setup(build) {
    build.onLoad({ filter: /\/_bundle_address\.js$/ }, () => ({
      contents: "export const addressOfBundle = () => undefined;",
    }));
  },
};

/** A dynamic import of one of the package's own modules. */
const LATER = /\bimport\("(\.[^"]+)"\)/g;

/** Replaces dynamic imports by static ones. */
const allAtOnce: esbuild.Plugin = {
  name: "all at once",
  setup(build) {
    build.onLoad({ filter: /\/executors\/_\w+\.js$/ }, async ({ path }) => {
      const lines: string[] = [];
      const text = (await Deno.readTextFile(path)).replace(LATER, (_call, module: string) => {
        const name = `part${lines.length}`;
        const file = resolve(dirname(path), module);
        lines.push(`import * as ${name} from ${JSON.stringify(file)};`);
        return `Promise.resolve(${name})`;
      });
      return { contents: lines.join("") + text, resolveDir: dirname(path) };
    });
  },
};

/**
 * Returns the options of the builds for web pages.
 *
 * @param common What all files of the package have in common.
 * @param entries The entries: for each file's name without its ending, the module.
 */
export function browserBuilds(
  common: esbuild.BuildOptions,
  entries: Readonly<Record<string, string>>,
): esbuild.BuildOptions[] {
  const pages: esbuild.BuildOptions = {
    ...common,
    outdir: `${common.outdir}/browser`,
  };
  return [
    {
      ...pages,
      entryPoints: entries,
      splitting: true,
      plugins: [standIns, allAtOnce],
    },
    {
      ...pages,
      entryPoints: { _worker: "executors/_worker.js" },
      plugins: [standIns, withoutItself, allAtOnce],
    },
  ];
}
