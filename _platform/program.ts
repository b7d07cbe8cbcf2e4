/**
 * What a program for the command line needs of its runtime, Deno or Node.
 *
 * @module
 */

import { builtin } from "./_node_modules.ts";
import { isDeno } from "./deno.ts";

/** How an option is written: with a value, or alone. */
export interface OptionForm {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
  readonly short?: string;
}

/** Options as they were given, by name. */
export type GivenOptions = Readonly<
  Record<string, string | boolean | (string | boolean)[] | undefined>
>;

/** The arguments of this program. */
export function programArguments(): readonly string[] {
  return builtin("node:process").argv.slice(2);
}

/**
 * Takes arguments apart.
 *
 * @throws {TypeError} For an option that is not among the forms, one without its value, and what is no option.
 */
export function parseArguments(
  args: readonly string[],
  options: Readonly<Record<string, OptionForm>>,
): GivenOptions {
  return builtin("node:util").parseArgs({ args, options, strict: true }).values;
}

/** The address of a file that was named on the command line. */
export function addressOf(path: string): string {
  const { pathToFileURL } = builtin("node:url");
  return pathToFileURL(builtin("node:path").resolve(path)).href;
}

/** A file's text. */
export function readText(path: string): string {
  return builtin("node:fs").readFileSync(path, "utf8");
}

/** What the machine is called, if that may be asked. */
export function machineName(): string {
  // Deno would ask the user.
  const query = { name: "sys", kind: "hostname" } as const;
  const isAllowed = !isDeno() || Deno.permissions.querySync(query).state === "granted";
  return isAllowed ? builtin("node:os").hostname() : "host";
}

/** Calls back when this process is sent a signal, instead of ending. */
export function onSignal(signal: string, callback: () => void): void {
  builtin("node:process").on(signal as "SIGTERM", callback);
}
