/**
 * Makes the npm package from modules that are JavaScript already, with their declarations beside
 * them.
 *
 * @module
 */

import { fromFileUrl, toFileUrl } from "@std/path";
import { bundle } from "./bundle.ts";
import config from "../../deno.json" with { type: "json" };
import { COMMAND, DOCUMENTS, OUTPUT, PACKAGE_JSON, ROOT } from "./description.ts";

/** Empties a folder, or makes it if it does not exist. */
export async function emptyFolder(folder: URL): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(folder, { recursive: true });
}

/** Runs a command, and returns what it prints. Throws when it fails. */
export async function run(command: string, args: readonly string[], cwd: URL): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd })
    .output();
  const decoder = new TextDecoder();
  if (code === 0) return decoder.decode(stdout);
  throw new Error(`Cannot run ${command} ${args[0]}: ${decoder.decode(stderr).trim()}`);
}

/**
 * Declares what a host can transfer: the name comes from browsers, and is missing where programs
 * for Node are checked without the types of browsers. The parameters of `structuredClone` do not
 * tell all where both are there, since only its last overload is seen.
 */
const TRANSFERABLE = `
type InstanceOf<Name extends string> = typeof globalThis extends
  { [_ in Name]: { prototype: infer T } } ? T : never;
type Transferable =
  | ArrayBuffer
  | InstanceOf<"AudioData">
  | InstanceOf<"ImageBitmap">
  | InstanceOf<"MessagePort">
  | InstanceOf<"OffscreenCanvas">
  | InstanceOf<"RTCDataChannel">
  | InstanceOf<"ReadableStream">
  | InstanceOf<"TransformStream">
  | InstanceOf<"VideoFrame">
  | InstanceOf<"WritableStream">
  | NonNullable<NonNullable<Parameters<typeof structuredClone>[1]>["transfer"]>[number];
`;

/**
 * References the declarations that `using` needs: they are newer than the libraries that many
 * programs are checked with.
 */
const DISPOSABLE = `/// <reference lib="esnext.disposable" />\n`;

/**
 * Gives each class a private member, so that TypeScript tells apart classes that look the same from
 * outside. In the source their private fields do that, but the declarations may have lost all trace
 * of these.
 */
function markPrivate(text: string): string {
  return text.includes("#private;")
    ? text
    : text.replace(/^(?:.*\*\/ )?export declare class [^{]*\{$/gm, "$&\n  #private;");
}

/**
 * Leaves out the methods under `HANDLE`, which are for the package alone: declarations that a
 * program makes of its own could not name that symbol, where they spell out a class of ours.
 */
function dropHandles(text: string): string {
  return text.replace(/\s*\/\*\*(?:(?!\*\/).)*\*\/\s*(?:override )?\[HANDLE\]\(\): \w+;/gs, "");
}

/**
 * The program that `npx` starts. The packages that it needs are optional, and may not be installed.
 */
const WORKER_PROGRAM = `#!/usr/bin/env node
const { main } = await import("./worker.js").catch((error) => {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  console.error(\`\${error.message}\\nCannot start worker host: it needs bullmq and ioredis; npm install bullmq ioredis\`);
  process.exit(1);
});
process.exit(await main(process.argv.slice(2)));
`;

/** Copies declarations; their examples import the package by its name for npm. */
async function copyDeclarations(from: URL, to: URL): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyDeclarations(new URL(`${name}/`, from), new URL(`${name}/`, to));
    else if (name.endsWith(".d.ts")) {
      await Deno.mkdir(to, { recursive: true });
      const text = await Deno.readTextFile(new URL(name, from));
      const told = dropHandles(markPrivate(text));
      const renamed = told.replaceAll(`"${config.name}`, `"${PACKAGE_JSON.name}`);
      const head = /\bDisposable\b|\bSymbol\.(?:d|asyncD)ispose\b/.test(text) ? DISPOSABLE : "";
      const tail = /\bTransferable\b/.test(text) ? TRANSFERABLE : "";
      await Deno.writeTextFile(new URL(name, to), head + renamed + tail);
    }
  }
}

/**
 * Makes the package, and its tarball beside it.
 *
 * @param tree The modules, laid out as the repository is.
 * @param output The folder to build in.
 * @param more Further modules with files of their own; see {@linkcode bundle}.
 * @returns The tarball.
 */
export async function assemble(
  tree: URL,
  output: URL = OUTPUT,
  more: readonly string[] = [],
): Promise<URL> {
  const folder = new URL("package/", output);
  await emptyFolder(folder);
  await bundle(tree, folder, more);
  await copyDeclarations(tree, new URL("types/", folder));
  for (const name of DOCUMENTS) await Deno.copyFile(new URL(name, ROOT), new URL(name, folder));
  await Deno.writeTextFile(new URL(COMMAND.file, folder), WORKER_PROGRAM);
  const json = JSON.stringify(PACKAGE_JSON, null, 2);
  await Deno.writeTextFile(new URL("package.json", folder), `${json}\n`);
  const { name, version } = PACKAGE_JSON;
  await run("npm", ["pack", fromFileUrl(folder), "--pack-destination", fromFileUrl(output)], ROOT);
  return toFileUrl(`${fromFileUrl(output)}${name}-${version}.tgz`);
}
