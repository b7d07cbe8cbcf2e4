/**
 * Builds the npm package with dnt: `deno task npm`.
 *
 * dnt makes JavaScript and declarations from the modules; both builds share the rest
 * (`npm/assemble.ts`).
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { assemble, emptyFolder } from "./npm/assemble.ts";
import { ENTRIES, OUTPUT, PACKAGE_JSON, ROOT } from "./npm/description.ts";

/**
 * Loaded only when this program runs, and not named in deno.json: checking this file must not need
 * the registry.
 */
const DNT = "jsr:@deno/dnt@^0.42.0";

/** The part of dnt that is used here. */
interface Dnt {
  build(options: {
    entryPoints: { name: string; path: string }[];
    outDir: string;
    package: { name: string; version: string };
    shims: Record<string, never>;
    declaration: "inline";
    scriptModule: false;
    skipNpmInstall: true;
    skipSourceOutput: true;
    test: false;
    typeCheck: false;
    compilerOptions: { target: "ES2022"; lib: string[] };
  }): Promise<void>;
}

const { build } = await import(DNT) as Dnt;
const folder = new URL("dnt/", OUTPUT);
await emptyFolder(folder);
await build({
  entryPoints: ENTRIES.map(({ path, module }) => ({
    name: path,
    path: fromFileUrl(new URL(module, ROOT)),
  })),
  outDir: fromFileUrl(folder),
  package: { name: PACKAGE_JSON.name, version: PACKAGE_JSON.version },
  shims: {}, // The source finds out by itself which runtime it is on.
  declaration: "inline",
  scriptModule: false,
  skipNpmInstall: true,
  skipSourceOutput: true,
  test: false,
  typeCheck: false, // `deno check` has checked the types.
  compilerOptions: { target: "ES2022", lib: ["ESNext", "DOM", "WebWorker"] },
});
console.log(fromFileUrl(await assemble(new URL("esm/", folder))));
