/**
 * Makes the files for web pages. They differ from the others in what a bundler of web pages would stumble over.
 *
 * A part that workers load when they need it is in the same file as what loads it: a bundler would have it loaded by code that looks
 * for the document first, which a worker has not. What other runtimes and processes need is left out. And beside
 * them is a file with all that workers begin with, which imports no other, for bundlers that make bundles for workers; see
 * `_platform/browser.ts`.
 *
 * @module
 */

import type * as esbuild from "esbuild";
import { dirname, resolve } from "@std/path";
import { PACKAGE_JSON } from "./description.ts";

/** Modules that have no use in a browser, and what takes their place. */
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
  // Imported for the entries that they register.
  [/\/executors\/_process_(?:main|manager)\.js$/, "export {};"],
];

/** Puts them in their places. */
const standIns: esbuild.Plugin = {
  name: "stand-ins",
  setup(build) {
    for (const [filter, contents] of STAND_INS) build.onLoad({ filter }, () => ({ contents }));
  },
};

/** Takes out the mention of the file for workers, which they need not follow again. */
const withoutItself: esbuild.Plugin = {
  name: "without itself",
  setup(build) {
    build.onLoad({ filter: /\/_bundle_address\.js$/ }, () => ({
      contents: "export const addressOfBundle = () => undefined;",
    }));
  },
};

/** An import of a module of the package at a later time. */
const LATER = /\bimport\("(\.[^"]+)"\)/g;

/** Has modules imported at once that are imported later. */
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
 * What is to be built.
 *
 * @param common What all files of the package have in common.
 * @param entries The entries: the file's name without ending, and the module.
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
