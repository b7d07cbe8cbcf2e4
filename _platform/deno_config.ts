/**
 * The files that say how a Deno program finds modules: its `deno.json`, its `package.json`, and
 * those of the workspace that they are in.
 *
 * @module
 */

import { environment } from "./deno.ts";

const CONFIG_NAMES = ["deno.json", "deno.jsonc"];
/** The name of Node's configuration file of a program. */
export const PACKAGE_NAME = "package.json";

/**
 * Looks for a program's configuration file as the runtime does: from the main module's folder
 * upwards, to the first folder that has one. Above a `package.json`, only the configuration of a
 * workspace that it is a member of counts.
 *
 * @param mainModule The address of the program's main module.
 * @returns The path of a `deno.json`, or else of a `package.json`.
 */
export function findConfig(mainModule: string | undefined): string | undefined {
  if (!mainModule?.startsWith("file:")) return undefined;
  const ofNode = environment("DENO_NO_PACKAGE_JSON") === "1" ? [] : [PACKAGE_NAME];
  let nearest: URL | undefined;
  for (let folder = new URL(".", mainModule);;) {
    const find = (names: readonly string[]): URL | undefined =>
      names.map((name) => new URL(name, folder)).find(isFile);
    const config = find(CONFIG_NAMES);
    const packageFile = find(ofNode);
    if (config !== undefined) {
      if (nearest === undefined) return pathOf(config);
      const members = [...membersOf(config, "workspace"), ...membersOf(packageFile, "workspaces")];
      if (members.some((member) => isAt(member, folder, nearest!))) return pathOf(config);
    }
    nearest ??= packageFile;
    const above = new URL("..", folder);
    // This is the root; on Windows that of a drive, `file:///C:/`.
    if (above.href === folder.href) return nearest && pathOf(nearest);
    folder = above;
  }
}

/** The folders that a file names as members of its workspace. */
function membersOf(file: URL | undefined, key: "workspace" | "workspaces"): string[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch {
    return []; // The system does not let the file be read.
  }
  const list = parse(text)?.[key];
  const members = Array.isArray(list) ? list : list?.members ?? list?.packages;
  return Array.isArray(members) ? members.map(String) : [];
}

/**
 * Matches strings, which are kept; and comments, and commas before the end of a list, which are
 * removed.
 */
const NOT_JSON = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[^]*?\*\/|,(?=\s*[}\]])/g;

// deno-lint-ignore no-explicit-any
function parse(text: string): any {
  try {
    // Twice: a comment may stand between a comma and the end of its list.
    const plain = text.replace(NOT_JSON, "$1").replace(NOT_JSON, "$1");
    return JSON.parse(plain);
  } catch {
    return undefined; // The runtime has already reported what is wrong with the file.
  }
}

/** Whether a workspace member, given as a path with `*` for any name, is the folder of a file. */
function isAt(member: string, root: URL, { href }: URL): boolean {
  const path = member.replace(/^\.\//, "").replace(/\/$/, "");
  const pattern = path.replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, (stars) => stars.length > 1 ? ".*" : "[^/]*");
  const folder = decodeURIComponent(href.slice(root.href.length, href.lastIndexOf("/")));
  return new RegExp(`^${pattern}$`).test(folder);
}

/**
 * The path of a `file:` address, as the system writes it. `fileURLToPath` of `node:url` does the
 * same, but costs the main thread the 10 ms of its first look at `process`.
 */
export function pathOf(
  { host, pathname }: URL,
  isWindows: boolean = Deno.build.os === "windows",
): string {
  const path = decodeURIComponent(pathname);
  if (!isWindows) return path;
  const full = host === "" ? path.replace(/^\/(?=[a-z]:)/i, "") : `//${host}${path}`;
  return full.replaceAll("/", "\\");
}

/** Whether the file exists and may be read. */
export function isFile(file: URL): boolean {
  if (Deno.permissions.querySync({ name: "read", path: file }).state !== "granted") return false;
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}
