/**
 * The command line of the examples that take an option.
 *
 * @module
 */

import { parseArgs } from "node:util";

/**
 * Returns the value of the only option, `undefined` when it is not given. Ends the program if
 * anything else is given.
 */
export function parseOption(name: string, args: string[]): string | undefined {
  try {
    return parseArgs({ args, options: { [name]: { type: "string" } } }).values[name];
  } catch (error) {
    refuse((error as Error).message);
  }
}

/** Says what is wrong with the command line, and ends the program. */
export function refuse(message: string): never {
  console.error(message);
  Deno.exit(2);
}
