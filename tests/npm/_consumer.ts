/** Uses the npm package as a stranger does: its tarball, installed in an empty folder. */

import { fromFileUrl, toFileUrl } from "@std/path";
import { PACKAGE_JSON } from "../../tools/npm/description.ts";
import { runCommand, type RunResult } from "../_support/run.ts";
import { builtTarball } from "./_built.ts";

/** Time limit of building or installing. */
const SET_UP_MS = 60_000;

/**
 * The environment of all that runs here: colours, and notes about new versions, would show up in
 * the output.
 */
const QUIET = { NODE_NO_WARNINGS: "1", NO_UPDATE_NOTIFIER: "1", FORCE_COLOR: "0" };

/** Whether the machine has Node and npm. */
export const hasNode: boolean = await works("node") && await works("npm");

async function works(command: string): Promise<boolean> {
  try {
    const { code } = await runCommand(command, ["--version"], { cwd: "/" });
    return code === 0;
  } catch {
    return false;
  }
}

async function temporaryFolder(): Promise<URL> {
  return toFileUrl(`${await Deno.makeTempDir({ prefix: "futures-npm-" })}/`);
}

function remove(folder: URL): Promise<void> {
  return Deno.remove(folder, { recursive: true });
}

/** A folder with the package installed. Removed, with its contents, when the `using` block ends. */
export interface Consumer extends AsyncDisposable {
  readonly folder: URL;
  write(name: string, text: string): Promise<void>;
  /** Runs a command of an installed package, or of the machine. */
  run(command: string, args: string[], timeoutMs?: number): Promise<RunResult>;
}

/** Installs the package, and others with it, like `npm install name@version`. */
export async function installed(
  files: Readonly<Record<string, string>> = {},
  packages: readonly string[] = [],
): Promise<Consumer> {
  const folder = await temporaryFolder();
  const consumer: Consumer = {
    folder,
    write: (name, text) => Deno.writeTextFile(new URL(name, folder), text),
    run: async (command, args, timeoutMs) => {
      const bin = new URL(`node_modules/.bin/${command}`, folder);
      const isInstalled = await Deno.stat(bin).then(() => true, () => false);
      const path = isInstalled ? fromFileUrl(bin) : command;
      return await runCommand(path, args, { cwd: folder, env: QUIET, timeoutMs });
    },
    [Symbol.asyncDispose]: () => remove(folder),
  };
  try {
    await consumer.write("package.json", JSON.stringify({ private: true, type: "module" }));
    await install(consumer, [await builtTarball(), ...packages]);
    for (const [name, text] of Object.entries(files)) await consumer.write(name, text);
  } catch (error) {
    await remove(folder);
    throw error;
  }
  return consumer;
}

/** Installs packages in a folder; throws with npm's message when that fails. */
export async function install(consumer: Consumer, packages: readonly string[]): Promise<void> {
  const args = ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packages];
  const { code, stderr, timedOut } = await consumer.run("npm", args, SET_UP_MS);
  if (code === 0 && !timedOut) return;
  throw new Error(`Cannot install ${packages.slice(1).join(" ")}: ${stderr}`);
}

/** The name by which the package is imported. */
export const NAME: string = PACKAGE_JSON.name;
