/**
 * What the tests of the npm package have built, once for all test files: folders among the system's
 * temporary files, named after the state of their sources.
 */

import { fromFileUrl, toFileUrl } from "@std/path";
import { assemble } from "../../tools/npm/assemble.ts";
import { PACKAGE_JSON } from "../../tools/npm/description.ts";
import { packModules } from "../../tools/pack_npm.ts";
import { ROOT } from "../_support/scratch.ts";

const HOME = toFileUrl(`${Deno.env.get("TMPDIR") ?? "/tmp"}/concurrent-futures-tests/`);

/** The sources of the package. */
export const SOURCES: readonly string[] = [
  "deno.json",
  "mod.ts",
  "README.md",
  "CHANGELOG.md",
  "_memory/",
  "_platform/",
  "executors/",
  "progress/",
  "queue/",
  "sync/",
  "tools/",
];

/** The time of each file's last change. */
async function statesOf(file: URL): Promise<string[]> {
  const { isDirectory, mtime, size } = await Deno.stat(file);
  if (!isDirectory) return [`${file.href} ${Number(mtime)} ${size}`];
  const states: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(file)) {
    states.push(...await statesOf(new URL(name + (isDirectory ? "/" : ""), file)));
  }
  return states.sort();
}

async function fingerprintOf(sources: readonly string[], age: string): Promise<string> {
  const states = await Promise.all(sources.map((source) => statesOf(new URL(source, ROOT))));
  const bytes = new TextEncoder().encode([age, ...states.flat()].join("\n"));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return hash.toHex().slice(0, 16);
}

/**
 * A folder with what `build` makes of the sources; it is made now unless it exists. Older ones of
 * that name are removed.
 *
 * @param name The beginning of the folder's name.
 * @param age When this changes, another folder is made too.
 */
export async function built(
  name: string,
  sources: readonly string[],
  build: (folder: URL) => Promise<void>,
  age = "",
): Promise<URL> {
  const own = `${name}-${await fingerprintOf(sources, age)}`;
  const folder = new URL(`${own}/`, HOME);
  await Deno.mkdir(HOME, { recursive: true });
  for await (const { name: other } of Deno.readDir(HOME)) {
    if (other === own) return folder;
    if (other.startsWith(`${name}-`)) await remove(new URL(other, HOME));
  }
  // Other programs may do the same at this moment: the first one to finish has made the folder.
  const draft = new URL(`draft-${crypto.randomUUID()}/`, HOME);
  await Deno.mkdir(draft);
  try {
    await build(draft);
    await Deno.rename(draft, folder);
  } catch (error) {
    await remove(draft);
    if (!await isThere(folder)) throw error;
  }
  return folder;
}

async function remove(folder: URL): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
}

/** Whether a file or folder exists. */
export async function isThere(file: URL): Promise<boolean> {
  return await Deno.stat(file).then(() => true, () => false);
}

/** The package's modules as JavaScript. */
export async function builtModules(): Promise<URL> {
  return new URL("modules/", await builtPackage());
}

/** The package's tarball. */
export async function builtTarball(): Promise<string> {
  const { name, version } = PACKAGE_JSON;
  return fromFileUrl(new URL(`${name}-${version}.tgz`, await builtPackage()));
}

let made: Promise<URL> | undefined;

function builtPackage(): Promise<URL> {
  return made ??= built("package", SOURCES, async (folder) => {
    await assemble(await packModules(folder), folder);
  });
}
