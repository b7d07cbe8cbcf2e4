/**
 * What a command-line program needs of its runtime, Deno or Node.
 *
 * @module
 */

import { builtin } from "./_node_modules.ts";
import { isDeno } from "./deno.ts";

/** How an option is written: with a value or without. */
export interface OptionForm {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
  readonly short?: string;
}

/** The options that were given, by name. */
export type GivenOptions = Readonly<
  Record<string, string | boolean | (string | boolean)[] | undefined>
>;

/** The arguments of this program. */
export function programArguments(): readonly string[] {
  return builtin("node:process").argv.slice(2);
}

/**
 * Parses arguments.
 *
 * @throws {TypeError} For an option that is not among `options`, an option without its value, and
 * an argument that is not an option.
 */
export function parseArguments(
  args: readonly string[],
  options: Readonly<Record<string, OptionForm>>,
): GivenOptions {
  return builtin("node:util").parseArgs({ args, options, strict: true }).values;
}

/** The address of a file named on the command line. */
export function addressOf(path: string): string {
  const { pathToFileURL } = builtin("node:url");
  return pathToFileURL(builtin("node:path").resolve(path)).href;
}

/** A file's text. */
export function readText(path: string): string {
  return builtin("node:fs").readFileSync(path, "utf8");
}

/** The machine's name, or `"host"` if it may not be asked for. */
export function machineName(): string {
  // Without the permission, Deno would ask the user.
  const query = { name: "sys", kind: "hostname" } as const;
  const isAllowed = !isDeno() || Deno.permissions.querySync(query).state === "granted";
  return isAllowed ? builtin("node:os").hostname() : "host";
}

/** Calls back when this process is sent a signal, instead of ending. */
export function onSignal(signal: string, callback: () => void): void {
  builtin("node:process").on(signal as "SIGTERM", callback);
}
